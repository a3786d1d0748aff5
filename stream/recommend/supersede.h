/* Which recommendations stand for which: by the rules' `supersedes`, and by groups that agree. */
#ifndef FORESTALL_RECOMMEND_SUPERSEDE_H
#define FORESTALL_RECOMMEND_SUPERSEDE_H

#include "recommend/recommendation.h"

bool supersede_says(const struct rule *rule, const struct rule *other);
/* It says so of another, or another of it. */
bool supersede_concerns(const struct ruleset *rules, const struct rule *rule);
/* One that stands for others, and may be stood for: proposed and on its way, and not yet begun. */
bool supersede_stands(const struct recommendation *recommendation);
bool supersede_falls(const struct recommendation *recommendation);
/* The groups have the same values of the keys that both have. */
bool supersede_agrees(const struct recommendation *a, const struct recommendation *b);

/* Recommendations of `rule` that may agree with `with`, which are of its task (rule_route.c): their hashes, ascending,
 * in the arena. All of the rule's where the two have different keys, so O(their number) then. */
struct supersede_search {
    const struct rule *rule;
    struct task_range tasks;
    const struct recommendation *with;
};
struct superseding {
    uint64_t *hashes;
    size_t count;
};
int supersede_find(const struct supersede_search *search, struct state *state, struct arena *arena,
                   struct superseding *out, struct error *err) MUST_CHECK;

#endif
