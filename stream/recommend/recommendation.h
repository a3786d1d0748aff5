/* One recommendation as the state keeps it: what identifies it, what it has counted, and what it last published.
 *
 * In memory it is a decoded copy, with its remembered rows beside it; every change is written through by the end of the
 * call that made it, so that it can leave memory at any time between calls.
 */
#ifndef FORESTALL_RECOMMEND_RECOMMENDATION_H
#define FORESTALL_RECOMMEND_RECOMMENDATION_H

#include "recommend/comparison.h"
#include "recommend/evidence.h"
#include "recommend/life.h"
#include "recommend/per.h"
#include "recommend/remembered.h"

enum { RECOMMENDATION_SERVICES_MAX = 50, RECOMMENDATION_DAYS_MAX = 31 };

struct recommendation {
    struct recommendation_identity is;
    bool exists; /* false: the state has none; kept to know that without asking again */

    /* Publishing. */
    bool held;         /* something waits for the cooldown's end */
    bool had_incident; /* an incident ever contributed: impact counts incidents, not days */
    bool approximate;
    bool capped;
    bool evicted;
    int64_t cooldown_until_ms; /* INT64_MIN: never published */
    int64_t ageing_ms;         /* the first midnight at which impact falls; INT64_MAX: none */
    int published_level;       /* enum impact_level; -1: never published */
    uint64_t published_hash;   /* of the content last published */
    uint64_t version;          /* of the last one published; 0: none */

    struct str group;   /* encoded map; heap */
    int64_t since_ms;   /* of the first detection: counted from then on */
    int64_t created_ms; /* of the detection that made it; until then since_ms */
    uint64_t detections;
    uint64_t firings;
    uint64_t occurrences;
    int64_t first_seen_ms;                 /* INT64_MAX: unknown */
    int64_t last_seen_ms;                  /* INT64_MIN: unknown */
    int64_t days[RECOMMENDATION_DAYS_MAX]; /* newest UTC days with a firing, ascending */
    size_t day_count;
    int64_t *times; /* of the newest detections, ascending, where the rule `needs` several; heap */
    size_t time_count;
    size_t time_cap;
    struct str *services; /* seen, sorted; heap, the texts too */
    size_t service_count;
    size_t service_cap;
    struct tallies settled[TALLY_KINDS]; /* of incidents that are remembered no longer */
    struct evidence_list evidence;
    struct buf newest; /* newest_encode */
    struct life life;  /* from when it is made on */
    struct comparison comparison;

    struct remembered **rows; /* in order of key */
    size_t row_count;
    size_t row_cap;

    uint64_t saved_hash; /* of the record as the state has it */
    uint64_t used;       /* tick of the last use */
    bool deferred;       /* waits for recommender_settle; never while nobody works on it */
};

/* Reads it from the state; where there is none, one that does not exist yet. */
int recommendation_load(struct recommendation **out, struct state *state,
                        const struct recommendation_identity *identity, struct error *err) MUST_CHECK;
void recommendation_free(struct recommendation *recommendation);
/* Writes the record through if it changed. */
void recommendation_save(struct recommendation *recommendation, struct state *state);
/* Removes it and all that belongs to it from the state; all that is left to do with it is recommendation_free. */
void recommendation_remove(struct recommendation *recommendation, struct state *state);
size_t recommendation_bytes(const struct recommendation *recommendation);

/* The remembered row that the event is of; NULL: none. */
struct remembered *recommendation_row(const struct recommendation *recommendation, const struct event *event);
enum remember_result { REMEMBER_SAME, REMEMBER_CHANGED, REMEMBER_NEW };
/* Remembers the event's row as it is now, and that a group selects it or no longer does, in the state too. */
enum remember_result recommendation_remember(struct recommendation *recommendation, struct state *state,
                                             const struct event *event, struct remembered_choice choice);
/* Forgets incidents (and other rows) of which everything was opened at or before `time_ms`; what they named is settled.
 * An incident of which another row is selected even later counts anew.
 */
void recommendation_forget(struct recommendation *recommendation, struct state *state, int64_t time_ms);

void recommendation_add_service(struct recommendation *recommendation, struct str service);
/* The UTC day of a firing. */
void recommendation_add_day(struct recommendation *recommendation, int64_t time_ms);
/* Counts a detection; as many of the newest are remembered as the rule needs. */
void recommendation_add_detection(struct recommendation *recommendation, int64_t time_ms);
/* The rule `needs` no more detections than there were up to `time_ms`. */
bool recommendation_needs_met(const struct recommendation *recommendation, int64_t time_ms);

/* What a restore needs of a record. */
struct recommendation_timers {
    uint64_t rule_hash;
    uint64_t hash;
    bool held;
    int64_t cooldown_until_ms;
    int64_t ageing_ms;
    int64_t until_ms;  /* of a dismissed one; INT64_MAX: none */
    int64_t closed_ms; /* when it was closed; INT64_MAX: it is not */
    int64_t look_ms;   /* when its comparison goes on; INT64_MAX: it does not */
};
bool recommendation_timers_read(struct str key, struct str record, struct recommendation_timers *timers);

#endif
