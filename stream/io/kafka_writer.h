/* A plain producer of many records, without transactions: for `gen` and the demo, which write what the program reads.
 * Records of one partition arrive in the order in which they were sent. One thread. */
#ifndef FORESTALL_IO_KAFKA_WRITER_H
#define FORESTALL_IO_KAFKA_WRITER_H

#include "io/kafka.h"

enum { KAFKA_WRITER_TOPICS_MAX = 8 };

struct kafka_writer;

struct kafka_writer_options {
    const struct str_pair *properties;
    size_t property_count;
    const char *const *topics; /* up to KAFKA_WRITER_TOPICS_MAX */
    size_t topic_count;
};

struct kafka_writer_record {
    size_t topic;      /* its place in the options */
    int32_t partition; /* RD_KAFKA_PARTITION_UA: by hash of the key, as Java's producers do */
    struct str key;
    struct str value;
    int64_t timestamp_ms; /* 0: now */
};

/* ERROR_FATAL: a property is wrong, or a topic is missing. */
int kafka_writer_open(struct kafka_writer **writer, const struct kafka_writer_options *options,
                      struct error *err) MUST_CHECK;
/* Copies the record; waits where too much is under way. ERROR_FATAL: an earlier record was refused. */
int kafka_writer_send(struct kafka_writer *writer, const struct kafka_writer_record *record,
                      struct error *err) MUST_CHECK;
/* Waits until everything has arrived; ERROR_FATAL when it does not within a minute. */
int kafka_writer_flush(struct kafka_writer *writer, struct error *err) MUST_CHECK;
/* What was not flushed is dropped. */
void kafka_writer_close(struct kafka_writer *writer);

#endif
