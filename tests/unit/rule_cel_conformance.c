/* The conformance suite of the Common Expression Language, and a table of what this language adds to it.
 *
 * rule_cel_conformance.py says how a line of the files is read. Every case is evaluated twice: as `forestall eval`
 * does, and checked as in rules, where it may also be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"
#include "rule/cel.h"

enum { LINE_BYTES_MAX = 65536 };

struct suite {
    struct arena arena;
    struct json_parser *parser;
    struct value names; /* of the case being run */
    int cases, failures, refused;
};

static struct value member(struct value map, const char *key)
{
    const struct value *found = value_map_get(map, str_of(key));
    return found != NULL ? *found : value_null();
}

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct value from_hex(struct suite *suite, struct str text)
{
    char *bytes = arena_alloc(&suite->arena, text.n / 2);
    for (size_t i = 0; i < text.n / 2; i++)
        bytes[i] = (char)(hex_digit(text.p[2 * i]) * 16 + hex_digit(text.p[2 * i + 1]));
    struct value v = value_str((struct str){bytes, text.n / 2});
    v.type = VALUE_BYTES;
    return v;
}

static struct value from_double(struct value content)
{
    if (content.type != VALUE_STRING)
        return content.type == VALUE_INT ? value_double((double)content.i) : content;
    return value_double(strtod(content.s, NULL));
}

/* NOLINTNEXTLINE(misc-no-recursion): the suite's values are small */
static struct value value_of(struct suite *suite, struct value tagged)
{
    assert_int_equal(tagged.type, VALUE_LIST);
    assert_true(tagged.n >= 2);
    struct str type = value_as_str(tagged.items[0]);
    struct value content = tagged.items[1];
    if (str_is(type, "uint"))
        return value_uint(content.u);
    if (str_is(type, "double"))
        return from_double(content);
    if (str_is(type, "bytes"))
        return from_hex(suite, value_as_str(content));
    if (str_is(type, "type"))
        content.type = VALUE_TYPE;
    if (str_is(type, "timestamp") || str_is(type, "duration")) {
        struct value span = {.type = str_is(type, "timestamp") ? VALUE_TIMESTAMP : VALUE_DURATION, .i = content.i};
        int64_t nanos = tagged.items[2].i;
        span.i -= nanos < 0;
        span.n = (uint32_t)(nanos < 0 ? nanos + 1000000000 : nanos);
        return span;
    }
    bool map = str_is(type, "map");
    if (!map && !str_is(type, "list"))
        return content;
    struct value *items = arena_alloc(&suite->arena, content.n * sizeof *items * 2);
    for (uint32_t i = 0; i < content.n; i++) {
        if (!map) {
            items[i] = value_of(suite, content.items[i]);
            continue;
        }
        items[2 * i] = value_of(suite, content.items[i].items[0]);
        items[2 * i + 1] = value_of(suite, content.items[i].items[1]);
    }
    return map ? value_map(items, content.n) : value_list(items, content.n);
}

/* The same type and value; maps in any order, NaN like NaN, but 0.0 unlike -0.0. */
/* NOLINTNEXTLINE(misc-no-recursion): as above */
static bool same(struct value a, struct value b)
{
    if (a.type != b.type)
        return false;
    if (a.type == VALUE_DOUBLE && isnan(a.d) && isnan(b.d))
        return true;
    if (a.type == VALUE_DOUBLE)
        return value_eq(a, b) && signbit(a.d) == signbit(b.d);
    if (a.type != VALUE_LIST && a.type != VALUE_MAP)
        return value_eq(a, b);
    bool equal = a.n == b.n;
    for (uint32_t i = 0; i < a.n && equal; i++) {
        if (a.type == VALUE_LIST) {
            equal = same(a.items[i], b.items[i]);
            continue;
        }
        bool found = false;
        for (uint32_t k = 0; k < b.n && !found; k++)
            found = same(a.items[2 * i], b.items[2 * k]) && same(a.items[2 * i + 1], b.items[2 * k + 1]);
        equal = found;
    }
    return equal;
}

static struct cel_name suite_name(void *context, struct str name)
{
    struct suite *suite = context;
    const struct value *found = value_map_get(suite->names, name);
    if (found == NULL)
        return (struct cel_name){.kind = CEL_NAME_NONE};
    struct value v = value_of(suite, *found);
    return (struct cel_name){.kind = CEL_NAME_CONSTANT, .type = cel_type_of(v.type), .constant = v};
}

static struct value evaluate(struct suite *suite, struct str expression, bool unchecked, bool *refused)
{
    struct cel_env env = {.context = suite, .name = suite_name, .unchecked = unchecked};
    struct cel_frame frame = {.arena = &suite->arena};
    struct cel_error err = {0};
    const struct cel *cel;
    *refused = cel_compile(&suite->arena, expression, &env, TYPE_ANY, &cel, &err) != 0;
    if (!*refused)
        return cel_eval(cel, &frame);
    struct value error = value_str(arena_str(&suite->arena, str_of(err.error.message)));
    error.type = VALUE_ERROR;
    return error;
}

static void run_case(struct suite *suite, struct value test)
{
    struct str expression = value_as_str(member(test, "expr"));
    struct value wanted = member(test, "value");
    bool error = value_is_null(wanted);
    assert_true(error == (member(test, "error").type == VALUE_BOOL));
    if (!error)
        wanted = value_of(suite, wanted);
    suite->names = member(test, "with");
    suite->cases++;
    for (int unchecked = 0; unchecked < 2; unchecked++) {
        bool refused;
        struct value got = evaluate(suite, expression, unchecked, &refused);
        if (refused && !unchecked) {
            suite->refused += !error;
            continue;
        }
        if (error ? got.type == VALUE_ERROR : same(got, wanted))
            continue;
        struct buf text = {0};
        value_json(&text, got);
        print_error("%.*s: %.*s is %s %.*s\n", STR_ARG(value_as_str(member(test, "of"))), STR_ARG(expression),
                    value_type_name(got.type), STR_ARG(buf_str(&text)));
        buf_fini(&text);
        suite->failures++;
    }
}

static int run_file(const char *path, int *refused)
{
    static char line[LINE_BYTES_MAX];
    struct suite suite = {.parser = json_parser_new()};
    FILE *file = fopen(path, "r");
    bool head = true;
    int64_t promised = 0;
    if (file == NULL)
        fail_msg("%s cannot be read: this runs in the source tree", path);
    while (fgets(line, sizeof line, file) != NULL) {
        struct error err;
        struct value test;
        arena_reset(&suite.arena);
        if (json_parse(suite.parser, str_of(line), &suite.arena, &test, &err) != 0)
            fail_msg("%s: %s", err.message, line);
        if (head)
            promised = member(test, "cases").i;
        else
            run_case(&suite, test);
        head = false;
    }
    (void)fclose(file);
    json_parser_free(suite.parser);
    arena_fini(&suite.arena);
    assert_true(suite.cases > 0 && (promised == 0 || suite.cases == promised));
    *refused = suite.refused;
    return suite.failures;
}

/* What rules refuse though it has a value is an error among constants, absorbed by && or ||: 1 / 0 == 1 || true. */
static void conformance(void **state)
{
    (void)state;
    int refused;
    assert_int_equal(run_file("tests/unit/rule_cel_conformance.jsonl", &refused), 0);
    assert_in_range(refused, 1, 40);
}

static void additions(void **state)
{
    (void)state;
    int refused;
    assert_int_equal(run_file("tests/unit/rule_cel_additions.jsonl", &refused), 0);
    assert_in_range(refused, 0, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conformance), cmocka_unit_test(additions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
