/* The recommendation stage: from evaluations to versions of recommendations (DESIGN section 7).
 *
 * One `struct recommender` an engine; called in the total order of reduce. Each version is handed to `publish` at once;
 * what it must remember is written through to the state (kinds STATE_RECOMMENDATION and STATE_CONTRIBUTION). Event time
 * only: the same calls give the same bytes.
 */
#ifndef FORESTALL_RECOMMEND_RECOMMEND_H
#define FORESTALL_RECOMMEND_RECOMMEND_H

#include "detect/detector.h"

struct recommender;

struct recommender_options {
    const struct ruleset *rules;
    struct state *state;
    int tasks;
    double impact_high;
    double impact_medium;
    int64_t evidence_max;
    int64_t memory_bytes; /* decoded recommendations kept in memory; more are read again from the state */
    /* One version of one recommendation: its id, and the record as a map in the order of DESIGN section 7 (what
     * value_json prints and schemas/recommendation.avsc takes). It holds during the call. */
    void (*publish)(void *context, struct str id, struct value record, bool detection, int64_t time_ms);
    /* Asks to be called (recommender_timer) at `time_ms`; kind RECOMMEND_COOLDOWN or RECOMMEND_AGEING. A call that is
     * no longer wanted is harmless. */
    void (*timer)(void *context, int64_t time_ms, int kind, int rule_number, uint64_t group_hash);
    void *context;
};

enum recommend_timer { RECOMMEND_COOLDOWN, RECOMMEND_AGEING };

struct recommender_counters {
    uint64_t versions;
    uint64_t detections;
    uint64_t template_errors;
    uint64_t spans_left_out; /* negative times to detect or resolve */
};

struct recommender *recommender_new(const struct recommender_options *options);
void recommender_free(struct recommender *recommender);

/* Arms the timers of every recommendation in the state: after a restore. */
int recommender_restore(struct recommender *recommender, struct error *err) MUST_CHECK;
/* Forgets what is in memory: the state was dropped back to the last commit. */
void recommender_drop(struct recommender *recommender);
/* Lets clean recommendations go when they take more than their budget: at a commit. */
void recommender_shrink(struct recommender *recommender);

/* An evaluation of a rule that has `recommend`. Makes the recommendation at the first detection; does nothing for a
 * group without one until then. */
int recommender_evaluated(struct recommender *recommender, const struct group *group, const struct evaluation *evaluation,
                          struct arena *arena, struct error *err) MUST_CHECK;
/* A row changed: `row` as it is now; still selected, or not (also when cancelled). After recommender_evaluated of the same update. */
int recommender_row(struct recommender *recommender, const struct group *group, const struct event *row, bool selected,
                    int64_t time_ms, struct arena *arena, struct error *err) MUST_CHECK;
int recommender_timer(struct recommender *recommender, int64_t time_ms, int kind, int rule_number, uint64_t group_hash,
                      struct arena *arena, struct error *err) MUST_CHECK;
/* The newest version of a recommendation, rendered as of `time_ms` (tests of rules read it): value_null() if none. */
const struct recommender_counters *recommender_counters(const struct recommender *recommender);

#endif
