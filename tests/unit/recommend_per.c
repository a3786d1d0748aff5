/* Recommendations that groups share, and groups that have several: identity, counts, rows on their way between groups.
 */
#include "recommend_driver.h"

#include "recommend/remembered.h"
#include "recommend/trace.h"

#define RULE(window, per)                                                                                              \
    "- id: cart-fails\n"                                                                                               \
    "  from: {bad: {stream: incident}, cpu: {stream: telemetry}}\n"                                                    \
    "  detect: {group_by: [service, environment], window: {" window "}, when: count(bad) + count(cpu) >= 1}\n"         \
    "  recommend: {category: code_quality, title: '{{ count(bad) }}', complexity: low, cooldown: 0s, " per "}\n"

static const char sliding_rule[] = RULE("size: 30d", "per: [service]");
static const char hopping_rule[] = RULE("size: 30d, slide: 1d", "per: [service]");
static const char output_rule[] = RULE("size: 30d, slide: 1d", "per: [service, incidents]");

static struct driver driver;

enum { STAGING, PRODUCTION, NOWHERE, GROUPS };

static const char *const members[GROUPS][2] = {{"cart", "staging"}, {"cart", "production"}, {"cart", NULL}};
static bool detected[GROUPS];

static void open(const char *rule)
{
    driver_open(&driver, rule);
    memset(detected, 0, sizeof detected);
}

static void in(int group)
{
    driver.group = driver_group(&driver, members[group]);
    driver.group.detected = detected[group];
}

/* An evaluation of the group that lists these incidents, of which the last `new` became selected; slots[0] counts them.
 */
static struct made *listing(int64_t time_ms, enum outcome outcome, const struct incident *rows, size_t count,
                            size_t new)
{
    struct made *made = made_new(&driver.kept, time_ms, outcome, driver.rules->rules[0].window.kind == WINDOW_SLIDING);
    for (size_t i = 0; i < count; i++)
        (void)made_add(made, incident_row(&driver.kept, rows[i]), i + new >= count);
    made->slots[OUT_FIXED_COUNT] = value_double((double)count);
    return made;
}

static void evaluated(int group, const struct made *made)
{
    in(group);
    driver_evaluate(&driver, made);
    detected[group] = detected[group] || made->evaluation.detection;
}

static void row_in(int group, int64_t time_ms, struct incident row, bool selected)
{
    in(group);
    driver_row(&driver, time_ms, row, selected);
}

/* Which recommendation an evaluation is about is one of its outputs. */
static struct made *of_output(struct made *made, double incidents)
{
    made->slots[OUT_INCIDENTS] = value_double(incidents);
    return made;
}

static size_t state_entries(enum state_kind kind)
{
    const struct str_pair *entries;
    size_t count = 0;
    for (size_t i = 0, n = state_dirty(driver.state, &entries); i < n; i++)
        count += entries[i].value.p != NULL && entries[i].key.p[2] == (char)kind;
    return count;
}

static const struct incident rows[] = {
    {.id = "a", .opened_ms = DAYS(1), .service = "web"},
    {.id = "b", .opened_ms = DAYS(2)},
    {.id = "c", .opened_ms = DAYS(3), .severity = "sev1"},
    {.id = "d", .opened_ms = DAYS(4)},
};

static void test_groups_count_together(void **state)
{
    (void)state;
    open(sliding_rule);
    evaluated(STAGING, listing(DAYS(2), DETECTS, &rows[1], 1, 1));
    assert_field(&driver, "occurrences", "1");
    evaluated(PRODUCTION, listing(DAYS(3), QUIET, &rows[2], 1, 1)); /* from the first detection on, all groups */
    assert_field(&driver, "occurrences", "2");
    assert_field(&driver, "impact_score", "24");
    assert_field(&driver, "firings", "1");
    assert_field(&driver, "title", "\"1\""); /* of the newest true evaluation */
    /* Its own first detection adds what its window held before. */
    const struct incident window[] = {rows[0], rows[2], rows[3]};
    evaluated(PRODUCTION, listing(DAYS(4), DETECTS, window, 3, 1));
    assert_field(&driver, "occurrences", "4");
    assert_field(&driver, "detections", "2");
    assert_field(&driver, "firings", "2");
    assert_field(&driver, "title", "\"3\"");
    assert_field(&driver, "group", "{\"service\":\"cart\"}");
    assert_field(&driver, "services", "[\"cart\"]");
    assert_field(&driver, "first_seen", "\"1970-01-02T00:00:00.000Z\"");
    assert_field(&driver, "last_seen", "\"1970-01-05T00:00:00.000Z\"");
    assert_field(&driver, "frequency", "4");
    assert_int_equal(last(&driver, "evidence").n, 4);
    assert_field(&driver, "version", "3");
    evaluated(PRODUCTION, listing(DAYS(5), DETECTS, window, 3, 0)); /* another of its detections adds nothing */
    assert_field(&driver, "occurrences", "4");
    driver_close(&driver);
}

/* The identity is the hash of the values' encoding, as a group's is; it has its own task. */
static void test_identity(void **state)
{
    (void)state;
    open(sliding_rule);
    evaluated(NOWHERE, listing(DAYS(2), DETECTS, &rows[1], 1, 1));
    struct buf key = {0};
    group_key_put(&key, STR_LIT("service"), value_text("cart"));
    uint64_t hash = group_hash(buf_str(&key));
    const char *id = arena_printf(&driver.kept, "\"cart-fails:%016llx\"", (unsigned long long)hash);
    assert_field(&driver, "recommendation_id", id);
    buf_reset(&key);
    state_key(&key, group_task(hash, driver.options.tasks.count), STATE_RECOMMENDATION);
    buf_u64(&key, driver.rules->rules[0].hash);
    buf_u64(&key, hash);
    struct buf record = {0};
    struct error err;
    bool found = false;
    assert_int_equal(state_get(driver.state, buf_str(&key), &record, &found, &err), 0);
    assert_true(found);
    buf_fini(&key);
    buf_fini(&record);
    driver_close(&driver);
    open(RULE("size: 30d", "per: [environment]")); /* null is a value */
    evaluated(NOWHERE, listing(DAYS(2), DETECTS, &rows[1], 1, 1));
    assert_field(&driver, "group", "{\"environment\":null}");
    assert_field(&driver, "services", "[\"cart\"]"); /* seen, not the group's */
    driver_close(&driver);
    open(RULE("size: 30d", "per: []")); /* one for the rule */
    evaluated(NOWHERE, listing(DAYS(2), DETECTS, &rows[1], 1, 1));
    assert_field(&driver, "group", "{}");
    driver_close(&driver);
    open(RULE("size: 30d", "per: [service, environment]")); /* what there is without */
    evaluated(NOWHERE, listing(DAYS(2), DETECTS, &rows[1], 1, 1));
    id = arena_printf(&driver.kept, "\"cart-fails:%016llx\"", (unsigned long long)driver.group.hash);
    assert_field(&driver, "recommendation_id", id);
    driver_close(&driver);
}

/* A row goes from one group to another in one update: it never was away, and is no new occurrence. */
static void test_a_row_moves(void **state)
{
    (void)state;
    open(sliding_rule);
    evaluated(STAGING, listing(DAYS(3), DETECTS, &rows[1], 2, 1));
    assert_field(&driver, "impact_score", "24");
    driver.more = true;
    row_in(STAGING, DAYS(4), rows[2], false);
    evaluated(STAGING, listing(DAYS(4), QUIET, &rows[1], 1, 0));
    row_in(PRODUCTION, DAYS(4), rows[2], true);
    driver.more = false;
    evaluated(PRODUCTION, listing(DAYS(4), QUIET, &rows[2], 1, 1));
    assert_int_equal(driver.version_count, 1); /* nothing changed */
    assert_field(&driver, "occurrences", "2");
    row_in(PRODUCTION, DAYS(5), rows[2], false); /* and away it goes */
    assert_field(&driver, "impact_score", "8");
    assert_int_equal(last(&driver, "evidence").n, 1);
    row_in(STAGING, DAYS(6), rows[2], true);
    assert_field(&driver, "impact_score", "24");
    assert_field(&driver, "occurrences", "2");
    assert_int_equal(last(&driver, "evidence").n, 2);
    driver_close(&driver);
}

static void test_two_groups_select_a_row(void **state)
{
    (void)state;
    open(hopping_rule);
    evaluated(STAGING, listing(DAYS(4), DETECTS, &rows[1], 2, 0));
    evaluated(PRODUCTION, listing(DAYS(4), DETECTS, &rows[2], 1, 0));
    assert_field(&driver, "frequency", "2");
    driver_commit(&driver);
    for (int restart = 0; restart < 2; restart++) {
        row_in(STAGING, DAYS(5), rows[2], false);
        assert_field(&driver, "frequency", "2");
        row_in(PRODUCTION, DAYS(6), rows[2], false);
        assert_field(&driver, "frequency", "1");
        row_in(NOWHERE, DAYS(7), rows[2], true); /* a group without detections */
        assert_field(&driver, "frequency", "2");
        row_in(NOWHERE, DAYS(7) + 1, rows[2], false);
        row_in(NOWHERE, DAYS(7) + 1, rows[3], true); /* never contributed */
        assert_field(&driver, "frequency", "1");
        state_drop(driver.state);
        driver_restart(&driver);
        driver.now_ms = DAYS(4);
        driver.version_count = 2;
    }
    driver_close(&driver);
}

/* More groups than can select a row at a time: those go first that no longer do. */
static void test_a_row_on_a_long_way(void **state)
{
    (void)state;
    open(hopping_rule);
    evaluated(STAGING, listing(DAYS(4), DETECTS, &rows[1], 1, 0));
    for (int i = 0; i < 100; i++) {
        const char *values[] = {"cart", arena_printf(&driver.kept, "e%d", i)};
        driver.group = driver_group(&driver, values);
        driver_row(&driver, DAYS(5) + i, rows[1], true);
        if (i > 0) {
            values[1] = arena_printf(&driver.kept, "e%d", i - 1);
            driver.group = driver_group(&driver, values);
            driver_row(&driver, DAYS(5) + i, rows[1], false);
        }
        row_in(STAGING, DAYS(5) + i, rows[1], false);
        assert_field(&driver, "frequency", "1");
    }
    driver_close(&driver);
}

/* The same where traces lead to the recommendation: none is left behind. */
static void test_traces_are_bounded(void **state)
{
    (void)state;
    open(output_rule);
    for (int i = 0; i < 100; i++) {
        const char *values[] = {"cart", arena_printf(&driver.kept, "e%d", i)};
        if (i > 0)
            driver_row(&driver, DAYS(5) + i, rows[1], false);
        driver.group = driver_group(&driver, values);
        driver_evaluate(&driver, of_output(listing(DAYS(5) + i, DETECTS, &rows[1], 1, 0), 1));
        assert_field(&driver, "frequency", "1");
        assert_in_range(state_entries(STATE_TRACE), 1, REMEMBERED_GROUPS_MAX);
    }
    driver_row(&driver, DAYS(6), rows[1], false);
    assert_field(&driver, "frequency", "0");
    driver_evaluate(&driver, of_output(listing(DAYS(70), DETECTS, NULL, 0, 0), 1));
    assert_int_equal(state_entries(STATE_TRACE), 0);
    driver_close(&driver);
}

/* Events are not remembered: what the window held before the recommendation began counts once, at the group's first
 * detection, and what came since when it came. */
static void test_events(void **state)
{
    (void)state;
    open(sliding_rule);
    static const struct {
        int group;
        enum outcome outcome;
        int days;
        int occurrences; /* -1: there is no recommendation */
    } steps[] = {
        {PRODUCTION, QUIET, 1, -1}, {STAGING, QUIET, 2, -1},     {STAGING, DETECTS, 3, 2}, {PRODUCTION, QUIET, 3, 2},
        {PRODUCTION, QUIET, 4, 3},  {PRODUCTION, DETECTS, 5, 6}, {STAGING, FIRES, 6, 7},   {PRODUCTION, QUIET, 6, 8},
        {STAGING, DETECTS, 7, 9},   {NOWHERE, DETECTS, 7, 10},
    };
    struct event windows[GROUPS][8];
    size_t counts[GROUPS] = {0};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int group = steps[i].group;
        struct event event = metric("cart", DAYS(steps[i].days));
        event.at.partition = group;
        windows[group][counts[group]++] = event;
        struct made *made = made_new(&driver.kept, event.time_ms, steps[i].outcome, true);
        for (size_t k = 0; k < counts[group]; k++)
            (void)made_add(made, windows[group][k], k + 1 == counts[group]);
        evaluated(group, made);
        if (steps[i].occurrences < 0)
            assert_int_equal(driver.version_count, 0);
        else
            assert_int_equal(last(&driver, "occurrences").i, steps[i].occurrences);
    }
    driver_close(&driver);
}

static size_t version_of(const char *group)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < driver.version_count; i++) {
        struct buf text = {0};
        value_json(&text, *value_map_get(driver.versions[i], STR_LIT("group")));
        if (str_is(buf_str(&text), group))
            found = i;
        buf_fini(&text);
    }
    assert_int_not_equal(found, SIZE_MAX);
    return found;
}

static int64_t newest_of(const char *group, const char *field)
{
    return value_map_get(driver.versions[version_of(group)], str_of(field))->i;
}

#define ONE "{\"service\":\"cart\",\"incidents\":\"1\"}"
#define TWO "{\"service\":\"cart\",\"incidents\":\"2\"}"

static void test_outputs(void **state)
{
    (void)state;
    open(output_rule);
    evaluated(STAGING, of_output(listing(DAYS(4), DETECTS, &rows[1], 1, 0), 1));
    evaluated(STAGING, of_output(listing(DAYS(5), DETECTS, &rows[1], 2, 0), 2));
    evaluated(PRODUCTION, of_output(listing(DAYS(5), DETECTS, &rows[3], 1, 0), 1));
    assert_int_equal(driver.version_count, 3);
    assert_int_equal(newest_of(ONE, "frequency"), 2);
    assert_int_equal(newest_of(ONE, "detections"), 2);
    assert_int_equal(newest_of(TWO, "frequency"), 2);
    evaluated(STAGING, of_output(listing(DAYS(6), QUIET, &rows[1], 2, 0), 1)); /* false: it is about none */
    assert_int_equal(driver.version_count, 3);
    assert_int_equal(state_entries(STATE_TRACE), 4);
    driver_commit(&driver);
    driver_restart(&driver);
    /* A row's change reaches all that it contributed to through its group, and no other. */
    row_in(STAGING, DAYS(7), rows[1], false);
    assert_int_equal(driver.version_count, 5);
    assert_int_equal(newest_of(ONE, "frequency"), 1);
    assert_int_equal(newest_of(TWO, "frequency"), 1);
    row_in(STAGING, DAYS(8), rows[1], true);
    assert_int_equal(driver.version_count, 7);
    row_in(PRODUCTION, DAYS(9), rows[1], false);
    row_in(STAGING, DAYS(9), rows[3], true);
    row_in(PRODUCTION, DAYS(9), rows[2], true);
    assert_int_equal(driver.version_count, 7);
    row_in(STAGING, DAYS(10), rows[2], false);
    assert_int_equal(driver.version_count, 8);
    assert_int_equal(newest_of(TWO, "frequency"), 1);
    /* What no longer counts leaves no trace. */
    evaluated(STAGING, of_output(listing(DAYS(70), FIRES, NULL, 0, 0), 1));
    evaluated(STAGING, of_output(listing(DAYS(70), FIRES, NULL, 0, 0), 2));
    driver_commit(&driver);
    struct error err;
    struct arena arena = {0};
    struct buf key = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int group = 0; group < GROUPS; group++) {
            struct traced traced = {.count = 1};
            struct event row = incident_row(&driver.kept, rows[i]);
            in(group);
            buf_reset(&key);
            remembered_key(&key, &row);
            assert_int_equal(trace_find(&driver.group, buf_str(&key), driver.state, &arena, &traced, &err), 0);
            assert_int_equal(traced.count, 0);
        }
    }
    buf_fini(&key);
    arena_fini(&arena);
    driver_close(&driver);
}

/* The first detection makes the record, in whatever order groups come; a null output is a value. */
static void test_null_outputs(void **state)
{
    (void)state;
    open(RULE("size: 30d, slide: 1d", "per: [mttr]"));
    evaluated(STAGING, listing(DAYS(4), FIRES, rows, 1, 0));
    assert_int_equal(driver.version_count, 0);
    evaluated(STAGING, listing(DAYS(5), DETECTS, rows, 1, 0));
    assert_field(&driver, "group", "{\"mttr\":null}");
    struct made *made = listing(DAYS(6), DETECTS, rows, 1, 0);
    made->slots[OUT_MTTR] = value_span_ms(90 * SECOND_MS);
    evaluated(PRODUCTION, made);
    assert_field(&driver, "group", "{\"mttr\":\"1m 30s\"}");
    assert_field(&driver, "version", "1");
    made->slots[OUT_MTTR] = (struct value){.type = VALUE_ERROR, .s = "no such field", .n = 13};
    evaluated(PRODUCTION, made);
    assert_field(&driver, "group", "{\"mttr\":null}");
    assert_field(&driver, "version", "2");
    driver_close(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_count_together),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_a_row_moves),
        cmocka_unit_test(test_two_groups_select_a_row),
        cmocka_unit_test(test_a_row_on_a_long_way),
        cmocka_unit_test(test_traces_are_bounded),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_null_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
