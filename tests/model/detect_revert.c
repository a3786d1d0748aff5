/* Reverts against their definition: over strings that are null at times, over rows, and with few values remembered.
 *
 * usage: test_detect_revert [SEED [ROUNDS]]
 */
#include "detect_memory_model.h"

#define RULE(stream, keys)                                                                                             \
    "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {x: {stream: " stream                         \
    "}}, detect: {type: revert, group_by: [service], of: x, memory: 10m, " keys "}}\n"

/* The value that came last before operation `at`, however long ago; NO_VALUE: none. */
static int value_before(int at)
{
    for (int i = at - 1; i >= 0; i--)
        if (history[i].service == history[at].service && history[i].value != NO_VALUE)
            return history[i].value;
    return NO_VALUE;
}

/* `when` asks for a step down, or for nothing. */
static void write_wanted(int64_t most, bool down_only)
{
    for (int i = 0; i < OPERATIONS; i++) {
        int value = history[i].value;
        int before = value_before(i);
        if (value == NO_VALUE || !remembered(i, value, most) || before == value)
            continue;
        struct buf line = {0};
        put_line_head(&line, history[i].time_ms, service_name(history[i].service), !down_only || before > value);
        buf_printf(&line, " %d: %d %d", i, value, before);
        add_line(&model.wanted, &line);
    }
}

static size_t play_strings(void)
{
    model_open(RULE("telemetry", "value: event.unit, when: int(previous) > int(value)"));
    play_history(apply_telemetry);
    write_wanted(10000, true);
    size_t lines = model_compare();
    model_close();
    return lines;
}

static size_t play_rows(void)
{
    model_open(RULE("incident", "value: event.root_cause"));
    play_history(apply_row);
    write_wanted(10000, false);
    size_t lines = model_compare();
    model_close();
    return lines;
}

static size_t play_few(void)
{
    model_open(RULE("telemetry", "value: event.unit"));
    model.window_events_max = 2 + below(2);
    play_history(apply_telemetry);
    write_wanted(model.window_events_max, false);
    size_t lines = model_compare();
    model_close();
    return lines;
}

static void test_strings(void **state)
{
    (void)state;
    model_rounds(play_strings);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings), cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_few)};
    return model_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
