/* By librdkafka's older calls: with no broker up, DescribeConsumerGroups of 2.0.2 fails an assertion when it times out
 * before the coordinator is found. */
#include "io/kafka_group.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

enum { REACH_MS = 30000, RETRY_MS = 300, ASK_MS = 5000, MEMBER_UUID_CHARS = 1 + 36 };

/* A static member's id is its group.instance.id, '-' and a UUID; another's begins with its client.id. */
static struct str member_instance(const struct rd_kafka_group_member_info *member)
{
    struct str id = str_of(member->member_id);
    if (id.n <= MEMBER_UUID_CHARS)
        return (struct str){0};
    id.n -= MEMBER_UUID_CHARS;
    return str_eq(id, str_of(member->client_id)) ? (struct str){0} : id;
}

rd_kafka_resp_err_t kafka_group_members(rd_kafka_t *client, const char *group, int timeout_ms,
                                        void (*visit)(void *context, const struct kafka_group_member *member),
                                        void *context)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(client, group, &list, timeout_ms);
    /* All brokers that the client ever knew are asked, and one that is gone says nothing. Where the group was found
     * nevertheless, its coordinator answered; where it was not, that may be the one that is gone, and the call failed.
     */
    if (code == RD_KAFKA_RESP_ERR__PARTIAL)
        code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; list != NULL && i < list->group_cnt; i++) {
        const struct rd_kafka_group_info *found = &list->groups[i];
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && found->err != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
            code = found->err;
        for (int m = 0; m < found->member_cnt; m++) {
            const struct rd_kafka_group_member_info *info = &found->members[m];
            const struct kafka_group_member member = {
                .instance_id = member_instance(info),
                .member_id = str_of(info->member_id),
                .client_id = str_of(info->client_id),
                .host = str_of(info->client_host),
                .assignment = {info->member_assignment, (size_t)info->member_assignment_size},
                .stable = str_is(str_of(found->state), "Stable")};
            visit(context, &member);
        }
    }
    if (list != NULL)
        rd_kafka_group_list_destroy(list);
    return code;
}

/* ConsumerProtocolAssignment: version, then of each topic its name and its partitions, then what the assignor adds. */
void kafka_group_assigned(const struct kafka_group_member *member, struct str topic,
                          void (*visit)(void *context, int32_t partition), void *context)
{
    struct reader reader = reader_of(member->assignment.p, member->assignment.n);
    (void)read_u16(&reader);
    for (uint32_t topics = read_u32(&reader); topics > 0 && !reader.failed; topics--) {
        size_t n = read_u16(&reader);
        struct str name = {(const char *)reader.p, n};
        if (reader.failed || n > reader_left(&reader))
            return;
        reader.p += n;
        for (uint32_t partitions = read_u32(&reader); partitions > 0 && !reader.failed; partitions--) {
            int32_t partition = (int32_t)read_u32(&reader);
            if (!reader.failed && str_eq(name, topic))
                visit(context, partition);
        }
    }
}

/* Counts those that are not `instance_id`. */
struct count {
    struct kafka_group_others *others;
    const char *instance_id;
};

static void others_add(void *context, const struct kafka_group_member *member)
{
    const struct count *count = context;
    struct kafka_group_others *others = count->others;
    struct str its = member->instance_id;
    if (count->instance_id != NULL && str_is(its, count->instance_id))
        return;
    if (others->count++ > 0 && str_cmp(its, str_of(others->least_instance_id)) >= 0)
        return;
    (void)snprintf(others->least_instance_id, sizeof others->least_instance_id, "%.*s", STR_ARG(its));
    struct str name = its.n > 0 ? its : member->client_id;
    (void)snprintf(others->one, sizeof others->one, "%.*s at %.*s", STR_ARG(name), STR_ARG(member->host));
}

int kafka_group_others(rd_kafka_t *client, const char *group, const char *instance_id,
                       struct kafka_group_others *others, struct error *err)
{
    int64_t deadline_us = clock_mono_us() + REACH_MS * INT64_C(1000);
    const struct timespec pause = {0, RETRY_MS * 1000000L};
    for (;;) {
        struct count count = {others, instance_id};
        *others = (struct kafka_group_others){0};
        rd_kafka_resp_err_t code = kafka_group_members(client, group, ASK_MS, others_add, &count);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        /* The group's coordinator may still be loading, most of all on a new cluster. */
        if (!kafka_passing(code) || clock_mono_us() > deadline_us || kafka_stopping())
            return kafka_failed(err, code, "the members of group %s", group);
        (void)nanosleep(&pause, NULL);
    }
}

rd_kafka_resp_err_t kafka_group_committed(rd_kafka_t *client, struct kafka_committed *positions, size_t count,
                                          int timeout_ms, struct arena *arena)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        (void)rd_kafka_topic_partition_list_add(list, positions[i].topic, positions[i].partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(client, list, timeout_ms);
    for (size_t i = 0; i < count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const rd_kafka_topic_partition_t *found = &list->elems[i];
        ASSERT(found->partition == positions[i].partition && strcmp(found->topic, positions[i].topic) == 0);
        code = found->err;
        positions[i].offset = found->offset >= 0 ? found->offset : -1;
        positions[i].metadata = arena_str(arena, (struct str){found->metadata, found->metadata_size});
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}
