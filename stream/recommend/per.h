/* Which recommendation a group's evaluation is about: `per` of its rule.
 *
 * A recommendation is known by the hash of its encoded `per` values, as a group by that of its key, so with all keys of
 * group_by in their order the two are the same. Its route is its groups', so it is of their task.
 */
#ifndef FORESTALL_RECOMMEND_PER_H
#define FORESTALL_RECOMMEND_PER_H

#include "detect/group.h"

struct recommendation_identity {
    const struct rule *rule;
    int rule_number;
    int tasks; /* of the state */
    int task;  /* the hash's, and its groups' */
    uint64_t hash;
};

/* The names and values of `per`, in the arena. `slots`: of a true evaluation; NULL where no output is among the names.
 * Errors are null. */
struct value per_values(const struct group *group, const struct value *slots, struct arena *arena);
/* The identity that such values give; for a rule that makes one recommendation a group they are not looked at. */
struct recommendation_identity per_identity(const struct group *group, struct value values, int tasks);
/* The same of a hash that is known. */
struct recommendation_identity per_identity_of(const struct rule *rule, int rule_number, uint64_t hash, int tasks);

#endif
