/* Reads a stretch of one partition's log from one offset to another, only what is committed: the changelog and the
 * marks on the way back. Offsets may have gaps. */
#ifndef FORESTALL_IO_KAFKA_LOG_H
#define FORESTALL_IO_KAFKA_LOG_H

#include "io/kafka.h"
#include "io/source.h"

struct kafka_log; /* one client for many partitions */

struct kafka_log_options {
    const struct str_pair *properties;
    size_t property_count;
    const char *group_id; /* to ask for a group's positions with the same client, which joins nothing; NULL: none */
    int queue_kib;    /* so much is fetched ahead, and at most as much again for what small records take; 0: 16 MiB */
    bool uncommitted; /* ranges reach over transactions that are open, and reading gives what is in them */
};

struct kafka_stretch {
    const char *topic;
    int32_t partition;
    int64_t from; /* the first offset wanted */
    int64_t to;   /* the offset after the last; INT64_MAX: what is committed now */
    /* Each record in order; the record holds during the call. Non-zero ends the reading with that result: > 0 is no
     * error, -1 has filled `err`. */
    int (*visit)(void *context, const struct source_record *record, struct error *err);
    /* Called about every 100 ms while waiting and between batches; may be NULL. -1 ends the reading. */
    int (*meanwhile)(void *context, struct error *err);
    void *context;
};

int kafka_log_open(struct kafka_log **log, const struct kafka_log_options *options, struct error *err) MUST_CHECK;
/* 0 once everything below `to` was given; ERROR_RETRY when nothing arrives for a minute. */
int kafka_log_read(struct kafka_log *log, const struct kafka_stretch *stretch, struct error *err) MUST_CHECK;
rd_kafka_t *kafka_log_client(struct kafka_log *log);
void kafka_log_close(struct kafka_log *log);

#endif
