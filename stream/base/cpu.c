#define _GNU_SOURCE /* CPU sets; NOLINT(bugprone-reserved-identifier) */
#include "base/cpu.h"

#include <sched.h>

static cpu_set_t allowed;
static size_t allowed_count;

size_t cpu_count(void)
{
    if (allowed_count == 0)
        allowed_count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (size_t)CPU_COUNT(&allowed) : 1;
    return allowed_count;
}

void cpu_stay(size_t n)
{
    size_t left = n % cpu_count();
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || left-- > 0)
            continue;
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        (void)sched_setaffinity(0, sizeof set, &set);
        return;
    }
}

void cpu_roam(void)
{
    if (cpu_count() > 1)
        (void)sched_setaffinity(0, sizeof allowed, &allowed);
}
