/* Where records come from: Kafka partitions, files, or memory (tests). One interface, polled by one thread.
 *
 * Partitions are numbered 0 … count - 1 by the source, in order of (topic, partition), and never change while it is
 * open; of a source that several instances share, each reads those that it owns. Records of a partition come in order
 * of offset; offsets may have gaps (transactions, compaction).
 */
#ifndef FORESTALL_IO_SOURCE_H
#define FORESTALL_IO_SOURCE_H

#include "base/buf.h"

struct source_record {
    const void *value; /* NULL: a tombstone */
    size_t value_n;
    const void *key;
    size_t key_n;
    int64_t offset;
    int64_t timestamp_ms; /* of the record; -1: none */
};

struct source_partition {
    int topic; /* number among the configuration's sources, which are in order of topic name; beyond them: internal */
    struct str topic_name;
    int32_t partition;
};

struct source;

struct source_ops {
    /* Up to `max` records of one partition that have already arrived, without waiting. They hold until the next
     * `release`. -1: ERROR_ABORT (partitions were taken away: start again from the committed positions) or ERROR_FATAL.
     */
    int (*poll)(struct source *source, size_t partition, struct source_record *records, size_t max, size_t *count,
                struct error *err);
    /* Gives back every record polled so far. */
    void (*release)(struct source *source);
    /* Waits up to `timeout_ms` for records of any partition; also serves the client's own events. */
    int (*wait)(struct source *source, int timeout_ms, struct error *err);
    /* The next record polled from the partition is the first one at `offset` or after. */
    int (*seek)(struct source *source, size_t partition, int64_t offset, struct error *err);
    /* The ends of these partitions' logs now, `offsets[i]` that of `partitions[i]` (none twice), by a fresh query that
     * sees open transactions: one for all of them, for whoever asks waits. NULL where every partition ends. */
    int (*end_offsets)(struct source *source, const size_t *partitions, size_t count, int64_t *offsets,
                       struct error *err);
    /* Up to which offset of the log all was given, records that are not for readers (transaction markers) included: at
     * the log's end it equals what end_offsets answers. NULL where every partition ends. */
    int64_t (*read_to)(struct source *source, size_t partition);
    /* A bounded source has given every record of the partition. Unbounded: always false. */
    bool (*finished)(struct source *source, size_t partition);
    /* Work done and in all, in records or bytes: for progress bars. Unbounded: both 0. */
    void (*progress)(struct source *source, int64_t *done, int64_t *total);
    /* This instance reads the partition, as of the last join; the others are never polled or sought. NULL: it reads
     * all of them. */
    bool (*owned)(struct source *source, size_t partition);
    /* ERROR_ABORT: that has changed. NULL: it never does. */
    int (*still_owned)(struct source *source, struct error *err);
    void (*close)(struct source *source);
};

struct source {
    const struct source_ops *ops;
    const struct source_partition *partitions;
    size_t partition_count;
};

/* Records in memory, added before or while it is polled: for tests of rules and of the engine. */
struct source *source_memory_new(const struct source_partition *partitions, size_t count);
/* Copies the record; offsets count from 0 in each partition. A value with p NULL is a tombstone. */
void source_memory_add(struct source *source, size_t partition, struct str value, int64_t timestamp_ms);
/* The next record added to the partition gets this offset, not below the one it would get. */
void source_memory_skip(struct source *source, size_t partition, int64_t offset);
/* No more will be added: the partitions finish when read. */
void source_memory_end(struct source *source);

#endif
