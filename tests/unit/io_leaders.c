/* Brokers that know less than the cluster: a partition's leader changes, and a client that only asks about it, and
 * reads nothing of it, finds the new one; one that has just started does not know a topic yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "io/kafka_admin.h"

enum { BROKERS = 2, SECONDS_MAX = 20 };

struct fixture {
    rd_kafka_t *host; /* of the cluster */
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *client;
};

static void set_up(struct fixture *fixture)
{
    struct error err;
    const struct kafka_client none = {.type = RD_KAFKA_PRODUCER};
    assert_int_equal(kafka_client_new(&fixture->host, &none, &err), 0);
    fixture->cluster = rd_kafka_mock_cluster_new(fixture->host, BROKERS);
    assert_non_null(fixture->cluster);
    assert_int_equal(rd_kafka_mock_topic_create(fixture->cluster, "topic", 1, BROKERS), 0);
    assert_int_equal(rd_kafka_mock_partition_set_leader(fixture->cluster, "topic", 0, 1), 0);
    const struct str_pair brokers = {str_of("bootstrap.servers"),
                                     str_of(rd_kafka_mock_cluster_bootstraps(fixture->cluster))};
    const struct kafka_client asker = {.type = RD_KAFKA_CONSUMER, .properties = &brokers, .property_count = 1};
    assert_int_equal(kafka_client_new(&fixture->client, &asker, &err), 0);
}

static void tear_down(struct fixture *fixture)
{
    kafka_client_free(fixture->client);
    rd_kafka_mock_cluster_destroy(fixture->cluster);
    kafka_client_free(fixture->host);
}

static void test_the_range_is_asked_of_the_new_leader(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err;
    int64_t low, high;
    set_up(&fixture);
    assert_int_equal(kafka_log_range(fixture.client, "topic", 0, &low, &high, &err), 0);
    assert_int_equal(rd_kafka_mock_partition_set_leader(fixture.cluster, "topic", 0, 2), 0);
    int64_t begun_us = clock_mono_us();
    if (kafka_log_range(fixture.client, "topic", 0, &low, &high, &err) != 0)
        fail_msg("%s", err.message);
    assert_true(clock_mono_us() - begun_us < SECONDS_MAX * INT64_C(1000000));
    tear_down(&fixture);
}

static void produce(struct fixture *fixture, const char *topic, int32_t partition, int count)
{
    struct error err;
    rd_kafka_t *producer;
    char value[] = "x";
    const struct str_pair brokers = {str_of("bootstrap.servers"),
                                     str_of(rd_kafka_mock_cluster_bootstraps(fixture->cluster))};
    const struct kafka_client options = {.type = RD_KAFKA_PRODUCER, .properties = &brokers, .property_count = 1};
    assert_int_equal(kafka_client_new(&producer, &options, &err), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                           RD_KAFKA_V_VALUE(value, sizeof value), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, SECONDS_MAX * 1000), RD_KAFKA_RESP_ERR_NO_ERROR);
    kafka_client_free(producer);
}

/* Several logs, in an order of the asker's, of brokers that each answer for theirs; then of one that leads no more. */
static void test_the_ends_of_several_logs(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err;
    set_up(&fixture);
    assert_int_equal(rd_kafka_mock_topic_create(fixture.cluster, "other", 2, BROKERS), 0);
    for (int32_t i = 0; i < 2; i++)
        assert_int_equal(rd_kafka_mock_partition_set_leader(fixture.cluster, "other", i, i + 1), 0);
    produce(&fixture, "other", 0, 3);
    produce(&fixture, "other", 1, 5);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(3);
    rd_kafka_topic_partition_list_add(list, "topic", 0);
    rd_kafka_topic_partition_list_add(list, "other", 1);
    rd_kafka_topic_partition_list_add(list, "other", 0);
    for (int round = 0; round < 2; round++) {
        if (kafka_log_ends(fixture.client, list, &err) != 0)
            fail_msg("%s", err.message);
        assert_int_equal(list->elems[0].offset, 0);
        assert_int_equal(list->elems[1].offset, 5);
        assert_int_equal(list->elems[2].offset, 3);
        assert_int_equal(rd_kafka_mock_partition_set_leader(fixture.cluster, "other", 1, 1), 0);
    }
    rd_kafka_topic_partition_list_destroy(list);
    tear_down(&fixture);
}

/* What a broker says that has just started. */
static void *know_the_topic_again(void *context)
{
    const struct timespec moment = {0, 500 * 1000000L};
    (void)nanosleep(&moment, NULL);
    rd_kafka_mock_topic_set_error(((struct fixture *)context)->cluster, "topic", RD_KAFKA_RESP_ERR_NO_ERROR);
    return NULL;
}

static void test_a_topic_that_one_broker_does_not_know(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err;
    pthread_t thread;
    int count;
    set_up(&fixture);
    rd_kafka_mock_topic_set_error(fixture.cluster, "topic", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_int_equal(kafka_topic_partitions(fixture.client, "topic", &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(pthread_create(&thread, NULL, know_the_topic_again, &fixture), 0);
    assert_int_equal(kafka_topic_await(fixture.client, "topic", &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    rd_kafka_mock_topic_set_error(fixture.cluster, "topic", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_int_equal(kafka_topic_await(fixture.client, "topic", &count, &err), 0);
    assert_int_equal(count, 0);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_range_is_asked_of_the_new_leader),
                                       cmocka_unit_test(test_the_ends_of_several_logs),
                                       cmocka_unit_test(test_a_topic_that_one_broker_does_not_know)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
