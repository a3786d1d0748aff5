/* What the tests of the recommendation stage have in common: one rule, one group, evaluations made by hand, timers that
 * come when time passes them, and every version that was published.
 */
#ifndef FORESTALL_TESTS_RECOMMEND_DRIVER_H
#define FORESTALL_TESTS_RECOMMEND_DRIVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "recommend/recommend.h"

#define DAYS(n)  ((int64_t)((n) * (double)DAY_MS))
#define HOURS(n) ((int64_t)(n) * HOUR_MS)

enum { VERSIONS_MAX = 4096, TIMERS_MAX = 512, CONTRIBUTIONS_MAX = 256 };

struct timer {
    int64_t time_ms;
    int kind;
    int rule_number;
    uint64_t hash;
};

struct driver {
    struct arena arena; /* of one call */
    struct arena kept;
    struct ruleset *rules;
    struct state *state;
    struct recommender *recommender;
    struct recommender_options options;
    struct group group;
    struct value versions[VERSIONS_MAX];
    bool detections[VERSIONS_MAX];
    size_t version_count;
    struct timer timers[TIMERS_MAX];
    size_t timer_count;
    int64_t now_ms;
    bool more; /* another call of the same update follows */
};

/* A recommendation for the group service = cart, environment = null. */
static const char rule_start[] = "apiVersion: forestall.io/v1\n"
                                 "kind: RuleSet\n"
                                 "metadata: {name: test}\n"
                                 "rules:\n";

static inline void driver_publish(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct driver *driver = context;
    assert_true(driver->version_count < VERSIONS_MAX);
    assert_int_equal(time_ms, driver->now_ms);
    assert_true(str_eq(id, value_as_str(*value_map_get(record, STR_LIT("recommendation_id")))));
    driver->detections[driver->version_count] = detection;
    driver->versions[driver->version_count++] = value_copy(&driver->kept, record);
}

/* Histories hold nothing. */
static int driver_history(void *context, const struct rule *history, uint64_t hash, struct span span,
                          struct arena *arena, struct history_sum *sum, struct error *err)
{
    (void)context;
    (void)hash;
    (void)err;
    *sum = history_measure(history, NULL, span, arena);
    return 0;
}

static inline void driver_timer(void *context, int64_t time_ms, int kind, int rule_number, uint64_t hash)
{
    struct driver *driver = context;
    assert_true(driver->timer_count < TIMERS_MAX);
    driver->timers[driver->timer_count++] = (struct timer){time_ms, kind, rule_number, hash};
}

/* Loads the rule; what was loaded before is the caller's. */
static inline void driver_load(struct driver *driver, const char *rule_text)
{
    struct buf text = {0};
    buf_puts(&text, rule_start);
    buf_puts(&text, rule_text);
    struct diagnostics diagnostics = {.arena = &driver->kept};
    driver->rules = ruleset_load_text("test.yaml", buf_str(&text), &diagnostics);
    for (size_t i = 0; driver->rules == NULL && i < diagnostics.count; i++)
        print_error("%d: %s\n", diagnostics.items[i].line, diagnostics.items[i].message);
    assert_non_null(driver->rules);
    diagnostics_fini(&diagnostics);
    buf_fini(&text);
    driver->options.rules = driver->rules;
    driver->group.rule = &driver->rules->rules[0];
}

static inline void driver_open(struct driver *driver, const char *rule_text)
{
    memset(driver, 0, sizeof *driver);
    driver->state = state_new(store_memory_new());
    driver->options = (struct recommender_options){
        .state = driver->state,
        .tasks = task_range_all(8),
        .impact_high = 40,
        .impact_medium = 10,
        .evidence_max = 20,
        .memory_bytes = 1 << 20,
        .publish = driver_publish,
        .timer = driver_timer,
        .history = driver_history,
        .context = driver,
    };
    driver_load(driver, rule_text);
    driver->recommender = recommender_new(&driver->options);
    driver->now_ms = INT64_MIN;
    driver->group.hash = 0x0123456789abcdefULL;
    driver->group.task = group_task(driver->group.hash, driver->options.tasks.count);
}

/* The group of these values, text or NULL for null, in the order of group_by. `key` is the driver's. */
static inline struct group driver_group(struct driver *driver, const char *const *values)
{
    const struct rule *rule = &driver->rules->rules[0];
    struct value group[RULE_GROUP_KEYS_MAX];
    struct buf key = {0};
    for (size_t i = 0; i < rule->group_count; i++)
        group[i] = values[i] != NULL ? value_text(values[i]) : value_null();
    uint64_t hash = group_identify(&key, rule, group);
    struct group made = {.rule = rule, .hash = hash, .key = arena_str(&driver->kept, buf_str(&key))};
    made.task = group_task(made.hash, driver->options.tasks.count);
    buf_fini(&key);
    return made;
}

static inline void driver_settle(struct driver *driver)
{
    if (!driver->more)
        recommender_settle(driver->recommender, driver->now_ms, &driver->arena);
    arena_reset(&driver->arena);
}

static inline void driver_close(struct driver *driver)
{
    recommender_free(driver->recommender);
    state_free(driver->state);
    ruleset_free(driver->rules);
    arena_fini(&driver->arena);
    arena_fini(&driver->kept);
}

/* Writes what is dirty to the store, as a commit does. */
static inline void driver_commit(struct driver *driver)
{
    struct error err;
    const struct str_pair *entries;
    struct store *store = state_store(driver->state);
    size_t count = state_dirty(driver->state, &entries);
    assert_int_equal(store->ops->write(store, entries, count, &err), 0);
    state_settle(driver->state);
}

/* Forgets all that is in memory and reads the timers from the state. */
static inline void driver_restart(struct driver *driver)
{
    struct error err;
    recommender_drop(driver->recommender);
    driver->timer_count = 0;
    assert_int_equal(recommender_restore(driver->recommender, &err), 0);
}

static inline bool timer_before(const struct timer *a, const struct timer *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms;
    return a->kind != b->kind ? a->kind < b->kind : a->hash < b->hash;
}

/* Time passes: timers below `time_ms` come, or at it where `inclusive`. */
static inline void driver_pass(struct driver *driver, int64_t time_ms, bool inclusive)
{
    struct error err;
    for (;;) {
        size_t next = SIZE_MAX;
        for (size_t i = 0; i < driver->timer_count; i++) {
            const struct timer *timer = &driver->timers[i];
            const struct timer *best = next == SIZE_MAX ? NULL : &driver->timers[next];
            if (timer->time_ms > time_ms || (timer->time_ms == time_ms && !inclusive))
                continue;
            if (best == NULL || timer_before(timer, best))
                next = i;
        }
        if (next == SIZE_MAX)
            break;
        struct timer timer = driver->timers[next];
        driver->timers[next] = driver->timers[--driver->timer_count];
        driver->now_ms = timer.time_ms;
        struct recommender_due due = {timer.time_ms, (enum recommend_timer)timer.kind, timer.rule_number, timer.hash};
        assert_int_equal(recommender_timer(driver->recommender, &due, &driver->arena, &err), 0);
        arena_reset(&driver->arena);
    }
    driver->now_ms = time_ms;
}

/* What a test says of a row; times are absolute, 0 where unknown. */
struct incident {
    const char *id;
    const char *service;  /* default: cart */
    const char *severity; /* default: sev2 */
    const char *title;    /* default: the id */
    const char *root_cause;
    const char *component;
    const char *code_refs[4];
    int64_t opened_ms;
    int64_t started_ms;
    int64_t resolved_ms;
};

static inline struct event incident_row(struct arena *arena, struct incident incident)
{
    struct event row;
    event_clear(&row, stream_get(STREAM_INCIDENT));
    row.time_ms = incident.opened_ms;
    row.at = (struct position){1, 2, incident.opened_ms};
    struct value *v = row.values;
    v[INCIDENT_EVENT_ID] = value_text(arena_printf(arena, "event-%s", incident.id));
    v[INCIDENT_ID] = value_text(incident.id);
    v[INCIDENT_STATUS] = value_text(incident.resolved_ms != 0 ? "resolved" : "open");
    v[INCIDENT_OCCURRED_AT] = v[INCIDENT_OPENED_AT] = value_time_ms(incident.opened_ms);
    v[INCIDENT_SERVICE] = value_text(incident.service != NULL ? incident.service : "cart");
    v[INCIDENT_SEVERITY] = value_text(incident.severity != NULL ? incident.severity : "sev2");
    v[INCIDENT_TITLE] = value_text(incident.title != NULL ? incident.title : incident.id);
    if (incident.root_cause != NULL)
        v[INCIDENT_ROOT_CAUSE] = value_text(incident.root_cause);
    if (incident.component != NULL)
        v[INCIDENT_COMPONENT] = value_text(incident.component);
    if (incident.started_ms != 0)
        v[INCIDENT_STARTED_AT] = value_time_ms(incident.started_ms);
    if (incident.resolved_ms != 0)
        v[INCIDENT_RESOLVED_AT] = value_time_ms(incident.resolved_ms);
    struct value *refs = arena_alloc(arena, sizeof(struct value) * 4);
    size_t n = 0;
    for (; n < 4 && incident.code_refs[n] != NULL; n++)
        refs[n] = value_text(incident.code_refs[n]);
    v[INCIDENT_CODE_REFS] = value_list(refs, n);
    return row;
}

static inline struct event metric(const char *service, int64_t time_ms)
{
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = time_ms;
    event.at = (struct position){3, 0, time_ms};
    event.values[TELEMETRY_KIND] = value_text("metric");
    event.values[TELEMETRY_SERVICE] = value_text(service);
    event.values[TELEMETRY_NAME] = value_text("cpu_usage");
    event.values[TELEMETRY_VALUE] = value_double(91);
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(time_ms);
    return event;
}

/* An evaluation made by hand. */
struct made {
    struct evaluation evaluation;
    struct value slots[OUT_FIXED_COUNT + RULE_AGGREGATES_MAX];
    struct value group[4];
    struct event events[CONTRIBUTIONS_MAX];
    struct contribution contributions[CONTRIBUTIONS_MAX];
};

/* Outcomes of a sliding evaluation. */
enum outcome { QUIET, TRUE_ONLY, FIRES, DETECTS };

static inline struct made *made_new(struct arena *arena, int64_t time_ms, enum outcome outcome, bool sliding)
{
    struct made *made = arena_zalloc(arena, sizeof *made);
    made->group[0] = value_text("service");
    made->group[1] = value_text("cart");
    made->group[2] = value_text("environment");
    made->slots[OUT_GROUP] = value_map(made->group, 2);
    made->evaluation = (struct evaluation){
        .time_ms = time_ms,
        .sliding = sliding,
        .when = outcome != QUIET,
        .firing = outcome >= FIRES,
        .detection = outcome == DETECTS,
        .slots = made->slots,
        .slot_count = OUT_FIXED_COUNT + RULE_AGGREGATES_MAX,
        .contributions = made->contributions,
    };
    return made;
}

static inline struct contribution *made_add(struct made *made, struct event event, bool selected_now)
{
    size_t at = made->evaluation.contribution_count++;
    assert_true(at < CONTRIBUTIONS_MAX);
    made->events[at] = event;
    made->contributions[at] = (struct contribution){&made->events[at], selected_now, false};
    made->evaluation.occurrences++;
    return &made->contributions[at];
}

static inline void driver_evaluate(struct driver *driver, const struct made *made)
{
    struct error err;
    driver_pass(driver, made->evaluation.time_ms, false);
    assert_int_equal(
        recommender_evaluated(driver->recommender, &driver->group, &made->evaluation, &driver->arena, &err), 0);
    driver_settle(driver);
}

static inline int driver_take_record(void *context, struct str key, struct str value)
{
    struct buf *parts = context;
    buf_reset(&parts[0]);
    buf_reset(&parts[1]);
    buf_str_put(&parts[0], key);
    buf_str_put(&parts[1], value);
    return 1;
}

/* The key and the value of the one recommendation in the state of the driver's task; to be freed. */
static inline void driver_record(struct driver *driver, struct buf parts[2])
{
    struct error err;
    struct buf prefix = {0};
    state_key(&prefix, driver->group.task, STATE_RECOMMENDATION);
    assert_int_equal(state_scan(driver->state, buf_str(&prefix), driver_take_record, parts, &err), 1);
    buf_fini(&prefix);
}

/* Every way to cut its record short is found out, and so is any byte too many. */
static inline void driver_damage(struct driver *driver, int64_t time_ms)
{
    struct error err;
    struct buf parts[2] = {{0}, {0}};
    driver_record(driver, parts);
    struct made *made = made_new(&driver->kept, time_ms, FIRES, true);
    driver->now_ms = time_ms;
    buf_byte(&parts[1], 0);
    for (size_t n = 0; n <= parts[1].len; n++) {
        recommender_drop(driver->recommender);
        state_put(driver->state, buf_str(&parts[0]), (struct str){parts[1].p, n});
        bool whole = n == parts[1].len - 1;
        int result =
            recommender_evaluated(driver->recommender, &driver->group, &made->evaluation, &driver->arena, &err);
        assert_int_equal(result, whole ? 0 : -1);
        assert_true(whole || err.class == ERROR_FATAL);
    }
    recommender_drop(driver->recommender);
    buf_fini(&parts[0]);
    buf_fini(&parts[1]);
}

/* One evaluation with one new incident, which is all that the window lists. */
static inline void driver_incident(struct driver *driver, enum outcome outcome, struct incident incident)
{
    struct made *made = made_new(&driver->kept, incident.opened_ms, outcome, true);
    (void)made_add(made, incident_row(&driver->kept, incident), true);
    driver_evaluate(driver, made);
}

static inline void driver_row(struct driver *driver, int64_t time_ms, struct incident incident, bool selected)
{
    struct error err;
    driver_pass(driver, time_ms, false);
    struct event row = incident_row(&driver->kept, incident);
    struct recommender_change change = {&row, selected, true, time_ms};
    assert_int_equal(recommender_row(driver->recommender, &driver->group, &change, &driver->arena, &err), 0);
    driver_settle(driver);
}

/* Of the version before the last `back` ones: its time in milliseconds. */
static inline struct value driver_field(const struct driver *driver, size_t back, const char *name)
{
    assert_true(driver->version_count > back);
    const struct value *v = value_map_get(driver->versions[driver->version_count - 1 - back], str_of(name));
    assert_non_null(v);
    return *v;
}

static inline struct value last(const struct driver *driver, const char *name)
{
    return driver_field(driver, 0, name);
}

static inline int64_t last_time(const struct driver *driver)
{
    return value_ms(last(driver, "event_time"));
}

#define assert_field(driver, name, json)                                                                               \
    do {                                                                                                               \
        struct buf text_ = {0};                                                                                        \
        value_json(&text_, last(driver, name));                                                                        \
        buf_byte(&text_, 0);                                                                                           \
        assert_string_equal(text_.p, json);                                                                            \
        buf_fini(&text_);                                                                                              \
    } while (0)

#endif
