/* The second half of the data path: one loop over one total order (pending.h), applied strictly below a time.
 *
 *     level 0: updates fold into rows -> their changes go up to the rules that read them
 *     level 1: panes, closing windows, changes and events -> detectors -> recommendations, and
 *     level n: the same for rules that read the detections of rules below
 *
 * One reduce drives all tasks of the state with the local exchange, and one task with Kafka's; each group, row and
 * recommendation knows its task. Each stage has a time of its own: what one stage makes of its items goes through the
 * exchange to higher ones, so they share nothing, and a stage may be applied as far as all that sends to it was.
 */
#ifndef FORESTALL_ENGINE_REDUCE_H
#define FORESTALL_ENGINE_REDUCE_H

#include "engine/config.h"
#include "engine/exchange.h"
#include "engine/pending.h"
#include "recommend/recommend.h"
#include "recommend/scorecard.h"

enum {
    REDUCE_DIRTY_BYTES_MAX = 8 * 1024 * 1024,
    REDUCE_WORK_MAX = 20000,
};

struct reduce_counters {
    uint64_t rows_changed;
    uint64_t updates_unchanged; /* duplicates and updates that say nothing new */
    uint64_t updates_forgotten; /* of incidents older than row_retention */
    uint64_t evaluations;
    uint64_t firings;
    uint64_t detections;
    uint64_t panes;
    uint64_t groups_evicted;
    uint64_t where_errors;
    uint64_t where_null_errors;
    uint64_t spans_left_out;
    uint64_t values_left_out; /* of rows, for limits.record_bytes */
    uint64_t feedback_refused;
    uint64_t scorecards;
    uint64_t spilled_bytes; /* of pending, written to the disk */
    struct scorecard_counters scorecard;
    struct detector_counters detector;
};

struct reduce_options {
    const struct ruleset *rules;
    const struct config *config;
    struct state *state;     /* borrowed */
    struct task_range tasks; /* that it drives */
    struct exchange *out;    /* to all tasks; NULL: this reduce drives them all */
    bool waits;              /* rules that come wait for reduce_switch */
    int64_t memory_bytes;    /* the whole, of which it takes its parts (memory.h) */
    const char *scratch_dir; /* where pending beyond that goes; NULL: it stays in memory */
    size_t dirty_bytes_max;  /* so much changed state asks for a commit; 0: REDUCE_DIRTY_BYTES_MAX */
    size_t work_max;         /* items of one reduce_advance; 0: REDUCE_WORK_MAX */
    size_t timers_max;       /* of groups that wait in memory; 0: what the memory has room for */
    int64_t counted_from_ms; /* firings and detections before it do not count; INT64_MIN: all do */
    /* So much was handed out that a commit is due; NULL: it never is for that. */
    bool (*full)(void *context);
    /* A version of a recommendation: its id and record. */
    void (*publish)(void *context, struct str id, struct value record, bool detection, int64_t time_ms);
    /* A recommendation that is forgotten: its id. */
    void (*expire)(void *context, struct str id, int64_t time_ms);
    /* A scorecard of a window; NULL: nobody looks at them. */
    void (*score)(void *context, const struct scorecard_record *scorecard, int64_t time_ms);
    /* Names the recommendation that feedback without an id is about, when it is its turn; NULL: nobody does. */
    struct str (*name)(void *context, const struct event *feedback);
    /* Feedback that was refused: `at` says where its record was. */
    void (*refuse)(void *context, const struct event *feedback, struct exchange_record record, const char *reason);
    void *context;
};

struct reduce;

struct reduce *reduce_new(const struct reduce_options *options);
void reduce_free(struct reduce *reduce);

/* Where map sends to. */
struct exchange *reduce_exchange(struct reduce *reduce);

/* The time of the first event that the stream has had; INT64_MAX: none yet. */
void reduce_first(struct reduce *reduce, enum stream_id stream, int64_t first_ms);
/* Every source has been mapped with the rule set from `switch_ms` on. */
void reduce_switch(struct reduce *reduce, int64_t switch_ms);
/* Whether a stage sends to higher ones: these wait for it. */
bool reduce_sends(const struct reduce *reduce, size_t stage);
/* How many stages the rules have, that of rows included; at most REDUCE_STAGES_MAX. */
enum { REDUCE_STAGES_MAX = RULE_LEVELS_MAX + 2 };
size_t reduce_stages(const struct reduce *reduce);
/* To be called after something was sent to it: keeps pending within its memory. */
int reduce_bound(struct reduce *reduce, struct error *err) MUST_CHECK;
/* Applies what lies strictly below `before_ms`, a time for each stage, in order. *more: not all of it, since a commit
 * is due for what has changed, or others should have their turn; it is to be called again. */
int reduce_advance(struct reduce *reduce, const int64_t *before_ms, bool *more, struct error *err) MUST_CHECK;
/* Applies all that waits (windows, cooldowns), whatever its time; only what
 * forgets is left out. */
int reduce_drain(struct reduce *reduce, struct error *err) MUST_CHECK;
/* Everything of the stage below this is applied; INT64_MIN: nothing yet. */
int64_t reduce_applied(const struct reduce *reduce, size_t stage);
/* Nothing below this can be applied in its order any more: reduce_applied, or beyond it where some of what lies at it
 * is applied. INT64_MIN: nothing yet. */
int64_t reduce_reached(const struct reduce *reduce, size_t stage);

/* After a restore: forgets the memory, arms the timers of what the state holds. `applied_ms` is by stage. */
int reduce_restore(struct reduce *reduce, const int64_t *applied_ms, struct error *err) MUST_CHECK;
/* Before a commit: what groups left for it is written, and memory beyond the budgets is let go. */
void reduce_before_commit(struct reduce *reduce);
/* Bytes that reduce_before_commit will add to the state. */
size_t reduce_unwritten(const struct reduce *reduce);

/* Timers of groups that wait in memory. */
size_t reduce_timers(const struct reduce *reduce);
/* What waits for its time, in memory and on the disk. */
size_t reduce_pending_bytes(const struct reduce *reduce);
const struct reduce_counters *reduce_counters(const struct reduce *reduce);
/* Goes on with another reduce's counts. */
void reduce_continue(struct reduce *reduce, const struct reduce_counters *counters);
const struct recommender_counters *reduce_recommend_counters(const struct reduce *reduce);

#endif
