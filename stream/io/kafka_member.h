/* A member of a consumer group that reads nothing: it holds the group's generation, which fences the commits, and knows
 * when the group took its partitions away. Reading is somebody else's, at positions that the commit protocol gives.
 *
 * It is in the group alone, and then refuses others, or shares the partitions with them. Eager round robin with static
 * membership: librdkafka's cooperative assignor has fatal defects until 2.6.1 and later.
 */
#ifndef FORESTALL_IO_KAFKA_MEMBER_H
#define FORESTALL_IO_KAFKA_MEMBER_H

#include "base/arena.h"
#include "io/kafka_group.h"

struct kafka_member;

struct kafka_member_options {
    const struct str_pair *properties;
    size_t property_count;
    const char *group_id;
    const char *instance_id;
    const struct str *topics;
    size_t topic_count;
    size_t partition_count; /* of all topics together */
    bool shared;            /* false: the only member, which wants all partitions */
    bool mock;              /* the cluster does not describe groups */
};

int kafka_member_open(struct kafka_member **member, const struct kafka_member_options *options,
                      struct error *err) MUST_CHECK;
/* Joins, or joins again after a revocation, and returns when every partition is this member's. Another live member is
 * waited for, a little longer than the session's time, then ERROR_FATAL.
 * Shared: returns when an assignment has come, of whatever partitions, or of none. Nobody is waited for but by the
 * group itself, which gives a silent member its session's time, and one that does not join again 45 s. */
int kafka_member_join(struct kafka_member *member, struct error *err) MUST_CHECK;
/* Serves rebalances and errors, waiting up to `timeout_ms`. ERROR_FATAL: the member cannot go on. */
int kafka_member_serve(struct kafka_member *member, int timeout_ms, struct error *err) MUST_CHECK;
/* Since the last join the partitions were revoked, lost or assigned anew; or there was none. */
bool kafka_member_revoked(const struct kafka_member *member);
/* The partition is in the newest assignment; false while revoked. */
bool kafka_member_owns(const struct kafka_member *member, const char *topic, int32_t partition);
/* How many partitions are in it. */
size_t kafka_member_assigned(const struct kafka_member *member);
/* A few seconds ago a broker said that a topic of the group is not there; true once for each time. Its partitions may
 * then be nobody's without a word: ask for the topics. */
bool kafka_member_missing(struct kafka_member *member);
/* A broker refused the generation: the next join first waits a moment for the revocation that must follow. */
void kafka_member_doubt(struct kafka_member *member);
rd_kafka_t *kafka_member_client(struct kafka_member *member);
/* Of the generation in which the partitions were assigned; NULL while revoked. Holds until the next serve. */
const rd_kafka_consumer_group_metadata_t *kafka_member_metadata(const struct kafka_member *member);
/* A copy of it, for another thread; the caller destroys it. Not while revoked. */
rd_kafka_consumer_group_metadata_t *kafka_member_metadata_copy(const struct kafka_member *member);

/* Stable ones: a transaction that holds positions and is not over is waited for. Shared: ERROR_ABORT when the
 * partitions were taken away meanwhile. */
int kafka_member_committed(struct kafka_member *member, struct kafka_committed *positions, size_t count,
                           struct arena *arena, struct error *err) MUST_CHECK;
void kafka_member_close(struct kafka_member *member);

#endif
