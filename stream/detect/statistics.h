/* Times to detect and to resolve over the distinct incidents among contributing rows (RULES: `incidents mttr mttd
 * minutes_lost`). An incident is one incident_id: from its first start to its last resolution; it is unresolved while
 * one of its rows is. O(n log n) in the rows. */
#ifndef FORESTALL_DETECT_STATISTICS_H
#define FORESTALL_DETECT_STATISTICS_H

#include "detect/detector.h"

/* Fills slots OUT_INCIDENTS, OUT_MTT*, OUT_MINUTES_LOST from the incident rows among the contributions. */
void statistics_incidents(const struct contribution *contributions, size_t n, struct arena *arena, struct value *slots);
/* Fills OUT_SERVICES and OUT_CODE_REFS; `more` services are merged in. */
void statistics_names(const struct contribution *contributions, size_t n, const struct str *more, size_t more_count,
                      struct arena *arena, struct value *slots);

#endif
