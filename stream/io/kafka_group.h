/* A consumer group as anybody sees it: its members, what each of them has, and the committed positions. */
#ifndef FORESTALL_IO_KAFKA_GROUP_H
#define FORESTALL_IO_KAFKA_GROUP_H

#include "base/buf.h"
#include "io/kafka.h"

struct kafka_group_member {
    struct str instance_id; /* group.instance.id; empty: it has none */
    struct str member_id;   /* the coordinator's name of it, new with each life of it */
    struct str client_id;
    struct str host;
    struct str assignment; /* as the protocol has it; see kafka_group_assigned */
    bool stable;           /* the group is: nobody is joining, and all have their assignments */
};

/* Calls `visit` with each member, which holds during the call; a group that no broker knows has none. One question,
 * which takes `timeout_ms` at most, and all of it while a broker is gone. An error: what was visited is not all. */
rd_kafka_resp_err_t kafka_group_members(rd_kafka_t *client, const char *group, int timeout_ms,
                                        void (*visit)(void *context, const struct kafka_group_member *member),
                                        void *context);
/* Calls `visit` with each partition of the topic that is assigned to the member. */
void kafka_group_assigned(const struct kafka_group_member *member, struct str topic,
                          void (*visit)(void *context, int32_t partition), void *context);

/* The members other than the static member `instance_id` (NULL: all of them): how many, and one of them in words and by
 * group.instance.id (empty: it has none). Asked again while the coordinator is not reached, for half a minute. */
struct kafka_group_others {
    size_t count;
    char one[160];
    char least_instance_id[128];
};
int kafka_group_others(rd_kafka_t *client, const char *group, const char *instance_id,
                       struct kafka_group_others *others, struct error *err) MUST_CHECK;

/* One partition's committed position. */
struct kafka_committed {
    const char *topic;
    int32_t partition;
    int64_t offset;      /* filled; -1: none */
    struct str metadata; /* filled, in the arena */
};
/* Those of the client's group.id, of which it need not be a member. One question. */
rd_kafka_resp_err_t kafka_group_committed(rd_kafka_t *client, struct kafka_committed *positions, size_t count,
                                          int timeout_ms, struct arena *arena);

#endif
