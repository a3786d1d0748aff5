/* One rule with one group, driven by event time as reduce drives it: panes close before windows, windows before the
 * events of their time. At random the group leaves memory and is loaded again, as at a restart, when nobody wrote down
 * what follows from the time alone, or as when memory ran short. */
#ifndef FORESTALL_TESTS_DETECT_DRIVER_H
#define FORESTALL_TESTS_DETECT_DRIVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect/detector.h"
#include "detect/span.h"

struct driver {
    struct arena arena; /* of the rule set's messages and the group's key */
    struct arena call;  /* of one call of the detector */
    struct ruleset *rules;
    const struct rule *rule;
    struct state *state;
    struct str key;
    struct group *group; /* NULL: not in memory */
    struct pane *open;   /* map's partial */
    int64_t now_ms;      /* what lies before it is applied */
    int64_t offset;
    uint64_t seed;
    int restarts;     /* about one event in so many; 0: none */
    int64_t since_ms; /* the rule is in force since then; 0: long ago */
    struct detector_counters counters;
    size_t timers; /* fired */
    void (*evaluated)(struct driver *driver, const struct evaluation *evaluation);
};

static inline uint64_t driver_below(struct driver *driver, uint64_t n)
{
    driver->seed ^= driver->seed << 13;
    driver->seed ^= driver->seed >> 7;
    driver->seed ^= driver->seed << 17;
    return driver->seed % n;
}

/* `detect` and `from` as a rule file has them; the rule has no group_by. */
static inline void driver_open(struct driver *driver, const char *from, const char *detect, uint64_t seed)
{
    const char *text = arena_printf(&driver->arena,
                                    "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n"
                                    "- id: r\n  from: %s\n  detect: %s\n",
                                    from, detect);
    struct diagnostics diagnostics = {.arena = &driver->arena};
    driver->rules = ruleset_load_text("model.yaml", str_of(text), &diagnostics);
    for (size_t i = 0; driver->rules == NULL && i < diagnostics.count; i++)
        print_error("%d:%d: %s\n", diagnostics.items[i].line, diagnostics.items[i].column,
                    diagnostics.items[i].message);
    assert_non_null(driver->rules);
    diagnostics_fini(&diagnostics);
    driver->rule = &driver->rules->rules[0];
    driver->state = state_new(store_memory_new());
    driver->now_ms = INT64_MIN;
    driver->seed = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    driver->key = arena_str(&driver->arena, STR_LIT(""));
}

static inline void driver_close(struct driver *driver)
{
    if (driver->group != NULL)
        group_free(driver->group);
    pane_free(driver->open);
    state_free(driver->state);
    ruleset_free(driver->rules);
    arena_fini(&driver->call);
    arena_fini(&driver->arena);
}

/* The group; with `make` one that the state does not know yet. NULL: there is none. */
static inline struct group *driver_group(struct driver *driver, bool make)
{
    struct error err;
    struct group_options options = {.rule = driver->rule,
                                    .hash = group_hash(driver->key),
                                    .key = make ? driver->key : (struct str){NULL, 0},
                                    .past_ms = driver->now_ms};
    if (driver->group == NULL)
        assert_int_equal(group_load(&driver->group, driver->state, &options, &err), 0);
    return driver->group;
}

static inline void driver_check_bytes(const struct group *group)
{
    size_t bytes = 0;
    for (size_t i = 0; i < group->entry_count; i++)
        bytes += group->entries[i].event.n;
    for (size_t i = 0; i < group->pane_count; i++)
        bytes += pane_bytes(group->panes[i]);
    for (size_t i = 0; i < group->note_count; i++)
        bytes += group->notes[i].bytes.n;
    assert_int_equal(group->bytes, bytes);
}

static inline struct detector_context driver_context(struct driver *driver)
{
    return (struct detector_context){.state = driver->state,
                                     .arena = &driver->call,
                                     .window_events_max = 10000,
                                     .since_ms = driver->since_ms,
                                     .counters = &driver->counters};
}

static inline void driver_settle(struct driver *driver, const struct detector_context *context)
{
    for (size_t i = 0; i < context->evaluation_count; i++)
        driver->evaluated(driver, context->evaluations[i]);
    driver_check_bytes(driver->group);
    if (group_is_empty(driver->group)) {
        group_free(driver->group);
        driver->group = NULL;
    }
    arena_reset(&driver->call);
}

static inline void driver_restart(struct driver *driver)
{
    if (driver->group == NULL || driver->restarts == 0 || driver_below(driver, (uint64_t)driver->restarts) != 0)
        return;
    group_free(driver->group);
    driver->group = NULL;
}

/* Panes and timers up to `time_ms`, those at it included. */
static inline void driver_advance(struct driver *driver, int64_t time_ms)
{
    for (;;) {
        int64_t pane_ms =
            driver->open == NULL ? INT64_MAX : span_pane(&driver->rule->window, driver->open->start_ms).end_ms;
        struct group *group = driver_group(driver, false);
        int64_t timer_ms = group == NULL ? INT64_MAX : group->timer_ms;
        if (pane_ms > time_ms && timer_ms > time_ms)
            break;
        struct detector_context context = driver_context(driver);
        if (pane_ms <= timer_ms) {
            struct pane *pane = driver->open;
            driver->open = NULL;
            detector_of(driver->rule)->on_pane(&context, driver_group(driver, true), pane);
        } else {
            driver->timers++;
            detector_of(driver->rule)->on_timer(&context, group, timer_ms);
        }
        driver_settle(driver, &context);
        driver->now_ms = pane_ms <= timer_ms ? pane_ms : timer_ms + 1;
        driver_restart(driver);
    }
    driver->now_ms = time_ms + 1;
}

/* An event of the rule's stream for input `input`, at or after all before it. */
static inline void driver_event(struct driver *driver, int input, struct event *event)
{
    driver_advance(driver, event->time_ms);
    event->at.offset = driver->offset++;
    if (detector_folds(driver->rule, &driver->rule->inputs[input])) {
        if (driver->open == NULL)
            driver->open = pane_new(driver->rule, span_pane(&driver->rule->window, event->time_ms).start_ms);
        if (pane_add(driver->open, driver->rule, input, event, &driver->call))
            pane_newest(driver->open, event);
    } else {
        struct detector_context context = driver_context(driver);
        detector_of(driver->rule)
            ->on_event(&context, driver_group(driver, true), event, (struct selection){0, (uint16_t)(1U << input)},
                       event->time_ms);
        driver_settle(driver, &context);
    }
    arena_reset(&driver->call);
}

/* A metric's value. */
static inline void driver_value(struct driver *driver, int input, int64_t time_ms, double value)
{
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = time_ms;
    event.values[TELEMETRY_NAME] = value_text("m");
    event.values[TELEMETRY_SERVICE] = value_text("s");
    event.values[TELEMETRY_VALUE] = value_double(value);
    driver_event(driver, input, &event);
}

#endif
