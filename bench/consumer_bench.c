/* How fast a bare librdkafka consumer reads a topic: what the pipeline is measured against.
 *
 *     consumer_bench BOOTSTRAP TOPIC
 *
 * Reads every partition from its beginning to its end as of the start, with the fetch settings and the calls of
 * stream/io/source_kafka.c (a queue a partition, rd_kafka_consume_batch_queue), and only adds up bytes. Its threads
 * run where the kernel puts them, as anybody's would (stream/io/kafka_cpu.h). Prints one line: records, bytes, seconds.
 */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PARTITIONS_MAX = 64, BATCH = 4096, ASK_MS = 10000, AHEAD_MESSAGES = 400000, AHEAD_KIB = 128 << 10 };

struct partition {
    rd_kafka_queue_t *queue;
    int64_t next;
    int64_t end;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "consumer_bench: %s: %s\n", what, why);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(name, text);
}

static void set_number(rd_kafka_conf_t *conf, const char *name, int value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%d", value);
    set(conf, name, text);
}

static rd_kafka_t *open_client(const char *bootstrap, int partitions)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "socket.nagle.disable", "true");
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "fetch.wait.max.ms", "100");
    set(conf, "fetch.message.max.bytes", "1048576");
    set(conf, "fetch.error.backoff.ms", "100");
    set(conf, "check.crcs", "false");
    if (rd_kafka_version() >= 0x02020000)
        set(conf, "fetch.queue.backoff.ms", "20");
    else
        set(conf, "topic.metadata.refresh.interval.ms", "100");
    set_number(conf, "queued.min.messages", AHEAD_MESSAGES / partitions);
    set_number(conf, "queued.max.messages.kbytes", AHEAD_KIB / partitions);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (client == NULL)
        die("client", text);
    return client;
}

static int count_partitions(const char *bootstrap, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_t *client = open_client(bootstrap, 1);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, ASK_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt < 1)
        die(topic, rd_kafka_err2str(code));
    int count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(client);
    return count < PARTITIONS_MAX ? count : PARTITIONS_MAX;
}

/* Takes what has come of one partition; returns its bytes. */
static size_t take(struct partition *partition, uint64_t *records)
{
    static rd_kafka_message_t *messages[BATCH];
    size_t bytes = 0;
    ssize_t got = rd_kafka_consume_batch_queue(partition->queue, 0, messages, BATCH);
    for (ssize_t i = 0; i < got; i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            bytes += messages[i]->len;
            partition->next = messages[i]->offset + 1;
            (*records)++;
        }
        rd_kafka_message_destroy(messages[i]);
    }
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage", "consumer_bench BOOTSTRAP TOPIC");
    int count = count_partitions(argv[1], argv[2]);
    rd_kafka_t *client = open_client(argv[1], count);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, argv[2], NULL);
    struct partition partitions[PARTITIONS_MAX] = {0};
    for (int i = 0; i < count; i++)
        if (rd_kafka_query_watermark_offsets(client, argv[2], i, &partitions[i].next, &partitions[i].end, ASK_MS) != 0)
            die(argv[2], "the log's end is not known");
    double start_s = now_s();
    for (int i = 0; i < count; i++) {
        partitions[i].queue = rd_kafka_queue_new(client);
        if (rd_kafka_consume_start_queue(topic, i, partitions[i].next, partitions[i].queue) != 0)
            die(argv[2], rd_kafka_err2str(rd_kafka_last_error()));
    }
    uint64_t records = 0;
    uint64_t bytes = 0;
    for (bool more = true; more;) {
        size_t before = bytes;
        more = false;
        for (int i = 0; i < count; i++) {
            bytes += take(&partitions[i], &records);
            more = more || partitions[i].next < partitions[i].end;
        }
        if (bytes == before)
            (void)rd_kafka_poll(client, 1);
    }
    (void)printf("%llu %llu %.4f\n", (unsigned long long)records, (unsigned long long)bytes, now_s() - start_s);
    for (int i = 0; i < count; i++) {
        (void)rd_kafka_consume_stop(topic, i);
        rd_kafka_queue_destroy(partitions[i].queue);
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    return 0;
}
