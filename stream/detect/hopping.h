/* Hopping and calendar windows for every detector that is evaluated at their ends: `window`, and those that measure
 * what lies in one in their own way. */
#ifndef FORESTALL_DETECT_HOPPING_H
#define FORESTALL_DETECT_HOPPING_H

#include "detect/span.h"
#include "detect/view.h"

/* Decides one window: fills `out` (outputs, `when`, contributions) and its slots. They are NULL where too
 * little of the window lies in the time that the rule is in force (window.least_ms): then only the answer counts. True:
 * nothing lies in the window. */
typedef bool (*hopping_measure)(struct detector_context *context, struct group *group, struct span window,
                                struct evaluation *out, struct value *slots);

/* For detector_ops: what comes is kept for the windows that are still open. */
void hopping_on_event(struct detector_context *context, struct group *group, const struct event *event,
                      struct selection selection, int64_t time_ms);
void hopping_on_pane(struct detector_context *context, struct group *group, struct pane *pane);
/* The window that ends at time_ms - wait is evaluated by `measure`, and what no later one holds goes. */
void hopping_timer(struct detector_context *context, struct group *group, int64_t time_ms, hopping_measure measure);

#endif
