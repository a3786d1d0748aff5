/* What tells a scorecard's windows from a rule's: they are evaluated though they began before the scorecard was in
 * force, or before there is a window before them; and they never fire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect/detector.h"

enum { SINCE = 15, FIRST = 12 };

static const char head[] = "apiVersion: forestall.io/v1\n";
static struct arena arena;
static struct ruleset *rules;
static struct state *kept;
static struct group *group;
static struct detector_counters counters;

static void open_text(const char *text)
{
    struct diagnostics diagnostics = {.arena = &arena};
    struct error err;
    rules = ruleset_load_text("r.yaml", str_of(arena_printf(&arena, "%s%s", head, text)), &diagnostics);
    assert_non_null(rules);
    diagnostics_fini(&diagnostics);
    kept = state_new(store_memory_new());
    struct group_options options = {.rule = rules->rules, .key = STR_LIT(""), .past_ms = INT64_MIN};
    assert_int_equal(group_load(&group, kept, &options, &err), 0);
}

static int close_all(void **context)
{
    (void)context;
    group_free(group);
    state_free(kept);
    ruleset_free(rules);
    arena_fini(&arena);
    return 0;
}

/* In force since 15 ms, the first incident at 12. */
static struct detector_context context(void)
{
    static const int64_t first_ms[STREAM_COUNT] = {FIRST};
    return (struct detector_context){.state = kept,
                                     .arena = &arena,
                                     .window_events_max = 10,
                                     .first_ms = first_ms,
                                     .since_ms = SINCE,
                                     .counters = &counters};
}

static void see(int64_t time_ms)
{
    struct detector_context call = context();
    struct event row;
    event_clear(&row, stream_get(STREAM_INCIDENT));
    row.time_ms = time_ms;
    row.at.offset = time_ms;
    row.values[INCIDENT_OPENED_AT] = value_time_ms(time_ms);
    detector_of(group->rule)->on_event(&call, group, &row, (struct selection){0, 1}, time_ms);
    assert_int_equal(call.evaluation_count, 0);
}

/* The window that ends then; NULL: it is not evaluated. */
static const struct evaluation *close_window(int64_t end_ms)
{
    struct detector_context call = context();
    assert_int_equal(group->timer_ms, end_ms);
    detector_of(group->rule)->on_timer(&call, group, end_ms);
    return call.evaluation_count == 0 ? NULL : call.evaluations[0];
}

static void test_a_scorecard(void **state)
{
    (void)state;
    open_text(
        "kind: Scorecard\nscorecards:\n- {id: s, from: {x: {stream: incident}}, window: {size: 10ms, slide: 10ms}, "
        "value: count(x)}\n");
    const struct rule *rule = group->rule;
    see(16);
    for (int64_t end_ms = 20; end_ms <= 40; end_ms += 10) {
        const struct evaluation *at = close_window(end_ms);
        assert_non_null(at);
        assert_false(at->firing || at->detection);
        struct value previous = at->slots[rule_aggregate_slot(rule, (size_t)rule->scorecard->previous)];
        /* Ten milliseconds in force at 25: known at 30. */
        assert_int_equal(previous.type, end_ms < 30 ? VALUE_NULL : VALUE_DOUBLE);
        if (end_ms == 20)
            see(25);
        else
            assert_true(previous.d == 1);
    }
}

static void test_a_rule(void **state)
{
    (void)state;
    open_text("kind: RuleSet\nrules:\n- {id: s, from: {x: {stream: incident}}, detect: {window: {size: 10ms, slide: "
              "10ms}, when: count(x) >= ago(count(x))}}\n");
    see(16);
    assert_null(close_window(20));
    see(25);
    assert_non_null(close_window(30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_a_scorecard, close_all),
                                       cmocka_unit_test_teardown(test_a_rule, close_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
