/* The bound on a rule's groups, and what leaves memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "detect/detector.h"
#include "engine/groups.h"

static const char rules_text[] = "apiVersion: forestall.io/v1\n"
                                 "kind: RuleSet\n"
                                 "metadata: {name: test}\n"
                                 "rules:\n"
                                 "- id: r\n"
                                 "  from: {x: {stream: incident}}\n"
                                 "  detect: {group_by: [service], window: {size: 10m}, when: count(x) >= 1}\n"
                                 "- id: r-absence\n"
                                 "  from: {x: {stream: incident}}\n"
                                 "  detect: {type: absence, group_by: [service], of: x, every: 10d}\n"
                                 "- id: r-new-value\n"
                                 "  from: {x: {stream: incident}}\n"
                                 "  detect: {type: new_value, group_by: [service], of: x, value: event.incident_id, "
                                 "memory: 10d}\n";

enum { GROUPS_MAX = 200, EVICTED = GROUPS_MAX / 100 + 1 };

/* One time for every level. */
static const int64_t *at_all_levels(int64_t time_ms)
{
    static int64_t times_ms[RULE_LEVELS_MAX];
    for (size_t i = 0; i < RULE_LEVELS_MAX; i++)
        times_ms[i] = time_ms;
    return times_ms;
}

struct fixture {
    struct arena arena;
    struct ruleset *rules;
    struct state *state;
    struct groups *groups;
    struct detector_counters counters;
    int rule; /* number */
    size_t evicted;
};

static void open_with(struct fixture *fixture, const char *text, int64_t memory_bytes)
{
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    fixture->rules = ruleset_load_text("test.yaml", str_of(text), &diagnostics);
    assert_non_null(fixture->rules);
    fixture->state = state_new(store_memory_new());
    fixture->groups = groups_new(&(struct groups_options){.rules = fixture->rules,
                                                          .state = fixture->state,
                                                          .tasks = task_range_all(1),
                                                          .memory_bytes = memory_bytes,
                                                          .groups_max = GROUPS_MAX});
    diagnostics_fini(&diagnostics);
}

static void open_fixture(struct fixture *fixture, int64_t memory_bytes)
{
    open_with(fixture, rules_text, memory_bytes);
}

static void close_fixture(struct fixture *fixture)
{
    groups_free(fixture->groups);
    state_free(fixture->state);
    ruleset_free(fixture->rules);
    arena_fini(&fixture->arena);
}

static uint64_t key_of(struct fixture *fixture, int service, struct buf *key)
{
    struct value name = value_text(arena_printf(&fixture->arena, "s%d", service));
    buf_reset(key);
    group_key_encode(key, &fixture->rules->rules[fixture->rule], &name);
    return group_hash(buf_str(key));
}

/* An incident of the service, opened at `opened_ms` and seen at `time_ms`; as reduce does it. */
static void see(struct fixture *fixture, int service, int64_t opened_ms, int64_t time_ms)
{
    struct buf key = {0};
    struct error err;
    struct group *group;
    struct event row;
    uint64_t hash = key_of(fixture, service, &key);
    struct detector_context context = {
        .state = fixture->state, .arena = &fixture->arena, .window_events_max = 100, .counters = &fixture->counters};
    event_clear(&row, stream_get(STREAM_INCIDENT));
    row.time_ms = opened_ms;
    row.at.offset = service;
    row.values[INCIDENT_ID] = value_text("i");
    assert_int_equal(groups_get(fixture->groups, fixture->rule, hash, buf_str(&key), &group, &err), 0);
    bool newcomer = group_is_empty(group);
    detector_of(group->rule)->on_event(&context, group, &row, (struct selection){0, 1}, time_ms);
    if (newcomer && !group_is_empty(group)) {
        size_t evicted = 0;
        assert_int_equal(groups_bound(fixture->groups, group, &evicted, &err), 0);
        fixture->evicted += evicted;
    }
    groups_settle(fixture->groups, group, newcomer);
    buf_fini(&key);
}

static bool known(struct fixture *fixture, int service)
{
    struct buf key = {0};
    struct error err;
    struct group *group;
    uint64_t hash = key_of(fixture, service, &key);
    assert_int_equal(groups_get(fixture->groups, fixture->rule, hash, (struct str){NULL, 0}, &group, &err), 0);
    buf_fini(&key);
    return group != NULL;
}

static void test_the_stalest_go(void **state)
{
    struct fixture fixture = {0};
    (void)state;
    open_fixture(&fixture, 1 << 30);
    for (int i = 0; i < GROUPS_MAX; i++)
        see(&fixture, i, 1000 + i, 1000 + i);
    see(&fixture, 1, 5000, 5000); /* no longer among the stalest */
    assert_int_equal(fixture.evicted, 0);
    see(&fixture, GROUPS_MAX, 6000, 6000);
    assert_int_equal(fixture.evicted, EVICTED);
    for (int i = 0; i <= GROUPS_MAX; i++)
        assert_int_equal(known(&fixture, i), i == 1 || i > EVICTED);
    close_fixture(&fixture);
}

/* Detectors that leave their last event to the commit still tell how stale a group is, within an hour. */
static void test_the_stalest_go_of_matching_detectors(void **state)
{
    (void)state;
    for (int rule = 1; rule <= 2; rule++) {
        struct fixture fixture = {.rule = rule};
        open_fixture(&fixture, 1 << 30);
        for (int i = 0; i < GROUPS_MAX; i++)
            see(&fixture, i, HOUR_MS + i, HOUR_MS + i);
        see(&fixture, 1, 3 * HOUR_MS, 3 * HOUR_MS);
        see(&fixture, GROUPS_MAX, 4 * HOUR_MS, 4 * HOUR_MS);
        assert_int_equal(fixture.evicted, EVICTED);
        for (int i = 0; i <= GROUPS_MAX; i++)
            assert_int_equal(known(&fixture, i), i == 1 || i > EVICTED);
        close_fixture(&fixture);
    }
}

static struct str note_of(struct fixture *fixture, int service)
{
    struct buf key = {0};
    struct error err;
    struct group *group;
    uint64_t hash = key_of(fixture, service, &key);
    assert_int_equal(groups_get(fixture->groups, fixture->rule, hash, (struct str){NULL, 0}, &group, &err), 0);
    buf_fini(&key);
    assert_true(group != NULL && group->note_count == 1);
    return group->notes[0].bytes;
}

static int no_note(void *context, struct str key, struct str value)
{
    (void)context;
    (void)value;
    return key.p[2] == STATE_PART && key.p[19] == GROUP_NOTE; /* after task, kind, rule and group */
}

/* What changes with every event is written once, by the commit, and is there after it. */
static void test_notes_wait_for_the_commit(void **state)
{
    struct fixture fixture = {.rule = 1};
    struct error err;
    (void)state;
    open_fixture(&fixture, 1 << 30);
    for (int i = 0; i < 3; i++)
        see(&fixture, i, 1000, 1000);
    size_t bytes = groups_unwritten(fixture.groups);
    assert_true(bytes > 0);
    for (int i = 0; i < 10; i++)
        see(&fixture, 1, 1000, 1000);
    assert_int_equal(groups_unwritten(fixture.groups), bytes);
    assert_int_equal(state_scan(fixture.state, (struct str){0}, no_note, NULL, &err), 0);
    groups_commit(fixture.groups);
    assert_int_equal(groups_unwritten(fixture.groups), 0);
    see(&fixture, 1, 2000, 2000);
    assert_int_equal(groups_unwritten(fixture.groups), bytes / 3);
    struct str note = arena_str(&fixture.arena, note_of(&fixture, 1));
    groups_commit(fixture.groups);
    see(&fixture, 2, 3000, 3000); /* not in the commit */
    assert_int_equal(groups_restore(fixture.groups, at_all_levels(2000), &err), 0);
    assert_int_equal(groups_unwritten(fixture.groups), 0);
    assert_true(str_eq(note_of(&fixture, 1), note));
    assert_false(str_eq(note_of(&fixture, 2), note));
    close_fixture(&fixture);
}

/* A group that goes leaves nothing to be written. */
static void test_unwritten_notes_go_with_their_group(void **state)
{
    struct fixture fixture = {.rule = 1};
    (void)state;
    open_fixture(&fixture, 1 << 30);
    for (int i = 0; i <= GROUPS_MAX; i++)
        see(&fixture, i, 100000 + i, 100000 + i);
    size_t left = 0;
    for (int i = 0; i <= GROUPS_MAX; i++)
        left += known(&fixture, i) ? note_of(&fixture, i).n + 28 : 0;
    assert_int_equal(fixture.evicted, EVICTED);
    assert_int_equal(groups_unwritten(fixture.groups), left);
    groups_commit(fixture.groups);
    assert_int_equal(groups_unwritten(fixture.groups), 0);
    close_fixture(&fixture);
}

static void recommend(struct fixture *fixture, int service, bool live)
{
    struct buf key = {0};
    struct buf group_key = {0};
    state_key(&key, 0, STATE_RECOMMENDATION);
    buf_u64(&key, fixture->rules->rules[0].hash);
    buf_u64(&key, key_of(fixture, service, &group_key));
    if (live)
        state_put(fixture->state, buf_str(&key), STR_LIT("live"));
    else
        state_del(fixture->state, buf_str(&key));
    buf_fini(&key);
    buf_fini(&group_key);
}

/* The first is the stalest, and is kept; the next ones have gone. */
static void assert_all_but_the_first_go(struct fixture *fixture)
{
    assert_int_equal(fixture->evicted, EVICTED);
    for (int i = 0; i <= GROUPS_MAX; i++)
        assert_int_equal(known(fixture, i), i == 0 || i > EVICTED);
}

static void test_a_recommendation_keeps_its_group(void **state)
{
    struct fixture fixture = {0};
    (void)state;
    open_fixture(&fixture, 1 << 30);
    recommend(&fixture, 0, true);
    for (int i = 0; i <= GROUPS_MAX; i++)
        see(&fixture, i, 1000 + i, 1000 + i);
    assert_all_but_the_first_go(&fixture);
    close_fixture(&fixture);
}

/* What a recommendation is validated by stays as long as it, whether or not groups share it. */
static void test_a_recommendation_keeps_its_history(void **state)
{
    static const char *const pers[] = {"", "per: [service], "};
    (void)state;
    for (size_t k = 0; k < sizeof pers / sizeof *pers; k++) {
        struct fixture fixture = {0};
        open_with(&fixture,
                  arena_printf(&fixture.arena,
                               "apiVersion: forestall.io/v1\n"
                               "kind: RuleSet\n"
                               "metadata: {name: test}\n"
                               "rules:\n"
                               "- id: r\n"
                               "  from: {x: {stream: incident}}\n"
                               "  detect: {group_by: [%s], window: {size: 10m}, when: count(x) >= 1}\n"
                               "  recommend: {%scategory: architecture, title: t}\n"
                               "  validate: {measures: {n: {value: incidents, met: after < before}}}\n",
                               k == 0 ? "service" : "service, environment", pers[k]),
                  1 << 30);
        assert_int_equal(fixture.rules->all_count, 2);
        fixture.rule = 1; /* the history, which nothing names */
        assert_int_equal(fixture.rules->rules[1].type, DETECTOR_HISTORY);
        recommend(&fixture, 0, true);
        for (int i = 0; i <= GROUPS_MAX; i++)
            see(&fixture, i, HOUR_MS + i, HOUR_MS + i);
        assert_all_but_the_first_go(&fixture);
        close_fixture(&fixture);
    }
}

/* A look that finds nobody who can go is not made again for each newcomer, also after a restart. */
static void test_where_all_stay_newcomers_are_not_looked_through(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct fixture fixture = {0};
        struct error err;
        open_fixture(&fixture, 1 << 30);
        for (int i = 0; i < GROUPS_MAX; i++) {
            recommend(&fixture, i, true);
            see(&fixture, i, 1000 + i, 1000 + i);
        }
        recommend(&fixture, GROUPS_MAX, true);
        see(&fixture, GROUPS_MAX, 2000, 2000);
        assert_int_equal(fixture.evicted, 0);
        if (restarts) {
            groups_commit(fixture.groups);
            assert_int_equal(groups_restore(fixture.groups, at_all_levels(2000), &err), 0);
        }
        for (int i = 0; i <= GROUPS_MAX; i++)
            recommend(&fixture, i, false);
        for (int i = 1; i <= EVICTED; i++) {
            see(&fixture, GROUPS_MAX + i, 3000 + i, 3000 + i);
            assert_int_equal(fixture.evicted, 0);
        }
        see(&fixture, GROUPS_MAX + EVICTED + 1, 4000, 4000);
        assert_int_equal(fixture.evicted, EVICTED);
        see(&fixture, GROUPS_MAX + EVICTED + 2, 5000, 5000); /* still too many: the next look is at once */
        assert_int_equal(fixture.evicted, 2 * EVICTED);
        close_fixture(&fixture);
    }
}

/* Where groups share recommendations, or have several, those stay that ever detected, also after a restart. */
static void test_who_detected_stays(void **state)
{
    static const char shared_text[] = "apiVersion: forestall.io/v1\n"
                                      "kind: RuleSet\n"
                                      "metadata: {name: test}\n"
                                      "rules:\n"
                                      "- id: r\n"
                                      "  from: {x: {stream: incident}}\n"
                                      "  detect: {group_by: [service], window: {size: 10m}, when: count(x) >= 1}\n"
                                      "  recommend: {per: [], category: architecture, title: t}\n";
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct fixture fixture = {0};
        struct buf key = {0};
        struct error err;
        struct group *group;
        open_with(&fixture, shared_text, 1 << 30);
        see(&fixture, 0, 1000, 1000);
        uint64_t hash = key_of(&fixture, 0, &key);
        assert_int_equal(groups_get(fixture.groups, 0, hash, buf_str(&key), &group, &err), 0);
        assert_false(group->detected);
        group->detected = true; /* as reduce does it */
        group_save(group, fixture.state);
        for (int i = 1; i < GROUPS_MAX; i++)
            see(&fixture, i, 1000 + i, 1000 + i);
        if (restarts == 1)
            assert_int_equal(groups_restore(fixture.groups, at_all_levels(1000 + GROUPS_MAX), &err), 0);
        see(&fixture, GROUPS_MAX, 1000 + GROUPS_MAX, 1000 + GROUPS_MAX);
        assert_all_but_the_first_go(&fixture);
        buf_fini(&key);
        close_fixture(&fixture);
    }
}

/* Rows outside the window pass by without being counted, so the bound comes where a restart would have it come. */
static void test_who_passes_by_is_not_counted(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct fixture fixture = {0};
        struct error err;
        open_fixture(&fixture, 1 << 30);
        for (int i = 0; i < GROUPS_MAX; i++) {
            see(&fixture, i, HOUR_MS + i, HOUR_MS + i);
            see(&fixture, 1000 + i, 1, HOUR_MS + i);
            assert_false(known(&fixture, 1000 + i));
        }
        assert_int_equal(fixture.evicted, 0);
        if (restarts == 1)
            assert_int_equal(groups_restore(fixture.groups, at_all_levels(HOUR_MS + GROUPS_MAX), &err), 0);
        see(&fixture, GROUPS_MAX, HOUR_MS + GROUPS_MAX, HOUR_MS + GROUPS_MAX);
        assert_int_equal(fixture.evicted, EVICTED);
        close_fixture(&fixture);
    }
}

static void test_memory_is_not_the_bound(void **state)
{
    struct fixture fixture = {0};
    (void)state;
    open_fixture(&fixture, 1000);
    for (int i = 0; i < GROUPS_MAX; i++) {
        see(&fixture, i, 1000 + i, 1000 + i);
        groups_commit(fixture.groups);
    }
    for (int i = 0; i < GROUPS_MAX; i++)
        assert_true(known(&fixture, i));
    assert_int_equal(fixture.evicted, 0);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_stalest_go),
                                       cmocka_unit_test(test_the_stalest_go_of_matching_detectors),
                                       cmocka_unit_test(test_notes_wait_for_the_commit),
                                       cmocka_unit_test(test_unwritten_notes_go_with_their_group),
                                       cmocka_unit_test(test_a_recommendation_keeps_its_group),
                                       cmocka_unit_test(test_a_recommendation_keeps_its_history),
                                       cmocka_unit_test(test_where_all_stay_newcomers_are_not_looked_through),
                                       cmocka_unit_test(test_who_detected_stays),
                                       cmocka_unit_test(test_who_passes_by_is_not_counted),
                                       cmocka_unit_test(test_memory_is_not_the_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
