/* Feedback: what a person says about a recommendation, and whether it may take effect. */
#ifndef FORESTALL_RECOMMEND_FEEDBACK_H
#define FORESTALL_RECOMMEND_FEEDBACK_H

#include "recommend/lifecycle.h"

/* A recommendation's id, taken apart. */
struct feedback_target {
    const struct rule *rule;
    int rule_number;
    uint64_t hash;
};

/* ERROR_BAD_INPUT: it is no id, or of no rule of the set. */
int feedback_find(const struct ruleset *rules, struct str id, struct feedback_target *target,
                  struct error *err) MUST_CHECK;

/* What the feedback is about. False: nothing that the rules make. */
bool feedback_about(const struct ruleset *rules, const struct event *event, struct feedback_target *target);

/* Applies an event of stream `feedback` to the recommendation, at the event's time. *repeated: its event id is known
 * already, and nothing happened. ERROR_BAD_INPUT: it is not allowed; the message says what would be. */
int feedback_apply(struct recommendation *recommendation, const struct event *event, bool *repeated,
                   struct error *err) MUST_CHECK;

#endif
