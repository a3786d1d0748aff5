/* Random operations on two recommenders over one rule: one keeps its memory, the other loses it at random and reads the
 * state again. Their versions must be the same to the byte; impact and counts are those of a naive reference besides.
 * Usage: test_recommend_random [seed]
 */
#include "../unit/recommend_driver.h"

enum { RUNS = 60, STEPS = 120, ROWS_MAX = 24 };

static const char *const rules[] = {
    "- id: sliding\n"
    "  from: {bad: {stream: incident}}\n"
    "  detect: {group_by: [service, environment], window: {size: 30d}, when: count(bad) >= 1}\n"
    "  recommend: {category: code_quality, title: '{{ count(bad) }}', complexity: low}\n",
    "- id: eager\n"
    "  from: {bad: {stream: incident}}\n"
    "  detect: {group_by: [service, environment], window: {size: 40d}, when: count(bad) >= 1}\n"
    "  recommend: {category: code_quality, title: '{{ count(bad) }}', complexity: low, cooldown: 0s}\n",
    "- id: hopping\n"
    "  from: {bad: {stream: incident}}\n"
    "  detect: {group_by: [service, environment], window: {size: 45d, slide: 1d, wait: 1d}, when: count(bad) >= 1}\n"
    "  recommend: {category: code_quality, title: '{{ count(bad) }}', complexity: high, cooldown: 12h}\n",
};

static struct driver kept;
static struct driver lost;
static size_t checked; /* versions held against the reference */

static uint64_t seed;
static uint64_t draw(uint64_t below)
{
    seed += 0x9e3779b97f4a7c15ULL;
    return hash_bytes(&seed, sizeof seed, 5) % below;
}

/* What happened so far, as the reference has it. */
static struct model {
    bool sliding;
    bool made;
    int64_t window_ms;
    struct incident rows[ROWS_MAX];
    bool selected[ROWS_MAX];
    bool taken[ROWS_MAX];           /* contributed, and counts as one occurrence */
    struct incident told[ROWS_MAX]; /* of those: as the recommender last heard of it */
    bool told_selected[ROWS_MAX];
    size_t row_count;
    int64_t occurrences;
    int64_t firings;
} model;

static const char *const severities[] = {"sev1", "sev2", "sev3", "sev4", "sev5"};
static const char *const causes[] = {NULL, "capacity", "no_cache", "unknown"};

static struct incident random_incident(int64_t time_ms)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    static const char *const services[] = {"cart", "web", "api", "db"};
    struct incident it = {.id = ids[draw(6)], .service = services[draw(4)], .opened_ms = time_ms};
    it.severity = severities[draw(5)];
    it.root_cause = causes[draw(4)];
    it.code_refs[0] = draw(2) == 0 ? "x.c" : "y.c";
    it.code_refs[1] = draw(3) == 0 ? "z.c" : NULL;
    return it;
}

static void change_incident(struct incident *it, int64_t time_ms)
{
    it->severity = severities[draw(5)];
    it->root_cause = causes[draw(4)];
    if (draw(2) == 0)
        it->resolved_ms = time_ms;
}

/* A run ends before the first row could be forgotten, so that the reference need not. */
static int64_t reach_ms(void)
{
    return model.window_ms > DAYS(30) ? model.window_ms : DAYS(30);
}

/* The row of that incident and service, or a new one; ROWS_MAX: there is no room. */
static size_t model_row(const struct incident *it)
{
    for (size_t i = 0; i < model.row_count; i++)
        if (strcmp(model.rows[i].id, it->id) == 0 && strcmp(model.rows[i].service, it->service) == 0)
            return i;
    if (model.row_count == ROWS_MAX)
        return ROWS_MAX;
    model.rows[model.row_count] = *it;
    return model.row_count++;
}

static int64_t model_score(int64_t time_ms, int64_t *frequency)
{
    int64_t score = 0;
    *frequency = 0;
    bool seen[ROWS_MAX] = {false};
    for (size_t i = 0; i < model.row_count; i++) {
        int64_t opened_ms = INT64_MAX;
        int worst = 0;
        for (size_t j = i; j < model.row_count; j++) {
            if (seen[j] || strcmp(model.rows[i].id, model.rows[j].id) != 0)
                continue;
            seen[j] = true;
            if (!model.taken[j] || !model.told_selected[j])
                continue;
            int weight = severity_weight(str_of(model.told[j].severity));
            worst = weight > worst ? weight : worst;
            opened_ms = model.told[j].opened_ms < opened_ms ? model.told[j].opened_ms : opened_ms;
        }
        if (opened_ms == INT64_MAX || opened_ms <= time_ms - DAYS(30))
            continue;
        score += worst;
        ++*frequency;
    }
    return score;
}

/* After an operation that published: `versions` there were before it. */
static void check_newest(size_t versions)
{
    int64_t frequency;
    if (kept.version_count == versions || last_time(&kept) != kept.now_ms)
        return;
    bool incidents = false; /* without one, impact counts days */
    for (size_t i = 0; i < model.row_count; i++)
        incidents |= model.taken[i];
    int64_t score = model_score(kept.now_ms, &frequency);
    assert_true(!incidents || last(&kept, "impact_score").i == score);
    assert_true(!incidents || last(&kept, "frequency").i == frequency);
    assert_int_equal(last(&kept, "occurrences").i, model.sliding ? model.occurrences : model.firings);
    assert_int_equal(last(&kept, "firings").i, model.firings);
    checked++;
}

static void compare(void)
{
    assert_int_equal(kept.version_count, lost.version_count);
    static size_t compared;
    compared = kept.version_count < compared ? 0 : compared;
    for (; compared < kept.version_count; compared++) {
        struct buf a = {0};
        struct buf b = {0};
        value_json(&a, kept.versions[compared]);
        value_json(&b, lost.versions[compared]);
        assert_true(str_eq(buf_str(&a), buf_str(&b)));
        assert_int_equal(kept.detections[compared], lost.detections[compared]);
        buf_fini(&a);
        buf_fini(&b);
    }
}

static void tell(size_t at)
{
    model.told[at] = model.rows[at];
    model.told_selected[at] = model.selected[at];
}

/* An evaluation over the window at `time_ms`; `new_row` became selected (ROWS_MAX: none did). */
static void evaluate(int64_t time_ms, size_t new_row, enum outcome outcome)
{
    struct driver *drivers[] = {&kept, &lost};
    bool first = !model.made;
    bool makes = model.made || outcome == DETECTS;
    size_t versions = kept.version_count;
    for (size_t d = 0; d < 2; d++) {
        struct made *made = made_new(&drivers[d]->kept, time_ms, outcome, model.sliding);
        made->slots[OUT_FIXED_COUNT] = value_double((double)(time_ms / MINUTE_MS));
        for (size_t i = 0; i < model.row_count; i++)
            if (model.selected[i] && model.rows[i].opened_ms > time_ms - model.window_ms)
                (void)made_add(made, incident_row(&drivers[d]->kept, model.rows[i]), i == new_row);
        driver_evaluate(drivers[d], made);
    }
    if (!makes)
        return;
    model.made = true;
    model.firings += outcome >= FIRES;
    for (size_t i = 0; i < model.row_count; i++) {
        if (!model.selected[i] || model.rows[i].opened_ms <= time_ms - model.window_ms)
            continue;
        bool takes = first || (model.sliding ? i == new_row : outcome != QUIET);
        model.occurrences += takes && !model.taken[i];
        model.taken[i] |= takes;
        tell(i);
    }
    check_newest(versions);
}

static void row(int64_t time_ms, size_t at, bool publish)
{
    struct driver *drivers[] = {&kept, &lost};
    struct error err;
    size_t versions = kept.version_count;
    for (size_t d = 0; d < 2; d++) {
        driver_pass(drivers[d], time_ms, false);
        struct event event = incident_row(&drivers[d]->kept, model.rows[at]);
        struct recommender_change change = {&event, model.selected[at], publish, time_ms};
        assert_int_equal(
            recommender_row(drivers[d]->recommender, &drivers[d]->group, &change, &drivers[d]->arena, &err), 0);
    }
    tell(at);
    check_newest(versions);
}

/* One update of a row, and what the engine makes of it. */
static void step(int64_t time_ms)
{
    struct incident it = random_incident(time_ms);
    size_t at = model_row(&it);
    bool before = model.selected[at];
    if (before)
        change_incident(&model.rows[at], time_ms);
    model.selected[at] = draw(4) != 0;
    bool inside = model.rows[at].opened_ms > time_ms - model.window_ms;
    enum outcome outcome = (enum outcome)draw(4);
    if (!model.sliding) {
        if (before)
            row(time_ms, at, true);
        if (draw(3) == 0)
            evaluate(time_ms, ROWS_MAX, outcome);
    } else if (!before && model.selected[at] && inside) {
        evaluate(time_ms, at, outcome);
    } else if (before && !model.selected[at]) {
        row(time_ms, at, false);
        evaluate(time_ms, ROWS_MAX, outcome > TRUE_ONLY ? TRUE_ONLY : outcome);
    } else if (before) {
        row(time_ms, at, true);
    }
}

static void lose_memory(void)
{
    if (draw(2) == 0)
        driver_commit(&lost);
    if (draw(2) == 0)
        driver_restart(&lost);
    recommender_shrink(lost.recommender);
}

static void run(size_t which)
{
    driver_open(&kept, rules[which]);
    driver_open(&lost, rules[which]);
    recommender_free(lost.recommender);
    lost.options.memory_bytes = draw(2) == 0 ? 0 : 1 << 20;
    lost.recommender = recommender_new(&lost.options);
    const struct window *window = &kept.group.rule->window;
    model = (struct model){.sliding = window->kind == WINDOW_SLIDING, .window_ms = window->size_ms + window->wait_ms};
    int64_t time_ms = DAYS(1000);
    for (int i = 0; i < STEPS; i++) {
        time_ms += draw(5) == 0 ? (int64_t)draw((uint64_t)DAYS(4)) : (int64_t)draw(HOUR_MS * 2);
        if (draw(8) == 0)
            time_ms += DAY_MS - floor_mod(time_ms, DAY_MS); /* midnights are where things happen */
        if (time_ms >= DAYS(1000) + reach_ms())
            break;
        step(time_ms);
        compare();
        lose_memory();
    }
    driver_pass(&kept, time_ms + DAYS(90), true);
    driver_pass(&lost, time_ms + DAYS(90), true);
    compare();
    if (model.made) {
        assert_int_equal(last(&kept, "frequency").i, 0);
        assert_int_equal(kept.timer_count, 0);
    }
    driver_close(&kept);
    driver_close(&lost);
}

static void test_memory_changes_nothing(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t made = 0;
    for (size_t i = 0; i < RUNS; i++) {
        run(i % (sizeof rules / sizeof *rules));
        made += model.made;
    }
    assert_true(made > RUNS / 2);
    assert_true(checked > RUNS * 10);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
