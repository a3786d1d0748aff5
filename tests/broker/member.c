/* A member of a shared group, as small as one can be: it copies what it reads to another topic, exactly once, by the
 * protocol that the engine follows. test_member.py starts several and disturbs them.
 *
 *     broker_member BOOTSTRAP APPLICATION INSTANCE OUTPUT TOPIC…
 *
 * It says on standard output what the group does to it. SIGUSR1 makes it stop itself (as SIGSTOP would) before its next
 * transaction, SIGUSR2 in the middle of it, so that it wakes up with what it knew when it fell asleep. SIGHUP makes it
 * serve its membership before its next transaction until it is given another number of partitions.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "io/kafka_member.h"
#include "io/kafka_producer.h"
#include "io/source_kafka.h"

enum { BATCH = 16, TOPICS_MAX = 4 };
enum { AWAKE, STOP_BEFORE, STOP_AMID, SERVE_BEFORE };

struct member {
    struct source *source;
    struct kafka_producer *producer;
    struct str_pair properties[1];
    char transactional_id[128];
    const char *output;
    struct str topics[TOPICS_MAX];
};

static volatile sig_atomic_t stop_wanted;

static void on_signal(int number)
{
    stop_wanted = number == SIGUSR1 ? STOP_BEFORE : number == SIGUSR2 ? STOP_AMID : SERVE_BEFORE;
}

static void stop_at(int place)
{
    if (stop_wanted != place)
        return;
    stop_wanted = AWAKE;
    (void)raise(SIGSTOP);
}

static int serve_through_rebalance(struct member *member, struct error *err)
{
    struct kafka_member *membership = source_kafka_member(member->source);
    size_t before = kafka_member_assigned(membership);
    if (stop_wanted != SERVE_BEFORE)
        return 0;
    stop_wanted = AWAKE;
    (void)printf("serving\n");
    while (kafka_member_assigned(membership) == before || kafka_member_assigned(membership) == 0)
        TRY(kafka_member_serve(membership, 100, err));
    return 0;
}

static int producer_renew(struct member *member, struct error *err)
{
    if (member->producer != NULL && !kafka_producer_dead(member->producer))
        return 0;
    kafka_producer_close(member->producer);
    member->producer = NULL;
    const struct kafka_producer_options options = {.properties = member->properties,
                                                   .property_count = 1,
                                                   .transactional_id = member->transactional_id,
                                                   .record_bytes_max = 1 << 20};
    return kafka_producer_open(&member->producer, &options, err);
}

/* Joins and seeks what this member owns to where the group stands. */
static int join(struct member *member, struct arena *arena, struct error *err)
{
    struct source *source = member->source;
    TRY(source_kafka_join(source, err));
    struct kafka_committed *committed = arena_zalloc(arena, (source->partition_count + 1) * sizeof *committed);
    size_t count = 0;
    for (size_t i = 0; i < source->partition_count; i++)
        if (source->ops->owned(source, i))
            committed[count++] = (struct kafka_committed){.topic = source->partitions[i].topic_name.p,
                                                          .partition = source->partitions[i].partition};
    TRY(producer_renew(member, err));
    if (count > 0)
        TRY(kafka_member_committed(source_kafka_member(source), committed, count, arena, err));
    (void)printf("joined with %zu:", count);
    for (size_t i = 0, at = 0; i < source->partition_count; i++) {
        if (!source->ops->owned(source, i))
            continue;
        TRY(source->ops->seek(source, i, committed[at].offset > 0 ? committed[at].offset : 0, err));
        (void)printf(" %s/%d", committed[at].topic, (int)committed[at].partition);
        at++;
    }
    (void)printf("\n");
    return 0;
}

static int copy(struct member *member, size_t partition, size_t *copied, struct error *err)
{
    struct source_record records[BATCH];
    size_t count;
    TRY(member->source->ops->poll(member->source, partition, records, BATCH, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (*copied == 0) {
            stop_at(STOP_BEFORE);
            TRY(serve_through_rebalance(member, err));
            TRY(kafka_producer_begin(member->producer, err));
        }
        const struct kafka_record record = {.topic = member->output,
                                            .partition = RD_KAFKA_PARTITION_UA,
                                            .value = {records[i].value, records[i].value_n}};
        TRY(kafka_producer_send(member->producer, &record, err));
        ++*copied;
    }
    return 0;
}

static int commit(struct member *member, struct arena *arena, struct error *err)
{
    struct source *source = member->source;
    struct kafka_position *positions = arena_zalloc(arena, (source->partition_count + 1) * sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < source->partition_count; i++)
        if (source->ops->owned(source, i))
            positions[count++] = (struct kafka_position){.topic = source->partitions[i].topic_name.p,
                                                         .partition = source->partitions[i].partition,
                                                         .offset = source_kafka_position(source, i)};
    TRY(kafka_producer_flush(member->producer, err));
    stop_at(STOP_AMID);
    const rd_kafka_consumer_group_metadata_t *group = kafka_member_metadata(source_kafka_member(source));
    if (group == NULL)
        return error_set(err, ERROR_ABORT, "the group took the partitions away");
    TRY(kafka_producer_positions(member->producer, positions, count, group, err));
    return kafka_producer_commit(member->producer, err);
}

static int turn(struct member *member, struct arena *arena, struct error *err)
{
    struct source *source = member->source;
    size_t copied = 0;
    for (size_t i = 0; i < source->partition_count; i++)
        if (source->ops->owned(source, i))
            TRY(copy(member, i, &copied, err));
    if (copied > 0)
        TRY(commit(member, arena, err));
    source->ops->release(source);
    return source->ops->wait(source, 50, err);
}

static int loop(struct member *member, struct arena *arena, struct error *err)
{
    for (bool joined = false;;) {
        arena_reset(arena);
        if ((joined ? turn(member, arena, err) : join(member, arena, err)) == 0) {
            joined = true;
            continue;
        }
        member->source->ops->release(member->source);
        if (member->producer != NULL) {
            if (kafka_producer_group_lost(member->producer))
                kafka_member_doubt(source_kafka_member(member->source));
            kafka_producer_abort(member->producer);
        }
        if (err->class != ERROR_ABORT)
            return -1;
        (void)printf("aborted: %s\n", err->message);
        joined = false;
    }
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 5 + TOPICS_MAX)
        return 2;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGUSR1, on_signal);
    (void)signal(SIGUSR2, on_signal);
    (void)signal(SIGHUP, on_signal);
    struct member member = {.properties = {{STR_LIT("bootstrap.servers"), str_of(argv[1])}}, .output = argv[4]};
    (void)snprintf(member.transactional_id, sizeof member.transactional_id, "%s-%s", argv[2], argv[3]);
    for (int i = 5; i < argc; i++)
        member.topics[i - 5] = str_of(argv[i]);
    const struct source_kafka_options options = {.properties = member.properties,
                                                 .property_count = 1,
                                                 .topics = member.topics,
                                                 .topic_count = (size_t)(argc - 5),
                                                 .group_id = argv[2],
                                                 .instance_id = argv[3],
                                                 .shared = true};
    struct error err = {0};
    struct arena arena = {0};
    if (source_kafka_open(&member.source, &options, &err) == 0)
        (void)loop(&member, &arena, &err);
    (void)printf("failed: %s\n", err.message);
    arena_fini(&arena);
    kafka_producer_close(member.producer);
    if (member.source != NULL)
        member.source->ops->close(member.source);
    return 1;
}
