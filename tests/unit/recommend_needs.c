/* `needs`: the detection that makes a recommendation, and silence before it. */
#include "recommend_driver.h"

#define RULE(window, more)                                                                                             \
    "- id: cart-fails\n"                                                                                               \
    "  from: {bad: {stream: incident}}\n"                                                                              \
    "  detect: {group_by: [service, environment], window: {" window "}, when: count(bad) >= 1}\n"                      \
    "  recommend: {category: code_quality, title: T, complexity: low, " more "}\n"

static const char three_rule[] = RULE("size: 60d", "needs: {detections: 3, within: 30d}");

static struct driver driver;

static void incident(enum outcome outcome, int64_t time_ms, const char *severity)
{
    driver_incident(&driver, outcome,
                    (struct incident){.id = arena_printf(&driver.kept, "i%lld", (long long)time_ms),
                                      .severity = severity,
                                      .opened_ms = time_ms});
}

/* Everything counts from the first detection on, and nothing is published before the third. */
static void test_the_third_makes_it(void **state)
{
    (void)state;
    driver_open(&driver, three_rule);
    incident(FIRES, DAYS(1), "sev3");
    incident(DETECTS, DAYS(2), "sev1");
    incident(FIRES, DAYS(3), "sev1");
    incident(TRUE_ONLY, DAYS(4), "sev1"); /* each would change the level */
    driver_row(&driver, DAYS(5), (struct incident){.id = "i0", .opened_ms = DAYS(4)}, false);
    incident(DETECTS, DAYS(6), "sev5");
    assert_int_equal(driver.version_count, 0);
    assert_int_equal(driver.timer_count, 0); /* neither ages nor waits for a cooldown */
    incident(FIRES, DAYS(20), "sev5");
    assert_int_equal(driver.version_count, 0);
    incident(DETECTS, DAYS(21), "sev5");
    assert_int_equal(driver.version_count, 1);
    assert_true(driver.detections[0]);
    assert_field(&driver, "version", "1");
    assert_field(&driver, "detections", "3");
    assert_field(&driver, "firings", "5");
    assert_field(&driver, "occurrences", "6");
    assert_field(&driver, "impact_score", "51"); /* three sev1, three sev5 */
    assert_field(&driver, "first_seen", "\"1970-01-03T00:00:00.000Z\"");
    assert_field(&driver, "history",
                 "[{\"at\":\"1970-01-22T00:00:00.000Z\",\"from\":null,\"to\":\"proposed\",\"actor\":\"forestall\","
                 "\"comment\":null}]");
    /* From then on it is one as any other. */
    incident(FIRES, DAYS(21) + HOURS(1), "sev5");
    driver_pass(&driver, DAYS(22), true);
    assert_int_equal(driver.version_count, 2);
    incident(DETECTS, DAYS(55), "sev5"); /* the only one in 30 days */
    assert_true(driver.detections[driver.version_count - 1]);
    assert_int_equal(last_time(&driver), DAYS(55));
    driver_pass(&driver, DAYS(90), true);
    assert_field(&driver, "impact_score", "0");
    driver_close(&driver);
}

/* (t - within, t] */
static void test_the_edge(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        driver_open(&driver, three_rule);
        incident(DETECTS, DAYS(1), "sev5");
        incident(DETECTS, DAYS(2), "sev5");
        incident(DETECTS, DAYS(31) - 1 + late, "sev5");
        assert_int_equal(driver.version_count, 1 - late);
        incident(DETECTS, DAYS(32) - 1, "sev5");
        assert_int_equal(driver.version_count, 2 - late);
        assert_field(&driver, "detections", "4");
        driver_close(&driver);
    }
}

/* Detections of one time are several. */
static void test_at_once(void **state)
{
    (void)state;
    driver_open(&driver, RULE("size: 60d", "per: [], needs: {detections: 3, within: 1ms}"));
    for (int i = 0; i < 3; i++) {
        const char *values[] = {"cart", arena_printf(&driver.kept, "e%d", i)};
        assert_int_equal(driver.version_count, 0);
        driver.group = driver_group(&driver, values);
        incident(DETECTS, DAYS(1), "sev5");
    }
    assert_int_equal(driver.version_count, 1);
    driver_close(&driver);
}

static void test_a_restart(void **state)
{
    (void)state;
    driver_open(&driver, three_rule);
    incident(DETECTS, DAYS(1), "sev5");
    incident(DETECTS, DAYS(5), "sev5");
    driver_commit(&driver);
    driver_restart(&driver);
    assert_int_equal(driver.timer_count, 0);
    driver_pass(&driver, DAYS(10), true);
    incident(FIRES, DAYS(10), "sev5");
    assert_int_equal(driver.version_count, 0);
    driver_restart(&driver);
    incident(DETECTS, DAYS(11), "sev5");
    assert_field(&driver, "detections", "3");
    assert_field(&driver, "first_seen", "\"1970-01-02T00:00:00.000Z\"");
    driver_restart(&driver);
    assert_int_equal(driver.timer_count, 1); /* it ages now */
    incident(DETECTS, DAYS(12), "sev5");
    assert_field(&driver, "history",
                 "[{\"at\":\"1970-01-12T00:00:00.000Z\",\"from\":null,\"to\":\"proposed\",\"actor\":\"forestall\","
                 "\"comment\":null}]");
    driver_close(&driver);
}

/* One event of a group, and what its window held before. */
static void event(const char *environment, enum outcome outcome, int day, int before)
{
    const char *values[] = {"cart", environment};
    driver.group = driver_group(&driver, values);
    struct made *made = made_new(&driver.kept, DAYS(day), outcome, true);
    if (before > 0)
        (void)made_add(made, metric("cart", DAYS(before)), false);
    (void)made_add(made, metric("cart", DAYS(day)), true);
    driver_evaluate(&driver, made);
}

/* Taking `needs` out of a rule keeps its state: what counted once does not count again. */
static void test_needs_no_more(void **state)
{
    (void)state;
    driver_open(&driver, RULE("size: 60d", "per: [service], needs: {detections: 2, within: 30d}, cooldown: 0s"));
    event("a", DETECTS, 1, 0);
    event("b", QUIET, 2, 0); /* counts: it is of after the first detection */
    event("a", DETECTS, 3, 0);
    assert_field(&driver, "occurrences", "3");
    struct ruleset *rules = driver.rules;
    recommender_free(driver.recommender);
    driver_load(&driver, RULE("size: 60d", "per: [service], cooldown: 0s"));
    assert_int_equal(driver.rules->rules[0].hash, rules->rules[0].hash);
    driver.recommender = recommender_new(&driver.options);
    ruleset_free(rules);
    event("a", DETECTS, 4, 0);
    driver_restart(&driver);
    event("b", DETECTS, 5, 2); /* lists it again */
    assert_field(&driver, "occurrences", "5");
    assert_field(&driver, "detections", "4");
    driver_close(&driver);
}

/* Needing fewer makes nothing by itself: the next detection does. */
static void test_needs_fewer(void **state)
{
    (void)state;
    driver_open(&driver, three_rule);
    incident(DETECTS, DAYS(1), "sev5");
    incident(DETECTS, DAYS(2), "sev5");
    struct ruleset *rules = driver.rules;
    recommender_free(driver.recommender);
    driver_load(&driver, RULE("size: 60d", "needs: {detections: 2, within: 30d}"));
    driver.recommender = recommender_new(&driver.options);
    ruleset_free(rules);
    incident(FIRES, DAYS(3), "sev1");
    assert_int_equal(driver.version_count, 0);
    incident(DETECTS, DAYS(4), "sev5");
    assert_int_equal(driver.version_count, 1);
    driver_close(&driver);
}

/* As many times are kept as are needed, and any byte less or more is found out. */
static void test_the_record(void **state)
{
    (void)state;
    struct buf parts[2] = {{0}, {0}};
    driver_open(&driver, RULE("size: 1h", "needs: {detections: 1000, within: 3660d}"));
    for (int i = 0; i < 1100; i++) {
        incident(DETECTS, DAYS(1) + HOURS(i), "sev5");
        assert_int_equal(driver.version_count, i < 999 ? 0 : i - 998);
    }
    driver_record(&driver, parts);
    assert_in_range(parts[1].len, 4000, 12000);
    buf_fini(&parts[0]);
    buf_fini(&parts[1]);
    driver_close(&driver);
    driver_open(&driver, three_rule);
    for (int i = 0; i < 10; i++)
        incident(DETECTS, DAYS(1 + 40 * i), "sev5");
    assert_int_equal(driver.version_count, 0);
    driver_damage(&driver, DAYS(400));
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_third_makes_it),
        cmocka_unit_test(test_the_edge),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_a_restart),
        cmocka_unit_test(test_needs_no_more),
        cmocka_unit_test(test_needs_fewer),
        cmocka_unit_test(test_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
