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
    bool capped;        /* entries were dropped for limits.window_events */
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
};

struct detector_context {
    struct state *state;
    struct arena *arena; /* of the call's results */
    int64_t window_events_max;
    struct detector_counters *counters;
};

struct detector_ops {
    /* A row changed or an event came, at `time_ms`; `event` is the row as it is now (as it was, where after is 0).
     * True where the rule was evaluated: `out` is filled. */
    bool (*on_event)(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms, struct evaluation *out);
    /* A pane closed; takes it. */
    void (*on_pane)(struct detector_context *context, struct group *group, struct pane *pane);
    /* group->timer_ms has come. */
    bool (*on_timer)(struct detector_context *context, struct group *group, int64_t time_ms, struct evaluation *out);
};

extern const struct detector_ops detector_window;

/* True where events of the input are folded into panes by map, and not forwarded one by one. */
bool detector_folds(const struct rule *rule, const struct rule_input *input);

#endif
