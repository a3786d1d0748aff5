/* The way from a row's change to the recommendations that the row contributed to, for rules whose `per` has an output:
 * there it does not follow from the group. One entry a (group, row, recommendation), kept with the group's task for as
 * long as the recommendation remembers the row. */
#ifndef FORESTALL_RECOMMEND_TRACE_H
#define FORESTALL_RECOMMEND_TRACE_H

#include "recommend/per.h"

struct trace {
    const struct recommendation_identity *to;
    uint64_t group;
    struct str row; /* remembered_key */
};

void trace_put(const struct trace *trace, struct state *state);
void trace_del(const struct trace *trace, struct state *state);
/* The hashes of recommendations, ascending, in an arena. */
struct traced {
    const uint64_t *hashes;
    size_t count;
};
/* Those that the group's row contributed to. O(their number). */
int trace_find(const struct group *group, struct str row, struct state *state, struct arena *arena, struct traced *out,
               struct error *err) MUST_CHECK;

#endif
