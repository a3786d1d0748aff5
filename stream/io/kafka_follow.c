/* Every partition is read by librdkafka's simple consumer into one queue, which needs no group. */
#include "io/kafka_follow.h"

#include <stdlib.h>

#include "io/kafka_admin.h"

struct followed_partition {
    rd_kafka_topic_t *topic; /* its own reference, shared by librdkafka */
    int32_t number;
};

struct kafka_follow {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct arena arena; /* names */
    const char *names[KAFKA_FOLLOW_TOPICS_MAX];
    size_t topic_count;
    struct followed_partition *partitions;
    size_t partition_count;
    size_t partition_cap;
    rd_kafka_message_t *held;
};

static int follow_partition(struct kafka_follow *follow, const char *name, int32_t number, struct error *err)
{
    int64_t low;
    int64_t high;
    TRY(kafka_log_range(follow->client, name, number, &low, &high, err));
    rd_kafka_topic_t *topic = rd_kafka_topic_new(follow->client, name, NULL);
    if (topic == NULL || rd_kafka_consume_start_queue(topic, number, high, follow->queue) != 0) {
        (void)kafka_failed(err, rd_kafka_last_error(), "reading %s [%d]", name, (int)number);
        if (topic != NULL)
            rd_kafka_topic_destroy(topic);
        return -1;
    }
    follow->partitions =
        mem_grow(follow->partitions, follow->partition_count, &follow->partition_cap, sizeof *follow->partitions);
    follow->partitions[follow->partition_count++] = (struct followed_partition){topic, number};
    return 0;
}

static int follow_topic(struct kafka_follow *follow, struct str topic, struct error *err)
{
    const char *name = arena_str(&follow->arena, topic).p;
    int count = 0;
    follow->names[follow->topic_count++] = name;
    TRY(kafka_topic_partitions(follow->client, name, &count, err));
    if (count == 0)
        return error_set(err, ERROR_FATAL, "there is no topic %s: `forestall topics create` makes it", name);
    for (int32_t number = 0; number < count; number++)
        TRY(follow_partition(follow, name, number, err));
    return 0;
}

int kafka_follow_open(struct kafka_follow **out, const struct kafka_follow_options *options, struct error *err)
{
    static const struct kafka_setting defaults[] = {{"fetch.wait.max.ms", "100"}, {NULL, NULL}};
    static const struct kafka_setting fixed[] = {{"enable.auto.commit", "false"},
                                                 {"enable.auto.offset.store", "false"},
                                                 {"isolation.level", "read_committed"},
                                                 {"auto.offset.reset", "error"},
                                                 {NULL, NULL}};
    const struct kafka_client client = {.type = RD_KAFKA_CONSUMER,
                                        .properties = options->properties,
                                        .property_count = options->property_count,
                                        .defaults = defaults,
                                        .fixed = fixed};
    ASSERT(options->topic_count <= KAFKA_FOLLOW_TOPICS_MAX);
    struct kafka_follow *follow = mem_zalloc(sizeof *follow);
    int result = kafka_client_new(&follow->client, &client, err);
    if (result == 0)
        follow->queue = rd_kafka_queue_new(follow->client);
    for (size_t i = 0; result == 0 && i < options->topic_count; i++)
        result = follow_topic(follow, options->topics[i], err);
    if (result != 0) {
        kafka_follow_close(follow);
        return -1;
    }
    *out = follow;
    return 0;
}

static size_t topic_of(const struct kafka_follow *follow, const rd_kafka_message_t *message)
{
    size_t topic = 0;
    while (topic + 1 < follow->topic_count && strcmp(follow->names[topic], rd_kafka_topic_name(message->rkt)) != 0)
        topic++;
    return topic;
}

int kafka_follow_next(struct kafka_follow *follow, int timeout_ms, struct kafka_followed *record, bool *any,
                      struct error *err)
{
    if (follow->held != NULL)
        rd_kafka_message_destroy(follow->held);
    (void)rd_kafka_poll(follow->client, 0);
    follow->held = rd_kafka_consume_queue(follow->queue, timeout_ms);
    *any = false;
    const rd_kafka_message_t *message = follow->held;
    if (message == NULL || kafka_passing(message->err))
        return 0;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(err, message->err, "reading %s", rd_kafka_topic_name(message->rkt));
    *any = true;
    *record = (struct kafka_followed){.topic = topic_of(follow, message),
                                      .key = {message->key, message->key_len},
                                      .value = {message->payload, message->len},
                                      .message = message};
    return 0;
}

struct str kafka_followed_header(const struct kafka_followed *record, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t n;
    if (rd_kafka_message_headers(record->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &n) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct str){0};
    return (struct str){value, n};
}

void kafka_follow_close(struct kafka_follow *follow)
{
    if (follow->held != NULL)
        rd_kafka_message_destroy(follow->held);
    for (size_t i = 0; i < follow->partition_count; i++) {
        (void)rd_kafka_consume_stop(follow->partitions[i].topic, follow->partitions[i].number);
        rd_kafka_topic_destroy(follow->partitions[i].topic);
    }
    if (follow->queue != NULL)
        rd_kafka_queue_destroy(follow->queue);
    if (follow->client != NULL)
        kafka_client_free(follow->client);
    free(follow->partitions);
    arena_fini(&follow->arena);
    free(follow);
}
