/* The record of a scorecard: from values to change, trend and target; and that it is what its schema and its stream
 * say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"
#include "recommend/scorecard.h"
#include "rule/testcase.h"

static struct arena arena;
static struct ruleset *rules;
static struct scorecard_counters counters;

static const char text[] = "apiVersion: forestall.io/v1\n"
                           "kind: Scorecard\n"
                           "scorecards:\n"
                           "- id: number\n"
                           "  from: {x: {stream: telemetry}}\n"
                           "  group_by: [service, environment]\n"
                           "  window: {size: 1h, slide: 10m, wait: 5m}\n"
                           "  value: avg(x)\n"
                           "  target: value < 3 && change <= -0.2\n"
                           "- id: span\n"
                           "  from: {x: {stream: incident}}\n"
                           "  window: {size: 1d, slide: 1d}\n"
                           "  value: mttr\n"
                           "  target: value < duration('2m')\n"
                           "- id: untargeted\n"
                           "  from: {x: {stream: incident}}\n"
                           "  window: {calendar: month}\n"
                           "  value: count(x)\n";

static int setup(void **state)
{
    (void)state;
    struct diagnostics diagnostics = {.arena = &arena};
    rules = ruleset_load_text("test.yaml", STR_LIT(text), &diagnostics);
    for (size_t i = 0; rules == NULL && i < diagnostics.count; i++)
        print_error("%d: %s\n", diagnostics.items[i].line, diagnostics.items[i].message);
    diagnostics_fini(&diagnostics);
    counters = (struct scorecard_counters){0};
    return rules == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    ruleset_free(rules);
    arena_fini(&arena);
    return 0;
}

/* The record of one evaluation at 2024-01-31T00:00Z; `value` is the first function's, or mttr. */
static struct value record_of(const char *id, struct value value, struct value previous)
{
    const struct rule *rule = ruleset_find(rules, str_of(id));
    struct buf key = {0};
    const struct value keys[] = {value_text("cart"), value_null()};
    group_key_encode(&key, rule, keys);
    struct group group = {.rule = rule, .hash = 0xabc, .key = arena_str(&arena, buf_str(&key))};
    buf_fini(&key);
    struct value *slots = arena_zalloc(&arena, rule_slot_count(rule) * sizeof *slots);
    slots[OUT_MTTR] = value;
    slots[rule_aggregate_slot(rule, 0)] = value;
    slots[rule_aggregate_slot(rule, (size_t)rule->scorecard->previous)] = previous;
    struct evaluation evaluation = {
        .time_ms = INT64_C(1706659200000), .when = true, .slots = slots, .slot_count = rule_slot_count(rule)};
    struct scorecard_record record = scorecard_record(&group, &evaluation, &counters, &arena);
    assert_true(str_eq(record.id, value_as_str(*value_map_get(record.map, STR_LIT("scorecard_id")))));
    return record.map;
}

static void expect_json(struct value record, const char *expected)
{
    struct buf json = {0};
    value_json(&json, record);
    buf_byte(&json, '\0');
    assert_string_equal((const char *)json.p, expected);
    buf_fini(&json);
}

static void test_a_whole_record(void **state)
{
    (void)state;
    expect_json(record_of("number", value_double(2), value_double(2.5)),
                "{\"scorecard_id\":\"number:0000000000000abc\",\"id\":\"number\",\"group\":{\"service\":\"cart\","
                "\"environment\":null},\"service\":\"cart\",\"value\":2,\"previous\":2.5,\"change\":-0.2,\"trend\":"
                "\"down\",\"target_met\":true,\"window_from\":\"2024-01-30T22:55:00.000Z\",\"window_to\":"
                "\"2024-01-30T23:55:00.000Z\",\"event_time\":\"2024-01-31T00:00:00.000Z\"}");
}

static void test_change_trend_and_target(void **state)
{
    (void)state;
    static const struct {
        struct value value, previous;
        const char *change, *trend, *target_met;
    } cases[] = {
        {{.type = VALUE_DOUBLE, .d = 8}, {.type = VALUE_DOUBLE, .d = 10}, "-0.2", "\"down\"", "false"},
        {{.type = VALUE_DOUBLE, .d = 2}, {.type = VALUE_DOUBLE, .d = 1}, "1", "\"up\"", "false"},
        {{.type = VALUE_DOUBLE, .d = 104}, {.type = VALUE_DOUBLE, .d = 100}, "0.04", "\"flat\"", "false"},
        {{.type = VALUE_DOUBLE, .d = 105}, {.type = VALUE_DOUBLE, .d = 100}, "0.05", "\"up\"", "false"},
        {{.type = VALUE_DOUBLE, .d = 96}, {.type = VALUE_DOUBLE, .d = 100}, "-0.04", "\"flat\"", "false"},
        {{.type = VALUE_DOUBLE, .d = 2}, {.type = VALUE_DOUBLE, .d = 2}, "0", "\"flat\"", "false"},
        /* It goes up, though the change of a negative number says the contrary. */
        {{.type = VALUE_DOUBLE, .d = -5}, {.type = VALUE_DOUBLE, .d = -10}, "-0.5", "\"up\"", "true"},
        {{.type = VALUE_DOUBLE, .d = 1}, {.type = VALUE_DOUBLE, .d = 0}, "null", "null", "null"},
        {{.type = VALUE_DOUBLE, .d = 1}, {.type = VALUE_NULL}, "null", "null", "null"},
        /* What is false whatever is unknown can be told. */
        {{.type = VALUE_DOUBLE, .d = 7}, {.type = VALUE_NULL}, "null", "null", "false"},
        {{.type = VALUE_NULL}, {.type = VALUE_DOUBLE, .d = 1}, "null", "null", "null"},
        {{.type = VALUE_DOUBLE, .d = NAN}, {.type = VALUE_DOUBLE, .d = 1}, "null", "null", "null"},
        {{.type = VALUE_DOUBLE, .d = 1}, {.type = VALUE_DOUBLE, .d = INFINITY}, "null", "null", "null"},
        {{.type = VALUE_DOUBLE, .d = 1e308}, {.type = VALUE_DOUBLE, .d = 1e-308}, "null", "null", "false"},
        {{.type = VALUE_ERROR, .s = "", .n = 0}, {.type = VALUE_DOUBLE, .d = 1}, "null", "null", "null"},
        {{.type = VALUE_STRING, .s = "a", .n = 1}, {.type = VALUE_DOUBLE, .d = 1}, "null", "null", "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value record = record_of("number", cases[i].value, cases[i].previous);
        expect_json(*value_map_get(record, STR_LIT("change")), cases[i].change);
        expect_json(*value_map_get(record, STR_LIT("trend")), cases[i].trend);
        expect_json(*value_map_get(record, STR_LIT("target_met")), cases[i].target_met);
    }
    assert_int_equal(counters.target_errors, 0);
    assert_int_not_equal(counters.target_null_errors, 0);
}

static void test_durations_are_milliseconds(void **state)
{
    (void)state;
    struct value half = value_span_ms(90500);
    half.n += 250000; /* nanoseconds */
    struct value record = record_of("span", half, value_span_ms(181000));
    expect_json(*value_map_get(record, STR_LIT("value")), "90500.25");
    expect_json(*value_map_get(record, STR_LIT("previous")), "181000");
    expect_json(*value_map_get(record, STR_LIT("target_met")), "true");
    expect_json(*value_map_get(record, STR_LIT("service")), "null");
    expect_json(*value_map_get(record, STR_LIT("group")), "{}");
}

static void test_without_a_target(void **state)
{
    (void)state;
    struct value record = record_of("untargeted", value_double(3), value_null());
    expect_json(*value_map_get(record, STR_LIT("target_met")), "null");
    expect_json(*value_map_get(record, STR_LIT("window_from")), "\"2024-01-01T00:00:00.000Z\"");
}

/* The record's fields, in their order, are those of the stream, of what tests may expect, and of the schema. */
static void test_one_list_of_fields(void **state)
{
    (void)state;
    const struct stream *stream = stream_get(STREAM_SCORECARD);
    const char *const *fields = testcase_fields(ruleset_find(rules, STR_LIT("number")));
    struct value record = record_of("number", value_double(2), value_double(2.5));
    struct avro_encoder *encoder = NULL;
    struct error err;
    struct buf bytes = {0};
    assert_int_equal(record.n, stream->field_count);
    for (uint32_t i = 0; i < record.n; i++) {
        assert_true(str_is(value_as_str(record.items[2 * i]), stream->fields[i].name));
        assert_string_equal(fields[i], stream->fields[i].name);
    }
    assert_null(fields[record.n]);
    assert_int_equal(avro_encoder_new(&encoder, str_of(schema_embedded_find("scorecard")), &err), 0);
    assert_int_equal(avro_encode(encoder, record, &bytes, &err), 0);
    assert_int_equal(avro_encode(encoder, record_of("span", value_null(), value_null()), &bytes, &err), 0);
    avro_encoder_free(encoder);
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_whole_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_change_trend_and_target, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durations_are_milliseconds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_target, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_list_of_fields, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
