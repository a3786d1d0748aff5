/* What a recommendation takes from the newest evaluation that was true: numbers, title, spec. Rendered at once, since
 * its slots do not outlive the evaluation, and kept encoded.
 */
#ifndef FORESTALL_RECOMMEND_NEWEST_H
#define FORESTALL_RECOMMEND_NEWEST_H

#include "detect/detector.h"

enum newest_part {
    NEWEST_INCIDENTS, /* int or null */
    NEWEST_MTTR,      /* int milliseconds or null, as the next three */
    NEWEST_MTTR_MEDIAN,
    NEWEST_MTTD,
    NEWEST_MTTD_MEDIAN,
    NEWEST_MINUTES_LOST, /* double or null */
    NEWEST_VALUES,       /* map */
    NEWEST_TITLE,
    NEWEST_SERVICES, /* list, or null where the rule does not say */
    NEWEST_PROBLEM,  /* string or null, as all that is not a list */
    NEWEST_SOLUTION,
    NEWEST_IMPLEMENTATION, /* list of string, as the others */
    NEWEST_TESTING,
    NEWEST_ROLLOUT,
    NEWEST_EFFORT,
    NEWEST_DEPENDENCIES,
    NEWEST_CODE_PATHS,
    NEWEST_REFERENCES,
    NEWEST_PARTS
};

/* All texts together; what is beyond is cut. */
enum { NEWEST_BYTES_MAX = 256 * 1024 };

struct newest_notes {
    uint64_t *template_errors;
    bool *capped; /* set where texts or services were cut */
};

/* Appends the encoding of the parts. */
void newest_encode(struct buf *out, const struct rule *rule, const struct evaluation *evaluation, struct arena *arena,
                   struct newest_notes notes);
/* Reads it: NEWEST_PARTS values that borrow from `encoded` and the arena; NULL: it is none. */
const struct value *newest_decode(struct str encoded, struct arena *arena);

/* Sorts texts and drops repeated ones; the new count. */
size_t texts_distinct(struct value *texts, size_t count);

#endif
