/* Rows that contribute, change, stop and start again; counts over incidents; evidence; bounds. */
#include "recommend_driver.h"

#define RULE(window)                                                                                                   \
    "- id: cart-fails\n"                                                                                               \
    "  from:\n"                                                                                                        \
    "    bad: {stream: incident, match: {root_cause: capacity}}\n"                                                     \
    "  detect: {group_by: [environment], window: {" window "}, when: count(bad) >= 1}\n"                               \
    "  recommend: {category: code_quality, title: T, complexity: low, cooldown: 0s}\n"

static const char sliding_rule[] = RULE("size: 30d");
static const char hopping_rule[] = RULE("size: 30d, slide: 1d");
static const char long_rule[] = RULE("size: 60d, slide: 1d, wait: 1d");

static struct driver driver;

/* An evaluation at `time_ms` that lists these incidents; the last `new` of them became selected. */
static void evaluate(int64_t time_ms, enum outcome outcome, bool sliding, const struct incident *incidents,
                     size_t count, size_t new)
{
    struct made *made = made_new(&driver.kept, time_ms, outcome, sliding);
    made->slots[OUT_GROUP] = value_map(made->group + 2, 1); /* environment alone: services are those seen */
    for (size_t i = 0; i < count; i++)
        (void)made_add(made, incident_row(&driver.kept, incidents[i]), i + new >= count);
    driver_evaluate(&driver, made);
}

static void test_a_row_leaves_and_comes_back(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    struct incident rows[] = {{.id = "a", .opened_ms = DAYS(1), .root_cause = "capacity"},
                              {.id = "b", .opened_ms = DAYS(2), .root_cause = "capacity"}};
    evaluate(DAYS(1), DETECTS, true, rows, 1, 1);
    evaluate(DAYS(2), FIRES, true, rows, 2, 1);
    assert_field(&driver, "impact_score", "16");
    assert_field(&driver, "root_causes", "[{\"cause\":\"capacity\",\"count\":2}]");
    driver_row(&driver, DAYS(3), rows[1], false);
    assert_field(&driver, "impact_score", "8");
    assert_field(&driver, "priority", "\"P4\"");
    assert_field(&driver, "occurrences", "2"); /* never falls */
    assert_field(&driver, "root_causes", "[{\"cause\":\"capacity\",\"count\":1}]");
    assert_int_equal(last(&driver, "evidence").n, 1);
    evaluate(DAYS(4), FIRES, true, rows, 2, 1); /* selected again: newly selected, but counted already */
    assert_field(&driver, "impact_score", "16");
    assert_field(&driver, "occurrences", "2");
    assert_field(&driver, "firings", "3");
    assert_int_equal(last(&driver, "evidence").n, 2);
    rows[1].severity = "sev1"; /* changes while selected */
    rows[1].resolved_ms = DAYS(2) + HOURS(1);
    driver_row(&driver, DAYS(5), rows[1], true);
    assert_field(&driver, "impact_score", "24");
    assert_field(&driver, "estimated_benefit", "{\"incidents_per_30d\":2,\"minutes_per_30d\":60}");
    size_t versions = driver.version_count;
    driver_row(&driver, DAYS(6), (struct incident){.id = "never seen", .opened_ms = DAYS(1)}, true);
    assert_int_equal(driver.version_count, versions);
    driver_close(&driver);
}

/* Without `publish` a change waits for the evaluation of the same update: one version, not two. */
static void test_one_version_an_update(void **state)
{
    (void)state;
    struct error err;
    driver_open(&driver, sliding_rule);
    struct incident rows[] = {{.id = "a", .opened_ms = DAYS(1)}, {.id = "b", .opened_ms = DAYS(2), .severity = "sev1"}};
    evaluate(DAYS(2), DETECTS, true, rows, 2, 2);
    struct event row = incident_row(&driver.kept, rows[1]);
    struct recommender_change change = {&row, false, false, DAYS(3)};
    driver_pass(&driver, DAYS(3), false);
    assert_int_equal(recommender_row(driver.recommender, &driver.group, &change, &driver.arena, &err), 0);
    assert_int_equal(driver.version_count, 1);
    evaluate(DAYS(3), TRUE_ONLY, true, rows, 1, 0);
    assert_int_equal(driver.version_count, 2);
    assert_field(&driver, "impact_score", "8");
    driver_close(&driver);
}

/* Rows that an evaluation lists are taken as they are now. */
static void test_evaluations_refresh_known_rows(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    struct incident rows[] = {{.id = "a", .opened_ms = DAYS(1)}, {.id = "b", .opened_ms = DAYS(2)}};
    evaluate(DAYS(1), DETECTS, true, rows, 1, 1);
    rows[0].severity = "sev1";
    rows[0].title = "worse than it seemed";
    evaluate(DAYS(2), QUIET, true, rows, 2, 1);
    assert_field(&driver, "impact_score", "24");
    assert_field(&driver, "evidence",
                 "[{\"stream\":\"incident\",\"event_id\":\"event-a\",\"incident_id\":\"a\",\"service\":\"cart\","
                 "\"occurred_at\":\"1970-01-02T00:00:00.000Z\",\"summary\":\"worse than it seemed\"},"
                 "{\"stream\":\"incident\",\"event_id\":\"event-b\",\"incident_id\":\"b\",\"service\":\"cart\","
                 "\"occurred_at\":\"1970-01-03T00:00:00.000Z\",\"summary\":\"b\"}]");
    driver_close(&driver);
}

/* Sliding: what became selected since the first detection counts, whatever the window lists. */
static void test_what_spans_all(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    const struct incident rows[] = {{.id = "a", .service = "web", .opened_ms = DAYS(1)},
                                    {.id = "b", .service = "cart", .opened_ms = DAYS(2)},
                                    {.id = "c", .service = "api", .opened_ms = DAYS(3)}};
    evaluate(DAYS(2), DETECTS, true, rows, 2, 1);
    assert_field(&driver, "first_seen", "\"1970-01-02T00:00:00.000Z\"");
    evaluate(DAYS(3), QUIET, true, rows, 3, 1);
    assert_field(&driver, "last_seen", "\"1970-01-04T00:00:00.000Z\"");
    assert_field(&driver, "services", "[\"api\",\"cart\",\"web\"]");
    assert_field(&driver, "occurrences", "3");
    assert_field(&driver, "frequency", "3");
    driver_close(&driver);
}

/* Hopping: each true evaluation's rows, once each; occurrences are the firings. */
static void test_hopping(void **state)
{
    (void)state;
    driver_open(&driver, hopping_rule);
    const struct incident rows[] = {{.id = "a", .opened_ms = DAYS(1)},
                                    {.id = "b", .opened_ms = DAYS(2)},
                                    {.id = "c", .opened_ms = DAYS(3)},
                                    {.id = "d", .opened_ms = DAYS(4)}};
    evaluate(DAYS(3), DETECTS, false, rows, 2, 0);
    assert_field(&driver, "occurrences", "1");
    evaluate(DAYS(4), FIRES, false, rows, 3, 0);
    assert_field(&driver, "occurrences", "2");
    assert_field(&driver, "frequency", "3");
    evaluate(DAYS(5), QUIET, false, rows, 4, 0);
    assert_field(&driver, "frequency", "3");
    assert_field(&driver, "occurrences", "2");
    assert_int_equal(last(&driver, "evidence").n, 3);
    driver_row(&driver, DAYS(5), rows[0], false);
    assert_field(&driver, "frequency", "2");
    assert_int_equal(last(&driver, "evidence").n, 2);
    driver_row(&driver, DAYS(5) + 1, rows[0], true);
    assert_field(&driver, "frequency", "3");
    assert_int_equal(last(&driver, "evidence").n, 3);
    driver_close(&driver);
}

/* Panes list their newest event, which stands for many: evidence, and nothing else. */
static void test_panes(void **state)
{
    (void)state;
    driver_open(&driver, hopping_rule);
    struct made *made = made_new(&driver.kept, DAYS(3), DETECTS, false);
    made_add(made, metric("hidden", DAYS(2) + 1), false)->stands_for_many = true;
    made->slots[OUT_GROUP] = value_map(made->group + 2, 1);
    const struct value services[] = {value_text("api"), value_text("web")};
    made->slots[OUT_SERVICES] = value_list(services, 2);
    made->slots[OUT_FIRST_SEEN] = value_time_ms(DAYS(1));
    made->slots[OUT_LAST_SEEN] = value_time_ms(DAYS(2));
    driver_evaluate(&driver, made);
    assert_field(&driver, "first_seen", "\"1970-01-02T00:00:00.000Z\"");
    assert_field(&driver, "last_seen", "\"1970-01-03T00:00:00.000Z\"");
    assert_field(&driver, "services", "[\"api\",\"web\"]");
    assert_field(&driver, "frequency", "1"); /* the day */
    assert_field(&driver, "evidence",
                 "[{\"stream\":\"telemetry\",\"event_id\":null,\"incident_id\":null,\"service\":\"hidden\","
                 "\"occurred_at\":\"1970-01-03T00:00:00.001Z\",\"summary\":\"cpu_usage = 91\"}]");
    driver_close(&driver);
}

static void test_counts_over_incidents(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    const struct incident rows[] = {
        {.id = "a",
         .opened_ms = DAYS(1),
         .code_refs = {"src/b.c", "src/a.c"},
         .component = "redis",
         .root_cause = "unknown"},
        {.id = "a", .service = "web", .opened_ms = DAYS(1) + 1, .code_refs = {"src/b.c"}, .component = "redis"},
        {.id = "b",
         .opened_ms = DAYS(2),
         .code_refs = {"src/c.c", "src/b.c"},
         .component = "haproxy",
         .root_cause = "capacity"},
        {.id = "c", .opened_ms = DAYS(3), .code_refs = {"src/c.c"}, .component = "redis"},
    };
    evaluate(DAYS(3), DETECTS, true, rows, 4, 1);
    static const char refs[] = "[{\"path\":\"src/b.c\",\"count\":2},{\"path\":\"src/c.c\",\"count\":2},"
                               "{\"path\":\"src/a.c\",\"count\":1}]";
    assert_field(&driver, "code_refs", refs);
    assert_field(&driver, "components",
                 "[{\"component\":\"redis\",\"count\":2},{\"component\":\"haproxy\",\"count\":1}]");
    assert_field(&driver, "root_causes", /* unknown is none: such incidents go by their title */
                 "[{\"cause\":\"capacity\",\"count\":1},{\"cause\":\"unnamed: a\",\"count\":1},"
                 "{\"cause\":\"unnamed: c\",\"count\":1}]");
    /* Forgotten incidents stay counted, and one that comes later adds to them. */
    driver_pass(&driver, DAYS(40), true);
    assert_field(&driver, "code_refs", refs);
    const struct incident later = {.id = "d", .opened_ms = DAYS(50), .code_refs = {"src/a.c"}};
    evaluate(DAYS(50), FIRES, true, &later, 1, 1);
    assert_field(&driver, "code_refs",
                 "[{\"path\":\"src/a.c\",\"count\":2},{\"path\":\"src/b.c\",\"count\":2},"
                 "{\"path\":\"src/c.c\",\"count\":2}]");
    size_t versions = driver.version_count;
    driver_row(&driver, DAYS(51), rows[3], false); /* over 30 days old: it is what it was */
    assert_int_equal(driver.version_count, versions);
    driver_close(&driver);
}

/* An incident is remembered for as long as one of its rows is young enough. */
static void test_rows_of_one_incident_stay_together(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    struct incident rows[] = {{.id = "x", .service = "web", .opened_ms = DAYS(1), .root_cause = "capacity"},
                              {.id = "x", .service = "api", .opened_ms = DAYS(6), .root_cause = "capacity"}};
    evaluate(DAYS(6), DETECTS, true, rows, 2, 1);
    driver_pass(&driver, DAYS(33), true);
    assert_field(&driver, "frequency", "0");
    rows[1].root_cause = "no_cache";
    driver_row(&driver, DAYS(33), rows[1], true);
    assert_field(&driver, "root_causes", "[{\"cause\":\"capacity\",\"count\":1},{\"cause\":\"no_cache\",\"count\":1}]");
    driver_close(&driver);
}

/* A window longer than 30 days lists rows that no longer count; they are not counted anew each time. */
static void test_rows_older_than_the_impact(void **state)
{
    (void)state;
    driver_open(&driver, long_rule);
    struct incident rows[] = {{.id = "a", .opened_ms = DAYS(1), .root_cause = "capacity"},
                              {.id = "b", .opened_ms = DAYS(40), .root_cause = "capacity"}};
    for (int day = 42; day <= 62; day++) /* day 62: the window [1 d, 61 d), one day later */
        evaluate(DAYS(day), day == 42 ? DETECTS : FIRES, false, rows, 2, 0);
    assert_field(&driver, "frequency", "1");
    assert_field(&driver, "root_causes", "[{\"cause\":\"capacity\",\"count\":2}]");
    evaluate(DAYS(63), FIRES, false, rows + 1, 1, 0);
    evaluate(DAYS(64), FIRES, false, rows + 1, 1, 0);
    assert_field(&driver, "root_causes", "[{\"cause\":\"capacity\",\"count\":2}]");
    driver_close(&driver);
}

static const char *numbered(const char *format, int n)
{
    struct buf text = {0};
    buf_puts(&text, format);
    buf_printf(&text, "%03d", n);
    const char *kept = arena_str(&driver.kept, buf_str(&text)).p;
    buf_fini(&text);
    return kept;
}

static void test_bounds(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    char long_text[5000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    struct incident rows[100];
    for (int i = 0; i < 100; i++)
        rows[i] = (struct incident){.id = numbered("i", i),
                                    .service = numbered("s", i),
                                    .title = long_text,
                                    .opened_ms = DAYS(1) + i,
                                    .root_cause = numbered("cause", i / 2),
                                    .component = numbered("part", i),
                                    .code_refs = {numbered("f", i), "every.c"}};
    evaluate(DAYS(2), DETECTS, true, rows, 20, 1);
    assert_field(&driver, "notes", "[]");
    evaluate(DAYS(2) + 1, FIRES, true, rows, 100, 80);
    assert_int_equal(last(&driver, "code_refs").n, 50);
    assert_int_equal(last(&driver, "root_causes").n, 20);
    assert_int_equal(last(&driver, "components").n, 20);
    assert_int_equal(last(&driver, "services").n, 50);
    assert_int_equal(last(&driver, "evidence").n, 20);
    assert_field(&driver, "notes", "[\"capped\"]");
    assert_field(&driver, "frequency", "100");
    struct value evidence = last(&driver, "evidence");
    const struct value *first = value_map_get(evidence.items[0], STR_LIT("incident_id"));
    assert_true(str_is(value_as_str(*first), "i080")); /* the newest 20 */
    assert_int_equal(value_map_get(evidence.items[19], STR_LIT("summary"))->n, 1024);
    const struct value *path = value_map_get(last(&driver, "code_refs").items[0], STR_LIT("path"));
    assert_true(str_is(value_as_str(*path), "every.c"));
    driver_pass(&driver, DAYS(40), true); /* and settled */
    assert_int_equal(last(&driver, "code_refs").n, 50);
    const struct str_pair *entries;
    for (size_t i = 0, n = state_dirty(driver.state, &entries); i < n; i++)
        assert_true(entries[i].value.n < 512 * 1024);
    driver_close(&driver);
}

/* A hopping rule over more evidence than there is room for keeps the newest, ascending. */
static void test_evidence_of_equal_times(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    struct made *made = made_new(&driver.kept, DAYS(1), DETECTS, true);
    for (int i = 0; i < 25; i++) {
        struct event event = metric(numbered("s", i), DAYS(1) - 5);
        event.at = (struct position){3, i % 5, i / 5};
        (void)made_add(made, event, true);
    }
    for (int i = 0; i < 7; i++) { /* any order of the list gives the same */
        struct contribution first = made->contributions[0];
        memmove(made->contributions, made->contributions + 1, 24 * sizeof first);
        made->contributions[24] = first;
    }
    driver_evaluate(&driver, made);
    struct value evidence = last(&driver, "evidence");
    assert_int_equal(evidence.n, 20);
    for (int i = 0; i < 20; i++) { /* by partition, then offset; partition 0 did not fit */
        const struct value *service = value_map_get(evidence.items[i], STR_LIT("service"));
        assert_true(str_is(value_as_str(*service), numbered("s", i / 5 + 1 + i % 5 * 5)));
    }
    assert_field(&driver, "occurrences", "25");
    driver_close(&driver);
}

/* Deployment rows are no incidents, but occurrences once each like them. */
static void test_deployments(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    struct event row;
    event_clear(&row, stream_get(STREAM_DEPLOYMENT));
    row.time_ms = DAYS(1);
    row.at.offset = 7;
    row.values[DEPLOYMENT_SERVICE] = value_text("web");
    row.values[DEPLOYMENT_VERSION] = value_text("v2");
    row.values[DEPLOYMENT_STATUS] = value_text("failed");
    row.values[DEPLOYMENT_OPENED_AT] = value_time_ms(DAYS(1));
    for (int day = 1; day <= 3; day++) {
        struct made *made = made_new(&driver.kept, DAYS(day), day == 1 ? DETECTS : FIRES, true);
        (void)made_add(made, row, true);
        if (day == 3) {
            row.at.offset = 8;
            (void)made_add(made, row, true);
        }
        driver_evaluate(&driver, made);
        assert_int_equal(last(&driver, "occurrences").i, day == 3 ? 2 : 1);
    }
    assert_field(&driver, "frequency", "3"); /* days */
    assert_field(&driver, "severity", "\"sev4\"");
    driver_close(&driver);
}

/* Raw updates (`updates: true`): each an occurrence, together one incident. */
static void test_raw_updates(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    for (int i = 0; i < 3; i++) {
        struct event update = incident_row(
            &driver.kept,
            (struct incident){.id = "a", .opened_ms = DAYS(1) + i * HOUR_MS, .root_cause = i == 0 ? "capacity" : NULL});
        update.values[INCIDENT_OPENED_AT] = value_null();
        if (i == 2)
            update.values[INCIDENT_STATUS] = value_text("resolved");
        struct made *made = made_new(&driver.kept, update.time_ms, i == 0 ? DETECTS : FIRES, true);
        (void)made_add(made, update, true);
        driver_evaluate(&driver, made);
    }
    assert_field(&driver, "occurrences", "3");
    assert_field(&driver, "frequency", "1");
    assert_field(&driver, "root_causes", "[{\"cause\":\"capacity\",\"count\":1}]");
    assert_field(&driver, "estimated_benefit", "{\"incidents_per_30d\":1,\"minutes_per_30d\":120}");
    driver_pass(&driver, DAYS(31), true); /* 30 days after the first of them */
    assert_field(&driver, "frequency", "0");
    driver_close(&driver);
}

static void test_negative_spans_are_left_out(void **state)
{
    (void)state;
    driver_open(&driver, sliding_rule);
    const struct incident row = {
        .id = "a", .opened_ms = DAYS(1), .started_ms = DAYS(2), .resolved_ms = DAYS(1) + HOURS(1)};
    evaluate(DAYS(1), DETECTS, true, &row, 1, 1);
    assert_field(&driver, "estimated_benefit", "{\"incidents_per_30d\":1,\"minutes_per_30d\":0}");
    assert_int_equal(recommender_counters(driver.recommender)->spans_left_out, 1);
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_leaves_and_comes_back),
        cmocka_unit_test(test_one_version_an_update),
        cmocka_unit_test(test_evaluations_refresh_known_rows),
        cmocka_unit_test(test_what_spans_all),
        cmocka_unit_test(test_hopping),
        cmocka_unit_test(test_panes),
        cmocka_unit_test(test_counts_over_incidents),
        cmocka_unit_test(test_rows_of_one_incident_stay_together),
        cmocka_unit_test(test_rows_older_than_the_impact),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_evidence_of_equal_times),
        cmocka_unit_test(test_deployments),
        cmocka_unit_test(test_raw_updates),
        cmocka_unit_test(test_negative_spans_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
