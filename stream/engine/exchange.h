/* Between map and reduce: partials, forwarded events and feedback go to the task of their group, row or
 * recommendation.
 *
 * exchange_local hands them over in memory, in one process. Whoever sends keeps nothing of what it sent.
 */
#ifndef FORESTALL_ENGINE_EXCHANGE_H
#define FORESTALL_ENGINE_EXCHANGE_H

#include "detect/pane.h"

struct exchange;

/* A record as it was read, for a dead letter. */
struct exchange_record {
    struct str key; /* p NULL: none */
    struct str value;
};

/* One input of one rule that an event was selected by. */
struct exchange_match {
    int32_t rule;
    int32_t input;
};

struct exchange_ops {
    /* A pane's partial of a group; takes the pane. The receiver merges partials of one pane. */
    void (*partial)(struct exchange *exchange, int rule, uint64_t group, struct str key, struct pane *pane);
    /* An update of a row. */
    void (*update)(struct exchange *exchange, const struct event *event);
    /* An event that some rule does not fold, with the inputs that selected it. */
    void (*event)(struct exchange *exchange, const struct event *event, const struct exchange_match *matches, size_t n);
    /* Feedback about a recommendation, with its record, since only its task can judge it. */
    void (*feedback)(struct exchange *exchange, const struct event *event, struct exchange_record record);
};

struct exchange {
    const struct exchange_ops *ops;
};

#endif
