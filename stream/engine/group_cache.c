/* A table without tombstones: what stands behind one that leaves moves up. */
#include "engine/group_cache.h"

#include <stdlib.h>

enum { SLOTS_MIN = 64, STAYS_ONE_IN = 32 };

void group_cache_fini(struct group_cache *cache)
{
    struct group *next;
    for (struct group *group = cache->oldest; group != NULL; group = next) {
        next = group->newer;
        group_free(group);
    }
    free((void *)cache->slots);
    *cache = (struct group_cache){0};
}

static size_t place(const struct group_cache *cache, int rule_number, uint64_t hash)
{
    uint64_t h = (hash ^ (uint64_t)rule_number * UINT64_C(0xC2B2AE3D27D4EB4F)) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (cache->slot_count - 1);
}

static size_t after(const struct group_cache *cache, size_t at)
{
    return (at + 1) & (cache->slot_count - 1);
}

struct group *group_cache_find(struct group_cache *cache, int rule_number, uint64_t hash)
{
    struct group *group;
    if (cache->slot_count == 0)
        return NULL;
    for (size_t at = place(cache, rule_number, hash); (group = cache->slots[at]) != NULL; at = after(cache, at))
        if (group->hash == hash && group->rule_number == rule_number)
            return group;
    return NULL;
}

static void insert(struct group_cache *cache, struct group *group)
{
    size_t at = place(cache, group->rule_number, group->hash);
    while (cache->slots[at] != NULL)
        at = after(cache, at);
    cache->slots[at] = group;
}

static void grow(struct group_cache *cache)
{
    cache->slot_count = cache->slot_count == 0 ? SLOTS_MIN : cache->slot_count * 2;
    free((void *)cache->slots);
    cache->slots = mem_zalloc(cache->slot_count * sizeof(struct group *));
    for (struct group *group = cache->oldest; group != NULL; group = group->newer)
        insert(cache, group);
}

static void link_newest(struct group_cache *cache, struct group *group)
{
    group->older = cache->newest;
    group->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = group;
    cache->newest = group;
}

static void link_oldest(struct group_cache *cache, struct group *group)
{
    group->older = NULL;
    group->newer = cache->oldest;
    *(cache->oldest != NULL ? &cache->oldest->older : &cache->newest) = group;
    cache->oldest = group;
}

static void unlink_group(struct group_cache *cache, struct group *group)
{
    *(group->older != NULL ? &group->older->newer : &cache->oldest) = group->newer;
    *(group->newer != NULL ? &group->newer->older : &cache->newest) = group->older;
}

void group_cache_add(struct group_cache *cache, struct group *group)
{
    if ((cache->count + 1) * 2 > cache->slot_count)
        grow(cache);
    insert(cache, group);
    cache->count++;
    if (cache->added++ % STAYS_ONE_IN == 0)
        link_newest(cache, group);
    else
        link_oldest(cache, group);
    group->counted = 0;
    group_cache_weigh(cache, group);
}

void group_cache_remove(struct group_cache *cache, struct group *group)
{
    size_t at = place(cache, group->rule_number, group->hash);
    while (cache->slots[at] != group)
        at = after(cache, at);
    cache->slots[at] = NULL;
    /* Whoever was turned away from here would not be found any more. */
    for (size_t next = after(cache, at); cache->slots[next] != NULL; next = after(cache, next)) {
        size_t home = place(cache, cache->slots[next]->rule_number, cache->slots[next]->hash);
        size_t way = (next - home) & (cache->slot_count - 1);
        if (way < ((next - at) & (cache->slot_count - 1)))
            continue;
        cache->slots[at] = cache->slots[next];
        cache->slots[next] = NULL;
        at = next;
    }
    unlink_group(cache, group);
    cache->count--;
    cache->bytes -= group->counted;
}

void group_cache_used(struct group_cache *cache, struct group *group)
{
    if (group->newer == NULL)
        return;
    unlink_group(cache, group);
    link_newest(cache, group);
}

void group_cache_weigh(struct group_cache *cache, struct group *group)
{
    size_t bytes = group_bytes(group);
    cache->bytes += bytes - group->counted;
    group->counted = bytes;
}
