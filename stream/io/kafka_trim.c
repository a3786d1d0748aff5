/* DeleteRecords, one partition a request: librdkafka never answers one that names a partition twice, and a slow leader
 * then holds up nobody but its own. */
#include "io/kafka_trim.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "io/kafka_admin.h"

struct kafka_trim {
    rd_kafka_t *client;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *answers;
    size_t under_way;
};

struct kafka_trim *kafka_trim_new(rd_kafka_t *client)
{
    struct kafka_trim *trim = mem_zalloc(sizeof *trim);
    char text[128];
    trim->client = client;
    trim->options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    trim->answers = rd_kafka_queue_new(client);
    (void)rd_kafka_AdminOptions_set_request_timeout(trim->options, KAFKA_REQUEST_MS, text, sizeof text);
    return trim;
}

static const char *follows(rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return "the topic grows until this user has the right DELETE on it";
    if (kafka_passing(code))
        return "it is asked again in a while";
    return "the topic grows until it works: is the right DELETE on it missing?";
}

static void answer_take(rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t failed = rd_kafka_event_error(event);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_warn("records that are no longer needed could not be deleted",
                 LOG_S("text", rd_kafka_event_error_string(event)), LOG_S("follows", follows(failed)));
        return;
    }
    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    for (int i = 0; i < done->cnt; i++)
        if (done->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            log_warn("records that are no longer needed could not be deleted", LOG_S("topic", done->elems[i].topic),
                     LOG_I("partition", done->elems[i].partition), LOG_S("text", rd_kafka_err2str(done->elems[i].err)),
                     LOG_S("follows", follows(done->elems[i].err)));
}

size_t kafka_trim_serve(struct kafka_trim *trim)
{
    rd_kafka_event_t *event;
    while (trim->under_way > 0 && (event = rd_kafka_queue_poll(trim->answers, 0)) != NULL) {
        answer_take(event);
        rd_kafka_event_destroy(event);
        trim->under_way--;
    }
    return trim->under_way;
}

bool kafka_trim_delete(struct kafka_trim *trim, const char *topic, int32_t partition, int64_t offset)
{
    if (kafka_trim_serve(trim) >= KAFKA_TRIM_UNDER_WAY_MAX)
        return false;
    rd_kafka_topic_partition_list_t *before = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(before, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(before);
    rd_kafka_topic_partition_list_destroy(before);
    rd_kafka_DeleteRecords(trim->client, &records, 1, trim->options, trim->answers);
    rd_kafka_DeleteRecords_destroy(records);
    trim->under_way++;
    return true;
}

void kafka_trim_free(struct kafka_trim *trim)
{
    if (trim == NULL)
        return;
    rd_kafka_queue_destroy(trim->answers);
    rd_kafka_AdminOptions_destroy(trim->options);
    free(trim);
}
