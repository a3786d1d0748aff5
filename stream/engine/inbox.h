/* What was sent to a reduce and is ahead of its time, with its own timers: a heap a level (pending.h), which are read
 * as one order. Its exchange takes what map and reduce send; partials of one pane merge while they wait. What lies
 * below a level's time was applied before a restart, and is left out. */
#ifndef FORESTALL_ENGINE_INBOX_H
#define FORESTALL_ENGINE_INBOX_H

#include "engine/exchange.h"
#include "engine/pending.h"
#include "rule/ruleset.h"

struct inbox;

/* The stages of a rule set: rows' updates are 0, and rules follow. */
size_t inbox_stages(const struct ruleset *rules);

struct inbox *inbox_new(const struct ruleset *rules);
void inbox_free(struct inbox *inbox);
struct exchange *inbox_exchange(struct inbox *inbox);
/* A timer of a rule's group or recommendation; of no rule (kinds of level 0) rule and group are 0. */
void inbox_timer(struct inbox *inbox, int64_t time_ms, enum pending_kind kind, int rule, uint64_t group);
/* The first item in order of those strictly below their stage's time of `before_ms`. False: none. Its bytes
 * hold until inbox_done; a pane is the caller's. */
bool inbox_next(struct inbox *inbox, const int64_t *before_ms, struct pending_item *item);
void inbox_done(struct inbox *inbox, struct pending_item *item);
/* By stage: below its time what comes is left out. */
void inbox_set_applied(struct inbox *inbox, size_t stage, int64_t applied_ms);
int64_t inbox_applied(const struct inbox *inbox, size_t stage);
/* Drops what waits. */
void inbox_clear(struct inbox *inbox);
/* Bytes that wait, for back pressure. */
size_t inbox_bytes(const struct inbox *inbox);

#endif
