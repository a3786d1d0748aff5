/* The graph of services: what is joined, how far it is, and what explains that several fail; topologies of several
 * files are one graph, and belong to the meaning of cascades alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "rule/ruleset.h"
#include "rule/topology.h"

static struct arena arena;
static struct topology *graph;

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* "a>b a>c d": calls, and services that call none. */
static void make(const char *text)
{
    struct topology_call calls[64];
    size_t n = 0;
    for (const char *p = text; *p != '\0'; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        size_t caller = strcspn(p, "> ");
        assert_true(n < 64);
        calls[n++] = (struct topology_call){
            .caller = {p, caller},
            .callee = caller < length ? (struct str){p + caller + 1, length - caller - 1} : (struct str){NULL, 0}};
        p += length;
    }
    graph = topology_new(&arena, calls, n);
}

static int number(const char *name)
{
    int found = topology_find(graph, str_of(name));
    assert_true(found >= 0);
    return found;
}

static int distance(const char *from, const char *to)
{
    return topology_distance(graph, number(from), number(to));
}

/* The root of the services named, in the order in which they failed; "" where there is none. */
static const char *root(const char *text)
{
    int affected[32];
    size_t n = 0;
    char name[8];
    for (const char *p = text; *p != '\0'; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        assert_true(length < sizeof name);
        memcpy(name, p, length);
        name[length] = '\0';
        affected[n++] = number(name);
        p += length;
    }
    int found = topology_root(graph, affected, n);
    return found < 0 ? "" : arena_printf(&arena, "%.*s", STR_ARG(graph->names[found]));
}

static void test_components(void **state)
{
    (void)state;
    make("c>b a>b d>e b>f g b>f");
    assert_int_equal(graph->count, 7);
    assert_true(str_is(graph->names[0], "a") && str_is(graph->names[6], "g"));
    assert_int_equal(topology_find(graph, STR_LIT("h")), -1);
    const uint16_t *component = graph->component;
    assert_true(component[number("a")] == component[number("f")] && component[number("c")] == component[number("b")]);
    assert_true(component[number("d")] == component[number("e")] && component[number("a")] != component[number("d")]);
    assert_true(component[number("g")] != component[number("a")] && component[number("g")] != component[number("d")]);
    assert_int_equal(distance("a", "f"), 2);
    assert_int_equal(distance("a", "a"), 0);
    assert_int_equal(distance("f", "a"), TOPOLOGY_APART);
    assert_int_equal(distance("a", "e"), TOPOLOGY_APART);
    make("");
    assert_int_equal(graph->count, 0);
    assert_int_equal(topology_find(graph, STR_LIT("a")), -1);
}

static void test_roots(void **state)
{
    (void)state;
    make("a>b b>c a>d");
    assert_string_equal(root("a"), "a");
    assert_string_equal(root("a b"), "b");
    assert_string_equal(root("a c"), "c");
    assert_string_equal(root("c a b"), "c");
    assert_string_equal(root("b d"), "");
    /* What all depend on though it reported nothing: the nearest, by the farthest of them, then by all, then by name.
     */
    make("a>x b>x x>y a>y b>y");
    assert_string_equal(root("a b"), "x");
    make("a>m m>x b>m b>x a>n n>y b>n b>y");
    assert_string_equal(root("a b"), "m");
    make("a>q a>p b>q b>p");
    assert_string_equal(root("b a"), "p");
    make("a>1 1>x b>2 2>x c>3 3>x a>y b>y c>4 4>5 5>y"); /* x: 2 2 2, y: 1 1 3 */
    assert_string_equal(root("a b c"), "x");
    make("a>x b>1 1>x a>2 2>y b>3 3>y a>z b>4 4>5 5>z"); /* x: 1 2, y: 2 2, z: 1 3 */
    assert_string_equal(root("a b"), "x");
    /* In a cycle the one that failed first. */
    make("a>b b>c c>a d>a");
    assert_string_equal(root("b a c"), "b");
    assert_string_equal(root("d c a"), "c");
    /* One that failed is the root before one nearer that did not. */
    make("a>x b>x x>y y>z");
    assert_string_equal(root("a b z"), "z");
}

static struct ruleset *load(const char *text)
{
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *set = ruleset_load_text("rules.yaml", str_of(text), &diagnostics);
    assert_non_null(set);
    diagnostics_fini(&diagnostics);
    return set;
}

#define RULES(topology)                                                                                                \
    "apiVersion: forestall.io/v1\nkind: RuleSet\ntopology: " topology                                                  \
    "\nrules:\n- {id: c, from: {x: {stream: incident}}, detect: {type: cascade, of: x, within: 5m}}\n"                 \
    "- {id: w, from: {x: {stream: incident}}, detect: {window: {size: 1d}, when: count(x) > 1}}\n"

static void test_meaning(void **state)
{
    static const char *const same[] = {RULES("{a: [b, c]}"), RULES("{c: [], a: [c, b]}")};
    static const char *const others[] = {RULES("{a: [b]}"), RULES("{a: [b, d]}"), RULES("{a: [b], b: [c]}"),
                                         RULES("{b: [a], c: [a]}"), RULES("{a: [b, c], d: []}")};
    (void)state;
    struct ruleset *first = load(same[0]);
    struct ruleset *second = load(same[1]);
    assert_true(first->rules[0].hash == second->rules[0].hash && first->rules[1].hash == second->rules[1].hash);
    assert_int_equal(first->rules[0].spec.cascade->topology->count, 3);
    assert_non_null(first->rules[0].when);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct ruleset *other = load(others[i]);
        assert_true(first->rules[0].hash != other->rules[0].hash);
        assert_int_equal(first->rules[1].hash, other->rules[1].hash);
        ruleset_free(other);
    }
    ruleset_free(first);
    ruleset_free(second);
}

static void test_several_files(void **state)
{
    static const char *const texts[] = {RULES("{a: [b], b: [c]}"),
                                        "apiVersion: forestall.io/v1\nkind: RuleSet\ntopology: {c: [d], b: [c]}\n"};
    char folder[] = "/tmp/forestall-topology-XXXXXX";
    const char *paths[2];
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        paths[i] = arena_printf(&arena, "%s/%d.yaml", folder, i);
        FILE *file = fopen(paths[i], "w");
        assert_non_null(file);
        assert_true(fputs(texts[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *set = ruleset_load(paths, 2, &diagnostics);
    assert_non_null(set);
    const struct topology *joined = set->rules[0].spec.cascade->topology;
    assert_int_equal(joined->count, 4);
    assert_int_equal(
        topology_distance(joined, topology_find(joined, STR_LIT("a")), topology_find(joined, STR_LIT("d"))), 3);
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    for (int i = 0; i < 2; i++)
        assert_int_equal(unlink(paths[i]), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* A topology of `count` services: s0 calls all others, or none. */
static int loads(int count, bool calls, const char **message)
{
    struct buf text = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\ntopology:\n  s0: [");
    for (int i = 1; calls && i < count; i++)
        buf_printf(&text, "%ss%d", i > 1 ? ", " : "", i);
    buf_puts(&text, "]\n");
    for (int i = 1; !calls && i < count; i++)
        buf_printf(&text, "  s%d: []\n", i);
    struct ruleset *set = ruleset_load_text("rules.yaml", buf_str(&text), &diagnostics);
    *message = diagnostics.count > 0 ? diagnostics.items[0].message : "";
    int errors = (int)diagnostics.errors;
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    buf_fini(&text);
    return errors;
}

static void test_bounds(void **state)
{
    const char *message;
    (void)state;
    for (int calls = 0; calls < 2; calls++) {
        assert_int_equal(loads(TOPOLOGY_SERVICES_MAX, calls != 0, &message), 0);
        assert_int_equal(loads(TOPOLOGY_SERVICES_MAX + 5, calls != 0, &message), 1);
        assert_string_equal(message, "the topologies of all files together have at most 2000 services");
    }
    struct buf text = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\ntopology:\n");
    for (int i = 0; i < 300; i++) {
        buf_printf(&text, "  s%d: [", i);
        for (int k = 0; k < 300; k++)
            if (k != i)
                buf_printf(&text, "s%d, ", k);
        buf_puts(&text, "s300]\n");
    }
    assert_null(ruleset_load_text("rules.yaml", buf_str(&text), &diagnostics));
    assert_int_equal(diagnostics.errors, 1);
    assert_string_equal(diagnostics.items[0].message, "the topologies of all files together have at most 50000 calls");
    diagnostics_fini(&diagnostics);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_components, teardown), cmocka_unit_test_teardown(test_roots, teardown),
        cmocka_unit_test_teardown(test_meaning, teardown),    cmocka_unit_test_teardown(test_several_files, teardown),
        cmocka_unit_test_teardown(test_bounds, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
