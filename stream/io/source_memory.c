/* Records in memory as a source. Bounded once source_memory_end was called. */
#include <stdlib.h>

#include "io/source.h"

struct memory_partition {
    struct source_record *records;
    size_t count;
    size_t cap;
    size_t next;         /* the next one polled */
    int64_t next_offset; /* of the next one added */
};

struct source_memory {
    struct source base;
    struct source_partition *described;
    struct memory_partition *partitions;
    struct arena arena; /* names and values */
    bool ended;
};

static struct source_memory *memory_of(struct source *source)
{
    return (struct source_memory *)source;
}

static struct memory_partition *partition_of(struct source *source, size_t partition)
{
    ASSERT(partition < source->partition_count);
    return &memory_of(source)->partitions[partition];
}

static int memory_poll(struct source *source, size_t partition, struct source_record *records, size_t max,
                       size_t *count, struct error *err)
{
    (void)err;
    struct memory_partition *from = partition_of(source, partition);
    size_t n = 0;
    while (n < max && from->next < from->count)
        records[n++] = from->records[from->next++];
    *count = n;
    return 0;
}

static void memory_release(struct source *source)
{
    (void)source;
}

static int memory_wait(struct source *source, int timeout_ms, struct error *err)
{
    (void)source;
    (void)timeout_ms;
    (void)err;
    return 0;
}

static int memory_seek(struct source *source, size_t partition, int64_t offset, struct error *err)
{
    (void)err;
    struct memory_partition *in = partition_of(source, partition);
    in->next = 0;
    while (in->next < in->count && in->records[in->next].offset < offset)
        in->next++;
    return 0;
}

static int memory_end_offsets(struct source *source, const size_t *partitions, size_t count, int64_t *offsets,
                              struct error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++)
        offsets[i] = partition_of(source, partitions[i])->next_offset;
    return 0;
}

static int64_t memory_read_to(struct source *source, size_t partition)
{
    const struct memory_partition *in = partition_of(source, partition);
    return in->next < in->count ? in->records[in->next].offset : in->next_offset;
}

static bool memory_finished(struct source *source, size_t partition)
{
    struct memory_partition *in = partition_of(source, partition);
    return memory_of(source)->ended && in->next == in->count;
}

static void memory_progress(struct source *source, int64_t *done, int64_t *total)
{
    *done = *total = 0;
    for (size_t i = 0; memory_of(source)->ended && i < source->partition_count; i++) {
        *done += (int64_t)partition_of(source, i)->next;
        *total += (int64_t)partition_of(source, i)->count;
    }
}

static void memory_close(struct source *source)
{
    struct source_memory *memory = memory_of(source);
    for (size_t i = 0; i < source->partition_count; i++)
        free(memory->partitions[i].records);
    free(memory->partitions);
    free(memory->described);
    arena_fini(&memory->arena);
    free(memory);
}

struct source *source_memory_new(const struct source_partition *partitions, size_t count)
{
    static const struct source_ops ops = {
        memory_poll,     memory_release,  memory_wait, memory_seek, memory_end_offsets, memory_read_to,
        memory_finished, memory_progress, NULL,        NULL,        memory_close,
    };
    struct source_memory *memory = mem_zalloc(sizeof *memory);
    memory->described = mem_alloc((count + 1) * sizeof *memory->described);
    memory->partitions = mem_zalloc((count + 1) * sizeof *memory->partitions);
    for (size_t i = 0; i < count; i++) {
        memory->described[i] = partitions[i];
        memory->described[i].topic_name = arena_str(&memory->arena, partitions[i].topic_name);
    }
    memory->base = (struct source){&ops, memory->described, count};
    return &memory->base;
}

void source_memory_add(struct source *source, size_t partition, struct str value, int64_t timestamp_ms)
{
    ASSERT(!memory_of(source)->ended);
    struct memory_partition *to = partition_of(source, partition);
    to->records = mem_grow(to->records, to->count, &to->cap, sizeof *to->records);
    struct source_record *record = &to->records[to->count++];
    *record = (struct source_record){.offset = to->next_offset++, .timestamp_ms = timestamp_ms};
    if (value.p != NULL) {
        record->value = arena_str(&memory_of(source)->arena, value).p;
        record->value_n = value.n;
    }
}

void source_memory_skip(struct source *source, size_t partition, int64_t offset)
{
    struct memory_partition *in = partition_of(source, partition);
    ASSERT(offset >= in->next_offset);
    in->next_offset = offset;
}

void source_memory_end(struct source *source)
{
    memory_of(source)->ended = true;
}
