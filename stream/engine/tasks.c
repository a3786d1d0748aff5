/* See tasks.h. One worker's thread owns it. */
#include "engine/tasks.h"

#include <stdlib.h>

#include "engine/task.h"

enum { READ_MAX = 64 }; /* records of one poll: each is up to EXCHANGE_RECORD_BYTES */

/* What the tasks were told of an input last. */
struct told {
    int64_t watermark_ms;
    int64_t first_ms;
    bool idle;
    bool said; /* since the last restore */
};

struct tasks {
    struct tasks_options options;
    struct exchange_log *log;
    struct task **tasks; /* by number; NULL: not driven here, or its state is not there yet */
    struct commit_position *positions;
    bool *restoring; /* its state was not there at the last restore */
    int count;
    struct told *told;
    struct reduce_counters gone; /* counts of tasks that are not driven any more */
    struct recommender_counters gone_recommend;
    uint64_t gone_unknown;
    struct reduce_counters sum;
    struct recommender_counters sum_recommend;
};

/* Counters are numbers alone, so that they can be added member by member. */
static void add(void *sum, const void *more, size_t bytes)
{
    uint64_t *to = sum;
    const uint64_t *from = more;
    for (size_t i = 0; i < bytes / sizeof *to; i++)
        to[i] += from[i];
}

struct tasks *tasks_new(const struct tasks_options *options)
{
    struct tasks *tasks = mem_zalloc(sizeof *tasks);
    tasks->options = *options;
    tasks->count = options->reduce.config->tasks;
    tasks->log = exchange_log_new(options->reduce.rules, options->reduce.config);
    tasks->tasks = mem_zalloc((size_t)tasks->count * sizeof(struct task *));
    tasks->positions = mem_zalloc((size_t)tasks->count * sizeof *tasks->positions);
    tasks->restoring = mem_zalloc((size_t)tasks->count * sizeof *tasks->restoring);
    tasks->told = mem_zalloc((options->input_count + 1) * sizeof *tasks->told);
    return tasks;
}

static void close_task(struct tasks *tasks, int number)
{
    struct task *task = tasks->tasks[number];
    if (task == NULL)
        return;
    add(&tasks->gone, reduce_counters(task_reduce(task)), sizeof tasks->gone);
    add(&tasks->gone_recommend, reduce_recommend_counters(task_reduce(task)), sizeof tasks->gone_recommend);
    tasks->gone_unknown += task_unknown(task);
    task_free(task);
    tasks->tasks[number] = NULL;
}

void tasks_free(struct tasks *tasks)
{
    if (tasks == NULL)
        return;
    for (int i = 0; i < tasks->count; i++)
        close_task(tasks, i);
    exchange_log_free(tasks->log);
    free(tasks->tasks);
    free(tasks->positions);
    free(tasks->restoring);
    free(tasks->told);
    free(tasks);
}

struct exchange *tasks_exchange(struct tasks *tasks)
{
    return exchange_log_exchange(tasks->log);
}

/* What fails here fails again where the task is opened, and is told there. */
static bool state_missing(const struct tasks *tasks, int number)
{
    struct commit *commit = tasks->options.commit;
    struct error ignored;
    bool ready = true;
    if (tasks->positions[number].owned && commit->ops->ready != NULL)
        (void)!commit->ops->ready(commit, number, &ready, &ignored);
    return !ready;
}

void tasks_restore(struct tasks *tasks, const struct commit_position *positions)
{
    for (int i = 0; i < tasks->count; i++) {
        close_task(tasks, i);
        tasks->positions[i] = positions[tasks->options.input_count + (size_t)i];
        tasks->restoring[i] = state_missing(tasks, i);
    }
    exchange_log_clear(tasks->log);
    for (size_t i = 0; i < tasks->options.input_count; i++)
        tasks->told[i].said = false;
}

static int owned_count(const struct tasks *tasks)
{
    int count = 0;
    for (int i = 0; i < tasks->count; i++)
        count += tasks->positions[i].owned;
    return count;
}

static int open_task(struct tasks *tasks, int number, struct error *err)
{
    struct task_options options = {.reduce = tasks->options.reduce,
                                   .log = tasks->log,
                                   .inputs = tasks->options.source->partitions,
                                   .input_count = tasks->options.input_count};
    options.reduce.tasks = (struct task_range){tasks->count, number, number + 1};
    options.reduce.out = exchange_log_exchange(tasks->log);
    options.reduce.waits = true;
    options.reduce.memory_bytes = tasks->options.reduce.memory_bytes / owned_count(tasks);
    state_refresh(options.reduce.state); /* the task's was restored meanwhile */
    tasks->tasks[number] = task_new(&options);
    return task_restore(tasks->tasks[number], &tasks->positions[number], err);
}

static int read_task(struct tasks *tasks, int number, bool *worked, struct error *err)
{
    struct source *source = tasks->options.source;
    struct source_record records[READ_MAX];
    size_t count = 0;
    TRY(source->ops->poll(source, tasks->options.input_count + (size_t)number, records, READ_MAX, &count, err));
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = task_record(tasks->tasks[number], records[i].offset,
                             (struct str){records[i].value, records[i].value_n}, err);
    source->ops->release(source);
    *worked = *worked || count > 0;
    return result;
}

int tasks_read(struct tasks *tasks, bool may_open, bool *worked, struct error *err)
{
    for (int i = 0; i < tasks->count; i++) {
        if (!tasks->positions[i].owned)
            continue;
        if (tasks->tasks[i] == NULL) {
            bool ready = true;
            if (!may_open)
                continue;
            struct commit *commit = tasks->options.commit;
            if (commit->ops->ready != NULL)
                TRY(commit->ops->ready(commit, i, &ready, err));
            if (!ready)
                continue;
            TRY(open_task(tasks, i, err));
        }
        TRY(read_task(tasks, i, worked, err));
    }
    return 0;
}

int tasks_advance(struct tasks *tasks, bool *more, struct error *err)
{
    *more = false;
    for (int i = 0; i < tasks->count; i++) {
        bool more_of_it = false;
        if (tasks->tasks[i] != NULL)
            TRY(task_advance(tasks->tasks[i], &more_of_it, err));
        *more = *more || more_of_it;
    }
    return 0;
}

static void tell_source(struct tasks *tasks, size_t input)
{
    const struct watermark_partition *partition = &tasks->options.watermark->partitions[input];
    const struct source_partition *about = &tasks->options.source->partitions[input];
    struct told *told = &tasks->told[input];
    struct told now = {watermark_of(partition), partition->first_ms, partition->idle, true};
    if (told->said && told->watermark_ms == now.watermark_ms && told->first_ms == now.first_ms &&
        told->idle == now.idle)
        return;
    *told = now;
    exchange_log_source(tasks->log, &(struct exchange_source){.topic = about->topic_name,
                                                              .partition = about->partition,
                                                              .watermark_ms = now.watermark_ms,
                                                              .first_ms = now.first_ms,
                                                              .switch_ms = partition->switch_ms,
                                                              .rules_digest = tasks->options.reduce.rules->digest,
                                                              .idle = now.idle});
}

static void hand_over(void *context, int task, struct str bytes)
{
    outbox_lend(context, &(struct commit_record){.output = OUTPUT_EXCHANGE, .partition = task, .value = bytes});
}

void tasks_before_commit(struct tasks *tasks, struct outbox *outbox, struct commit_position *positions)
{
    for (size_t i = 0; i < tasks->options.input_count; i++)
        if (tasks->options.watermark->partitions[i].owned)
            tell_source(tasks, i);
    for (int i = 0; i < tasks->count; i++) {
        positions[i] = tasks->positions[i];
        if (tasks->tasks[i] == NULL)
            continue;
        task_before_commit(tasks->tasks[i]);
        positions[i].offset = positions[i].read_offset = task_position(tasks->tasks[i]);
        positions[i].anew = false;
        positions[i].max_time_ms = reduce_reached(task_reduce(tasks->tasks[i]), LEVEL_SOURCE);
    }
    exchange_log_hand(tasks->log, hand_over, outbox);
}

void tasks_committed(struct tasks *tasks)
{
    exchange_log_sent(tasks->log);
}

bool tasks_hurry(const struct tasks *tasks)
{
    return exchange_log_hurries(tasks->log);
}

static const struct task *any_task(const struct tasks *tasks)
{
    for (int i = 0; i < tasks->count; i++)
        if (tasks->tasks[i] != NULL)
            return tasks->tasks[i];
    return NULL;
}

bool tasks_any(const struct tasks *tasks)
{
    return any_task(tasks) != NULL;
}

/* The newest that any task here knows. */
static struct exchange_source newest_of(const struct tasks *tasks, size_t input)
{
    struct exchange_source newest = {.watermark_ms = TIME_NONE};
    for (int i = 0; i < tasks->count; i++) {
        if (tasks->tasks[i] == NULL)
            continue;
        const struct exchange_source *source = task_source(tasks->tasks[i], input);
        if (source->watermark_ms >= newest.watermark_ms)
            newest = *source;
    }
    return newest;
}

struct tasks_others tasks_others(const struct tasks *tasks)
{
    struct tasks_others others = {TIME_NONE, true};
    for (size_t i = 0; i < tasks->options.input_count; i++) {
        const struct watermark_partition *own = &tasks->options.watermark->partitions[i];
        if (own->owned)
            continue;
        struct exchange_source known = newest_of(tasks, i);
        others.idle = others.idle && known.idle;
        if (known.watermark_ms == TIME_NONE || known.first_ms == TIME_NONE)
            continue;
        if (known.watermark_ms + own->out_of_orderness_ms > others.greatest_ms)
            others.greatest_ms = known.watermark_ms + own->out_of_orderness_ms;
    }
    return others;
}

int64_t tasks_time(const struct tasks *tasks)
{
    int64_t least_ms = INT64_MAX;
    for (size_t i = 0; i < tasks->options.input_count; i++) {
        struct exchange_source known = newest_of(tasks, i);
        if (!known.idle && known.watermark_ms < least_ms)
            least_ms = known.watermark_ms;
    }
    return any_task(tasks) == NULL ? TIME_NONE : least_ms;
}

int64_t tasks_applied(const struct tasks *tasks)
{
    int64_t least_ms = INT64_MAX;
    for (int i = 0; i < tasks->count; i++) {
        if (tasks->tasks[i] == NULL)
            continue;
        int64_t applied_ms = reduce_applied(task_reduce(tasks->tasks[i]), LEVEL_SOURCE);
        least_ms = applied_ms < least_ms ? applied_ms : least_ms;
    }
    return least_ms == INT64_MAX ? TIME_NONE : least_ms;
}

size_t tasks_pending_bytes(const struct tasks *tasks)
{
    size_t bytes = 0;
    for (int i = 0; i < tasks->count; i++)
        bytes += tasks->tasks[i] == NULL ? 0 : reduce_pending_bytes(task_reduce(tasks->tasks[i]));
    return bytes;
}

size_t tasks_unwritten(const struct tasks *tasks)
{
    size_t bytes = 0;
    for (int i = 0; i < tasks->count; i++)
        bytes += tasks->tasks[i] == NULL ? 0 : reduce_unwritten(task_reduce(tasks->tasks[i]));
    return bytes;
}

size_t tasks_sent_bytes(const struct tasks *tasks)
{
    return exchange_log_bytes(tasks->log);
}

const struct reduce_counters *tasks_counters(struct tasks *tasks)
{
    tasks->sum = tasks->gone;
    for (int i = 0; i < tasks->count; i++)
        if (tasks->tasks[i] != NULL)
            add(&tasks->sum, reduce_counters(task_reduce(tasks->tasks[i])), sizeof tasks->sum);
    return &tasks->sum;
}

const struct recommender_counters *tasks_recommend_counters(struct tasks *tasks)
{
    tasks->sum_recommend = tasks->gone_recommend;
    for (int i = 0; i < tasks->count; i++)
        if (tasks->tasks[i] != NULL)
            add(&tasks->sum_recommend, reduce_recommend_counters(task_reduce(tasks->tasks[i])),
                sizeof tasks->sum_recommend);
    return &tasks->sum_recommend;
}

void tasks_continue(struct tasks *tasks, struct tasks *before)
{
    tasks->gone = *tasks_counters(before);
    tasks->gone_recommend = *tasks_recommend_counters(before);
    tasks->gone_unknown = tasks_unknown(before);
}

int tasks_restoring(const struct tasks *tasks)
{
    int count = 0;
    for (int i = 0; i < tasks->count; i++)
        count += tasks->positions[i].owned && tasks->restoring[i] && tasks->tasks[i] == NULL;
    return count;
}

uint64_t tasks_unknown(const struct tasks *tasks)
{
    uint64_t unknown = tasks->gone_unknown;
    for (int i = 0; i < tasks->count; i++)
        unknown += tasks->tasks[i] == NULL ? 0 : task_unknown(tasks->tasks[i]);
    return unknown;
}
