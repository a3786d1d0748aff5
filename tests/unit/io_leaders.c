/* A partition whose leader changes: a client that only asks about it, and reads nothing of it, finds the new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_range_is_asked_of_the_new_leader)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
