/* What an evaluation of one of its groups, or a row's change, adds to a recommendation or takes from it: counts,
 * evidence, remembered rows. */
#ifndef FORESTALL_RECOMMEND_CONTRIBUTE_H
#define FORESTALL_RECOMMEND_CONTRIBUTE_H

#include "detect/detector.h"
#include "recommend/recommendation.h"

/* One group's call about one recommendation. */
struct contribution_call {
    struct recommendation *it;
    const struct group *group;
    struct state *state;
    size_t evidence_max;
    uint64_t *spans_left_out; /* counted */
};

/* Takes what counts from now on of what the evaluation lists, and the current data of rows that counted before.
 * `first`: the detection with which the recommendation begins. */
void contribute_evaluation(const struct contribution_call *call, const struct evaluation *evaluation, bool first);
/* The row is as `row` now, and the group selects it or does not. False: it did not contribute. */
bool contribute_row(const struct contribution_call *call, const struct event *row, bool selected);

#endif
