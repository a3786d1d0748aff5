/* New values against their definition: over strings that are null at times, over numbers that cannot be read at times,
 * over rows; with few values remembered, and with a warm-up.
 *
 * usage: test_detect_new_value [SEED [ROUNDS]]
 */
#include "detect_memory_model.h"

#define RULE(stream, keys)                                                                                             \
    "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {x: {stream: " stream                         \
    "}}, detect: {type: new_value, group_by: [service], of: x, memory: 10m, " keys "}}\n"

static void write_wanted(int64_t most, int64_t warmup_ms, bool zero_is_held_back)
{
    for (int i = 0; i < OPERATIONS; i++) {
        int value = history[i].value;
        if (value == NO_VALUE || remembered(i, value, most) || history[i].time_ms - history[0].time_ms < warmup_ms)
            continue;
        struct buf line = {0};
        put_line_head(&line, history[i].time_ms, service_name(history[i].service), !zero_is_held_back || value != 0);
        buf_printf(&line, " %d: %d", i, value);
        add_line(&model.wanted, &line);
    }
}

static size_t play_strings(void)
{
    model_open(RULE("telemetry", "value: event.unit"));
    play_history(apply_telemetry);
    write_wanted(10000, MEMORY_MS, false);
    size_t lines = model_compare();
    model_close();
    return lines;
}

static size_t play_numbers(void)
{
    model_open(RULE("telemetry", "value: \"int(event.labels['v'])\", warmup: 0s, when: value != 0"));
    play_history(apply_telemetry);
    write_wanted(10000, 0, true);
    size_t lines = model_compare();
    model_close();
    return lines;
}

static size_t play_rows(void)
{
    model_open(RULE("incident", "value: event.root_cause, warmup: 1h"));
    play_history(apply_row);
    write_wanted(10000, HOUR_MS, false);
    size_t lines = model_compare();
    model_close();
    return lines;
}

static size_t play_few(void)
{
    uint64_t dropped = model.counters.entries_dropped;
    model_open(RULE("telemetry", "value: event.unit, warmup: 0s"));
    model.window_events_max = 1 + below(3);
    play_history(apply_telemetry);
    write_wanted(model.window_events_max, 0, false);
    size_t lines = model_compare();
    assert_true(model.counters.entries_dropped > dropped);
    model_close();
    return lines;
}

static void test_strings(void **state)
{
    (void)state;
    model_rounds(play_strings);
}

static void test_numbers(void **state)
{
    (void)state;
    model_rounds(play_numbers);
}

static void test_rows(void **state)
{
    (void)state;
    model_rounds(play_rows);
}

static void test_few(void **state)
{
    (void)state;
    model_rounds(play_few);
}

static struct group *only_group(void)
{
    struct map_entry *entry;
    size_t i = 0;
    assert_true(map_next(&model.groups, &i, &entry));
    return entry->value;
}

/* Values that come again and again take no more memory, and the one that came longest ago is still known. */
static void test_repetition(void **state)
{
    static const int order[] = {3, 0, 1, 2, 3}; /* at the end 0 came longest ago */
    (void)state;
    model_open(RULE("telemetry", "value: event.unit, warmup: 0s"));
    model.describe = describe;
    model.window_events_max = 4;
    model.calls_a_restart = 0;
    int n = 0;
    for (int i = 0; i < 200; i++, n++) {
        history[n % OPERATIONS] = (struct operation){MODEL_START_MS, 0, i % 4};
        apply_telemetry(n % OPERATIONS);
    }
    size_t bytes = only_group()->detail_bytes;
    for (int i = 0; i < 100000; i++) {
        history[0] = (struct operation){MODEL_START_MS, 0, i < 5 ? order[i] : 1 + i % 3};
        apply_telemetry(0);
    }
    assert_int_equal(only_group()->detail_bytes, bytes);
    assert_int_equal(model.got.count, 4);
    static const int then[] = {5, 1, 2, 3, 0}; /* 5 is new, and 0 goes: so it is new too */
    for (int i = 0; i < 5; i++) {
        history[0] = (struct operation){MODEL_START_MS, 0, then[i]};
        apply_telemetry(0);
    }
    assert_int_equal(model.got.count, 6);
    model.got.count = 0;
    (void)model_compare();
    model_close();
}

/* Values that never come again take no more memory than those that are remembered. */
static void test_no_repetition(void **state)
{
    size_t bytes = 0;
    (void)state;
    model_open(RULE("telemetry", "value: event.unit, warmup: 1d"));
    model.window_events_max = 4;
    model.calls_a_restart = 0;
    for (int i = 0; i < 20000; i++) {
        history[0] = (struct operation){MODEL_START_MS, 0, i};
        apply_telemetry(0);
        if (i == 1000)
            bytes = group_bytes(only_group());
    }
    assert_true(group_bytes(only_group()) <= bytes + 100); /* longer numbers */
    (void)model_compare();
    model_close();
}

static void put_seen(struct buf *out, int64_t last_ms, uint64_t turn, const char *unit)
{
    struct buf value = {0};
    value_encode(&value, value_text(unit));
    buf_u64(out, (uint64_t)last_ms);
    buf_u64(out, turn);
    buf_text(out, buf_str(&value));
    buf_fini(&value);
}

/* Two values in one note, as of one hash: each comes, and goes, by itself. */
static void test_one_hash(void **state)
{
    struct buf value = {0};
    struct buf note = {0};
    (void)state;
    model_open(RULE("telemetry", "value: event.unit, warmup: 0s"));
    model.describe = describe;
    history[0] = (struct operation){MODEL_START_MS, 0, 4};
    apply_telemetry(0);
    value_encode(&value, value_text("5"));
    put_seen(&note, MODEL_START_MS, 2, "5");
    put_seen(&note, MODEL_START_MS, 3, "other");
    group_note_later(only_group(), hash_bytes(value.p, value.len, 2), buf_str(&note));
    restart();
    for (int i = 1; i <= 3; i++) {
        history[i] = (struct operation){MODEL_START_MS + i * 4 * MINUTE_MS, 0, 5};
        apply_telemetry(i); /* known; "other" goes at 10m */
        assert_int_equal(only_group()->note_count, i < 3 ? 2 : 1);
        assert_true((group_note(only_group(), hash_bytes(value.p, value.len, 2)).n == note.len) == (i < 3));
    }
    assert_int_equal(model.got.count, 1);
    model.got.count = 0;
    (void)model_compare();
    model_close();
    buf_fini(&value);
    buf_fini(&note);
}

/* Notes that were not written here are told of, not believed. */
static void test_damage(void **state)
{
    (void)state;
    model_open(RULE("telemetry", "value: event.unit, warmup: 0s"));
    model.describe = describe;
    history[0] = (struct operation){MODEL_START_MS, 0, 4};
    apply_telemetry(0);
    struct buf good = {0};
    put_seen(&good, MODEL_START_MS, 1, "4");
    for (size_t n = 0; n <= good.len; n++) {
        struct group_options options = {
            .rule = model.rule, .hash = only_group()->hash, .key = only_group()->key, .past_ms = INT64_MIN};
        struct group *group = NULL;
        struct error err = {0};
        group_note_set(only_group(), model.state, only_group()->notes[0].id, (struct str){good.p, n});
        assert_true((group_load(&group, model.state, &options, &err) == 0) == (n == good.len));
        if (group != NULL)
            group_free(group);
        else
            assert_non_null(strstr(err.message, "is damaged"));
    }
    model_close();
    buf_fini(&good);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings),    cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_rows),       cmocka_unit_test(test_few),
                                       cmocka_unit_test(test_repetition), cmocka_unit_test(test_no_repetition),
                                       cmocka_unit_test(test_one_hash),   cmocka_unit_test(test_damage)};
    return model_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
