/* Rules that come, stay, go and come back: since when they are in force, and when their state goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "engine/known_rules.h"

#define RULE(id) "- id: " id "\n  from: {x: {stream: incident}}\n  detect: {window: {size: 10m}, when: count(x) >= 1}\n"
#define HEAD     "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n"
enum { TASKS = 2, MINUTE = MINUTE_MS };

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
    struct state *state;
    struct ruleset *rules;
    struct known_rules *known;
    int64_t armed_ms;
    size_t armed;
};

static void arm(void *context, int64_t time_ms)
{
    struct fixture *fixture = context;
    fixture->armed_ms = time_ms;
    fixture->armed++;
}

/* Another rule set over the same state, as after a restore at `applied_ms`. */
static void restore(struct fixture *fixture, const char *text, int64_t applied_ms)
{
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    struct error err = {0};
    known_rules_free(fixture->known);
    ruleset_free(fixture->rules);
    fixture->rules = ruleset_load_text("test.yaml", str_of(text), &diagnostics);
    assert_non_null(fixture->rules);
    diagnostics_fini(&diagnostics);
    fixture->known = known_rules_new(&(struct known_rules_options){.rules = fixture->rules,
                                                                   .state = fixture->state,
                                                                   .tasks = task_range_all(TASKS),
                                                                   .arm = arm,
                                                                   .context = fixture});
    fixture->armed = 0;
    assert_int_equal(known_rules_restore(fixture->known, at_all_levels(applied_ms), &err), 0);
}

static int setup(void **context)
{
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    fixture->state = state_new(store_memory_new());
    *context = fixture;
    return 0;
}

static int teardown(void **context)
{
    struct fixture *fixture = *context;
    known_rules_free(fixture->known);
    ruleset_free(fixture->rules);
    state_free(fixture->state);
    arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

static void put_entries(struct fixture *fixture, uint64_t hash, size_t count)
{
    struct buf key = {0};
    for (size_t i = 0; i < count; i++) {
        state_key(&key, (int)(i % TASKS), STATE_PART);
        buf_u64(&key, hash);
        buf_u64(&key, i);
        state_put(fixture->state, buf_str(&key), STR_LIT("x"));
    }
    buf_fini(&key);
}

static int count_one(void *context, struct str key, struct str value)
{
    (void)key;
    (void)value;
    (*(size_t *)context)++;
    return 0;
}

static size_t entries_of(struct fixture *fixture, uint64_t hash)
{
    struct buf key = {0};
    struct error err;
    size_t count = 0;
    for (int task = 0; task < TASKS; task++) {
        state_key(&key, task, STATE_PART);
        buf_u64(&key, hash);
        assert_int_equal(state_scan(fixture->state, buf_str(&key), count_one, &count, &err), 0);
    }
    buf_fini(&key);
    return count;
}

static void test_since(void **context)
{
    struct fixture *fixture = *context;
    restore(fixture, HEAD RULE("a"), INT64_MIN);
    assert_true(known_rules_since(fixture->known, 0) == INT64_MIN);
    restore(fixture, HEAD RULE("a") RULE("b"), 5 * MINUTE);
    assert_true(known_rules_since(fixture->known, 0) == INT64_MIN);
    assert_true(known_rules_since(fixture->known, 1) == 5 * MINUTE);
    restore(fixture, HEAD RULE("a") RULE("b"), 9 * MINUTE);
    assert_true(known_rules_since(fixture->known, 1) == 5 * MINUTE);
    assert_int_equal(fixture->armed, 0);
}

static void test_back_in_time(void **context)
{
    struct fixture *fixture = *context;
    struct error err = {0};
    restore(fixture, HEAD RULE("a") RULE("b"), 0);
    uint64_t b = fixture->rules->rules[1].hash;
    put_entries(fixture, b, 10);
    restore(fixture, HEAD RULE("a"), 5 * MINUTE);
    assert_true(fixture->armed == 1 && fixture->armed_ms == 15 * MINUTE);
    assert_int_equal(known_rules_expire(fixture->known, 15 * MINUTE - 1, &err), 0);
    assert_int_equal(entries_of(fixture, b), 10);
    restore(fixture, HEAD RULE("a") RULE("b"), 12 * MINUTE);
    assert_int_equal(fixture->armed, 0);
    assert_true(known_rules_since(fixture->known, 1) == 12 * MINUTE);
    assert_int_equal(known_rules_expire(fixture->known, 15 * MINUTE, &err), 0);
    assert_int_equal(entries_of(fixture, b), 10);
}

static void test_state_goes(void **context)
{
    struct fixture *fixture = *context;
    struct error err = {0};
    restore(fixture, HEAD RULE("a") RULE("b"), 0);
    uint64_t a = fixture->rules->rules[0].hash;
    uint64_t b = fixture->rules->rules[1].hash;
    put_entries(fixture, a, 3);
    put_entries(fixture, b, KNOWN_RULES_STEP + 10);
    restore(fixture, HEAD RULE("a"), 5 * MINUTE);
    restore(fixture, HEAD RULE("a"), 8 * MINUTE); /* it went at the first of the two */
    assert_true(fixture->armed == 1 && fixture->armed_ms == 15 * MINUTE);
    assert_int_equal(known_rules_expire(fixture->known, 15 * MINUTE, &err), 0);
    assert_int_equal(entries_of(fixture, b), 10);
    assert_true(fixture->armed == 2 && fixture->armed_ms == 15 * MINUTE + 1);
    assert_int_equal(known_rules_expire(fixture->known, 15 * MINUTE + 1, &err), 0);
    assert_int_equal(entries_of(fixture, b), 0);
    assert_int_equal(entries_of(fixture, a), 3);
    restore(fixture, HEAD RULE("a") RULE("b"), 20 * MINUTE);
    assert_true(fixture->armed == 0 && known_rules_since(fixture->known, 1) == 20 * MINUTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_since, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state_goes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
