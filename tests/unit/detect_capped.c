/* Which windows lack what limits.window_events left no room for, and that the state keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect/detector.h"

static struct {
    struct arena arena;
    struct ruleset *rules;
    struct state *state;
    struct group *group;
    struct detector_counters counters;
} at;

/* What lies below `applied_ms` was applied. */
static void load(int64_t applied_ms)
{
    struct error err;
    struct group_options options = {.rule = at.rules->rules, .key = STR_LIT(""), .past_ms = applied_ms};
    assert_int_equal(group_load(&at.group, at.state, &options, &err), 0);
}

static void open_rule(const char *window, const char *when)
{
    struct diagnostics diagnostics = {.arena = &at.arena};
    char *text = arena_printf(&at.arena,
                              "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {x: {stream: "
                              "incident}}, detect: {window: %s, when: %s}}\n",
                              window, when);
    at.rules = ruleset_load_text("r.yaml", str_of(text), &diagnostics);
    assert_non_null(at.rules);
    diagnostics_fini(&diagnostics);
    at.state = state_new(store_memory_new());
    load(INT64_MIN);
}

static void close_rule(void)
{
    group_free(at.group);
    state_free(at.state);
    ruleset_free(at.rules);
    arena_fini(&at.arena);
}

static struct detector_context context(void)
{
    static const int64_t first_ms[STREAM_COUNT];
    return (struct detector_context){.state = at.state,
                                     .arena = &at.arena,
                                     .window_events_max = 2,
                                     .first_ms = first_ms,
                                     .since_ms = INT64_MIN,
                                     .counters = &at.counters};
}

/* A new row, of which a window holds two at most; the evaluation that it led to, if any. */
static const struct evaluation *see(int64_t time_ms)
{
    struct detector_context call = context();
    struct event row;
    event_clear(&row, stream_get(STREAM_INCIDENT));
    row.time_ms = time_ms;
    row.at.offset = time_ms;
    row.values[INCIDENT_OPENED_AT] = value_time_ms(time_ms);
    detector_of(at.group->rule)->on_event(&call, at.group, &row, (struct selection){0, 1}, time_ms);
    return call.evaluation_count == 0 ? NULL : call.evaluations[0];
}

/* The group's next window. */
static const struct evaluation *close_window(int64_t time_ms)
{
    struct detector_context call = context();
    assert_int_equal(at.group->timer_ms, time_ms);
    detector_of(at.group->rule)->on_timer(&call, at.group, time_ms);
    assert_int_equal(call.evaluation_count, 1);
    return call.evaluations[0];
}

static void reload(bool restarts, int64_t applied_ms)
{
    if (!restarts)
        return;
    group_free(at.group);
    load(applied_ms);
}

static void test_sliding(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        open_rule("{size: 10ms}", "count(x) > 0");
        static const struct {
            int64_t time_ms;
            bool capped;
        } rows[] = {{1, false}, {2, false}, {3, true}, {11, true}, {12, true}, {21, false}, {23, false}, {24, true}};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            reload(restarts != 0, rows[i].time_ms);
            assert_int_equal(see(rows[i].time_ms)->capped, rows[i].capped);
        }
        close_rule();
    }
}

static void test_hopping(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        open_rule("{size: 20ms, slide: 10ms}", "count(x) > 0");
        for (int64_t time_ms = 1; time_ms <= 3; time_ms++)
            assert_null(see(time_ms));
        reload(restarts != 0, 10);
        assert_true(close_window(10)->capped);
        reload(restarts != 0, 15);
        assert_null(see(15));
        reload(restarts != 0, 20);
        assert_true(close_window(20)->capped); /* [0, 20): 1 and 2 went */
        assert_null(see(25));
        reload(restarts != 0, 30);
        assert_false(close_window(30)->capped); /* of [10, 30) nothing did */
        close_rule();
    }
}

/* What is looked back on lacks them too. */
static void test_ago(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        open_rule("{size: 10ms, slide: 10ms}, warmup: 0s", "\"count(x) > ago(count(x), '20ms')\"");
        assert_null(see(9));
        assert_false(close_window(10)->capped);
        assert_false(close_window(20)->capped);
        assert_null(see(21));
        assert_null(see(22)); /* 9 goes */
        reload(restarts != 0, 25);
        assert_true(close_window(30)->capped);
        reload(restarts != 0, 35);
        assert_false(close_window(40)->capped); /* of [10, 20) nothing went */
        close_rule();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sliding), cmocka_unit_test(test_hopping),
                                       cmocka_unit_test(test_ago)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
