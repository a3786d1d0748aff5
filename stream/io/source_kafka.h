/* Kafka topics as a source: as a member of the consumer group (`run`), alone or with others, or assigned by hand
 * between two times or offsets (`replay`). Each partition has its own queue, so that the engine chooses whom to read.
 */
#ifndef FORESTALL_IO_SOURCE_KAFKA_H
#define FORESTALL_IO_SOURCE_KAFKA_H

#include "io/source.h"

struct source_kafka_options {
    const struct str_pair *properties; /* librdkafka's, verbatim */
    size_t property_count;
    const struct str *topics; /* in order of name, an internal one last; a topic's number is its place here */
    size_t topic_count;
    int64_t ahead_bytes; /* so much is fetched ahead of who polls, of all partitions; 0: 128 MiB */
    /* Group member: */
    const char *group_id;    /* NULL: assigned by hand, bounded by the log's end at opening */
    const char *instance_id; /* group.instance.id */
    bool shared;             /* with other members, each reading what the group assigns to it */
    bool mock;
    /* By hand: */
    int64_t from_ms; /* INT64_MIN: from the beginning; records at or after this record time */
    int64_t to_ms;   /* INT64_MAX: to the end */
};

/* Finds the topics' partitions (a missing topic is ERROR_FATAL, naming `forestall topics create`). Joins no group yet.
 */
int source_kafka_open(struct source **source, const struct source_kafka_options *options, struct error *err) MUST_CHECK;
/* Joins the group and waits until every partition is assigned to this member, stopped: then seek each. Another live
 * member: ERROR_FATAL that says that one instance runs with the local exchange.
 * Shared: waits for an assignment, which may be of some partitions or of none. All are stopped; seek those that are
 * owned. ERROR_FATAL: a topic has grown. */
int source_kafka_join(struct source *source, struct error *err) MUST_CHECK;
/* The group member, for the commit protocol: group metadata, committed positions. NULL: assigned by hand. */
struct kafka_member *source_kafka_member(struct source *source);
/* Its librdkafka client. */
struct rd_kafka_s *source_kafka_handle(struct source *source);
/* The client that reads the partitions, and so is the first to learn who leads them. */
struct rd_kafka_s *source_kafka_reader(struct source *source);
/* Partitions were revoked or lost since the last join: the memory built on them is void. */
bool source_kafka_revoked(const struct source *source);
/* The log of a partition now: its first offset, and the one after its last (open transactions included). */
int source_kafka_range(struct source *source, size_t partition, int64_t *low, int64_t *high,
                       struct error *err) MUST_CHECK;
/* The first offset at or after a record time, 0 or later; INT64_MAX where there is none. */
int source_kafka_offset_at(struct source *source, size_t partition, int64_t time_ms, int64_t *offset,
                           struct error *err) MUST_CHECK;
/* Where the partition is read next. */
int64_t source_kafka_position(const struct source *source, size_t partition);
/* Keeps the membership alive during work that does not poll; call it every second or so. */
int source_kafka_serve(struct source *source, struct error *err) MUST_CHECK;

#endif
