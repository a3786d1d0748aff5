/* The runs (partial matches) of one group of a sequence: what has been seen of its pattern so far.
 *
 * Events are known by a number that grows within the group and by their time; what they say is kept outside. The order
 * of calls is the order of events: feed(event) with times that do not fall, and advance(time) when all events up to and
 * including that time have been fed, at the latest by the time of sequence_deadline. A match tells its time: that of
 * the event that completed it, or of the deadline that freed it.
 *
 * Bounds: at most `runs_max` runs and 10 * runs_max kept events of runs (an event counts for each way that led to it).
 * Beyond, the runs that began first go first, which is counted. A feed costs O(runs + their events), and the same in
 * memory.
 */
#ifndef FORESTALL_DETECT_SEQUENCE_NFA_H
#define FORESTALL_DETECT_SEQUENCE_NFA_H

#include "base/buf.h"
#include "detect/sequence_queue.h"
#include "rule/sequence_pattern.h"

/* One event of a run; the events before it are its parents. */
struct sequence_node {
    uint64_t number;
    int64_t time_ms;
    uint32_t parent; /* SEQUENCE_NO_NODE for the first */
    uint16_t step;
};

struct sequence_event {
    uint64_t number;
    int64_t time_ms;
    uint64_t holds;     /* bit i: condition i holds; where it reads earlier steps: as far as it does not */
    bool history_known; /* the stream is known for `within` before, so a leading negation can be judged */
};

struct sequence_runs {
    const struct sequence_pattern *pattern;
    struct sequence_queue partial;   /* the start state's run among them */
    struct sequence_queue completed; /* matches that an earlier partial one holds back */
    struct sequence_node *nodes;     /* parents before children */
    size_t node_count;
    size_t node_cap;
    /* A leading negation is judged when all events of a moment are known, so these wait for it. */
    struct sequence_event *held;
    size_t held_count;
    size_t held_cap;
    int64_t negated_ms; /* the newest time of a negated event before those held, or INT64_MIN */
};

/* One event of a match or run, in order. */
struct sequence_item {
    uint64_t number;
    int64_t time_ms;
    uint16_t step;
};

struct sequence_match {
    int64_t time_ms;
    const struct sequence_item *items;
    size_t item_count;
};

/* What a call needs, and what it gives. */
struct sequence_call {
    struct arena *arena; /* of matches and scratch */
    size_t runs_max;
    /* Whether `condition`, of those that read earlier steps, holds for event `number` after `items`. Called at most
     * once a run and condition. NULL where the pattern has none. */
    bool (*holds)(void *context, int condition, uint64_t number, const struct sequence_item *items, size_t item_count);
    void *context;
    struct sequence_match *matches; /* out: in order; in the arena */
    size_t match_count;
    size_t match_cap;
    uint64_t dropped; /* out: added to, for each run dropped by the bounds */
};

void sequence_runs_init(struct sequence_runs *runs, const struct sequence_pattern *pattern);
void sequence_runs_fini(struct sequence_runs *runs);
void sequence_feed(struct sequence_runs *runs, const struct sequence_event *event, struct sequence_call *call);
void sequence_advance(struct sequence_runs *runs, int64_t time_ms, struct sequence_call *call);

/* When sequence_advance must be called at the latest, or INT64_MAX: a run ends, or held events can be judged. */
int64_t sequence_deadline(const struct sequence_runs *runs);

/* True where nothing is remembered: no run, no held or negated event. */
bool sequence_idle(const struct sequence_runs *runs);

/* The numbers of the events that runs and held events refer to, ascending, each once; in `arena`. */
const uint64_t *sequence_referenced(const struct sequence_runs *runs, struct arena *arena, size_t *count);

/* The same runs give the same bytes. Decoding reads into initialised runs, and fails on what are no runs of the
 * pattern. */
void sequence_encode(struct buf *out, const struct sequence_runs *runs);
bool sequence_decode(struct reader *r, struct sequence_runs *runs) MUST_CHECK;

#endif
