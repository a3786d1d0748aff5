/* The plain producer. Delivery reports come inside send and flush, on the caller's thread, and only of failures. */
#include "io/kafka_writer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "io/kafka_admin.h"

enum { FLUSH_MS = 60000, FULL_WAIT_MS = 50, SERVE_EVERY = 1024 };

struct kafka_writer {
    rd_kafka_t *client;
    rd_kafka_topic_t *topics[KAFKA_WRITER_TOPICS_MAX];
    size_t topic_count;
    unsigned sent;
    char failed[300]; /* the first record that did not arrive; empty: none */
};

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *context)
{
    (void)client;
    struct kafka_writer *writer = context;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && writer->failed[0] == '\0')
        (void)snprintf(writer->failed, sizeof writer->failed, "a record for %s: %s", rd_kafka_topic_name(message->rkt),
                       rd_kafka_err2str(message->err));
}

static void prepare(rd_kafka_conf_t *conf, void *context)
{
    rd_kafka_conf_set_opaque(conf, context);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
}

static int open_topic(struct kafka_writer *writer, const char *name, struct error *err)
{
    TRY(kafka_topic_need(writer->client, name, err));
    rd_kafka_topic_t *topic = rd_kafka_topic_new(writer->client, name, NULL);
    if (topic == NULL)
        return kafka_failed(err, rd_kafka_last_error(), "topic %s", name);
    writer->topics[writer->topic_count++] = topic;
    return 0;
}

static int open_topics(struct kafka_writer *writer, const struct kafka_writer_options *options, struct error *err)
{
    ASSERT(options->topic_count <= KAFKA_WRITER_TOPICS_MAX);
    for (size_t i = 0; i < options->topic_count; i++)
        TRY(open_topic(writer, options->topics[i], err));
    return 0;
}

int kafka_writer_open(struct kafka_writer **out, const struct kafka_writer_options *options, struct error *err)
{
    static const struct kafka_setting defaults[] = {
        {"linger.ms", "20"},
        {"batch.size", "1000000"},
        {"queue.buffering.max.messages", "500000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"partitioner", "murmur2_random"},
        {NULL, NULL},
    };
    /* Idempotent, so that no retry changes the order. */
    static const struct kafka_setting fixed[] = {
        {"enable.idempotence", "true"}, {"delivery.report.only.error", "true"}, {NULL, NULL}};
    struct kafka_writer *writer = mem_zalloc(sizeof *writer);
    const struct kafka_client client = {
        .type = RD_KAFKA_PRODUCER,
        .properties = options->properties,
        .property_count = options->property_count,
        .defaults = defaults,
        .fixed = fixed,
        .prepare = prepare,
        .context = writer,
    };
    if (kafka_client_new(&writer->client, &client, err) != 0 || open_topics(writer, options, err) != 0) {
        kafka_writer_close(writer);
        return -1;
    }
    *out = writer;
    return 0;
}

static rd_kafka_resp_err_t produce_at(struct kafka_writer *writer, const struct kafka_writer_record *record)
{
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = writer->topics[record->topic]},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)record->key.p, record->key.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)record->value.p, record->value.n}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = record->timestamp_ms},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(writer->client, parts, sizeof parts / sizeof *parts);
    rd_kafka_resp_err_t code = rd_kafka_error_code(error); /* of none: no error */
    rd_kafka_error_destroy(error);
    return code;
}

static rd_kafka_resp_err_t produce(struct kafka_writer *writer, const struct kafka_writer_record *record)
{
    if (record->timestamp_ms != 0)
        return produce_at(writer, record);
    if (rd_kafka_produce(writer->topics[record->topic], record->partition, RD_KAFKA_MSG_F_COPY,
                         (void *)(uintptr_t)record->value.p, record->value.n, record->key.p, record->key.n, NULL) == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    return rd_kafka_last_error();
}

int kafka_writer_send(struct kafka_writer *writer, const struct kafka_writer_record *record, struct error *err)
{
    if (++writer->sent % SERVE_EVERY == 0)
        (void)rd_kafka_poll(writer->client, 0);
    for (;;) {
        if (writer->failed[0] != '\0')
            return error_set(err, ERROR_FATAL, "%s", writer->failed);
        rd_kafka_resp_err_t code = produce(writer, record);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return kafka_failed(err, code, "writing to %s", rd_kafka_topic_name(writer->topics[record->topic]));
        (void)rd_kafka_poll(writer->client, FULL_WAIT_MS);
    }
}

int kafka_writer_flush(struct kafka_writer *writer, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(writer->client, FLUSH_MS);
    (void)rd_kafka_poll(writer->client, 0);
    if (writer->failed[0] != '\0')
        return error_set(err, ERROR_FATAL, "%s", writer->failed);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(err, code, "waiting for what was written");
    return 0;
}

void kafka_writer_close(struct kafka_writer *writer)
{
    if (writer == NULL)
        return;
    for (size_t i = 0; i < writer->topic_count; i++)
        rd_kafka_topic_destroy(writer->topics[i]);
    kafka_client_free(writer->client);
    free(writer);
}
