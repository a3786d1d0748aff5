/* The application's own topics by name, and how long a tombstone of the changelog lives: what the way back relies on
 * and the making of topics must agree with. */
#ifndef FORESTALL_ENGINE_RESTORE_H
#define FORESTALL_ENGINE_RESTORE_H

#include <stdint.h>

/* A tombstone may be gone from the changelog this long after it was written; a store older than that, less a day for
 * clocks that differ, is built anew from the beginning. */
#define CHANGELOG_DELETE_RETENTION_MS (INT64_C(7) * 24 * 3600 * 1000)
#define STORE_AGE_MAX_MS              (INT64_C(6) * 24 * 3600 * 1000)

/* Of a topic with a partition a task: which number it was made for, and which it is now. */
#define TASKS_CHANGED "made for state.tasks %d, which is %d now"
#define RESET_ADVICE  "another application_id, with a state.dir of its own, starts anew"

#endif
