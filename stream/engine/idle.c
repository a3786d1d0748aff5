/* Idle partitions and their marks. */
#include "engine/idle.h"

#include <stdlib.h>

#include "base/clock.h"

enum { LOOK_EVERY_US = 250 * 1000 };

struct idle {
    const struct config *config;
    struct source *source;
    struct watermark *watermark;
    bool shared;
    int64_t *seen_us; /* when each partition last gave something */
    int64_t looked_us;
};

struct idle *idle_new(const struct config *config, struct source *source, struct watermark *watermark, bool shared)
{
    struct idle *idle = mem_zalloc(sizeof *idle);
    *idle = (struct idle){.config = config, .source = source, .watermark = watermark, .shared = shared};
    idle->seen_us = mem_zalloc((watermark->count + 1) * sizeof *idle->seen_us);
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
    for (size_t i = 0; i < idle->watermark->count; i++)
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

/* Read to the log's end as it is now. */
static int is_at_end(struct idle *idle, size_t partition, bool *yes, struct error *err)
{
    int64_t end = 0;
    TRY(idle->source->ops->end_offset(idle->source, partition, &end, err));
    *yes = idle->source->ops->read_to(idle->source, partition) >= end;
    return 0;
}

/* A log whose every record went to dead letter is as one without records: nobody waits for its first event. */
static int note_eventless(struct idle *idle, size_t number, bool *eventless, struct error *err)
{
    struct watermark_partition *partition = &idle->watermark->partitions[number];
    *eventless = false;
    if (partition->empty || partition->max_time_ms != TIME_NONE)
        return 0;
    TRY(is_at_end(idle, number, eventless, err));
    if (!idle->shared)
        partition->empty = *eventless;
    return 0;
}

/* A mark is a record and a transaction: not for less than a second of progress. */
static bool worth_a_mark(int64_t watermark_ms, int64_t time_ms)
{
    return watermark_ms == TIME_NONE || time_ms - watermark_ms >= SECOND_MS;
}

/* What a look found of a partition. */
struct look {
    bool idle;      /* quiet for its idle_lag, and at its end */
    bool eventless; /* at its end, and never had an event */
};

static int look_at(struct idle *idle, size_t number, int64_t now_us, struct look *look, struct error *err)
{
    int64_t lag_ms = source_of(idle, number)->idle_lag_ms;
    struct watermark_partition *partition = &idle->watermark->partitions[number];
    *look = (struct look){0};
    TRY(note_eventless(idle, number, &look->eventless, err));
    if (lag_ms != INT64_MAX && now_us - idle->seen_us[number] >= lag_ms * 1000)
        TRY(is_at_end(idle, number, &look->idle, err));
    partition->idle = look->idle;
    return 0;
}

/* W: the greatest event time of what is not idle, or the clock where nothing is left. */
static int64_t greatest_of(const struct idle *idle, const struct idle_others *others, const struct look *looks)
{
    int64_t greatest_ms = others->greatest_ms;
    bool all_idle = others->idle;
    for (size_t i = 0; i < idle->watermark->count; i++) {
        const struct watermark_partition *partition = &idle->watermark->partitions[i];
        if (!partition->owned || looks[i].idle)
            continue;
        all_idle = false;
        if (partition->max_time_ms > greatest_ms)
            greatest_ms = partition->max_time_ms;
    }
    return all_idle ? clock_wall_ms() : greatest_ms;
}

int idle_look(struct idle *idle, const struct idle_others *others, struct outbox *outbox, uint64_t *marks,
              struct error *err)
{
    int64_t now_us = clock_mono_us();
    size_t n = idle->watermark->count;
    if (now_us - idle->looked_us < LOOK_EVERY_US)
        return 0;
    idle->looked_us = now_us;
    struct look *looks = mem_zalloc((n + 1) * sizeof *looks);
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++)
        if (idle->watermark->partitions[i].owned)
            result = look_at(idle, i, now_us, &looks[i], err);
    int64_t greatest_ms = result == 0 ? greatest_of(idle, others, looks) : TIME_NONE;
    for (size_t i = 0; i < n && greatest_ms != TIME_NONE; i++) {
        int64_t time_ms = greatest_ms - source_of(idle, i)->out_of_orderness_ms;
        bool quiet = looks[i].idle || (idle->shared && looks[i].eventless);
        if (quiet && worth_a_mark(watermark_of(&idle->watermark->partitions[i]), time_ms)) {
            mark(idle, i, time_ms, outbox);
            (*marks)++;
        }
    }
    free(looks);
    return result;
}
