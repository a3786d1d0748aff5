/* What is ahead of the reduce's time, in the one total order in which it will be applied:
 *
 *     (time, level, kind, rule and group | source position)
 *
 * Binary heaps, of timers and of what was sent. Partials of one pane merge while they wait. Events' bytes lie in chunks
 * that go when all of theirs were applied, so there is no allocation an event. Where memory has no room for it, all
 * that was sent is written to a scratch file as a sorted run (spill.h), and read back as its time comes; timers stay.
 * Pending is not state: a restart reads it again from the sources.
 */
#ifndef FORESTALL_ENGINE_PENDING_H
#define FORESTALL_ENGINE_PENDING_H

#include "detect/pane.h"
#include "rule/ruleset.h"

/* Sources are level 0; what they fold into (rows) reaches rules at their own levels, 1 and up, and so do telemetry,
 * panes and the detections of rules below. One level above all rules their recommendations meet. */
enum { LEVEL_SOURCE, LEVEL_RULE };

/* The order at one time and level. */
enum pending_kind {
    PENDING_PANE,         /* a closed pane: before the windows that it completes */
    PENDING_WINDOW_CLOSE, /* a group's timer */
    PENDING_UPDATE,       /* level 0: an update of a row */
    PENDING_CHANGE,       /* a row as it was and as it is */
    PENDING_EVENT,        /* an event forwarded for rules that do not fold it, or a detection */
    PENDING_FEEDBACK,     /* what a person said about a recommendation, by position */
    PENDING_DEADLINE,     /* a group's timer, where what lies exactly at it still counts */
    PENDING_UNTIL,        /* a dismissed recommendation's */
    PENDING_ROW_EXPIRY,   /* level 0, at midnight: rows not updated for row_retention */
    PENDING_RULE_EXPIRY,  /* level 0: the state of a rule that was removed */
    PENDING_COOLDOWN,
    PENDING_VALIDATION,
    PENDING_AGEING,
    PENDING_EXPIRY,   /* of closed recommendations */
    PENDING_APPEARED, /* a recommendation that may stand for others; above all rules */
};

struct pending_chunk;

struct pending_item {
    int64_t time_ms;
    uint8_t level;
    uint8_t stage; /* for its user */
    uint8_t kind;
    int32_t rule;       /* of panes and timers */
    uint64_t group;     /* its hash */
    struct position at; /* of events */
    struct pane *pane;  /* PENDING_PANE: owned */
    struct str key;     /* PENDING_PANE: the group's key, in the chunk */
    struct str bytes;   /* events, in the chunk */
    struct pending_chunk *chunk;
};

struct pending;
struct scratch;

/* Where it may spill to; NULL: it stays in memory. Both borrowed. */
struct pending *pending_new(const struct ruleset *rules, struct scratch *scratch);
void pending_free(struct pending *pending);
/* Adds an item; `bytes` and `key` are copied, a pane is taken, and merged where its place has one. */
void pending_push(struct pending *pending, struct pending_item item);
/* The first item in order strictly before `before_ms`, taken out; *any is false: none. Its bytes hold until
 * pending_done; its pane is the caller's. ERROR_FATAL: the scratch file cannot be read. */
int pending_pop(struct pending *pending, int64_t before_ms, struct pending_item *item, bool *any,
                struct error *err) MUST_CHECK;
void pending_done(struct pending *pending, struct pending_item *item);
/* a comes before b. */
bool pending_before(const struct pending_item *a, const struct pending_item *b);
/* Both are of one pane of one group. */
bool pending_same_pane(const struct pending_item *a, const struct pending_item *b);
/* The first item without taking it; NULL: none. */
const struct pending_item *pending_first(const struct pending *pending);
/* Drops everything. */
void pending_clear(struct pending *pending);
/* Writes what was sent to the scratch file, and frees its memory. No item may be between pop and done. ERROR_FATAL: the
 * disk is full or fails. */
int pending_spill(struct pending *pending, struct error *err) MUST_CHECK;
/* Asks of each timer, in order, whether it stays. O(n log n). */
void pending_sift_timers(struct pending *pending, bool (*stays)(void *context, const struct pending_item *item),
                         void *context);
/* Bytes that pending_spill would free; those of timers. */
size_t pending_bytes(const struct pending *pending);
size_t pending_timer_bytes(const struct pending *pending);

#endif
