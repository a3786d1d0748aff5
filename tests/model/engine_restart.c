/* The engine against itself: one run undisturbed, others with the partitions at random speeds, random commits, and
 * crashes at random points (memory and uncommitted outputs gone, the committed positions and state kept), or aborts,
 * which the engine itself outlives. Every recommendation must have the same versions, byte for byte, and the state be
 * the same.
 *
 * usage: test_engine_restart [SEED [ROUNDS]]
 */
#include "engine_states.h"
#include "engine_story.h"

static const struct story story = {1500, 300, 90 * SECOND_MS, PARTITIONS, 80, 6};
static int rounds = 4;

static void test_restarts_change_nothing(void **state)
{
    struct fixture fixture = {0};
    size_t killed_within = 0;
    (void)state;
    load_story(&fixture, "limits: {window_events: 40}\n");
    for (int round = 0; round < rounds; round++) {
        uint64_t seed_of_round = seed;
        struct durable silent;
        struct durable undisturbed;
        struct durable disturbed;
        make_log(&fixture.log, &story);
        durable_init(&silent);
        assert_true(live(&fixture, &silent, false));
        size_t count;
        const struct str *ids = story_ids(&silent.outputs, &fixture.log.arena, &count);
        add_feedback(&fixture.log, &story, ids, count);
        durable_fini(&silent);
        durable_init(&undisturbed);
        durable_init(&disturbed);
        assert_true(live(&fixture, &undisturbed, false));
        int lives = 1;
        while (!live(&fixture, &disturbed, true))
            lives++;
        print_message("seed %llu: %zu recommendations, %zu dead letters, %d lives, %zu ended within "
                      "an instant\n",
                      (unsigned long long)seed_of_round, undisturbed.outputs.count, undisturbed.dead_letters, lives,
                      disturbed.killed_within);
        killed_within += disturbed.killed_within;
        assert_true(undisturbed.outputs.count > 5);
        assert_true(undisturbed.refused > 20 && undisturbed.refused < (size_t)story.feedback - 20);
        compare(&undisturbed, &disturbed);
        const struct states states = {.rules = fixture.rules, .applied_ms = undisturbed.applied_ms, .task = -1};
        compare_states(&states, undisturbed.store, disturbed.store);
        check_timers(disturbed.store);
        durable_fini(&undisturbed);
        durable_fini(&disturbed);
        log_fini(&fixture.log);
    }
    assert_true(killed_within > (size_t)rounds);
    fixture_fini(&fixture);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restarts_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
