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

/* `shared`: others may read partitions of the source too. */
struct idle *idle_new(const struct config *config, struct source *source, struct watermark *watermark, bool shared);
void idle_free(struct idle *idle);
/* After a restore: every partition counts as just seen. Unless `shared`, one whose log holds nothing from its position
 * on, and that had no event yet, is `empty`: it does not hold time back. */
int idle_restart(struct idle *idle, struct error *err) MUST_CHECK;
/* Records of the partition came. */
void idle_saw(struct idle *idle, size_t partition);
/* Records come of a partition that has had no event: if one of them is its first, it starts at the global time
 * `applied_ms`, by a mark. */
void idle_first(struct idle *idle, size_t partition, int64_t applied_ms, struct outbox *outbox);
/* A mark that nobody needs any more goes off the topic, with the next commit. */
void idle_forget(struct idle *idle, const struct commit_mark *mark, struct outbox *outbox);
/* Asks about those that are `empty`: one whose log holds a record by now is waited for from here on, and starts as by
 * idle_first. */
int idle_ask_empty(struct idle *idle, int64_t applied_ms, struct outbox *outbox, struct error *err) MUST_CHECK;
/* What is known of partitions that others read. */
struct idle_others {
    int64_t greatest_ms; /* event time; TIME_NONE: none */
    bool idle;           /* all of them are */
};
/* Looks at partitions that are quiet, a few times a second, and marks those that are idle; *marks is counted up. Where
 * others read partitions too (`shared`), one that never had an event and is read to its end is marked as if it were
 * idle: nobody else can know that it does not count. */
int idle_look(struct idle *idle, const struct idle_others *others, struct outbox *outbox, uint64_t *marks,
              struct error *err) MUST_CHECK;

#endif
