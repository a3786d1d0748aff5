/* A task: one partition of the exchange with the reduce that applies it.
 *
 * Its time comes from its log alone. Each source partition says in it up to where all that it sent is there, and each
 * task the same of its stages: a stage may be applied below the least of all sources' times and of the times of all
 * tasks' lower stages that send to others. What the task was told, and up to where it has applied, is an entry of its
 * state (STATE_META), so that it is committed with what it speaks of.
 *
 * The committed position is the oldest record with an item that is not applied. After a restore records are read from
 * there again. Time does not move before they were read as far as before: how far that was is in the entry, too.
 */
#ifndef FORESTALL_ENGINE_TASK_H
#define FORESTALL_ENGINE_TASK_H

#include "engine/commit.h"
#include "engine/exchange_log.h"
#include "engine/reduce.h"
#include "io/source.h"

struct task_options {
    struct reduce_options reduce;          /* tasks: this one alone; out: the log's exchange */
    struct exchange_log *log;              /* what it sends; borrowed */
    const struct source_partition *inputs; /* every partition of every source, in order */
    size_t input_count;
};

struct task;

struct task *task_new(const struct task_options *options);
void task_free(struct task *task);
/* Takes up what the state holds, to be read from the position on. ERROR_FATAL: the state is damaged. */
int task_restore(struct task *task, const struct commit_position *position, struct error *err) MUST_CHECK;
/* A record of its log. */
int task_record(struct task *task, int64_t offset, struct str bytes, struct error *err) MUST_CHECK;
/* Applies what its time allows. *more: not all of it, see reduce_advance. */
int task_advance(struct task *task, bool *more, struct error *err) MUST_CHECK;
/* Before a commit: sends its stages' times where they have moved, and writes what it must remember. */
void task_before_commit(struct task *task);
/* The oldest record that is not applied. */
int64_t task_position(struct task *task);
/* What the task knows of source partition `input`; its watermark is TIME_NONE where nothing was said yet. */
const struct exchange_source *task_source(const struct task *task, size_t input);
struct reduce *task_reduce(struct task *task);
/* Items of rules that the set does not have. */
uint64_t task_unknown(const struct task *task);

#endif
