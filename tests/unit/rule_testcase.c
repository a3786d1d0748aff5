/* `tests:` of a rule, expanded to events and expectations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule/testcase.h"

static struct arena arena;
static struct diagnostics diagnostics;
static struct ruleset *set;

static int setup(void **state)
{
    (void)state;
    diagnostics = (struct diagnostics){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ruleset_free(set);
    set = NULL;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return 0;
}

/* Expands the tests of a rule over incidents `x`, telemetry `y` and deployments `z`. */
static struct testcase *expand(const char *tests, size_t wanted)
{
    const char *text =
        arena_printf(&arena,
                     "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- id: r\n  from: {x: {stream: "
                     "incident}, y: {stream: telemetry}, z: {stream: deployment}}\n"
                     "  detect: {group_by: [service, environment], window: {size: 2d, slide: 1d, wait: 3h}, "
                     "when: count(x) + count(y) + count(z) > 1}\n"
                     "  recommend: {category: architecture, title: t}\n  tests:\n%s",
                     tests);
    set = ruleset_load_text("rules.yaml", str_of(text), &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        print_message("%d:%d: %s\n", diagnostics.items[i].line, diagnostics.items[i].column,
                      diagnostics.items[i].message);
    assert_non_null(set);
    struct testcase *cases = NULL;
    size_t count = 0;
    assert_int_equal(testcases_expand(&arena, &set->rules[0], &cases, &count, &diagnostics), 0);
    assert_int_equal(count, wanted);
    return cases;
}

static const char *text_of(const struct testcase_event *event, int field)
{
    struct buf text = {0};
    value_json(&text, event->event.values[field]);
    const char *result = arena_str(&arena, buf_str(&text)).p;
    buf_fini(&text);
    return result;
}

#define AT(days, ms) (TESTCASE_ZERO_MS + (days) * (int64_t)DAY_MS + (ms))

static void test_incidents(void **state)
{
    (void)state;
    const struct testcase *test =
        expand("  - name: t\n"
               "    given: {stream: incident, service: s, severity: SEV1, lasts: 25m, value: 3}\n"
               "    events:\n"
               "    - {at: 1d, repeat: 2, every: 10m, incident_id: \"i-{{ n * 2 }}\", detected_at: 2m, "
               "code_refs: [a, \"f{{ n }}\"], labels: {k: \"v{{ n }}\"}}\n"
               "    - {at: 0d, incident_id: c, status: open, started_at: -5m}\n"
               "    - {at: 2d, incident_id: c, root_cause: redis_oom, status: acknowledged, occurred_at: "
               "2024-01-02T12:00:00Z}\n"
               "    expect: []\n",
               1);
    assert_int_equal(test->event_count, 6);
    static const struct {
        int64_t at_ms;
        const char *id, *status, *event_id;
    } wanted[] = {{AT(0, 0), "\"c\"", "\"open\"", "\"test-1\""},
                  {AT(1, 0), "\"i-2\"", "\"open\"", "\"test-2\""},
                  {AT(1, 10 * MINUTE_MS), "\"i-4\"", "\"open\"", "\"test-3\""},
                  {AT(1, 25 * MINUTE_MS), "\"i-2\"", "\"resolved\"", "\"test-4\""},
                  {AT(1, 35 * MINUTE_MS), "\"i-4\"", "\"resolved\"", "\"test-5\""},
                  {AT(2, 0), "\"c\"", "\"acknowledged\"", "\"test-6\""}};
    for (size_t i = 0; i < 6; i++) {
        const struct testcase_event *event = &test->events[i];
        assert_int_equal(event->at_ms, wanted[i].at_ms);
        assert_string_equal(text_of(event, INCIDENT_ID), wanted[i].id);
        assert_string_equal(text_of(event, INCIDENT_STATUS), wanted[i].status);
        assert_string_equal(text_of(event, INCIDENT_EVENT_ID), wanted[i].event_id);
        assert_string_equal(text_of(event, INCIDENT_SEVERITY), "\"sev1\"");
        assert_string_equal(text_of(event, INCIDENT_TITLE), "\"an incident of a test\"");
        assert_string_equal(text_of(event, INCIDENT_DETECTED_BY), "\"unknown\"");
    }
    assert_string_equal(text_of(&test->events[0], INCIDENT_STARTED_AT), "\"2023-12-31T23:55:00.000Z\"");
    assert_string_equal(text_of(&test->events[0], INCIDENT_RESOLVED_AT), "null");
    assert_string_equal(text_of(&test->events[0], INCIDENT_CODE_REFS), "[]");
    assert_string_equal(text_of(&test->events[1], INCIDENT_STARTED_AT), "\"2024-01-02T00:00:00.000Z\"");
    assert_string_equal(text_of(&test->events[1], INCIDENT_DETECTED_AT), "\"2024-01-02T00:02:00.000Z\"");
    assert_string_equal(text_of(&test->events[1], INCIDENT_RESOLVED_AT), "null");
    assert_string_equal(text_of(&test->events[3], INCIDENT_RESOLVED_AT), "\"2024-01-02T00:25:00.000Z\"");
    assert_string_equal(text_of(&test->events[3], INCIDENT_OCCURRED_AT), "\"2024-01-02T00:25:00.000Z\"");
    assert_string_equal(text_of(&test->events[2], INCIDENT_CODE_REFS), "[\"a\",\"f2\"]");
    assert_string_equal(text_of(&test->events[2], INCIDENT_LABELS), "{\"k\":\"v2\"}");
    assert_int_equal(test->events[5].event.time_ms, AT(1, 12 * HOUR_MS));
    assert_true(test->expects_none);
    assert_int_equal(test->advance_to_ms, AT(2, 3 * HOUR_MS));
}

static void test_other_streams(void **state)
{
    (void)state;
    const struct testcase *test =
        expand("  - name: t\n"
               "    given: {service: s}\n"
               "    events:\n"
               "    - {at: 1h, repeat: 3, every: 0s, stream: telemetry, name: cpu, value: \"{{ 50 + 0.125 * n }}\"}\n"
               "    - {at: 1h, stream: deployment, version: 1.10}\n"
               "    - {at: 0h, stream: incident}\n"
               "    - {at: 2h, repeat: 2, every: 1h, feedback: dismiss, group: {service: s}, comment: \"no {{ n }}\", "
               "until: 1d}\n"
               "    expect: [{at: 5d, that: \"priority == 'P0'\"}, {at: 4d, group: {service: s, environment: null}, "
               "recommendation: {mttr: 25m, validation: {a: {before: null}}, code_refs: [x]}}]\n"
               "  - {name: u, events: [], expect: [], advance_to: 9d}\n",
               2);
    assert_int_equal(test->event_count, 7);
    assert_string_equal(text_of(&test->events[0], INCIDENT_ID), "\"incident-5\"");
    assert_string_equal(text_of(&test->events[0], INCIDENT_STATUS), "\"open\"");
    assert_string_equal(text_of(&test->events[0], INCIDENT_SEVERITY), "\"sev4\"");
    assert_string_equal(text_of(&test->events[1], TELEMETRY_VALUE), "50.125");
    assert_string_equal(text_of(&test->events[3], TELEMETRY_VALUE), "50.375");
    assert_string_equal(text_of(&test->events[3], TELEMETRY_KIND), "\"metric\"");
    assert_string_equal(text_of(&test->events[3], TELEMETRY_EVENT_ID), "\"test-4\"");
    assert_string_equal(text_of(&test->events[4], DEPLOYMENT_VERSION), "\"1.10\"");
    assert_string_equal(text_of(&test->events[4], DEPLOYMENT_STATUS), "\"succeeded\"");
    assert_string_equal(text_of(&test->events[4], DEPLOYMENT_SERVICE), "\"s\"");
    assert_int_equal(test->events[6].event.stream->id, STREAM_FEEDBACK);
    assert_string_equal(text_of(&test->events[6], FEEDBACK_ACTION), "\"dismiss\"");
    assert_string_equal(text_of(&test->events[6], FEEDBACK_COMMENT), "\"no 2\"");
    assert_string_equal(text_of(&test->events[6], FEEDBACK_UNTIL), "\"2024-01-02T03:00:00.000Z\"");
    assert_string_equal(text_of(&test->events[6], FEEDBACK_RECOMMENDATION_ID), "\"\"");
    assert_true(test->events[6].group.type == VALUE_MAP && value_is_null(test->events[0].group));
    assert_int_equal(test->expect_count, 2);
    assert_int_equal(test->expects[0].at_ms, AT(4, 0));
    assert_int_equal(test->expects[0].line, 16);
    struct buf json = {0};
    value_json(&json, test->expects[0].recommendation);
    value_json(&json, test->expects[0].group);
    assert_true(str_is(buf_str(&json),
                       "{\"mttr\":\"25m\",\"validation\":{\"a\":{\"before\":null}},\"code_refs\":[\"x\"]}"
                       "{\"service\":\"s\",\"environment\":null}"));
    buf_fini(&json);
    assert_null(test->expects[0].that);
    assert_non_null(test->expects[1].that);
    assert_true(value_is_null(test->expects[1].recommendation) && value_is_null(test->expects[1].group));
    assert_int_equal(test->advance_to_ms, AT(5, 0));
    assert_int_equal(test[1].advance_to_ms, AT(9, 0));
    assert_true(test[1].expects_none);
}

/* What only happens at a later repetition is found when the test is expanded. */
static void test_late_error(void **state)
{
    (void)state;
    const struct testcase *test = expand("  - {name: t, events: [{at: 0d, stream: telemetry}], expect: []}\n", 1);
    assert_int_equal(test->event_count, 1);
    (void)teardown(state);
    (void)setup(state);
    const char *text =
        "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- id: r\n  from: {y: {stream: telemetry}}\n"
        "  detect: {window: {size: 2d, slide: 1d}, when: count(y) > 1}\n"
        "  recommend: {category: architecture, title: t}\n  tests:\n"
        "  - {name: t, events: [{at: 0d, repeat: 9, every: 1d, value: \"{{ 1 / (n - 5) }}\"}], expect: []}\n";
    set = ruleset_load_text("rules.yaml", str_of(text), &diagnostics);
    assert_non_null(set);
    struct testcase *cases = NULL;
    size_t count = 0;
    assert_int_equal(testcases_expand(&arena, &set->rules[0], &cases, &count, &diagnostics), -1);
    assert_int_equal(diagnostics.count, 1);
    assert_string_equal(diagnostics.items[0].message, "with n = 5 this ends in an error: division by zero");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_incidents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
