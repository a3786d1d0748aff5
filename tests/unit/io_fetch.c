/* What is taken out of librdkafka's queues ahead of the worker: all of it, in order, and within its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/clock.h"
#include "io/kafka_fetch.h"

enum { PARTITIONS = 3, MESSAGES = 3000, LENGTH = 1000, FLUSH_MS = 20000, SLEEP_MS = 50 };

struct fixture {
    rd_kafka_t *host; /* of the cluster, and who writes */
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *reader;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queues[PARTITIONS];
    struct kafka_fetch *fetch;
    int64_t next[PARTITIONS];
};

static void produce(const struct fixture *fixture)
{
    struct error err;
    rd_kafka_t *producer;
    char value[LENGTH] = {0};
    const struct str_pair brokers = {str_of("bootstrap.servers"),
                                     str_of(rd_kafka_mock_cluster_bootstraps(fixture->cluster))};
    const struct kafka_client options = {.type = RD_KAFKA_PRODUCER, .properties = &brokers, .property_count = 1};
    assert_int_equal(kafka_client_new(&producer, &options, &err), 0);
    for (int32_t i = 0; i < PARTITIONS * MESSAGES; i++)
        assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("topic"), RD_KAFKA_V_PARTITION(i % PARTITIONS),
                                           RD_KAFKA_V_VALUE(value, sizeof value), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, FLUSH_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    kafka_client_free(producer);
}

static void set_up(struct fixture *fixture, size_t bytes)
{
    struct error err;
    const struct kafka_client none = {.type = RD_KAFKA_PRODUCER};
    *fixture = (struct fixture){0};
    assert_int_equal(kafka_client_new(&fixture->host, &none, &err), 0);
    fixture->cluster = rd_kafka_mock_cluster_new(fixture->host, 1);
    assert_non_null(fixture->cluster);
    assert_int_equal(rd_kafka_mock_topic_create(fixture->cluster, "topic", PARTITIONS, 1), 0);
    produce(fixture);
    const struct str_pair brokers = {str_of("bootstrap.servers"),
                                     str_of(rd_kafka_mock_cluster_bootstraps(fixture->cluster))};
    const struct kafka_client options = {.type = RD_KAFKA_CONSUMER, .properties = &brokers, .property_count = 1};
    assert_int_equal(kafka_client_new(&fixture->reader, &options, &err), 0);
    fixture->topic = rd_kafka_topic_new(fixture->reader, "topic", NULL);
    assert_int_equal(kafka_fetch_new(&fixture->fetch, PARTITIONS, bytes, &err), 0);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        fixture->queues[i] = rd_kafka_queue_new(fixture->reader);
        assert_int_equal(rd_kafka_consume_start_queue(fixture->topic, i, 0, fixture->queues[i]), 0);
        kafka_fetch_start(fixture->fetch, (size_t)i, fixture->queues[i]);
    }
}

static void tear_down(struct fixture *fixture)
{
    for (int32_t i = 0; i < PARTITIONS; i++) {
        kafka_fetch_stop(fixture->fetch, (size_t)i);
        assert_int_equal(rd_kafka_consume_stop(fixture->topic, i), 0);
        rd_kafka_queue_destroy(fixture->queues[i]);
    }
    rd_kafka_topic_destroy(fixture->topic);
    kafka_client_free(fixture->reader);
    kafka_fetch_free(fixture->fetch);
    rd_kafka_mock_cluster_destroy(fixture->cluster);
    kafka_client_free(fixture->host);
}

static void read_batch(struct fixture *fixture, size_t partition)
{
    struct kafka_batch *batch;
    while ((batch = kafka_fetch_peek(fixture->fetch, partition)) == NULL)
        kafka_fetch_wait(fixture->fetch, 100);
    assert_int_equal(batch->code, RD_KAFKA_RESP_ERR_NO_ERROR);
    for (size_t i = 0; i < batch->count; i++) {
        assert_int_equal(batch->records[i].offset, fixture->next[partition]++);
        assert_int_equal(batch->records[i].value_n, LENGTH);
    }
    kafka_fetch_pass(fixture->fetch, partition);
}

/* `most` of one partition are there before any is given back, and no more; then all the rest of each comes in order. */
static void check(size_t bytes, int most)
{
    struct fixture fixture;
    set_up(&fixture, bytes);
    for (size_t p = 0; p < PARTITIONS; p++) {
        for (int i = 0; i < most; i++)
            read_batch(&fixture, p);
        assert_null(kafka_fetch_peek(fixture.fetch, p));
        kafka_fetch_wait(fixture.fetch, 10);
        assert_null(kafka_fetch_peek(fixture.fetch, p));
    }
    for (size_t p = 0; p < PARTITIONS; p++)
        while (fixture.next[p] < MESSAGES) {
            kafka_fetch_give(fixture.fetch);
            read_batch(&fixture, p);
        }
    tear_down(&fixture);
}

static void test_as_many_as_there_are_places(void **state)
{
    (void)state;
    check(64 << 20, FETCH_BATCHES);
}

static void test_a_few_where_there_are_no_bytes(void **state)
{
    (void)state;
    check(0, FETCH_BATCHES_MIN);
}

/* Those that the first partition gave back go to the next. */
static void test_what_one_has_another_has_not(void **state)
{
    struct fixture fixture;
    (void)state;
    set_up(&fixture, 8 * (sizeof(struct kafka_batch) + FETCH_BATCH_BYTES));
    for (int round = 0; round < 3; round++)
        for (size_t p = 0; p < PARTITIONS; p++) {
            for (int i = 0; i < FETCH_BATCHES_MIN; i++)
                read_batch(&fixture, p);
            kafka_fetch_give(fixture.fetch);
        }
    tear_down(&fixture);
}

/* Of events of 100 bytes, with what each takes for itself: the bytes of what is queued when more is asked for, and of
 * one answer. */
static size_t resident(const struct kafka_ahead *ahead)
{
    return (ahead->messages + ahead->answer_bytes / 100) * (100 + 330);
}

static void test_few_partitions_are_asked_for_much_at_once(void **state)
{
    (void)state;
    const struct kafka_ahead ahead = kafka_ahead_of(32 << 20, 12, 4); /* four inputs and eight tasks */
    assert_int_equal(ahead.messages, (32 << 20) / 330 / 4);
    assert_int_equal(ahead.bytes, (32 << 20) / 12);
    assert_int_equal(ahead.answer_bytes, 1 << 20);
}

/* However many partitions there are, what is ahead is about the bytes, and a short answer of each. */
static void test_many_partitions_share_the_bytes(void **state)
{
    (void)state;
    for (size_t inputs = 1; inputs <= 512; inputs *= 2) {
        const size_t bytes = 32 << 20;
        const struct kafka_ahead ahead = kafka_ahead_of(bytes, inputs, inputs);
        const struct kafka_ahead floor = {.answer_bytes = 64 << 10};
        assert_true(inputs * resident(&ahead) <= 3 * bytes + inputs * resident(&floor));
        assert_true(ahead.answer_bytes >= 64 << 10 && ahead.bytes >= ahead.answer_bytes && ahead.messages > 0);
    }
}

static bool slept(const struct fixture *fixture, int64_t timeout_ms)
{
    int64_t from_us = clock_mono_us();
    kafka_fetch_wait(fixture->fetch, (int)timeout_ms);
    return clock_mono_us() - from_us >= timeout_ms * 1000;
}

/* What comes wakes once, and no more until somebody looks: who does not read on sleeps beside full rings. Who has read
 * on, be it only what held no records, does not. */
static void test_what_is_not_looked_at_wakes_nobody(void **state)
{
    struct fixture fixture;
    (void)state;
    set_up(&fixture, 64 << 20);
    while (fixture.next[0] < MESSAGES) {
        read_batch(&fixture, 0);
        kafka_fetch_give(fixture.fetch);
    }
    assert_null(kafka_fetch_peek(fixture.fetch, 0));
    produce(&fixture);
    do
        for (int woken = 0; !slept(&fixture, SLEEP_MS); woken++)
            assert_true(woken < 2 * PARTITIONS * FETCH_BATCHES);
    while (kafka_fetch_peek(fixture.fetch, 0) == NULL);
    kafka_fetch_pass(fixture.fetch, 0);
    assert_false(slept(&fixture, FLUSH_MS));
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_many_as_there_are_places),
                                       cmocka_unit_test(test_a_few_where_there_are_no_bytes),
                                       cmocka_unit_test(test_what_one_has_another_has_not),
                                       cmocka_unit_test(test_few_partitions_are_asked_for_much_at_once),
                                       cmocka_unit_test(test_many_partitions_share_the_bytes),
                                       cmocka_unit_test(test_what_is_not_looked_at_wakes_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
