/* `forestall eval EXPR [--with JSON]`: evaluates one expression of the rule language and prints its value as JSON. */
#include <math.h>
#include <stdio.h>

#include "cli/commands.h"
#include "codec/json.h"
#include "codec/json_fault.h"
#include "rule/cel.h"

static const char usage[] =
    "usage: forestall eval EXPR [--with JSON]\n"
    "\n"
    "Evaluates an expression of the rule language and prints its value as JSON, or `error: ...`, with its\n"
    "line and column where it has a place, and exit status 1.\n"
    "\n"
    "  --with JSON   an object whose members are the expression's names: 1 is an int, 1.0 a double\n"
    "\n"
    "  forestall eval \"event.value > 80.0 && event.name == 'cpu_usage'\" --with '{\"event\": {\"value\": 91.5, "
    "\"name\": \"cpu_usage\"}}'\n";

struct options {
    struct str expression;
    struct str with;
    bool help;
    const char *wrong; /* what is wrong with the arguments; NULL: nothing */
};

/* The first argument that is no option is the expression, also where it begins with '-'. */
static void parse_options(int argc, char **argv, struct options *options)
{
    bool only_expression = false;
    for (int i = 1; i < argc && options->wrong == NULL; i++) {
        const char *arg = argv[i];
        if (!only_expression && strcmp(arg, "--") == 0) {
            only_expression = true;
        } else if (!only_expression && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            options->help = true;
        } else if (!only_expression && strncmp(arg, "--with=", 7) == 0) {
            options->with = str_of(arg + 7);
        } else if (!only_expression && strcmp(arg, "--with") == 0) {
            if (i + 1 == argc)
                options->wrong = "--with takes a JSON object";
            else
                options->with = str_of(argv[++i]);
        } else if (options->expression.p == NULL) {
            options->expression = str_of(arg);
        } else {
            options->wrong = "one expression is evaluated; quote it for the shell";
        }
    }
    if (options->expression.p == NULL && options->wrong == NULL)
        options->wrong = "an expression is missing";
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

/* A place in a text that was given as an argument. */
struct place {
    struct str line;
    size_t byte; /* of the line */
    int number;  /* from 1, as the column */
    int column;
};

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static struct place place_of(struct str text, size_t offset)
{
    if (offset > text.n)
        offset = text.n;
    size_t start = offset;
    size_t end = offset;
    while (start > 0 && text.p[start - 1] != '\n')
        start--;
    while (end < text.n && text.p[end] != '\n')
        end++;
    struct place place = {{text.p + start, end - start}, offset - start, 1, 1};
    for (size_t i = start; i < offset; i++)
        place.column += !is_continuation(text.p[i]);
    for (size_t i = 0; i < start; i++)
        place.number += text.p[i] == '\n';
    return place;
}

/* The line about the place and a caret under it, on standard error. */
static void show_place(struct place place)
{
    enum { SHOWN_BEFORE = 80, SHOWN_MAX = 160 };
    size_t from = place.byte > SHOWN_BEFORE ? place.byte - SHOWN_BEFORE : 0;
    while (from > 0 && is_continuation(place.line.p[from]))
        from--;
    size_t to = place.line.n - from > SHOWN_MAX ? from + SHOWN_MAX : place.line.n;
    while (to < place.line.n && is_continuation(place.line.p[to]))
        to++;
    int columns = 0;
    for (size_t i = from; i < place.byte; i++)
        columns += !is_continuation(place.line.p[i]);
    (void)fprintf(stderr, "  %.*s\n  %*s^\n", (int)(to - from), place.line.p + from, columns, "");
}

static int fail(const struct options *options, struct str message, size_t offset)
{
    struct place place = place_of(options->expression, offset);
    (void)printf("error: %d:%d: %.*s\n", place.number, place.column, STR_ARG(message));
    (void)fflush(stdout);
    show_place(place);
    return 1;
}

static int evaluate(struct arena *arena, const struct options *options, struct value *with)
{
    struct cel_env env = {.context = with, .name = with_name, .unchecked = true};
    struct cel_error err = {0};
    const struct cel *cel;
    if (cel_compile(arena, options->expression, &env, TYPE_ANY, &cel, &err) != 0)
        return fail(options, str_of(err.error.message), err.offset);
    struct cel_frame frame = {.arena = arena};
    struct value v = cel_eval(cel, &frame);
    if (v.type == VALUE_ERROR) {
        /* The checker knows the place of what is wrong whatever the values are. */
        env.unchecked = false;
        if (cel_compile(arena, options->expression, &env, TYPE_ANY, &cel, &err) != 0)
            return fail(options, value_as_str(v), err.offset);
        (void)printf("error: %.*s\n", STR_ARG(value_as_str(v)));
        return 1;
    }
    struct buf out = {0};
    put_value(&out, v);
    buf_byte(&out, '\n');
    bool written = fwrite(out.p, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_fini(&out);
    return written ? 0 : 1;
}

/* Reads --with; false and what is wrong with it, and where. */
static bool read_with(struct arena *arena, struct str text, struct value *with)
{
    struct error err = {.class = ERROR_NONE};
    struct json_parser *parser = json_parser_new();
    bool good = json_parse(parser, text, arena, with, &err) == 0;
    json_parser_free(parser);
    if (good && with->type == VALUE_MAP)
        return true;
    struct json_fault fault = json_fault_find(text);
    if (!good && fault.words == NULL) {
        (void)fprintf(stderr, "error: --with: %s\n", err.message);
        return false;
    }
    struct place place = place_of(text, good ? 0 : fault.offset);
    (void)fprintf(stderr, "error: --with: %d:%d: %s\n", place.number, place.column,
                  good ? "an object is wanted, as in {\"n\": 1}" : fault.words);
    show_place(place);
    return false;
}

int cli_eval(int argc, char **argv)
{
    struct options options = {.help = false};
    parse_options(argc, argv, &options);
    if (options.help) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (options.wrong != NULL) {
        (void)fprintf(stderr, "error: %s\n\n%s", options.wrong, usage);
        return 2;
    }
    struct arena arena = {0};
    struct value with = value_map(NULL, 0);
    bool given = options.with.p == NULL || read_with(&arena, options.with, &with);
    int status = given ? evaluate(&arena, &options, &with) : 2;
    arena_fini(&arena);
    return status;
}
