/* What a bench prints: a line a figure, between tabs: name, unit, note, value. And how it ends when something fails. */
#ifndef FORESTALL_BENCH_FIGURE_H
#define FORESTALL_BENCH_FIGURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline void must(bool good, const char *why)
{
    if (good)
        return;
    (void)fprintf(stderr, "bench: error: %s\n", why);
    exit(1);
}

static inline double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void report(const char *name, const char *unit, const char *note, double value)
{
    (void)printf("%s\t%s\t%s\t%.4g\n", name, unit, note, value);
    (void)fflush(stdout);
}

#endif
