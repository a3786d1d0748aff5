/* Different values: adding, merging, counting, comparing. */
#include "detect/distinct.h"

#include <math.h>
#include <stdlib.h>

void distinct_fini(struct distinct *set)
{
    free(set->hashes);
}

size_t distinct_bytes(const struct distinct *set)
{
    return set->cap * sizeof *set->hashes;
}

static int order_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts, drops doubles and keeps the smallest DISTINCT_MAX + 1: one more than is exact is the sign of overflow. */
static void settle(struct distinct *set)
{
    if (set->sorted == set->n)
        return;
    uint64_t *h = set->hashes;
    qsort(h, set->n, sizeof *h, order_hashes);
    size_t kept = 0;
    for (size_t i = 0; i < set->n && kept <= DISTINCT_MAX; i++)
        if (kept == 0 || h[kept - 1] != h[i])
            h[kept++] = h[i];
    set->n = set->sorted = kept;
}

/* A full set is settled; one that is more than half full after it grows, so that settling stays amortised, and the
 * memory follows the number of different values and not that of all. */
static void make_room(struct distinct *set)
{
    if (set->n < set->cap)
        return;
    settle(set);
    if (set->n * 2 <= set->cap && set->cap > 0)
        return;
    set->cap = set->cap == 0 ? 4 : set->cap * 2;
    set->hashes = mem_realloc(set->hashes, set->cap * sizeof *set->hashes);
}

static void add_hash(struct distinct *set, uint64_t hash)
{
    make_room(set);
    size_t n = set->n;
    if (n == set->sorted && n > DISTINCT_MAX && hash >= set->hashes[n - 1])
        return;
    if (n > 0 && set->hashes[n - 1] == hash)
        return;
    set->hashes[set->n++] = hash;
}

static uint64_t value_hash(struct value v)
{
    if (v.type == VALUE_STRING)
        return hash_bytes(v.s, v.n, VALUE_STRING);
    if (v.type != VALUE_BYTES && v.type != VALUE_TYPE && v.type != VALUE_ERROR && v.type != VALUE_LIST &&
        v.type != VALUE_MAP) {
        char room[32]; /* more than any of the others take, so that none of them is allocated */
        struct buf few = {room, 0, sizeof room};
        value_encode_equal(&few, v);
        return hash_bytes(few.p, few.len, 0);
    }
    struct buf bytes = {0};
    value_encode_equal(&bytes, v);
    uint64_t hash = hash_bytes(bytes.p, bytes.len, 0);
    buf_fini(&bytes);
    return hash;
}

void distinct_add(struct distinct *set, struct value v)
{
    add_hash(set, value_hash(v));
}

void distinct_merge(struct distinct *set, const struct distinct *other)
{
    for (size_t i = 0; i < other->n; i++)
        add_hash(set, other->hashes[i]);
}

double distinct_count(struct distinct *set, bool *approximate)
{
    settle(set);
    if (set->n <= DISTINCT_MAX)
        return (double)set->n;
    *approximate = true;
    /* k minimum values: (k - 1) / the k-th smallest hash as a fraction (Bar-Yossef et al. 2002). */
    return round((DISTINCT_MAX - 1) / ((double)set->hashes[DISTINCT_MAX - 1] / 18446744073709551616.0));
}

/* Below the greatest hash of a sample, its sign of overflow, all hashes there were are in it: a value is among those by
 * chance alone, so that the part of them stands for the part of all (theta sketches, Dasgupta et al. 2016). */
struct value distinct_share(struct distinct *over, struct distinct *of, bool *approximate)
{
    struct distinct *sets[] = {over, of};
    uint64_t end = UINT64_MAX;
    bool sampled = false;
    for (int i = 0; i < 2; i++) {
        settle(sets[i]);
        if (sets[i]->n <= DISTINCT_MAX)
            continue;
        sampled = *approximate = true;
        if (sets[i]->hashes[DISTINCT_MAX] < end)
            end = sets[i]->hashes[DISTINCT_MAX];
    }
    size_t all = 0;
    size_t both = 0;
    for (size_t k = 0; all < over->n && (!sampled || over->hashes[all] < end); all++) {
        uint64_t hash = over->hashes[all];
        while (k < of->n && of->hashes[k] < hash)
            k++;
        both += k < of->n && of->hashes[k] == hash;
    }
    return all == 0 ? value_null() : value_double((double)both / (double)all);
}

void distinct_encode(struct buf *out, struct distinct *set)
{
    settle(set);
    buf_varint(out, set->n);
    for (size_t i = 0; i < set->n; i++)
        buf_u64(out, set->hashes[i]);
}

bool distinct_decode(struct reader *r, struct distinct *set)
{
    uint64_t n = read_varint(r);
    if (r->failed || n > DISTINCT_MAX + 1)
        return false;
    for (uint64_t i = 0; i < n; i++)
        add_hash(set, read_u64(r));
    return !r->failed;
}
