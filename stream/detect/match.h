/* What the detectors that match events one by one share: an event is seen once, and each match with `when` is a firing
 * and a detection. */
#ifndef FORESTALL_DETECT_MATCH_H
#define FORESTALL_DETECT_MATCH_H

#include "detect/detector.h"

/* True where the row or event became selected by the input: an ordered detector sees it now, and never again. */
static inline bool match_sees(struct selection selection, int input)
{
    return ((selection.after & ~selection.before) >> input & 1) != 0;
}

struct match {
    struct evaluation *evaluation;
    struct value *slots;
    struct value *outputs; /* the detector's own among the slots, in the order in which the rule has them */
};

/* A new evaluation over these contributions, which live as long as the context's arena and are in order of (time,
 * position): its fixed outputs are filled. The caller fills the detector's own, and ends with match_decide.
 * O(n log n). */
struct match match_begin(struct detector_context *context, const struct group *group, int64_t time_ms,
                         const struct contribution *contributions, size_t n);
/* The same over the one event, which was just seen or seen last. */
struct match match_begin_one(struct detector_context *context, const struct group *group, int64_t time_ms,
                             const struct event *event);
/* Decides `when`, and so whether it fires. */
void match_decide(struct detector_context *context, const struct group *group, const struct match *match);

#endif
