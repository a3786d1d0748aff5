/* What the files of reduce.h share: reduce.c is the loop over the order, reduce_groups.c what items do to groups.
 * Nobody else includes this. */
#ifndef FORESTALL_ENGINE_REDUCE_PARTS_H
#define FORESTALL_ENGINE_REDUCE_PARTS_H

#include "engine/detections.h"
#include "engine/groups.h"
#include "engine/inbox.h"
#include "engine/instant.h"
#include "engine/known_rules.h"
#include "engine/reduce.h"
#include "engine/rows.h"
#include "engine/timers.h"
#include "engine/touch.h"

struct reduce {
    struct reduce_options options;
    struct inbox *inbox;
    struct instant *instant;
    struct detection_ways ways; /* outside: to all tasks, the same as inside where this drives them all */
    struct groups *groups;
    struct timers *timers;
    struct rows *rows;
    struct touches *touches;
    struct detections *detections;
    struct known_rules *known;
    struct recommender *recommender;
    struct pending_item last; /* that was applied: its place in the order */
    size_t work;              /* since reduce_advance began: items, and groups that walks looked at */
    int64_t first_ms[STREAM_COUNT];
    struct arena arena; /* of one item */
    struct reduce_counters counters;
};

/* A pane that has closed. */
int reduce_pane(struct reduce *reduce, struct pending_item *item, struct error *err) MUST_CHECK;
/* A group's timer. */
int reduce_group_timer(struct reduce *reduce, const struct pending_item *item, struct error *err) MUST_CHECK;
/* Some of the groups that are due at a window's end; the item comes again for the others. */
int reduce_walk(struct reduce *reduce, struct pending_item *item, struct error *err) MUST_CHECK;
/* One rule and group that a row's change or an event touches. */
int reduce_touch(struct reduce *reduce, const struct touch *touch, int64_t time_ms, bool is_row,
                 struct error *err) MUST_CHECK;
/* After a restore: has the groups of the state waited for. */
int reduce_arm_groups(struct reduce *reduce, struct error *err) MUST_CHECK;

#endif
