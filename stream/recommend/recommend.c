/* The recommendation stage: what an evaluation, a changed row or a timer changes, and whether that is published now.
 *
 * Every call ends in decide(), which sees the recommendation as of the call's time: a detection, a new impact level and
 * what changed in its life are published at once, anything else when no cooldown runs, and is held until its end
 * otherwise. Of a dismissed or superseded one only its life is told. Where groups share a
 * recommendation, one update may concern several of them; what is no detection then waits for recommender_settle, so
 * that a row on its way from one group to another is not published as gone.
 */
#include "recommend/recommend.h"

#include <stdlib.h>

#include "recommend/contribute.h"
#include "recommend/feedback.h"
#include "recommend/known.h"
#include "recommend/newest.h"
#include "recommend/render.h"
#include "recommend/supersede.h"
#include "recommend/trace.h"
#include "recommend/validate.h"

struct recommender {
    struct recommender_options options;
    struct recommender_counters counters;
    struct known known;
    struct recommendation **deferred; /* of this update; what was decided since is marked so */
    size_t deferred_count;
    size_t deferred_cap;
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
    known_init(&recommender->known, options->state);
    return recommender;
}

void recommender_drop(struct recommender *recommender)
{
    recommender->deferred_count = 0;
    known_drop(&recommender->known);
}

void recommender_free(struct recommender *recommender)
{
    if (recommender == NULL)
        return;
    known_fini(&recommender->known);
    free(recommender->deferred);
    free(recommender);
}

const struct recommender_counters *recommender_counters(const struct recommender *recommender)
{
    return &recommender->counters;
}

void recommender_shrink(struct recommender *recommender)
{
    int64_t bytes = recommender->options.memory_bytes;
    known_shrink(&recommender->known, bytes > 0 ? (size_t)bytes : 0);
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
    uint64_t life_hash = render_life_hash(&rendered);
    it->life.version += it->version == 0 || life_hash != it->life.published;
    it->life.published = life_hash;
    it->version++;
    it->published_hash = hash;
    it->published_level = (int)impact->level;
    if (call->time_ms >= it->cooldown_until_ms)
        it->cooldown_until_ms = later(call->time_ms, it->is.rule->recommend->cooldown_ms);
    call->recommender->counters.versions++;
    struct value record =
        render_stamp(&rendered, (struct render_versions){it->version, it->life.version}, call->time_ms);
    options->publish(options->context, rendered.id, record, detection, call->time_ms);
}

/* Whether the recommendation is made, now or before: until it is nothing is published, whatever changes. */
static bool is_made(const struct call *call, bool detection)
{
    struct recommendation *it = call->it;
    if (it->version > 0)
        return true;
    if (!detection || !recommendation_needs_met(it, call->time_ms))
        return false;
    it->created_ms = call->time_ms;
    it->life.appeared = true;
    return true;
}

/* It came back after it was seen to be gone. */
static void reopen(const struct call *call)
{
    struct recommendation *it = call->it;
    const struct lifecycle_step step = {.to = LIFE_REOPENED, .at_ms = call->time_ms, .actor = str_of(LIFE_ENGINE)};
    if (it->life.status != LIFE_VALIDATED || !recommendation_needs_met(it, call->time_ms))
        return;
    lifecycle_transition(it, &step);
    it->life.appeared = true;
}

/* Publishes, or holds, or keeps quiet. */
static void tell(const struct call *call, const struct impact *impact, bool detection)
{
    struct recommendation *it = call->it;
    bool untold = it->life.untold;
    it->life.untold = false;
    if (life_is_quiet(it->life.status) && !untold) {
        it->held = false;
    } else if (untold || detection || (int)impact->level != it->published_level ||
               call->time_ms >= it->cooldown_until_ms) {
        publish(call, impact, detection);
    } else if (!it->held) {
        it->held = true;
        ask_timer(call, it->cooldown_until_ms, RECOMMEND_COOLDOWN);
    }
}

/* Ends a call: publishes or holds, asks for the timers, writes through. */
static void decide(const struct call *call, bool detection)
{
    struct recommendation *it = call->it;
    const struct recommender_options *options = &call->recommender->options;
    it->deferred = false;
    if (!is_made(call, detection)) {
        recommendation_save(it, options->state);
        return;
    }
    if (detection)
        reopen(call);
    struct impact impact =
        impact_at(it, (struct impact_limits){options->impact_high, options->impact_medium}, call->time_ms);
    tell(call, &impact, detection);
    if (impact.falls_ms != it->ageing_ms && impact.falls_ms != INT64_MAX)
        ask_timer(call, impact.falls_ms, RECOMMEND_AGEING);
    it->ageing_ms = impact.falls_ms;
    if (it->life.appeared && supersede_concerns(options->rules, it->is.rule))
        ask_timer(call, call->time_ms, RECOMMEND_APPEARED);
    it->life.appeared = false;
    recommendation_save(it, options->state);
}

/* Ends a call that may be one of several of the same update. */
static void conclude(const struct call *call, bool detection)
{
    struct recommender *recommender = call->recommender;
    if (detection || !rule_is_shared(call->it->is.rule)) {
        decide(call, detection);
        return;
    }
    if (call->it->deferred)
        return;
    call->it->deferred = true;
    recommender->deferred = mem_grow(recommender->deferred, recommender->deferred_count, &recommender->deferred_cap,
                                     sizeof(struct recommendation *));
    recommender->deferred[recommender->deferred_count++] = call->it;
}

void recommender_settle(struct recommender *recommender, int64_t time_ms, struct arena *arena)
{
    for (size_t i = 0; i < recommender->deferred_count; i++) {
        struct call call = {recommender, recommender->deferred[i], time_ms, arena};
        if (call.it->deferred)
            decide(&call, false);
    }
    recommender->deferred_count = 0;
}

/* Lets go of rows that neither count nor can be listed by an evaluation again. */
static void forget(const struct call *call)
{
    int64_t reach_ms = call->it->is.rule->reach_ms;
    if (reach_ms < IMPACT_SPAN_MS)
        reach_ms = IMPACT_SPAN_MS;
    if (reach_ms < validate_reach_ms(call->it->is.rule))
        reach_ms = validate_reach_ms(call->it->is.rule);
    recommendation_forget(call->it, call->recommender->options.state, call->time_ms - reach_ms);
}

static void create(struct recommendation *it, struct value group, int64_t time_ms)
{
    struct buf encoded = {0};
    value_encode(&encoded, group.type == VALUE_MAP ? group : value_map(NULL, 0));
    it->group = (struct str){mem_strdup(buf_str(&encoded)), encoded.len};
    it->since_ms = it->created_ms = time_ms;
    buf_fini(&encoded);
}

static struct contribution_call contribution_of(const struct call *call, const struct group *group)
{
    return (struct contribution_call){.it = call->it,
                                      .group = group,
                                      .state = call->recommender->options.state,
                                      .evidence_max = (size_t)call->recommender->options.evidence_max,
                                      .spans_left_out = &call->recommender->counters.spans_left_out};
}

int recommender_evaluated(struct recommender *recommender, struct group *group, const struct evaluation *evaluation,
                          struct arena *arena, struct error *err)
{
    const struct rule *rule = group->rule;
    bool makes = evaluation->detection && evaluation->firing;
    if (rule->recommend == NULL || (rule->recommend->per_kind == PER_OUTPUTS && !evaluation->when))
        return 0;
    if (group->unrecommended && !makes)
        return 0;
    struct value values =
        rule_is_shared(rule) ? per_values(group, evaluation->slots, arena) : evaluation->slots[OUT_GROUP];
    struct recommendation_identity identity = per_identity(group, values, recommender->options.tasks.count);
    struct call call = {recommender, NULL, evaluation->time_ms, arena};
    TRY(known_find(&recommender->known, &identity, &call.it, err));
    struct recommendation *it = call.it;
    bool first = !it->exists;
    if (first && !makes) {
        /* Nearly all groups of a rule have none: neither is that looked up each time, nor are they kept in mind. */
        group->unrecommended = !rule_is_shared(rule);
        if (group->unrecommended)
            known_evict(&recommender->known, it);
        return 0;
    }
    group->unrecommended = false;
    if (first)
        create(it, values, evaluation->time_ms);
    struct contribution_call contribution = contribution_of(&call, group);
    contribute_evaluation(&contribution, evaluation, first);
    if (evaluation->when) {
        buf_reset(&it->newest);
        newest_encode(&it->newest, rule, evaluation, arena,
                      (struct newest_notes){&recommender->counters.template_errors, &it->capped});
    }
    forget(&call);
    if (evaluation->detection && validate_counts_detections(rule))
        comparison_add_detection(&it->comparison, evaluation->time_ms);
    recommender->counters.detections += evaluation->detection;
    conclude(&call, evaluation->detection);
    return 0;
}

static int row_of(struct recommender *recommender, const struct recommendation_identity *identity,
                  const struct group *group, const struct recommender_change *change, struct arena *arena,
                  struct error *err)
{
    struct call call = {recommender, NULL, change->time_ms, arena};
    TRY(known_find(&recommender->known, identity, &call.it, err));
    if (!call.it->exists)
        return 0;
    forget(&call);
    struct contribution_call contribution = contribution_of(&call, group);
    bool publish = change->publish || rule_is_shared(group->rule);
    if (contribute_row(&contribution, change->row, change->selected) && publish)
        conclude(&call, false);
    else
        recommendation_save(call.it, recommender->options.state);
    return 0;
}

/* The row's recommendations are those that it contributed to through the group. */
static int row_of_traced(struct recommender *recommender, const struct group *group,
                         const struct recommender_change *change, struct arena *arena, struct error *err)
{
    struct buf key = {0};
    struct traced traced = {0};
    remembered_key(&key, change->row);
    int result = trace_find(group, buf_str(&key), recommender->options.state, arena, &traced, err);
    buf_fini(&key);
    for (size_t i = 0; result == 0 && i < traced.count; i++) {
        struct recommendation_identity identity =
            per_identity_of(group->rule, group->rule_number, traced.hashes[i], recommender->options.tasks.count);
        result = row_of(recommender, &identity, group, change, arena, err);
    }
    return result;
}

int recommender_row(struct recommender *recommender, const struct group *group, const struct recommender_change *change,
                    struct arena *arena, struct error *err)
{
    const struct rule *rule = group->rule;
    if (rule->recommend == NULL || !remembered_is_row(change->row))
        return 0;
    if (rule->recommend->per_kind == PER_OUTPUTS)
        return row_of_traced(recommender, group, change, arena, err);
    struct value values = rule_is_shared(rule) ? per_values(group, NULL, arena) : value_null();
    struct recommendation_identity identity = per_identity(group, values, recommender->options.tasks.count);
    return row_of(recommender, &identity, group, change, arena, err);
}

static struct validate_call validate_call_of(const struct call *call)
{
    const struct recommender_options *options = &call->recommender->options;
    return (struct validate_call){.it = call->it,
                                  .time_ms = call->time_ms,
                                  .arena = call->arena,
                                  .history = options->history,
                                  .context = options->context};
}

/* The timers that a new status needs. */
static void ask_life_timers(const struct call *call)
{
    const struct recommendation *it = call->it;
    int64_t expires_ms = lifecycle_expires_ms(&it->life, it->last_seen_ms);
    if (it->life.until_ms != INT64_MAX)
        ask_timer(call, it->life.until_ms, RECOMMEND_UNTIL);
    if (expires_ms != INT64_MAX)
        ask_timer(call, expires_ms, RECOMMEND_EXPIRY);
    if (it->comparison.look_ms != INT64_MAX)
        ask_timer(call, it->comparison.look_ms, RECOMMEND_VALIDATION);
}

int recommender_feedback(struct recommender *recommender, const struct event *feedback, struct arena *arena,
                         struct error *err)
{
    struct feedback_target target;
    struct call call = {recommender, NULL, feedback->time_ms, arena};
    bool repeated = false;
    TRY(feedback_find(recommender->options.rules, value_as_str(feedback->values[FEEDBACK_RECOMMENDATION_ID]), &target,
                      err));
    struct recommendation_identity identity =
        per_identity_of(target.rule, target.rule_number, target.hash, recommender->options.tasks.count);
    TRY(known_find(&recommender->known, &identity, &call.it, err));
    enum life_status before = call.it->life.status;
    TRY(feedback_apply(call.it, feedback, &repeated, err));
    recommender->counters.feedback += !repeated;
    recommender->counters.repeated += repeated;
    if (repeated)
        return 0;
    forget(&call);
    struct validate_call validate = validate_call_of(&call);
    TRY(validate_follow(&validate, before, err));
    ask_life_timers(&call);
    decide(&call, false);
    return 0;
}

/* Proposes a dismissed one again. False: it is not time, or no longer wanted. */
static bool propose_again(const struct call *call)
{
    struct life *life = &call->it->life;
    const struct lifecycle_step step = {.to = LIFE_PROPOSED, .at_ms = call->time_ms, .actor = str_of(LIFE_ENGINE)};
    if (life->status != LIFE_DISMISSED || call->time_ms < life->until_ms)
        return false;
    lifecycle_transition(call->it, &step);
    life->appeared = true;
    return true;
}

/* Compares before and after once more. False: it is not time, or no longer wanted. */
static int compare(const struct call *call, bool *wanted, struct error *err)
{
    enum life_status status = call->it->life.status;
    *wanted =
        call->time_ms >= call->it->comparison.look_ms && (status == LIFE_IMPLEMENTED || status == LIFE_VALIDATING);
    if (!*wanted)
        return 0;
    struct validate_call validate = validate_call_of(call);
    TRY(validate_look(&validate, err));
    ask_life_timers(call);
    return 0;
}

/* Forgets one that was closed long enough ago, in the state and on the output. */
static void expire(const struct call *call)
{
    struct recommendation *it = call->it;
    const struct recommender_options *options = &call->recommender->options;
    int64_t expires_ms = lifecycle_expires_ms(&it->life, it->last_seen_ms);
    if (expires_ms == INT64_MAX)
        return;
    if (call->time_ms < expires_ms) { /* it was seen since */
        ask_timer(call, expires_ms, RECOMMEND_EXPIRY);
        return;
    }
    recommendation_remove(it, options->state);
    call->recommender->counters.expired++;
    if (options->expire != NULL)
        options->expire(options->context, render_id(it, call->arena), call->time_ms);
    known_evict(&call->recommender->known, it);
}

/* From now on `by` stands for `call->it`. */
static void supersede(const struct call *call, struct recommendation *by)
{
    struct recommendation *it = call->it;
    const struct call other = {call->recommender, by, call->time_ms, call->arena};
    lifecycle_transition(
        it, &(struct lifecycle_step){.to = LIFE_SUPERSEDED, .at_ms = call->time_ms, .actor = str_of(LIFE_ENGINE)});
    life_set_superseded_by(&it->life, render_id(by, call->arena));
    ask_life_timers(call);
    decide(call, false);
    by->life.untold |= life_add_superseded(&by->life, render_id(it, call->arena));
    decide(&other, false);
}

/* One that has appeared against those of another rule, which may supersede it, or it them. */
static int supersede_with(const struct call *call, int number, struct error *err)
{
    struct recommender *recommender = call->recommender;
    struct recommendation *it = call->it;
    const struct rule *rule = &recommender->options.rules->rules[number];
    bool falls = supersede_says(rule, it->is.rule);
    const struct supersede_search search = {rule, recommender->options.tasks, it};
    struct superseding found;
    if (!falls && !supersede_says(it->is.rule, rule))
        return 0;
    TRY(supersede_find(&search, recommender->options.state, call->arena, &found, err));
    for (size_t i = 0; i < found.count; i++) {
        struct recommendation_identity identity = per_identity_of(rule, number, found.hashes[i], search.tasks.count);
        struct call other = {recommender, NULL, call->time_ms, call->arena};
        TRY(known_find(&recommender->known, &identity, &other.it, err));
        if (!other.it->exists || !supersede_agrees(it, other.it))
            continue;
        if (falls && supersede_falls(it) && supersede_stands(other.it))
            supersede(call, other.it);
        else if (supersede_says(it->is.rule, rule) && supersede_stands(it) && supersede_falls(other.it))
            supersede(&other, it);
    }
    return 0;
}

static int appeared(const struct call *call, struct error *err)
{
    size_t count = call->recommender->options.rules->count;
    for (size_t i = 0; i < count; i++)
        TRY(supersede_with(call, (int)i, err));
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
    struct recommendation_identity identity =
        per_identity_of(&rules->rules[due->rule_number], due->rule_number, due->hash, recommender->options.tasks.count);
    TRY(known_find(&recommender->known, &identity, &call.it, err));
    struct recommendation *it = call.it;
    if (!it->exists)
        return 0;
    bool wanted = false;
    switch (due->kind) {
    case RECOMMEND_UNTIL:
        wanted = propose_again(&call);
        break;
    case RECOMMEND_COOLDOWN:
        wanted = it->held && due->time_ms >= it->cooldown_until_ms;
        break;
    case RECOMMEND_VALIDATION:
        TRY(compare(&call, &wanted, err));
        break;
    case RECOMMEND_AGEING:
        wanted = due->time_ms >= it->ageing_ms;
        break;
    case RECOMMEND_EXPIRY:
        expire(&call);
        break;
    case RECOMMEND_APPEARED:
        return appeared(&call, err);
    }
    if (!wanted)
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
        if (timers->look_ms != INT64_MAX)
            options->timer(options->context, timers->look_ms, RECOMMEND_VALIDATION, (int)i, timers->hash);
        if (timers->ageing_ms != INT64_MAX)
            options->timer(options->context, timers->ageing_ms, RECOMMEND_AGEING, (int)i, timers->hash);
        if (timers->until_ms != INT64_MAX)
            options->timer(options->context, timers->until_ms, RECOMMEND_UNTIL, (int)i, timers->hash);
        if (timers->closed_ms != INT64_MAX) /* it is looked at then, and asked for again where that is too early */
            options->timer(options->context, later(timers->closed_ms, LIFECYCLE_KEPT_MS), RECOMMEND_EXPIRY, (int)i,
                           timers->hash);
    }
}

int recommender_restore(struct recommender *recommender, struct error *err)
{
    struct restoring restoring = {0};
    struct buf prefix = {0};
    int result = 0;
    for (int task = recommender->options.tasks.first; result == 0 && task < recommender->options.tasks.end; task++) {
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
