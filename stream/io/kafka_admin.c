/* One request, one answer: librdkafka's admin interface through a queue of its own each time. */
#include "io/kafka_admin.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { REACH_MS = 30000, RETRY_MS = 300, METADATA_MS = 5000, BELIEVE_MS = 5000 };

int kafka_asker_new(rd_kafka_t **client, const struct str_pair *properties, size_t count, struct error *err)
{
    /* A question waits at a leader that died for as long as a socket may (a minute), whatever time it was given, and
     * the worker with it. */
    static const struct kafka_setting defaults[] = {{"socket.timeout.ms", "10000"}, {NULL, NULL}};
    static const struct kafka_setting fixed[] = {{"isolation.level", "read_uncommitted"}, {NULL, NULL}};
    const struct kafka_client options = {
        .type = RD_KAFKA_CONSUMER,
        .properties = properties,
        .property_count = count,
        .defaults = defaults,
        .fixed = fixed,
    };
    return kafka_client_new(client, &options, err);
}

/* A request under way: its options and where the answer comes. */
struct request {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
};

static struct request request_begin(rd_kafka_t *client, rd_kafka_admin_op_t op)
{
    struct request request = {rd_kafka_AdminOptions_new(client, op), rd_kafka_queue_new(client)};
    char text[128];
    (void)rd_kafka_AdminOptions_set_request_timeout(request.options, KAFKA_REQUEST_MS, text, sizeof text);
    return request;
}

/* The answer, or NULL and `err`. */
static rd_kafka_event_t *request_end(struct request *request, const char *what, struct error *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(request->queue, KAFKA_REQUEST_MS + 5000);
    rd_kafka_queue_destroy(request->queue);
    rd_kafka_AdminOptions_destroy(request->options);
    if (event == NULL) {
        error_set(err, ERROR_RETRY, "%s: no answer from the cluster", what);
    } else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bool passing = kafka_passing(rd_kafka_event_error(event));
        error_set(err, passing ? ERROR_RETRY : ERROR_FATAL, "%s: %s", what, rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        event = NULL;
    }
    return event;
}

/* What metadata says of a topic. */
struct topic_shape {
    int partitions; /* 0: there is no such topic */
    int replicas;   /* of the partition with the fewest */
    int32_t broker; /* who says it; -1: not known */
};

static struct topic_shape shape_of(const rd_kafka_metadata_topic_t *topic)
{
    struct topic_shape shape = {.partitions = topic->partition_cnt};
    for (int i = 0; i < topic->partition_cnt; i++)
        if (i == 0 || topic->partitions[i].replica_cnt < shape.replicas)
            shape.replicas = topic->partitions[i].replica_cnt;
    return shape;
}

static rd_kafka_resp_err_t shape_ask(rd_kafka_t *client, const char *topic, struct topic_shape *shape)
{
    const struct rd_kafka_metadata *metadata;
    *shape = (struct topic_shape){.broker = -1};
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    if (handle == NULL)
        return rd_kafka_last_error();
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, METADATA_MS);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        *shape = shape_of(&metadata->topics[0]);
    shape->broker = metadata->orig_broker_id;
    rd_kafka_metadata_destroy(metadata);
    return code;
}

static void pause_ms(int ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * 1000000L};
    (void)nanosleep(&span, NULL);
}

static int shape_get(rd_kafka_t *client, const char *topic, struct topic_shape *shape, struct error *err)
{
    int64_t reach_ms = kafka_reach_ms();
    int64_t deadline_us = clock_mono_us() + reach_ms * 1000;
    for (;;) {
        rd_kafka_resp_err_t code = shape_ask(client, topic, shape);
        bool missing = kafka_code(code)->about == KAFKA_ABOUT_TOPIC;
        if (missing || !kafka_passing(code))
            kafka_reached();
        if (missing || code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (!kafka_passing(code))
            return kafka_failed(err, code, "topic %s", topic);
        if (clock_mono_us() > deadline_us || kafka_stopping())
            return kafka_silence(
                err, code,
                "no broker answers, asked about topic %s for %d s (are bootstrap.servers and the credentials right?)",
                topic, (int)(reach_ms / 1000));
        pause_ms(RETRY_MS);
    }
}

int kafka_topic_partitions(rd_kafka_t *client, const char *topic, int *count, struct error *err)
{
    struct topic_shape shape;
    TRY(shape_get(client, topic, &shape, err));
    *count = shape.partitions;
    return 0;
}

int kafka_topic_need(rd_kafka_t *client, const char *topic, struct error *err)
{
    int partitions;
    TRY(kafka_topic_partitions(client, topic, &partitions, err));
    if (partitions > 0)
        return 0;
    return error_set(err, ERROR_FATAL,
                     "there is no topic %s: make it first (`forestall topics create` makes those of a configuration)",
                     topic);
}

int kafka_topic_replicas(rd_kafka_t *client, const char *topic, int *count, struct error *err)
{
    struct topic_shape shape;
    TRY(shape_get(client, topic, &shape, err));
    *count = shape.replicas;
    return 0;
}

/* What the list's offsets ask for of each log, by one request a broker; the list keeps its order. Not by
 * rd_kafka_query_watermark_offsets, which of a broker that stands still returns after minutes whatever time it is given
 * (2.0.2: it waits for its request, and that is sent again). */
static rd_kafka_resp_err_t offsets_ask(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, list, METADATA_MS);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    return code;
}

/* One end of a log. */
static rd_kafka_resp_err_t offset_ask(rd_kafka_t *client, const char *topic, int32_t partition, int64_t which,
                                      int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = which;
    rd_kafka_resp_err_t code = offsets_ask(client, list);
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* After one that may pass there is a pause. */
static rd_kafka_resp_err_t range_ask(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *low,
                                     int64_t *high)
{
    struct topic_shape ignored;
    rd_kafka_resp_err_t code = offset_ask(client, topic, partition, RD_KAFKA_OFFSET_BEGINNING, low);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = offset_ask(client, topic, partition, RD_KAFKA_OFFSET_END, high);
    if (!kafka_passing(code))
        return code;
    /* A client that does not read the topic learns of another leader only when it is asked about it; else it asks the
     * old one for a quarter of an hour (metadata.max.age.ms). */
    (void)shape_ask(client, topic, &ignored);
    pause_ms(RETRY_MS);
    return code;
}

int kafka_log_range_ask(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                        struct error *err)
{
    rd_kafka_resp_err_t code = range_ask(client, topic, partition, low, high);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    (void)kafka_failed(err, code, "the range of %s [%d]", topic, (int)partition);
    if (kafka_passing(code))
        err->class = ERROR_RETRY;
    return -1;
}

int kafka_log_range(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                    struct error *err)
{
    int64_t deadline_us = clock_mono_us() + REACH_MS * INT64_C(1000);
    rd_kafka_resp_err_t code;
    do
        code = range_ask(client, topic, partition, low, high);
    while (kafka_passing(code) && clock_mono_us() < deadline_us && !kafka_stopping());
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return kafka_failed(err, code, "the range of %s [%d]", topic, (int)partition);
}

int kafka_log_offset_at(rd_kafka_t *client, const char *topic, int32_t partition, int64_t time_ms, int64_t *offset,
                        struct error *err)
{
    int64_t deadline_us = clock_mono_us() + REACH_MS * INT64_C(1000);
    rd_kafka_resp_err_t code = offset_ask(client, topic, partition, time_ms, offset);
    while (kafka_passing(code) && clock_mono_us() < deadline_us && !kafka_stopping()) {
        struct topic_shape ignored;
        (void)shape_ask(client, topic, &ignored); /* as in range_ask */
        pause_ms(RETRY_MS);
        code = offset_ask(client, topic, partition, time_ms, offset);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(err, code, "the record by time in %s [%d]", topic, (int)partition);
    if (*offset < 0)
        *offset = INT64_MAX;
    return 0;
}

/* Who leads the list's topics now: as in range_ask. */
static void leaders_ask(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list)
{
    struct topic_shape ignored;
    for (int i = 0; i < list->cnt; i++) {
        if (i > 0 && strcmp(list->elems[i].topic, list->elems[i - 1].topic) == 0)
            continue;
        rd_kafka_resp_err_t code = shape_ask(client, list->elems[i].topic, &ignored);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && kafka_code(code)->about != KAFKA_ABOUT_TOPIC)
            return; /* nobody answers: not for so long for each topic */
    }
}

/* After one that may pass there is a pause. */
static rd_kafka_resp_err_t ends_ask(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = offsets_ask(client, list);
    /* One that an answer leaves out stays as it was asked, which would be less than any offset. */
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        if (list->elems[i].offset < 0)
            code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (kafka_passing(code)) {
        leaders_ask(client, list);
        pause_ms(RETRY_MS);
    }
    return code;
}

/* Which log it is about librdkafka says only of those that it did not ask for. */
static int ends_failed(const rd_kafka_topic_partition_list_t *list, rd_kafka_resp_err_t code, struct error *err)
{
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err == code || list->cnt == 1)
            return kafka_failed(err, code, "the end of %s [%d]", list->elems[i].topic, (int)list->elems[i].partition);
    return kafka_failed(err, code, "the ends of %d logs, %s [%d] the first", list->cnt, list->elems[0].topic,
                        (int)list->elems[0].partition);
}

int kafka_log_ends(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + REACH_MS * INT64_C(1000);
    rd_kafka_resp_err_t code;
    if (list->cnt == 0)
        return 0;
    do
        code = ends_ask(client, list);
    while (kafka_passing(code) && clock_mono_us() < deadline_us && !kafka_stopping());
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : ends_failed(list, code, err);
}

static int create_failed(const struct kafka_topic_new *topic, rd_kafka_resp_err_t code, const char *text,
                         struct error *err)
{
    enum error_class class = kafka_passing(code) ? ERROR_RETRY : ERROR_FATAL;
    const char *advice = kafka_code(code)->advice;
    if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
        return error_set(err, class, "topic %s cannot be made: %s (state.replication_factor is %d: %s)", topic->name,
                         text, topic->replication_factor, advice);
    if (advice == NULL)
        return error_set(err, class, "topic %s cannot be made: %s", topic->name, text);
    return error_set(err, class, "topic %s cannot be made: %s (%s)", topic->name, text, advice);
}

static int create_result(const rd_kafka_event_t *event, const struct kafka_topic_new *topic, bool *made,
                         struct error *err)
{
    size_t count;
    *made = true;
    const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result((rd_kafka_event_t *)(uintptr_t)event), &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *text = rd_kafka_topic_result_error_string(results[i]);
        *made = *made && code == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            return create_failed(topic, code, text != NULL ? text : rd_kafka_err2str(code), err);
    }
    return 0;
}

/* The controller knows a new topic before each broker does. */
static int topic_appears(rd_kafka_t *client, const struct kafka_topic_new *topic, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + REACH_MS * INT64_C(1000);
    for (int count = 0;;) {
        TRY(kafka_topic_partitions(client, topic->name, &count, err));
        if (count > 0)
            return 0;
        if (clock_mono_us() > deadline_us)
            return error_set(err, ERROR_RETRY, "topic %s was made but does not appear", topic->name);
        pause_ms(RETRY_MS / 3);
    }
}

int kafka_topic_create(rd_kafka_t *client, const struct kafka_topic_new *topic, bool *made, struct error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(topic->name, topic->partitions, topic->replication_factor, text, sizeof text);
    if (wanted == NULL)
        return error_set(err, ERROR_FATAL, "topic %s cannot be made: %s", topic->name, text);
    for (const struct kafka_setting *setting = topic->settings; setting != NULL && setting->name != NULL; setting++)
        (void)rd_kafka_NewTopic_set_config(wanted, setting->name, setting->value);
    struct request request = request_begin(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(client, &wanted, 1, request.options, request.queue);
    rd_kafka_event_t *event = request_end(&request, "making topics", err);
    rd_kafka_NewTopic_destroy(wanted);
    if (event == NULL)
        return -1;
    int result = create_result(event, topic, made, err);
    rd_kafka_event_destroy(event);
    return result == 0 ? topic_appears(client, topic, err) : -1;
}

int kafka_topic_delete(rd_kafka_t *client, const char *topic, struct error *err)
{
    rd_kafka_DeleteTopic_t *gone = rd_kafka_DeleteTopic_new(topic);
    struct request request = request_begin(client, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(client, &gone, 1, request.options, request.queue);
    rd_kafka_event_t *event = request_end(&request, "deleting topics", err);
    rd_kafka_DeleteTopic_destroy(gone);
    if (event == NULL)
        return -1;
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    rd_kafka_resp_err_t code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_event_destroy(event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && kafka_code(code)->about != KAFKA_ABOUT_TOPIC)
        return kafka_failed(err, code, "topic %s cannot be deleted", topic);
    return 0;
}

static int settings_visit(rd_kafka_event_t *event, const char *topic,
                          void (*visit)(void *context, const char *name, const char *value), void *context,
                          struct error *err)
{
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    if (count != 1)
        return error_set(err, ERROR_FATAL, "the settings of topic %s: no answer", topic);
    rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resources[0]);
    /* A topic just made is known to one broker and asked of another. */
    if (kafka_passing(code))
        return error_set(err, ERROR_RETRY, "the settings of topic %s: %s", topic, rd_kafka_err2str(code));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(err, code, "the settings of topic %s", topic);
    size_t entry_count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[0], &entry_count);
    for (size_t i = 0; i < entry_count; i++)
        if (rd_kafka_ConfigEntry_value(entries[i]) != NULL)
            visit(context, rd_kafka_ConfigEntry_name(entries[i]), rd_kafka_ConfigEntry_value(entries[i]));
    return 0;
}

int kafka_topic_await(rd_kafka_t *client, const char *topic, int *count, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + BELIEVE_MS * INT64_C(1000);
    for (;;) {
        TRY(kafka_topic_partitions(client, topic, count, err));
        if (*count > 0 || clock_mono_us() > deadline_us || kafka_stopping())
            return 0;
        pause_ms(RETRY_MS);
    }
}

static int settings_ask(rd_kafka_t *client, const char *topic,
                        void (*visit)(void *context, const char *name, const char *value), void *context,
                        struct error *err)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    struct request request = request_begin(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    struct topic_shape said;
    char text[256];
    /* Of a broker that answers: else it is the controller, and while that is down 2.0.2 connects to it again and again
     * without a pause, which takes a CPU. */
    if (shape_ask(client, topic, &said) == RD_KAFKA_RESP_ERR_NO_ERROR && said.broker >= 0)
        (void)rd_kafka_AdminOptions_set_broker(request.options, said.broker, text, sizeof text);
    rd_kafka_DescribeConfigs(client, &resource, 1, request.options, request.queue);
    rd_kafka_event_t *event = request_end(&request, "asking for settings", err);
    rd_kafka_ConfigResource_destroy(resource);
    if (event == NULL)
        return -1;
    int result = settings_visit(event, topic, visit, context, err);
    rd_kafka_event_destroy(event);
    return result;
}

int kafka_topic_settings(rd_kafka_t *client, const char *topic,
                         void (*visit)(void *context, const char *name, const char *value), void *context,
                         struct error *err)
{
    int64_t deadline_us = clock_mono_us() + REACH_MS * INT64_C(1000);
    int result;
    while ((result = settings_ask(client, topic, visit, context, err)) != 0 && err->class == ERROR_RETRY &&
           clock_mono_us() < deadline_us && !kafka_stopping())
        pause_ms(RETRY_MS);
    return result;
}

int kafka_group_delete(rd_kafka_t *client, const char *group, struct error *err)
{
    rd_kafka_DeleteGroup_t *gone = rd_kafka_DeleteGroup_new(group);
    struct request request = request_begin(client, RD_KAFKA_ADMIN_OP_DELETEGROUPS);
    rd_kafka_DeleteGroups(client, &gone, 1, request.options, request.queue);
    rd_kafka_event_t *event = request_end(&request, "forgetting the group", err);
    rd_kafka_DeleteGroup_destroy(gone);
    if (event == NULL)
        return -1;
    size_t count;
    const rd_kafka_group_result_t **results =
        rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count);
    const rd_kafka_error_t *error = count == 1 ? rd_kafka_group_result_error(results[0]) : NULL;
    int result = 0;
    if (error != NULL && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        result = error_set(err, ERROR_FATAL, "group %s cannot be forgotten: %s", group, rd_kafka_error_string(error));
    rd_kafka_event_destroy(event);
    return result;
}
