/* Which events share a window, and when it is evaluated: cases of the public suites of Apache Flink
 * (SlidingEventTimeWindowsTest, TumblingEventTimeWindowsTest, EventTimeSessionWindowsTest, WindowOperatorTest) and
 * Apache Beam (SlidingWindowsTest, FixedWindowsTest, SessionsTest, CalendarWindowsTest). Times are milliseconds.
 * Windows of a later start than theirs for a slide over the size, and offsets, are not in the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect/detector.h"
#include "detect/span.h"

enum { EVENTS_MAX = 12, WINDOWS_MAX = 6 };

static const char head[] =
    "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {e: {stream: telemetry}}, "
    "detect: {window: ";

struct fixture {
    struct arena arena;
    struct ruleset *rules;
    struct state *state;
    struct group *group;
    struct detector_counters counters;
    struct detector_context context;
};

static void open_fixture(struct fixture *f, const char *window)
{
    struct error err;
    *f = (struct fixture){.state = state_new(store_memory_new())};
    struct diagnostics diagnostics = {.arena = &f->arena};
    char *text = arena_printf(&f->arena, "%s%s, when: count(e) > 0}}\n", head, window);
    f->rules = ruleset_load_text("r.yaml", str_of(text), &diagnostics);
    if (f->rules == NULL)
        fail_msg("%s", diagnostics.items[0].message);
    struct group_options options = {.rule = f->rules->rules, .key = STR_LIT(""), .past_ms = INT64_MIN};
    assert_int_equal(group_load(&f->group, f->state, &options, &err), 0);
    f->context = (struct detector_context){.state = f->state,
                                           .arena = &f->arena,
                                           .window_events_max = 1000,
                                           .since_ms = INT64_MIN,
                                           .counters = &f->counters};
    diagnostics_fini(&diagnostics);
}

static void close_fixture(struct fixture *f)
{
    group_free(f->group);
    state_free(f->state);
    ruleset_free(f->rules);
    arena_fini(&f->arena);
}

/* Timers up to `time_ms`: session windows see the events of their deadline's time first, others do not. */
static void advance(struct fixture *f, int64_t time_ms)
{
    const struct detector_ops *ops = detector_of(f->rules->rules);
    while (f->group->timer_ms < time_ms || (f->group->timer_ms == time_ms && !ops->deadline))
        ops->on_timer(&f->context, f->group, f->group->timer_ms);
}

/* An event of the rule's stream: into its pane, which closes at once, or into the detector. */
static void add(struct fixture *f, int64_t time_ms, int number)
{
    const struct rule *rule = f->rules->rules;
    const struct detector_ops *ops = detector_of(rule);
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = time_ms;
    event.at = (struct position){0, 0, number};
    if (detector_folds(rule, &rule->inputs[0])) {
        struct span span = span_pane(&rule->window, time_ms);
        struct pane *pane = pane_new(rule, span.start_ms);
        if (pane_add(pane, rule, 0, &event, &f->arena))
            pane_newest(pane, &event);
        ops->on_pane(&f->context, f->group, pane);
        return;
    }
    advance(f, time_ms);
    ops->on_event(&f->context, f->group, &event, (struct selection){0, 1}, time_ms);
}

struct expected {
    int64_t at;    /* evaluated */
    int64_t first; /* the oldest event in it, and the newest */
    int64_t last;
    int events;
};

struct window_case {
    const char *window;
    int64_t events[EVENTS_MAX];
    size_t event_count;
    struct expected windows[WINDOWS_MAX];
    size_t window_count;
};

#define EVENTS(...)  {__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define WINDOWS(...) {__VA_ARGS__}, sizeof((struct expected[]){__VA_ARGS__}) / sizeof(struct expected)

/* clang-format off */
static const struct window_case cases[] = {
    /* Beam, SlidingWindowsTest: testSimple, testSlightlyOverlapping, testTimeUnit */
    {"{size: 10ms, slide: 5ms}", EVENTS(1, 2, 5, 9, 10, 11),
     WINDOWS({5, 1, 2, 2}, {10, 1, 9, 4}, {15, 5, 11, 4}, {20, 10, 11, 2})},
    {"{size: 7ms, slide: 5ms}", EVENTS(1, 2, 5, 9, 10, 11),
     WINDOWS({2, 1, 1, 1}, {7, 1, 5, 3}, {12, 5, 11, 4}, {17, 10, 11, 2})},
    {"{size: 10s, slide: 5s}", EVENTS(1, 2, 1000, 5000, 5001, 10000),
     WINDOWS({5000, 1, 1000, 3}, {10000, 1, 5001, 5}, {15000, 5000, 10000, 3}, {20000, 10000, 10000, 1})},
    /* Beam, FixedWindowsTest: testSimpleFixedWindow */
    {"{size: 10ms, slide: 10ms}", EVENTS(1, 2, 5, 9, 10, 11, 100),
     WINDOWS({10, 1, 9, 4}, {20, 10, 11, 2}, {110, 100, 100, 1})},
    /* Flink, SlidingEventTimeWindowsTest: testWindowAssignment, of 0, 4999 and 5000 */
    {"{size: 5s, slide: 1s}", EVENTS(0),
     WINDOWS({1000, 0, 0, 1}, {2000, 0, 0, 1}, {3000, 0, 0, 1}, {4000, 0, 0, 1}, {5000, 0, 0, 1})},
    {"{size: 5s, slide: 1s}", EVENTS(4999),
     WINDOWS({5000, 4999, 4999, 1}, {6000, 4999, 4999, 1}, {7000, 4999, 4999, 1}, {8000, 4999, 4999, 1},
             {9000, 4999, 4999, 1})},
    {"{size: 5s, slide: 1s}", EVENTS(5000),
     WINDOWS({6000, 5000, 5000, 1}, {7000, 5000, 5000, 1}, {8000, 5000, 5000, 1}, {9000, 5000, 5000, 1},
             {10000, 5000, 5000, 1})},
    /* Flink, TumblingEventTimeWindowsTest: testWindowAssignment */
    {"{size: 5s, slide: 5s}", EVENTS(0, 4999, 5000), WINDOWS({5000, 0, 4999, 2}, {10000, 5000, 5000, 1})},
    /* Beam, SessionsTest: testConsecutive, testMerging, testTimeUnit; the events of a session can come in any order
     * there, and do in the order of their times here */
    {"{gap: 10ms}", EVENTS(1, 2, 5, 9, 100, 101), WINDOWS({19, 1, 9, 4}, {111, 100, 101, 2})},
    {"{gap: 10ms}", EVENTS(1, 10, 15, 22, 30, 95, 100, 101), WINDOWS({40, 1, 30, 5}, {111, 95, 101, 3})},
    {"{gap: 1s}", EVENTS(1, 2, 1000, 5000, 5001, 10000),
     WINDOWS({2000, 1, 1000, 3}, {6001, 5000, 5001, 2}, {11000, 10000, 10000, 1})},
    /* The same, testSimple: Beam parts events that are exactly gap apart, Flink and this language do not */
    {"{gap: 10ms}", EVENTS(0, 10, 101), WINDOWS({20, 0, 10, 2}, {111, 101, 101, 1})},
    /* Flink, WindowOperatorTest: testSessionWindows of key2 and key1, testReduceSessionWindows */
    {"{gap: 3s}", EVENTS(0, 1000, 2500, 5501, 6000, 6000, 6050, 15000, 15000),
     WINDOWS({5500, 0, 2500, 3}, {9050, 5501, 6050, 4}, {18000, 15000, 15000, 2})},
    {"{gap: 3s}", EVENTS(10, 1000, 2500), WINDOWS({5500, 10, 2500, 3})},
    /* Flink, EventTimeSessionWindowsTest: testMergeConsecutiveWindows, testMergeCoveringWindow: windows that touch merge,
     * and one millisecond between them parts them */
    {"{gap: 1ms}", EVENTS(0, 1, 2, 4, 5), WINDOWS({3, 0, 2, 3}, {6, 4, 5, 2})},
    {"{gap: 1ms}", EVENTS(0, 1, 1, 4, 5, 5), WINDOWS({2, 0, 1, 3}, {6, 4, 5, 3})},
    /* What neither has: the longest session. One at exactly first + max is in it. */
    {"{gap: 10ms, max: 20ms}", EVENTS(0, 8, 16, 20, 21, 28),
     WINDOWS({20, 0, 20, 4}, {38, 21, 28, 2})},
    {"{gap: 10ms, max: 10ms}", EVENTS(0, 10, 11, 20), WINDOWS({10, 0, 10, 2}, {21, 11, 20, 2})},
};
/* clang-format on */

static void check_windows(const struct window_case *c)
{
    struct fixture f;
    open_fixture(&f, c->window);
    for (size_t i = 0; i < c->event_count; i++)
        add(&f, c->events[i], (int)i);
    advance(&f, INT64_C(1) << 40);
    size_t n = 0;
    for (size_t i = 0; i < f.context.evaluation_count; i++) {
        const struct evaluation *got = f.context.evaluations[i];
        if (!got->when) /* the first empty window */
            continue;
        assert_true(n < c->window_count);
        const struct expected *want = &c->windows[n++];
        if (got->time_ms != want->at || value_ms(got->slots[OUT_FIRST_SEEN]) != want->first ||
            value_ms(got->slots[OUT_LAST_SEEN]) != want->last || got->slots[OUT_EVENTS].d != want->events)
            fail_msg("%s: window %zu is evaluated at %lld over [%lld, %lld], %g events", c->window, n,
                     (long long)got->time_ms, (long long)value_ms(got->slots[OUT_FIRST_SEEN]),
                     (long long)value_ms(got->slots[OUT_LAST_SEEN]), got->slots[OUT_EVENTS].d);
    }
    assert_int_equal(n, c->window_count);
    close_fixture(&f);
}

static void test_windows_of_public_suites(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_windows(&cases[i]);
}

struct period_case {
    const char *window;
    const char *in; /* instants of one window */
    const char *and;
    const char *start;
    const char *end;
};

/* Beam, CalendarWindowsTest: testDays, testMonths, testTimeZone; its weeks begin on any day, here on Monday. */
static const struct period_case periods[] = {
    {"{calendar: day}", "2014-01-01T00:00:00Z", "2014-01-01T23:59:00Z", "2014-01-01T00:00:00Z", "2014-01-02T00:00:00Z"},
    {"{calendar: day}", "2014-01-02T00:00:00Z", "2014-01-02T05:05:00Z", "2014-01-02T00:00:00Z", "2014-01-03T00:00:00Z"},
    {"{calendar: day}", "2015-01-01T00:00:00Z", "2015-01-01T05:05:00Z", "2015-01-01T00:00:00Z", "2015-01-02T00:00:00Z"},
    {"{calendar: week}", "2013-12-30T00:00:00Z", "2014-01-05T05:05:00Z", "2013-12-30T00:00:00Z",
     "2014-01-06T00:00:00Z"},
    {"{calendar: week}", "2014-12-29T00:00:00Z", "2015-01-04T23:59:59Z", "2014-12-29T00:00:00Z",
     "2015-01-05T00:00:00Z"},
    {"{calendar: month}", "2014-01-01T00:00:00Z", "2014-01-31T05:05:00Z", "2014-01-01T00:00:00Z",
     "2014-02-01T00:00:00Z"},
    {"{calendar: month}", "2014-02-01T00:00:00Z", "2014-02-15T05:05:00Z", "2014-02-01T00:00:00Z",
     "2014-03-01T00:00:00Z"},
    {"{calendar: month}", "2015-01-01T00:00:00Z", "2015-01-31T05:05:00Z", "2015-01-01T00:00:00Z",
     "2015-02-01T00:00:00Z"},
    {"{calendar: month}", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z",
     "2024-03-01T00:00:00Z"},
    {"{calendar: quarter}", "2014-10-01T00:00:00Z", "2014-12-31T23:59:59Z", "2014-10-01T00:00:00Z",
     "2015-01-01T00:00:00Z"},
    {"{calendar: day, timezone: America/Los_Angeles}", "2014-01-01T08:00:00Z", "2014-01-02T07:59:00Z",
     "2014-01-01T08:00:00Z", "2014-01-02T08:00:00Z"},
    {"{calendar: day, timezone: America/Los_Angeles}", "2014-01-02T08:00:00Z", "2014-01-03T07:59:00Z",
     "2014-01-02T08:00:00Z", "2014-01-03T08:00:00Z"},
};

static int64_t ms_of(const char *text)
{
    int64_t ms = 0;
    assert_true(time_parse_ms(str_of(text), &ms));
    return ms;
}

static void test_periods_of_public_suites(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
        const struct period_case *c = &periods[i];
        struct fixture f;
        open_fixture(&f, c->window);
        const struct window *window = &f.rules->rules->window;
        assert_int_equal(span_end_after(window, ms_of(c->in)), ms_of(c->end));
        assert_int_equal(span_end_after(window, ms_of(c->and)), ms_of(c->end));
        assert_int_equal(span_start(window, ms_of(c->end)), ms_of(c->start));
        close_fixture(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows_of_public_suites),
                                       cmocka_unit_test(test_periods_of_public_suites)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
