/* The table of partials: open addressing over a dense array. */
#include "engine/combiner.h"

#include "detect/span.h"

#include <stdlib.h>

enum {
    EVIDENCE_BYTES = 256, /* of a newest event, as budgets take it */
    CACHE_LINE = 64,
    PREFETCHED_BYTES = 4 * CACHE_LINE, /* of a pane: its head and a fold or two */
};

struct combiner {
    struct partial *partials;
    size_t count;
    size_t cap;
    uint64_t *slots; /* upper half of the place's hash, index + 1; 0 free. A probe meets a partial only where the half
                        agrees */
    size_t slots_cap;
    int64_t first_end_ms;
    size_t bytes;
    struct arena keys;
};

struct combiner *combiner_new(void)
{
    struct combiner *combiner = mem_zalloc(sizeof *combiner);
    combiner->first_end_ms = INT64_MAX;
    return combiner;
}

uint64_t combiner_place(uint64_t group, int rule, int64_t start_ms)
{
    uint64_t h =
        group ^ ((uint64_t)rule * UINT64_C(0x9E3779B97F4A7C15)) ^ ((uint64_t)start_ms * UINT64_C(0xC2B2AE3D27D4EB4F));
    h = (h ^ h >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
    return h ^ h >> 32;
}

static uint64_t slot_of(uint64_t hash, size_t count)
{
    return (hash & UINT64_C(0xFFFFFFFF00000000)) | (uint32_t)count;
}

static void grow(struct combiner *combiner)
{
    size_t cap = combiner->slots_cap == 0 ? 1024 : combiner->slots_cap * 2;
    free(combiner->slots);
    combiner->slots = mem_zalloc(cap * sizeof *combiner->slots);
    combiner->slots_cap = cap;
    for (size_t i = 0; i < combiner->count; i++) {
        const struct partial *partial = &combiner->partials[i];
        uint64_t hash = combiner_place(partial->group, partial->rule, partial->start_ms);
        size_t at = hash & (cap - 1);
        while (combiner->slots[at] != 0)
            at = (at + 1) & (cap - 1);
        combiner->slots[at] = slot_of(hash, i + 1);
    }
}

void combiner_prefetch_slot(const struct combiner *combiner, uint64_t place)
{
    if (combiner->slots_cap > 0)
        __builtin_prefetch(&combiner->slots[place & (combiner->slots_cap - 1)]);
}

/* The first in the place's row that may be it; NULL: none. */
static const struct partial *likely(const struct combiner *combiner, uint64_t place)
{
    size_t mask = combiner->slots_cap - 1;
    for (size_t at = place & mask; combiner->slots_cap > 0 && combiner->slots[at] != 0; at = (at + 1) & mask)
        if ((combiner->slots[at] ^ place) >> 32 == 0)
            return &combiner->partials[(uint32_t)combiner->slots[at] - 1];
    return NULL;
}

void combiner_prefetch_partial(const struct combiner *combiner, uint64_t place)
{
    const struct partial *partial = likely(combiner, place);
    if (partial == NULL)
        return;
    __builtin_prefetch(partial);
    __builtin_prefetch((const char *)(partial + 1) - 1);
}

void combiner_prefetch_pane(const struct combiner *combiner, uint64_t place)
{
    const struct partial *partial = likely(combiner, place);
    if (partial == NULL)
        return;
    for (size_t at = 0; at < PREFETCHED_BYTES; at += CACHE_LINE)
        __builtin_prefetch((const char *)partial->pane + at, 1);
    if (partial->newest.p != NULL)
        __builtin_prefetch(partial->newest.p, 1);
}

static struct partial *add(struct combiner *combiner)
{
    size_t old_cap = combiner->cap;
    combiner->partials = mem_grow(combiner->partials, combiner->count, &combiner->cap, sizeof *combiner->partials);
    if (combiner->cap != old_cap)
        memset(combiner->partials + old_cap, 0, (combiner->cap - old_cap) * sizeof *combiner->partials);
    return &combiner->partials[combiner->count++];
}

struct partial *combiner_partial(struct combiner *combiner, const struct rule *rule, int rule_number, uint64_t group,
                                 struct str key, int64_t start_ms)
{
    if ((combiner->count + 1) * 2 > combiner->slots_cap)
        grow(combiner);
    uint64_t hash = combiner_place(group, rule_number, start_ms);
    size_t at = hash & (combiner->slots_cap - 1);
    for (; combiner->slots[at] != 0; at = (at + 1) & (combiner->slots_cap - 1)) {
        if ((combiner->slots[at] ^ hash) >> 32 != 0)
            continue;
        struct partial *partial = &combiner->partials[(uint32_t)combiner->slots[at] - 1];
        if (partial->group == group && partial->rule == rule_number && partial->start_ms == start_ms)
            return partial;
    }
    struct partial *partial = add(combiner);
    combiner->slots[at] = slot_of(hash, combiner->count);
    partial->start_ms = start_ms;
    partial->rule = rule_number;
    partial->group = group;
    partial->pane = pane_new(rule, start_ms);
    partial->key = arena_str(&combiner->keys, key);
    buf_reset(&partial->newest);
    partial->pane_bytes = 0;
    combiner->bytes += sizeof *partial + key.n + EVIDENCE_BYTES;
    int64_t end_ms = span_pane(&rule->window, start_ms).end_ms;
    if (end_ms < combiner->first_end_ms)
        combiner->first_end_ms = end_ms;
    return partial;
}

void combiner_weigh(struct combiner *combiner, struct partial *partial)
{
    size_t bytes = pane_bytes(partial->pane);
    combiner->bytes += bytes - partial->pane_bytes;
    partial->pane_bytes = bytes;
}

size_t combiner_count(const struct combiner *combiner)
{
    return combiner->count;
}

size_t combiner_bytes(const struct combiner *combiner)
{
    return combiner->bytes;
}

int64_t combiner_first_end(const struct combiner *combiner)
{
    return combiner->first_end_ms;
}

static void empty(struct combiner *combiner)
{
    combiner->count = 0;
    combiner->bytes = 0;
    combiner->first_end_ms = INT64_MAX;
    if (combiner->slots_cap > 0)
        memset(combiner->slots, 0, combiner->slots_cap * sizeof *combiner->slots);
    arena_reset(&combiner->keys);
}

void combiner_flush(struct combiner *combiner, void (*send)(void *context, struct partial *partial), void *context)
{
    for (size_t i = 0; i < combiner->count; i++) {
        send(context, &combiner->partials[i]);
        combiner->partials[i].pane = NULL;
    }
    empty(combiner);
}

void combiner_clear(struct combiner *combiner)
{
    for (size_t i = 0; i < combiner->count; i++)
        pane_free(combiner->partials[i].pane);
    empty(combiner);
}

void combiner_free(struct combiner *combiner)
{
    combiner_clear(combiner);
    for (size_t i = 0; i < combiner->cap; i++)
        buf_fini(&combiner->partials[i].newest);
    free(combiner->partials);
    free(combiner->slots);
    arena_fini(&combiner->keys);
    free(combiner);
}
