/* A thread stays where it is put, and what it starts is there too. */
#define _GNU_SOURCE /* CPU sets; NOLINT(bugprone-reserved-identifier) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "base/cpu.h"

static void *look(void *set)
{
    (void)sched_getaffinity(0, sizeof(cpu_set_t), set);
    return NULL;
}

static cpu_set_t where_a_thread_starts(void)
{
    cpu_set_t set;
    pthread_t thread;
    CPU_ZERO(&set);
    assert_int_equal(pthread_create(&thread, NULL, look, &set), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return set;
}

static void test_each_has_one_of_its_own_and_what_it_starts_too(void **state)
{
    (void)state;
    cpu_set_t before, used;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(cpu_count(), CPU_COUNT(&before));
    CPU_ZERO(&used);
    for (size_t i = 0; i < cpu_count(); i++) {
        cpu_stay(i);
        cpu_set_t set = where_a_thread_starts();
        assert_int_equal(CPU_COUNT(&set), 1);
        CPU_OR(&used, &used, &set);
    }
    assert_true(CPU_EQUAL(&used, &before));
    cpu_stay(0);
    cpu_set_t first = where_a_thread_starts();
    cpu_stay(cpu_count()); /* counted round */
    cpu_set_t round = where_a_thread_starts();
    assert_true(CPU_EQUAL(&first, &round));
    cpu_roam();
    cpu_set_t after = where_a_thread_starts();
    assert_true(CPU_EQUAL(&after, &before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_has_one_of_its_own_and_what_it_starts_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
