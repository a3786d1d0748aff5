/* The groups in memory: loaded on demand, evicted least recently used beyond a budget, and bounded a rule and task. */
#ifndef FORESTALL_ENGINE_GROUPS_H
#define FORESTALL_ENGINE_GROUPS_H

#include "base/map.h"
#include "detect/group.h"

struct groups;

struct groups_options {
    const struct ruleset *rules;
    struct state *state;
    struct task_range tasks;
    int64_t memory_bytes;
    int64_t groups_max; /* of a rule and task */
};

struct groups *groups_new(const struct groups_options *options);
void groups_free(struct groups *groups);
/* The group; `key` p NULL: only if the state knows it (*out NULL otherwise). Valid until groups_settle or
 * groups_commit. */
int groups_get(struct groups *groups, int rule_number, uint64_t hash, struct str key, struct group **out,
               struct error *err) MUST_CHECK;
/* After work on a group: forgets one that is empty. `newcomer`: it was empty before the work too, and is not counted.
 */
void groups_settle(struct groups *groups, struct group *group, bool newcomer);
/* Before a commit: writes the notes that groups left for it, and evicts groups beyond the budget. */
void groups_commit(struct groups *groups);
/* Bytes of notes that wait for groups_commit. */
size_t groups_unwritten(const struct groups *groups);
/* Forgets all; what lies below `applied_ms`, by stage, was applied. */
void groups_restore(struct groups *groups, const int64_t *applied_ms);
/* Calls `arm` for the timer of every group in the state whose rule is in the set. */
int groups_timers(struct groups *groups, void (*arm)(void *context, int64_t time_ms, int rule_number, uint64_t hash),
                  void *context, struct error *err) MUST_CHECK;
/* Makes room where a rule and task has reached groups_max: the stalest hundredth goes. Returns how many went. */
int groups_bound(struct groups *groups, const struct group *newcomer, size_t *evicted, struct error *err) MUST_CHECK;

#endif
