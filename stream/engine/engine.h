/* The engine: source -> map -> exchange -> reduce -> outbox -> commit, turned by its caller one step at a time.
 *
 *     engine_step     poll, decode, match, fold; advance; now and then commit
 *
 * The same engine runs `run`, `replay`, `demo` and `test`; they differ in source, store and commit. One thread.
 */
#ifndef FORESTALL_ENGINE_ENGINE_H
#define FORESTALL_ENGINE_ENGINE_H

#include "engine/commit.h"
#include "engine/map.h"
#include "engine/reduce.h"

struct engine_options {
    const struct ruleset *rules;
    const struct config *config;
    struct source *source; /* borrowed, as all here */
    struct state *state;
    struct commit *commit;
    const char *scratch_dir;         /* where pending goes that memory has no room for; NULL: it stays in memory */
    bool shared;                     /* the exchange has a log: its partitions are the source's last, one a task */
    bool live;                       /* idle partitions are marked; partitions end never */
    int64_t until_ms;                /* nothing beyond this event time is applied; INT64_MAX: no end */
    const struct commit_mark *marks; /* idle marks of a bounded source */
    size_t mark_count;
    size_t dirty_bytes_max; /* see reduce.h; 0: as it is there */
    size_t work_max;
    size_t timers_max;
    int64_t publish_from_ms; /* what is published before it is left out; INT64_MIN: nothing */
    /* Sees every version, beside its way to the output; may be NULL. */
    void (*observe)(void *context, struct str id, struct value record, bool detection, int64_t time_ms);
    /* Sees that a recommendation is forgotten; may be NULL. */
    void (*observe_expiry)(void *context, struct str id, int64_t time_ms);
    /* Names the recommendation that feedback without an id is about, when it is its turn (tests of rules); NULL: nobody
     * does. */
    struct str (*name_feedback)(void *context, const struct event *feedback);
    /* Sees every scorecard; may be NULL. */
    void (*observe_scorecard)(void *context, const struct scorecard_record *scorecard, int64_t time_ms);
    void *observe_context; /* of all four */
};

struct engine_counters {
    uint64_t commits;
    uint64_t published; /* recommendation versions */
    uint64_t marks;
    uint64_t waited_us; /* for records to come */
};

struct engine;

int engine_new(struct engine **engine, const struct engine_options *options, struct error *err) MUST_CHECK;
void engine_free(struct engine *engine);

/* The one way back: for start, abort, ambiguity and takeover. Fences, reads the committed positions and state.
 * ERROR_RETRY, here and of what follows: the cluster does not answer; call it until it does. */
int engine_restore(struct engine *engine, struct error *err) MUST_CHECK;
/* Puts another rule set, which is borrowed as the first was, in force: commits what there is, and goes back to the
 * committed positions with it. State of rules whose meaning is the same is kept; see known_rules.h for the others. On
 * ERROR_ABORT the new set is in force, and engine_restore is to be called; on other errors before the commit nothing
 * has changed. *switched: the new set is in force. */
int engine_reload(struct engine *engine, const struct ruleset *rules, bool *switched, struct error *err) MUST_CHECK;
/* One turn. *worked: records were read. ERROR_ABORT: call engine_restore. */
int engine_step(struct engine *engine, bool *worked, struct error *err) MUST_CHECK;
/* Waits for records, at most until the next commit is due. */
int engine_wait(struct engine *engine, struct error *err) MUST_CHECK;
/* Commits what there is. */
int engine_commit(struct engine *engine, struct error *err) MUST_CHECK;
/* Every partition of a bounded source was read. */
bool engine_finished(const struct engine *engine);
/* Nothing that is still to be read can matter: time has passed options.until_ms. */
bool engine_passed(const struct engine *engine);
/* The end of a bounded input: applies what lies up to and at options.until_ms (INT64_MAX: the marks' end or the
 * greatest event time seen), and with `drain` everything that still waits; commits. */
int engine_end(struct engine *engine, bool drain, struct error *err) MUST_CHECK;

/* For tests of rules: an event, and time. `until_ms` inclusive. */
void engine_event(struct engine *engine, size_t partition, struct event *event);
int engine_advance(struct engine *engine, int64_t until_ms, struct error *err) MUST_CHECK;

int64_t engine_applied(const struct engine *engine);
const struct watermark *engine_watermark(const struct engine *engine);
const struct engine_counters *engine_counters(const struct engine *engine);
const struct map_counters *engine_map_counters(const struct engine *engine);
const struct reduce_counters *engine_reduce_counters(const struct engine *engine);
const struct recommender_counters *engine_recommend_counters(const struct engine *engine);
/* What the exchange brought of rules that this set does not have. */
uint64_t engine_unknown(const struct engine *engine);
/* One log line with every counter that a person would look for. */
void engine_log_counters(const struct engine *engine, const char *message);

#endif
