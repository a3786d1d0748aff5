/* Chance from a seed: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
#ifndef FORESTALL_CLI_HISTORY_RANDOM_H
#define FORESTALL_CLI_HISTORY_RANDOM_H

#include <stdint.h>

struct history_random {
    uint64_t state;
};

static inline uint64_t history_draw(struct history_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* From 0 to n - 1, n over 0 and below 2^32; the bias is beyond any use here. */
static inline int64_t history_below(struct history_random *random, int64_t n)
{
    return (int64_t)(((history_draw(random) >> 32) * (uint64_t)n) >> 32);
}

/* From `least` to `most`, both possible; up to 2^32 apart. */
static inline int64_t history_between(struct history_random *random, int64_t least, int64_t most)
{
    return least + history_below(random, most - least + 1);
}

#endif
