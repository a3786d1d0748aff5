/* The simple consumer over one partition at a time; the end is found by offset, or by the end-of-partition event where
 * the last offsets hold no record (transaction markers, compaction). */
#include "io/kafka_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/kafka_admin.h"
#include "io/kafka_errors.h"

enum { BATCH = 1024, POLL_MS = 100, STALL_MS = 60000, QUEUE_KIB = 16 << 10, ANSWER_KIB_MAX = 1 << 10 };

struct kafka_log {
    rd_kafka_t *client;
    rd_kafka_message_t *batch[BATCH];
};

int kafka_log_open(struct kafka_log **log, const struct kafka_log_options *options, struct error *err)
{
    char queue_kib[16], queue_messages[16], answer_bytes[16];
    int kib = options->queue_kib > 0 ? options->queue_kib : QUEUE_KIB;
    (void)snprintf(queue_kib, sizeof queue_kib, "%d", kib);
    (void)snprintf(queue_messages, sizeof queue_messages, "%d", kib * 1024 / KAFKA_MESSAGE_BYTES);
    (void)snprintf(answer_bytes, sizeof answer_bytes, "%d", (kib < ANSWER_KIB_MAX ? kib : ANSWER_KIB_MAX) * 1024);
    const struct kafka_setting defaults[] = {{"fetch.wait.max.ms", "50"},
                                             {"fetch.error.backoff.ms", "100"},
                                             {"queued.max.messages.kbytes", queue_kib},
                                             {"queued.min.messages", queue_messages},
                                             {"fetch.message.max.bytes", answer_bytes},
                                             {NULL, NULL}};
    const struct kafka_setting fixed[] = {
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"isolation.level", options->uncommitted ? "read_uncommitted" : "read_committed"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {options->group_id != NULL ? "group.id" : NULL, options->group_id},
        {NULL, NULL},
    };
    const struct kafka_client client = {
        .type = RD_KAFKA_CONSUMER,
        .properties = options->properties,
        .property_count = options->property_count,
        .defaults = defaults,
        .fixed = fixed,
    };
    struct kafka_log *self = mem_zalloc(sizeof *self);
    if (kafka_client_new(&self->client, &client, err) != 0) {
        free(self);
        return -1;
    }
    *log = self;
    return 0;
}

/* What has arrived, or else the first thing that does: a batch call by itself would wait until the batch is full. */
static size_t batch_take(struct kafka_log *log, rd_kafka_queue_t *queue)
{
    ssize_t got = rd_kafka_consume_batch_queue(queue, 0, log->batch, BATCH);
    if (got > 0)
        return (size_t)got;
    log->batch[0] = rd_kafka_consume_queue(queue, POLL_MS);
    return log->batch[0] != NULL ? 1 : 0;
}

/* One thing from the queue: 0 go on, 1 the end (or what `visit` said), -1. */
static int message_take(const struct kafka_stretch *stretch, int64_t to, const rd_kafka_message_t *message,
                        struct error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return message->offset >= to;
    if (kafka_passing(message->err))
        return 0;
    /* The range was looked at before, and will be again. */
    bool gone = kafka_offset_gone(message->err);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_set(err, gone ? ERROR_RETRY : ERROR_FATAL, "%s [%d]: %s", stretch->topic, (int)stretch->partition,
                         rd_kafka_message_errstr(message));
    if (message->offset < stretch->from)
        return 0;
    if (message->offset >= to)
        return 1;
    rd_kafka_timestamp_type_t kind;
    const struct source_record record = {
        .value = message->payload,
        .value_n = message->len,
        .key = message->key,
        .key_n = message->key_len,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &kind),
    };
    int result = stretch->visit(stretch->context, &record, err);
    return result == 0 && message->offset + 1 >= to ? 1 : result;
}

static int stretch_read(struct kafka_log *log, rd_kafka_queue_t *queue, const struct kafka_stretch *stretch, int64_t to,
                        struct error *err)
{
    int64_t moved_us = clock_mono_us();
    int result = 0;
    while (result == 0) {
        size_t got = batch_take(log, queue);
        for (size_t i = 0; i < got; i++) {
            if (result == 0)
                result = message_take(stretch, to, log->batch[i], err);
            rd_kafka_message_destroy(log->batch[i]);
        }
        (void)rd_kafka_poll(log->client, 0);
        if (result == 0 && stretch->meanwhile != NULL)
            result = stretch->meanwhile(stretch->context, err);
        int64_t now_us = clock_mono_us();
        if (got > 0)
            moved_us = now_us;
        if (result == 0 && (now_us - moved_us > STALL_MS * INT64_C(1000) || kafka_stopping()))
            result = error_set(err, ERROR_RETRY,
                               "%s [%d]: nothing comes before offset %lld for %d s (brokers down, or a transaction "
                               "left open)",
                               stretch->topic, (int)stretch->partition, (long long)to, STALL_MS / 1000);
    }
    return result < 0 ? -1 : 0;
}

int kafka_log_read(struct kafka_log *log, const struct kafka_stretch *stretch, struct error *err)
{
    int64_t to = stretch->to;
    int64_t from = stretch->from;
    if (to == INT64_MAX) {
        int64_t low;
        TRY(kafka_log_range(log->client, stretch->topic, stretch->partition, &low, &to, err));
        from = from > low ? from : low;
    }
    if (from >= to)
        return 0;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(log->client, stretch->topic, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(log->client);
    int result;
    if (topic == NULL || rd_kafka_consume_start_queue(topic, stretch->partition, from, queue) != 0) {
        result = kafka_failed(err, rd_kafka_last_error(), "reading %s [%d]", stretch->topic, (int)stretch->partition);
    } else {
        result = stretch_read(log, queue, stretch, to, err);
        (void)rd_kafka_consume_stop(topic, stretch->partition);
    }
    rd_kafka_queue_destroy(queue);
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    return result;
}

rd_kafka_t *kafka_log_client(struct kafka_log *log)
{
    return log->client;
}

void kafka_log_close(struct kafka_log *log)
{
    if (log == NULL)
        return;
    kafka_client_free(log->client);
    free(log);
}
