/* From a row's change, or a forwarded event, to the (rule, group) pairs that it touches, in the order in which they are
 * applied: by rule; within a rule the group that the row left before the one that it entered. */
#ifndef FORESTALL_ENGINE_TOUCH_H
#define FORESTALL_ENGINE_TOUCH_H

#include "detect/detector.h"
#include "engine/exchange.h"
#include "rule/index.h"

struct touch {
    int rule_number;
    uint64_t hash;
    struct str key;
    struct selection selection;
    const struct event *event; /* the row as it is now; as it was, where it is no longer selected */
};

struct touches;

struct touches *touches_new(const struct ruleset *rules);
void touches_free(struct touches *touches);

/* Some rule reads rows; one of the level and stage does. */
bool touches_rows(const struct touches *touches);
bool touches_rows_at(const struct touches *touches, int level, int stage);
/* Of the rules of the change's level and stage. The result is in the arena. */
size_t touches_of_row(struct touches *touches, const struct exchange_change *change, struct arena *arena,
                      const struct touch **out);
size_t touches_of_event(struct touches *touches, const struct event *event, const struct exchange_match *matches,
                        size_t n, struct arena *arena, const struct touch **out);
/* Adds what where-clauses ended in errors since the last call. */
void touches_errors(struct touches *touches, uint64_t *errors, uint64_t *null_errors);

/* The event's group under one input: its key, in the arena, and its hash. */
struct touched_group {
    struct str key;
    uint64_t hash;
};
struct touched_group touch_group(const struct rule *rule, const struct rule_input *input, const struct event *event,
                                 struct arena *arena);

#endif
