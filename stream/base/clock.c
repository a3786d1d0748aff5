/* System clocks behind two functions. */
#include "base/clock.h"

#include <time.h>

static int64_t fixed_ms = INT64_MIN;
static int64_t fixed_us = INT64_MIN;

int64_t clock_wall_ms(void)
{
    if (fixed_ms != INT64_MIN)
        return fixed_ms;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_us(void)
{
    if (fixed_us != INT64_MIN)
        return fixed_us;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_wall_fix(int64_t ms)
{
    fixed_ms = ms;
}

void clock_mono_fix(int64_t us)
{
    fixed_us = us;
}
