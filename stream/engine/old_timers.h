/* Groups' records of before there were timers beside them (group_timer.h) do not say where their entries are. The way
 * back from the changelog notes of which rules it met some; their entries are made, where their timers stand, before
 * anybody waits for them. A rule whose groups are walked is noted too, and passed over. */
#ifndef FORESTALL_ENGINE_OLD_TIMERS_H
#define FORESTALL_ENGINE_OLD_TIMERS_H

#include "rule/ruleset.h"
#include "state/state.h"

/* The key of the note: an entry of the store alone. */
void old_timers_key(struct buf *key, int task, uint64_t rule_hash);
/* Makes what the notes ask for, in the store, and takes them away. */
int old_timers_make(struct state *state, const struct ruleset *rules, struct task_range tasks,
                    struct error *err) MUST_CHECK;

#endif
