/* What may happen to a recommendation: which feedback is allowed in which status, and what a change of status brings.
 */
#ifndef FORESTALL_RECOMMEND_LIFECYCLE_H
#define FORESTALL_RECOMMEND_LIFECYCLE_H

#include "recommend/recommendation.h"

/* In the order of the stream's symbols. */
enum life_action { LIFE_ACCEPT, LIFE_START, LIFE_IMPLEMENT, LIFE_DISMISS, LIFE_REOPEN, LIFE_COMMENT, LIFE_ACTIONS };

/* Who did what nobody did. */
#define LIFE_ENGINE "forestall"

bool lifecycle_allows(enum life_status status, enum life_action action);
/* The status that an allowed action leads to; LIFE_STATUSES: it stays. */
enum life_status lifecycle_target(enum life_action action);
/* "accept"; also the actions that are allowed in a status, "start, implement, dismiss, comment". */
const char *lifecycle_action_name(enum life_action action);
void lifecycle_allowed(struct buf *out, enum life_status status);

/* A closed recommendation is forgotten that long after it was closed or last seen, whichever came later. */
#define LIFECYCLE_KEPT_MS ((int64_t)400 * DAY_MS)
/* When that is; INT64_MAX: it is not closed, or is proposed again some day. */
int64_t lifecycle_expires_ms(const struct life *life, int64_t last_seen_ms);

struct lifecycle_step {
    enum life_status to;
    int64_t at_ms;
    struct str actor;
    struct str comment; /* p NULL: none */
};
/* The only way to another status: history, freezing and thawing of title and spec, and that it is published at once.
 * The caller decides what else belongs to it, and saves and publishes. */
void lifecycle_transition(struct recommendation *recommendation, const struct lifecycle_step *step);

#endif
