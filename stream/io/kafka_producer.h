/* A transactional producer: one transaction at a time, opened and closed in one burst by one thread.
 *
 * Every failure says by its class what holds afterwards. ERROR_ABORT: the transaction did not happen, or nobody knows;
 * whoever aborts it then replaces the producer (kafka_producer_dead), which fences what it left behind.
 * ERROR_FATAL: going on would fail again.
 */
#ifndef FORESTALL_IO_KAFKA_PRODUCER_H
#define FORESTALL_IO_KAFKA_PRODUCER_H

#include "io/kafka.h"

struct kafka_producer;

struct kafka_producer_options {
    const struct str_pair *properties;
    size_t property_count;
    const char *transactional_id;
    int64_t record_bytes_max; /* the largest record with its key and headers */
    int64_t queue_bytes;      /* of records on their way; sending waits for room */
    int transaction_ms;       /* brokers end a transaction that takes longer; 0: 10 s */
};

struct kafka_header {
    const char *name;
    struct str value;
};

struct kafka_record {
    const char *topic;
    int32_t partition; /* RD_KAFKA_PARTITION_UA: by hash of the key */
    struct str key;    /* p NULL: none */
    struct str value;  /* p NULL: a tombstone */
    const struct kafka_header *headers;
    size_t header_count;
    /* Filled when the record has arrived: offset + 1, if it is beyond what stands there. May be NULL. */
    int64_t *next_offset;
};

struct kafka_position {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct str metadata;
};

/* Whether there could be such a producer, by its properties: one is made, and is gone again. Asks nobody. */
int kafka_producer_try(const struct kafka_producer_options *options, struct error *err) MUST_CHECK;
/* Makes the producer and fences every earlier one of the same transactional id, waiting for its transaction to end.
 * ERROR_RETRY: nobody answered for a minute. */
int kafka_producer_open(struct kafka_producer **producer, const struct kafka_producer_options *options,
                        struct error *err) MUST_CHECK;
int kafka_producer_begin(struct kafka_producer *producer, struct error *err) MUST_CHECK;
/* Copies the record. */
int kafka_producer_send(struct kafka_producer *producer, const struct kafka_record *record,
                        struct error *err) MUST_CHECK;
/* Waits until everything sent has arrived; then each next_offset is final. */
int kafka_producer_flush(struct kafka_producer *producer, struct error *err) MUST_CHECK;
int kafka_producer_positions(struct kafka_producer *producer, const struct kafka_position *positions, size_t count,
                             const rd_kafka_consumer_group_metadata_t *group, struct error *err) MUST_CHECK;
int kafka_producer_commit(struct kafka_producer *producer, struct error *err) MUST_CHECK;
/* Ends the transaction without effect, if one is open: then the producer is dead afterwards. */
void kafka_producer_abort(struct kafka_producer *producer);
bool kafka_producer_dead(const struct kafka_producer *producer);
/* The last failure was that the group does not know this generation (any more). */
bool kafka_producer_group_lost(const struct kafka_producer *producer);
/* The last failure was that brokers did not answer: it says nothing of the next attempt. */
bool kafka_producer_unanswered(const struct kafka_producer *producer);
void kafka_producer_close(struct kafka_producer *producer);

#endif
