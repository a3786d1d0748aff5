/* The timers of groups that are not walked (detect/group_timer.h), as a reduce waits for them: of each rule and task
 * the first ones are in the inbox, its *head*, and all beyond it are entries of the state alone. A timer that is armed
 * within the head goes into the inbox too; one beyond it is met when the head has been used up and the next ones are
 * read. Where the heads have grown too large together, the latest of them leave the inbox again.
 *
 * A head ends at its bound. Where there is anything at or beyond that, an item at the bound waits in the inbox, at its
 * place in the order: when it comes, the next entries are read from there on. So any item may be one that is no group's
 * timer, or is not any more: whoever takes one asks the group.
 */
#ifndef FORESTALL_ENGINE_TIMERS_H
#define FORESTALL_ENGINE_TIMERS_H

#include "engine/inbox.h"
#include "state/state.h"

struct group;
struct timers;

struct timers_options {
    const struct ruleset *rules;
    struct state *state;
    struct task_range tasks;
    struct inbox *inbox;
    size_t waiting_max; /* in the inbox, about; each rule and task with timers has one at least */
};

struct timers *timers_new(const struct timers_options *options);
void timers_free(struct timers *timers);
/* The inbox was cleared: reads the heads. Entries of a store that did not keep them are made first. */
int timers_restore(struct timers *timers, struct error *err) MUST_CHECK;
/* After work on the group: has its new entry waited for. */
void timers_arm(struct timers *timers, struct group *group);
/* Takes an item that the inbox gave. *due: its group is to be asked; else the next ones were read. */
int timers_take(struct timers *timers, const struct pending_item *item, bool *due, struct error *err) MUST_CHECK;
/* The item is not its group's timer: nor is there to be an entry like it. */
void timers_drop(struct timers *timers, const struct pending_item *item);
/* In the inbox. */
size_t timers_waiting(const struct timers *timers);

#endif
