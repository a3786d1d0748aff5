/* The groups of a reduce: loaded on demand, the least used leave memory beyond a budget, and bounded a rule and task.
 * Those of rules whose groups are walked are found in the state when they are due (walk.h); others wait for timers. */
#ifndef FORESTALL_ENGINE_GROUPS_H
#define FORESTALL_ENGINE_GROUPS_H

#include "detect/group.h"
#include "engine/walk.h"

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
 * groups_shrink. */
int groups_get(struct groups *groups, int rule_number, uint64_t hash, struct str key, struct group **out,
               struct error *err) MUST_CHECK;
/* The same for a pane of it, which it may take unread (group.h). */
int groups_get_blind(struct groups *groups, int rule_number, uint64_t hash, struct str key, struct group **out,
                     struct error *err) MUST_CHECK;
/* After work on a group: forgets one that is empty. `newcomer`: it was empty before the work too, and is not counted.
 */
void groups_settle(struct groups *groups, struct group *group, bool newcomer);
/* Lets groups go beyond the budget: O(those that go). */
void groups_shrink(struct groups *groups);
/* Before a commit: writes the notes that groups left for it, and how many groups there are. */
void groups_commit(struct groups *groups);
/* Bytes of notes that wait for groups_commit. */
size_t groups_unwritten(const struct groups *groups);
/* Forgets all; what lies below `applied_ms`, by stage, was applied. */
int groups_restore(struct groups *groups, const int64_t *applied_ms, struct error *err) MUST_CHECK;
/* Makes room where a rule and task has reached groups_max: the stalest hundredth goes. Returns how many went. */
int groups_bound(struct groups *groups, const struct group *newcomer, size_t *evicted, struct error *err) MUST_CHECK;
/* Groups of its rule and task have gone for groups_max since there were none; it may be one that came again. */
bool groups_evicted(const struct groups *groups, const struct group *group);

/* The walk of a rule whose groups are walked; groups_restore begins it anew. */
struct walk *groups_walk(struct groups *groups, int rule_number);
/* The next group that is due at walk->next_ms; walk->from moves behind it. It looks at *left groups at most, and takes
 * from *left those that it saw. *out NULL: there is none, or, where *left is 0, it was not found yet. */
int groups_walk_next(struct groups *groups, int rule_number, size_t *left, struct group **out,
                     struct error *err) MUST_CHECK;
/* The walk came to its end: it goes on with the next time, walk->next_ms. */
void groups_walk_over(struct groups *groups, int rule_number);

#endif
