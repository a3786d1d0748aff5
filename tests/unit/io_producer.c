/* A producer that aborted a transaction is not used again (kafka_producer_abort says why); one that had none open is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "io/kafka_producer.h"

static void commit_one(struct kafka_producer *producer)
{
    struct error err;
    const struct kafka_record record = {.topic = "topic", .value = STR_LIT("v")};
    assert_int_equal(kafka_producer_begin(producer, &err), 0);
    assert_int_equal(kafka_producer_send(producer, &record, &err), 0);
    assert_int_equal(kafka_producer_flush(producer, &err), 0);
    assert_int_equal(kafka_producer_commit(producer, &err), 0);
}

static void test_an_abort_is_the_last_thing_that_one_does(void **state)
{
    (void)state;
    struct error err;
    rd_kafka_t *host;
    const struct kafka_client none = {.type = RD_KAFKA_PRODUCER};
    assert_int_equal(kafka_client_new(&host, &none, &err), 0);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(host, 1);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "topic", 1, 1), 0);
    const struct str_pair brokers = {str_of("bootstrap.servers"), str_of(rd_kafka_mock_cluster_bootstraps(cluster))};
    const struct kafka_producer_options options = {.properties = &brokers,
                                                   .property_count = 1,
                                                   .transactional_id = "id",
                                                   .record_bytes_max = 1 << 20,
                                                   .queue_bytes = 8 << 20};
    struct kafka_producer *producer;
    assert_int_equal(kafka_producer_open(&producer, &options, &err), 0);
    commit_one(producer);
    kafka_producer_abort(producer);
    assert_false(kafka_producer_dead(producer));
    commit_one(producer);
    const struct kafka_record record = {.topic = "topic", .value = STR_LIT("v")};
    assert_int_equal(kafka_producer_begin(producer, &err), 0);
    assert_int_equal(kafka_producer_send(producer, &record, &err), 0);
    kafka_producer_abort(producer);
    assert_true(kafka_producer_dead(producer));
    kafka_producer_close(producer);
    rd_kafka_mock_cluster_destroy(cluster);
    kafka_client_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_an_abort_is_the_last_thing_that_one_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
