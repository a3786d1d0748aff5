/* `forestall eval EXPR [--with JSON]`: evaluates one expression of the rule language and prints its value as JSON. */
#include <math.h>
#include <stdio.h>

#include "cli/commands.h"
#include "codec/json.h"
#include "rule/cel.h"

static const char usage[] =
    "usage: forestall eval EXPR [--with JSON]\n"
    "\n"
    "Evaluates an expression of the rule language and prints its value as JSON, or `error: ...` with exit status 1.\n"
    "\n"
    "  --with JSON   an object whose members are the expression's names: 1 is an int, 1.0 a double\n"
    "\n"
    "  forestall eval \"event.value > 80.0 && event.name == 'cpu_usage'\" --with '{\"event\": {\"value\": 91.5, "
    "\"name\": \"cpu_usage\"}}'\n";

struct options {
    struct str expression;
    struct str with;
    bool help;
};

/* False on wrong usage. The first argument that is no option is the expression, also where it begins with '-'. */
static bool parse_options(int argc, char **argv, struct options *options)
{
    bool only_expression = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_expression && strcmp(arg, "--") == 0) {
            only_expression = true;
        } else if (!only_expression && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            options->help = true;
        } else if (!only_expression && strncmp(arg, "--with=", 7) == 0) {
            options->with = str_of(arg + 7);
        } else if (!only_expression && strcmp(arg, "--with") == 0) {
            if (++i == argc)
                return false;
            options->with = str_of(argv[i]);
        } else if (options->expression.p == NULL) {
            options->expression = str_of(arg);
        } else {
            return false;
        }
    }
    return options->expression.p != NULL || options->help;
}

static struct cel_name with_name(void *context, struct str name)
{
    const struct value *map = context;
    const struct value *found = value_map_get(*map, name);
    if (found == NULL)
        return (struct cel_name){.kind = CEL_NAME_NONE};
    return (struct cel_name){.kind = CEL_NAME_CONSTANT, .type = cel_type_of(found->type), .constant = *found};
}

static void put_double(struct buf *out, double d)
{
    size_t start = out->len;
    if (!isfinite(d))
        buf_byte(out, '"');
    value_double_text(out, d);
    if (!isfinite(d)) {
        buf_byte(out, '"');
        return;
    }
    for (size_t i = start; i < out->len; i++)
        if (out->p[i] == '.' || out->p[i] == 'e')
            return;
    buf_puts(out, ".0");
}

static void put_duration(struct buf *out, struct value v)
{
    bool negative = v.i < 0;
    uint64_t seconds = negative ? -(uint64_t)v.i : (uint64_t)v.i;
    uint32_t nanos = v.n;
    if (negative && nanos > 0) {
        seconds--;
        nanos = 1000000000 - nanos;
    }
    buf_printf(out, "\"%s%llu", negative ? "-" : "", (unsigned long long)seconds);
    if (nanos > 0) {
        buf_printf(out, ".%09u", nanos);
        while (out->p[out->len - 1] == '0')
            out->len--;
    }
    buf_puts(out, "s\"");
}

/* NOLINTBEGIN(misc-no-recursion): a value nests no deeper than its expression or its JSON allow. */
static void put_value(struct buf *out, struct value v);

/* A map's members; keys that are no strings are written as strings. */
static void put_members(struct buf *out, struct value v)
{
    bool map = v.type == VALUE_MAP;
    buf_byte(out, map ? '{' : '[');
    for (size_t i = 0; i < v.n; i++) {
        if (i > 0)
            buf_puts(out, ", ");
        if (!map) {
            put_value(out, v.items[i]);
            continue;
        }
        if (v.items[2 * i].type != VALUE_STRING)
            buf_byte(out, '"');
        value_json(out, v.items[2 * i]);
        if (v.items[2 * i].type != VALUE_STRING)
            buf_byte(out, '"');
        buf_puts(out, ": ");
        put_value(out, v.items[2 * i + 1]);
    }
    buf_byte(out, map ? '}' : ']');
}

/* JSON that tells an int from a double. Recursive over a value, which nests no deeper than its expression or its JSON
 * allow. */
static void put_value(struct buf *out, struct value v)
{
    switch ((enum value_type)v.type) {
    case VALUE_DOUBLE:
        put_double(out, v.d);
        break;
    case VALUE_DURATION:
        put_duration(out, v);
        break;
    case VALUE_TIMESTAMP:
        buf_byte(out, '"');
        time_print(out, v.i, (int32_t)v.n);
        buf_byte(out, '"');
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        put_members(out, v);
        break;
    default:
        value_json(out, v);
    }
}

/* NOLINTEND(misc-no-recursion) */

/* The expression's line at the offset and a caret under it, on standard error. */
static void show_place(struct str text, size_t offset)
{
    if (offset > text.n)
        offset = text.n;
    size_t start = offset;
    size_t end = offset;
    while (start > 0 && text.p[start - 1] != '\n')
        start--;
    while (end < text.n && text.p[end] != '\n')
        end++;
    int columns = 0;
    for (size_t i = start; i < offset; i++)
        columns += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    (void)fprintf(stderr, "  %.*s\n  %*s^\n", (int)(end - start), text.p + start, columns, "");
}

static int fail(struct str message)
{
    (void)printf("error: %.*s\n", STR_ARG(message));
    return 1;
}

static int evaluate(struct arena *arena, const struct options *options, struct value *with)
{
    struct cel_env env = {.context = with, .name = with_name, .unchecked = true};
    struct cel_error err = {0};
    const struct cel *cel;
    if (cel_compile(arena, options->expression, &env, TYPE_ANY, &cel, &err) != 0) {
        int status = fail(str_of(err.error.message));
        (void)fflush(stdout);
        show_place(options->expression, err.offset);
        return status;
    }
    struct cel_frame frame = {.arena = arena};
    struct value v = cel_eval(cel, &frame);
    if (v.type == VALUE_ERROR) {
        int status = fail(value_as_str(v));
        /* The checker knows the place of what is wrong whatever the values are. */
        env.unchecked = false;
        if (cel_compile(arena, options->expression, &env, TYPE_ANY, &cel, &err) != 0) {
            (void)fflush(stdout);
            show_place(options->expression, err.offset);
        }
        return status;
    }
    struct buf out = {0};
    put_value(&out, v);
    buf_byte(&out, '\n');
    bool written = fwrite(out.p, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_fini(&out);
    return written ? 0 : 1;
}

int cli_eval(int argc, char **argv)
{
    struct options options = {{NULL, 0}, {NULL, 0}, false};
    if (!parse_options(argc, argv, &options)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (options.help) {
        (void)fputs(usage, stdout);
        return 0;
    }
    struct arena arena = {0};
    struct value with = value_map(NULL, 0);
    struct error err = {.class = ERROR_NONE};
    int status = 0;
    if (options.with.p != NULL) {
        struct json_parser *parser = json_parser_new();
        if (json_parse(parser, options.with, &arena, &with, &err) != 0 || with.type != VALUE_MAP) {
            (void)fprintf(stderr, "forestall eval: --with takes a JSON object%s%s\n",
                          err.class != ERROR_NONE ? ": " : "", err.message);
            status = 2;
        }
        json_parser_free(parser);
    }
    if (status == 0)
        status = evaluate(&arena, &options, &with);
    arena_fini(&arena);
    return status;
}
