/* Rule files made to take time or memory: they are refused, or handled, within bounds that are counted here and not
 * timed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rule/cel_code.h"
#include "rule/ruleset.h"
#include "rule_bad.h"

static struct arena arena;
static struct diagnostics diagnostics;
static struct buf text;

static int setup(void **state)
{
    (void)state;
    diagnostics = (struct diagnostics){.arena = &arena};
    text = (struct buf){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    buf_fini(&text);
    return 0;
}

static void repeat(const char *part, int n)
{
    for (int i = 0; i < n; i++)
        buf_puts(&text, part);
}

/* `n` rules over incidents with that condition, after what `text` has. */
static void put_rules(int n, const char *where)
{
    buf_puts(&text, "rules:\n");
    for (int i = 0; i < n; i++)
        buf_printf(&text,
                   "- id: r%d\n  from: {x: {stream: incident, where: %s}}\n"
                   "  detect: {window: {size: 1d}, when: count(x) > 1}\n",
                   i, where);
}

static struct ruleset *load(void)
{
    return ruleset_load_text("r", buf_str(&text), &diagnostics);
}

/* The one message of the load, which is refused. */
static const char *only_message(void)
{
    assert_null(load());
    assert_int_equal(diagnostics.errors, 1);
    assert_int_equal(diagnostics.count, 1);
    return diagnostics.items[0].message;
}

/* m0 is m1 + m1, m1 is m2 + m2 and so on: 2^n parts. */
static void put_macros(int n, const char *op)
{
    buf_puts(&text, HEAD "macros:\n");
    for (int i = 0; i < n; i++)
        buf_printf(&text, "  m%d: m%d %s m%d\n", i, i + 1, op, i + 1);
    buf_printf(&text, "  m%d: \"1\"\n", n);
}

static void test_macro_bomb(void **state)
{
    (void)state;
    put_macros(30, "+");
    put_rules(1000, "m0 > 1");
    assert_string_equal(only_message(), "the expression has more than 65536 parts, macros included");
}

/* The same where no rule uses it: m0 is too large, and so are m1, m2 and so on. */
static void test_macro_bomb_unused(void **state)
{
    (void)state;
    put_macros(30, "+");
    put_rules(1, "'true'");
    assert_string_equal(only_message(), "the expression has more than 65536 parts, macros included");
}

/* Each expression is within its own bounds; all together are not. */
static void test_macros_together(void **state)
{
    (void)state;
    put_macros(13, "+");
    put_rules(1000, "m0 > 1");
    assert_non_null(strstr(only_message(), "the expressions of all rules together have over 2000000 parts"));
    assert_int_equal(diagnostics.items[0].column, 39);
}

static void test_constants_together(void **state)
{
    (void)state;
    buf_puts(&text, HEAD);
    put_rules(4000, "\"'aaaaaaaaaaaaaaaaaaaaaaaa'.replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa').replace('a', "
                    "'aaaaaaaaaa') == event.service\"");
    struct ruleset *set = load();
    size_t used = set != NULL ? set->arena.used : 0;
    ruleset_free(set);
    assert_true(used < (size_t)400 << 20);
    assert_true(set != NULL || diagnostics.errors == 1);
}

/* A constant that takes too much is left to evaluation, where it is an error. */
static void test_huge_constant(void **state)
{
    (void)state;
    struct cel_env env = {.unchecked = true, .name = NULL};
    const struct cel *cel;
    struct cel_error err = {0};
    struct value value;
    buf_puts(&text, "'aaaaaaaaaa'");
    repeat(".replace('a', 'aaaaaaaaaa')", 12);
    assert_int_equal(cel_compile(&arena, buf_str(&text), &env, TYPE_ANY, &cel, &err), 0);
    assert_false(cel_is_constant_value(cel, &value));
    assert_true(arena.used < (size_t)4 << 20);
    struct cel_frame frame = {.arena = &arena};
    value = cel_eval(cel, &frame);
    assert_int_equal(value.type, VALUE_ERROR);
    assert_string_equal(value.s, "the evaluation takes too much time or memory");
    assert_true(arena.used < (size_t)128 << 20);
}

/* Rounds of loops are paid by what they do, texts by their length. */
static void test_dear_loops(void **state)
{
    (void)state;
#define TEN            "[1,2,3,4,5,6,7,8,9,0]"
#define THOUSAND(body) TEN ".map(a, " TEN ".map(b, " TEN ".map(c, " body ")))"
    static const char *const dear[] = {
        THOUSAND(TEN ".map(d, " TEN ".map(e, " TEN ".map(f, a)))"),
        "[" THOUSAND("'x'") "].map(x, " THOUSAND("x") ")",
        "['xxxxxxxxxx'.replace('x', 'xxxxxxxxxx').replace('x', 'xxxxxxxxxx').replace('x', "
        "'xxxxxxxxxx')].exists(s, " THOUSAND(TEN ".map(d, s.replace('y', 'z').contains('zz'))") " == [])",
        "['xxxxxxxxxx'.replace('x', 'xxxxxxxxxx').replace('x', 'xxxxxxxxxx').replace('x', "
        "'xxxxxxxxxx')].map(s, " THOUSAND(TEN ".map(d, s)") ")",
    };
    struct cel_env env = {.unchecked = true, .name = NULL};
    for (size_t i = 0; i < sizeof dear / sizeof *dear; i++) {
        const struct cel *cel;
        struct cel_error err = {0};
        struct cel_frame frame = {.arena = &arena};
        if (cel_compile(&arena, str_of(dear[i]), &env, TYPE_ANY, &cel, &err) != 0)
            fail_msg("%s: %s", dear[i], err.error.message);
        struct value value = cel_eval(cel, &frame);
        if (!cel_is_too_large(value))
            fail_msg("%s", dear[i]);
    }
}

static void test_string_literals(void **state)
{
    (void)state;
    struct cel_env env = {.unchecked = true, .name = NULL};
    const struct cel *cel;
    struct cel_error err = {0};
    buf_puts(&text, "'' in ['a'");
    repeat(",''", 20000);
    buf_puts(&text, "]");
    assert_int_equal(cel_compile(&arena, buf_str(&text), &env, TYPE_ANY, &cel, &err), 0);
    assert_true(arena.used < (size_t)16 << 20);
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        uint64_t size; /* 0: refused */
    } rows[] = {
        {"", 0 + 1 - 1},
        {"abc", 3},
        {"a{3}b{2,4}c{5,}d*", 13},
        {"(ab){10}", 20},
        {"((a|b)c){5}", 15},
        {"[a-z]{10}[^a]", 18},
        {".{10}", 80},
        {"\\d{10}\\W", 18},
        {"\\p{Greek}\\pL", 800},
        {"\xc3\xa9{10}", 20},
        {"a{,3}", 5},
        {"a{x}", 4},
        {"[]{3}]{2}", 2},
        {"[[:alpha:]]{3}", 3},
        {"\\Qa{3}\\E", 4},
        {"\\x{1F600}{3}", 12},
        {"(?i:ab){2}(?P<n>c){3}(?i)d", 8},
        {"a{1000}", 1000},
        {"(a{10}){100}", 1000},
        {"a{1001}", 0},
        {"a{0,99999999999999999999}", 0},
        {"(a{1000}){1000}", 0},
        {"((a{10}){10}){11}", 0},
        {".{1000}b", 0},
        {"(\\pL+ ){100}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t size = 0;
        struct cel_error err = {.offset = 7};
        int status = cel_pattern_measure(str_of(rows[i].pattern), &size, &err);
        if ((status == 0 ? size : 0) != rows[i].size)
            fail_msg("%s: %llu", rows[i].pattern, (unsigned long long)size);
        assert_true(status == 0 || (err.offset == 7 && err.error.message[0] != '\0'));
    }
    repeat("(", 101);
    uint64_t size;
    struct cel_error err = {0};
    assert_int_equal(cel_pattern_measure(buf_str(&text), &size, &err), -1);
    assert_string_equal(err.error.message, "the pattern's groups nest deeper than 100");
}

/* One pattern in many rules is compiled once, and many large ones are refused in one message. */
static void test_patterns_together(void **state)
{
    (void)state;
    buf_puts(&text, HEAD "macros: {m: \"event.title.matches('^a.{0,200}b$')\"}\n");
    put_rules(300, "m");
    struct ruleset *set = load();
    assert_non_null(set);
    ruleset_free(set);
    buf_reset(&text);
    buf_puts(&text, HEAD "rules:\n");
    for (int i = 0; i < 100; i++)
        buf_printf(&text,
                   "- id: r%d\n  from: {x: {stream: incident, where: \"event.title.matches('(%d(a|b)){800}')\"}}\n"
                   "  detect: {window: {size: 1d}, when: count(x) > 1}\n",
                   i, i);
    assert_non_null(strstr(only_message(), "the patterns of all matches() together take too much to compile"));
}

static void test_tests(void **state)
{
    (void)state;
    buf_puts(&text, RULE(IN, DETECT, REC("")) "  tests:\n  - {name: t, expect: [], events: [{at: 0d}");
    for (int i = 0; i < 6000; i++)
        buf_puts(&text,
                 ", {at: 0d, repeat: 9, every: 1s, incident_id: \"{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replace('a', "
                 "'aaaaaaaaaa').replace('a', 'aaaaaaaaaa').replace('a', string(n) + '--------') }}\"}");
    buf_puts(&text, "]}\n");
    assert_non_null(strstr(only_message(), "the expressions of all rules together"));
}

static void test_many(void **state)
{
    (void)state;
    buf_puts(&text, HEAD "rules:\n");
    for (int i = 0; i < 10000; i++)
        buf_printf(&text, "- {id: r%d, from: {x: {stream: incidnt}}, detect: {}}\n", i);
    assert_null(load());
    assert_int_equal(diagnostics.errors, 30000);
    assert_int_equal(diagnostics.count, 1000);
    assert_true(diagnostics.arena->used < (size_t)32 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_macro_bomb, setup, teardown),
        cmocka_unit_test_setup_teardown(test_macro_bomb_unused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_macros_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constants_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge_constant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dear_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_string_literals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patterns_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
