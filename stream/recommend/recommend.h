/* The recommendation stage: from evaluations to versions of recommendations (DESIGN section 7).
 *
 * One `struct recommender` an engine; called in the total order of reduce. Each version is handed to `publish` at once;
 * what it must remember is written through to the state (kinds STATE_RECOMMENDATION, STATE_CONTRIBUTION and
 * STATE_TRACE). Event time only: the same calls give the same bytes.
 *
 * A recommendation is known by (rule, hash of its `per` values), and belongs to the task of that hash, not to its
 * groups': each call says which group it comes from, and finds the recommendation for itself.
 */
#ifndef FORESTALL_RECOMMEND_RECOMMEND_H
#define FORESTALL_RECOMMEND_RECOMMEND_H

#include "detect/history.h"

struct recommender;

struct recommender_options {
    const struct ruleset *rules;
    struct state *state;
    struct task_range tasks;
    double impact_high;
    double impact_medium;
    int64_t evidence_max;
    int64_t memory_bytes; /* decoded recommendations kept in memory; more are read again from the state */
    /* One version of one recommendation: its id, and the record as a map in the order of DESIGN section 7 (what
     * value_json prints and schemas/recommendation.avsc takes). It holds during the call. */
    void (*publish)(void *context, struct str id, struct value record, bool detection, int64_t time_ms);
    /* A recommendation is forgotten: its output's record goes. NULL: nobody wants to know. */
    void (*expire)(void *context, struct str id, int64_t time_ms);
    /* Asks to be called (recommender_timer) at `time_ms`, or as soon as can be where that has passed. A call that is no
     * longer wanted is harmless. */
    void (*timer)(void *context, int64_t time_ms, int kind, int rule_number, uint64_t hash);
    /* What a rule's history says of some days, for the recommendation of that hash: see history_measure. */
    int (*history)(void *context, const struct rule *history, uint64_t hash, struct span span, struct arena *arena,
                   struct history_sum *sum, struct error *err);
    void *context;
};

enum recommend_timer {
    RECOMMEND_UNTIL, /* a dismissed one is proposed again */
    RECOMMEND_COOLDOWN,
    RECOMMEND_VALIDATION, /* before and after are compared, at a midnight */
    RECOMMEND_AGEING,
    RECOMMEND_EXPIRY,  /* a closed one is forgotten */
    RECOMMEND_APPEARED /* one that may stand for others, or they for it; wanted at its time after all else of all rules
                        */
};

struct recommender_counters {
    uint64_t versions;
    uint64_t detections;
    uint64_t template_errors;
    uint64_t spans_left_out; /* negative times to detect or resolve */
    uint64_t feedback;       /* that took effect */
    uint64_t repeated;       /* feedback whose event id was known */
    uint64_t expired;
};

struct recommender *recommender_new(const struct recommender_options *options);
void recommender_free(struct recommender *recommender);

/* Arms the timers of every recommendation in the state: after a restore. */
int recommender_restore(struct recommender *recommender, struct error *err) MUST_CHECK;
/* Forgets what is in memory: the state was dropped back to the last commit. */
void recommender_drop(struct recommender *recommender);
/* Lets clean recommendations go when they take more than their budget: at a commit. */
void recommender_shrink(struct recommender *recommender);

/* What a rule's evaluation changed. Counts from the first detection of the recommendation, and makes it at the first
 * with which what the rule `needs` is met; does nothing where there is no recommendation until then, nor for a rule
 * without `recommend`. Contributions that are known take their rows' current data, so an update that led to an
 * evaluation with its row among the contributions needs no recommender_row.
 *
 * Where `per` has an output only a true evaluation says which recommendation it is about; a false one does nothing.
 * Group.detected is as it was before the evaluation. */
int recommender_evaluated(struct recommender *recommender, struct group *group, const struct evaluation *evaluation,
                          struct arena *arena, struct error *err) MUST_CHECK;

/* A row that may have contributed changed. */
struct recommender_change {
    const struct event *row; /* as it is now */
    bool selected;           /* by one of the rule's inputs; false also when cancelled */
    bool publish;            /* false: recommender_evaluated follows for the same update and decides */
    int64_t time_ms;         /* of the update */
};
/* Does nothing for a row that did not contribute. Where groups share recommendations it is wanted for each group that
 * selects the row or did, also for one that it enters, and before that group's evaluations; `publish` is not looked at.
 */
int recommender_row(struct recommender *recommender, const struct group *group, const struct recommender_change *change,
                    struct arena *arena, struct error *err) MUST_CHECK;
/* Ends an update, after all calls about it: decides what waited for others of its groups. */
void recommender_settle(struct recommender *recommender, int64_t time_ms, struct arena *arena);

/* What a person said about a recommendation, at the event's time; it is published at once. ERROR_BAD_INPUT: it is
 * refused, and the message is the reason for the dead letter. */
int recommender_feedback(struct recommender *recommender, const struct event *feedback, struct arena *arena,
                         struct error *err) MUST_CHECK;

/* A time that options.timer asked for has come. */
struct recommender_due {
    int64_t time_ms;
    enum recommend_timer kind;
    int rule_number;
    uint64_t hash; /* the recommendation's */
};
int recommender_timer(struct recommender *recommender, const struct recommender_due *due, struct arena *arena,
                      struct error *err) MUST_CHECK;

const struct recommender_counters *recommender_counters(const struct recommender *recommender);

#endif
