/* What records' own timestamps do, whatever they are: feedback happens at its record's, and other events are held
 * against theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/field.h"
#include "engine/map.h"

#define FEEDBACK                                                                                                       \
    "{\"event_id\":\"f\",\"recommendation_id\":\"r\",\"action\":\"accept\",\"actor\":\"a\",\"occurred_at\":0}"
#define TELEMETRY "{\"service\":\"s\",\"name\":\"n\",\"value\":1.0,\"occurred_at\":1704067200000}"

enum { SKEW_MS = HOUR_MS };
static const int64_t at_ms = INT64_C(1704067200000);

struct fixture {
    struct exchange exchange; /* first: the functions find the fixture by it */
    struct arena arena;
    struct config_source source;
    struct config config;
    struct ruleset *rules;
    struct outbox outbox;
    struct watermark watermark;
    struct event_map *map;
    int64_t offset;
    size_t sent;
};

static void count_feedback(struct exchange *exchange, const struct event *event, struct exchange_record record)
{
    (void)event;
    (void)record;
    ((struct fixture *)exchange)->sent++;
}

static void open_fixture(struct fixture *fixture, enum stream_id stream)
{
    static const struct exchange_ops ops = {.feedback = count_feedback};
    static const struct source_partition partition = {0, {"topic", 5}, 0};
    struct error err;
    *fixture =
        (struct fixture){.exchange = {&ops},
                         .source = {.stream = stream_get(stream), .format = FORMAT_JSON, .max_future_skew_ms = SKEW_MS},
                         .config = {.record_bytes_max = 1 << 20, .source_count = 1, .tasks = 1}};
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    fixture->config.sources = &fixture->source;
    fixture->rules = ruleset_load_text(
        "r.yaml",
        STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {x: {stream: incident}}, "
                "detect: {window: {size: 1d}, when: count(x) > 1}}\n"),
        &diagnostics);
    assert_non_null(fixture->rules);
    diagnostics_fini(&diagnostics);
    watermark_init(&fixture->watermark, 1);
    const struct map_options options = {.rules = fixture->rules,
                                        .config = &fixture->config,
                                        .exchange = &fixture->exchange,
                                        .outbox = &fixture->outbox,
                                        .watermark = &fixture->watermark,
                                        .partitions = &partition,
                                        .partition_count = 1};
    assert_int_equal(event_map_new(&fixture->map, &options, &err), 0);
}

static void close_fixture(struct fixture *fixture)
{
    event_map_free(fixture->map);
    watermark_fini(&fixture->watermark);
    outbox_fini(&fixture->outbox);
    ruleset_free(fixture->rules);
    arena_fini(&fixture->arena);
}

static void take(struct fixture *fixture, struct str value, int64_t timestamp_ms)
{
    const struct source_record record = {
        .value = value.p, .value_n = value.n, .offset = fixture->offset++, .timestamp_ms = timestamp_ms};
    event_map_records(fixture->map, 0, &record, 1, INT64_MIN);
}

static void test_feedback_at_no_time(void **state)
{
    static const int64_t none_ms[] = {FIELD_TIME_MS_MAX + 1, INT64_C(1704067200000000), INT64_MAX - 1, INT64_MAX};
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture, STREAM_FEEDBACK);
    take(&fixture, STR_LIT(FEEDBACK), at_ms);
    assert_true(fixture.sent == 1 && fixture.outbox.count == 0);
    for (size_t i = 0; i < sizeof none_ms / sizeof *none_ms; i++) {
        take(&fixture, STR_LIT(FEEDBACK), none_ms[i]);
        assert_int_equal(fixture.outbox.count, i + 1);
        assert_int_equal(event_map_counters(fixture.map)->future, i + 1);
        assert_true(fixture.sent == 1 && watermark_of(&fixture.watermark.partitions[0]) == at_ms);
    }
    take(&fixture, STR_LIT(FEEDBACK), at_ms + 1); /* what follows is as if they had not been */
    assert_true(fixture.sent == 2 && watermark_of(&fixture.watermark.partitions[0]) == at_ms + 1);
    close_fixture(&fixture);
}

static void test_the_skew_does_not_overflow(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture, STREAM_TELEMETRY);
    take(&fixture, STR_LIT(TELEMETRY), INT64_MAX);
    take(&fixture, STR_LIT(TELEMETRY), INT64_MAX - SKEW_MS + 1);
    take(&fixture, STR_LIT(TELEMETRY), at_ms - SKEW_MS);
    take(&fixture, STR_LIT(TELEMETRY), -1);
    assert_true(event_map_counters(fixture.map)->events == 4 && fixture.outbox.count == 0);
    take(&fixture, STR_LIT(TELEMETRY), at_ms - SKEW_MS - 1);
    assert_true(event_map_counters(fixture.map)->future == 1 && fixture.outbox.count == 1);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feedback_at_no_time),
        cmocka_unit_test(test_the_skew_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
