/* What changes of the state, as the changelog has them, make of the entries of groups' timers (group_timer.h), which no
 * changelog has. */
#ifndef FORESTALL_ENGINE_RESTORED_TIMERS_H
#define FORESTALL_ENGINE_RESTORED_TIMERS_H

#include "state/store.h"

/* For one change. */
enum { RESTORED_TIMERS_MAX = 3 };

struct restored_timers {
    struct store *store; /* before the changes */
    int task;
    bool all; /* the store was empty, and only such changes came since: what they replace need not be looked up. An
                 entry of a timer that moved meanwhile is left then, once. */
    struct arena *arena;
};

/* Adds to the changes of one task what they make of its timers: at most RESTORED_TIMERS_MAX for each. */
int restored_timers_add(const struct restored_timers *timers, struct str_pair *entries, size_t *count,
                        struct error *err) MUST_CHECK;

#endif
