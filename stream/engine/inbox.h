/* What was sent to a reduce and is ahead of its time, with its own timers: a heap a level (pending.h), which are read
 * as one order. Its exchange takes what map and reduce send; partials of one pane merge while they wait. What lies
 * below a level's time was applied before a restart, and is left out. What was sent beyond the budget waits on the
 * disk.
 */
#ifndef FORESTALL_ENGINE_INBOX_H
#define FORESTALL_ENGINE_INBOX_H

#include "engine/exchange.h"
#include "engine/pending.h"
#include "rule/ruleset.h"

struct inbox;

/* The stages of a rule set: rows' updates are 0, and rules follow. */
size_t inbox_stages(const struct ruleset *rules);

struct inbox_options {
    const struct ruleset *rules; /* borrowed */
    const char *scratch_dir;     /* where what is beyond the memory goes; NULL: it stays in memory */
    size_t memory_bytes;         /* of what was sent; timers and buffers are beside it */
};

struct inbox *inbox_new(const struct inbox_options *options);
void inbox_free(struct inbox *inbox);
struct exchange *inbox_exchange(struct inbox *inbox);
/* A timer of a rule's group or recommendation; of no rule (kinds of level 0) rule and group are 0. */
void inbox_timer(struct inbox *inbox, int64_t time_ms, enum pending_kind kind, int rule, uint64_t group);
/* Asks of each timer of the stage, in order, whether it stays. O(n log n). */
void inbox_sift_timers(struct inbox *inbox, size_t stage, bool (*stays)(void *context, const struct pending_item *item),
                       void *context);
/* Keeps what was sent within its memory: to be called, between items, after what may have sent some. ERROR_FATAL: the
 * disk is full or fails. */
int inbox_bound(struct inbox *inbox, struct error *err) MUST_CHECK;
/* The first item in order of those strictly below their stage's time of `before_ms`. *any is false: none. Its bytes
 * hold until inbox_done; a pane is the caller's. ERROR_FATAL: the disk fails. */
int inbox_next(struct inbox *inbox, const int64_t *before_ms, struct pending_item *item, bool *any,
               struct error *err) MUST_CHECK;
void inbox_done(struct inbox *inbox, struct pending_item *item);
/* The first one in that order, or NULL; until something comes or goes. */
const struct pending_item *inbox_first(const struct inbox *inbox, const int64_t *before_ms);
/* By stage: below its time what comes is left out. */
void inbox_set_applied(struct inbox *inbox, size_t stage, int64_t applied_ms);
/* The stage's time is the place's, and within it all was applied that comes no later than the place in the order; until
 * inbox_set_applied. Of all stages that are within their times the place is the same. */
void inbox_set_place(struct inbox *inbox, size_t stage, const struct pending_item *place);
/* NULL: the stage is at its time, and nothing of that was applied. */
const struct pending_item *inbox_place(const struct inbox *inbox, size_t stage);
int64_t inbox_applied(const struct inbox *inbox, size_t stage);
/* Drops what waits. */
void inbox_clear(struct inbox *inbox);
/* Bytes that wait, in memory and on the disk: for back pressure. */
size_t inbox_bytes(const struct inbox *inbox);
/* Bytes ever written to the disk. */
uint64_t inbox_spilled(const struct inbox *inbox);

#endif
