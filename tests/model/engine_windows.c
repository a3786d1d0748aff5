/* Sliding, hopping and calendar windows against a naive reference: random rows that are selected, change, are
 * deselected, change their group, are cancelled, and random telemetry, many at one time and at windows' ends; groups
 * leave memory, and all of it is dropped and loaded again, at random. Each evaluation must be one that the definitions
 * of rules/README.md give, computed from all rows and events there are, and none may be missing.
 *
 * usage: test_engine_windows [SEED [ROUNDS]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "engine_windows.h"

enum { TASKS = 3 };

static uint64_t seed = 1;
static int rounds = 25;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static void arm(int64_t time_ms, int rule_number, uint64_t hash)
{
    assert_true(model->timer_count < TIMERS_MAX);
    model->timers[model->timer_count++] = (struct timer){time_ms, rule_number, hash};
}

static struct detector_context detector(bool capped)
{
    return (struct detector_context){.state = model->state,
                                     .arena = &model->call,
                                     .window_events_max = capped ? CAP : 10000,
                                     .first_ms = model->first_ms,
                                     .counters = &model->counters};
}

static void check_bytes(const struct group *group)
{
    size_t bytes = 0;
    for (size_t i = 0; i < group->entry_count; i++)
        bytes += group->entries[i].event.n;
    for (size_t i = 0; i < group->pane_count; i++)
        bytes += pane_bytes(group->panes[i]);
    assert_int_equal(group->bytes, bytes);
}

static void arm_walk(int rule)
{
    const struct walk *walk = groups_walk(model->groups, rule);
    if (walk->next_ms != INT64_MAX)
        arm(walk->next_ms, rule, walk->from);
}

static void ask_walk(const struct group *group)
{
    struct walk *walk = groups_walk(model->groups, group->rule_number);
    if (group->timer_ms < walk->later_ms)
        walk->later_ms = group->timer_ms;
    if (group->timer_ms >= walk->next_ms)
        return;
    walk->next_ms = group->timer_ms;
    arm_walk(group->rule_number);
}

static void commit(void)
{
    const struct str_pair *dirty;
    struct error err;
    size_t n = state_dirty(model->state, &dirty);
    struct store *store = state_store(model->state);
    assert_int_equal(store->ops->write(store, dirty, n, &err), 0);
    state_settle(model->state);
}

/* After work on a group, as reduce does it. */
static void settle(struct group *group, int64_t timer_ms, bool newcomer)
{
    if (group_is_walked(group->rule))
        ask_walk(group);
    else if (group->timer_ms != timer_ms && group->timer_ms != INT64_MAX)
        arm(group->timer_ms, group->rule_number, group->hash);
    check_bytes(group);
    groups_settle(model->groups, group, newcomer);
    if (below(20) == 0)
        groups_commit(model->groups);
    if (below(5) == 0)
        groups_shrink(model->groups);
    if (below(10) == 0)
        commit();
    arena_reset(&model->call);
}

static struct group *group_of(int rule, uint64_t hash, struct str key)
{
    struct group *group = NULL;
    struct error err;
    assert_int_equal(groups_get(model->groups, rule, hash, key, &group, &err), 0);
    return group;
}

static void fire_group(struct group *group, struct timer timer)
{
    struct detector_context context = detector(false);
    struct str key = arena_str(&model->arena, group->key);
    bool dormant = group->dormant;
    detector_of(group->rule)->on_timer(&context, group, timer.time_ms);
    if (dormant) {
        assert_true(context.evaluation_count == 0 && group_is_empty(group));
        model->slept++;
    } else if (group->rule->window.kind == WINDOW_SLIDING) {
        assert_int_equal(context.evaluation_count, 0);
    } else {
        check_hopping(timer.rule, key, timer.time_ms - group->rule->window.wait_ms,
                      context.evaluation_count > 0 ? context.evaluations[0] : NULL);
    }
    settle(group, timer.time_ms, false);
}

/* Some of the groups that are due, and the others by a timer of the same time. */
static void fire_walk(struct timer timer)
{
    struct walk *walk = groups_walk(model->groups, timer.rule);
    size_t left = 1 + (size_t)below(4);
    struct group *group;
    struct error err;
    if (timer.time_ms != walk->next_ms || timer.hash != walk->from)
        return;
    if (walk->from == 0)
        walk->later_ms = INT64_MAX;
    do {
        assert_int_equal(groups_walk_next(model->groups, timer.rule, &left, &group, &err), 0);
        if (group != NULL)
            fire_group(group, timer);
    } while (group != NULL);
    if (left > 0)
        groups_walk_over(model->groups, timer.rule);
    arm_walk(timer.rule);
}

static void fire(struct timer timer)
{
    if (group_is_walked(&model->rules->rules[timer.rule])) {
        fire_walk(timer);
        return;
    }
    struct group *group = group_of(timer.rule, timer.hash, (struct str){NULL, 0});
    if (group != NULL && group->timer_ms == timer.time_ms)
        fire_group(group, timer);
}

static void close_pane(size_t i)
{
    struct open_pane open = model->panes[i];
    model->panes[i] = model->panes[--model->pane_count];
    struct group *group;
    struct error err;
    assert_int_equal(groups_get_blind(model->groups, open.rule, group_hash(open.key), open.key, &group, &err), 0);
    struct detector_context context = detector(false);
    int64_t timer_ms = group->timer_ms;
    bool newcomer = group_is_empty(group);
    detector_of(group->rule)->on_pane(&context, group, open.pane);
    settle(group, timer_ms, newcomer);
}

/* Panes and timers up to `time_ms`, in order; panes first. */
static void advance(int64_t time_ms)
{
    for (;;) {
        size_t pane = SIZE_MAX;
        size_t timer = SIZE_MAX;
        int64_t first_ms = INT64_MAX;
        for (size_t i = 0; i < model->pane_count; i++) {
            const struct window *window = &model->rules->rules[model->panes[i].rule].window;
            int64_t end_ms = span_pane(window, model->panes[i].pane->start_ms).end_ms;
            if (end_ms < first_ms) {
                first_ms = end_ms;
                pane = i;
            }
        }
        for (size_t i = 0; i < model->timer_count; i++)
            if (model->timers[i].time_ms < first_ms) {
                first_ms = model->timers[i].time_ms;
                timer = i;
            }
        if (first_ms > time_ms)
            return;
        if (timer == SIZE_MAX) {
            close_pane(pane);
        } else {
            struct timer due = model->timers[timer];
            model->timers[timer] = model->timers[--model->timer_count];
            fire(due);
        }
    }
}

/* Each touch is one that the definitions give, all of them are there, and they come in order. */
static void apply(const struct event *before, const struct event *after, const struct touch *touches, size_t n)
{
    const struct event *either = after != NULL ? after : before;
    size_t wanted = 0;
    for (size_t number = 0; number < model->rules->count; number++) {
        const struct rule *rule = &model->rules->rules[number];
        struct str keys[2 * RULE_INPUTS_MAX];
        size_t key_count = 0;
        for (size_t i = 0; i < 2 * rule->input_count; i++) {
            const struct event *event = i % 2 == 0 ? before : after;
            const struct rule_input *input = &rule->inputs[i / 2];
            if (event == NULL || !selects(input, event) || detector_folds(rule, input))
                continue;
            struct str key = key_of(rule, input, event);
            bool twice = false;
            for (size_t k = 0; k < key_count; k++)
                twice = twice || str_eq(keys[k], key);
            if (!twice)
                keys[key_count++] = key;
        }
        wanted += key_count;
    }
    assert_int_equal(n, wanted);
    for (size_t i = 0; i < n; i++) {
        const struct touch *touch = &touches[i];
        const struct rule *rule = &model->rules->rules[touch->rule_number];
        uint16_t was = selection_of(rule, before, touch->key);
        uint16_t is = selection_of(rule, after, touch->key);
        assert_true((was | is) != 0 && was == touch->selection.before && is == touch->selection.after);
        assert_true(
            i == 0 || touches[i - 1].rule_number < touch->rule_number ||
            (touches[i - 1].rule_number == touch->rule_number && (touches[i - 1].selection.after == 0 || is != 0)));
        struct group *group = group_of(touch->rule_number, touch->hash, touch->key);
        bool capped = str_is(rule->id, "s2") && either->stream->rows;
        struct detector_context context = detector(capped);
        int64_t timer_ms = group->timer_ms;
        bool newcomer = group_is_empty(group);
        assert_true(model->touched_count < TOUCHES_MAX);
        model->touched[model->touched_count++] =
            (struct touched){touch->rule_number, arena_str(&model->arena, touch->key), either->time_ms};
        detector_of(rule)->on_event(&context, group, touch->event, touch->selection, model->now_ms);
        assert_int_equal(context.evaluation_count, rule->window.kind == WINDOW_SLIDING);
        if (context.evaluation_count > 0)
            check_sliding(touch, was, is, capped, context.evaluations[0]);
        settle(group, timer_ms, newcomer);
    }
}

static struct value name_or_null(const char *first, const char *second)
{
    int64_t which = below(5);
    return which == 0 ? value_null() : value_text(which < 3 ? first : second);
}

static void change_fields(struct event *row)
{
    static const char *const statuses[] = {"open", "resolved", "acknowledged"};
    static const char *const severities[] = {"sev1", "sev2", "sev3"};
    if (below(2) == 0)
        row->values[INCIDENT_SEVERITY] = value_text(severities[below(3)]);
    if (below(2) == 0)
        row->values[INCIDENT_STATUS] = value_text(statuses[below(3)]);
    if (below(3) == 0)
        row->values[INCIDENT_ENVIRONMENT] = name_or_null("prod", "test");
    if (below(3) == 0)
        row->values[INCIDENT_COMPONENT] = name_or_null("prod", "api");
    row->values[INCIDENT_REOPENED] = value_int(below(4));
    row->values[INCIDENT_SERVICE] = below(2) == 0 ? value_text("cart") : value_text("ad");
}

static void see_first(enum stream_id stream)
{
    if (model->first_ms[stream] == INT64_MAX)
        model->first_ms[stream] = model->now_ms;
}

static void update_row(void)
{
    struct thing *thing = &model->rows[below(ROWS)];
    see_first(STREAM_INCIDENT);
    struct event before = thing->now;
    struct event after = thing->now;
    bool existed = thing->exists;
    const struct touch *touches;
    if (!existed) {
        event_clear(&after, stream_get(STREAM_INCIDENT));
        after.time_ms = model->now_ms;
        after.at = (struct position){0, (int32_t)below(2), model->offset++};
        after.values[INCIDENT_SEVERITY] = value_text("sev1");
        after.values[INCIDENT_STATUS] = value_text("open");
        after.values[INCIDENT_ENVIRONMENT] = name_or_null("prod", "test");
        after.values[INCIDENT_OPENED_AT] = value_time_ms(model->now_ms);
    }
    change_fields(&after);
    thing->exists = !existed || below(6) > 0; /* else cancelled */
    thing->now = after;
    const struct event *was = existed ? &before : NULL;
    const struct event *is = thing->exists ? &after : NULL;
    struct arena arena = {0};
    const struct exchange_change change = {.before = was, .after = is, .level = 1, .stage = 1};
    size_t n = touches_of_row(model->touches, &change, &arena, &touches);
    apply(was, is, touches, n);
    arena_fini(&arena);
}

static void fold(const struct event *event, int number, int input)
{
    const struct rule *rule = &model->rules->rules[number];
    int64_t start_ms = span_pane(&rule->window, event->time_ms).start_ms;
    struct str key = key_of(rule, &rule->inputs[input], event);
    size_t i = 0;
    while (i < model->pane_count && (model->panes[i].rule != number || !str_eq(model->panes[i].key, key) ||
                                     model->panes[i].pane->start_ms != start_ms))
        i++;
    assert_true(i < PANES_MAX);
    if (i == model->pane_count)
        model->panes[model->pane_count++] = (struct open_pane){number, key, pane_new(rule, start_ms)};
    if (pane_add(model->panes[i].pane, rule, input, event, &model->call))
        pane_newest(model->panes[i].pane, event);
}

static void telemetry(void)
{
    struct thing *thing = &model->events[model->event_count++];
    struct event *event = &thing->now;
    struct exchange_match matches[16];
    const struct touch *touches;
    size_t n = 0;
    see_first(STREAM_TELEMETRY);
    event_clear(event, stream_get(STREAM_TELEMETRY));
    event->time_ms = model->now_ms;
    event->at = (struct position){1, (int32_t)below(2), model->offset++};
    event->values[TELEMETRY_SERVICE] = value_text("cart");
    event->values[TELEMETRY_ENVIRONMENT] = name_or_null("prod", "test");
    event->values[TELEMETRY_VALUE] = below(9) == 0 ? value_null() : value_double((double)below(10));
    thing->exists = true;
    for (size_t number = 0; number < model->rules->count; number++)
        for (size_t i = 0; i < model->rules->rules[number].input_count; i++) {
            const struct rule *rule = &model->rules->rules[number];
            if (!selects(&rule->inputs[i], event))
                continue;
            if (detector_folds(rule, &rule->inputs[i]))
                fold(event, (int)number, (int)i);
            else
                matches[n++] = (struct exchange_match){(int32_t)number, (int32_t)i};
        }
    struct arena arena = {0};
    size_t count = touches_of_event(model->touches, event, matches, n, &arena, &touches);
    apply(NULL, event, touches, count);
    arena_fini(&arena);
}

static int arm_record(void *context, struct str key, struct str value)
{
    struct group_record record;
    assert_true(group_record_read((struct str_pair){key, value}, &record));
    if (record.timer_ms != INT64_MAX)
        arm(record.timer_ms, *(const int *)context, record.hash);
    return 0;
}

static void arm_records(int rule)
{
    struct buf prefix = {0};
    struct error err;
    for (int task = 0; task < TASKS; task++) {
        state_key(&prefix, task, STATE_GROUP);
        buf_u64(&prefix, model->rules->rules[rule].hash);
        assert_int_equal(state_scan(model->state, buf_str(&prefix), arm_record, &rule, &err), 0);
    }
    buf_fini(&prefix);
}

/* Memory is gone; what was applied below `restored_ms` is in the state. Panes still open are read again. */
static void restart(int64_t restored_ms)
{
    struct error err;
    model->timer_count = 0;
    int64_t applied_ms[RULE_LEVELS_MAX];
    for (size_t i = 0; i < RULE_LEVELS_MAX; i++)
        applied_ms[i] = restored_ms;
    assert_int_equal(groups_restore(model->groups, applied_ms, &err), 0);
    for (size_t rule = 0; rule < model->rules->all_count; rule++)
        if (group_is_walked(&model->rules->rules[rule]))
            arm_walk((int)rule);
        else
            arm_records((int)rule);
}

static void play(void)
{
    /* Plain days, and around 23 and 25 hours in Berlin, no midnight and two of them in Sao Paulo. */
    static const int64_t starts[] = {1704067200, 1711756800, 1729944000, 1541289600, 1550275200};
    model->now_ms = starts[below(5)] * 1000;
    model->scale = below(3) == 0 ? 30 : 1;
    for (int i = 0; i < OPERATIONS; i++) {
        int64_t was_ms = model->now_ms;
        if (below(3) > 0) /* else at the same time */
            model->now_ms += model->scale * (below(40) == 0 ? below(40) * MINUTE_MS : below(4) * 20 * SECOND_MS);
        if (below(12) == 0 && model->now_ms > was_ms) {
            int64_t restored_ms = below(2) == 0 ? model->now_ms : was_ms + 1 + below(model->now_ms - was_ms);
            advance(restored_ms - 1);
            restart(restored_ms);
        }
        advance(model->now_ms);
        check_none_missing(was_ms, model->now_ms);
        if (below(3) > 0)
            update_row();
        else
            telemetry();
    }
    int64_t end_ms = model->now_ms + 4 * (int64_t)DAY_MS;
    advance(end_ms);
    check_none_missing(model->now_ms, end_ms);
}

static int any_key(void *context, struct str key, struct str value)
{
    (void)context;
    (void)value;
    fail_msg("left in the state: kind '%c'", key.p[2]);
    return 0;
}

static void test_windows(void **unused)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text("model.yaml", str_of(rules_text), &diagnostics);
    (void)unused;
    for (size_t i = 0; i < diagnostics.count; i++)
        if (!diagnostics.items[i].warning)
            fail_msg("%d:%d: %s", diagnostics.items[i].line, diagnostics.items[i].column, diagnostics.items[i].message);
    size_t evaluations = 0, firings = 0, detections = 0, looked_back = 0, slept = 0;
    for (int i = 0; i < rounds; i++) {
        struct error err;
        print_message("seed %llu\n", (unsigned long long)seed);
        model = mem_zalloc(sizeof *model);
        model->rules = rules;
        for (int stream = 0; stream < STREAM_COUNT; stream++)
            model->first_ms[stream] = INT64_MAX;
        model->state = state_new(store_memory_new());
        model->touches = touches_new(rules);
        model->groups = groups_new(&(struct groups_options){.rules = rules,
                                                            .state = model->state,
                                                            .tasks = task_range_all(TASKS),
                                                            .memory_bytes = 100,
                                                            .groups_max = 1000});
        play();
        /* When all windows are empty, nothing of the groups is left. */
        assert_int_equal(state_scan(model->state, (struct str){0}, any_key, NULL, &err), 0);
        evaluations += model->evaluations;
        firings += model->firings;
        detections += model->detections;
        looked_back += model->looked_back;
        slept += model->slept;
        groups_free(model->groups);
        touches_free(model->touches);
        state_free(model->state);
        arena_fini(&model->arena);
        arena_fini(&model->call);
        free(model);
    }
    print_message("%zu evaluations, %zu firings, %zu detections\n", evaluations, firings, detections);
    print_message("%zu evaluations looked back, %zu groups fell dormant\n", looked_back, slept);
    assert_true(looked_back > 0 && slept > 0);
    assert_true(detections > 0 && firings > detections && evaluations > firings);
    ruleset_free(rules);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
