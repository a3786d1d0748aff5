/* Whether an implemented recommendation helped: whole UTC days before and after the day of `implement`, compared by the
 * measures of its rule (RULES: "Validate").
 *
 *     implemented --next midnight--> validating --after so many days--> validated | ineffective | implemented again
 */
#ifndef FORESTALL_RECOMMEND_VALIDATE_H
#define FORESTALL_RECOMMEND_VALIDATE_H

#include "detect/history.h"
#include "recommend/lifecycle.h"

/* What is compared with the help of others. */
struct validate_call {
    struct recommendation *it;
    int64_t time_ms;
    struct arena *arena;
    /* The rule's history of some days, for the recommendation of that hash. */
    int (*history)(void *context, const struct rule *history, uint64_t hash, struct span span, struct arena *arena,
                   struct history_sum *sum, struct error *err);
    void *context;
};

/* After a change of status by feedback: begins, or gives up, the comparison. before is measured now. */
int validate_follow(const struct validate_call *call, enum life_status before, struct error *err) MUST_CHECK;
/* At a midnight that comparison.look_ms names: measures anew, and decides when the days are over. */
int validate_look(const struct validate_call *call, struct error *err) MUST_CHECK;
/* How long rows that contributed must be remembered, where they are what is compared; 0: they are not. */
int64_t validate_reach_ms(const struct rule *rule);
/* A measure counts detections. */
bool validate_counts_detections(const struct rule *rule);

#endif
