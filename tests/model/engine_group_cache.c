/* The cache of groups against an array: random additions, uses and removals, many of them at places that collide.
 *
 *     test_engine_group_cache [SEED [STEPS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/group_cache.h"

enum { HASHES = 300, RULES = 3, STEPS = 100000 };

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

static struct group *make(int rule, uint64_t hash)
{
    struct group *group = mem_zalloc(sizeof *group);
    group->rule_number = rule;
    group->hash = hash;
    return group;
}

/* Both directions of the order of use, and all bytes. */
static void check(const struct group_cache *cache, struct group *known[RULES][HASHES])
{
    size_t count = 0;
    size_t bytes = 0;
    const struct group *older = NULL;
    for (const struct group *group = cache->oldest; group != NULL; older = group, group = group->newer) {
        ASSERT(group->older == older && known[group->rule_number][group->hash % HASHES] == group);
        bytes += group_bytes(group);
        count++;
    }
    ASSERT(cache->newest == older && cache->count == count && cache->bytes == bytes);
}

int main(int argc, char **argv)
{
    static struct group *known[RULES][HASHES];
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    int steps = argc > 2 ? (int)strtol(argv[2], NULL, 10) : STEPS;
    struct group_cache cache = {0};
    size_t count = 0;
    (void)printf("seed %" PRIu64 "\n", seed);
    random_state = seed;
    for (int i = 0; i < steps; i++) {
        int rule = (int)draw(RULES);
        uint64_t hash = draw(1 + draw(HASHES));
        struct group **slot = &known[rule][hash];
        ASSERT(group_cache_find(&cache, rule, hash) == *slot);
        if (*slot == NULL) {
            bool stays = cache.added % 32 == 0;
            *slot = make(rule, hash);
            group_cache_add(&cache, *slot);
            ASSERT((stays ? cache.newest : cache.oldest) == *slot);
            count++;
        } else if (draw(2) == 0) {
            group_cache_remove(&cache, *slot);
            group_free(*slot);
            *slot = NULL;
            count--;
        } else {
            (*slot)->bytes = draw(1000);
            group_cache_weigh(&cache, *slot);
            group_cache_used(&cache, *slot);
            ASSERT(cache.newest == *slot);
        }
        ASSERT(cache.count == count);
        if (draw(200) == 0)
            check(&cache, known);
    }
    check(&cache, known);
    group_cache_fini(&cache);
    return 0;
}
