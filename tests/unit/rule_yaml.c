/* The YAML reader: what it refuses, and where the bytes of a scalar stand in its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "rule/yaml.h"

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

static const char *refusal(struct str text)
{
    diagnostics_fini(&diagnostics);
    const struct yaml_node *root = yaml_parse(&arena, "f.yaml", text, &diagnostics);
    if (root != NULL)
        return "";
    assert_int_equal(diagnostics.count, 1);
    const struct diagnostic *item = &diagnostics.items[0];
    assert_string_equal(item->file, "f.yaml");
    return arena_printf(&arena, "%d:%d: %s", item->line, item->column, item->message);
}

#define ANCHORS                                                                                                        \
    "anchors and aliases are not taken: write the value where it is used; text that begins with & or * needs quotes"
#define TAGS "tags are not taken; text that begins with ! needs quotes"

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a: &x 1\n", "1:4: " ANCHORS},
        {"a: *x\n", "1:4: " ANCHORS},
        {"a: &x [1]\n", "1:4: " ANCHORS},
        {"a: !!str 1\n", "1:4: " TAGS},
        {"a: ! 1\n", "1:4: " TAGS},
        {"a: !t {}\n", "1:4: " TAGS},
        {"%TAG ! tag:x,2000:\n---\na: 1\n", "1:1: " TAGS},
        {"a: 1\nb: 2\n'a': 3\n", "3:1: duplicate key 'a', first in line 1"},
        {"x: {k: 1, k: 2}\n", "1:11: duplicate key 'k', first in line 1"},
        {"[a]: 1\n", "1:1: a key must be a scalar"},
        {"? {a: b}\n: 1\n", "1:3: a key must be a scalar"},
        {"a\n--- b\n", "2:1: one file holds one document"},
        {"a: \"x\\0y\"\n", "1:4: a NUL character is not taken"},
        {"a: 1\nb: \xff\n", "2:4: this is not UTF-8 (byte 0xff)"},
        {"\xff\xfe"
         "a",
         "1:1: this is UTF-16; save the file as UTF-8"},
        {"a: \x01\n", "1:4: a control character (U+0001) is not taken"},
        {"a: 1\n<<: {b: 2}\n", "2:1: merge keys are not taken: write the keys where they are used"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(refusal(str_of(cases[i][0])), cases[i][1]);
}

/* What people write by mistake, and what they are told: the place of the mistake, not that where YAML ends. */
static void test_slips(void **state)
{
    (void)state;
#define CUT "the ',' before this ends the text; text with ',' in it needs quotes"
    static const char *const cases[][2] = {
        {"a:\n\tb: 1\n", "2:1: a tab indents this line; YAML indents by spaces"},
        {"a:\n  b: 1\n  \tc: 1\n", "3:3: a tab indents this line; YAML indents by spaces"},
        {"a\n  b: 1\n", "1:2: a ':' is missing after 'a'"},
        {"a: 1\nb 2\nc: 3\n", "2:2: a ':' is missing after 'b'"},
        {"a:\n  b 2\n  c: 3\n", "2:4: a ':' is missing after 'b'"},
        {"a:\n  b:2\n  c: 3\n", "2:5: a plain space is missing after the ':'"},
        {"a: 1\nb:\xc2\xa0"
         "2\nc: 3\n",
         "2:3: a plain space is missing after the ':'"},
        {"a:\n-b: 1\n c: 2\n", "2:2: a space is missing after the '-' of a list item"},
        {"a: b: c\n", "1:5: a value with ': ' in it needs quotes"},
        {"- a: x ? b : c\n", "1:12: a value with ': ' in it needs quotes"},
        {"a: 1\n b: 2\n",
         "2:2: this is indented more than 'a' in line 1, which has its value already; keys of one mapping begin in the "
         "same column"},
        {"a:\n   b: 1\n  c: 2\n", "3:3: this begins in column 3, where no mapping above has its keys; keys of one "
                                  "mapping begin in the same column"},
        {"a: 1\n- b\n", "2:1: a list item ('- ') among the keys of a mapping"},
        {"- a\nb: 1\n", "2:1: the list that begins in line 1 goes on by '- ' in column 1; this is no item of it"},
        {"a: - b\n", "1:4: a list whose items begin with '- ' begins in a line of its own, below its key"},
        {"a: 'b\nc: 1\n", "1:4: the quote that opens here is never closed"},
        {"a: \"b\nc: \"d\"\n", "1:4: the quote that opens here is first closed in line 2"},
        {"a: 'Don't'\n", "1:9: text goes on after its closing quote; quote all of it, with '' for a ' within"},
        {"a: \"say \"hi\"\"\n",
         "1:10: text goes on after its closing quote; quote all of it, with \\\" for a \" within"},
        {"a: \"\\d\"\n", "1:5: no such escape within double quotes: write \\\\ for a backslash, or quote by '"},
        {"a: [1\nb: 2\n", "1:4: this '[' is not closed: ']' is missing"},
        {"a: {b: 1", "1:4: this '{' is not closed: '}' is missing"},
        {"a: [1 #2, 3]\nb: 2\n",
         "1:7: ' #' begins a comment, which leaves '[' open; text with ' #' in it needs quotes"},
        {"a: [1]]\n", "1:7: this ']' closes nothing"},
        {"a: 1}\nb: }\n", "2:4: a value is missing before '}'"},
        {"a: [1}\n", "1:6: this '}' does not close the '[' of line 1"},
        {"a: {b: 1 c: 2}\n", "1:11: a ',' is missing before this key, or the value has ': ' in it and needs quotes"},
        {"a: ['b' 'c']\n", "1:9: a ',' is missing before this"},
        {"a: [b {c}]\n", "1:7: text with '{' in it needs quotes within []"},
        {"a: ['b'].size()\n", "1:9: text goes on after ']'; text that begins with '[' needs quotes"},
        {"a: {{ b }} c\n", "1:4: text that begins with '{{' needs quotes"},
        {"a:\n- {{ b }}\n", "2:3: text that begins with '{{' needs quotes"},
        {"a: @b\n", "1:4: text that begins with '@' needs quotes"},
        {"a: && b\n", "1:4: text that begins with '&' needs quotes"},
        {"a: !(b)\n", "1:4: tags are not taken; text that begins with ! needs quotes"},
        {"a: |b == 1\n", "1:4: text that begins with '|' needs quotes"},
        {"a: {b: f(x, y), c: 1}\n", "1:13: " CUT},
        {"a: [say (x, y), c]\n", "1:13: " CUT},
        {"a: [say (x), y]\nb: {c: \"f('(', x\", y: }\n", ""},
        {"a: b\n...\nc: d\n", "3:1: more follows what was a whole file already"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(refusal(str_of(cases[i][0])), cases[i][1]);
}

static void test_limits(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 64; i++)
        buf_puts(&text, "[");
    for (int i = 0; i < 64; i++)
        buf_puts(&text, "]");
    assert_string_equal(refusal(buf_str(&text)), "");
    buf_reset(&text);
    for (int i = 0; i < 100000; i++)
        buf_puts(&text, "[");
    assert_string_equal(refusal(buf_str(&text)), "1:65: nested more than 64 deep");
    buf_reset(&text);
    for (int i = 0; i < 1000000; i++)
        buf_puts(&text, "-\n");
    assert_string_equal(refusal(buf_str(&text)), "1000000:2: over a million values; split the file");
    buf_reset(&text);
    for (int i = 0; i < 200000; i++)
        buf_printf(&text, "k%d: 1\n", i);
    assert_string_equal(refusal(buf_str(&text)), "");
    buf_puts(&text, "k77: 1\n");
    assert_string_equal(refusal(buf_str(&text)), "200001:1: duplicate key 'k77', first in line 78");
    buf_reset(&text);
    (void)memset(buf_reserve(&text, 11 << 20), '#', 11 << 20);
    text.len = 11 << 20;
    assert_string_equal(refusal(buf_str(&text)), "1:1: over 10 MiB; split the file");
    buf_fini(&text);
}

static void test_tree(void **state)
{
    (void)state;
    const struct yaml_node *root = yaml_parse(
        &arena, "f.yaml", STR_LIT("\xef\xbb\xbf# c\nb: [1, {c: d}]\na: ~\n'e': '~'\nf:\ng: ''\n"), &diagnostics);
    assert_non_null(root);
    assert_int_equal(root->kind, YAML_MAPPING);
    assert_int_equal(root->count, 5);
    const struct yaml_node *b = yaml_get(root, "b");
    assert_int_equal(b->kind, YAML_SEQUENCE);
    assert_int_equal(b->line, 2);
    assert_int_equal(b->column, 4);
    assert_true(str_is(yaml_get(b->items[1], "c")->text, "d"));
    assert_int_equal(yaml_get(b->items[1], "c")->column, 12);
    assert_true(yaml_is_null(yaml_get(root, "a")) && yaml_is_null(yaml_get(root, "f")));
    assert_false(yaml_is_null(yaml_get(root, "e")) || yaml_is_null(yaml_get(root, "g")) || yaml_is_null(b));
    assert_null(yaml_get(root, "z"));
    assert_null(yaml_get(b, "z"));
    assert_null(yaml_get(NULL, "z"));
    const struct yaml_node *empty = yaml_parse(&arena, "f.yaml", STR_LIT("# nothing\n"), &diagnostics);
    assert_true(empty->kind == YAML_MAPPING && empty->count == 0);
}

/* The place of the first `@` in the value of `k`. */
static const char *place(const char *text)
{
    const struct yaml_node *root = yaml_parse(&arena, "f.yaml", str_of(text), &diagnostics);
    assert_non_null(root);
    const struct yaml_node *node = yaml_get(root, "k");
    const char *at = memchr(node->text.p, '@', node->text.n);
    assert_non_null(at);
    int line = 0;
    int column = 0;
    yaml_place(node, (size_t)(at - node->text.p), &line, &column);
    return arena_printf(&arena, "%d:%d", line, column);
}

static void test_places(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"k: ab@\n", "1:6"},
        {"k:   a b @c\n", "1:10"},
        {"k: a\n  b\n\n  c @\n", "4:5"},
        {"k: '@'\n", "1:5"},
        {"k: 'it''s ''@'\n", "1:13"},
        {"k: \"a\\tb\\u00e9\\x41\\U0001F600@\"\n", "1:29"},
        {"k: \"\xc3\xa9\xe2\x82\xac@\"\n", "1:7"},
        {"k: \"a \\\n   b @\"\n", "2:6"},
        {"k: \"a\n\n\n  b @\"\n", "4:5"},
        {"k: |\n  a\n    b\n  @\n", "4:3"},
        {"k: |2\n    a @\n", "2:7"},
        {"k: |-\n\n  a\n\n  b @\n", "5:5"},
        {"k: >-\n  a b\n  c @\n", "3:5"},
        {"x:\n- 1\nk: >\n    a\n    b@\n", "5:6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(place(cases[i][0]), cases[i][1]);
}

static void test_sorted(void **state)
{
    (void)state;
    const struct yaml_node *first = yaml_parse(&arena, "b.yaml", STR_LIT("k: 1\nl: 2\n"), &diagnostics);
    const struct yaml_node *second = yaml_parse(&arena, "a.yaml", STR_LIT("k: 1\n"), &diagnostics);
    diagnostic_at(&diagnostics, second->items[0], false, "four");
    diagnostic_at(&diagnostics, first->items[1], "unused", "three");
    diagnostic_at(&diagnostics, first->items[0], false, "two");
    diagnostic_at(&diagnostics, first->keys[0], false, "one %d", 1);
    diagnostics_sort(&diagnostics);
    static const char *const order[] = {"one 1", "two", "three", "four"};
    assert_int_equal(diagnostics.count, 4);
    assert_int_equal(diagnostics.errors, 3);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(diagnostics.items[i].message, order[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slips, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sorted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
