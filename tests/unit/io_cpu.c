/* A client's broker threads are where the thread is that takes its messages, and it is where it may be. */
#define _GNU_SOURCE /* CPU sets; NOLINT(bugprone-reserved-identifier) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <librdkafka/rdkafka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "io/kafka.h"
#include "io/kafka_cpu.h"

enum { SECONDS_MAX = 20, BROKERS = 3 };

static void prepare(rd_kafka_conf_t *conf, void *context)
{
    kafka_cpu_watch(context, conf);
}

static bool is_broker_thread(const char *thread)
{
    char path[64], name[32] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", thread);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool is = fgets(name, sizeof name, file) != NULL && strncmp(name, "rdk:broker", 10) == 0;
    (void)fclose(file);
    return is;
}

/* Of the process's broker threads those that may run on one CPU alone, and that the present one; and all of them. */
static void count_threads(int *here, int *all)
{
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    *here = *all = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        cpu_set_t set;
        if (!is_broker_thread(entry->d_name) ||
            sched_getaffinity((int)strtol(entry->d_name, NULL, 10), sizeof set, &set) != 0)
            continue;
        *all += 1;
        *here += CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)sched_getcpu(), &set);
    }
    (void)closedir(folder);
}

static void lead_until_all_are_here(struct kafka_cpu *cpu)
{
    int64_t until_us = clock_mono_us() + SECONDS_MAX * INT64_C(1000000);
    int here, all;
    do {
        kafka_cpu_lead(cpu);
        count_threads(&here, &all);
        assert_true(clock_mono_us() < until_us);
    } while (all < BROKERS || here < all);
}

static void test_they_are_where_the_leader_is(void **state)
{
    (void)state;
    struct error err;
    struct kafka_cpu *cpu = kafka_cpu_new();
    cpu_set_t before, now;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    /* Nobody is there: each has a thread all the same. */
    const struct str_pair brokers = {str_of("bootstrap.servers"), str_of("127.0.0.1:1,127.0.0.1:2,127.0.0.1:3")};
    const struct kafka_client options = {
        .type = RD_KAFKA_CONSUMER, .properties = &brokers, .property_count = 1, .prepare = prepare, .context = cpu};
    rd_kafka_t *client;
    assert_int_equal(kafka_client_new(&client, &options, &err), 0);
    lead_until_all_are_here(cpu);
    assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
    assert_int_equal(CPU_COUNT(&now), 1);
    /* And it may be anywhere again: nothing is for ever. */
    int64_t until_us = clock_mono_us() + SECONDS_MAX * INT64_C(1000000);
    do {
        kafka_cpu_lead(cpu);
        assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
        assert_true(clock_mono_us() < until_us);
    } while (!CPU_EQUAL(&now, &before));
    lead_until_all_are_here(cpu);
    kafka_client_free(client); /* every thread has said that it ends: kafka_cpu_free looks */
    kafka_cpu_free(cpu);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_they_are_where_the_leader_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
