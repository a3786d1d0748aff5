/* What the models of `new_value` and `revert` share: random events and rows with values of every kind, and what of a
 * group's history a value's `memory` holds, by looking at all of it. */
#ifndef FORESTALL_TESTS_DETECT_MEMORY_MODEL_H
#define FORESTALL_TESTS_DETECT_MEMORY_MODEL_H

#include "detect_model.h"

enum { OPERATIONS = 300, SERVICES = 3, VALUES = 7, NO_VALUE = -1 };
static const int64_t MEMORY_MS = 10 * MINUTE_MS;

struct operation {
    int64_t time_ms;
    int service;
    int value; /* or NO_VALUE: null, or the expression ends in an error */
};

static struct operation history[OPERATIONS];

static const char *service_name(int service)
{
    static const char *const names[SERVICES] = {"s0", "s1", "s2"};
    return names[service];
}

/* Whether the value is remembered when operation `at` comes: it came in (t - memory, t] before, and fewer than `most`
 * other values have come since. */
static bool remembered(int at, int value, int64_t most)
{
    bool others[VALUES] = {false};
    int64_t count = 0;
    for (int i = at - 1; i >= 0 && history[i].time_ms > history[at].time_ms - MEMORY_MS; i--) {
        if (history[i].service != history[at].service || history[i].value == NO_VALUE)
            continue;
        if (history[i].value == value)
            return count < most;
        count += !others[history[i].value];
        others[history[i].value] = true;
    }
    return false;
}

static void describe(struct buf *out, const struct evaluation *evaluation)
{
    assert_int_equal(evaluation->contribution_count, 1);
    buf_printf(out, " %lld:", (long long)evaluation->contributions[0].event->at.offset);
    for (size_t i = 0; i < model.rule->output_count; i++) {
        buf_byte(out, ' ');
        value_template(out, evaluation->slots[OUT_FIXED_COUNT + i]);
    }
}

/* The event's field `unit` is null where there is no value; the label is missing, or no number. */
static void apply_telemetry(int number)
{
    const struct operation *operation = &history[number];
    struct event event;
    struct value label[2] = {value_text("v"), value_text("none")};
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = operation->time_ms;
    event.at = (struct position){1, 0, number};
    event.values[TELEMETRY_SERVICE] = value_text(service_name(operation->service));
    if (operation->value != NO_VALUE) {
        event.values[TELEMETRY_UNIT] = value_text(arena_printf(&model.arena, "%d", operation->value));
        label[1] = event.values[TELEMETRY_UNIT];
    }
    event.values[TELEMETRY_LABELS] = value_map(label, below(2) == 0 && operation->value == NO_VALUE ? 0 : 1);
    model_event(&event, (struct selection){0, 1}, operation->time_ms);
}

/* A row that was opened before now; it changes and leaves right after, which nobody may see. */
static void apply_row(int number)
{
    const struct operation *operation = &history[number];
    struct event row;
    event_clear(&row, stream_get(STREAM_INCIDENT));
    row.time_ms = operation->time_ms - below(3) * HOUR_MS;
    row.at = (struct position){0, 0, number};
    row.values[INCIDENT_SERVICE] = value_text(service_name(operation->service));
    row.values[INCIDENT_ID] = value_text("i");
    if (operation->value != NO_VALUE)
        row.values[INCIDENT_ROOT_CAUSE] = value_text(arena_printf(&model.arena, "%d", operation->value));
    model_event(&row, (struct selection){0, 1}, operation->time_ms);
    row.values[INCIDENT_ROOT_CAUSE] = value_text("changed");
    if (below(2) == 0)
        model_event(&row, (struct selection){1, 1}, operation->time_ms);
    if (below(2) == 0)
        model_event(&row, (struct selection){1, 0}, operation->time_ms);
}

static void play_history(void (*apply)(int number))
{
    int64_t time_ms = MODEL_START_MS;
    model.describe = describe;
    for (int i = 0; i < OPERATIONS; i++) {
        if (below(3) > 0)
            time_ms += (below(20) == 0 ? 8 + below(10) : below(4)) * MINUTE_MS;
        int value = below(8) == 0 ? NO_VALUE : (int)below(below(2) == 0 ? VALUES : 2);
        history[i] = (struct operation){time_ms, (int)below(SERVICES), value};
        apply(i);
    }
}

#endif
