/* Absence against its definition: random rows that become selected, change and leave, and random telemetry, many at one
 * time and many exactly at a deadline.
 *
 * usage: test_detect_absence [SEED [ROUNDS]]
 */
#include "detect_model.h"

enum { OPERATIONS = 300, ROWS = 12, SERVICES = 4 };
static const int64_t EVERY_MS = 5 * MINUTE_MS;

static const char rules_text[] =
    "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n"
    "- {id: r, from: {x: {stream: %s}}, detect: {type: absence, group_by: [service], of: x, every: 5m, when: "
    "\"group.service != 's3'\"}}\n";

enum what { SELECTED, CHANGED, DESELECTED };

struct operation {
    enum what what;
    int64_t time_ms;
    int thing; /* row or event */
    int service;
    int64_t opened_ms;
    int64_t title;
};

static struct operation history[OPERATIONS];

static void describe(struct buf *out, const struct evaluation *evaluation)
{
    const struct event *event = evaluation->contributions[0].event;
    const struct value *slots = evaluation->slots;
    assert_int_equal(value_ms(slots[OUT_FIXED_COUNT]), EVERY_MS);
    assert_int_equal(value_ms(slots[OUT_FIRST_SEEN]), event->time_ms);
    assert_int_equal(value_ms(slots[OUT_LAST_SEEN]), event->time_ms);
    int title = event->stream->rows ? INCIDENT_TITLE : TELEMETRY_NAME;
    buf_printf(out, " %lld at %lld: %.*s", (long long)event->at.offset, (long long)(event->time_ms - MODEL_START_MS),
               STR_ARG(value_as_str(event->values[title])));
}

static const char *service_name(int service)
{
    static const char *const names[SERVICES] = {"s0", "s1", "s2", "s3"};
    return names[service];
}

/* The next selected event of the service decides whether one is followed by silence. */
static void write_wanted(int count)
{
    for (int i = 0; i < count; i++) {
        const struct operation *last = &history[i];
        int64_t deadline_ms = last->time_ms + EVERY_MS;
        int64_t title = last->title;
        bool silent = last->what == SELECTED;
        for (int k = i + 1; k < count && history[k].time_ms <= deadline_ms; k++) {
            if (history[k].what == SELECTED && history[k].service == last->service)
                silent = false;
            if (history[k].what == CHANGED && history[k].thing == last->thing)
                title = history[k].title;
        }
        if (!silent)
            continue;
        struct buf line = {0};
        put_line_head(&line, deadline_ms, service_name(last->service), last->service != 3);
        buf_printf(&line, " %d at %lld: t%lld", last->thing, (long long)(last->opened_ms - MODEL_START_MS),
                   (long long)title);
        add_line(&model.wanted, &line);
    }
}

static void apply(const struct operation *operation, bool rows)
{
    static const struct selection selections[] = {[SELECTED] = {0, 1}, [CHANGED] = {1, 1}, [DESELECTED] = {1, 0}};
    struct event event;
    event_clear(&event, stream_get(rows ? STREAM_INCIDENT : STREAM_TELEMETRY));
    event.time_ms = operation->opened_ms;
    event.at = (struct position){rows, 0, operation->thing};
    event.values[event.stream->service_field] = value_text(service_name(operation->service));
    event.values[rows ? INCIDENT_TITLE : TELEMETRY_NAME] =
        value_text(arena_printf(&model.arena, "t%lld", (long long)operation->title));
    model_event(&event, selections[operation->what], operation->time_ms);
}

/* A row that was selected changes or leaves; else it is, or was once more, selected. */
static struct operation row_operation(int64_t time_ms, bool *selected, int64_t *opened_ms)
{
    int row = (int)below(ROWS);
    enum what what = !selected[row] ? SELECTED : below(2) == 0 ? CHANGED : DESELECTED;
    selected[row] = what != DESELECTED;
    if (opened_ms[row] == 0)
        opened_ms[row] = time_ms - below(3) * MINUTE_MS;
    return (struct operation){what, time_ms, row, row % SERVICES, opened_ms[row], below(1000)};
}

static size_t play_stream(bool rows)
{
    bool selected[ROWS] = {false};
    int64_t opened_ms[ROWS] = {0};
    int64_t time_ms = MODEL_START_MS;
    char text[1000];
    assert_true(snprintf(text, sizeof text, rules_text, rows ? "incident" : "telemetry") < (int)sizeof text);
    model_open(text);
    model.describe = describe;
    for (int i = 0; i < OPERATIONS; i++) {
        if (below(3) > 0)
            time_ms += (below(20) == 0 ? 5 + below(100) : below(4)) * MINUTE_MS;
        history[i] = rows ? row_operation(time_ms, selected, opened_ms)
                          : (struct operation){SELECTED, time_ms, i, (int)below(SERVICES), time_ms, below(1000)};
        apply(&history[i], rows);
    }
    write_wanted(OPERATIONS);
    size_t lines = model_compare();
    model_close();
    return lines;
}

static size_t play_rows(void)
{
    return play_stream(true);
}

static size_t play_telemetry(void)
{
    return play_stream(false);
}

static void test_rows(void **state)
{
    (void)state;
    model_rounds(play_rows);
}

static void test_telemetry(void **state)
{
    (void)state;
    model_rounds(play_telemetry);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_telemetry)};
    return model_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
