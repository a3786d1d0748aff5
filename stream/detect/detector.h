/* The interface of every detector, and what an evaluation tells the recommendation stage.
 *
 * A detector changes its group (written through to the state) and returns effects; it neither publishes nor reads a
 * clock. Its calls come in the total order of reduce: (time, level, kind, position or rule and group).
 */
#ifndef FORESTALL_DETECT_DETECTOR_H
#define FORESTALL_DETECT_DETECTOR_H

#include "detect/group.h"

/* One event or row that contributes to an evaluation, or that changed since. */
struct contribution {
    const struct event *event; /* a row: time_ms is its opened_at */
    bool selected_now;         /* became selected at this evaluation */
    bool stands_for_many;      /* a pane's newest event: evidence only, never an occurrence of its own */
};

/* One evaluation of a rule for a group. Everything borrows from the call's arena. */
struct evaluation {
    int64_t time_ms;
    bool sliding;
    bool when;                 /* the condition held */
    bool firing;               /* RULES: "Firing" */
    bool detection;            /* RULES: "Detection" */
    const struct value *slots; /* outputs by enum output_slot, then the aggregates; for templates */
    size_t slot_count;
    const struct contribution *contributions; /* all of the window, in order of (time, position) */
    size_t contribution_count;
    size_t occurrences; /* rows and events in the window that are distinct occurrences (sliding) */
    bool approximate;   /* a function's value is an estimate */
    bool capped;        /* entries that belong to it were dropped for limits.window_events */
    bool evicted;       /* groups of the rule went for limits.groups, perhaps this one; set by the engine */
};

/* What a rule's inputs said of one row or event: bit i for input i. */
struct selection {
    uint16_t before; /* a row: selected before the update; 0 for an event */
    uint16_t after;
};

struct detector_counters {
    uint64_t when_errors;
    uint64_t when_null_errors;
    uint64_t entries_dropped;
    uint64_t partials_dropped; /* partial matches of sequences, for limits.partial_matches */
};

struct detector_context {
    struct state *state;
    struct arena *arena; /* of the call's results */
    int64_t window_events_max;
    int64_t partial_matches_max;
    const int64_t *first_ms; /* by stream: the time of its first event; INT64_MAX: it had none */
    /* The rule is in force since then: windows that began before are not evaluated, nor what the clock alone decides
     * of what began before. So the timers of a rule that was away, overdue when it comes back, publish nothing. */
    int64_t since_ms;
    struct detector_counters *counters;
    /* What the call found, in order: see detector_evaluation. */
    struct evaluation **evaluations;
    size_t evaluation_count;
    size_t evaluation_cap;
};

struct detector_ops {
    /* A row changed or an event came, at `time_ms`; `event` is the row as it is now (as it was, where after is 0). */
    void (*on_event)(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms);
    /* A pane closed; takes it. NULL: the detector folds nothing. `blind`: it looks at nothing of the group beside its
     * record, which alone need be there. */
    void (*on_pane)(struct detector_context *context, struct group *group, struct pane *pane);
    /* group->timer_ms has come. */
    void (*on_timer)(struct detector_context *context, struct group *group, int64_t time_ms);
    /* The group was loaded from the state: checks its notes, and may make the detail; false: they are damaged. NULL:
     * the detector has no notes. */
    bool (*load)(struct group *group);
    /* Timers come after the rows and events of their time: what lies exactly at a deadline still counts. False: before
     * them, as windows close. */
    bool deadline;
    bool blind;
};

/* Windows; hopping ones: calendar too. */
extern const struct detector_ops detector_sliding, detector_hopping, detector_session;
extern const struct detector_ops detector_sequence;
extern const struct detector_ops detector_absence, detector_cascade, detector_new_value, detector_revert;
extern const struct detector_ops detector_trend, detector_burn_rate;
extern const struct detector_ops detector_history_days; /* of histories */

/* The detector of a rule, by its type and kind of window. */
const struct detector_ops *detector_of(const struct rule *rule);
/* True where events of the input are folded into panes by map, and not forwarded one by one. */
bool detector_folds(const struct rule *rule, const struct rule_input *input);

/* A new evaluation among the call's results, zeroed but for its slots: all null, the group and outputs of the rule.
 * Pointer and slots live in the context's arena. */
struct evaluation *detector_evaluation(struct detector_context *context, const struct group *group, int64_t time_ms,
                                       struct value **slots);
/* How much history of the input's stream the rule has at `time_ms`: time_ms less the later of the stream's first event
 * and context->since_ms; negative: none yet. Stream `detection` is as old as the oldest source stream. */
int64_t detector_history(const struct detector_context *context, const struct rule_input *input, int64_t time_ms);
/* Decides `when` (true where the rule has none) over the evaluation's slots. */
bool detector_when(struct detector_context *context, const struct group *group, const struct evaluation *evaluation);
/* Keeps the newest limits.window_events entries: the oldest goes, counted. True: some went, which group_save keeps. */
bool detector_cap_entries(struct detector_context *context, struct group *group);
/* An entry's event, decoded into the arena: what it was decoded from may leave the group in this very call. Its own
 * time is a row's opened_at even where the entry's is another. Never NULL for an entry of the group. */
struct event *detector_entry_event(const struct entry *entry, struct arena *arena);

#endif
