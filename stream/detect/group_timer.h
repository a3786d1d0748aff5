/* The timers of groups that are not walked, as entries of the store in order of their times: (task, STATE_TIMER, rule,
 * time, group). An entry stands at or before its group's timer: where the timer moves on nothing is written, and when
 * the entry's time comes it moves to where the timer is by then.
 *
 * The group's record says where its entry is, so that entries follow from the state, and are in no changelog. Of a
 * crash amid the store's batches some may be left that no record speaks of.
 */
#ifndef FORESTALL_DETECT_GROUP_TIMER_H
#define FORESTALL_DETECT_GROUP_TIMER_H

#include "detect/group.h"

struct group_timer {
    int task;
    uint64_t rule_hash;
    int64_t time_ms;
    uint64_t hash;
};

void group_timer_key(struct buf *out, const struct group_timer *timer);
/* The start of the keys of the rule's timers in the task. */
void group_timer_prefix(struct buf *out, int task, uint64_t rule_hash);
/* False: not such a key. */
bool group_timer_read(struct str key, struct group_timer *timer);
/* The key of the entry that the record tells of, or, where it does not say, would have without having lagged; false:
 * it has none. */
bool group_timer_of(int task, const struct group_record *record, struct buf *key);
/* For group_save: has the entry stand at or before the timer. For group_remove: there is none any more. */
void group_timer_move(struct group *group, struct state *state);
void group_timer_drop(struct group *group, struct state *state);

#endif
