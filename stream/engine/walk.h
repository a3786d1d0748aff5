/* A walk: all groups of a rule that are due at a window's end are evaluated there, in order of their hashes, which is
 * that of their records in the state. So a rule waits for one time, and not a timer a group, and a start reads none of
 * them: what each record says is learnt by the walks. */
#ifndef FORESTALL_ENGINE_WALK_H
#define FORESTALL_ENGINE_WALK_H

#include <stdint.h>

struct walk {
    int64_t next_ms;  /* when some group may be due; INT64_MAX: none is known to be */
    uint64_t from;    /* of the walk at next_ms: the groups below were evaluated */
    int64_t later_ms; /* the earliest time beyond it that was met so far */
    int64_t past_ms;  /* what was due below was evaluated, of all groups */
};

#endif
