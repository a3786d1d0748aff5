/* Judging feedback: a repeated one first, since its expected version is stale by its own effect. */
#include "recommend/feedback.h"

#include <inttypes.h>

enum { ID_SHOWN_MAX = 200, HASH_DIGITS = 16 };

static int no_recommendation(struct str id, const char *why, struct error *err)
{
    struct str shown = text_cut(id, ID_SHOWN_MAX);
    return error_set(err, ERROR_BAD_INPUT, "there is no recommendation '%.*s': %s", STR_ARG(shown), why);
}

static bool hash_read(struct str digits, uint64_t *hash)
{
    *hash = 0;
    for (size_t i = 0; i < digits.n; i++) {
        char c = digits.p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *hash = *hash << 4 | (uint64_t)digit;
    }
    return digits.n == HASH_DIGITS;
}

int feedback_find(const struct ruleset *rules, struct str id, struct feedback_target *target, struct error *err)
{
    size_t colon = id.n > HASH_DIGITS ? id.n - HASH_DIGITS - 1 : 0;
    if (colon == 0 || id.p[colon] != ':' || !hash_read((struct str){id.p + colon + 1, HASH_DIGITS}, &target->hash))
        return no_recommendation(id, "an id is RULE:DIGITS, with 16 hexadecimal digits in lower case", err);
    const struct rule *rule = ruleset_find(rules, (struct str){id.p, colon});
    if (rule == NULL || rule->recommend == NULL)
        return no_recommendation(id, "no rule of that id makes recommendations", err);
    target->rule = rule;
    target->rule_number = (int)(rule - rules->rules);
    return 0;
}

bool feedback_about(const struct ruleset *rules, const struct event *event, struct feedback_target *target)
{
    struct error unknown;
    return feedback_find(rules, value_as_str(event->values[FEEDBACK_RECOMMENDATION_ID]), target, &unknown) == 0;
}

static enum life_action action_of(const struct event *event)
{
    for (int action = 0; action < LIFE_ACTIONS; action++)
        if (str_is(value_as_str(event->values[FEEDBACK_ACTION]), lifecycle_action_name((enum life_action)action)))
            return (enum life_action)action;
    ASSERT(false); /* the decoder knows no other */
    return LIFE_COMMENT;
}

static struct str text_of(const struct event *event, enum feedback_field field)
{
    struct value v = event->values[field];
    return v.type == VALUE_STRING ? value_as_str(v) : (struct str){0};
}

/* `is it allowed` and, where not, why and what would be. */
static int judge(const struct recommendation *it, const struct event *event, enum life_action action, struct error *err)
{
    const struct life *life = &it->life;
    const char *status = life_status_name(life->status);
    struct value expected = event->values[FEEDBACK_EXPECTED_VERSION];
    struct buf allowed = {0};
    int result = 0;
    lifecycle_allowed(&allowed, life->status);
    if (expected.type == VALUE_INT && expected.i != (int64_t)life->version)
        result = error_set(err, ERROR_BAD_INPUT,
                           "stale: expected_version is %" PRId64 ", but life_version is %" PRIu64
                           ", with status %s; allowed now: %.*s",
                           expected.i, life->version, status, STR_ARG(buf_str(&allowed)));
    else if (!lifecycle_allows(life->status, action))
        result = error_set(err, ERROR_BAD_INPUT,
                           "'%s' is not allowed: the status is %s, with life_version %" PRIu64 "; allowed now: %.*s",
                           lifecycle_action_name(action), status, life->version, STR_ARG(buf_str(&allowed)));
    buf_fini(&allowed);
    return result;
}

/* An `until` that has passed is now. */
static int64_t until_of(const struct event *event)
{
    struct value until = event->values[FEEDBACK_UNTIL];
    if (until.type != VALUE_TIMESTAMP)
        return INT64_MAX;
    return value_ms(until) > event->time_ms ? value_ms(until) : event->time_ms;
}

int feedback_apply(struct recommendation *it, const struct event *event, bool *repeated, struct error *err)
{
    struct life *life = &it->life;
    struct str event_id = text_of(event, FEEDBACK_EVENT_ID);
    struct str id = text_of(event, FEEDBACK_RECOMMENDATION_ID);
    enum life_action action = action_of(event);
    *repeated = false;
    if (it->version == 0)
        return no_recommendation(id, "it was not made yet, or is forgotten by now", err);
    *repeated = life_has_seen(life, event_id);
    if (*repeated)
        return 0;
    TRY(judge(it, event, action, err));
    life_see(life, event_id);
    struct lifecycle_step step = {.to = lifecycle_target(action),
                                  .at_ms = event->time_ms,
                                  .actor = text_of(event, FEEDBACK_ACTOR),
                                  .comment = text_of(event, FEEDBACK_COMMENT)};
    if (action == LIFE_COMMENT) {
        const struct life_change comment = {step.at_ms, life->status, life->status, step.actor, step.comment};
        it->capped |= !life_note(life, &comment);
        life->untold = true;
        return 0;
    }
    lifecycle_transition(it, &step);
    if (action == LIFE_DISMISS)
        life->until_ms = until_of(event);
    return 0;
}
