/* The index finds what a walk over all inputs finds, in the same order, and looks at few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule/index.h"

enum { SEEN_MAX = 4096 };

struct seen {
    struct index_entry entries[SEEN_MAX];
    size_t count;
};

static struct arena arena;
static struct diagnostics diagnostics;
static struct seen found;
static struct seen walked;

static void see(void *context, const struct index_entry *entry)
{
    struct seen *seen = context;
    assert_true(seen->count < SEEN_MAX);
    seen->entries[seen->count++] = *entry;
}

static struct ruleset *load(struct str text)
{
    diagnostics = (struct diagnostics){.arena = &arena};
    struct ruleset *set = ruleset_load_text("rules.yaml", text, &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        if (!diagnostics.items[i].warning)
            print_message("%d: %s\n", diagnostics.items[i].line, diagnostics.items[i].message);
    assert_non_null(set);
    return set;
}

static void compare(const struct ruleset *set, const struct rule_index *index, const struct event *event)
{
    uint64_t errors = 0;
    uint64_t null_errors = 0;
    found.count = 0;
    walked.count = 0;
    rule_index_select(index, event, &arena, see, &found, &errors, &null_errors);
    struct cel_frame frame = {.event = event, .arena = &arena};
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < set->rules[i].input_count; j++) {
            const struct rule_input *input = &set->rules[i].inputs[j];
            if (input->stream == event->stream && rule_input_matches(input, event) &&
                (input->where == NULL || cel_eval_bool(input->where, &frame, &errors, &null_errors)))
                see(&walked, &(struct index_entry){&set->rules[i], (int)i, (int)j});
        }
    assert_int_equal(found.count, walked.count);
    for (size_t i = 0; i < found.count; i++) {
        assert_int_equal(found.entries[i].rule_number, walked.entries[i].rule_number);
        assert_int_equal(found.entries[i].input, walked.entries[i].input);
        assert_ptr_equal(found.entries[i].rule, walked.entries[i].rule);
    }
}

/* Every way to be registered: by each kind of term, by an equality in where, by null, by a number, by nothing. */
static const char *const matches[] = {"match: {name: n%d}",
                                      "match: {name: [n%d, n1, n1], service: s0}",
                                      "match: {service: [s%d, s2]}",
                                      "match: {kind: log}",
                                      "where: \"event.service == 's%d'\"",
                                      "where: \"event.name == 'n%d' && event.service == 's1'\"",
                                      "match: {environment: null}",
                                      "match: {value: %d}",
                                      "where: event.value > %d.0",
                                      "match: {environment: [e%d, null]}",
                                      "match: {service: s%d}, where: \"event.name == 'n2' || event.value > 3.0\"",
                                      "updates: false"};
enum { MATCHES = sizeof matches / sizeof *matches };

/* `format` with the number in the place of its %d. */
static void put_numbered(struct buf *out, const char *format, int number)
{
    for (const char *p = format; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 'd') {
            buf_printf(out, "%d", number);
            p++;
        } else {
            buf_byte(out, (uint8_t)*p);
        }
    }
}

static struct ruleset *load_mixture(void)
{
    struct buf text = {0};
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n");
    for (int i = 0; i < 300; i++) {
        buf_printf(&text, "- id: r%d\n  from: {x: {stream: telemetry, ", i);
        put_numbered(&text, matches[i % MATCHES], i % 5);
        buf_printf(&text, "}, y: {stream: telemetry, match: {service: s%d}}, z: {stream: incident}}\n", i % 3);
        buf_puts(&text, "  detect: {window: {size: 5m, slide: 1m}, when: count(x) + count(y) + count(z) > 1}\n");
    }
    struct ruleset *set = load(buf_str(&text));
    buf_fini(&text);
    return set;
}

static void test_same_as_walk(void **state)
{
    (void)state;
    struct ruleset *set = load_mixture();
    struct rule_index *index = rule_index_new(set, STREAM_TELEMETRY, NULL);
    static const char *const kinds[] = {"metric", "log", "alert"};
    size_t all = 0;
    for (int i = 0; i < 6 * 6 * 3 * 3 * 2; i++) {
        struct event event;
        event_clear(&event, stream_get(STREAM_TELEMETRY));
        int n = i;
        event.values[TELEMETRY_NAME] = value_text(arena_printf(&arena, "n%d", n % 6));
        n /= 6;
        event.values[TELEMETRY_SERVICE] = value_text(arena_printf(&arena, "s%d", n % 6));
        n /= 6;
        event.values[TELEMETRY_KIND] = value_text(kinds[n % 3]);
        n /= 3;
        event.values[TELEMETRY_VALUE] = n % 3 == 0 ? value_null() : value_double(n % 3 * 2);
        n /= 3;
        event.values[TELEMETRY_ENVIRONMENT] = n % 2 == 0 ? value_null() : value_text("e1");
        compare(set, index, &event);
        all += found.count;
    }
    assert_true(all > 1000);
    assert_int_equal(rule_index_reads(index) & FIELD_BIT(TELEMETRY_MESSAGE), 0);
    assert_int_not_equal(rule_index_reads(index) & FIELD_BIT(TELEMETRY_ENVIRONMENT), 0);
    rule_index_free(index);
    index = rule_index_new(set, STREAM_DEPLOYMENT, NULL);
    assert_true(rule_index_empty(index));
    rule_index_free(index);
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static bool only_y(const struct rule *rule, const struct rule_input *input)
{
    (void)rule;
    return str_is(input->name, "y");
}

static void test_filter(void **state)
{
    (void)state;
    struct ruleset *set = load_mixture();
    struct rule_index *index = rule_index_new(set, STREAM_TELEMETRY, only_y);
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.values[TELEMETRY_SERVICE] = value_text("s1");
    uint64_t errors = 0;
    uint64_t null_errors = 0;
    found.count = 0;
    rule_index_select(index, &event, &arena, see, &found, &errors, &null_errors);
    assert_int_equal(found.count, 100);
    for (size_t i = 0; i < found.count; i++)
        assert_int_equal(found.entries[i].input, 1);
    rule_index_free(index);
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

/* A where that ends in an error selects nothing and is counted, those by null apart. */
static void test_errors(void **state)
{
    (void)state;
    struct ruleset *set = load(STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- id: r\n  from:\n"
                                       "    a: {stream: telemetry, where: event.value > 1.0}\n    b: {stream: "
                                       "telemetry, where: \"int(event.name) > 1\"}\n"
                                       "  detect: {window: {size: 5m, slide: 1m}, when: count(a) + count(b) > 1}\n"));
    struct rule_index *index = rule_index_new(set, STREAM_TELEMETRY, NULL);
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.values[TELEMETRY_NAME] = value_text("no number");
    uint64_t errors = 0;
    uint64_t null_errors = 0;
    found.count = 0;
    rule_index_select(index, &event, &arena, see, &found, &errors, &null_errors);
    assert_int_equal(found.count, 0);
    assert_int_equal(errors, 1);
    assert_int_equal(null_errors, 1);
    rule_index_free(index);
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_walk),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
