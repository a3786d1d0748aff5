/* Idle marks: their bytes on the topic, and reading them back. The topic has one partition and is compacted by key. */
#include <stdlib.h>

#include "base/log.h"
#include "engine/commit_kafka.h"
#include "io/kafka_admin.h"
#include "io/kafka_log.h"

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

struct marks_read {
    const struct source *source;
    struct commit_mark *marks;
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
    int64_t time_ms = read_i64_sorted(&value);
    size_t partition;
    if (key.failed || value.failed) {
        read->damaged++;
        return 0;
    }
    if (!partition_find(read->source, topic, number, &partition))
        return 0; /* of a source that is no longer configured */
    read->marks = mem_grow(read->marks, read->count, &read->cap, sizeof *read->marks);
    read->marks[read->count++] = (struct commit_mark){partition, (int64_t)offset, time_ms};
    return 0;
}

static int mark_order(const void *left, const void *right)
{
    const struct commit_mark *a = left;
    const struct commit_mark *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
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
    struct kafka_stretch stretch = {.topic = topic, .visit = mark_take, .context = read};
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
    /* Two of one offset: the newer value is the greater, for time never goes back. */
    for (size_t i = 0; i < read.count; i++) {
        const struct commit_mark *next = i + 1 < read.count ? &read.marks[i + 1] : NULL;
        if (next == NULL || next->partition != read.marks[i].partition || next->offset != read.marks[i].offset)
            (*marks)[(*count)++] = read.marks[i];
    }
    free(read.marks);
    if (read.damaged > 0)
        log_warn("marks that are not this program's were left out", LOG_I("marks", read.damaged));
    return result;
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
