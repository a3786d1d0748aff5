/* Finding what a recommendation stands for. */
#include "recommend/supersede.h"

#include <stdlib.h>

bool supersede_says(const struct rule *rule, const struct rule *other)
{
    for (size_t i = 0; rule->recommend != NULL && i < rule->recommend->supersedes_count; i++)
        if (str_eq(rule->recommend->supersedes[i], other->id))
            return true;
    return false;
}

bool supersede_concerns(const struct ruleset *rules, const struct rule *rule)
{
    bool concerns = rule->recommend->supersedes_count > 0;
    for (size_t i = 0; i < rules->count && !concerns; i++)
        concerns = supersede_says(&rules->rules[i], rule);
    return concerns;
}

bool supersede_falls(const struct recommendation *it)
{
    enum life_status status = it->life.status;
    return it->version > 0 && (status == LIFE_PROPOSED || status == LIFE_REOPENED || status == LIFE_ACCEPTED);
}

bool supersede_stands(const struct recommendation *it)
{
    return it->version > 0 && !life_is_closed(it->life.status);
}

static struct value group_of(const struct recommendation *it, struct arena *arena)
{
    struct reader r = reader_of(it->group.p, it->group.n);
    struct value group;
    ASSERT(value_decode(&r, arena, &group) && group.type == VALUE_MAP);
    return group;
}

bool supersede_agrees(const struct recommendation *a, const struct recommendation *b)
{
    struct arena arena = {0};
    struct value group = group_of(a, &arena);
    struct value other = group_of(b, &arena);
    bool agrees = true;
    for (uint32_t i = 0; i < group.n && agrees; i++) {
        const struct value *v = value_map_get(other, value_as_str(group.items[2 * i]));
        agrees = v == NULL || value_order(group.items[2 * i + 1], *v) == 0;
    }
    arena_fini(&arena);
    return agrees;
}

static size_t key_count(const struct rule *rule)
{
    return rule_is_shared(rule) ? rule->recommend->per_count : rule->group_count;
}

static struct str key_name(const struct rule *rule, size_t i)
{
    return rule_is_shared(rule) ? rule->recommend->per[i].name : rule->group[i].name;
}

static bool is_output(const struct rule *rule, size_t i)
{
    return rule_is_shared(rule) && rule->recommend->per[i].key < 0;
}

/* Then groups that agree are the same, and so are their hashes: routes are made of keys that are no outputs. */
static bool same_keys(const struct rule *a, const struct rule *b)
{
    bool same = key_count(a) == key_count(b);
    for (size_t i = 0; same && i < key_count(a); i++)
        same = str_eq(key_name(a, i), key_name(b, i)) && is_output(a, i) == is_output(b, i);
    return same;
}

struct gathered {
    uint64_t *hashes; /* heap */
    size_t count;
    size_t cap;
};

static int gather(void *context, struct str key, struct str value)
{
    struct gathered *gathered = context;
    struct reader r = reader_of(key.p + key.n - 8, 8);
    (void)value;
    gathered->hashes = mem_grow(gathered->hashes, gathered->count, &gathered->cap, sizeof *gathered->hashes);
    gathered->hashes[gathered->count++] = read_u64(&r);
    return 0;
}

static int by_hash(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static int gather_all(const struct supersede_search *search, struct state *state, struct gathered *gathered,
                      struct error *err)
{
    struct buf prefix = {0};
    int result = 0;
    for (int task = search->tasks.first; task < search->tasks.end && result == 0; task++) {
        buf_reset(&prefix);
        state_key(&prefix, task, STATE_RECOMMENDATION);
        buf_u64(&prefix, search->rule->hash);
        result = state_scan(state, buf_str(&prefix), gather, gathered, err);
    }
    buf_fini(&prefix);
    if (gathered->count > 1)
        qsort(gathered->hashes, gathered->count, sizeof *gathered->hashes, by_hash);
    return result;
}

int supersede_find(const struct supersede_search *search, struct state *state, struct arena *arena,
                   struct superseding *out, struct error *err)
{
    if (same_keys(search->rule, search->with->is.rule)) {
        out->hashes = arena_alloc(arena, sizeof *out->hashes);
        out->hashes[0] = search->with->is.hash;
        out->count = 1;
        return 0;
    }
    struct gathered gathered = {0};
    int result = gather_all(search, state, &gathered, err);
    out->count = gathered.count;
    out->hashes = arena_alloc(arena, (gathered.count + 1) * sizeof *out->hashes);
    if (gathered.count > 0)
        memcpy(out->hashes, gathered.hashes, gathered.count * sizeof *out->hashes);
    free(gathered.hashes);
    return result;
}
