/* Who may write a task's part of the store: the newest claim, and never two at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "engine/claims.h"

enum { TASKS = 2, TURNS = 20000 };

static void test_the_newest_claim_counts(void **state)
{
    (void)state;
    struct claims *claims = claims_new(TASKS);
    const bool first[TASKS] = {true, false};
    const bool none[TASKS] = {false, false};
    assert_true(claims_begin(claims, 0, CLAIMS_NOBODY));
    claims_end(claims, 0);
    claims_set(claims, 3, first);
    assert_true(claims_taken(claims, 0));
    assert_false(claims_taken(claims, 1));
    assert_false(claims_begin(claims, 0, CLAIMS_NOBODY));
    assert_true(claims_begin(claims, 0, 3));
    claims_end(claims, 0);
    claims_set(claims, 4, first);
    assert_false(claims_begin(claims, 0, 3));
    /* Who learns late that it lost the task takes nothing from who has it. */
    claims_set(claims, 3, none);
    assert_true(claims_begin(claims, 0, 4));
    claims_end(claims, 0);
    claims_set(claims, 4, none);
    assert_true(claims_begin(claims, 0, CLAIMS_NOBODY));
    claims_end(claims, 0);
    claims_free(claims);
}

/* Two workers take the task from each other. */
struct rivals {
    struct claims *claims;
    atomic_bool busy; /* somebody is writing */
    atomic_int met;   /* somebody else was */
};

struct rival {
    struct rivals *all;
    int number;
    int64_t wrote;
};

static void *take_turns(void *context)
{
    struct rival *rival = context;
    const bool both[TASKS] = {true, true};
    for (int i = 0; i < TURNS; i++) {
        claims_set(rival->all->claims, rival->number, both);
        if (!claims_begin(rival->all->claims, 0, rival->number))
            continue;
        if (atomic_exchange(&rival->all->busy, true))
            atomic_fetch_add(&rival->all->met, 1);
        (void)sched_yield();
        atomic_store(&rival->all->busy, false);
        rival->wrote++;
        claims_end(rival->all->claims, 0);
    }
    return NULL;
}

static void test_a_claim_waits_for_who_writes(void **state)
{
    (void)state;
    struct rivals rivals = {.claims = claims_new(TASKS)};
    struct rival each[2] = {{.all = &rivals, .number = 0}, {.all = &rivals, .number = 1}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &each[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(each[0].wrote + each[1].wrote > 0);
    assert_int_equal(atomic_load(&rivals.met), 0);
    claims_free(rivals.claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_newest_claim_counts),
                                       cmocka_unit_test(test_a_claim_waits_for_who_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
