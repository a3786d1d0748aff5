/* The transactional producer. Delivery reports come inside send, flush and commit, on the caller's thread. */
#include "io/kafka_producer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

/* A transaction lives 10 s on the broker, or longer; what is retried here ends before that. */
enum {
    TRANSACTION_MS = 10000,
    INIT_MS = 60000,
    STEP_MS = 9000,
    ABORT_MS = 9000,
    RETRY_MS = 50,
    OVERHEAD_BYTES = 64 << 10,
    QUEUE_BYTES_MIN = 4 << 20
};

struct kafka_producer {
    rd_kafka_t *client;
    struct map topics; /* name -> rd_kafka_topic_t */
    bool open;         /* a transaction is */
    bool dead;
    bool group_lost;
    bool unanswered;  /* the last failure was that brokers did not answer in time */
    bool refused;     /* a record was refused for good */
    char failed[300]; /* the first record that did not arrive; empty: none */
};

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *context)
{
    (void)client;
    struct kafka_producer *producer = context;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        int64_t *next_offset = message->_private;
        if (next_offset != NULL && message->offset + 1 > *next_offset)
            *next_offset = message->offset + 1;
        return;
    }
    const struct kafka_code *about = kafka_code(message->err);
    if (producer->failed[0] != '\0' || about->about == KAFKA_ABOUT_ANOTHER)
        return;
    producer->refused = about->writes == ERROR_FATAL;
    producer->unanswered = message->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || kafka_passing(message->err);
    (void)snprintf(producer->failed, sizeof producer->failed, "a record of %zu bytes for %s (key %.*s): %s%s%s%s",
                   message->len, rd_kafka_topic_name(message->rkt), message->key_len < 80 ? (int)message->key_len : 80,
                   message->key != NULL ? (const char *)message->key : "", rd_kafka_err2str(message->err),
                   about->advice != NULL ? " (" : "", about->advice != NULL ? about->advice : "",
                   about->advice != NULL ? ")" : "");
}

static void prepare(rd_kafka_conf_t *conf, void *context)
{
    rd_kafka_conf_set_opaque(conf, context);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
}

static void pause_ms(int ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * 1000000L};
    (void)nanosleep(&span, NULL);
}

static int client_open(struct kafka_producer *producer, const struct kafka_producer_options *options, struct error *err)
{
    char message_bytes[24];
    char queue_kib[24];
    char transaction_ms[24];
    int64_t bytes = options->record_bytes_max + OVERHEAD_BYTES;
    (void)snprintf(message_bytes, sizeof message_bytes, "%" PRId64, bytes > 1000000 ? bytes : 1000000);
    int64_t queue_bytes_min = 2 * bytes > QUEUE_BYTES_MIN ? 2 * bytes : QUEUE_BYTES_MIN;
    (void)snprintf(queue_kib, sizeof queue_kib, "%" PRId64,
                   (options->queue_bytes > queue_bytes_min ? options->queue_bytes : queue_bytes_min) / 1024);
    (void)snprintf(transaction_ms, sizeof transaction_ms, "%d",
                   options->transaction_ms > 0 ? options->transaction_ms : TRANSACTION_MS);
    const struct kafka_setting defaults[] = {
        {"linger.ms", "5"},
        {"compression.type", "lz4"},
        {"queue.buffering.max.messages", "500000"},
        {"queue.buffering.max.kbytes", queue_kib},
        {"batch.size", "900000"},
        {"socket.timeout.ms", "9900"}, /* librdkafka's would be as long as the transaction */
        {NULL, NULL},
    };
    const struct kafka_setting fixed[] = {
        {"transactional.id", options->transactional_id},
        {"transaction.timeout.ms", transaction_ms},
        {"message.timeout.ms", "9000"},
        {"message.max.bytes", message_bytes},
        {NULL, NULL},
    };
    const struct kafka_client client = {
        .type = RD_KAFKA_PRODUCER,
        .properties = options->properties,
        .property_count = options->property_count,
        .defaults = defaults,
        .fixed = fixed,
        .prepare = prepare,
        .context = producer,
    };
    return kafka_client_new(&producer->client, &client, err);
}

/* Takes the error. What it means for the transaction and the producer goes into `err`'s class. */
static int step_failed(struct kafka_producer *producer, const char *step, rd_kafka_error_t *error, struct error *err)
{
    const struct kafka_verdict verdict = kafka_error_judge(error);
    const char *advice = kafka_code(rd_kafka_error_code(error))->advice;
    /* Which topic it is librdkafka says in lines of its own alone. */
    if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        advice = "give this user the right to each topic that the lines before this one name";
    producer->group_lost = verdict.group_lost;
    producer->unanswered = kafka_passing(rd_kafka_error_code(error));
    producer->dead = producer->dead || verdict.dead;
    enum error_class class = verdict.class == ERROR_FATAL ? ERROR_FATAL : ERROR_ABORT;
    if (class == ERROR_FATAL && advice != NULL)
        error_set(err, class, "%s: %s (%s)", step, rd_kafka_error_string(error), advice);
    else
        error_set(err, class, "%s: %s", step, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return -1;
}

/* A retriable error is worth another try until the deadline; its own pace is that of the call's timeout. */
static bool step_again(rd_kafka_error_t *error, int64_t deadline_us)
{
    if (kafka_error_judge(error).class != ERROR_RETRY || clock_mono_us() >= deadline_us)
        return false;
    rd_kafka_error_destroy(error);
    pause_ms(RETRY_MS);
    return true;
}

static int left_ms(int64_t deadline_us)
{
    int64_t left = (deadline_us - clock_mono_us()) / 1000;
    return left > 1 ? (int)left : 1;
}

static int producer_new(struct kafka_producer **producer, const struct kafka_producer_options *options,
                        struct error *err)
{
    struct kafka_producer *self = mem_zalloc(sizeof *self);
    if (client_open(self, options, err) != 0) {
        free(self);
        return -1;
    }
    *producer = self;
    return 0;
}

int kafka_producer_try(const struct kafka_producer_options *options, struct error *err)
{
    struct kafka_producer *self;
    TRY(producer_new(&self, options, err));
    kafka_producer_close(self);
    return 0;
}

int kafka_producer_open(struct kafka_producer **producer, const struct kafka_producer_options *options,
                        struct error *err)
{
    struct kafka_producer *self;
    TRY(producer_new(&self, options, err));
    int64_t deadline_us = clock_mono_us() + INIT_MS * INT64_C(1000);
    rd_kafka_error_t *error;
    do
        error = rd_kafka_init_transactions(self->client, STEP_MS);
    while (error != NULL && !kafka_stopping() && step_again(error, deadline_us));
    if (error != NULL) {
        enum error_class class = kafka_error_judge(error).class == ERROR_RETRY ? ERROR_RETRY : ERROR_FATAL;
        const char *advice = kafka_code(rd_kafka_error_code(error))->advice;
        error_set(err, class, "transactions of %s cannot start: %s (%s)", options->transactional_id,
                  rd_kafka_error_string(error),
                  advice != NULL ? advice : "are brokers down, or has this user no right to the id?");
        rd_kafka_error_destroy(error);
        kafka_producer_close(self);
        return -1;
    }
    *producer = self;
    return 0;
}

int kafka_producer_begin(struct kafka_producer *producer, struct error *err)
{
    ASSERT(!producer->open && !producer->dead);
    producer->failed[0] = '\0';
    producer->refused = producer->unanswered = false;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(producer->client);
    if (error != NULL)
        return step_failed(producer, "beginning a transaction", error, err);
    producer->open = true;
    return 0;
}

static rd_kafka_topic_t *topic_of(struct kafka_producer *producer, const char *name)
{
    void **slot = map_slot(&producer->topics, str_of(name));
    if (*slot == NULL)
        *slot = rd_kafka_topic_new(producer->client, name, NULL);
    return *slot;
}

static rd_kafka_headers_t *headers_of(const struct kafka_record *record)
{
    if (record->header_count == 0)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++)
        (void)rd_kafka_header_add(headers, record->headers[i].name, -1, record->headers[i].value.p,
                                  (ssize_t)record->headers[i].value.n);
    return headers;
}

static rd_kafka_resp_err_t record_enqueue(struct kafka_producer *producer, const struct kafka_record *record)
{
    rd_kafka_topic_t *topic = topic_of(producer, record->topic);
    if (topic == NULL)
        return rd_kafka_last_error();
    rd_kafka_headers_t *headers = headers_of(record);
    const char *key = record->key.p;
    const char *value = record->value.p;
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key, record->key.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value, record->value.n}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = record->next_offset},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error =
        rd_kafka_produceva(producer->client, parts, sizeof parts / sizeof *parts - (headers == NULL));
    if (error == NULL)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers != NULL)
        rd_kafka_headers_destroy(headers);
    return code;
}

/* A record was not taken: nothing will make it pass, unless the transaction is what failed. */
static int record_failed(struct kafka_producer *producer, const struct kafka_record *record, rd_kafka_resp_err_t code,
                         struct error *err)
{
    bool transaction = kafka_error_class(KAFKA_WRITES, code) != ERROR_FATAL || producer->failed[0] != '\0';
    if (transaction && !producer->refused)
        return error_set(err, ERROR_ABORT, "sending to %s: %s", record->topic,
                         producer->failed[0] != '\0' ? producer->failed : rd_kafka_err2str(code));
    return error_set(err, ERROR_FATAL, "a record of %zu bytes for %s (key %.*s): %s", record->value.n, record->topic,
                     record->key.n < 80 ? (int)record->key.n : 80, record->key.p != NULL ? record->key.p : "",
                     rd_kafka_err2str(code));
}

int kafka_producer_send(struct kafka_producer *producer, const struct kafka_record *record, struct error *err)
{
    ASSERT(producer->open);
    int64_t deadline_us = 0;
    for (;;) {
        rd_kafka_resp_err_t code = record_enqueue(producer, record);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (deadline_us == 0)
            deadline_us = clock_mono_us() + STEP_MS * INT64_C(1000);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || clock_mono_us() > deadline_us)
            return record_failed(producer, record, code, err);
        (void)rd_kafka_poll(producer->client, RETRY_MS);
    }
}

int kafka_producer_flush(struct kafka_producer *producer, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(producer->client, STEP_MS);
    if (producer->failed[0] != '\0')
        return error_set(err, producer->refused ? ERROR_FATAL : ERROR_ABORT, "%s", producer->failed);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    producer->unanswered = kafka_passing(code);
    return error_set(err, ERROR_ABORT, "%d records have not arrived: %s", rd_kafka_outq_len(producer->client),
                     rd_kafka_err2str(code));
}

int kafka_producer_positions(struct kafka_producer *producer, const struct kafka_position *positions, size_t count,
                             const rd_kafka_consumer_group_metadata_t *group, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *to =
            rd_kafka_topic_partition_list_add(list, positions[i].topic, positions[i].partition);
        to->offset = positions[i].offset;
        to->metadata = mem_strdup(positions[i].metadata);
        to->metadata_size = positions[i].metadata.n;
    }
    int64_t deadline_us = clock_mono_us() + STEP_MS * INT64_C(1000);
    rd_kafka_error_t *error;
    do
        error = rd_kafka_send_offsets_to_transaction(producer->client, list, group, left_ms(deadline_us));
    while (error != NULL && step_again(error, deadline_us));
    rd_kafka_topic_partition_list_destroy(list);
    return error == NULL ? 0 : step_failed(producer, "adding the positions", error, err);
}

int kafka_producer_commit(struct kafka_producer *producer, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + STEP_MS * INT64_C(1000);
    rd_kafka_error_t *error;
    do
        error = rd_kafka_commit_transaction(producer->client, left_ms(deadline_us));
    while (error != NULL && step_again(error, deadline_us));
    if (error != NULL)
        return step_failed(producer, "committing", error, err);
    producer->open = false;
    return 0;
}

void kafka_producer_abort(struct kafka_producer *producer)
{
    if (!producer->open)
        return;
    producer->open = false;
    if (producer->dead)
        return;
    int64_t deadline_us = clock_mono_us() + ABORT_MS * INT64_C(1000);
    rd_kafka_error_t *error;
    do
        error = rd_kafka_abort_transaction(producer->client, left_ms(deadline_us));
    while (error != NULL && step_again(error, deadline_us));
    /* Not used again: librdkafka counts on with the sequence numbers of messages that timed out meanwhile. A broker
     * that had appended them before takes what the next transaction sends under those numbers for the same once more,
     * says that all is well, and the records are lost (seen with 2.0.2). A new producer has a new epoch, and counts
     * from 0. */
    producer->dead = true;
    if (error == NULL)
        return;
    log_warn("a transaction could not be aborted; a new producer takes over",
             LOG_S("text", rd_kafka_error_string(error)));
    rd_kafka_error_destroy(error);
}

bool kafka_producer_dead(const struct kafka_producer *producer)
{
    return producer->dead;
}

bool kafka_producer_group_lost(const struct kafka_producer *producer)
{
    return producer->group_lost;
}

bool kafka_producer_unanswered(const struct kafka_producer *producer)
{
    return producer->unanswered;
}

void kafka_producer_close(struct kafka_producer *producer)
{
    if (producer == NULL)
        return;
    if (producer->open && !producer->dead)
        kafka_producer_abort(producer);
    (void)rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_poll(producer->client, 0);
    struct map_entry *entry;
    for (size_t i = 0; map_next(&producer->topics, &i, &entry);)
        if (entry->value != NULL)
            rd_kafka_topic_destroy(entry->value);
    map_fini(&producer->topics);
    rd_kafka_destroy(producer->client);
    free(producer);
}
