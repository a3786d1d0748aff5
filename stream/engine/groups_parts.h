/* What the files of groups.h share: groups.c loads them and lets them go, groups_limit.c counts and bounds them. Nobody
 * else includes this. */
#ifndef FORESTALL_ENGINE_GROUPS_PARTS_H
#define FORESTALL_ENGINE_GROUPS_PARTS_H

#include "engine/group_cache.h"
#include "engine/groups.h"

/* How many groups there are of a rule and task: an entry of the state, so that a start need not count them. */
struct group_count {
    size_t groups;    /* SIZE_MAX: not counted yet */
    size_t look_from; /* beyond so many groups it is looked for some that can go */
    bool evicted;     /* some ever went */
    bool moved;       /* since it was written */
};

struct groups {
    struct groups_options options;
    struct group_cache cache;
    struct walk *walks;       /* by rule */
    struct group **unwritten; /* groups that hold notes which the state does not have yet, in no order */
    size_t unwritten_count;
    size_t unwritten_cap;
    size_t unwritten_bytes;
    struct group_count *counts; /* by rule and task */
    bool counts_moved;          /* some of them */
    struct buf key;
};

/* One group less. */
void groups_leave(struct groups *groups, const struct group *group);
void groups_write_counts(struct groups *groups);
int groups_read_counts(struct groups *groups, struct error *err) MUST_CHECK;

#endif
