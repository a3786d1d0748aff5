/* Questions to the cluster and changes of it, each one request that waits for its answer: topics, their settings,
 * the ranges of their logs. Any client can ask. */
#ifndef FORESTALL_IO_KAFKA_ADMIN_H
#define FORESTALL_IO_KAFKA_ADMIN_H

#include "base/buf.h"
#include "io/kafka.h"

enum { KAFKA_REQUEST_MS = 15000 };

/* A client that sees uncommitted records, for questions about logs alone. */
int kafka_asker_new(rd_kafka_t **client, const struct str_pair *properties, size_t count, struct error *err) MUST_CHECK;

/* How many partitions a topic has; 0: one broker says that there is no such topic. Retried while the cluster cannot be
 * reached, for kafka_reach_ms, then ERROR_RETRY. */
int kafka_topic_partitions(rd_kafka_t *client, const char *topic, int *count, struct error *err) MUST_CHECK;
/* The same of one that is to be written to, ERROR_FATAL where there is none. */
int kafka_topic_need(rd_kafka_t *client, const char *topic, struct error *err) MUST_CHECK;
/* How many copies there are of it, of the partition with the fewest; 0: no such topic. Likewise. */
int kafka_topic_replicas(rd_kafka_t *client, const char *topic, int *count, struct error *err) MUST_CHECK;
/* kafka_topic_partitions of a topic that should be there: that there is none is believed after a few seconds, since a
 * broker that has just started does not know all of them. */
int kafka_topic_await(rd_kafka_t *client, const char *topic, int *count, struct error *err) MUST_CHECK;
/* The log of one partition: its first offset, and the one after its last. ERROR_RETRY: nobody answered for half a
 * minute. */
int kafka_log_range(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                    struct error *err) MUST_CHECK;
/* The same, asked once: ERROR_RETRY after a few seconds, for who has something to do in between. */
int kafka_log_range_ask(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                        struct error *err) MUST_CHECK;
/* The ends of several logs, into the list's offsets, by one request a broker: all are there, or none counts. Errors as
 * of kafka_log_range. */
int kafka_log_ends(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list, struct error *err) MUST_CHECK;

/* The first offset at or after a record time, 0 or later; INT64_MAX where there is none. Likewise, and what open
 * transactions have written counts or not as the client's isolation.level says. */
int kafka_log_offset_at(rd_kafka_t *client, const char *topic, int32_t partition, int64_t time_ms, int64_t *offset,
                        struct error *err) MUST_CHECK;

struct kafka_topic_new {
    const char *name;
    int partitions;
    int replication_factor;
    const struct kafka_setting *settings; /* end with a NULL name */
};
/* Returns when the topic can be used; one that exists already is no error, and left as it is (*made is false). */
int kafka_topic_create(rd_kafka_t *client, const struct kafka_topic_new *topic, bool *made,
                       struct error *err) MUST_CHECK;
int kafka_topic_delete(rd_kafka_t *client, const char *topic, struct error *err) MUST_CHECK;
/* Calls `visit` with each setting of the topic that has a value. */
int kafka_topic_settings(rd_kafka_t *client, const char *topic,
                         void (*visit)(void *context, const char *name, const char *value), void *context,
                         struct error *err) MUST_CHECK;

/* Forgets the group and its positions. Fails while it has members; a group that is not known is no error. */
int kafka_group_delete(rd_kafka_t *client, const char *group, struct error *err) MUST_CHECK;

#endif
