/* Who keeps a copy of which task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/standby_choice.h"

enum { INSTANCES = 5, TASKS = 32 };

static const struct str ids[INSTANCES] = {
    {"00c0ffee", 8}, {"1badcafe", 8}, {"7e57ab1e", 8}, {"a11ce5ee", 8}, {"f005ba11", 8}};

/* The chosen ones of `count` instances, as bits, asked of each by itself. */
static unsigned chosen(size_t count, size_t driver, int task, int replicas)
{
    unsigned found = 0;
    for (size_t i = 0; i < count; i++) {
        const struct standby_choice choice = {.instances = ids,
                                              .count = count,
                                              .self = ids[i],
                                              .driver = ids[driver],
                                              .task = task,
                                              .replicas = replicas};
        if (standby_chosen(&choice))
            found |= 1U << i;
    }
    return found;
}

static int count_of(unsigned bits)
{
    return __builtin_popcount(bits);
}

static void test_as_many_as_asked_for_and_never_the_driver(void **state)
{
    (void)state;
    for (size_t count = 1; count <= INSTANCES; count++)
        for (int replicas = 0; replicas <= INSTANCES; replicas++)
            for (int task = 0; task < TASKS; task++)
                for (size_t driver = 0; driver < count; driver++) {
                    unsigned found = chosen(count, driver, task, replicas);
                    int others = (int)count - 1;
                    assert_int_equal(count_of(found), replicas < others ? replicas : others);
                    assert_false(found & (1U << driver));
                }
}

/* Who joins takes copies over from at most one other a task, and nobody else moves. */
static void test_one_more_moves_little(void **state)
{
    (void)state;
    for (int task = 0; task < TASKS; task++) {
        unsigned before = chosen(INSTANCES - 1, 0, task, 2);
        unsigned after = chosen(INSTANCES, 0, task, 2) & ~(1U << (INSTANCES - 1));
        assert_int_equal(after & ~before, 0);
        assert_true(count_of(before & ~after) <= 1);
    }
}

static void test_copies_are_spread(void **state)
{
    (void)state;
    int of[INSTANCES] = {0};
    for (int task = 0; task < TASKS; task++)
        for (size_t i = 0; i < INSTANCES; i++)
            of[i] += (chosen(INSTANCES, (size_t)task % INSTANCES, task, 1) & (1U << i)) != 0;
    for (size_t i = 0; i < INSTANCES; i++)
        assert_in_range(of[i], 2, TASKS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_many_as_asked_for_and_never_the_driver),
                                       cmocka_unit_test(test_one_more_moves_little),
                                       cmocka_unit_test(test_copies_are_spread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
