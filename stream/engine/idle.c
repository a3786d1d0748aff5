/* Idle partitions and their marks. */
#include "engine/idle.h"

#include <stdlib.h>

#include "base/clock.h"

enum { LOOK_EVERY_US = 250 * 1000 };

struct idle {
    const struct config *config;
    struct source *source;
    struct watermark *watermark;
    int64_t *seen_us; /* when each partition last gave something */
    int64_t looked_us;
};

struct idle *idle_new(const struct config *config, struct source *source, struct watermark *watermark)
{
    struct idle *idle = mem_zalloc(sizeof *idle);
    *idle = (struct idle){.config = config, .source = source, .watermark = watermark};
    idle->seen_us = mem_zalloc((source->partition_count + 1) * sizeof *idle->seen_us);
    idle_restart(idle);
    return idle;
}

void idle_free(struct idle *idle)
{
    if (idle == NULL)
        return;
    free(idle->seen_us);
    free(idle);
}

void idle_restart(struct idle *idle)
{
    for (size_t i = 0; i < idle->source->partition_count; i++)
        idle->seen_us[i] = clock_mono_us();
}

void idle_saw(struct idle *idle, size_t partition)
{
    idle->seen_us[partition] = clock_mono_us();
}

static void mark(struct idle *idle, size_t number, int64_t time_ms, struct outbox *outbox)
{
    struct watermark_partition *partition = &idle->watermark->partitions[number];
    struct buf key = {0};
    struct buf value = {0};
    partition->mark_ms = time_ms;
    commit_mark_key(&key, &idle->source->partitions[number], partition->next_offset);
    commit_mark_value(&value, time_ms);
    outbox_add(outbox, &(struct commit_record){.output = OUTPUT_MARKS, .key = buf_str(&key), .value = buf_str(&value)});
    buf_fini(&key);
    buf_fini(&value);
}

void idle_first(struct idle *idle, size_t partition, int64_t applied_ms, struct outbox *outbox)
{
    if (applied_ms != TIME_NONE)
        mark(idle, partition, applied_ms, outbox);
}

static const struct config_source *source_of(const struct idle *idle, size_t partition)
{
    return &idle->config->sources[idle->source->partitions[partition].topic];
}

/* Quiet for its idle_lag, and read to the log's end as it is now. */
static int is_idle(struct idle *idle, size_t partition, int64_t now_us, bool *yes, struct error *err)
{
    int64_t lag_ms = source_of(idle, partition)->idle_lag_ms;
    int64_t end = 0;
    *yes = false;
    if (lag_ms == INT64_MAX || now_us - idle->seen_us[partition] < lag_ms * 1000)
        return 0;
    TRY(idle->source->ops->end_offset(idle->source, partition, &end, err));
    *yes = idle->source->ops->read_to(idle->source, partition) >= end;
    return 0;
}

/* A log whose every record went to dead letter is as one without records: nobody waits for its first event. */
static int note_eventless(struct idle *idle, size_t number, struct error *err)
{
    struct watermark_partition *partition = &idle->watermark->partitions[number];
    int64_t end = 0;
    if (partition->empty || partition->max_time_ms != TIME_NONE)
        return 0;
    TRY(idle->source->ops->end_offset(idle->source, number, &end, err));
    partition->empty = idle->source->ops->read_to(idle->source, number) >= end;
    return 0;
}

/* A mark is a record and a transaction: not for less than a second of progress. */
static bool worth_a_mark(int64_t watermark_ms, int64_t time_ms)
{
    return watermark_ms == TIME_NONE || time_ms - watermark_ms >= SECOND_MS;
}

int idle_look(struct idle *idle, struct outbox *outbox, uint64_t *marks, struct error *err)
{
    int64_t now_us = clock_mono_us();
    size_t n = idle->source->partition_count;
    if (now_us - idle->looked_us < LOOK_EVERY_US)
        return 0;
    idle->looked_us = now_us;
    int64_t greatest_ms = TIME_NONE;
    size_t idle_count = 0;
    bool *are_idle = mem_zalloc(n + 1);
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++) {
        result = note_eventless(idle, i, err);
        if (result == 0)
            result = is_idle(idle, i, now_us, &are_idle[i], err);
        idle_count += are_idle[i];
        int64_t time_ms = idle->watermark->partitions[i].max_time_ms;
        if (!are_idle[i] && time_ms > greatest_ms)
            greatest_ms = time_ms;
    }
    if (idle_count == n)
        greatest_ms = clock_wall_ms();
    for (size_t i = 0; i < n && result == 0 && greatest_ms != TIME_NONE; i++) {
        int64_t time_ms = greatest_ms - source_of(idle, i)->out_of_orderness_ms;
        if (are_idle[i] && worth_a_mark(watermark_of(&idle->watermark->partitions[i]), time_ms)) {
            mark(idle, i, time_ms, outbox);
            (*marks)++;
        }
    }
    free(are_idle);
    return result;
}
