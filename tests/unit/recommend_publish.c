/* When a version is published: cooldowns, what they hold back, and what they do not. */
#include "recommend_driver.h"

#define RULE(cooldown)                                                                                                 \
    "- id: cart-fails\n"                                                                                               \
    "  from:\n"                                                                                                        \
    "    bad: {stream: incident, match: {service: cart}}\n"                                                            \
    "  detect: {group_by: [service, environment], window: {size: 30d}, when: count(bad) >= 1}\n"                       \
    "  recommend: {category: code_quality, title: '{{ count(bad) }} of them', complexity: low" cooldown "}\n"

static const char daily_rule[] = RULE("");
static const char eager_rule[] = RULE(", cooldown: 0s");

static struct driver driver;

/* A sev5 incident at `time_ms`: too light to change the level. */
static void incident(enum outcome outcome, int64_t time_ms)
{
    struct made *made = made_new(&driver.kept, time_ms, outcome, true);
    struct event row =
        incident_row(&driver.kept, (struct incident){.id = arena_printf(&driver.kept, "i%lld", (long long)time_ms),
                                                     .severity = "sev5",
                                                     .opened_ms = time_ms});
    (void)made_add(made, row, true);
    made->slots[OUT_FIXED_COUNT] = value_double((double)time_ms);
    driver_evaluate(&driver, made);
}

static void test_nothing_before_a_detection(void **state)
{
    (void)state;
    driver_open(&driver, daily_rule);
    incident(QUIET, DAYS(1));
    incident(TRUE_ONLY, DAYS(2));
    incident(FIRES, DAYS(3));
    assert_int_equal(driver.version_count, 0);
    assert_int_equal(state_dirty_bytes(driver.state), 0);
    incident(DETECTS, DAYS(4));
    assert_int_equal(driver.version_count, 1);
    assert_field(&driver, "occurrences", "1");
    assert_field(&driver, "firings", "1");
    driver_close(&driver);
}

static void test_no_recommend_no_recommendation(void **state)
{
    (void)state;
    driver_open(&driver, "- id: only-detects\n"
                         "  from: {bad: {stream: incident}}\n"
                         "  detect: {group_by: [service, environment], window: {size: 30d}, when: count(bad) >= 1}\n");
    incident(DETECTS, DAYS(4));
    assert_int_equal(driver.version_count, 0);
    assert_int_equal(state_dirty_bytes(driver.state), 0);
    driver_close(&driver);
}

static void test_held_until_the_cooldown_ends(void **state)
{
    (void)state;
    driver_open(&driver, daily_rule);
    incident(DETECTS, DAYS(1) + HOURS(6));
    incident(FIRES, DAYS(1) + HOURS(7));
    incident(FIRES, DAYS(1) + HOURS(8));
    assert_int_equal(driver.version_count, 1);
    driver_pass(&driver, DAYS(2) + HOURS(6) - 1, true);
    assert_int_equal(driver.version_count, 1);
    driver_pass(&driver, DAYS(2) + HOURS(6), true);
    assert_int_equal(driver.version_count, 2);
    assert_int_equal(last_time(&driver), DAYS(2) + HOURS(6));
    assert_field(&driver, "firings", "3");
    assert_field(&driver, "occurrences", "3");
    assert_field(&driver, "version", "2");
    assert_field(&driver, "life_version", "2"); /* the title counts */
    /* That publication began the next one; nothing is held, so nothing comes at its end. */
    driver_pass(&driver, DAYS(4), true);
    assert_int_equal(driver.version_count, 2);
    incident(FIRES, DAYS(4)); /* no cooldown runs */
    assert_int_equal(driver.version_count, 3);
    driver_close(&driver);
}

static void test_an_event_at_the_cooldowns_end(void **state)
{
    (void)state;
    driver_open(&driver, daily_rule);
    incident(DETECTS, DAYS(1));
    incident(FIRES, DAYS(1) + HOURS(1));
    incident(FIRES, DAYS(2)); /* events come before ends of cooldowns */
    assert_int_equal(driver.version_count, 2);
    assert_field(&driver, "firings", "3");
    driver_pass(&driver, DAYS(2), true);
    assert_int_equal(driver.version_count, 2);
    incident(FIRES, DAYS(3) - 1); /* the cooldown began anew at day 2 */
    assert_int_equal(driver.version_count, 2);
    driver_pass(&driver, DAYS(3), true);
    assert_int_equal(driver.version_count, 3);
    driver_close(&driver);
}

static void test_a_detection_within_a_cooldown(void **state)
{
    (void)state;
    driver_open(&driver, daily_rule);
    incident(DETECTS, DAYS(1));
    incident(FIRES, DAYS(1) + HOURS(1)); /* held */
    incident(DETECTS, DAYS(1) + HOURS(12));
    assert_int_equal(driver.version_count, 2);
    assert_true(driver.detections[1]);
    assert_field(&driver, "detections", "2");
    assert_field(&driver, "firings", "3");
    incident(FIRES, DAYS(1) + HOURS(13));
    assert_int_equal(driver.version_count, 2);
    driver_pass(&driver, DAYS(2), true); /* the cooldown of day 1 goes on: neither ended nor begun anew */
    assert_int_equal(driver.version_count, 3);
    assert_int_equal(last_time(&driver), DAYS(2));
    driver_close(&driver);
}

static void test_a_level_change_within_a_cooldown(void **state)
{
    (void)state;
    driver_open(&driver, daily_rule);
    incident(DETECTS, DAYS(1));
    driver_incident(&driver, FIRES,
                    (struct incident){.id = "big", .severity = "sev1", .opened_ms = DAYS(1) + HOURS(2)});
    assert_int_equal(driver.version_count, 2);
    assert_false(driver.detections[1]);
    assert_field(&driver, "impact", "\"medium\"");
    driver_row(&driver, DAYS(1) + HOURS(3),
               (struct incident){.id = "big", .severity = "sev5", .opened_ms = DAYS(1) + HOURS(2)}, true);
    assert_int_equal(driver.version_count, 3);
    assert_field(&driver, "impact", "\"low\"");
    driver_pass(&driver, DAYS(10), true);
    assert_int_equal(driver.version_count, 3);
    driver_close(&driver);
}

static void test_every_change_without_a_cooldown(void **state)
{
    (void)state;
    driver_open(&driver, eager_rule);
    incident(DETECTS, DAYS(1));
    incident(FIRES, DAYS(1) + 1);
    incident(QUIET, DAYS(1) + 2);
    incident(TRUE_ONLY, DAYS(1) + 2);
    assert_int_equal(driver.version_count, 4);
    assert_int_equal(driver.timer_count, 1); /* ageing */
    driver_close(&driver);
}

/* The same content is not published twice, also where its time and version would differ. */
static void test_no_version_without_a_change(void **state)
{
    (void)state;
    driver_open(&driver, eager_rule);
    struct made *made = made_new(&driver.kept, DAYS(1), DETECTS, true);
    driver_evaluate(&driver, made);
    made->evaluation.detection = made->evaluation.firing = false;
    made->evaluation.time_ms += 5;
    driver_evaluate(&driver, made);
    assert_int_equal(driver.version_count, 1);
    assert_int_equal(recommender_counters(driver.recommender)->versions, 1);
    driver_close(&driver);
}

/* What was held may be undone before the cooldown ends. */
static void test_held_and_undone(void **state)
{
    (void)state;
    driver_open(&driver, daily_rule);
    struct incident it = {.id = "a", .severity = "sev5", .root_cause = "capacity", .opened_ms = DAYS(1)};
    driver_incident(&driver, DETECTS, it);
    it.root_cause = "no_cache";
    driver_row(&driver, DAYS(1) + HOURS(1), it, true);
    it.root_cause = "capacity";
    driver_row(&driver, DAYS(1) + HOURS(2), it, true);
    driver_pass(&driver, DAYS(5), true);
    assert_int_equal(driver.version_count, 1);
    driver_close(&driver);
}

/* Title and numbers are those of the newest true evaluation, whenever they are published. */
static void test_the_newest_true_evaluation(void **state)
{
    (void)state;
    driver_open(&driver, eager_rule);
    incident(DETECTS, 5000);
    assert_field(&driver, "title", "\"5000 of them\"");
    incident(TRUE_ONLY, 6000);
    assert_field(&driver, "title", "\"6000 of them\"");
    incident(QUIET, 7000);
    assert_field(&driver, "title", "\"6000 of them\"");
    assert_field(&driver, "values", "{\"count(bad)\":6000}");
    assert_field(&driver, "occurrences", "3"); /* counted whether true or not */
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before_a_detection),
        cmocka_unit_test(test_no_recommend_no_recommendation),
        cmocka_unit_test(test_held_until_the_cooldown_ends),
        cmocka_unit_test(test_an_event_at_the_cooldowns_end),
        cmocka_unit_test(test_a_detection_within_a_cooldown),
        cmocka_unit_test(test_a_level_change_within_a_cooldown),
        cmocka_unit_test(test_every_change_without_a_cooldown),
        cmocka_unit_test(test_no_version_without_a_change),
        cmocka_unit_test(test_held_and_undone),
        cmocka_unit_test(test_the_newest_true_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
