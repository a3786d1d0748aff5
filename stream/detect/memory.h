/* The values that a group has seen: each distinct one, with the time when it came last.
 *
 * Held as notes, by the hash of the value's encoding; they change with every event, so the commit writes them. A value
 * whose last time lies `memory` back is forgotten by a timer, and when there are more than limits.window_events the one
 * that came longest ago goes, counted. Which one that is, is remembered beside the notes as a queue. O(log values) an
 * event that brings a known value, O(values) one that brings a new one.
 */
#ifndef FORESTALL_DETECT_MEMORY_H
#define FORESTALL_DETECT_MEMORY_H

#include "detect/detector.h"

/* What the rule's `value` says of the event, and its encoding, both in the context's arena. False: it is null or an
 * error, which are left out. */
bool memory_value(struct detector_context *context, const struct group *group, const struct event *event,
                  struct value *value, struct str *encoded);
/* Keeps in mind that the value comes now; true: it had come in (time_ms - memory, time_ms], what is older having been
 * forgotten by the timer. Times never fall. */
bool memory_see(struct detector_context *context, struct group *group, struct str encoded, int64_t time_ms);
/* The value that came last, encoded; p NULL: none. Holds until the next change. */
struct str memory_newest(const struct group *group);

/* For detector_ops. */
void memory_on_timer(struct detector_context *context, struct group *group, int64_t time_ms);
bool memory_load(struct group *group);

#endif
