/* A thread that takes messages out of librdkafka's queues ahead of the worker, and frees them after it: the queues'
 * locks and the allocator cost the worker nothing. A ring of batches a partition, with one producer and one consumer.
 *
 *     empty -> (thread fills) -> full -> (worker takes, reads, gives back) -> used -> (thread frees) -> empty
 *
 * What the rings hold is bounded: batches are of about FETCH_BATCH_BYTES, at most FETCH_BATCHES a partition. They come
 * from one pool, so that a partition where nothing comes holds none; while the pool's bytes are taken each still gets
 * FETCH_BATCHES_MIN, which have fewer messages where there are many partitions. Starting and stopping a partition are
 * the worker's too, and wait for the thread to be between two partitions.
 */
#ifndef FORESTALL_IO_KAFKA_FETCH_H
#define FORESTALL_IO_KAFKA_FETCH_H

#include <stdatomic.h>

#include "io/kafka.h"
#include "io/source.h"

enum { FETCH_BATCH_MAX = 512, FETCH_BATCHES = 16, FETCH_BATCHES_MIN = 2, FETCH_BATCH_BYTES = 64 * 1024 };

struct kafka_batch {
    struct kafka_batch *next; /* in the pool */
    size_t count;             /* messages */
    size_t at;                /* the worker's: messages before it were read */
    rd_kafka_resp_err_t code; /* why nothing could be taken */
    size_t others;            /* messages that are no records, but errors and ends of partitions */
    rd_kafka_message_t *messages[FETCH_BATCH_MAX];
    struct source_record records[FETCH_BATCH_MAX]; /* of those that are records */
};

/* What librdkafka's queue of a partition holds: it asks for more while there are fewer messages and bytes than these,
 * and an answer brings so many bytes or, where that is more, one batch as its producer made it. */
struct kafka_ahead {
    size_t messages;
    size_t bytes;
    size_t answer_bytes;
};

/* So that all partitions together hold about `bytes`, each message counted with what it takes for itself; but each
 * always some, or a wide topic starves. `inputs` of the partitions have messages that are many and small. Who reads
 * which is not known when this is set: where others read too, one holds less. */
struct kafka_ahead kafka_ahead_of(size_t bytes, size_t partitions, size_t inputs);

struct kafka_fetch;

/* All partitions' batches together take about `bytes`. */
int kafka_fetch_new(struct kafka_fetch **fetch, size_t partitions, size_t bytes, struct error *err) MUST_CHECK;
/* Ends the thread; every partition must have been stopped. NULL: nothing. */
void kafka_fetch_free(struct kafka_fetch *fetch);
/* Before the client is made whose queues it will take from (kafka_cpu.h); that one ends before kafka_fetch_free. */
void kafka_fetch_watch(struct kafka_fetch *fetch, rd_kafka_conf_t *conf);
/* Takes from the queue from now on; the queue must outlive kafka_fetch_stop. */
void kafka_fetch_start(struct kafka_fetch *fetch, size_t partition, rd_kafka_queue_t *queue);
/* Nothing of the partition is taken or held any more, not even what the worker has. */
void kafka_fetch_stop(struct kafka_fetch *fetch, size_t partition);
/* The batch to read next, NULL: there is none now. It is the same until kafka_fetch_pass. */
struct kafka_batch *kafka_fetch_peek(struct kafka_fetch *fetch, size_t partition);
/* The worker has read it to its end, and goes on to the next one. What it read holds until kafka_fetch_give. */
void kafka_fetch_pass(struct kafka_fetch *fetch, size_t partition);
/* Everything that was passed may be freed. */
void kafka_fetch_give(struct kafka_fetch *fetch);
/* Waits until a partition that was read to where there was no more has a batch, at most `timeout_ms`. Those that were
 * not looked at since the last wait are not waited for. */
void kafka_fetch_wait(struct kafka_fetch *fetch, int timeout_ms);

#endif
