/* Follows topics from their present ends: what is committed to any of their partitions from now on. One thread. */
#ifndef FORESTALL_IO_KAFKA_FOLLOW_H
#define FORESTALL_IO_KAFKA_FOLLOW_H

#include "io/kafka.h"

enum { KAFKA_FOLLOW_TOPICS_MAX = 4 };

struct kafka_follow;

struct kafka_follow_options {
    const struct str_pair *properties;
    size_t property_count;
    const struct str *topics; /* up to KAFKA_FOLLOW_TOPICS_MAX */
    size_t topic_count;
};

/* Holds until the next call of kafka_follow_next. */
struct kafka_followed {
    size_t topic; /* its place in the options */
    struct str key;
    struct str value; /* p NULL: a tombstone */
    const void *message;
};

/* ERROR_FATAL: a topic is missing, or Kafka is not reachable. */
int kafka_follow_open(struct kafka_follow **follow, const struct kafka_follow_options *options,
                      struct error *err) MUST_CHECK;
/* The next record, waiting up to `timeout_ms`; *any is whether one came. */
int kafka_follow_next(struct kafka_follow *follow, int timeout_ms, struct kafka_followed *record, bool *any,
                      struct error *err) MUST_CHECK;
/* A header of the record; p NULL: it has none of that name. */
struct str kafka_followed_header(const struct kafka_followed *record, const char *name);
void kafka_follow_close(struct kafka_follow *follow);

#endif
