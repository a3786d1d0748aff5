/* The newest version of every recommendation and of every scorecard: from the topics of a configuration, or from the
 * output files of a replay.
 *
 * A record is a map in DESIGN's field order, its times ISO 8601 texts as in JSON. Of a file the highest version counts,
 * of a topic the last record of a key, and a tombstone removes it.
 */
#ifndef FORESTALL_CLI_PUBLISHED_H
#define FORESTALL_CLI_PUBLISHED_H

#include "engine/config.h"

struct published {
    struct arena arena;
    struct value *recommendations; /* by impact_score, the highest first, then priority and recommendation_id */
    size_t recommendation_count;
    struct value *scorecards; /* by scorecard_id */
    size_t scorecard_count;
    int64_t now_ms; /* the clock; of files that are not empty the newest event time */
};

struct published_options {
    const struct config *config; /* read where there is no `file`; NULL otherwise */
    const char *file;            /* a replay's output; NULL: the topics */
    const char *scorecards;      /* a replay's --scorecards; may be NULL */
    bool only_recommendations;   /* leaves the topic of scorecards alone */
};

/* ERROR_FATAL: a file cannot be read, Kafka is not reachable, a topic is missing. ERROR_BAD_INPUT: a record is none of
 * this program's. */
int published_read(struct published *out, const struct published_options *options, struct error *err) MUST_CHECK;
void published_fini(struct published *published);

/* One record of the topic of recommendations; the arena owns it. */
int published_recommendation(enum record_format format, struct str bytes, struct arena *arena, struct value *record,
                             struct error *err) MUST_CHECK;

/* What a record holds there: text or p NULL, a whole number or 0, a list or map or an empty one. */
struct str published_text(struct value record, const char *name);
int64_t published_number(struct value record, const char *name);
struct value published_value(struct value record, const char *name);
/* INT64_MIN where it is no time. */
int64_t published_time(struct value record, const char *name);

#endif
