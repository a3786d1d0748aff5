/* A progress bar on standard error, drawn only on a terminal and a few times a second. */
#ifndef FORESTALL_CLI_PROGRESS_H
#define FORESTALL_CLI_PROGRESS_H

#include "base/str.h"

struct progress {
    const char *label;
    int64_t started_us;
    int64_t drawn_us;
    int64_t reached_ms; /* the event time reached, which is shown, too; INT64_MIN: unknown */
    bool terminal;
};

void progress_start(struct progress *progress, const char *label);
/* `done` of `total` in any unit; `records` are counted along. */
void progress_show(struct progress *progress, int64_t done, int64_t total, uint64_t records);
/* Wipes the bar. Returns the microseconds since the start. */
int64_t progress_end(struct progress *progress);

#endif
