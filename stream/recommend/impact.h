/* What a recommendation's incidents weigh: score, level, priority, and the benefit of preventing them (DESIGN section
 * 7).
 */
#ifndef FORESTALL_RECOMMEND_IMPACT_H
#define FORESTALL_RECOMMEND_IMPACT_H

#include "recommend/recommendation.h"

#define IMPACT_SPAN_MS ((int64_t)30 * DAY_MS)

enum impact_level { IMPACT_LOW, IMPACT_MEDIUM, IMPACT_HIGH };

struct impact_limits {
    double high;
    double medium;
};

struct impact {
    int64_t score;       /* sum of severity weights */
    int64_t frequency;   /* incidents, or days with a firing, in (t - 30 d, t] */
    struct str severity; /* the worst of them; empty where there is none */
    enum impact_level level;
    int64_t incidents;
    int64_t lost_ms;  /* from first start to last end, summed over incidents */
    int64_t falls_ms; /* the first UTC midnight at which something leaves; INT64_MAX: none */
};

struct impact impact_at(const struct recommendation *recommendation, struct impact_limits limits, int64_t time_ms);
const char *impact_level_name(enum impact_level level);
/* "P0" to "P4". */
const char *impact_priority(enum impact_level level, bool complexity_high);

#endif
