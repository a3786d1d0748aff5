/* Kafka topics as a source.
 *
 * Three clients, so that each does one thing: the member (kafka_member.h) is in the group and reads nothing; the reader
 * fetches by librdkafka's simple consumer, each partition into a queue of its own, from the offsets that it is told;
 * the asker sees uncommitted records and answers where the logs end. A seek stops the partition and starts it again on
 * a new queue, so that nothing fetched before can come after.
 *
 * One thread polls. What librdkafka's threads put into the queues another one takes out ahead of it (kafka_fetch.h).
 */
#include "io/source_kafka.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/kafka_admin.h"
#include "io/kafka_errors.h"
#include "io/kafka_fetch.h"
#include "io/kafka_member.h"

enum { AHEAD_BYTES = 128 << 20 };
enum { SERVE_EVERY_US = 100000, WAIT_SLICE_MS = 100, MISSING_US = 5000000 };

struct kafka_partition {
    rd_kafka_topic_t *topic;
    int32_t number;
    rd_kafka_queue_t *queue; /* NULL: not started */
    int64_t next;            /* offsets below it have been polled, or are not wanted */
    int64_t start;           /* bounded: the first offset read */
    int64_t end;             /* bounded: where it ends; INT64_MAX: it does not */
    bool finished;
    bool owned;
    int64_t read_to; /* all below it was given, transaction markers included */
};

struct source_kafka {
    struct source base;
    struct kafka_member *member; /* NULL: by hand */
    bool shared;
    rd_kafka_t *reader;
    rd_kafka_t *asker;
    struct arena arena; /* names */
    rd_kafka_topic_t **topics;
    size_t topic_count;
    struct source_partition *described;
    struct kafka_partition *partitions;
    struct kafka_fetch *fetch;
    int64_t served_us;
    int64_t missing_us;         /* when a broker first said that there is no such topic; 0: since asked, none did */
    struct error member_failed; /* found while releasing; the next poll reports it */
};

static struct source_kafka *kafka_of(struct source *source)
{
    return (struct source_kafka *)source;
}

static struct kafka_partition *partition_of(struct source *source, size_t partition)
{
    ASSERT(partition < source->partition_count);
    return &kafka_of(source)->partitions[partition];
}

static void partition_stop(struct source_kafka *kafka, size_t number)
{
    struct kafka_partition *partition = &kafka->partitions[number];
    if (partition->queue == NULL)
        return;
    kafka_fetch_stop(kafka->fetch, number);
    if (rd_kafka_consume_stop(partition->topic, partition->number) != 0)
        log_warn("a partition does not stop", LOG_S("topic", rd_kafka_topic_name(partition->topic)),
                 LOG_I("partition", partition->number), LOG_S("text", rd_kafka_err2str(rd_kafka_last_error())));
    rd_kafka_queue_destroy(partition->queue);
    partition->queue = NULL;
}

static int clients_serve(struct source_kafka *kafka, struct error *err)
{
    kafka->served_us = clock_mono_us();
    (void)rd_kafka_poll(kafka->reader, 0);
    (void)rd_kafka_poll(kafka->asker, 0);
    return kafka->member == NULL ? 0 : kafka_member_serve(kafka->member, 0, err);
}

/* Something in the queue that is no record. */
static int event_take(const struct source_kafka *kafka, struct kafka_partition *partition,
                      const rd_kafka_message_t *message, struct error *err)
{
    const struct kafka_code *about = kafka_code(message->err);
    const char *topic = rd_kafka_topic_name(partition->topic);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        partition->read_to = message->offset;
        if (message->offset >= partition->end)
            partition->finished = true;
        return 0;
    }
    if (about->reads == ERROR_RETRY) {
        log_warn("reading is held up", LOG_S("topic", topic), LOG_I("partition", partition->number),
                 LOG_S("text", rd_kafka_message_errstr(message)));
        return 0;
    }
    const char *advice = about->advice != NULL ? about->advice : "see the broker's log";
    bool gone = kafka_offset_gone(message->err);
    /* Who stood still may find removed what others have read since. The way back looks whether that is all. */
    if (gone && kafka->member != NULL)
        kafka_member_doubt(kafka->member);
    return error_set(err, gone && kafka->member != NULL ? ERROR_ABORT : ERROR_FATAL, "%s [%d] at %lld: %s (%s)", topic,
                     (int)partition->number, (long long)partition->next, rd_kafka_message_errstr(message), advice);
}

static int membership_check(struct source_kafka *kafka, struct error *err)
{
    if (kafka->member_failed.class != ERROR_NONE) {
        *err = kafka->member_failed;
        kafka->member_failed = (struct error){0};
        return -1;
    }
    if (kafka->member != NULL && kafka_member_revoked(kafka->member))
        return error_set(err, ERROR_ABORT, "the group took the partitions away");
    return 0;
}

static int kafka_poll_records(struct source *source, size_t partition, struct source_record *records, size_t max,
                              size_t *count, struct error *err)
{
    struct source_kafka *kafka = kafka_of(source);
    struct kafka_partition *from = partition_of(source, partition);
    *count = 0;
    TRY(membership_check(kafka, err));
    if (from->queue == NULL || from->finished)
        return 0;
    struct kafka_batch *batch = kafka_fetch_peek(kafka->fetch, partition);
    if (batch == NULL)
        return 0;
    if (batch->code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(err, batch->code, "reading %s", rd_kafka_topic_name(from->topic));
    size_t n = 0;
    for (; batch->at < batch->count && n < max && !from->finished; batch->at++) {
        const struct source_record *record = &batch->records[batch->at];
        if (batch->others > 0 && batch->messages[batch->at]->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            TRY(event_take(kafka, from, batch->messages[batch->at], err));
            continue;
        }
        if (record->offset < from->next)
            continue;
        if (record->offset >= from->end) {
            from->finished = true;
            break;
        }
        records[n++] = *record;
        from->next = from->read_to = record->offset + 1;
    }
    if (batch->at == batch->count || from->finished)
        kafka_fetch_pass(kafka->fetch, partition);
    from->finished = from->finished || from->next >= from->end;
    *count = n;
    return 0;
}

static void kafka_release(struct source *source)
{
    struct source_kafka *kafka = kafka_of(source);
    kafka_fetch_give(kafka->fetch);
    if (clock_mono_us() - kafka->served_us > SERVE_EVERY_US && clients_serve(kafka, &kafka->member_failed) != 0)
        log_debug("the group member failed");
}

/* A broker said that there is no such topic: a while later it is asked for, which has a deadline of its own. */
static int missing_check(struct source *source, struct error *err)
{
    struct source_kafka *kafka = kafka_of(source);
    bool due = kafka->missing_us != 0 && clock_mono_us() - kafka->missing_us > MISSING_US;
    if (kafka->member != NULL && kafka_member_missing(kafka->member))
        due = true;
    for (size_t i = 0; due && i < source->partition_count; i++) {
        int64_t low, high;
        if (kafka->described[i].partition == 0)
            TRY(source_kafka_range(source, i, &low, &high, err));
    }
    if (due)
        kafka->missing_us = 0;
    return 0;
}

static int kafka_wait(struct source *source, int timeout_ms, struct error *err)
{
    struct source_kafka *kafka = kafka_of(source);
    TRY(clients_serve(kafka, err));
    TRY(membership_check(kafka, err));
    TRY(missing_check(source, err));
    kafka_fetch_wait(kafka->fetch, timeout_ms < WAIT_SLICE_MS ? timeout_ms : WAIT_SLICE_MS);
    return 0;
}

static int kafka_seek(struct source *source, size_t partition, int64_t offset, struct error *err)
{
    struct source_kafka *kafka = kafka_of(source);
    struct kafka_partition *in = partition_of(source, partition);
    ASSERT(in->owned);
    partition_stop(kafka, partition);
    in->next = in->start = in->read_to = offset;
    in->finished = offset >= in->end;
    if (in->finished)
        return 0;
    in->queue = rd_kafka_queue_new(kafka->reader);
    if (rd_kafka_consume_start_queue(in->topic, in->number, offset, in->queue) != 0) {
        rd_kafka_queue_destroy(in->queue);
        in->queue = NULL;
        return kafka_failed(err, rd_kafka_last_error(), "reading %s [%d] from %lld", rd_kafka_topic_name(in->topic),
                            (int)in->number, (long long)offset);
    }
    kafka_fetch_start(kafka->fetch, partition, in->queue);
    return 0;
}

int source_kafka_range(struct source *source, size_t partition, int64_t *low, int64_t *high, struct error *err)
{
    const struct kafka_partition *in = partition_of(source, partition);
    return kafka_log_range(kafka_of(source)->asker, rd_kafka_topic_name(in->topic), in->number, low, high, err);
}

int source_kafka_offset_at(struct source *source, size_t partition, int64_t time_ms, int64_t *offset, struct error *err)
{
    const struct kafka_partition *in = partition_of(source, partition);
    return kafka_log_offset_at(kafka_of(source)->asker, rd_kafka_topic_name(in->topic), in->number, time_ms, offset,
                               err);
}

static int kafka_end_offsets(struct source *source, const size_t *partitions, size_t count, int64_t *offsets,
                             struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, source->partitions[partitions[i]].topic_name.p,
                                          source->partitions[partitions[i]].partition);
    int result = kafka_log_ends(kafka_of(source)->asker, list, err);
    for (size_t i = 0; i < count; i++)
        offsets[i] = list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

static int64_t kafka_read_to(struct source *source, size_t partition)
{
    return partition_of(source, partition)->read_to;
}

static bool kafka_finished(struct source *source, size_t partition)
{
    return partition_of(source, partition)->finished;
}

static void kafka_progress(struct source *source, int64_t *done, int64_t *total)
{
    *done = *total = 0;
    for (size_t i = 0; i < source->partition_count; i++) {
        const struct kafka_partition *in = partition_of(source, i);
        if (in->end == INT64_MAX || in->end <= in->start)
            continue;
        *done += (in->finished ? in->end : in->next) - in->start;
        *total += in->end - in->start;
    }
}

static int kafka_still_owned(struct source *source, struct error *err)
{
    return membership_check(kafka_of(source), err);
}

static bool kafka_owned(struct source *source, size_t partition)
{
    return partition_of(source, partition)->owned;
}

static void kafka_close(struct source *source)
{
    struct source_kafka *kafka = kafka_of(source);
    for (size_t i = 0; i < source->partition_count; i++)
        partition_stop(kafka, i);
    for (size_t i = 0; i < kafka->topic_count; i++)
        rd_kafka_topic_destroy(kafka->topics[i]);
    kafka_member_close(kafka->member);
    kafka_client_free(kafka->reader);
    kafka_client_free(kafka->asker);
    kafka_fetch_free(kafka->fetch);
    free(kafka->topics);
    free(kafka->partitions);
    free(kafka->described);
    arena_fini(&kafka->arena);
    free(kafka);
}

/* Once a partition's queue is full librdkafka looks again only when something wakes the broker's thread, at the latest
 * after a second: a consumer that empties the queue sooner then waits for nothing. Since 2.2.0 that second is a
 * setting; before, asking for metadata (of our topics only) ten times a second wakes the thread. */
static struct kafka_setting queue_backoff(void)
{
    if (rd_kafka_version() >= 0x02020000)
        return (struct kafka_setting){"fetch.queue.backoff.ms", "20"};
    return (struct kafka_setting){"topic.metadata.refresh.interval.ms", "100"};
}

/* What librdkafka does not hand out with a partition's records, on the caller's thread. */
static void reader_failed(rd_kafka_t *client, int code, const char *reason, void *context)
{
    (void)client;
    struct source_kafka *kafka = context;
    bool missing = kafka_code((rd_kafka_resp_err_t)code)->about == KAFKA_ABOUT_TOPIC;
    /* Of a topic that is not there it comes ten times a second. */
    if (missing && kafka->missing_us != 0)
        return;
    if (missing)
        kafka->missing_us = clock_mono_us();
    log_warn("reading is held up", LOG_S("text", reason));
}

static void reader_prepare(rd_kafka_conf_t *conf, void *context)
{
    struct source_kafka *kafka = context;
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_error_cb(conf, reader_failed);
    kafka_fetch_watch(kafka->fetch, conf);
}

/* librdkafka has one question at a broker at a time, about the partitions of which not enough is queued. While the busy
 * ones are full it asks for the quiet ones alone, and as long as that answer takes the busy ones are not asked for: at
 * most so long, which must be less than it takes to use up what is queued. */
#define FETCH_WAIT_MS "25"

/* Partitions whose messages are many and small; an internal topic's are few and long. */
static size_t inputs_of(const struct source_kafka *kafka, const struct source_kafka_options *options)
{
    size_t inputs = 0;
    for (size_t i = 0; i < kafka->base.partition_count; i++)
        inputs += !options->shared || (size_t)kafka->described[i].topic + 1 < options->topic_count;
    return inputs > 0 ? inputs : 1;
}

static int reader_open(struct source_kafka *kafka, const struct source_kafka_options *options, size_t bytes,
                       struct error *err)
{
    const struct kafka_ahead ahead = kafka_ahead_of(bytes, kafka->base.partition_count, inputs_of(kafka, options));
    char ahead_messages[24], ahead_kib[24], answer_bytes[24];
    (void)snprintf(ahead_messages, sizeof ahead_messages, "%zu", ahead.messages);
    (void)snprintf(ahead_kib, sizeof ahead_kib, "%zu", ahead.bytes / 1024);
    (void)snprintf(answer_bytes, sizeof answer_bytes, "%zu", ahead.answer_bytes);
    const struct kafka_setting defaults[] = {
        {"queued.min.messages", ahead_messages},
        {"queued.max.messages.kbytes", ahead_kib},
        {"fetch.wait.max.ms", FETCH_WAIT_MS},
        {"fetch.message.max.bytes", answer_bytes},
        {"fetch.error.backoff.ms", "100"},
        {"check.crcs", "false"},
        queue_backoff(),
        {NULL, NULL},
    };
    const struct kafka_setting fixed[] = {
        {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"}, {"isolation.level", "read_committed"},
        {"auto.offset.reset", "error"},  {"enable.partition.eof", "true"},      {NULL, NULL},
    };
    const struct kafka_client client = {
        .type = RD_KAFKA_CONSUMER,
        .properties = options->properties,
        .property_count = options->property_count,
        .defaults = defaults,
        .fixed = fixed,
        .prepare = reader_prepare,
        .context = kafka,
    };
    return kafka_client_new(&kafka->reader, &client, err);
}

static int partitions_find(struct source_kafka *kafka, const struct source_kafka_options *options, struct error *err)
{
    size_t cap = 0;
    for (size_t t = 0; t < options->topic_count; t++) {
        struct str name = arena_str(&kafka->arena, options->topics[t]);
        int count = 0;
        TRY(kafka_topic_await(kafka->asker, name.p, &count, err));
        if (count == 0)
            return error_set(err, ERROR_FATAL, "there is no topic %s: `forestall topics create` makes it", name.p);
        for (int32_t p = 0; p < count; p++) {
            size_t i = kafka->base.partition_count++;
            kafka->described = mem_grow(kafka->described, i, &cap, sizeof *kafka->described);
            kafka->described[i] = (struct source_partition){(int)t, name, p};
        }
    }
    kafka->base.partitions = kafka->described;
    kafka->partitions = mem_zalloc((kafka->base.partition_count + 1) * sizeof *kafka->partitions);
    return 0;
}

static int partitions_init(struct source_kafka *kafka, const struct source_kafka_options *options, struct error *err)
{
    kafka->topics = mem_zalloc((options->topic_count + 1) * sizeof(rd_kafka_topic_t *));
    for (size_t t = 0; t < options->topic_count; t++) {
        kafka->topics[t] = rd_kafka_topic_new(kafka->reader, arena_str(&kafka->arena, options->topics[t]).p, NULL);
        if (kafka->topics[t] == NULL)
            return kafka_failed(err, rd_kafka_last_error(), "topic %.*s", STR_ARG(options->topics[t]));
        kafka->topic_count++;
    }
    for (size_t i = 0; i < kafka->base.partition_count; i++)
        kafka->partitions[i] = (struct kafka_partition){.topic = kafka->topics[kafka->described[i].topic],
                                                        .number = kafka->described[i].partition,
                                                        .end = INT64_MAX,
                                                        .owned = !kafka->shared};
    return 0;
}

/* The first offset at or after a record time in every partition; INT64_MAX where there is none. */
static int offsets_at(struct source_kafka *kafka, int64_t time_ms, int64_t *offsets, struct error *err)
{
    size_t n = kafka->base.partition_count;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, kafka->described[i].topic_name.p, kafka->described[i].partition)
            ->offset = time_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(kafka->reader, list, KAFKA_REQUEST_MS);
    for (size_t i = 0; i < n && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
        offsets[i] = list->elems[i].offset >= 0 ? list->elems[i].offset : INT64_MAX;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : kafka_failed(err, code, "finding records by time");
}

/* Assigned by hand: from one time to another, never beyond what is committed now. */
static int bounds_set(struct source_kafka *kafka, const struct source_kafka_options *options, struct error *err)
{
    size_t n = kafka->base.partition_count;
    int64_t *from = arena_alloc(&kafka->arena, (n + 1) * sizeof *from);
    int64_t *to = arena_alloc(&kafka->arena, (n + 1) * sizeof *to);
    for (size_t i = 0; i < n; i++) {
        from[i] = 0;
        to[i] = INT64_MAX;
    }
    if (options->from_ms != INT64_MIN)
        TRY(offsets_at(kafka, options->from_ms > 0 ? options->from_ms : 0, from, err));
    if (options->to_ms != INT64_MAX)
        TRY(offsets_at(kafka, options->to_ms > 0 ? options->to_ms : 0, to, err));
    for (size_t i = 0; i < n; i++) {
        int64_t low, high;
        /* The reader's own view: up to the last stable offset. */
        TRY(kafka_log_range(kafka->reader, kafka->described[i].topic_name.p, kafka->described[i].partition, &low, &high,
                            err));
        kafka->partitions[i].end = to[i] < high ? to[i] : high;
        int64_t start = from[i] > low ? from[i] : low;
        TRY(kafka_seek(&kafka->base, i, start < high ? start : high, err));
    }
    return 0;
}

static int member_open(struct source_kafka *kafka, const struct source_kafka_options *options, struct error *err)
{
    const struct kafka_member_options member = {
        .properties = options->properties,
        .property_count = options->property_count,
        .group_id = options->group_id,
        .instance_id = options->instance_id,
        .topics = options->topics,
        .topic_count = options->topic_count,
        .partition_count = kafka->base.partition_count,
        .shared = options->shared,
        .mock = options->mock,
    };
    return kafka_member_open(&kafka->member, &member, err);
}

static int parts_open(struct source_kafka *kafka, const struct source_kafka_options *options, struct error *err)
{
    size_t bytes = options->ahead_bytes > 0 ? (size_t)options->ahead_bytes : AHEAD_BYTES;
    TRY(kafka_asker_new(&kafka->asker, options->properties, options->property_count, err));
    TRY(partitions_find(kafka, options, err));
    TRY(kafka_fetch_new(&kafka->fetch, kafka->base.partition_count, bytes, err));
    TRY(reader_open(kafka, options, bytes, err));
    TRY(partitions_init(kafka, options, err));
    return options->group_id != NULL ? member_open(kafka, options, err) : bounds_set(kafka, options, err);
}

int source_kafka_open(struct source **source, const struct source_kafka_options *options, struct error *err)
{
    static const struct source_ops ops = {
        kafka_poll_records, kafka_release,  kafka_wait,  kafka_seek,        kafka_end_offsets, kafka_read_to,
        kafka_finished,     kafka_progress, kafka_owned, kafka_still_owned, kafka_close,
    };
    struct source_kafka *kafka = mem_zalloc(sizeof *kafka);
    kafka->base.ops = &ops;
    kafka->shared = options->group_id != NULL && options->shared;
    if (parts_open(kafka, options, err) != 0) {
        kafka_close(&kafka->base);
        return -1;
    }
    *source = &kafka->base;
    return 0;
}

/* A partition that this source does not know would be read by nobody, or its events fall behind the time of tasks that
 * do not wait for it. */
static int topics_check(struct source_kafka *kafka, struct error *err)
{
    for (size_t i = 0; i < kafka->base.partition_count; i++) {
        const struct source_partition *last = &kafka->described[i];
        int count;
        if (i + 1 < kafka->base.partition_count && last[1].topic == last->topic)
            continue;
        TRY(kafka_topic_partitions(kafka->asker, last->topic_name.p, &count, err));
        if (count > last->partition + 1)
            return error_set(
                err, ERROR_FATAL,
                "a topic has more partitions now: %s has %d, of which %d were there at the start; start again",
                last->topic_name.p, count, (int)last->partition + 1);
    }
    return 0;
}

/* Takes over what the group assigned. */
static int partitions_own(struct source_kafka *kafka, struct error *err)
{
    size_t known = 0;
    TRY(topics_check(kafka, err));
    for (size_t i = 0; i < kafka->base.partition_count; i++) {
        const struct source_partition *about = &kafka->described[i];
        struct kafka_partition *partition = &kafka->partitions[i];
        partition->owned = kafka_member_owns(kafka->member, about->topic_name.p, about->partition);
        known += partition->owned;
    }
    if (known == kafka_member_assigned(kafka->member))
        return 0;
    return error_set(err, ERROR_FATAL,
                     "the group assigned %zu partitions, of which %zu were there at the start: an instance has other "
                     "sources; start again",
                     kafka_member_assigned(kafka->member), known);
}

int source_kafka_join(struct source *source, struct error *err)
{
    struct source_kafka *kafka = kafka_of(source);
    ASSERT(kafka->member != NULL);
    for (size_t i = 0; i < source->partition_count; i++)
        partition_stop(kafka, i);
    TRY(kafka_member_join(kafka->member, err));
    return kafka->shared ? partitions_own(kafka, err) : 0;
}

struct kafka_member *source_kafka_member(struct source *source)
{
    return kafka_of(source)->member;
}

struct rd_kafka_s *source_kafka_handle(struct source *source)
{
    return kafka_of(source)->member != NULL ? kafka_member_client(kafka_of(source)->member) : NULL;
}

struct rd_kafka_s *source_kafka_reader(struct source *source)
{
    return kafka_of(source)->reader;
}

bool source_kafka_revoked(const struct source *source)
{
    const struct source_kafka *kafka = (const struct source_kafka *)source;
    return kafka->member != NULL && kafka_member_revoked(kafka->member);
}

int64_t source_kafka_position(const struct source *source, size_t partition)
{
    ASSERT(partition < source->partition_count);
    return ((const struct source_kafka *)source)->partitions[partition].next;
}

int source_kafka_serve(struct source *source, struct error *err)
{
    struct source_kafka *kafka = kafka_of(source);
    if (clock_mono_us() - kafka->served_us < SERVE_EVERY_US)
        return 0;
    return clients_serve(kafka, err);
}
