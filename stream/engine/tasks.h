/* The tasks that a worker drives over the exchange's log, and what it sends to all tasks (exchange: kafka). The
 * partitions of the exchange are the source's last ones, one a task. */
#ifndef FORESTALL_ENGINE_TASKS_H
#define FORESTALL_ENGINE_TASKS_H

#include "engine/commit.h"
#include "engine/outbox.h"
#include "engine/reduce.h"
#include "engine/watermark.h"

struct tasks_options {
    struct reduce_options reduce; /* of every task; `tasks`, `out`, `waits` and the memory are filled in */
    struct source *source;        /* borrowed */
    struct commit *commit;        /* says whether a task's state is there */
    struct watermark *watermark;  /* of the inputs */
    size_t input_count;           /* the source's partitions that are no tasks */
};

struct tasks;

struct tasks *tasks_new(const struct tasks_options *options);
void tasks_free(struct tasks *tasks);
/* Where map sends to. */
struct exchange *tasks_exchange(struct tasks *tasks);
/* After a restore: drives the tasks whose positions are owned. */
void tasks_restore(struct tasks *tasks, const struct commit_position *positions);
/* Reads what has come for those tasks whose state is there; of a task that is new here only when it `may_open`, which
 * changes the state. *worked: records were read. */
int tasks_read(struct tasks *tasks, bool may_open, bool *worked, struct error *err) MUST_CHECK;
/* Applies what each task's time allows. *more: not all of it, see reduce_advance. */
int tasks_advance(struct tasks *tasks, bool *more, struct error *err) MUST_CHECK;
/* Before a commit, after map's flush: sends the times of owned inputs and of tasks, hands all that was sent over to the
 * outbox, which borrows it until tasks_committed whatever is sent meanwhile, and fills in the positions of the
 * exchange's partitions. */
void tasks_before_commit(struct tasks *tasks, struct outbox *outbox, struct commit_position *positions);
void tasks_committed(struct tasks *tasks);
/* Others wait for what was sent: the commit should not wait for its interval. */
bool tasks_hurry(const struct tasks *tasks);
/* What is known of the inputs that others read: their greatest event time (TIME_NONE: none), and whether all of them
 * are idle. */
struct tasks_others {
    int64_t greatest_ms;
    bool idle;
};
struct tasks_others tasks_others(const struct tasks *tasks);
/* Some task is driven here, and its state is there. */
bool tasks_any(const struct tasks *tasks);
/* The least time of the inputs that are not idle (those follow the others) as the tasks know it; INT64_MAX: all are
 * idle; TIME_NONE: none, or no task is driven here. */
int64_t tasks_time(const struct tasks *tasks);
/* Everything below it is applied by every task driven here. */
int64_t tasks_applied(const struct tasks *tasks);
size_t tasks_pending_bytes(const struct tasks *tasks);
size_t tasks_unwritten(const struct tasks *tasks);
/* Bytes sent since the last commit. */
size_t tasks_sent_bytes(const struct tasks *tasks);
const struct reduce_counters *tasks_counters(struct tasks *tasks);
const struct recommender_counters *tasks_recommend_counters(struct tasks *tasks);
/* Goes on with other tasks' counts. */
void tasks_continue(struct tasks *tasks, struct tasks *before);
uint64_t tasks_unknown(const struct tasks *tasks);
/* Tasks that are ours and whose state is not there yet. */
int tasks_restoring(const struct tasks *tasks);

#endif
