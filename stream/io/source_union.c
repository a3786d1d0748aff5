/* A source over sources. */
#include "io/source_union.h"

#include <stdlib.h>

struct source_union {
    struct source base;
    struct source_partition *partitions;
    struct source_part *parts;
    struct source **sources;
    size_t source_count;
};

static struct source_union *union_of(struct source *source)
{
    return (struct source_union *)source;
}

static const struct source_part *part_of(struct source *source, size_t partition)
{
    ASSERT(partition < source->partition_count);
    return &union_of(source)->parts[partition];
}

static int union_poll(struct source *source, size_t partition, struct source_record *records, size_t max, size_t *count,
                      struct error *err)
{
    const struct source_part *part = part_of(source, partition);
    return part->source->ops->poll(part->source, part->partition, records, max, count, err);
}

static void union_release(struct source *source)
{
    struct source_union *all = union_of(source);
    for (size_t i = 0; i < all->source_count; i++)
        all->sources[i]->ops->release(all->sources[i]);
}

static int union_wait(struct source *source, int timeout_ms, struct error *err)
{
    (void)source;
    (void)timeout_ms;
    (void)err;
    return 0; /* a bounded source never waits */
}

static int union_seek(struct source *source, size_t partition, int64_t offset, struct error *err)
{
    const struct source_part *part = part_of(source, partition);
    return part->source->ops->seek(part->source, part->partition, offset, err);
}

static bool union_finished(struct source *source, size_t partition)
{
    const struct source_part *part = part_of(source, partition);
    return part->source->ops->finished(part->source, part->partition);
}

static void union_progress(struct source *source, int64_t *done, int64_t *total)
{
    struct source_union *all = union_of(source);
    *done = *total = 0;
    for (size_t i = 0; i < all->source_count; i++) {
        int64_t part_done;
        int64_t part_total;
        all->sources[i]->ops->progress(all->sources[i], &part_done, &part_total);
        *done += part_done;
        *total += part_total;
    }
}

static void union_close(struct source *source)
{
    struct source_union *all = union_of(source);
    for (size_t i = 0; i < all->source_count; i++)
        all->sources[i]->ops->close(all->sources[i]);
    free(all->sources);
    free(all->parts);
    free(all->partitions);
    free(all);
}

struct source *source_union_new(const struct source_partition *partitions, const struct source_part *parts,
                                size_t count, struct source *const *sources, size_t source_count)
{
    static const struct source_ops ops = {union_poll,     union_release,  union_wait, union_seek, NULL,       NULL,
                                          union_finished, union_progress, NULL,       NULL,       union_close};
    struct source_union *all = mem_zalloc(sizeof *all);
    all->partitions = mem_alloc((count + 1) * sizeof *all->partitions);
    all->parts = mem_alloc((count + 1) * sizeof *all->parts);
    all->sources = mem_alloc((source_count + 1) * sizeof(struct source *));
    for (size_t i = 0; i < count; i++) {
        all->partitions[i] = partitions[i];
        all->parts[i] = parts[i];
    }
    for (size_t i = 0; i < source_count; i++)
        all->sources[i] = sources[i];
    all->source_count = source_count;
    all->base = (struct source){.ops = &ops, .partitions = all->partitions, .partition_count = count};
    return &all->base;
}
