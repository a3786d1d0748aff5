/* A covered condition counts what each part comes to, and comes to the same itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule/cel_cover.h"

static struct arena arena;

static struct cel_name name_of(void *context, struct str name)
{
    (void)context;
    struct cel_name result = {.kind = CEL_NAME_NONE, .type = cel_type_of(TYPE_ANY)};
    if (name.n == 1 && name.p[0] >= 'a' && name.p[0] <= 'c') {
        result.kind = CEL_NAME_SLOT;
        result.slot = name.p[0] - 'a';
    } else if (str_is(name, "high")) {
        result.kind = CEL_NAME_MACRO;
        result.macro = STR_LIT("a > 1 || b > 1");
    }
    return result;
}

static const struct cel *compile(const char *text)
{
    static const struct cel_env env = {.name = name_of};
    const struct cel *cel;
    struct cel_error err;
    assert_int_equal(cel_compile(&arena, str_of(text), &env, VALUE_BOOL, &cel, &err), 0);
    return cel;
}

static bool evaluate(const struct cel *cel, struct value a, struct value b, struct value c)
{
    struct value slots[] = {a, b, c};
    struct cel_frame frame = {.slots = slots, .slot_count = 3, .arena = &arena};
    uint64_t errors = 0;
    return cel_eval_bool(cel, &frame, &errors, &errors);
}

static const char *counts(const struct cel_coverage *coverage)
{
    const char *all = "";
    for (size_t i = 0; i < coverage->count; i++) {
        const struct cel_part *part = &coverage->parts[i];
        all = arena_printf(&arena, "%s%zu %.*s: %d %d\n", all, part->offset, STR_ARG(part->text), (int)part->held,
                           (int)part->failed);
    }
    return all;
}

static void test_parts(void **state)
{
    (void)state;
    struct cel_coverage coverage;
    const struct cel *plain = compile("a>1 && (b < 2 || !(c == 3) || 1 > 2)");
    const struct cel *covered = cel_cover(&arena, plain, &coverage);
    assert_string_equal(counts(&coverage), "4 a > 1 && (b < 2 || !(c == 3) || 1 > 2): 0 0\n"
                                           "1 a > 1: 0 0\n"
                                           "14 b < 2 || !(c == 3) || 1 > 2: 0 0\n"
                                           "10 b < 2: 0 0\n"
                                           "21 c == 3: 0 0\n");
    assert_false(evaluate(covered, value_int(1), value_int(1), value_int(1)));
    assert_true(evaluate(covered, value_int(2), value_int(1), value_int(1)));
    assert_true(evaluate(covered, value_int(2), value_int(2), value_int(1)));
    assert_false(evaluate(covered, value_int(2), value_null(), value_int(3))); /* b < 2 ends in an error */
    assert_string_equal(counts(&coverage), "4 a > 1 && (b < 2 || !(c == 3) || 1 > 2): 2 2\n"
                                           "1 a > 1: 3 1\n"
                                           "14 b < 2 || !(c == 3) || 1 > 2: 2 1\n"
                                           "10 b < 2: 1 2\n"
                                           "21 c == 3: 1 1\n");
}

static void test_single_and_conditional(void **state)
{
    (void)state;
    struct cel_coverage coverage;
    assert_true(evaluate(cel_cover(&arena, compile("a > 1"), &coverage), value_int(2), value_null(), value_null()));
    assert_string_equal(counts(&coverage), "2 a > 1: 1 0\n");
    const struct cel *covered = cel_cover(&arena, compile("high ? c == 1 : c == 2"), &coverage);
    assert_true(evaluate(covered, value_int(2), value_int(0), value_int(1)));
    assert_false(evaluate(covered, value_int(0), value_int(0), value_int(1)));
    assert_string_equal(counts(&coverage), "5 a > 1 || b > 1 ? c == 1 : c == 2: 1 1\n"
                                           "0 a > 1 || b > 1: 1 1\n" /* a macro stands where its name does */
                                           "0 a > 1: 1 1\n"
                                           "0 b > 1: 0 1\n"
                                           "9 c == 1: 1 0\n"
                                           "18 c == 2: 0 1\n");
    cel_cover(&arena, compile("1 < 2"), &coverage);
    assert_int_equal(coverage.count, 0);
}

/* Over all small values, with null, what is covered comes to the same, and prints the same. */
static void test_same_results(void **state)
{
    (void)state;
    static const char *const texts[] = {"a > 1 && b > 1 || c > 1", "!(a > 1 || b / c == 1)",
                                        "a == b ? c > 0 : b in [c]", "(a > 0 ? b : c) > 1 && !(a == null)"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cel_coverage coverage;
        struct buf plain_text = {0};
        struct buf covered_text = {0};
        const struct cel *plain = compile(texts[i]);
        const struct cel *covered = cel_cover(&arena, plain, &coverage);
        for (int n = 0; n < 64; n++) {
            struct value v[3];
            for (int k = 0; k < 3; k++)
                v[k] = (n >> 2 * k & 3) == 3 ? value_null() : value_int(n >> 2 * k & 3);
            assert_int_equal(evaluate(plain, v[0], v[1], v[2]), evaluate(covered, v[0], v[1], v[2]));
        }
        cel_print(plain, &plain_text);
        cel_print(covered, &covered_text);
        assert_true(str_eq(buf_str(&plain_text), buf_str(&covered_text)));
        buf_fini(&plain_text);
        buf_fini(&covered_text);
    }
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_parts, teardown),
        cmocka_unit_test_teardown(test_single_and_conditional, teardown),
        cmocka_unit_test_teardown(test_same_results, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
