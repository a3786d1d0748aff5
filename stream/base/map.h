/* A hash map from byte strings to pointers: open addressing, keys copied, iteration in order of insertion.
 *
 * Iteration order is insertion order, never hash order, so that output made by walking a map is the same every time.
 */
#ifndef FORESTALL_BASE_MAP_H
#define FORESTALL_BASE_MAP_H

#include "base/arena.h"

struct map_entry {
    struct str key; /* owned by the map; p is NULL where the entry was removed */
    uint64_t hash;
    void *value;
};

struct map {
    struct map_entry *entries; /* in order of insertion, removed ones left in place until the next growth */
    size_t used;               /* entries in use, removed ones included */
    size_t entries_cap;
    size_t count;     /* live entries */
    uint32_t *slots;  /* index + 1 into entries; 0 free */
    size_t slots_cap; /* a power of two */
};

/* A map of all zeroes is an empty one. Values are the caller's to free, before. */
void map_fini(struct map *map);
void map_clear(struct map *map);
void *map_get(const struct map *map, struct str key); /* NULL where absent */
void **map_slot(struct map *map,
                struct str key); /* the value's place, made with NULL if absent; valid until the next change */
void *map_remove(struct map *map, struct str key); /* the removed value, or NULL */
/* Walks the live entries: `for (size_t i = 0; map_next(map, &i, &entry);)`. */
bool map_next(const struct map *map, size_t *i, struct map_entry **entry);

#endif
