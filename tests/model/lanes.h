/* A model's histories, each of a number, in one process or several: progress, what happened how often, and, where one
 * fails, the command that runs it again. It goes on after a failure, a few times.
 */
#ifndef FORESTALL_TESTS_LANES_H
#define FORESTALL_TESTS_LANES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LANES_MAX = 64, LANE_COUNTS_MAX = 32, LANE_FAILURES_MAX = 5, LANES_TELL_EVERY = 1000, LANES_ENOUGH = 200 };

struct lanes_options {
    const char *name; /* of the program */
    struct CMUnitTest test;
    const char *const *counts; /* what is counted */
    size_t count;
    uint64_t histories; /* where the command line says nothing */
};

/* What a process has done, for the one that waits for it. */
struct lane {
    uint64_t number; /* of the history under way */
    bool begun;
    uint64_t done;
    uint64_t before[LANE_COUNTS_MAX]; /* of processes that failed */
    uint64_t counts[LANE_COUNTS_MAX];
};

static const struct lanes_options *lanes_options;
static uint64_t lanes_first = 1;
static uint64_t lanes_histories;
static uint64_t lanes_count = 1;
static struct lane *lanes;
static struct lane *lane; /* this process's */

/* The history to run next; false: there is none. */
static bool lanes_next(uint64_t *number)
{
    if (lane->begun)
        lane->number += lanes_count;
    lane->begun = true;
    *number = lane->number;
    return lane->number < lanes_first + lanes_histories;
}

/* It was as it should be. `counts`: of all histories of this process. */
static void lanes_done(const uint64_t *counts)
{
    memcpy(lane->counts, counts, lanes_options->count * sizeof *counts);
    if (++lane->done % LANES_TELL_EVERY != 0)
        return;
    print_message("%llu histories in this process\n", (unsigned long long)lane->done);
    (void)fflush(stdout);
}

static int lane_run(void)
{
    const struct CMUnitTest tests[] = {lanes_options->test};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static pid_t lane_begin(uint64_t number)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    lane = &lanes[number];
    int result = lane_run();
    (void)fflush(stdout);
    _exit(result == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Begins the lanes, and one that failed again after the history that it failed at. How many failed. */
static int lanes_run(void)
{
    pid_t pids[LANES_MAX];
    int failures = 0;
    uint64_t running = lanes_count;
    for (uint64_t i = 0; i < lanes_count; i++)
        pids[i] = lane_begin(i);
    while (running > 0) {
        int status = 0;
        uint64_t i = 0;
        pid_t pid = wait(&status);
        while (i < lanes_count && pids[i] != pid)
            i++;
        if (i == lanes_count)
            return failures + 1;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
            running--;
            continue;
        }
        printf("history %llu failed; again: %s %llu 1\n", (unsigned long long)lanes[i].number, lanes_options->name,
               (unsigned long long)lanes[i].number);
        for (size_t k = 0; k < lanes_options->count; k++) {
            lanes[i].before[k] += lanes[i].counts[k];
            lanes[i].counts[k] = 0;
        }
        if (++failures < LANE_FAILURES_MAX)
            pids[i] = lane_begin(i);
        else
            running--;
    }
    return failures;
}

/* How many of what is to happen did not, where there were enough histories for all of it. */
static int lanes_tell(void)
{
    uint64_t done = 0;
    int missing = 0;
    for (uint64_t i = 0; i < lanes_count; i++)
        done += lanes[i].done;
    printf("%llu histories from %llu on", (unsigned long long)done, (unsigned long long)lanes_first);
    for (size_t k = 0; k < lanes_options->count; k++) {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < lanes_count; i++)
            sum += lanes[i].before[k] + lanes[i].counts[k];
        printf(", %llu %s", (unsigned long long)sum, lanes_options->counts[k]);
        missing += sum == 0;
    }
    printf("\n");
    return done >= LANES_ENOUGH ? missing : 0;
}

/* The arguments: the first history's number, how many, in how many processes. */
static int lanes_main(int argc, char **argv, const struct lanes_options *options)
{
    lanes_options = options;
    lanes_histories = options->histories;
    if (argc > 1)
        lanes_first = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        lanes_histories = strtoull(argv[2], NULL, 10);
    if (argc > 3)
        lanes_count = strtoull(argv[3], NULL, 10);
    if (lanes_count < 1 || lanes_count > LANES_MAX || options->count > LANE_COUNTS_MAX)
        return EXIT_FAILURE;
    lanes = mmap(NULL, lanes_count * sizeof *lanes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lanes == MAP_FAILED)
        return EXIT_FAILURE;
    for (uint64_t i = 0; i < lanes_count; i++)
        lanes[i].number = lanes_first + i;
    lane = lanes;
    int failures = lanes_histories == 1 ? lane_run() : lanes_run();
    return lanes_tell() == 0 && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
