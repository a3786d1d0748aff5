/* The recommendation stage: what an evaluation, a changed row or a timer changes, and whether that is published now.
 *
 * Every call ends in decide(), which sees the recommendation as of the call's time: a detection and a new impact level
 * are published at once, anything else when no cooldown runs, and is held until its end otherwise.
 */
#include "recommend/recommend.h"

#include <stdlib.h>

#include "base/map.h"
#include "recommend/newest.h"
#include "recommend/render.h"

struct recommender {
    struct recommender_options options;
    struct recommender_counters counters;
    struct map cache; /* (rule hash, group hash) -> struct recommendation */
    uint64_t tick;
};

/* One call: the recommendation it is about, and when. */
struct call {
    struct recommender *recommender;
    struct recommendation *it;
    int64_t time_ms;
    struct arena *arena;
};

struct recommender *recommender_new(const struct recommender_options *options)
{
    struct recommender *recommender = mem_zalloc(sizeof *recommender);
    recommender->options = *options;
    return recommender;
}

void recommender_drop(struct recommender *recommender)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&recommender->cache, &i, &entry);)
        recommendation_free(entry->value);
    map_clear(&recommender->cache);
}

void recommender_free(struct recommender *recommender)
{
    if (recommender == NULL)
        return;
    recommender_drop(recommender);
    map_fini(&recommender->cache);
    free(recommender);
}

const struct recommender_counters *recommender_counters(const struct recommender *recommender)
{
    return &recommender->counters;
}

static int used_order(const void *left, const void *right)
{
    const struct recommendation *a = *(struct recommendation *const *)left;
    const struct recommendation *b = *(struct recommendation *const *)right;
    return (a->used > b->used) - (a->used < b->used);
}

static void cache_key(struct buf *out, uint64_t rule_hash, uint64_t group_hash_of)
{
    buf_u64(out, rule_hash);
    buf_u64(out, group_hash_of);
}

static void evict(struct recommender *recommender, struct recommendation *it)
{
    struct buf key = {0};
    cache_key(&key, it->is.rule->hash, it->is.hash);
    (void)map_remove(&recommender->cache, buf_str(&key));
    buf_fini(&key);
    recommendation_free(it);
}

void recommender_shrink(struct recommender *recommender)
{
    struct recommendation **all = mem_alloc((recommender->cache.count + 1) * sizeof(struct recommendation *));
    size_t count = 0;
    size_t bytes = 0;
    struct map_entry *entry;
    for (size_t i = 0; map_next(&recommender->cache, &i, &entry);) {
        all[count++] = entry->value;
        bytes += recommendation_bytes(entry->value);
    }
    size_t budget = recommender->options.memory_bytes > 0 ? (size_t)recommender->options.memory_bytes : 0;
    if (bytes > budget)
        qsort(all, count, sizeof(struct recommendation *), used_order);
    for (size_t i = 0; i < count && bytes > budget; i++) {
        bytes -= recommendation_bytes(all[i]);
        evict(recommender, all[i]);
    }
    free(all);
}

/* The recommendation of a rule and group, from memory or the state; it may not exist yet. */
static int find(struct recommender *recommender, int rule_number, uint64_t hash, int task, struct recommendation **out,
                struct error *err)
{
    const struct rule *rule = &recommender->options.rules->rules[rule_number];
    struct buf key = {0};
    cache_key(&key, rule->hash, hash);
    struct recommendation *it = map_get(&recommender->cache, buf_str(&key));
    struct recommendation_identity identity = {rule, rule_number, task, hash};
    int result = 0;
    if (it == NULL) {
        result = recommendation_load(&it, recommender->options.state, &identity, err);
        if (result == 0)
            *map_slot(&recommender->cache, buf_str(&key)) = it;
    }
    buf_fini(&key);
    if (result != 0)
        return -1;
    it->used = ++recommender->tick;
    *out = it;
    return 0;
}

static void ask_timer(const struct call *call, int64_t time_ms, enum recommend_timer kind)
{
    const struct recommender_options *options = &call->recommender->options;
    options->timer(options->context, time_ms, kind, call->it->is.rule_number, call->it->is.hash);
}

static int64_t later(int64_t time_ms, int64_t span_ms)
{
    return span_ms > INT64_MAX - 1 - time_ms ? INT64_MAX - 1 : time_ms + span_ms;
}

/* Publishes the recommendation as of now, unless that is what was published last. */
static void publish(const struct call *call, const struct impact *impact, bool detection)
{
    struct recommendation *it = call->it;
    const struct recommender_options *options = &call->recommender->options;
    struct rendered rendered = render_content(it, impact, call->arena);
    uint64_t hash = render_hash(&rendered);
    it->held = false;
    if (it->version > 0 && hash == it->published_hash)
        return;
    it->version++;
    it->published_hash = hash;
    it->published_level = (int)impact->level;
    if (call->time_ms >= it->cooldown_until_ms)
        it->cooldown_until_ms = later(call->time_ms, it->is.rule->recommend->cooldown_ms);
    call->recommender->counters.versions++;
    struct value record = render_stamp(&rendered, it->version, call->time_ms);
    options->publish(options->context, rendered.id, record, detection, call->time_ms);
}

/* Ends a call: publishes or holds, asks for the timers, writes through. */
static void decide(const struct call *call, bool detection)
{
    struct recommendation *it = call->it;
    const struct recommender_options *options = &call->recommender->options;
    struct impact impact =
        impact_at(it, (struct impact_limits){options->impact_high, options->impact_medium}, call->time_ms);
    bool urgent = detection || (int)impact.level != it->published_level;
    if (urgent || call->time_ms >= it->cooldown_until_ms) {
        publish(call, &impact, detection);
    } else if (!it->held) {
        it->held = true;
        ask_timer(call, it->cooldown_until_ms, RECOMMEND_COOLDOWN);
    }
    if (impact.falls_ms != it->ageing_ms && impact.falls_ms != INT64_MAX)
        ask_timer(call, impact.falls_ms, RECOMMEND_AGEING);
    it->ageing_ms = impact.falls_ms;
    recommendation_save(it, options->state);
}

/* Lets go of rows that neither count nor can be listed by an evaluation again. */
static void forget(const struct call *call)
{
    int64_t reach_ms = call->it->is.rule->reach_ms;
    if (reach_ms < IMPACT_SPAN_MS)
        reach_ms = IMPACT_SPAN_MS;
    recommendation_forget(call->it, call->recommender->options.state, call->time_ms - reach_ms);
}

static void see(struct recommendation *it, int64_t first_ms, int64_t last_ms)
{
    it->first_seen_ms = first_ms < it->first_seen_ms ? first_ms : it->first_seen_ms;
    it->last_seen_ms = last_ms > it->last_seen_ms ? last_ms : it->last_seen_ms;
}

static void see_service(struct recommendation *it, struct value service)
{
    if (service.type == VALUE_STRING)
        recommendation_add_service(it, value_as_str(service));
}

/* Keeps the row as it is now; true where it had not been remembered. */
static bool remember(const struct call *call, const struct event *row, bool selected)
{
    bool incident = row->stream->id == STREAM_INCIDENT;
    enum remember_result result = recommendation_remember(call->it, call->recommender->options.state, row, selected);
    call->it->had_incident |= incident;
    const struct remembered *known = result == REMEMBER_SAME ? NULL : recommendation_row(call->it, row);
    if (known != NULL && known->end_ms != INT64_MIN && known->end_ms < known->start_ms)
        call->recommender->counters.spans_left_out++;
    return result == REMEMBER_NEW;
}

/* A remembered row is as `row` now; false: it is not remembered. */
static bool refresh(const struct call *call, const struct event *row, bool selected)
{
    struct recommendation *it = call->it;
    const struct remembered *known = recommendation_row(it, row);
    if (known == NULL)
        return false;
    if (!selected)
        evidence_remove(&it->evidence, row);
    else if (known->selected)
        evidence_update(&it->evidence, row);
    else
        evidence_add(&it->evidence, row, (size_t)call->recommender->options.evidence_max);
    (void)remember(call, row, selected);
    return true;
}

/* An event or row that counts from now on. */
static void take(const struct call *call, const struct contribution *contribution, bool sliding)
{
    struct recommendation *it = call->it;
    const struct event *event = contribution->event;
    evidence_add(&it->evidence, event, (size_t)call->recommender->options.evidence_max);
    if (contribution->stands_for_many)
        return;
    see(it, event->time_ms, event->time_ms);
    if (event->stream->service_field >= 0)
        see_service(it, event->values[event->stream->service_field]);
    /* Deployments are remembered only where they are counted one by one. */
    bool kept = remembered_takes(event) && (sliding || event->stream->id == STREAM_INCIDENT);
    bool new = !kept || remember(call, event, true);
    if (sliding && (new || !remembered_is_row(event)))
        it->occurrences++;
}

static void take_contributions(const struct call *call, const struct evaluation *evaluation, bool first)
{
    for (size_t i = evaluation->contribution_count; i > 0; i--) { /* the newest first: bounded lists keep those */
        const struct contribution *contribution = &evaluation->contributions[i - 1];
        if (first || (evaluation->sliding ? contribution->selected_now : evaluation->when))
            take(call, contribution, evaluation->sliding);
        else if (!contribution->stands_for_many && remembered_is_row(contribution->event))
            (void)refresh(call, contribution->event, true);
    }
}

/* Panes do not say of their events one by one when and where they were. */
static void take_outputs(struct recommendation *it, const struct value *slots)
{
    if (slots[OUT_FIRST_SEEN].type == VALUE_TIMESTAMP && slots[OUT_LAST_SEEN].type == VALUE_TIMESTAMP)
        see(it, value_ms(slots[OUT_FIRST_SEEN]), value_ms(slots[OUT_LAST_SEEN]));
    for (uint32_t i = 0; slots[OUT_SERVICES].type == VALUE_LIST && i < slots[OUT_SERVICES].n; i++)
        see_service(it, slots[OUT_SERVICES].items[i]);
}

static void count(struct recommendation *it, const struct evaluation *evaluation, bool first)
{
    it->firings += evaluation->firing;
    it->detections += evaluation->detection;
    if (evaluation->firing)
        recommendation_add_day(it, evaluation->time_ms);
    if (!evaluation->sliding)
        it->occurrences = it->firings;
    else if (first) /* the window held them already */
        it->occurrences = evaluation->occurrences;
    it->approximate |= evaluation->approximate;
    it->capped |= evaluation->capped;
}

static void create(struct recommendation *it, const struct evaluation *evaluation)
{
    struct buf group = {0};
    struct value map = evaluation->slots[OUT_GROUP];
    value_encode(&group, map.type == VALUE_MAP ? map : value_map(NULL, 0));
    it->group = (struct str){mem_strdup(buf_str(&group)), group.len};
    it->created_ms = evaluation->time_ms;
    buf_fini(&group);
}

int recommender_evaluated(struct recommender *recommender, const struct group *group,
                          const struct evaluation *evaluation, struct arena *arena, struct error *err)
{
    if (group->rule->recommend == NULL)
        return 0;
    struct call call = {recommender, NULL, evaluation->time_ms, arena};
    TRY(find(recommender, group->rule_number, group->hash, group->task, &call.it, err));
    struct recommendation *it = call.it;
    bool first = !it->exists;
    if (first && !(evaluation->detection && evaluation->firing))
        return 0;
    if (first)
        create(it, evaluation);
    take_contributions(&call, evaluation, first);
    count(it, evaluation, first);
    if (evaluation->when && !evaluation->sliding)
        take_outputs(it, evaluation->slots);
    if (evaluation->when) {
        buf_reset(&it->newest);
        newest_encode(&it->newest, it->is.rule, evaluation, arena,
                      (struct newest_notes){&recommender->counters.template_errors, &it->capped});
    }
    forget(&call);
    recommender->counters.detections += evaluation->detection;
    decide(&call, evaluation->detection);
    return 0;
}

int recommender_row(struct recommender *recommender, const struct group *group, const struct recommender_change *change,
                    struct arena *arena, struct error *err)
{
    if (group->rule->recommend == NULL || !remembered_is_row(change->row))
        return 0;
    struct call call = {recommender, NULL, change->time_ms, arena};
    TRY(find(recommender, group->rule_number, group->hash, group->task, &call.it, err));
    struct recommendation *it = call.it;
    if (!it->exists)
        return 0;
    forget(&call);
    if (refresh(&call, change->row, change->selected) && change->publish)
        decide(&call, false);
    else
        recommendation_save(it, recommender->options.state);
    return 0;
}

int recommender_timer(struct recommender *recommender, const struct recommender_due *due, struct arena *arena,
                      struct error *err)
{
    const struct ruleset *rules = recommender->options.rules;
    if (due->rule_number < 0 || (size_t)due->rule_number >= rules->count ||
        rules->rules[due->rule_number].recommend == NULL)
        return 0;
    struct call call = {recommender, NULL, due->time_ms, arena};
    int task = group_task(due->group_hash, recommender->options.tasks);
    TRY(find(recommender, due->rule_number, due->group_hash, task, &call.it, err));
    struct recommendation *it = call.it;
    bool wanted = due->kind == RECOMMEND_COOLDOWN ? it->held && due->time_ms >= it->cooldown_until_ms
                                                  : due->time_ms >= it->ageing_ms;
    if (!it->exists || !wanted)
        return 0;
    forget(&call);
    decide(&call, false);
    return 0;
}

/* The timers found by a scan: asked for after it, since nothing may change during it. */
struct restoring {
    struct recommendation_timers *items;
    size_t count;
    size_t cap;
};

static int restore_one(void *context, struct str key, struct str record)
{
    struct restoring *restoring = context;
    struct recommendation_timers timers;
    if (!recommendation_timers_read(key, record, &timers))
        return -1;
    restoring->items = mem_grow(restoring->items, restoring->count, &restoring->cap, sizeof *restoring->items);
    restoring->items[restoring->count++] = timers;
    return 0;
}

static void arm(struct recommender *recommender, const struct recommendation_timers *timers)
{
    const struct recommender_options *options = &recommender->options;
    for (size_t i = 0; i < options->rules->count; i++) {
        const struct rule *rule = &options->rules->rules[i];
        if (rule->hash != timers->rule_hash || rule->recommend == NULL)
            continue;
        if (timers->held)
            options->timer(options->context, timers->cooldown_until_ms, RECOMMEND_COOLDOWN, (int)i, timers->hash);
        if (timers->ageing_ms != INT64_MAX)
            options->timer(options->context, timers->ageing_ms, RECOMMEND_AGEING, (int)i, timers->hash);
    }
}

int recommender_restore(struct recommender *recommender, struct error *err)
{
    struct restoring restoring = {0};
    struct buf prefix = {0};
    int result = 0;
    for (int task = 0; result == 0 && task < recommender->options.tasks; task++) {
        state_key(&prefix, task, STATE_RECOMMENDATION);
        *err = (struct error){0};
        result = state_scan(recommender->options.state, buf_str(&prefix), restore_one, &restoring, err);
        if (result != 0 && err->class == ERROR_NONE)
            (void)error_set(err, ERROR_FATAL,
                            "a recommendation in the state is damaged: delete the state directory, it is restored from "
                            "the changelog");
    }
    for (size_t i = 0; result == 0 && i < restoring.count; i++)
        arm(recommender, &restoring.items[i]);
    buf_fini(&prefix);
    free(restoring.items);
    return result == 0 ? 0 : -1;
}
