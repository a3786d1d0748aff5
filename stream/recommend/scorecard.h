/* The record of a scorecard: what one window of a group shows, in the order of DESIGN section 7. It is the topic's
 * newest until the next window's, and needs no state. */
#ifndef FORESTALL_RECOMMEND_SCORECARD_H
#define FORESTALL_RECOMMEND_SCORECARD_H

#include "detect/detector.h"

struct scorecard_counters {
    uint64_t target_errors;      /* targets that ended in an error */
    uint64_t target_null_errors; /* those whose error came from null: an unknown value */
    uint64_t capped;             /* records of a window of which limits.window_events had left something out */
};

struct scorecard_record {
    struct str id; /* <id>:<16 hex digits of the group> */
    struct value map;
};

/* Of a rule that is a scorecard; in the arena. */
struct scorecard_record scorecard_record(const struct group *group, const struct evaluation *evaluation,
                                         struct scorecard_counters *counters, struct arena *arena);

#endif
