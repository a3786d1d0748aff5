/* Messages of a load: how many are kept and counted, which are said twice, and places in files of odd line breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rule/ruleset.h"

static struct arena arena;
static struct diagnostics diagnostics;

static int setup(void **state)
{
    (void)state;
    diagnostics = (struct diagnostics){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return 0;
}

static void test_kept(void **state)
{
    (void)state;
    diagnostics_add_file(&diagnostics, "f");
    for (int i = 0; i < 5000; i++)
        diagnostic_at(&diagnostics, &(struct yaml_node){.file = "f", .line = 1, .column = i + 1}, "constant", "w");
    assert_false(diagnostics_full(&diagnostics));
    for (int i = 0; i < 3000; i++)
        diagnostic_file(&diagnostics, "f", 3000 - i, 1, "e");
    assert_true(diagnostics_full(&diagnostics));
    assert_int_equal(diagnostics.count, 2000);
    diagnostics_sort(&diagnostics);
    assert_int_equal(diagnostics_count(&diagnostics, false), 3000);
    assert_int_equal(diagnostics_count(&diagnostics, true), 5000);
    assert_int_equal(diagnostics.items[0].line, 1);
    assert_int_equal(diagnostics.items[1999].line, 3000);
}

/* A file that two configurations name. */
static void test_said_twice(void **state)
{
    (void)state;
    static const char *const files[] = {"a", "b", "a"};
    for (int i = 0; i < 3; i++) {
        char *name = strdup(files[i]);
        assert_non_null(name);
        diagnostics_add_file(&diagnostics, name);
        diagnostic_file(&diagnostics, name, 7, 1, "wrong");
        free(name);
    }
    diagnostic_file(&diagnostics, "a", 7, 1, "also wrong");
    diagnostics_sort(&diagnostics);
    diagnostics_sort(&diagnostics);
    assert_int_equal(diagnostics.count, 4);
    assert_int_equal(diagnostics_count(&diagnostics, false), 3);
    assert_false(diagnostics.items[0].again);
    assert_false(diagnostics.items[1].again);
    assert_true(diagnostics.items[2].again);
    assert_string_equal(diagnostics.items[3].file, "b");
}

static void test_allowed(void **state)
{
    (void)state;
    char *codes[] = {(char[]){"constant"}, (char[]){"error"}};
    diagnostics.allowed = codes;
    diagnostics.allowed_count = 2;
    diagnostic_at(&diagnostics, &(struct yaml_node){.file = "f"}, "constant", "w");
    diagnostic_at(&diagnostics, &(struct yaml_node){.file = "f"}, "overlap", "w");
    diagnostic_file(&diagnostics, "f", 1, 1, "e");
    assert_int_equal(diagnostics.count, 2);
    assert_int_equal(diagnostics_count(&diagnostics, true), 1);
    assert_int_equal(diagnostics_count(&diagnostics, false), 1);
}

#define BAD(end, more)                                                                                                 \
    "apiVersion: forestall.io/v1" end "kind: RuleSet" end "rules:" end "- id: r" end                                   \
    "  from: {x: {stream: incident}}" end "  detect: {window: {size: 1d}, when: " more "}" end

static void test_line_breaks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line, column;
    } rows[] = {
        {BAD("\n", "cuont(x) > 1"), 6, 38},
        {BAD("\r\n", "cuont(x) > 1"), 6, 38},
        {BAD("\r", "cuont(x) > 1"), 6, 38},
        {BAD("\xc2\x85", "cuont(x) > 1"), 6, 38},
        {BAD("\xe2\x80\xa8", "cuont(x) > 1"), 6, 38},
        {"\xef\xbb\xbf" BAD("\n", "cuont(x) > 1"), 6, 38},
        {BAD("\r\n", "\"true ||\r\n   cuont(x) > 1\""), 7, 4},
        {BAD("\r", "\"true ||\r   cuont(x) > 1\""), 7, 4},
        {BAD("\n", "\"true ||\xc2\x85   cuont(x) > 1\""), 7, 4},
        {BAD("\r\n", "\"true || \\\r\n   cuont(x) > 1\""), 7, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        diagnostics_fini(&diagnostics);
        assert_null(ruleset_load_text("r", str_of(rows[i].text), &diagnostics));
        assert_int_equal(diagnostics.count, 1);
        assert_string_equal(diagnostics.items[0].message, "unknown function cuont(); did you mean 'count'?");
        if (diagnostics.items[0].line != rows[i].line || diagnostics.items[0].column != rows[i].column)
            fail_msg("row %zu: %d:%d", i, diagnostics.items[0].line, diagnostics.items[0].column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_said_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_line_breaks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
