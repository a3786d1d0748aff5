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

/* A thousand rules of one form, `%d` being the rule's number, `%m` its remainder by 32 and `%q` its quotient. */
static struct ruleset *load_thousand(const char *form)
{
    struct buf text = {0};
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\nlists:\n  none: []\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "  l%d: [a%d_, b%d_]\n", i, i, i);
    buf_puts(&text, "rules:\n");
    for (int i = 0; i < 1000; i++) {
        buf_printf(&text, "- id: r%d\n  from: {x: {stream: telemetry, ", i);
        for (const char *p = form; *p != '\0'; p++) {
            bool number = p[0] == '%' && (p[1] == 'd' || p[1] == 'm' || p[1] == 'q');
            if (number)
                buf_printf(&text, "%d", p[1] == 'd' ? i : p[1] == 'm' ? i % 32 : i / 32);
            else
                buf_byte(&text, (uint8_t)*p);
            p += number;
        }
        buf_puts(&text, "}}\n  detect: {window: {size: 5m, slide: 1m}, when: count(x) > 1}\n");
    }
    struct ruleset *set = load(buf_str(&text));
    buf_fini(&text);
    return set;
}

/* Of a thousand rules an event meets few, whichever way they are told apart. */
static void test_meets_few(void **state)
{
    (void)state;
    static const struct {
        const char *form;
        const char *service, *name, *message; /* of the event; it selects rule 500 = 15 * 32 + 20 */
    } rows[] = {
        {"match: {service: s%d}", "s500", "n", NULL},
        {"match: {name: n%d, service: s}", "s", "n500", NULL},
        {"match: {service: s%d, name: n}", "s500", "n", NULL},
        {"match: {service: [s%d, t%d], name: n}", "t500", "n", NULL},
        {"match: {service: s%m, name: n%q}", "s20", "n15", NULL},
        {"match: {service: s%m}, where: \"event.name == 'n%q'\"", "s20", "n15", NULL},
        {"where: \"event.service == 's%m' && 'n%q' == event.name && event.value == null\"", "s20", "n15", NULL},
        {"where: \"event.service in ['s%d', 't%d']\"", "t500", "n", NULL},
        {"where: event.name in l%d", "s", "b500_", NULL},
        {"where: \"event.name == 'n%d' || event.name == 'm%d'\"", "s", "m500", NULL},
        {"where: \"(event.kind == 'metric' || event.value > 1.0) && event.service.startsWith('s%d_')\"", "s500_1", "n",
         NULL},
        {"where: event.name.startsWith('n%d_')", "s", "n500_x", NULL},
        {"where: \"event.name == 'm%d' || event.name.startsWith('n%d_')\"", "s", "n500_", NULL},
        {"where: \"l%d.exists(p, event.name.startsWith(p))\"", "s", "b500_x", NULL},
        {"match: {service: s%m}, where: event.name.startsWith('n%q_')", "s20", "n15_x", NULL},
        {"match: {kind: metric, environment: null, name: n%q}, where: event.service.startsWith('s%m_')", "s20_", "n15",
         NULL},
        {"match: {kind: log}, where: event.message.startsWith('m%d_')", "s", "n", "m500_x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ruleset *set = load_thousand(rows[i].form);
        struct rule_index *index = rule_index_new(set, STREAM_TELEMETRY, NULL);
        struct event event;
        uint64_t errors = 0;
        found.count = 0;
        event_clear(&event, stream_get(STREAM_TELEMETRY));
        event.values[TELEMETRY_KIND] = value_text(rows[i].message == NULL ? "metric" : "log");
        event.values[TELEMETRY_SERVICE] = value_text(rows[i].service);
        event.values[TELEMETRY_NAME] = value_text(rows[i].name);
        if (rows[i].message != NULL)
            event.values[TELEMETRY_MESSAGE] = value_text(rows[i].message);
        size_t met = rule_index_select(index, &event, &arena, see, &found, &errors, &errors);
        if (met > 4 || found.count != 1)
            print_message("%s: %zu met, %zu selected\n", rows[i].form, met, found.count);
        assert_true(met <= 4);
        assert_int_equal(found.count, 1);
        assert_string_equal(found.entries[0].rule->id.p, "r500");
        event.values[TELEMETRY_KIND] = value_text("metric");
        event.values[TELEMETRY_NAME] = value_text("other");
        event.values[TELEMETRY_SERVICE] = value_text("other");
        event.values[TELEMETRY_MESSAGE] = value_null();
        assert_true(rule_index_select(index, &event, &arena, see, &found, &errors, &errors) <= 4);
        assert_int_equal(found.count, 1);
        assert_int_equal(errors, 0);
        rule_index_free(index);
        ruleset_free(set);
        diagnostics_fini(&diagnostics);
        arena_fini(&arena);
    }
}

/* Where fields are shared by as few, the one that tells more is the way in. */
static void test_telling_field(void **state)
{
    (void)state;
    struct ruleset *set = load(STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- id: r\n  from:\n"
                                       "    a: {stream: telemetry, match: {kind: metric, name: n}}\n"
                                       "    b: {stream: telemetry, match: {service: s}, where: "
                                       "\"event.name.startsWith('m')\"}\n"
                                       "  detect: {window: {size: 5m, slide: 1m}, when: count(a) + count(b) > 1}\n"));
    struct rule_index *index = rule_index_new(set, STREAM_TELEMETRY, NULL);
    struct event event;
    uint64_t errors = 0;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.values[TELEMETRY_KIND] = value_text("metric");
    event.values[TELEMETRY_SERVICE] = value_text("t");
    event.values[TELEMETRY_NAME] = value_text("m");
    assert_int_equal(rule_index_select(index, &event, &arena, see, &found, &errors, &errors), 0);
    event.values[TELEMETRY_NAME] = value_text("n");
    assert_int_equal(rule_index_select(index, &event, &arena, see, &found, &errors, &errors), 1);
    rule_index_free(index);
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

/* Each where ends in an error for a message that is null; that is counted and costs no evaluation. */
static void test_null_is_counted(void **state)
{
    (void)state;
    struct ruleset *set = load_thousand("where: event.message.startsWith('m%d_')");
    struct rule_index *index = rule_index_new(set, STREAM_TELEMETRY, NULL);
    struct event event;
    uint64_t errors = 0;
    uint64_t null_errors = 0;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    assert_int_equal(rule_index_select(index, &event, &arena, see, &found, &errors, &null_errors), 0);
    assert_int_equal(null_errors, 1000);
    event.values[TELEMETRY_MESSAGE] = value_text("m7_");
    assert_int_equal(rule_index_select(index, &event, &arena, see, &found, &errors, &null_errors), 1);
    assert_int_equal(null_errors, 1000);
    assert_int_equal(errors, 0);
    rule_index_free(index);
    ruleset_free(set);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

/* Prefixes of prefixes are all met, in the order of the rules. */
static void test_nested_prefixes(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n");
    for (int i = 0; i < 300; i++) {
        int n = i * 7 % 300; /* so that the rules' order is not that of the prefixes */
        buf_printf(&text, "- id: r%03d\n  from: {x: {stream: telemetry, where: \"event.name.startsWith('", i);
        for (int k = 0; k <= n; k++)
            buf_byte(&text, 'a');
        buf_puts(&text, "')\"}}\n  detect: {window: {size: 5m, slide: 1m}, when: count(x) > 1}\n");
    }
    struct ruleset *set = load(buf_str(&text));
    struct rule_index *index = rule_index_new(set, STREAM_TELEMETRY, NULL);
    char name[300];
    for (size_t n = 0; n < sizeof name; n += 23) {
        struct event event;
        memset(name, 'a', n);
        name[n] = n % 2 == 0 ? '\0' : 'b';
        event_clear(&event, stream_get(STREAM_TELEMETRY));
        event.values[TELEMETRY_NAME] = value_str((struct str){name, n + 1});
        compare(set, index, &event);
        assert_int_equal(found.count, n);
    }
    rule_index_free(index);
    ruleset_free(set);
    buf_fini(&text);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_walk),    cmocka_unit_test(test_filter),
        cmocka_unit_test(test_errors),          cmocka_unit_test(test_meets_few),
        cmocka_unit_test(test_telling_field),   cmocka_unit_test(test_null_is_counted),
        cmocka_unit_test(test_nested_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
