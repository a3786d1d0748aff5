/* The engine's commits, and its way back from them. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_parts.h"
#include "engine/memory.h"

/* Others wait for it: a task for what this one sent, readers for a recommendation. */
static bool is_awaited(const struct engine *engine)
{
    return engine->counters.published != engine->commit_published ||
           (engine->tasks != NULL && tasks_hurry(engine->tasks));
}

/* An interval after the last one's start, since those who wait for it count its own time too. Commits that take longer
 * than that leave some time between them. */
int64_t engine_commit_due_us(const struct engine *engine)
{
    int64_t interval_us = engine->options.config->commit_interval_ms * 1000;
    int64_t soonest_us = engine->committed_us + interval_us / HURRY;
    int64_t due_us = engine->commit_from_us + interval_us;
    return is_awaited(engine) || due_us < soonest_us ? soonest_us : due_us;
}

/* As much has changed as makes the reduces stop, or more than that was sent. */
static bool is_enough(const struct engine *engine)
{
    size_t max = engine->options.dirty_bytes_max > 0 ? engine->options.dirty_bytes_max : REDUCE_DIRTY_BYTES_MAX;
    size_t bytes = state_dirty_bytes(engine->options.state);
    if (engine->tasks == NULL)
        return bytes + reduce_unwritten(engine->reduce) > max;
    return bytes + tasks_unwritten(engine->tasks) > max;
}

bool engine_outbox_full(const struct engine *engine)
{
    return engine->outbox.count > OUTBOX_MAX ||
           engine->outbox.bytes > (size_t)memory_commit_share(engine_memory(engine), MEMORY_DIRTY);
}

bool engine_sent_full(const struct engine *engine)
{
    return engine->tasks != NULL &&
           tasks_sent_bytes(engine->tasks) > (size_t)memory_commit_share(engine_memory(engine), MEMORY_SENT) / 2;
}

bool engine_commit_is_due(const struct engine *engine)
{
    return clock_mono_us() >= engine_commit_due_us(engine) || engine_outbox_full(engine) || engine_sent_full(engine) ||
           is_enough(engine);
}

/* What was sent to a log is done with; with the exchange in memory a record is until it is applied. */
static struct commit_position position_of(struct engine *engine, size_t partition)
{
    struct watermark_partition *of = &engine->watermark.partitions[partition];
    if (engine->tasks == NULL)
        return watermark_position(of, engine_applied(engine));
    struct commit_position position = watermark_read(of);
    position.owned = of->owned;
    position.switch_ms = of->switch_ms;
    position.rules_digest = engine->options.rules->digest;
    return position;
}

/* The time of the inputs that are not idle: what the tasks know of it, and where no task is driven here, what is known
 * of those that are read here. */
static int64_t known_time(const struct engine *engine)
{
    int64_t time_ms = tasks_time(engine->tasks);
    if (time_ms != TIME_NONE)
        return time_ms;
    time_ms = INT64_MAX;
    for (size_t i = 0; i < engine->input_count; i++) {
        const struct watermark_partition *input = &engine->watermark.partitions[i];
        if (input->owned && !input->idle && watermark_of(input) < time_ms)
            time_ms = watermark_of(input);
    }
    return time_ms;
}

static void prepare(struct engine *engine, struct commit_position *positions)
{
    if (engine->tasks == NULL) {
        reduce_before_commit(engine->reduce);
    } else {
        event_map_flush(engine->map, INT64_MAX);
        ahead_sent(&engine->ahead, &engine->watermark, tasks_sent_bytes(engine->tasks));
        ahead_passed(&engine->ahead, known_time(engine));
        tasks_before_commit(engine->tasks, &engine->outbox, positions + engine->input_count);
    }
    for (size_t i = 0; i < engine->input_count; i++)
        positions[i] = position_of(engine, i);
}

/* It is over: what it was made of goes. */
static void committed(struct engine *engine)
{
    outbox_clear(&engine->under_way);
    if (engine->tasks != NULL)
        tasks_committed(engine->tasks);
    engine->counters.commits++;
    log_debug("committed", LOG_I("records", engine->commit_records), LOG_I("published", engine->commit_published),
              LOG_I("waited_ms", engine->counters.waited_us / 1000),
              LOG_I("took_ms", (clock_mono_us() - engine->commit_from_us) / 1000));
    engine->committed_us = clock_mono_us();
}

int engine_commit_start(struct engine *engine, struct error *err)
{
    const struct commit_ops *ops = engine->options.commit->ops;
    size_t n = engine->options.source->partition_count;
    ASSERT(!engine->committing);
    engine->commit_from_us = clock_mono_us();
    arena_reset(&engine->arena);
    struct commit_position *positions = arena_alloc(&engine->arena, (n + 1) * sizeof *positions);
    prepare(engine, positions);
    struct outbox empty = engine->under_way;
    engine->under_way = engine->outbox;
    engine->outbox = empty;
    engine->batch = (struct commit_batch){.records = engine->under_way.records,
                                          .record_count = engine->under_way.count,
                                          .positions = positions,
                                          .position_count = n,
                                          .applied_ms = engine_applied(engine),
                                          .rules_digest = engine->options.rules->digest};
    engine->commit_records = event_map_counters(engine->map)->records;
    engine->commit_published = engine->counters.published;
    if (ops->start != NULL)
        TRY(ops->start(engine->options.commit, &engine->batch, engine->options.state, &engine->committing, err));
    else
        TRY(ops->commit(engine->options.commit, &engine->batch, engine->options.state, err));
    if (!engine->committing)
        committed(engine);
    return 0;
}

int engine_commit_finish(struct engine *engine, bool wait, bool *over, struct error *err)
{
    const struct commit_ops *ops = engine->options.commit->ops;
    *over = true;
    if (!engine->committing)
        return 0;
    int result = ops->finish(engine->options.commit, wait, over, err);
    engine->committing = result == 0 && !*over;
    if (result == 0 && *over)
        committed(engine);
    return result;
}

int engine_commit(struct engine *engine, struct error *err)
{
    bool over;
    bool more;
    TRY(engine_commit_finish(engine, true, &over, err));
    if (engine->tasks != NULL) /* they may have read on, and a commit comes after what their time allows (task.h) */
        TRY(tasks_advance(engine->tasks, &more, err));
    TRY(engine_commit_start(engine, err));
    return engine_commit_finish(engine, true, &over, err);
}

/* Since when an input is mapped with the present rules: all of it where it was never mapped. */
static int64_t switch_of(const struct engine *engine, const struct commit_position *position)
{
    if (position->rules_digest == engine->options.rules->digest)
        return position->switch_ms;
    return position->max_time_ms == TIME_NONE ? TIME_NONE : position->max_time_ms + 1;
}

/* Sets each partition to what was committed. */
static void take_positions(struct engine *engine, const struct commit_restored *restored)
{
    for (size_t i = 0; i < engine->watermark.count; i++) {
        struct watermark_partition *partition = &engine->watermark.partitions[i];
        struct commit_position position = {
            .owned = true, .max_time_ms = TIME_NONE, .first_ms = TIME_NONE, .switch_ms = TIME_NONE};
        if (restored->positions != NULL)
            position = restored->positions[i];
        const struct config_source *source =
            &engine->options.config->sources[engine->options.source->partitions[i].topic];
        partition->out_of_orderness_ms = source->out_of_orderness_ms;
        partition->owned = position.owned || !engine->options.shared;
        partition->max_time_ms = position.max_time_ms;
        partition->first_ms = position.first_ms;
        partition->switch_ms = switch_of(engine, &position);
        partition->mark_ms = TIME_NONE;
        partition->next_offset = position.offset;
        partition->read_offset = position.read_offset;
        partition->finished = partition->idle = partition->empty = false;
        partition->bucket_count = 0;
        partition->mark_count = 0;
    }
    bool own = restored->marks == NULL;
    size_t mark_count = own ? engine->options.mark_count : restored->mark_count;
    for (size_t i = 0; i < mark_count; i++) {
        const struct commit_mark *mark = own ? &engine->options.marks[i] : &restored->marks[i];
        struct watermark_partition *partition = &engine->watermark.partitions[mark->partition];
        partition->marks = mem_realloc(partition->marks, (partition->mark_count + 1) * sizeof *partition->marks);
        size_t at = partition->mark_count++;
        for (; at > 0 && partition->marks[at - 1].offset > mark->offset; at--)
            partition->marks[at] = partition->marks[at - 1];
        partition->marks[at] = *mark;
    }
}

/* An input that never had an event and that time has passed without, since it was not there or nobody waited for it,
 * starts at that time: what is older is late, here and wherever its log is read again. */
static void note_new(struct engine *engine, int64_t reached_ms)
{
    for (size_t i = 0; engine->idle != NULL && i < engine->watermark.count; i++) {
        const struct watermark_partition *partition = &engine->watermark.partitions[i];
        if (partition->owned && !partition->empty && partition->max_time_ms == TIME_NONE &&
            partition->first_ms == TIME_NONE)
            idle_first(engine->idle, i, reached_ms, &engine->outbox);
    }
}

/* What is left stays until the next time. */
static void forget_marks(struct engine *engine, const struct commit_restored *restored)
{
    for (size_t i = 0; engine->idle != NULL && i < restored->old_mark_count && i < OUTBOX_MAX; i++)
        idle_forget(engine->idle, &restored->old_marks[i], &engine->outbox);
}

/* One reduce drives all tasks, so that all its stages have one time. */
void engine_all_stages(int64_t *times_ms, int64_t time_ms)
{
    for (size_t i = 0; i < REDUCE_STAGES_MAX; i++)
        times_ms[i] = time_ms;
}

int engine_restore(struct engine *engine, struct error *err)
{
    struct commit_restored restored = {0};
    struct error ignored;
    bool over;
    (void)!engine_commit_finish(engine, true, &over, &ignored); /* however it ends, the positions will tell */
    state_drop(engine->options.state);
    outbox_clear(&engine->outbox);
    outbox_clear(&engine->under_way);
    event_map_clear(engine->map);
    arena_reset(&engine->arena);
    TRY(engine->options.commit->ops->restore(engine->options.commit, engine->options.state, &engine->arena, &restored,
                                             err));
    take_positions(engine, &restored);
    if (engine->idle != NULL)
        TRY(idle_restart(engine->idle, err));
    forget_marks(engine, &restored);
    engine->committed_us = engine->commit_from_us = clock_mono_us();
    ahead_clear(&engine->ahead);
    if (engine->tasks != NULL) {
        note_new(engine, restored.applied_ms);
        tasks_restore(engine->tasks, restored.positions);
        return 0;
    }
    int64_t times_ms[REDUCE_STAGES_MAX];
    engine_all_stages(times_ms, restored.first_start ? TIME_NONE : restored.applied_ms);
    TRY(reduce_restore(engine->reduce, times_ms, err));
    note_new(engine, reduce_reached(engine->reduce, LEVEL_SOURCE));
    return 0;
}
