/* Group membership. Callbacks run inside kafka_member_serve, on the caller's thread. */
#include "io/kafka_member.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/* How long to wait for another member to go: its session, and the broker's rounding of it. */
enum { SESSION_MS = 10000, OTHERS_GONE_MS = SESSION_MS + 6000, JOIN_MS = 60000, ASK_AGAIN_MS = 1000 };
enum { DOUBT_MS = 5000, MISSING_US = 5000000, COMMITTED_MS = 60000, COMMITTED_TRY_MS = 5000 };
/* A member that never said a word after it joined is gone with its session, which begins when the others have joined
 * again (45 s, max.poll.interval.ms). */
enum { DOUBLE_GONE_MS = 45000 + SESSION_MS + 10000 };

struct kafka_member {
    rd_kafka_t *client;
    const struct str_pair *properties; /* the user's, borrowed */
    size_t property_count;
    struct arena arena;
    const char *group_id;
    const char *instance_id;
    const struct str *topics;
    size_t topic_count;
    size_t partition_count;
    bool shared;
    bool mock;
    bool subscribed;
    bool fenced;        /* the group has another member of this instance's id; the client is done for */
    bool doubted;       /* until the next rebalance */
    bool joined;        /* since then there was no rebalance */
    bool rejoined;      /* once, since the group's assignment was of other topics */
    int64_t missing_us; /* when a broker said that there is no such topic, not yet told; 0: none did */
    /* Of the present generation: */
    rd_kafka_topic_partition_list_t *assignment; /* NULL: revoked */
    rd_kafka_consumer_group_metadata_t *metadata;
};

static void assignment_drop(struct kafka_member *member)
{
    if (member->metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(member->metadata);
    if (member->assignment != NULL)
        rd_kafka_topic_partition_list_destroy(member->assignment);
    member->metadata = NULL;
    member->assignment = NULL;
}

/* The group's assignment is noted and never read through this client, so librdkafka is told that it is empty. */
static void rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                       void *context)
{
    struct kafka_member *member = context;
    assignment_drop(member);
    member->joined = member->doubted = false;
    if (code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        bool lost = rd_kafka_assignment_lost(client) != 0;
        log_info("partitions revoked", LOG_I("partitions", partitions->cnt), LOG_I("lost", lost));
        /* Declared dead: another instance may have taken over, so this one does not rush back into the group; one that
         * shares it may. */
        if (lost && !member->shared && rd_kafka_unsubscribe(client) == RD_KAFKA_RESP_ERR_NO_ERROR)
            member->subscribed = false;
        (void)rd_kafka_assign(client, NULL);
        return;
    }
    member->assignment = rd_kafka_topic_partition_list_copy(partitions);
    if (member->shared || kafka_member_assigned(member) == member->partition_count)
        member->metadata = rd_kafka_consumer_group_metadata(client);
    log_info("partitions assigned", LOG_I("partitions", partitions->cnt), LOG_I("of", member->partition_count));
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    rd_kafka_resp_err_t failed = rd_kafka_assign(client, none);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warn("the assignment is not accepted", LOG_S("text", rd_kafka_err2str(failed)));
    rd_kafka_topic_partition_list_destroy(none);
}

static void prepare(rd_kafka_conf_t *conf, void *context)
{
    rd_kafka_conf_set_opaque(conf, context);
    rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
}

static int client_open(struct kafka_member *member, struct error *err)
{
    const struct kafka_setting fixed[] = {
        {"group.id", member->group_id},
        {"group.instance.id", member->instance_id},
        {"partition.assignment.strategy", "roundrobin"},
        {"session.timeout.ms", "10000"},
        {"heartbeat.interval.ms", "2000"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"isolation.level", "read_committed"}, /* committed positions are then read stable */
        {"auto.offset.reset", "error"},
        {NULL, NULL},
    };
    /* A member whose thread is stuck holds up a rebalance for so long; librdkafka's 5 min are longer than others wait.
     */
    static const struct kafka_setting shared[] = {{"max.poll.interval.ms", "45000"}, {NULL, NULL}};
    const struct kafka_client client = {
        .type = RD_KAFKA_CONSUMER,
        .properties = member->properties,
        .property_count = member->property_count,
        .defaults = member->shared ? shared : NULL,
        .fixed = fixed,
        .prepare = prepare,
        .context = member,
    };
    TRY(kafka_client_new(&member->client, &client, err));
    (void)rd_kafka_poll_set_consumer(member->client);
    return 0;
}

int kafka_member_open(struct kafka_member **member, const struct kafka_member_options *options, struct error *err)
{
    struct kafka_member *self = mem_zalloc(sizeof *self);
    struct str *topics = arena_alloc(&self->arena, (options->topic_count + 1) * sizeof *topics);
    for (size_t i = 0; i < options->topic_count; i++)
        topics[i] = arena_str(&self->arena, options->topics[i]);
    self->topics = topics;
    self->topic_count = options->topic_count;
    self->group_id = arena_str(&self->arena, str_of(options->group_id)).p;
    self->instance_id = arena_str(&self->arena, str_of(options->instance_id)).p;
    self->partition_count = options->partition_count;
    self->shared = options->shared;
    self->mock = options->mock;
    self->properties = options->properties;
    self->property_count = options->property_count;
    if (client_open(self, err) != 0) {
        kafka_member_close(self);
        return -1;
    }
    *member = self;
    return 0;
}

static int refuse_others(const struct kafka_member *member, const struct kafka_group_others *others, struct error *err)
{
    return error_set(
        err, ERROR_FATAL,
        "another instance (%s) is a member of group %s: exchange: local runs one instance; stop the other, "
        "or give this one an application_id of its own",
        others->one, member->group_id);
}

/* Does not join beside a live member: that would take partitions away from it. */
static int await_alone(struct kafka_member *member, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + OTHERS_GONE_MS * INT64_C(1000);
    for (bool told = false; !member->mock; told = true) {
        struct kafka_group_others others;
        TRY(kafka_group_others(member->client, member->group_id, member->instance_id, &others, err));
        if (others.count == 0)
            return 0;
        if (clock_mono_us() > deadline_us)
            return refuse_others(member, &others, err);
        if (!told)
            log_info("waiting for another instance to leave the group", LOG_S("group", member->group_id),
                     LOG_S("instance", others.one));
        TRY(kafka_member_serve(member, ASK_AGAIN_MS, err));
    }
    return 0;
}

static int subscribe(struct kafka_member *member, struct error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)member->topic_count);
    for (size_t i = 0; i < member->topic_count; i++)
        (void)rd_kafka_topic_partition_list_add(topics, member->topics[i].p, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(member->client, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(err, code, "joining group %s", member->group_id);
    member->subscribed = true;
    return 0;
}

/* Two members met although each had looked: the one with the lesser instance id stays. */
static int settle_meeting(struct kafka_member *member, struct error *err)
{
    struct kafka_group_others others;
    TRY(kafka_group_others(member->client, member->group_id, member->instance_id, &others, err));
    if (others.count > 0 && strcmp(others.least_instance_id, member->instance_id) < 0)
        return refuse_others(member, &others, err);
    return 0;
}

static int join_failed(const struct kafka_member *member, struct error *err)
{
    if (member->shared || kafka_member_assigned(member) == 0)
        return error_set(err, ERROR_RETRY,
                         "group %s assigned nothing to this instance within %d s (are brokers down? see the "
                         "coordinator's log, and whether another instance hangs)",
                         member->group_id, JOIN_MS / 1000);
    return error_set(err, ERROR_FATAL,
                     "group %s gave this instance %zu of %zu partitions within %d s: another instance may run, or a "
                     "topic's number of partitions has changed; start again",
                     member->group_id, kafka_member_assigned(member), member->partition_count, JOIN_MS / 1000);
}

/* Sees whether the group has a member of this instance's id. */
struct double_look {
    const char *instance_id;
    bool found;
    char host[128];
};

static void double_seen(void *context, const struct kafka_group_member *member)
{
    struct double_look *look = context;
    if (!str_is(member->instance_id, look->instance_id))
        return;
    look->found = true;
    (void)snprintf(look->host, sizeof look->host, "%.*s", STR_ARG(member->host));
}

static int double_lives(const struct kafka_member *member, const struct double_look *look, struct error *err)
{
    return error_set(err, ERROR_FATAL,
                     "group %s: a process at %s uses this instance's id and lives (a copied state.dir?): stop one of "
                     "the two, and give it a state.dir of its own",
                     member->group_id, look->host);
}

/* A new client, which joins once the group has removed the member of this instance's id. Meanwhile nothing is ours. */
static int join_anew(struct kafka_member *member, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + DOUBLE_GONE_MS * INT64_C(1000);
    kafka_client_free(member->client);
    member->client = NULL;
    assignment_drop(member);
    member->subscribed = false;
    TRY(client_open(member, err));
    for (;;) {
        struct double_look look = {.instance_id = member->instance_id};
        rd_kafka_resp_err_t code =
            kafka_group_members(member->client, member->group_id, ASK_AGAIN_MS * 5, double_seen, &look);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && !look.found)
            break;
        if (clock_mono_us() > deadline_us && look.found)
            return double_lives(member, &look, err);
        if (clock_mono_us() > deadline_us || kafka_stopping())
            return error_set(err, ERROR_RETRY, "the members of group %s: %s", member->group_id, rd_kafka_err2str(code));
        TRY(kafka_member_serve(member, ASK_AGAIN_MS, err));
    }
    member->fenced = false;
    return 0;
}

/* What librdkafka calls fenced is either: another process took this instance's id, and goes on sending heartbeats; or
 * the answer to a join was lost with its coordinator, and the member that it made of us never says a word. The group
 * removes the second by itself. */
static int await_double_gone(struct kafka_member *member, struct error *err)
{
    log_warn("the group has another member of this instance's id; waiting whether it lives",
             LOG_S("group", member->group_id), LOG_S("instance", member->instance_id));
    return join_anew(member, err);
}

/* Counts what the members of a stable group have of the topics. */
struct handed_out {
    const struct kafka_member *member;
    size_t count;
    bool stable;
};

static void handed_out_add(void *context, int32_t partition)
{
    (void)partition;
    ((struct handed_out *)context)->count++;
}

static void handed_out_see(void *context, const struct kafka_group_member *member)
{
    struct handed_out *out = context;
    out->stable = member->stable;
    for (size_t i = 0; i < out->member->topic_count; i++)
        kafka_group_assigned(member, out->member->topics[i], handed_out_add, out);
}

/* A static member that comes back within its session gets the assignment that it had, though the topics are others now,
 * and the partitions that are new would be nobody's. One that is removed and joins makes the group assign anew. */
static int rejoin_where_stale(struct kafka_member *member, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + DOUBLE_GONE_MS * INT64_C(1000);
    struct handed_out out;
    if (member->mock || member->rejoined)
        return 0;
    for (;;) {
        out = (struct handed_out){.member = member};
        rd_kafka_resp_err_t code =
            kafka_group_members(member->client, member->group_id, COMMITTED_TRY_MS, handed_out_see, &out);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        if (!kafka_passing(code) || clock_mono_us() > deadline_us || kafka_stopping())
            return kafka_failed(err, code, "the members of group %s", member->group_id);
        TRY(kafka_member_serve(member, ASK_AGAIN_MS, err));
    }
    if (!out.stable || out.count >= member->partition_count)
        return 0;
    member->rejoined = true;
    log_info("the group has not given out all partitions, since topics are new to it; joining it anew when this "
             "member's session is over",
             LOG_S("group", member->group_id), LOG_I("partitions", out.count), LOG_I("of", member->partition_count));
    return join_anew(member, err);
}

static int fenced(struct error *err)
{
    return error_set(err, ERROR_ABORT, "the group has another member of this instance's id");
}

static int await_assignment(struct kafka_member *member, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + JOIN_MS * INT64_C(1000);
    int64_t look_us = 0;
    while (member->metadata == NULL) {
        if (!member->subscribed) {
            if (!member->shared)
                TRY(await_alone(member, err));
            TRY(subscribe(member, err));
            deadline_us = clock_mono_us() + JOIN_MS * INT64_C(1000);
        }
        TRY(kafka_member_serve(member, 100, err));
        int64_t now_us = clock_mono_us();
        bool part = kafka_member_assigned(member) > 0 && member->metadata == NULL;
        if (part && !member->mock && now_us > look_us) {
            TRY(settle_meeting(member, err));
            TRY(rejoin_where_stale(member, err));
            look_us = now_us + ASK_AGAIN_MS * INT64_C(1000);
        }
        if (member->fenced)
            return fenced(err);
        if (member->metadata == NULL && (now_us > deadline_us || kafka_stopping()))
            return join_failed(member, err);
    }
    return 0;
}

int kafka_member_join(struct kafka_member *member, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + DOUBT_MS * INT64_C(1000);
    if (member->fenced)
        TRY(await_double_gone(member, err));
    while (member->doubted && member->metadata != NULL && clock_mono_us() < deadline_us)
        TRY(kafka_member_serve(member, 100, err));
    member->doubted = false;
    TRY(await_assignment(member, err));
    if (member->shared)
        TRY(rejoin_where_stale(member, err));
    TRY(await_assignment(member, err));
    member->joined = true;
    return 0;
}

/* What the group's coordinator says that is no rebalance. */
static int event_take(struct kafka_member *member, const rd_kafka_message_t *message, struct error *err)
{
    const struct kafka_code *about = kafka_code(message->err);
    const char *said = rd_kafka_message_errstr(message);
    if (about->reads == ERROR_NONE)
        return 0;
    if (about->reads == ERROR_RETRY) {
        if (about->about == KAFKA_ABOUT_TOPIC && member->missing_us == 0)
            member->missing_us = clock_mono_us();
        log_warn("the group is held up", LOG_S("group", member->group_id), LOG_S("text", said));
        return 0;
    }
    if (about->reads == ERROR_ABORT) {
        log_warn("this instance lost its place in the group", LOG_S("group", member->group_id), LOG_S("text", said));
        member->joined = false;
        member->doubted = true;
        return 0;
    }
    char text[256];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(member->client, text, sizeof text);
    if (fatal == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        log_warn("this instance lost its place in the group", LOG_S("group", member->group_id), LOG_S("text", text));
        member->joined = false;
        member->fenced = true;
        return 0;
    }
    if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_set(err, ERROR_FATAL, "group %s: %s (see the coordinator's log)", member->group_id, text);
    return error_set(err, ERROR_FATAL, "group %s: %s (%s)", member->group_id, said,
                     about->advice != NULL ? about->advice : "see the coordinator's log");
}

int kafka_member_serve(struct kafka_member *member, int timeout_ms, struct error *err)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(member->client, timeout_ms);
    if (message == NULL)
        return 0;
    int result = event_take(member, message, err);
    rd_kafka_message_destroy(message);
    return result;
}

bool kafka_member_revoked(const struct kafka_member *member)
{
    return !member->joined;
}

bool kafka_member_owns(const struct kafka_member *member, const char *topic, int32_t partition)
{
    return member->assignment != NULL &&
           rd_kafka_topic_partition_list_find(member->assignment, topic, partition) != NULL;
}

size_t kafka_member_assigned(const struct kafka_member *member)
{
    return member->assignment != NULL ? (size_t)member->assignment->cnt : 0;
}

bool kafka_member_missing(struct kafka_member *member)
{
    bool due = member->missing_us != 0 && clock_mono_us() - member->missing_us > MISSING_US;
    if (due)
        member->missing_us = 0;
    return due;
}

void kafka_member_doubt(struct kafka_member *member)
{
    member->doubted = true;
}

int kafka_member_committed(struct kafka_member *member, struct kafka_committed *positions, size_t count,
                           struct arena *arena, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + COMMITTED_MS * INT64_C(1000);
    for (;;) {
        rd_kafka_resp_err_t code = kafka_group_committed(member->client, positions, count, COMMITTED_TRY_MS, arena);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (!kafka_passing(code) || clock_mono_us() > deadline_us || kafka_stopping())
            return kafka_failed(err, code, "the committed positions of group %s", member->group_id);
        TRY(kafka_member_serve(member, 100, err));
        if (member->shared && kafka_member_revoked(member))
            return error_set(err, ERROR_ABORT, "the group took the partitions away");
    }
}

rd_kafka_t *kafka_member_client(struct kafka_member *member)
{
    return member->client;
}

const rd_kafka_consumer_group_metadata_t *kafka_member_metadata(const struct kafka_member *member)
{
    return member->joined ? member->metadata : NULL;
}

rd_kafka_consumer_group_metadata_t *kafka_member_metadata_copy(const struct kafka_member *member)
{
    void *bytes = NULL;
    size_t n = 0;
    rd_kafka_consumer_group_metadata_t *copy = NULL;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(member->metadata, &bytes, &n);
    ASSERT(error == NULL);
    error = rd_kafka_consumer_group_metadata_read(&copy, bytes, n);
    ASSERT(error == NULL);
    rd_kafka_mem_free(NULL, bytes);
    return copy;
}

void kafka_member_close(struct kafka_member *member)
{
    if (member == NULL)
        return;
    kafka_client_free(member->client);
    assignment_drop(member);
    arena_fini(&member->arena);
    free(member);
}
