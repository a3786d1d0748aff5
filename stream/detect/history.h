/* What a rule's history (rule/rule_history.c) says of some days: for `validate`. */
#ifndef FORESTALL_DETECT_HISTORY_H
#define FORESTALL_DETECT_HISTORY_H

#include "detect/detector.h"
#include "detect/span.h"

struct history_sum {
    uint64_t events;           /* rows and events that the history holds of the days */
    const struct value *slots; /* as an evaluation of the rule has them: fixed outputs and measured functions */
    size_t slot_count;
    bool approximate;
    bool capped; /* entries of the days were dropped for limits.window_events */
};

/* The days from span.start_ms to span.end_ms (exclusive), midnights of UTC. Slots live in the arena. O(entries + days)
 * of the group, which may be NULL: nothing was ever selected. */
struct history_sum history_measure(const struct rule *history, const struct group *group, struct span span,
                                   struct arena *arena);

#endif
