/* Partition times, marks, and the buckets of unapplied records. */
#include "engine/watermark.h"

#include <stdlib.h>

#include "detect/pane.h"

void watermark_init(struct watermark *watermark, size_t partitions)
{
    watermark->count = partitions;
    watermark->partitions = mem_zalloc(partitions * sizeof *watermark->partitions);
    for (size_t i = 0; i < partitions; i++)
        watermark->partitions[i].max_time_ms = watermark->partitions[i].mark_ms = watermark->partitions[i].first_ms =
            TIME_NONE;
}

void watermark_fini(struct watermark *watermark)
{
    for (size_t i = 0; i < watermark->count; i++) {
        free(watermark->partitions[i].marks);
        free(watermark->partitions[i].buckets);
    }
    free(watermark->partitions);
    *watermark = (struct watermark){0};
}

int64_t watermark_of(const struct watermark_partition *partition)
{
    int64_t by_events =
        partition->max_time_ms == TIME_NONE ? TIME_NONE : partition->max_time_ms - partition->out_of_orderness_ms;
    return by_events > partition->mark_ms ? by_events : partition->mark_ms;
}

int64_t watermark_least(const struct watermark *watermark)
{
    int64_t least = TIME_END;
    bool all_finished = true;
    for (size_t i = 0; i < watermark->count; i++) {
        const struct watermark_partition *partition = &watermark->partitions[i];
        if (partition->finished)
            continue;
        all_finished = false;
        int64_t time_ms = watermark_of(partition);
        if (partition->empty)
            continue;
        if (time_ms < least)
            least = time_ms;
    }
    /* Only empty partitions: nothing has a time yet. */
    return least == TIME_END && !all_finished ? TIME_NONE : least;
}

int64_t watermark_greatest(const struct watermark *watermark)
{
    int64_t greatest = TIME_NONE;
    for (size_t i = 0; i < watermark->count; i++) {
        const struct watermark_partition *partition = &watermark->partitions[i];
        if (partition->max_time_ms > greatest)
            greatest = partition->max_time_ms;
        if (partition->mark_ms > greatest)
            greatest = partition->mark_ms;
        for (size_t k = 0; k < partition->mark_count; k++) /* marks after the last record */
            if (partition->marks[k].time_ms > greatest)
                greatest = partition->marks[k].time_ms;
    }
    return greatest;
}

void watermark_reach(struct watermark_partition *partition, int64_t offset)
{
    size_t n = 0;
    for (; n < partition->mark_count && partition->marks[n].offset <= offset; n++)
        if (partition->marks[n].time_ms > partition->mark_ms)
            partition->mark_ms = partition->marks[n].time_ms;
    partition->mark_count -= n;
    if (n > 0)
        memmove(partition->marks, partition->marks + n, partition->mark_count * sizeof *partition->marks);
}

void watermark_pass(struct watermark_partition *partition, int64_t offset)
{
    if (offset > partition->next_offset)
        partition->next_offset = offset;
}

static bool has_bucket(const struct watermark_partition *partition, int64_t number)
{
    for (size_t i = partition->bucket_count; i > 0; i--)
        if (partition->buckets[i - 1].number == number)
            return true;
    return false;
}

/* The partition's time as positions carry it: marks count as the event time that would give their watermark. */
static int64_t time_with_marks(const struct watermark_partition *partition)
{
    int64_t by_mark = partition->mark_ms == TIME_NONE ? TIME_NONE : partition->mark_ms + partition->out_of_orderness_ms;
    return partition->max_time_ms > by_mark ? partition->max_time_ms : by_mark;
}

void watermark_event(struct watermark_partition *partition, int64_t offset, int64_t time_ms)
{
    int64_t number = floor_div(time_ms, BUCKET_MS);
    if (!has_bucket(partition, number)) {
        partition->buckets =
            mem_grow(partition->buckets, partition->bucket_count, &partition->bucket_cap, sizeof *partition->buckets);
        partition->buckets[partition->bucket_count++] =
            (struct watermark_bucket){number, offset, time_with_marks(partition)};
    }
    if (time_ms > partition->max_time_ms)
        partition->max_time_ms = time_ms;
    if (partition->first_ms == TIME_NONE || time_ms < partition->first_ms)
        partition->first_ms = time_ms;
    partition->empty = false;
}

struct commit_position watermark_read(const struct watermark_partition *partition)
{
    return (struct commit_position){.offset = partition->next_offset,
                                    .read_offset = partition->next_offset,
                                    .max_time_ms = time_with_marks(partition),
                                    .first_ms = partition->first_ms};
}

struct commit_position watermark_position(struct watermark_partition *partition, int64_t applied_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < partition->bucket_count; i++) {
        /* The last event of the bucket may lie in a pane that ends up to PANE_MS_MAX after it. */
        int64_t done_ms = (partition->buckets[i].number + 1) * BUCKET_MS + PANE_MS_MAX;
        if (applied_ms == TIME_NONE || done_ms >= applied_ms)
            partition->buckets[kept++] = partition->buckets[i];
    }
    partition->bucket_count = kept;
    int64_t read_offset =
        partition->next_offset > partition->read_offset ? partition->next_offset : partition->read_offset;
    struct commit_position position = watermark_read(partition);
    position.owned = true;
    position.read_offset = read_offset;
    if (kept > 0) {
        position.offset = partition->buckets[0].offset;
        position.max_time_ms = partition->buckets[0].max_time_ms;
    }
    return position;
}
