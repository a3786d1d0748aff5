/* The loop over the total order: what each pending item does. See reduce.h. */
#include "engine/reduce.h"

#include <stdlib.h>

#include "engine/item_bytes.h"
#include "engine/memory.h"
#include "engine/reduce_parts.h"

static void arm_rows(void *context, int64_t time_ms)
{
    inbox_timer(((struct reduce *)context)->inbox, time_ms, PENDING_ROW_EXPIRY, 0, 0);
}

static void arm_removed(void *context, int64_t time_ms)
{
    inbox_timer(((struct reduce *)context)->inbox, time_ms, PENDING_RULE_EXPIRY, 0, 0);
}

static const enum pending_kind recommend_kinds[] = {
    [RECOMMEND_UNTIL] = PENDING_UNTIL,           [RECOMMEND_COOLDOWN] = PENDING_COOLDOWN,
    [RECOMMEND_VALIDATION] = PENDING_VALIDATION, [RECOMMEND_AGEING] = PENDING_AGEING,
    [RECOMMEND_EXPIRY] = PENDING_EXPIRY,         [RECOMMEND_APPEARED] = PENDING_APPEARED};

static void arm_recommendation(void *context, int64_t time_ms, int kind, int rule_number, uint64_t hash)
{
    const struct reduce *reduce = context;
    inbox_timer(reduce->inbox, time_ms, recommend_kinds[kind], rule_number, hash);
    if (kind == RECOMMEND_APPEARED)
        instant_appeared(reduce->instant, rule_number, hash);
}

static int history(void *context, const struct rule *history, uint64_t hash, struct span span, struct arena *arena,
                   struct history_sum *sum, struct error *err)
{
    const struct reduce *reduce = context;
    struct group *group = NULL;
    int rule_number = (int)(history - reduce->options.rules->rules);
    TRY(groups_get(reduce->groups, rule_number, hash, (struct str){NULL, 0}, &group, err));
    *sum = history_measure(history, group, span, arena);
    return 0;
}

static void publish(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    const struct reduce *reduce = context;
    reduce->options.publish(reduce->options.context, id, record, detection, time_ms);
}

static void expire(void *context, struct str id, int64_t time_ms)
{
    const struct reduce *reduce = context;
    reduce->options.expire(reduce->options.context, id, time_ms);
}

struct reduce *reduce_new(const struct reduce_options *options)
{
    const struct config *config = options->config;
    struct reduce *reduce = mem_zalloc(sizeof *reduce);
    reduce->options = *options;
    if (reduce->options.dirty_bytes_max == 0)
        reduce->options.dirty_bytes_max = REDUCE_DIRTY_BYTES_MAX;
    if (reduce->options.work_max == 0)
        reduce->options.work_max = REDUCE_WORK_MAX;
    reduce->inbox =
        inbox_new(&(struct inbox_options){.rules = options->rules,
                                          .scratch_dir = options->scratch_dir,
                                          .memory_bytes = (size_t)memory_share(options->memory_bytes, MEMORY_PENDING)});
    reduce->instant = instant_new(&(struct instant_options){
        .rules = options->rules, .state = options->state, .task = options->tasks.first, .inbox = reduce->inbox});
    reduce->ways.inside = instant_exchange(reduce->instant);
    reduce->ways.outside = options->out != NULL ? options->out : reduce->ways.inside;
    reduce->touches = touches_new(options->rules);
    reduce->detections =
        detections_new(options->rules, &reduce->counters.where_errors, &reduce->counters.where_null_errors);
    reduce->known = known_rules_new(&(struct known_rules_options){.rules = options->rules,
                                                                  .state = options->state,
                                                                  .tasks = options->tasks,
                                                                  .waits = options->waits,
                                                                  .arm = arm_removed,
                                                                  .context = reduce});
    for (int i = 0; i < STREAM_COUNT; i++)
        reduce->first_ms[i] = INT64_MAX;
    reduce->groups =
        groups_new(&(struct groups_options){.rules = options->rules,
                                            .state = options->state,
                                            .tasks = options->tasks,
                                            .memory_bytes = memory_share(options->memory_bytes, MEMORY_GROUPS),
                                            .groups_max = config->groups_max});
    size_t timers_room = (size_t)memory_share(options->memory_bytes, MEMORY_TIMERS) / sizeof(struct pending_item);
    reduce->timers = timers_new(
        &(struct timers_options){.rules = options->rules,
                                 .state = options->state,
                                 .tasks = options->tasks,
                                 .inbox = reduce->inbox,
                                 .waiting_max = options->timers_max > 0 ? options->timers_max : timers_room});
    reduce->rows = rows_new(&(struct rows_options){
        .state = options->state, .config = config, .tasks = options->tasks, .arm = arm_rows, .context = reduce});
    reduce->recommender = recommender_new(
        &(struct recommender_options){.rules = options->rules,
                                      .state = options->state,
                                      .tasks = options->tasks,
                                      .impact_high = config->impact_high,
                                      .impact_medium = config->impact_medium,
                                      .evidence_max = config->evidence_max,
                                      .memory_bytes = memory_share(options->memory_bytes, MEMORY_RECOMMENDATIONS),
                                      .publish = publish,
                                      .expire = expire,
                                      .timer = arm_recommendation,
                                      .history = history,
                                      .context = reduce});
    return reduce;
}

void reduce_free(struct reduce *reduce)
{
    if (reduce == NULL)
        return;
    instant_free(reduce->instant);
    inbox_free(reduce->inbox);
    groups_free(reduce->groups);
    timers_free(reduce->timers);
    rows_free(reduce->rows);
    touches_free(reduce->touches);
    detections_free(reduce->detections);
    known_rules_free(reduce->known);
    recommender_free(reduce->recommender);
    arena_fini(&reduce->arena);
    free(reduce);
}

struct exchange *reduce_exchange(struct reduce *reduce)
{
    return inbox_exchange(reduce->inbox);
}

/* Where-clauses that end in errors are counted by rules of the first level. */
static void send_change(struct reduce *reduce, const struct exchange_change *change)
{
    struct exchange *out = reduce->ways.outside;
    if (change->level == LEVEL_RULE || touches_rows_at(reduce->touches, change->level, change->stage))
        out->ops->change(out, change);
}

static int apply_update(struct reduce *reduce, const struct pending_item *item, struct error *err)
{
    struct reader r = reader_of(item->bytes.p, item->bytes.n);
    struct event update;
    struct row_update row;
    bool good = event_decode(&r, &reduce->arena, &update);
    ASSERT(good);
    uint64_t forgotten = rows_forgotten(reduce->rows);
    uint64_t spans = rows_spans_left_out(reduce->rows);
    uint64_t values = rows_values_left_out(reduce->rows);
    TRY(rows_apply(reduce->rows, &update, &reduce->arena, &row, err));
    reduce->counters.updates_forgotten += rows_forgotten(reduce->rows) - forgotten;
    reduce->counters.spans_left_out += rows_spans_left_out(reduce->rows) - spans;
    reduce->counters.values_left_out += rows_values_left_out(reduce->rows) - values;
    if (row.change == ROW_UNCHANGED) {
        reduce->counters.updates_unchanged++;
        return 0;
    }
    reduce->counters.rows_changed++;
    struct exchange_change change = {.before = row.existed ? &row.before : NULL,
                                     .after = row.change == ROW_CHANGED ? &row.after : NULL,
                                     .time_ms = item->time_ms,
                                     .at = item->at};
    for (int level = LEVEL_RULE; level <= reduce->options.rules->level_max; level++) {
        change.level = change.stage = (uint8_t)level;
        send_change(reduce, &change);
        change.stage = LEVEL_RULE;
        if (level > LEVEL_RULE)
            send_change(reduce, &change);
    }
    return 0;
}

static int apply_touches(struct reduce *reduce, const struct touch *touches, size_t n, const struct pending_item *item,
                         struct error *err)
{
    const struct task_range *tasks = &reduce->options.tasks;
    for (size_t i = 0; i < n; i++)
        if (task_range_has(*tasks, group_task(touches[i].hash, tasks->count)))
            TRY(reduce_touch(reduce, &touches[i], item->time_ms, item->kind == PENDING_CHANGE, err));
    return 0;
}

static int apply_change(struct reduce *reduce, const struct pending_item *item, struct error *err)
{
    struct item_change rows = item_change_decode(item->bytes, &reduce->arena);
    const struct exchange_change change = {
        .before = rows.before, .after = rows.after, .level = item->level, .stage = item->stage};
    const struct touch *touches;
    size_t n = touches_of_row(reduce->touches, &change, &reduce->arena, &touches);
    touches_errors(reduce->touches, &reduce->counters.where_errors, &reduce->counters.where_null_errors);
    return apply_touches(reduce, touches, n, item, err);
}

static int apply_event(struct reduce *reduce, const struct pending_item *item, struct error *err)
{
    struct item_event of = item_event_decode(item->bytes, &reduce->arena);
    const struct touch *touches;
    size_t count = touches_of_event(reduce->touches, of.event, of.matches, of.match_count, &reduce->arena, &touches);
    return apply_touches(reduce, touches, count, item, err);
}

static int apply_feedback(struct reduce *reduce, const struct pending_item *item, struct error *err)
{
    struct item_feedback feedback = item_feedback_decode(item->bytes, &reduce->arena);
    struct value *id = &feedback.event->values[FEEDBACK_RECOMMENDATION_ID];
    if (reduce->options.name != NULL && id->n == 0)
        *id = value_str(reduce->options.name(reduce->options.context, feedback.event));
    if (recommender_feedback(reduce->recommender, feedback.event, &reduce->arena, err) == 0)
        return 0;
    if (err->class != ERROR_BAD_INPUT)
        return -1;
    reduce->counters.feedback_refused += item->time_ms >= reduce->options.counted_from_ms;
    reduce->options.refuse(reduce->options.context, feedback.event, feedback.record, err->message);
    return 0;
}

static int apply_recommendation_timer(struct reduce *reduce, const struct pending_item *item, struct error *err)
{
    struct recommender_due due = {.time_ms = item->time_ms, .rule_number = item->rule, .hash = item->group};
    while (recommend_kinds[due.kind] != (enum pending_kind)item->kind)
        due.kind++;
    return recommender_timer(reduce->recommender, &due, &reduce->arena, err);
}

static int apply(struct reduce *reduce, struct pending_item *item, struct error *err)
{
    switch ((enum pending_kind)item->kind) {
    case PENDING_PANE:
        return reduce_pane(reduce, item, err);
    case PENDING_WINDOW_CLOSE:
        if (group_is_walked(&reduce->options.rules->rules[item->rule]))
            return reduce_walk(reduce, item, err);
        return reduce_group_timer(reduce, item, err);
    case PENDING_DEADLINE:
        return reduce_group_timer(reduce, item, err);
    case PENDING_UPDATE:
        return apply_update(reduce, item, err);
    case PENDING_CHANGE:
        return apply_change(reduce, item, err);
    case PENDING_EVENT:
        return apply_event(reduce, item, err);
    case PENDING_ROW_EXPIRY:
        return rows_expire(reduce->rows, item->time_ms, err);
    case PENDING_RULE_EXPIRY:
        return known_rules_expire(reduce->known, item->time_ms, err);
    case PENDING_FEEDBACK:
        return apply_feedback(reduce, item, err);
    case PENDING_UNTIL:
    case PENDING_COOLDOWN:
    case PENDING_VALIDATION:
    case PENDING_AGEING:
    case PENDING_EXPIRY:
    case PENDING_APPEARED:
        return apply_recommendation_timer(reduce, item, err);
    }
    return 0;
}

static int apply_settled(struct reduce *reduce, struct pending_item *item, struct error *err)
{
    TRY(apply(reduce, item, err));
    recommender_settle(reduce->recommender, item->time_ms, &reduce->arena);
    groups_shrink(reduce->groups);
    return 0;
}

static int apply_next(struct reduce *reduce, const int64_t *before_ms, bool *any, struct error *err)
{
    struct pending_item item;
    TRY(inbox_next(reduce->inbox, before_ms, &item, any, err));
    if (!*any)
        return 0;
    /* A timer that a crash left, of a time that is applied, finds nothing to do and reaches nothing. */
    if (item.time_ms >= inbox_applied(reduce->inbox, item.stage))
        instant_reach(reduce->instant, item.time_ms);
    int result = apply_settled(reduce, &item, err);
    reduce->last = item;
    reduce->work++;
    inbox_done(reduce->inbox, &item);
    arena_reset(&reduce->arena);
    return result == 0 ? reduce_bound(reduce, err) : -1;
}

int reduce_bound(struct reduce *reduce, struct error *err)
{
    uint64_t spilled = inbox_spilled(reduce->inbox);
    TRY(inbox_bound(reduce->inbox, err));
    reduce->counters.spilled_bytes += inbox_spilled(reduce->inbox) - spilled;
    return 0;
}

void reduce_first(struct reduce *reduce, enum stream_id stream, int64_t first_ms)
{
    reduce->first_ms[stream] = first_ms;
}

/* The stages' times when everything before the time is applied, and, `within`, what comes no later than the last item.
 */
static void set_times(const struct reduce *reduce, const int64_t *before_ms, int64_t time_ms, bool within)
{
    for (size_t stage = 0; stage < inbox_stages(reduce->options.rules); stage++) {
        int64_t applied_ms = inbox_applied(reduce->inbox, stage);
        if (within && before_ms[stage] > time_ms && applied_ms <= time_ms)
            inbox_set_place(reduce->inbox, stage, &reduce->last);
        else if (before_ms[stage] > applied_ms && time_ms > applied_ms)
            inbox_set_applied(reduce->inbox, stage, before_ms[stage] < time_ms ? before_ms[stage] : time_ms);
    }
}

/* Between times nothing waits that only this process knows of. Within one that is so only among what is first there,
 * and what is sent meanwhile is kept (instant.h). */
static bool may_stop(const struct reduce *reduce, const struct pending_item *next)
{
    return next->time_ms > reduce->last.time_ms || reduce->last.kind == PENDING_PANE ||
           reduce->last.kind == PENDING_WINDOW_CLOSE;
}

static bool is_enough(const struct reduce *reduce)
{
    const struct reduce_options *options = &reduce->options;
    return reduce->work >= options->work_max || (options->full != NULL && options->full(options->context)) ||
           state_dirty_bytes(reduce->options.state) + reduce_unwritten(reduce) > reduce->options.dirty_bytes_max;
}

static int advance(struct reduce *reduce, const int64_t *before_ms, bool *more, struct error *err)
{
    const struct pending_item *next;
    for (bool any = true; (next = inbox_first(reduce->inbox, before_ms)) != NULL;) {
        if (reduce->work > 0 && is_enough(reduce) && may_stop(reduce, next)) {
            bool within = next->time_ms == reduce->last.time_ms;
            set_times(reduce, before_ms, next->time_ms, within);
            *more = true;
            return 0;
        }
        TRY(apply_next(reduce, before_ms, &any, err));
    }
    set_times(reduce, before_ms, INT64_MAX, false);
    return 0;
}

/* What lies at the place's time; stages that are elsewhere stay there, since there is one place. *more: there is more
 * of it. */
static int finish_instant(struct reduce *reduce, bool *more, struct error *err)
{
    int64_t before_ms[REDUCE_STAGES_MAX];
    bool within = false;
    for (size_t stage = 0; stage < inbox_stages(reduce->options.rules); stage++) {
        bool here = inbox_place(reduce->inbox, stage) != NULL;
        before_ms[stage] = inbox_applied(reduce->inbox, stage) + here;
        within = within || here;
    }
    return within ? advance(reduce, before_ms, more, err) : 0;
}

int reduce_advance(struct reduce *reduce, const int64_t *before_ms, bool *more, struct error *err)
{
    reduce->work = 0;
    *more = false;
    TRY(finish_instant(reduce, more, err));
    return *more ? 0 : advance(reduce, before_ms, more, err);
}

/* Ageing and expiry would go on for as long as there is something to forget. */
static bool forgets(const struct pending_item *item)
{
    return item->kind == PENDING_AGEING || item->kind == PENDING_VALIDATION || item->kind == PENDING_EXPIRY ||
           item->kind == PENDING_ROW_EXPIRY || item->kind == PENDING_RULE_EXPIRY;
}

int reduce_drain(struct reduce *reduce, struct error *err)
{
    struct pending_item item;
    int64_t ends_ms[REDUCE_STAGES_MAX];
    for (size_t i = 0; i < REDUCE_STAGES_MAX; i++)
        ends_ms[i] = INT64_MAX;
    for (;;) {
        bool any;
        TRY(inbox_next(reduce->inbox, ends_ms, &item, &any, err));
        if (!any)
            return 0;
        instant_reach(reduce->instant, item.time_ms);
        int result = forgets(&item) ? 0 : apply_settled(reduce, &item, err);
        inbox_done(reduce->inbox, &item);
        arena_reset(&reduce->arena);
        TRY(result);
    }
}

size_t reduce_stages(const struct reduce *reduce)
{
    return inbox_stages(reduce->options.rules);
}

void reduce_switch(struct reduce *reduce, int64_t switch_ms)
{
    int64_t applied_ms[REDUCE_STAGES_MAX];
    for (size_t stage = 0; stage < reduce_stages(reduce); stage++)
        applied_ms[stage] = inbox_applied(reduce->inbox, stage);
    known_rules_switch(reduce->known, switch_ms, applied_ms);
}

bool reduce_sends(const struct reduce *reduce, size_t stage)
{
    const struct ruleset *rules = reduce->options.rules;
    if (stage == LEVEL_SOURCE)
        return touches_rows(reduce->touches);
    for (size_t i = 0; i < rules->count; i++)
        if (rules->rules[i].stage == stage && rules->rules[i].is_read)
            return true;
    return false;
}

int64_t reduce_applied(const struct reduce *reduce, size_t stage)
{
    return inbox_applied(reduce->inbox, stage);
}

int64_t reduce_reached(const struct reduce *reduce, size_t stage)
{
    return inbox_applied(reduce->inbox, stage) + (inbox_place(reduce->inbox, stage) != NULL);
}

int reduce_restore(struct reduce *reduce, const int64_t *applied_ms, struct error *err)
{
    inbox_clear(reduce->inbox);
    for (size_t stage = 0; stage < reduce_stages(reduce); stage++)
        inbox_set_applied(reduce->inbox, stage, applied_ms[stage]);
    reduce->last = (struct pending_item){.time_ms = INT64_MIN};
    detections_restore(reduce->detections);
    TRY(instant_restore(reduce->instant, err));
    recommender_drop(reduce->recommender);
    TRY(groups_restore(reduce->groups, applied_ms, err));
    TRY(known_rules_restore(reduce->known, applied_ms, err));
    TRY(reduce_arm_groups(reduce, err));
    TRY(rows_restore(reduce->rows, err));
    return recommender_restore(reduce->recommender, err);
}

void reduce_before_commit(struct reduce *reduce)
{
    groups_commit(reduce->groups);
    instant_commit(reduce->instant);
    recommender_shrink(reduce->recommender);
}

size_t reduce_unwritten(const struct reduce *reduce)
{
    return groups_unwritten(reduce->groups);
}

size_t reduce_timers(const struct reduce *reduce)
{
    return timers_waiting(reduce->timers);
}

size_t reduce_pending_bytes(const struct reduce *reduce)
{
    return inbox_bytes(reduce->inbox);
}

void reduce_continue(struct reduce *reduce, const struct reduce_counters *counters)
{
    reduce->counters = *counters;
}

const struct reduce_counters *reduce_counters(const struct reduce *reduce)
{
    return &reduce->counters;
}

const struct recommender_counters *reduce_recommend_counters(const struct reduce *reduce)
{
    return recommender_counters(reduce->recommender);
}
