/* Rules that group the same events by the same fields: each event's group is found once for all of them. */
#ifndef FORESTALL_ENGINE_GROUPING_H
#define FORESTALL_ENGINE_GROUPING_H

#include "base/map.h"
#include "detect/group.h"

/* An event's group by one way of grouping. */
struct grouping {
    uint64_t event; /* whose it is, by the caller's count; 0: nobody's yet */
    uint64_t hash;
    size_t key_at; /* its key, in the caller's bytes */
    size_t key_n;
};

struct groupings {
    struct grouping *all;
    size_t count;
    int *numbers;   /* by rule and input: which of them */
    size_t *firsts; /* by rule: where its inputs' begin */
};

void groupings_init(struct groupings *groupings, const struct ruleset *rules);
void groupings_fini(struct groupings *groupings);

static inline struct grouping *grouping_of(struct groupings *groupings, int rule_number, int input)
{
    return &groupings->all[groupings->numbers[groupings->firsts[rule_number] + (size_t)input]];
}

#endif
