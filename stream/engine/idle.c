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
    /* Asked for the ends of their logs, all at once, since it takes a round trip; and the answers. */
    size_t *asked;
    size_t asked_count;
    int64_t *ends;
};

static void saw_all(struct idle *idle)
{
    for (size_t i = 0; i < idle->watermark->count; i++)
        idle->seen_us[i] = clock_mono_us();
}

struct idle *idle_new(const struct config *config, struct source *source, struct watermark *watermark, bool shared)
{
    struct idle *idle = mem_zalloc(sizeof *idle);
    *idle = (struct idle){.config = config, .source = source, .watermark = watermark, .shared = shared};
    idle->seen_us = mem_zalloc((watermark->count + 1) * sizeof *idle->seen_us);
    idle->asked = mem_zalloc((watermark->count + 1) * sizeof *idle->asked);
    idle->ends = mem_zalloc((watermark->count + 1) * sizeof *idle->ends);
    saw_all(idle);
    return idle;
}

void idle_free(struct idle *idle)
{
    if (idle == NULL)
        return;
    free(idle->seen_us);
    free(idle->asked);
    free(idle->ends);
    free(idle);
}

static int ask(struct idle *idle, struct error *err)
{
    if (idle->asked_count == 0)
        return 0;
    return idle->source->ops->end_offsets(idle->source, idle->asked, idle->asked_count, idle->ends, err);
}

int idle_restart(struct idle *idle, struct error *err)
{
    idle->asked_count = 0;
    for (size_t i = 0; i < idle->watermark->count; i++) {
        struct watermark_partition *partition = &idle->watermark->partitions[i];
        partition->empty = false;
        if (!idle->shared && partition->first_ms == TIME_NONE)
            idle->asked[idle->asked_count++] = i;
    }
    TRY(ask(idle, err));
    for (size_t i = 0; i < idle->asked_count; i++) {
        struct watermark_partition *partition = &idle->watermark->partitions[idle->asked[i]];
        partition->empty = idle->ends[i] <= partition->next_offset;
    }
    saw_all(idle);
    return 0;
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

void idle_forget(struct idle *idle, const struct commit_mark *mark, struct outbox *outbox)
{
    struct buf key = {0};
    commit_mark_key(&key, &idle->source->partitions[mark->partition], mark->offset);
    outbox_add(outbox, &(struct commit_record){.output = OUTPUT_MARKS, .key = buf_str(&key)});
    buf_fini(&key);
}

static const struct config_source *source_of(const struct idle *idle, size_t partition)
{
    return &idle->config->sources[idle->source->partitions[partition].topic];
}

/* The i-th that was asked about is read to its log's end. */
static bool is_at_end(const struct idle *idle, size_t i)
{
    return idle->source->ops->read_to(idle->source, idle->asked[i]) >= idle->ends[i];
}

int idle_ask_empty(struct idle *idle, int64_t applied_ms, struct outbox *outbox, struct error *err)
{
    idle->asked_count = 0;
    for (size_t i = 0; i < idle->watermark->count; i++)
        if (idle->watermark->partitions[i].empty)
            idle->asked[idle->asked_count++] = i;
    TRY(ask(idle, err));
    for (size_t i = 0; i < idle->asked_count; i++) {
        if (is_at_end(idle, i))
            continue;
        idle_first(idle, idle->asked[i], applied_ms, outbox);
        idle->watermark->partitions[idle->asked[i]].empty = false;
    }
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

/* What the partition is if it is at its end. A log whose every record went to dead letter is as one without records:
 * nobody waits for its first event. */
static struct look look_of(const struct idle *idle, size_t number, int64_t now_us)
{
    int64_t lag_ms = source_of(idle, number)->idle_lag_ms;
    const struct watermark_partition *partition = &idle->watermark->partitions[number];
    if (!partition->owned)
        return (struct look){0};
    return (struct look){.idle = lag_ms != INT64_MAX && now_us - idle->seen_us[number] >= lag_ms * 1000,
                         .eventless = !partition->empty && partition->first_ms == TIME_NONE};
}

static int look_at_all(struct idle *idle, int64_t now_us, struct look *looks, struct error *err)
{
    idle->asked_count = 0;
    for (size_t i = 0; i < idle->watermark->count; i++) {
        looks[i] = look_of(idle, i, now_us);
        if (looks[i].idle || looks[i].eventless)
            idle->asked[idle->asked_count++] = i;
    }
    TRY(ask(idle, err));
    for (size_t i = 0; i < idle->asked_count; i++)
        if (!is_at_end(idle, i))
            looks[idle->asked[i]] = (struct look){0};
    for (size_t i = 0; i < idle->watermark->count; i++) {
        struct watermark_partition *partition = &idle->watermark->partitions[i];
        if (!partition->owned)
            continue;
        partition->idle = looks[i].idle;
        partition->empty = partition->empty || (looks[i].eventless && !idle->shared);
    }
    return 0;
}

/* W: the greatest event time of what is not idle, or the clock where nothing is left. What never had an event has no
 * time but that of marks, which is not of events. */
static int64_t greatest_of(const struct idle *idle, const struct idle_others *others, const struct look *looks)
{
    int64_t greatest_ms = others->greatest_ms;
    bool all_idle = others->idle;
    for (size_t i = 0; i < idle->watermark->count; i++) {
        const struct watermark_partition *partition = &idle->watermark->partitions[i];
        if (!partition->owned || looks[i].idle)
            continue;
        all_idle = false;
        if (partition->first_ms != TIME_NONE && partition->max_time_ms > greatest_ms)
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
    int result = look_at_all(idle, now_us, looks, err);
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
