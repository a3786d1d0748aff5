/* Between map and reduce, and between the stages of reduce: everything goes to the task of its group, row or
 * recommendation.
 *
 * Two implementations: inbox.h hands things over in memory, in one process; exchange_kafka.h writes them to the log of
 * their task, whose owner reads them into an inbox. Whoever sends keeps nothing of what it sent.
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

/* A pane's partial of a group. */
struct exchange_partial {
    int rule;
    uint64_t group;
    struct str key;
    struct pane *pane;
};

/* A row as it was and as it is, for the rules of one level and stage. */
struct exchange_change {
    const struct event *before; /* NULL: it is new */
    const struct event *after;  /* NULL: it is removed */
    int64_t time_ms;
    struct position at; /* of the update */
    uint8_t level;
    uint8_t stage;
};

struct exchange_ops {
    /* Takes the pane. The receiver merges partials of one pane. */
    void (*partial)(struct exchange *exchange, const struct exchange_partial *partial);
    /* An update of a row. */
    void (*update)(struct exchange *exchange, const struct event *event);
    /* An event that some rule does not fold, with the inputs that selected it. */
    void (*event)(struct exchange *exchange, const struct event *event, const struct exchange_match *matches, size_t n);
    /* Feedback about a recommendation, with its record, since only its task can judge it. */
    void (*feedback)(struct exchange *exchange, const struct event *event, struct exchange_record record);
    void (*change)(struct exchange *exchange, const struct exchange_change *change);
};

struct exchange {
    const struct exchange_ops *ops;
};

#endif
