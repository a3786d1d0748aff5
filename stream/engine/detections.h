/* Detections and scorecards as events: a rule's detection becomes an event of stream `detection`, and a scorecard's
 * window one of stream `scorecard`, at its time, for the rules that read it. Their levels are above the rule's, so they
 * see it after everything of its level and time. */
#ifndef FORESTALL_ENGINE_DETECTIONS_H
#define FORESTALL_ENGINE_DETECTIONS_H

#include "detect/detector.h"
#include "engine/exchange.h"

struct detections;

struct detection_ways {
    struct exchange *inside; /* of the same stage and task */
    struct exchange *outside;
};

/* Where-clauses that end in an error are counted in *errors, or, by null, in *null_errors. */
struct detections *detections_new(const struct ruleset *rules, uint64_t *errors, uint64_t *null_errors);
void detections_free(struct detections *detections);
/* What was sent since the last commit is sent again, as if for the first time. */
void detections_restore(struct detections *detections);
/* Sends one: to rules of the group's own stage, which are of its task, at once, to others by the exchange. Several of
 * one rule, group and time differ in their place, by the order of the calls. */
void detections_send(struct detections *detections, const struct group *group, const struct evaluation *evaluation,
                     const struct detection_ways *ways, struct arena *arena);
/* The same of a scorecard's record. */
void detections_send_scorecard(struct detections *detections, const struct group *group, struct value record,
                               int64_t time_ms, const struct detection_ways *ways, struct arena *arena);

#endif
