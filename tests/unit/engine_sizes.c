/* Whatever records say within limits.record_bytes, what is made of them fits into a record of the topics: a record that
 * the producer refuses would stop each start at the same place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "detect/group.h"
#include "engine/config.h"
#include "engine/dead_letter.h"
#include "engine/detections.h"
#include "engine/item_bytes.h"
#include "engine/map.h"

enum { RECORD_BYTES = 1 << 20 };

static struct arena arena;

static struct str long_text(char letter, size_t n)
{
    char *text = arena_alloc(&arena, n);
    memset(text, letter, n);
    return (struct str){text, n};
}

/* The outbox after one record of a source of JSON feedback. */
static struct outbox map_one(struct str key, struct str value)
{
    static const struct exchange_ops ops = {0}; /* nothing is sent on */
    struct exchange exchange = {&ops};
    struct config_source source = {.stream = stream_get(STREAM_FEEDBACK), .format = FORMAT_JSON};
    struct config config = {.record_bytes_max = RECORD_BYTES, .sources = &source, .source_count = 1, .tasks = 1};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text(
        "r.yaml",
        STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {x: {stream: incident}}, "
                "detect: {window: {size: 1d}, when: count(x) > 1}}\n"),
        &diagnostics);
    assert_non_null(rules);
    const struct source_partition partition = {0, STR_LIT("feedback"), 0};
    struct outbox outbox = {0};
    struct watermark watermark;
    struct event_map *map;
    struct error err;
    watermark_init(&watermark, 1);
    const struct map_options options = {.rules = rules,
                                        .config = &config,
                                        .exchange = &exchange,
                                        .outbox = &outbox,
                                        .watermark = &watermark,
                                        .partitions = &partition,
                                        .partition_count = 1};
    assert_int_equal(event_map_new(&map, &options, &err), 0);
    const struct source_record record = {
        .key = key.p, .key_n = key.n, .value = value.p, .value_n = value.n, .timestamp_ms = -1};
    event_map_records(map, 0, &record, 1, INT64_MAX);
    event_map_free(map);
    watermark_fini(&watermark);
    ruleset_free(rules);
    return outbox;
}

static void expect_letter(struct str key, struct str value, bool truncated, struct str sent_key)
{
    struct outbox outbox = map_one(key, value);
    assert_int_equal(outbox.count, 1);
    const struct commit_record *letter = &outbox.records[0];
    assert_int_equal(letter->header_count, truncated ? 5 : 4);
    assert_true(str_eq(letter->key, sent_key) && (letter->key.p == NULL) == (sent_key.p == NULL));
    assert_true(str_eq(letter->value, truncated ? STR_LIT("") : value));
    outbox_fini(&outbox);
}

static void test_a_key_counts_too(void **state)
{
    (void)state;
    struct str half = long_text('x', RECORD_BYTES / 2);
    struct str more = long_text('x', RECORD_BYTES / 2 + 1);
    expect_letter(half, half, false, half); /* no JSON */
    expect_letter(half, more, true, (struct str){0});
    expect_letter(more, half, true, (struct str){0});
    expect_letter(long_text('k', 2 * RECORD_BYTES), STR_LIT("?"), true, (struct str){0});
    expect_letter(STR_LIT("k"), long_text('x', RECORD_BYTES), true, STR_LIT("k"));
    arena_fini(&arena);
}

/* An event of a stream whose texts are a record's. */
static struct event long_event(enum stream_id stream, int field, char letter)
{
    struct event event;
    event_clear(&event, stream_get(stream));
    event.values[field] = value_str(long_text(letter, RECORD_BYTES));
    return event;
}

static void test_items_fit(void **state)
{
    (void)state;
    const struct config config = {.record_bytes_max = RECORD_BYTES};
    struct buf out = {0};
    struct event before = long_event(STREAM_INCIDENT, INCIDENT_TITLE, 'b');
    struct event after = long_event(STREAM_INCIDENT, INCIDENT_TITLE, 'a');
    item_change_encode(&out, &(struct item_change){.before = &before, .after = &after});
    assert_true(out.len > 2 * RECORD_BYTES && (int64_t)out.len < config_produced_bytes(&config));
    buf_reset(&out);
    struct event comment = long_event(STREAM_FEEDBACK, FEEDBACK_COMMENT, 'c');
    item_feedback_encode(&out, &comment,
                         (struct exchange_record){STR_LIT(""), value_as_str(comment.values[FEEDBACK_COMMENT])});
    assert_true(out.len > 2 * RECORD_BYTES && (int64_t)out.len < config_produced_bytes(&config));
    buf_fini(&out);
    arena_fini(&arena);
}

/* The value of a group as its key has it. */
static struct value kept(struct value v)
{
    struct buf key = {0};
    group_key_put(&key, STR_LIT("k"), v);
    assert_true(key.len < GROUP_VALUE_BYTES_MAX + 16);
    struct value values = group_key_values(arena_str(&arena, buf_str(&key)), &arena);
    assert_int_equal(values.n, 1);
    assert_true(value_eq(values.items[1], group_value(v, &arena)));
    buf_fini(&key);
    return values.items[1];
}

static void test_values_of_groups_are_cut(void **state)
{
    (void)state;
    struct value text = value_str(long_text('x', GROUP_VALUE_BYTES_MAX));
    assert_true(value_eq(kept(text), text));
    assert_true(value_eq(kept(value_str(long_text('x', RECORD_BYTES))), text));
    assert_true(value_eq(kept(kept(value_str(long_text('x', RECORD_BYTES)))), text));
    const struct value pair[] = {value_text("a"), value_str(long_text('x', RECORD_BYTES))};
    assert_int_equal(kept(value_map(pair, 1)).type, VALUE_STRING);
    assert_true(value_eq(kept(value_list(pair, 1)), value_list(pair, 1)));
    assert_true(value_eq(kept(value_int(7)), value_int(7)));
    arena_fini(&arena);
}

static void test_services_of_panes_are_cut(void **state)
{
    (void)state;
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text(
        "r.yaml",
        STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {x: {stream: telemetry}}, "
                "detect: {window: {size: 10m, slide: 5m}, when: count(x) > 1}, recommend: {category: "
                "architecture, title: t, spec: {problem: p, solution: s}}}\n"),
        &diagnostics);
    assert_non_null(rules);
    struct pane *pane = pane_new(rules->rules, 0);
    for (int i = 0; i < PANE_SERVICES_MAX; i++) {
        struct event event = long_event(STREAM_TELEMETRY, TELEMETRY_SERVICE, (char)('A' + i));
        event.at.offset = i;
        (void)pane_add(pane, rules->rules, 0, &event, &arena);
    }
    assert_int_equal(pane->service_count, PANE_SERVICES_MAX);
    for (int i = 0; i < PANE_SERVICES_MAX; i++)
        assert_int_equal(pane->services[i].n, PANE_SERVICE_BYTES_MAX);
    pane_free(pane);
    ruleset_free(rules);
    arena_fini(&arena);
}

static size_t sent_bytes;

static void measure(struct exchange *exchange, const struct event *event, const struct exchange_match *matches,
                    size_t n)
{
    struct buf out = {0};
    (void)exchange;
    item_event_encode(&out, &(struct item_event){.event = event, .matches = matches, .match_count = n});
    sent_bytes = out.len;
    buf_fini(&out);
}

static void test_outputs_in_detections_are_cut(void **state)
{
    (void)state;
    static const struct exchange_ops ops = {.event = measure};
    struct exchange exchange = {&ops};
    const struct detection_ways ways = {&exchange, &exchange};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text(
        "r.yaml",
        STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {x: {stream: telemetry}}, "
                "detect: {type: new_value, of: x, value: event.name, memory: 1d}}\n- {id: s, from: {x: {stream: "
                "detection, match: {rule_id: r}}}, detect: {window: {size: 1d}, when: count(x) > 1}}\n"),
        &diagnostics);
    assert_non_null(rules);
    uint64_t errors = 0;
    struct detections *detections = detections_new(rules, &errors, &errors);
    struct value slots[OUT_FIXED_COUNT + 1] = {0};
    slots[OUT_FIXED_COUNT] = value_str(long_text('v', RECORD_BYTES));
    slots[OUT_SERVICES] = value_list(&slots[OUT_FIXED_COUNT], 1);
    const struct group group = {.rule = rules->rules, .key = STR_LIT("")};
    const struct evaluation evaluation = {.slots = slots, .slot_count = sizeof slots / sizeof *slots};
    assert_int_equal(rules->rules->output_count, 1);
    detections_send(detections, &group, &evaluation, &ways, &arena);
    assert_in_range(sent_bytes, 2 * GROUP_VALUE_BYTES_MAX, 3 * GROUP_VALUE_BYTES_MAX);
    detections_free(detections);
    ruleset_free(rules);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_counts_too),
        cmocka_unit_test(test_items_fit),
        cmocka_unit_test(test_values_of_groups_are_cut),
        cmocka_unit_test(test_services_of_panes_are_cut),
        cmocka_unit_test(test_outputs_in_detections_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
