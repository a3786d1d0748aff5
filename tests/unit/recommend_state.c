/* What the state keeps: nothing is lost when memory is, timers come back, and damage is said to be damage. */
#include "recommend_driver.h"

static const char rule[] = "- id: cart-fails\n"
                           "  from: {bad: {stream: incident}}\n"
                           "  detect: {group_by: [service, environment], window: {size: 30d}, when: count(bad) >= 1}\n"
                           "  recommend: {category: code_quality, title: T, complexity: low}\n";

static struct driver driver;

static void incident(enum outcome outcome, int64_t time_ms)
{
    driver_incident(&driver, outcome,
                    (struct incident){.id = arena_printf(&driver.kept, "i%lld", (long long)time_ms),
                                      .severity = "sev5",
                                      .opened_ms = time_ms});
}

static void test_a_restart_keeps_everything(void **state)
{
    (void)state;
    driver_open(&driver, rule);
    incident(DETECTS, DAYS(1));
    incident(FIRES, DAYS(1) + HOURS(1)); /* held */
    driver_commit(&driver);
    driver_restart(&driver);
    assert_int_equal(driver.timer_count, 2);
    driver_pass(&driver, DAYS(2), true);
    assert_int_equal(driver.version_count, 2);
    assert_field(&driver, "version", "2");
    assert_field(&driver, "firings", "2");
    assert_field(&driver, "frequency", "2");
    driver_restart(&driver);
    assert_int_equal(driver.timer_count, 1); /* nothing is held now */
    driver_pass(&driver, DAYS(40), true);
    assert_field(&driver, "frequency", "0");
    driver_restart(&driver);
    assert_int_equal(driver.timer_count, 0);
    driver_close(&driver);
}

/* After an abort the state is what it was, and what follows is done again. */
static void test_an_abort(void **state)
{
    (void)state;
    driver_open(&driver, rule);
    incident(DETECTS, DAYS(1));
    driver_commit(&driver);
    size_t published = 0;
    for (int attempt = 0; attempt < 2; attempt++) {
        driver.version_count = 1;
        driver_restart(&driver);
        incident(DETECTS, DAYS(3));
        published = driver.version_count;
        assert_field(&driver, "detections", "2");
        assert_field(&driver, "version", "2");
        state_drop(driver.state);
    }
    assert_int_equal(published, 2);
    driver_close(&driver);
}

/* Recommendations leave memory when they take too much, the least recently used first, and come back. */
static void test_shrinking(void **state)
{
    (void)state;
    driver_open(&driver, rule);
    recommender_free(driver.recommender);
    driver.options.memory_bytes = 0;
    driver.recommender = recommender_new(&driver.options);
    for (int round = 0; round < 3; round++) {
        for (uint64_t group = 0; group < 50; group++) {
            driver.group.hash = group << 48 | 7;
            driver.group.task = group_task(driver.group.hash, driver.options.tasks.count);
            incident(DETECTS, DAYS(1) + round * 1000 + (int64_t)group);
        }
        recommender_shrink(driver.recommender);
    }
    assert_int_equal(driver.version_count, 150);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(driver_field(&driver, i, "detections").i, 3);
    driver_close(&driver);
}

/* A write for each change, and none without one. */
static void test_writes(void **state)
{
    (void)state;
    driver_open(&driver, rule);
    incident(DETECTS, DAYS(1));
    const struct str_pair *entries;
    assert_int_equal(state_dirty(driver.state, &entries), 2); /* the record and the row */
    driver_commit(&driver);
    struct error err;
    struct recommender_due due = {DAYS(1) + 5, RECOMMEND_AGEING, 0, driver.group.hash};
    assert_int_equal(recommender_timer(driver.recommender, &due, &driver.arena, &err), 0);
    driver_row(&driver, DAYS(1) + 6, (struct incident){.id = "unknown", .opened_ms = DAYS(1)}, true);
    assert_int_equal(state_dirty(driver.state, &entries), 0);
    driver_pass(&driver, DAYS(32), true); /* it has left, so nothing is remembered of the row */
    assert_int_equal(state_dirty(driver.state, &entries), 2);
    size_t deleted = 0;
    for (size_t i = 0; i < 2; i++)
        deleted += entries[i].value.p == NULL;
    assert_int_equal(deleted, 1);
    driver_close(&driver);
}

static void test_damage(void **state)
{
    (void)state;
    struct error err;
    struct buf parts[2] = {{0}, {0}};
    driver_open(&driver, rule);
    incident(DETECTS, DAYS(1));
    driver_damage(&driver, DAYS(2));
    driver_record(&driver, parts);
    state_put(driver.state, buf_str(&parts[0]), STR_LIT("?"));
    assert_int_equal(recommender_restore(driver.recommender, &err), -1);
    assert_int_equal(err.class, ERROR_FATAL);
    buf_fini(&parts[0]);
    buf_fini(&parts[1]);
    driver_close(&driver);
}

static void test_other_rules_are_left_alone(void **state)
{
    (void)state;
    driver_open(&driver, rule);
    incident(DETECTS, DAYS(1));
    struct recommender *before = driver.recommender;
    struct ruleset *rules = driver.rules;
    struct state *kept = driver.state;
    struct diagnostics diagnostics = {.arena = &driver.kept};
    struct buf text = {0};
    buf_puts(&text, rule_start);
    buf_puts(&text, "- id: another\n"
                    "  from: {bad: {stream: incident}}\n"
                    "  detect: {group_by: [service, environment], window: {size: 30d}, when: count(bad) >= 1}\n"
                    "  recommend: {category: code_quality, title: T}\n");
    struct ruleset *others = ruleset_load_text("others.yaml", buf_str(&text), &diagnostics);
    buf_fini(&text);
    assert_non_null(others);
    diagnostics_fini(&diagnostics);
    driver.options.rules = others;
    driver.recommender = recommender_new(&driver.options);
    driver_restart(&driver);
    assert_int_equal(driver.timer_count, 0);
    recommender_free(driver.recommender);
    ruleset_free(others);
    driver.recommender = before;
    assert_ptr_equal(driver.state, kept);
    driver.rules = rules;
    driver_restart(&driver);
    assert_int_equal(driver.timer_count, 1);
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_restart_keeps_everything),
        cmocka_unit_test(test_an_abort),
        cmocka_unit_test(test_shrinking),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_other_rules_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
