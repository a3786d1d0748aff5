/* Impact, priority, benefit and how they age. Day numbers count from a UTC midnight. */
#include "recommend_driver.h"

static const char cart_rule[] =
    "- id: cart-redis-oom-recurs\n"
    "  from:\n"
    "    oom: {stream: incident, match: {service: cart}}\n"
    "  detect: {group_by: [service, environment], window: {size: 30d}, when: count(oom) >= 3}\n"
    "  recommend: {category: infrastructure_resilience, title: High availability, complexity: low}\n";

static const char days_rule[] =
    "- id: cpu-saturates\n"
    "  from:\n"
    "    cpu: {stream: telemetry, match: {name: cpu_usage}}\n"
    "  detect: {group_by: [service, environment], window: {size: 10m, slide: 1m}, when: avg(cpu) > 80}\n"
    "  recommend: {category: architecture, title: Scale, complexity: low, severity: sev3, cooldown: 0s}\n";

static struct driver driver;

/* The cookbook's rule: sev2 at day 0, sev1 at days 9 and 10; the third makes it true. */
static void three_incidents(void)
{
    const struct incident incidents[] = {
        {.id = "a", .severity = "sev2", .opened_ms = DAYS(0), .resolved_ms = 20 * MINUTE_MS},
        {.id = "b1", .severity = "sev1", .opened_ms = DAYS(9), .resolved_ms = DAYS(9) + 20 * MINUTE_MS},
        {.id = "b2", .severity = "sev1", .opened_ms = DAYS(10), .resolved_ms = DAYS(10) + 20 * MINUTE_MS},
    };
    for (size_t i = 0; i < 3; i++) {
        struct made *made = made_new(&driver.kept, incidents[i].opened_ms, i == 2 ? DETECTS : QUIET, true);
        for (size_t j = 0; j <= i; j++)
            (void)made_add(made, incident_row(&driver.kept, incidents[j]), i == j);
        made->slots[OUT_MTTR] = value_span_ms(20 * MINUTE_MS);
        driver_evaluate(&driver, made);
    }
}

static void test_three_in_a_month(void **state)
{
    (void)state;
    driver_open(&driver, cart_rule);
    three_incidents();
    assert_int_equal(driver.version_count, 1);
    assert_true(driver.detections[0]);
    assert_int_equal(last_time(&driver), DAYS(10));
    assert_field(&driver, "occurrences", "3");
    assert_field(&driver, "detections", "1");
    assert_field(&driver, "firings", "1");
    assert_field(&driver, "impact_score", "40");
    assert_field(&driver, "impact", "\"high\"");
    assert_field(&driver, "priority", "\"P0\"");
    assert_field(&driver, "severity", "\"sev1\"");
    assert_field(&driver, "frequency", "3");
    assert_field(&driver, "mttr", "1200000");
    assert_field(&driver, "estimated_benefit", "{\"incidents_per_30d\":3,\"minutes_per_30d\":60}");
    driver_close(&driver);
}

static void test_it_ages_at_midnights(void **state)
{
    (void)state;
    driver_open(&driver, cart_rule);
    three_incidents();
    driver_pass(&driver, DAYS(30) - 1, true);
    assert_int_equal(driver.version_count, 1);
    driver_pass(&driver, DAYS(30), true); /* the incident of day 0 has left: high becomes medium */
    assert_int_equal(driver.version_count, 2);
    assert_field(&driver, "impact_score", "32");
    assert_field(&driver, "priority", "\"P2\"");
    assert_false(driver.detections[1]);
    driver_pass(&driver, DAYS(39), true);
    assert_int_equal(driver.version_count, 3);
    assert_field(&driver, "impact_score", "16");
    assert_field(&driver, "impact", "\"medium\"");
    driver_pass(&driver, DAYS(41), true);
    assert_int_equal(driver.version_count, 4);
    assert_int_equal(last_time(&driver), DAYS(40));
    assert_field(&driver, "impact_score", "0");
    assert_field(&driver, "impact", "\"low\"");
    assert_field(&driver, "priority", "\"P4\"");
    assert_field(&driver, "severity", "null");
    assert_field(&driver, "frequency", "0");
    assert_field(&driver, "occurrences", "3");
    assert_field(&driver, "version", "4");
    assert_field(&driver, "estimated_benefit", "{\"incidents_per_30d\":0,\"minutes_per_30d\":0}");
    driver_pass(&driver, DAYS(400), true);
    assert_int_equal(driver.version_count, 4);
    assert_int_equal(driver.timer_count, 0);
    driver_close(&driver);
}

/* An incident of 00:00:00.001 counts until the midnight after its 30 days are over, one of 00:00 leaves at 30 d. */
static void test_the_midnight_after(void **state)
{
    (void)state;
    driver_open(&driver, cart_rule);
    driver_incident(&driver, DETECTS, (struct incident){.id = "a", .severity = "sev1", .opened_ms = DAYS(3) + 1});
    driver_pass(&driver, DAYS(34) - 1, true);
    assert_int_equal(driver.version_count, 1);
    driver_pass(&driver, DAYS(34), true);
    assert_int_equal(driver.version_count, 2);
    assert_int_equal(last_time(&driver), DAYS(34));
    assert_field(&driver, "priority", "\"P4\"");
    driver_close(&driver);
}

static void test_a_timer_nobody_asked_for(void **state)
{
    (void)state;
    struct error err;
    driver_open(&driver, cart_rule);
    driver_incident(&driver, DETECTS, (struct incident){.id = "a", .opened_ms = DAYS(3) + HOURS(1)});
    driver_pass(&driver, DAYS(33) + HOURS(2), true);
    for (int kind = RECOMMEND_COOLDOWN; kind <= RECOMMEND_AGEING; kind++) { /* it has left, but ages at midnight only */
        struct recommender_due due = {driver.now_ms, (enum recommend_timer)kind, 0, driver.group.hash};
        assert_int_equal(recommender_timer(driver.recommender, &due, &driver.arena, &err), 0);
        due.hash++;
        assert_int_equal(recommender_timer(driver.recommender, &due, &driver.arena, &err), 0);
        due.rule_number = 7;
        assert_int_equal(recommender_timer(driver.recommender, &due, &driver.arena, &err), 0);
    }
    assert_int_equal(driver.version_count, 1);
    driver_pass(&driver, DAYS(34), true);
    assert_int_equal(driver.version_count, 2);
    driver_close(&driver);
}

/* One incident over two services counts once: the earliest opening, the worst severity, first start to last end. */
static void test_distinct_incidents(void **state)
{
    (void)state;
    driver_open(&driver, cart_rule);
    driver_incident(&driver, DETECTS,
                    (struct incident){.id = "x",
                                      .severity = "sev4",
                                      .opened_ms = DAYS(1),
                                      .started_ms = DAYS(1) - 5 * MINUTE_MS,
                                      .resolved_ms = DAYS(1) + 10 * MINUTE_MS});
    assert_field(&driver, "impact_score", "2");
    driver_incident(&driver, DETECTS,
                    (struct incident){.id = "x",
                                      .service = "web",
                                      .severity = "sev1",
                                      .opened_ms = DAYS(6),
                                      .resolved_ms = DAYS(6) + 30 * MINUTE_MS});
    assert_field(&driver, "impact_score", "16");
    assert_field(&driver, "frequency", "1");
    assert_field(&driver, "occurrences", "2");
    assert_field(&driver, "severity", "\"sev1\"");
    assert_field(&driver, "estimated_benefit", "{\"incidents_per_30d\":1,\"minutes_per_30d\":7235}");
    driver_pass(&driver, DAYS(31), true); /* 30 days after the first row, though the second is 25 days old */
    assert_field(&driver, "impact_score", "0");
    driver_pass(&driver, DAYS(60), true);
    assert_field(&driver, "impact_score", "0");
    driver_close(&driver);
}

static void test_levels_and_complexity(void **state)
{
    (void)state;
    static const struct {
        const char *severity;
        int incidents;
        const char *low;
        const char *high;
    } rows[] = {{"sev2", 5, "\"P0\"", "\"P1\""},
                {"sev3", 9, "\"P2\"", "\"P3\""},
                {"sev4", 5, "\"P2\"", "\"P3\""},
                {"sev3", 2, "\"P4\"", "\"P4\""},
                {"sev5", 9, "\"P4\"", "\"P4\""}};
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        bool high = i % 2 == 1;
        char text[1024];
        (void)snprintf(text, sizeof text, "%.*s%s", (int)(strstr(cart_rule, ", complexity") - cart_rule), cart_rule,
                       high ? "}\n" : ", complexity: low}\n"); /* high is the default */
        driver_open(&driver, text);
        struct made *made = made_new(&driver.kept, DAYS(20), DETECTS, true);
        for (int n = 0; n < rows[i / 2].incidents; n++)
            (void)made_add(made,
                           incident_row(&driver.kept, (struct incident){.id = arena_printf(&driver.kept, "i%d", n),
                                                                        .severity = rows[i / 2].severity,
                                                                        .opened_ms = DAYS(n)}),
                           false);
        driver_evaluate(&driver, made);
        assert_field(&driver, "priority", high ? rows[i / 2].high : rows[i / 2].low);
        driver_close(&driver);
    }
}

static void fire_at(int64_t time_ms)
{
    driver_evaluate(&driver, made_new(&driver.kept, time_ms, DETECTS, false));
}

/* Without incidents, each UTC day with a firing weighs the rule's severity. */
static void test_firing_days(void **state)
{
    (void)state;
    driver_open(&driver, days_rule);
    fire_at(DAYS(1) + HOURS(12));
    assert_field(&driver, "impact_score", "4");
    assert_field(&driver, "severity", "\"sev3\"");
    fire_at(DAYS(1) + HOURS(13));
    assert_field(&driver, "frequency", "1");
    fire_at(DAYS(3)); /* midnight: of the day that begins */
    fire_at(DAYS(5) + HOURS(1));
    assert_field(&driver, "impact_score", "12");
    assert_field(&driver, "impact", "\"medium\"");
    assert_field(&driver, "priority", "\"P2\"");
    assert_field(&driver, "occurrences", "4");
    driver_pass(&driver, DAYS(31), true); /* day 1 counts while its 00:00 is in (t - 30 d, t] */
    assert_field(&driver, "frequency", "2");
    assert_int_equal(last_time(&driver), DAYS(31));
    driver_pass(&driver, DAYS(33), true);
    assert_field(&driver, "frequency", "1");
    assert_int_equal(last_time(&driver), DAYS(33));
    driver_pass(&driver, DAYS(40), true);
    assert_int_equal(last_time(&driver), DAYS(35));
    assert_field(&driver, "frequency", "0");
    assert_field(&driver, "severity", "null");
    assert_field(&driver, "priority", "\"P4\"");
    driver_close(&driver);
}

static void test_a_day_each_for_a_year(void **state)
{
    (void)state;
    driver_open(&driver, days_rule);
    for (int day = 0; day < 365; day++)
        fire_at(DAYS(day) + HOURS(1));
    assert_field(&driver, "frequency", "30");
    assert_field(&driver, "impact_score", "120");
    assert_field(&driver, "firings", "365");
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_in_a_month),   cmocka_unit_test(test_it_ages_at_midnights),
        cmocka_unit_test(test_the_midnight_after), cmocka_unit_test(test_a_timer_nobody_asked_for),
        cmocka_unit_test(test_distinct_incidents), cmocka_unit_test(test_levels_and_complexity),
        cmocka_unit_test(test_firing_days),        cmocka_unit_test(test_a_day_each_for_a_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
