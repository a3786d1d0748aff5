/* What lies in one window of a group: folds over its entries and panes, and the outputs that every detector has. */
#ifndef FORESTALL_DETECT_VIEW_H
#define FORESTALL_DETECT_VIEW_H

#include "detect/detector.h"
#include "detect/span.h"

struct view {
    const struct group *group;
    uint32_t functions;                     /* bit i: aggregate i is folded */
    struct fold folds[RULE_AGGREGATES_MAX]; /* of those */
    struct contribution *contributions;     /* in order of (time, position) */
    size_t count;
    size_t entries; /* of the contributions, how many are entries */
    struct pane **panes;
    size_t pane_count;
    uint64_t pane_events;
    bool capped;      /* entries of it were dropped for limits.window_events */
    int64_t first_ms; /* of what is in it */
    int64_t last_ms;
};

/* The functions that a window folds; other detectors fold in their own way. */
uint32_t view_functions_of(const struct rule *rule);
/* An empty view, in the arena; view_fini frees the folds. O(1) in the group. */
struct view *view_new(const struct group *group, struct arena *arena);
void view_fini(struct view *view);
/* What the aggregate reads of the event. */
struct value view_value(const struct aggregate *aggregate, const struct event *event, struct arena *arena);
/* Folds the entry's event into the functions of the inputs that selected it, and no more. */
void view_fold(struct view *view, const struct entry *entry, const struct event *event, struct arena *arena);
void view_entry(struct view *view, const struct entry *entry, bool selected_now, struct arena *arena);
void view_pane(struct view *view, struct pane *pane);
/* The entries and panes of the span, and of its functions these. O(entries + panes) of the span. */
struct view *view_span(const struct group *group, struct span span, uint32_t functions, struct arena *arena);
bool view_empty(const struct view *view);

/* Fills the fixed outputs that cost nothing. */
void view_cheap_outputs(const struct view *view, struct value *slots);
/* Fills the fixed outputs that take work, and adds the panes' evidence to the contributions: once for a view. */
void view_outputs(struct view *view, struct arena *arena, struct value *slots);
/* The results of the functions that it folds, into their slots. */
void view_results(struct view *view, bool *approximate, struct value *slots);
/* Fills the evaluation from the view: outputs, the rule's aggregates, `when`, contributions. */
void view_evaluate(struct view *view, struct detector_context *context, struct evaluation *evaluation,
                   struct value *slots);

#endif
