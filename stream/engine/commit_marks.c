/* Idle marks: their bytes on the topic, and reading them back. The topic has one partition and is compacted by key. */
#include <stdlib.h>

#include "base/log.h"
#include "engine/commit_kafka.h"
#include "io/kafka_admin.h"
#include "io/kafka_log.h"
#include "io/source_kafka.h"

void commit_mark_key(struct buf *key, const struct source_partition *partition, int64_t offset)
{
    buf_text(key, partition->topic_name);
    buf_u32(key, (uint32_t)partition->partition);
    buf_u64(key, (uint64_t)offset);
}

void commit_mark_value(struct buf *value, int64_t time_ms)
{
    buf_i64_sorted(value, time_ms);
}

struct mark_record {
    struct commit_mark mark;
    int64_t at;   /* its place on the topic */
    bool removed; /* it is a tombstone */
};

struct marks_read {
    struct source *source;
    struct mark_record *marks;
    size_t count;
    size_t cap;
    int64_t damaged;
};

static bool partition_find(const struct source *source, struct str topic, uint32_t number, size_t *partition)
{
    for (size_t i = 0; i < source->partition_count; i++)
        if ((uint32_t)source->partitions[i].partition == number && str_eq(source->partitions[i].topic_name, topic)) {
            *partition = i;
            return true;
        }
    return false;
}

static int mark_take(void *context, const struct source_record *record, struct error *err)
{
    (void)err;
    struct marks_read *read = context;
    struct reader key = reader_of(record->key, record->key_n);
    struct str topic = read_text(&key);
    uint32_t number = read_u32(&key);
    uint64_t offset = read_u64(&key);
    struct reader value = reader_of(record->value, record->value_n);
    bool removed = record->value_n == 0;
    int64_t time_ms = removed ? 0 : read_i64_sorted(&value);
    size_t partition;
    if (key.failed || value.failed) {
        read->damaged++;
        return 0;
    }
    if (!partition_find(read->source, topic, number, &partition))
        return 0; /* of a source that is no longer configured */
    read->marks = mem_grow(read->marks, read->count, &read->cap, sizeof *read->marks);
    read->marks[read->count++] = (struct mark_record){{partition, (int64_t)offset, time_ms}, record->offset, removed};
    return 0;
}

static int mark_order(const void *left, const void *right)
{
    const struct mark_record *a = left;
    const struct mark_record *b = right;
    if (a->mark.partition != b->mark.partition)
        return a->mark.partition < b->mark.partition ? -1 : 1;
    if (a->mark.offset != b->mark.offset)
        return a->mark.offset < b->mark.offset ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static int serve(void *context, struct error *err)
{
    const struct marks_read *read = context;
    return source_kafka_serve(read->source, err);
}

/* Up to where marks were written by now. A commit that is over may not be visible on the topic yet, and no mark of it
 * may be missed: kafka_log_read waits. */
static int end_ask(const struct config *config, const char *topic, int64_t *end, struct error *err)
{
    struct kafka_log_options options = commit_log_options(config);
    struct kafka_log *log;
    int64_t low;
    options.uncommitted = true;
    TRY(kafka_log_open(&log, &options, err));
    int result = kafka_log_range(kafka_log_client(log), topic, 0, &low, end, err);
    kafka_log_close(log);
    return result;
}

static int topic_read(const struct config *config, struct kafka_log *log, const char *topic, struct marks_read *read,
                      struct error *err)
{
    int partitions = 0;
    TRY(kafka_topic_partitions(kafka_log_client(log), topic, &partitions, err));
    if (partitions == 0)
        return 0;
    struct kafka_stretch stretch = {.topic = topic, .visit = mark_take, .meanwhile = serve, .context = read};
    TRY(end_ask(config, topic, &stretch.to, err));
    return kafka_log_read(log, &stretch, err);
}

int commit_marks_read(const struct config *config, struct source *source, struct arena *arena,
                      struct commit_mark **marks, size_t *count, struct error *err)
{
    struct kafka_log *log;
    const struct kafka_log_options options = commit_log_options(config);
    TRY(kafka_log_open(&log, &options, err));
    struct marks_read read = {.source = source};
    int result =
        topic_read(config, log, arena_printf(arena, "%.*s-marks", STR_ARG(config->application_id)), &read, err);
    kafka_log_close(log);
    *count = 0;
    *marks = arena_alloc(arena, (read.count + 1) * sizeof **marks);
    if (read.count > 0)
        qsort(read.marks, read.count, sizeof *read.marks, mark_order);
    /* Of one offset the newest counts, as compaction would have it. */
    for (size_t i = 0; i < read.count; i++) {
        const struct commit_mark *mark = &read.marks[i].mark;
        const struct commit_mark *next = i + 1 < read.count ? &read.marks[i + 1].mark : NULL;
        bool newest = next == NULL || next->partition != mark->partition || next->offset != mark->offset;
        if (newest && !read.marks[i].removed)
            (*marks)[(*count)++] = *mark;
    }
    free(read.marks);
    if (read.damaged > 0)
        log_warn("marks that are not this program's were left out", LOG_I("marks", read.damaged));
    return result;
}

/* Whoever reads the log from its start or later takes both before the first record: then the earlier one says nothing
 * where the later one says no less. So each partition keeps the newest of those at or before its start. */
void commit_marks_old(struct commit_restored *restored, const int64_t *starts, struct arena *arena)
{
    restored->old_marks = arena_alloc(arena, (restored->mark_count + 1) * sizeof *restored->old_marks);
    restored->old_mark_count = 0;
    for (size_t i = 0; i + 1 < restored->mark_count; i++) {
        const struct commit_mark *mark = &restored->marks[i];
        const struct commit_mark *next = mark + 1;
        if (next->partition == mark->partition && next->offset <= starts[mark->partition] &&
            next->time_ms >= mark->time_ms)
            restored->old_marks[restored->old_mark_count++] = *mark;
    }
}

void commit_marks_since(struct commit_restored *restored)
{
    size_t kept = 0;
    for (size_t i = 0; i < restored->mark_count; i++) {
        const struct commit_mark *mark = &restored->marks[i];
        const struct commit_mark *next = i + 1 < restored->mark_count ? mark + 1 : NULL;
        int64_t position = restored->positions[mark->partition].offset;
        bool passed =
            mark->offset < position && next != NULL && next->partition == mark->partition && next->offset < position;
        if (!passed)
            restored->marks[kept++] = *mark;
    }
    restored->mark_count = kept;
}
