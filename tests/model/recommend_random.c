/* Random operations on two recommenders over one rule: one keeps its memory, the other loses it at random and reads the
 * state again. Their versions must be the same to the byte; impact and counts are those of a naive reference besides.
 * Usage: test_recommend_random [seed]
 */
#include "../unit/recommend_driver.h"

enum { RUNS = 140, STEPS = 120, ROWS_MAX = 24, EVENTS_MAX = 200, GROUPS_MAX = 4, RECORDS_MAX = 3 };

#define RULE(id, window, recommend)                                                                                    \
    "- id: " id "\n"                                                                                                   \
    "  from: {bad: {stream: incident}, cpu: {stream: telemetry}}\n"                                                    \
    "  detect: {group_by: [service, environment], window: {" window "}, when: count(bad) + count(cpu) >= 1}\n"         \
    "  recommend: {category: code_quality, title: '{{ count(bad) }}', complexity: low, " recommend "}\n"

static const struct {
    const char *text;
    bool exact; /* a version shows all that its update changed */
} rules[] = {
    {RULE("sliding", "size: 30d", "cooldown: 1d"), true},
    {RULE("eager", "size: 40d", "cooldown: 0s"), true},
    {RULE("hopping", "size: 45d, slide: 1d, wait: 1d", "cooldown: 12h"), true},
    {RULE("shared", "size: 5d", "cooldown: 0s, per: [service]"), true},
    {RULE("shared-calm", "size: 5d", "cooldown: 2d, per: [service], needs: {detections: 2, within: 9d}"), false},
    {RULE("shared-hopping", "size: 5d, slide: 1d", "cooldown: 0s, per: []"), true},
    {RULE("gated", "size: 30d", "cooldown: 0s, per: [service], needs: {detections: 4, within: 6d}"), true},
    {RULE("gated-hopping", "size: 30d, slide: 1d", "cooldown: 0s, needs: {detections: 3, within: 4d}"), true},
    {RULE("outputs", "size: 5d, slide: 1d", "cooldown: 0s, per: [service, incidents]"), true},
    {RULE("outputs-gated", "size: 5d, slide: 1d", "cooldown: 0s, per: [incidents], needs: {detections: 3, within: 9d}"),
     true},
    {RULE("outputs-sliding", "size: 5d", "cooldown: 0s, per: [incidents]"), true},
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

/* One recommendation, as the reference has it. */
struct record {
    bool exists;
    bool made;
    int64_t since_ms;
    bool taken[ROWS_MAX];             /* contributed, and counts as one occurrence */
    struct incident told[ROWS_MAX];   /* of those: as the recommender last heard of it */
    bool known[ROWS_MAX][GROUPS_MAX]; /* contributed through that group */
    bool selects[ROWS_MAX][GROUPS_MAX];
    bool counted[EVENTS_MAX];
    int64_t firings;
    int64_t detections[STEPS * 2]; /* their times */
    size_t detection_count;
};

/* What happened so far. A row is in one group at a time, and may move. */
static struct model {
    const struct rule *rule;
    bool sliding;
    bool exact;
    int64_t window_ms;
    struct incident rows[ROWS_MAX];
    bool selected[ROWS_MAX];
    size_t group_of[ROWS_MAX];
    size_t row_count;
    int64_t event_ms[EVENTS_MAX]; /* single events of the window's groups */
    size_t event_group[EVENTS_MAX];
    size_t event_count;
    size_t group_count;
    bool detected[GROUPS_MAX];
    struct record records[RECORDS_MAX]; /* by output; the first where `per` has none */
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

static bool of_outputs(void)
{
    return model.rule->recommend->per_kind == PER_OUTPUTS;
}

static size_t record_count(void)
{
    return of_outputs() ? RECORDS_MAX : 1;
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

static bool counts(const struct record *record, size_t row)
{
    bool any = false;
    for (size_t g = 0; g < model.group_count; g++)
        any |= record->selects[row][g];
    return any;
}

static int64_t model_score(const struct record *record, int64_t time_ms, int64_t *frequency)
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
            if (!counts(record, j))
                continue;
            int weight = severity_weight(str_of(record->told[j].severity));
            worst = weight > worst ? weight : worst;
            opened_ms = record->told[j].opened_ms < opened_ms ? record->told[j].opened_ms : opened_ms;
        }
        if (opened_ms == INT64_MAX || opened_ms <= time_ms - DAYS(30))
            continue;
        score += worst;
        ++*frequency;
    }
    return score;
}

static int64_t model_occurrences(const struct record *record)
{
    int64_t count = 0;
    for (size_t i = 0; i < model.row_count; i++)
        count += record->taken[i];
    for (size_t i = 0; i < model.event_count; i++)
        count += record->counted[i];
    return model.sliding ? count : record->firings;
}

/* The newest version of the recommendation of that number, if it is of now; NULL else. */
static const struct value *version_now(size_t number)
{
    char output[2] = {(char)('0' + number), '\0'};
    for (size_t i = kept.version_count; i > 0; i--) {
        const struct value *version = &kept.versions[i - 1];
        const struct value *member = value_map_get(*value_map_get(*version, STR_LIT("group")), STR_LIT("incidents"));
        if (of_outputs() && !str_is(value_as_str(*member), output))
            continue;
        return value_ms(*value_map_get(*version, STR_LIT("event_time"))) == kept.now_ms ? version : NULL;
    }
    return NULL;
}

/* After an update that published: `versions` there were before it. */
static void check_newest(size_t versions)
{
    if (kept.version_count == versions || !model.exact)
        return;
    for (size_t r = 0; r < record_count(); r++) {
        const struct record *record = &model.records[r];
        const struct value *version = version_now(r);
        int64_t frequency;
        if (version == NULL)
            continue;
        assert_true(record->made);
        bool incidents = false; /* without one, impact counts days */
        for (size_t i = 0; i < model.row_count; i++)
            incidents |= record->taken[i];
        int64_t score = model_score(record, kept.now_ms, &frequency);
        assert_true(!incidents || value_map_get(*version, STR_LIT("impact_score"))->i == score);
        assert_true(!incidents || value_map_get(*version, STR_LIT("frequency"))->i == frequency);
        assert_int_equal(value_map_get(*version, STR_LIT("occurrences"))->i, model_occurrences(record));
        assert_int_equal(value_map_get(*version, STR_LIT("firings"))->i, record->firings);
        assert_int_equal(value_map_get(*version, STR_LIT("detections"))->i, record->detection_count);
        checked++;
    }
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
        size_t at = 0;
        while (at < a.len && at < b.len && a.p[at] == b.p[at])
            at++;
        if (at < a.len || at < b.len)
            fail_msg("of %.*s, from memory and from the state: ...%.*s and ...%.*s", STR_ARG(model.rule->id),
                     (int)(a.len - at < 200 ? a.len - at : 200), a.p + at, (int)(b.len - at < 200 ? b.len - at : 200),
                     b.p + at);
        assert_int_equal(kept.detections[compared], lost.detections[compared]);
        buf_fini(&a);
        buf_fini(&b);
    }
}

static bool inside(int64_t opened_ms, int64_t time_ms)
{
    return opened_ms > time_ms - model.window_ms;
}

static void enter(struct driver *driver, size_t group)
{
    static const char *const environments[GROUPS_MAX] = {"dev", "test", "live", NULL};
    const char *values[] = {"cart", environments[group]};
    if (model.group_count > 1)
        driver->group = driver_group(driver, values);
    driver->group.detected = model.detected[group];
}

/* An evaluation of a group: what became selected of it, if anything did, and what it found. */
struct evaluating {
    size_t group;
    size_t new_row;   /* ROWS_MAX: none */
    size_t new_event; /* EVENTS_MAX: none */
    enum outcome outcome;
    size_t record; /* which it is about */
};

static struct made *made_for(struct driver *driver, int64_t time_ms, const struct evaluating *e)
{
    struct made *made = made_new(&driver->kept, time_ms, e->outcome, model.sliding);
    made->slots[OUT_FIXED_COUNT] = value_double((double)(time_ms / MINUTE_MS));
    made->slots[OUT_INCIDENTS] = value_double((double)e->record);
    for (size_t i = 0; i < model.row_count; i++)
        if (model.selected[i] && model.group_of[i] == e->group && inside(model.rows[i].opened_ms, time_ms))
            (void)made_add(made, incident_row(&driver->kept, model.rows[i]), i == e->new_row);
    for (size_t i = 0; i < model.event_count; i++) {
        if (model.event_group[i] != e->group || !inside(model.event_ms[i], time_ms))
            continue;
        struct event event = metric("cart", model.event_ms[i]);
        event.at.offset = (int64_t)i;
        (void)made_add(made, event, i == e->new_event);
    }
    return made;
}

/* Rows that the evaluation lists: those that it contributes, and the others' data. */
static void model_rows(struct record *record, int64_t time_ms, const struct evaluating *e, bool all)
{
    for (size_t i = 0; i < model.row_count; i++) {
        if (!model.selected[i] || model.group_of[i] != e->group || !inside(model.rows[i].opened_ms, time_ms))
            continue;
        if (all || (model.sliding ? i == e->new_row : e->outcome != QUIET))
            record->taken[i] = true;
        if (record->taken[i])
            record->known[i][e->group] = record->selects[i][e->group] = true;
        record->told[i] = model.rows[i];
    }
}

static void model_evaluate(int64_t time_ms, const struct evaluating *e)
{
    struct record *record = &model.records[of_outputs() ? e->record : 0];
    if ((!record->exists && e->outcome != DETECTS) || (of_outputs() && e->outcome == QUIET))
        return;
    bool first = !record->exists;
    bool joins = e->outcome == DETECTS && !model.detected[e->group] && model.group_count > 1;
    if (first)
        record->since_ms = time_ms;
    record->exists = true;
    record->firings += e->outcome >= FIRES;
    if (e->outcome == DETECTS)
        record->detections[record->detection_count++] = time_ms;
    model_rows(record, time_ms, e, first || joins);
    for (size_t i = 0; i < model.event_count; i++) {
        bool mine = model.event_group[i] == e->group && inside(model.event_ms[i], time_ms);
        bool since = model.group_count == 1 || of_outputs() || model.detected[e->group] || time_ms > record->since_ms;
        if (mine && (first || joins || (i == e->new_event && since)))
            record->counted[i] = true;
    }
    int64_t near = 0;
    for (size_t i = 0; i < record->detection_count; i++)
        near += record->detections[i] > time_ms - model.rule->recommend->needs_within_ms;
    record->made |= e->outcome == DETECTS && near >= model.rule->recommend->needs_detections;
}

static void evaluate(int64_t time_ms, struct evaluating e)
{
    struct driver *drivers[] = {&kept, &lost};
    if (of_outputs() && !model.detected[e.group] && e.outcome != DETECTS)
        e.outcome = QUIET; /* a group's first firing is a detection */
    for (size_t d = 0; d < 2; d++) {
        driver_pass(drivers[d], time_ms, false);
        enter(drivers[d], e.group);
        driver_evaluate(drivers[d], made_for(drivers[d], time_ms, &e));
    }
    model_evaluate(time_ms, &e);
    model.detected[e.group] |= e.outcome == DETECTS;
}

static void row(int64_t time_ms, size_t at, size_t group, bool selected, bool publish)
{
    struct driver *drivers[] = {&kept, &lost};
    struct error err;
    for (size_t d = 0; d < 2; d++) {
        driver_pass(drivers[d], time_ms, false);
        enter(drivers[d], group);
        struct event event = incident_row(&drivers[d]->kept, model.rows[at]);
        struct recommender_change change = {&event, selected, publish, time_ms};
        assert_int_equal(
            recommender_row(drivers[d]->recommender, &drivers[d]->group, &change, &drivers[d]->arena, &err), 0);
        driver_settle(drivers[d]);
    }
    for (size_t r = 0; r < record_count(); r++) {
        struct record *record = &model.records[r];
        if (of_outputs() ? !record->known[at][group] : !record->taken[at])
            continue;
        record->selects[at][group] = selected;
        record->told[at] = model.rows[at];
    }
}

/* An update's calls are settled together. */
static void together(bool more)
{
    kept.more = lost.more = more;
}

/* One group that a row's update touches, as the engine calls about it. */
static void touch(int64_t time_ms, size_t at, size_t group, bool before, bool after)
{
    bool shared = rule_is_shared(model.rule);
    bool evaluates = model.sliding && (before || inside(model.rows[at].opened_ms, time_ms));
    enum outcome outcome = (enum outcome)draw(4);
    if (before && outcome > TRUE_ONLY && draw(3) != 0)
        outcome = TRUE_ONLY; /* nothing was selected: it seldom fires */
    if (before || shared)
        row(time_ms, at, group, after, !evaluates);
    if (evaluates)
        evaluate(time_ms,
                 (struct evaluating){group, !before && after ? at : ROWS_MAX, EVENTS_MAX, outcome, draw(RECORDS_MAX)});
}

static void update_row(int64_t time_ms)
{
    struct incident it = random_incident(time_ms);
    size_t at = model_row(&it);
    if (at == ROWS_MAX)
        return;
    bool before = model.selected[at];
    bool after = draw(4) != 0;
    size_t from = model.group_of[at];
    size_t to = draw(3) == 0 || !before ? draw(model.group_count) : from;
    if (before)
        change_incident(&model.rows[at], time_ms);
    together(true);
    model.selected[at] = after;
    if (from == to || !before || !after) {
        if (!before)
            model.group_of[at] = to;
        if (before || after)
            touch(time_ms, at, before ? from : to, before, after);
    } else {
        model.group_of[at] = to;
        touch(time_ms, at, from, true, false);
        touch(time_ms, at, to, false, true);
    }
}

/* An event, or the end of a window. */
static void update_group(int64_t time_ms)
{
    struct evaluating e = {draw(model.group_count), ROWS_MAX, EVENTS_MAX, (enum outcome)draw(4), draw(RECORDS_MAX)};
    if (model.sliding && model.event_count < EVENTS_MAX) {
        e.new_event = model.event_count++;
        model.event_ms[e.new_event] = time_ms;
        model.event_group[e.new_event] = e.group;
    }
    together(true);
    if (!model.sliding || e.new_event < EVENTS_MAX)
        evaluate(time_ms, e);
}

static void step(int64_t time_ms)
{
    size_t versions = kept.version_count;
    if (draw(3) != 0)
        update_row(time_ms);
    else
        update_group(time_ms);
    together(false);
    driver_settle(&kept);
    driver_settle(&lost);
    check_newest(versions);
}

static void lose_memory(void)
{
    if (draw(2) == 0)
        driver_commit(&lost);
    if (draw(2) == 0)
        driver_restart(&lost);
    recommender_shrink(lost.recommender);
}

static void open(size_t which)
{
    driver_open(&kept, rules[which].text);
    driver_open(&lost, rules[which].text);
    recommender_free(lost.recommender);
    lost.options.memory_bytes = draw(2) == 0 ? 0 : 1 << 20;
    lost.recommender = recommender_new(&lost.options);
    const struct rule *rule = kept.group.rule;
    model = (struct model){.rule = rule,
                           .sliding = rule->window.kind == WINDOW_SLIDING,
                           .exact = rules[which].exact,
                           .window_ms = rule->window.size_ms + rule->window.wait_ms,
                           .group_count = rule_is_shared(rule) ? GROUPS_MAX : 1};
}

static bool run(size_t which)
{
    open(which);
    int64_t time_ms = DAYS(1000);
    for (int i = 0; i < STEPS; i++) {
        if (draw(6) != 0)
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
    bool made = kept.version_count > 0;
    if (made) {
        assert_int_equal(last(&kept, "frequency").i, 0);
        assert_int_equal(kept.timer_count, 0);
    }
    driver_close(&kept);
    driver_close(&lost);
    return made;
}

static void test_memory_changes_nothing(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t made = 0;
    for (size_t i = 0; i < RUNS; i++)
        made += run(i % (sizeof rules / sizeof *rules));
    assert_true(made > RUNS / 2);
    assert_true(checked > RUNS * 10);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
