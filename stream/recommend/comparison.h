/* What is known of a recommendation before and after it was implemented: the measures of its rule's `validate`.
 *
 * Kept in the recommendation's record. Numbers are NAN where there was nothing to measure; durations are milliseconds.
 */
#ifndef FORESTALL_RECOMMEND_COMPARISON_H
#define FORESTALL_RECOMMEND_COMPARISON_H

#include "base/buf.h"
#include "base/time_text.h"

enum { COMPARISON_MEASURES_MAX = 1000, COMPARISON_DAYS_MAX = 1000 };

/* In the order of the state's bytes. */
enum comparison_state {
    COMPARISON_NONE,
    COMPARISON_RUNNING,
    COMPARISON_VALIDATED,
    COMPARISON_INEFFECTIVE,
    COMPARISON_INCONCLUSIVE,
    COMPARISON_STATES
};

enum comparison_met { MET_NO, MET_YES, MET_UNKNOWN };

struct compared {
    struct str name; /* heap */
    double before;
    double after;
    enum comparison_met met;
};

/* Detections on one UTC day. */
struct detected_day {
    int64_t day_ms;
    uint64_t count;
};

struct comparison {
    enum comparison_state state;
    int64_t look_ms; /* the midnight at which it goes on; INT64_MAX: it does not */
    int64_t day_ms;  /* the midnight before it was implemented; INT64_MIN: it never was, or has nothing to compare */
    int64_t before_days;
    int64_t after_days;
    bool enough;               /* before held as much as the rule wants */
    struct compared *measures; /* heap */
    size_t measure_count;
    struct detected_day *days; /* the newest with detections, ascending, where a measure counts them; heap */
    size_t day_count;
    size_t day_cap;
};

void comparison_init(struct comparison *comparison);
void comparison_fini(struct comparison *comparison);
size_t comparison_bytes(const struct comparison *comparison);
const char *comparison_state_name(enum comparison_state state);

/* Forgets what was compared; what was detected stays. */
void comparison_clear(struct comparison *comparison);
/* The measure of that name, added where there is none. */
struct compared *comparison_measure(struct comparison *comparison, struct str name);
/* NULL: there is none. */
const struct compared *comparison_find(const struct comparison *comparison, struct str name);
void comparison_add_detection(struct comparison *comparison, int64_t time_ms);
/* Detections on the days from `from_ms` to `to_ms` (exclusive), midnights. */
uint64_t comparison_detections(const struct comparison *comparison, int64_t from_ms, int64_t to_ms);

/* The spans that are compared; meaningless where day_ms is INT64_MIN. */
int64_t comparison_before_ms(const struct comparison *comparison); /* to day_ms */
int64_t comparison_after_ms(const struct comparison *comparison);
int64_t comparison_end_ms(const struct comparison *comparison);

/* Nothing in it is worth keeping. */
bool comparison_is_empty(const struct comparison *comparison);
/* All but look_ms, which is for the record's head. */
void comparison_encode(struct buf *out, const struct comparison *comparison);
/* Latches its failure in the reader. */
void comparison_decode(struct reader *r, struct comparison *comparison);

#endif
