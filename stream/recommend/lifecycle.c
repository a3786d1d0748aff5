/* The table of the life of recommendations, and its steps.
 *
 *     proposed -> accepted -> in_progress -> implemented -> validating -> validated | ineffective
 *     dismissed, superseded, reopened
 */
#include "recommend/lifecycle.h"

#include "recommend/render.h"

static const struct {
    const char *name;
    enum life_status to; /* LIFE_STATUSES: no change */
    unsigned from;       /* bit i: allowed in status i */
} actions[LIFE_ACTIONS] = {
#define IN(status) (1U << LIFE_##status)
#define ANY        ((1U << LIFE_STATUSES) - 1)
    [LIFE_ACCEPT] = {"accept", LIFE_ACCEPTED, IN(PROPOSED) | IN(REOPENED)},
    [LIFE_START] = {"start", LIFE_IN_PROGRESS, IN(PROPOSED) | IN(REOPENED) | IN(ACCEPTED)},
    [LIFE_IMPLEMENT] = {"implement", LIFE_IMPLEMENTED,
                        IN(PROPOSED) | IN(REOPENED) | IN(ACCEPTED) | IN(IN_PROGRESS) | IN(INEFFECTIVE)},
    [LIFE_DISMISS] = {"dismiss", LIFE_DISMISSED, ANY & ~(IN(DISMISSED) | IN(SUPERSEDED))},
    [LIFE_REOPEN] = {"reopen", LIFE_REOPENED,
                     IN(DISMISSED) | IN(SUPERSEDED) | IN(IMPLEMENTED) | IN(VALIDATING) | IN(VALIDATED) |
                         IN(INEFFECTIVE)},
    [LIFE_COMMENT] = {"comment", LIFE_STATUSES, ANY},
#undef IN
#undef ANY
};

bool lifecycle_allows(enum life_status status, enum life_action action)
{
    return (actions[action].from >> status & 1) != 0;
}

enum life_status lifecycle_target(enum life_action action)
{
    return actions[action].to;
}

const char *lifecycle_action_name(enum life_action action)
{
    return actions[action].name;
}

void lifecycle_allowed(struct buf *out, enum life_status status)
{
    const char *before = "";
    for (int action = 0; action < LIFE_ACTIONS; action++)
        if (lifecycle_allows(status, (enum life_action)action)) {
            buf_printf(out, "%s%s", before, actions[action].name);
            before = ", ";
        }
}

int64_t lifecycle_expires_ms(const struct life *life, int64_t last_seen_ms)
{
    if (!life_is_closed(life->status) || life->until_ms != INT64_MAX)
        return INT64_MAX;
    int64_t from_ms = life->since_ms > last_seen_ms ? life->since_ms : last_seen_ms;
    return from_ms > INT64_MAX / 2 - LIFECYCLE_KEPT_MS ? INT64_MAX : from_ms + LIFECYCLE_KEPT_MS;
}

static bool freezes(enum life_status status)
{
    return status == LIFE_ACCEPTED || status == LIFE_IN_PROGRESS || status == LIFE_IMPLEMENTED;
}

static bool thaws(enum life_status status)
{
    return status == LIFE_PROPOSED || status == LIFE_REOPENED;
}

void lifecycle_transition(struct recommendation *it, const struct lifecycle_step *step)
{
    struct life *life = &it->life;
    const struct life_change change = {step->at_ms, life->status, step->to, step->actor, step->comment};
    if (!life_note(life, &change))
        it->capped = true;
    bool measured = life->status == LIFE_VALIDATING; /* and nothing came of it */
    life->status = step->to;
    life->since_ms = step->at_ms;
    life->until_ms = INT64_MAX;
    life->untold = true;
    life_set_superseded_by(life, (struct str){0});
    if (step->to == LIFE_IMPLEMENTED && !measured)
        life->implemented_ms = step->at_ms;
    if (thaws(step->to))
        buf_reset(&life->frozen);
    else if (freezes(step->to) && life->frozen.len == 0)
        render_spec(&life->frozen, it);
}
