/* The insertion-ordered hash map (the layout of CPython's dict: a dense entry array and a sparse index). */
#include "base/map.h"

#include <stdlib.h>

static const uint32_t REMOVED = UINT32_MAX;

void map_fini(struct map *map)
{
    for (size_t i = 0; i < map->used; i++)
        free((void *)(uintptr_t)map->entries[i].key.p);
    free(map->entries);
    free(map->slots);
    *map = (struct map){0};
}

void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->used; i++)
        free((void *)(uintptr_t)map->entries[i].key.p);
    map->used = 0;
    map->count = 0;
    if (map->slots_cap > 0)
        memset(map->slots, 0, map->slots_cap * sizeof *map->slots);
}

static uint32_t *find(const struct map *map, struct str key, uint64_t hash)
{
    if (map->slots_cap == 0)
        return NULL;
    uint32_t *removed = NULL;
    for (size_t i = hash & (map->slots_cap - 1);; i = (i + 1) & (map->slots_cap - 1)) {
        uint32_t slot = map->slots[i];
        if (slot == 0)
            return removed != NULL ? removed : &map->slots[i];
        if (slot == REMOVED) {
            if (removed == NULL)
                removed = &map->slots[i];
            continue;
        }
        const struct map_entry *entry = &map->entries[slot - 1];
        if (entry->hash == hash && str_eq(entry->key, key))
            return &map->slots[i];
    }
}

static bool slot_live(const uint32_t *slot)
{
    return slot != NULL && *slot != 0 && *slot != REMOVED;
}

void *map_get(const struct map *map, struct str key)
{
    uint32_t *slot = find(map, key, str_hash(key));
    return slot_live(slot) ? map->entries[*slot - 1].value : NULL;
}

/* Packs the live entries and rebuilds the index for at least `wanted` entries at a load of at most one half. */
static void rebuild(struct map *map, size_t wanted)
{
    size_t live = 0;
    for (size_t i = 0; i < map->used; i++)
        if (map->entries[i].key.p != NULL)
            map->entries[live++] = map->entries[i];
    map->used = live;
    size_t cap = 16;
    while (cap < wanted * 2)
        cap *= 2;
    free(map->slots);
    map->slots = mem_zalloc(cap * sizeof *map->slots);
    map->slots_cap = cap;
    for (size_t i = 0; i < live; i++) {
        size_t at = map->entries[i].hash & (cap - 1);
        while (map->slots[at] != 0)
            at = (at + 1) & (cap - 1);
        map->slots[at] = (uint32_t)(i + 1);
    }
}

void **map_slot(struct map *map, struct str key)
{
    uint64_t hash = str_hash(key);
    uint32_t *slot = find(map, key, hash);
    if (slot_live(slot))
        return &map->entries[*slot - 1].value;
    if ((map->used + 1) * 2 > map->slots_cap) {
        rebuild(map, (map->count + 1) * 2);
        slot = find(map, key, hash);
    }
    map->entries = mem_grow(map->entries, map->used, &map->entries_cap, sizeof *map->entries);
    struct str copy = {mem_strdup(key), key.n};
    map->entries[map->used++] = (struct map_entry){copy, hash, NULL};
    map->count++;
    *slot = (uint32_t)map->used;
    return &map->entries[map->used - 1].value;
}

void *map_remove(struct map *map, struct str key)
{
    uint32_t *slot = find(map, key, str_hash(key));
    if (!slot_live(slot))
        return NULL;
    struct map_entry *entry = &map->entries[*slot - 1];
    void *value = entry->value;
    free((void *)(uintptr_t)entry->key.p);
    *entry = (struct map_entry){{NULL, 0}, 0, NULL};
    *slot = REMOVED;
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *i, struct map_entry **entry)
{
    while (*i < map->used) {
        *entry = &map->entries[(*i)++];
        if ((*entry)->key.p != NULL)
            return true;
    }
    return false;
}
