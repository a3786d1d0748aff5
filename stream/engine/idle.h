/* Quiet partitions must still close windows: idle marks (stream/README.md, "Time").
 *
 * A partition that gave nothing for its source's idle_lag, and whose log by a fresh query holds nothing more, gets its
 * watermark moved by a mark: a record on the marks topic, committed with what it led to, so that a replay moves time at
 * the same place of the log. Its value is W minus the source's out_of_orderness, where W is the greatest event time of
 * the partitions that are not idle, or the clock where all are.
 */
#ifndef FORESTALL_ENGINE_IDLE_H
#define FORESTALL_ENGINE_IDLE_H

#include "engine/outbox.h"
#include "engine/watermark.h"

struct idle;

struct idle *idle_new(const struct config *config, struct source *source, struct watermark *watermark);
void idle_free(struct idle *idle);
/* After a restore: every partition counts as just seen. */
void idle_restart(struct idle *idle);
/* Records of the partition came. */
void idle_saw(struct idle *idle, size_t partition);
/* Records come of a partition that has had no event: if one of them is its first, it starts at the global time
 * `applied_ms`, by a mark. */
void idle_first(struct idle *idle, size_t partition, int64_t applied_ms, struct outbox *outbox);
/* Looks at partitions that are quiet, a few times a second, and marks those that are idle; *marks is counted up. */
int idle_look(struct idle *idle, struct outbox *outbox, uint64_t *marks, struct error *err) MUST_CHECK;

#endif
