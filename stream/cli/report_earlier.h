/* What recommendations were when a period began, from the versions in a replay's output. A topic keeps only the newest
 * ones, and cannot tell. */
#ifndef FORESTALL_CLI_REPORT_EARLIER_H
#define FORESTALL_CLI_REPORT_EARLIER_H

#include "base/map.h"
#include "event/value.h"

/* Ids to the newest version (struct value *, of the arena) with an event time before `since_ms`. */
int report_earlier_read(struct map *earlier, struct arena *arena, const char *path, int64_t since_ms,
                        struct error *err) MUST_CHECK;

#endif
