/* The cache of recommendations over the state. */
#include "recommend/known.h"

#include <stdlib.h>

void known_init(struct known *known, struct state *state)
{
    *known = (struct known){.state = state};
}

void known_drop(struct known *known)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&known->map, &i, &entry);)
        recommendation_free(entry->value);
    map_clear(&known->map);
}

void known_fini(struct known *known)
{
    known_drop(known);
    map_fini(&known->map);
}

static void put_key(struct buf *out, const struct recommendation_identity *identity)
{
    buf_u64(out, identity->rule->hash);
    buf_u64(out, identity->hash);
}

int known_find(struct known *known, const struct recommendation_identity *identity, struct recommendation **out,
               struct error *err)
{
    struct buf key = {0};
    put_key(&key, identity);
    struct recommendation *it = map_get(&known->map, buf_str(&key));
    int result = 0;
    if (it == NULL) {
        result = recommendation_load(&it, known->state, identity, err);
        if (result == 0)
            *map_slot(&known->map, buf_str(&key)) = it;
    }
    buf_fini(&key);
    if (result != 0)
        return -1;
    it->used = ++known->tick;
    *out = it;
    return 0;
}

void known_evict(struct known *known, struct recommendation *it)
{
    struct buf key = {0};
    put_key(&key, &it->is);
    (void)map_remove(&known->map, buf_str(&key));
    buf_fini(&key);
    recommendation_free(it);
}

static int used_order(const void *left, const void *right)
{
    const struct recommendation *a = *(struct recommendation *const *)left;
    const struct recommendation *b = *(struct recommendation *const *)right;
    return (a->used > b->used) - (a->used < b->used);
}

void known_shrink(struct known *known, size_t bytes_max)
{
    struct recommendation **all = mem_alloc((known->map.count + 1) * sizeof(struct recommendation *));
    size_t count = 0;
    size_t bytes = 0;
    struct map_entry *entry;
    for (size_t i = 0; map_next(&known->map, &i, &entry);) {
        all[count++] = entry->value;
        bytes += recommendation_bytes(entry->value);
    }
    if (bytes > bytes_max)
        qsort(all, count, sizeof(struct recommendation *), used_order);
    for (size_t i = 0; i < count && bytes > bytes_max; i++) {
        bytes -= recommendation_bytes(all[i]);
        known_evict(known, all[i]);
    }
    free(all);
}
