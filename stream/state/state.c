/* The dirty entries over the store: a read looks above first, a scan merges the two in order of key. */
#include "state/state.h"

#include <stdlib.h>

#include "state/memtable.h"

struct state {
    struct store *store;
    bool shared; /* the store is not this state's to close */
    struct memtable *dirty;
    struct str_pair *entries; /* what state_dirty hands out */
    size_t entries_cap;
    bool scanning; /* a visit must not change the state */
};

struct state *state_new(struct store *store)
{
    struct state *state = mem_zalloc(sizeof *state);
    state->store = store;
    state->dirty = memtable_new();
    return state;
}

struct state *state_share(struct store *store)
{
    struct state *state = state_new(store);
    state->shared = true;
    return state;
}

void state_free(struct state *state)
{
    if (state == NULL)
        return;
    if (!state->shared)
        state->store->ops->close(state->store);
    memtable_free(state->dirty);
    free(state->entries);
    free(state);
}

void state_key(struct buf *key, int task, enum state_kind kind)
{
    ASSERT(task >= 0 && task <= UINT16_MAX);
    buf_reset(key);
    buf_u16(key, (uint16_t)task);
    buf_byte(key, (uint8_t)kind);
}

int state_get(struct state *state, struct str key, struct buf *value, bool *found, struct error *err)
{
    struct str above;
    if (memtable_get(state->dirty, key, &above)) {
        *found = above.p != NULL;
        buf_str_put(value, above);
        return 0;
    }
    int result = state->store->ops->get(state->store, key, value, err);
    *found = result == 0;
    return result < 0 ? -1 : 0;
}

void state_put(struct state *state, struct str key, struct str value)
{
    ASSERT(!state->scanning);
    memtable_put(state->dirty, key, value.p == NULL ? STR_LIT("") : value);
}

void state_del(struct state *state, struct str key)
{
    ASSERT(!state->scanning);
    memtable_put(state->dirty, key, (struct str){0});
}

/* The first key beyond every key that starts with `prefix`; empty where there is none. */
static void prefix_end(struct buf *end, struct str prefix)
{
    buf_put(end, prefix.p, prefix.n);
    while (end->len > 0 && (uint8_t)end->p[end->len - 1] == 0xFF)
        end->len--;
    if (end->len > 0)
        end->p[end->len - 1] = (char)((uint8_t)end->p[end->len - 1] + 1);
}

/* The two inputs of a merge, each with its next entry. */
struct merge {
    struct state *state;
    struct store_iterator *iterator;
    struct str prefix;
    const struct memtable_node *above; /* NULL: at its end */
    bool below;                        /* the iterator's entry below is valid */
    struct str below_key;
    struct str below_value;
};

static int merge_step_below(struct merge *merge, struct error *err)
{
    int result = merge->state->store->ops->next(merge->iterator, &merge->below_key, &merge->below_value, err);
    merge->below = result == 0;
    return result < 0 ? -1 : 0;
}

static void merge_check_above(struct merge *merge)
{
    if (merge->above != NULL && !str_starts(memtable_key(merge->above), merge->prefix))
        merge->above = NULL;
}

static int merge_run(struct merge *merge, int (*visit)(void *context, struct str key, struct str value), void *context,
                     struct error *err)
{
    TRY(merge_step_below(merge, err));
    merge->above = memtable_seek(merge->state->dirty, merge->prefix);
    for (merge_check_above(merge); merge->above != NULL || merge->below; merge_check_above(merge)) {
        int order = merge->above == NULL ? 1
                    : !merge->below      ? -1
                                         : str_cmp(memtable_key(merge->above), merge->below_key);
        int result = 0;
        if (order > 0) {
            result = visit(context, merge->below_key, merge->below_value);
        } else {
            struct str value = memtable_value(merge->above);
            if (value.p != NULL)
                result = visit(context, memtable_key(merge->above), value);
            merge->above = memtable_next(merge->above);
        }
        if (result != 0)
            return result;
        if (order >= 0)
            TRY(merge_step_below(merge, err));
    }
    return 0;
}

int state_scan(struct state *state, struct str prefix, int (*visit)(void *context, struct str key, struct str value),
               void *context, struct error *err)
{
    struct buf end = {0};
    prefix_end(&end, prefix);
    struct merge merge = {.state = state, .prefix = prefix};
    merge.iterator = state->store->ops->scan(state->store, prefix, buf_str(&end));
    bool nested = state->scanning;
    state->scanning = true;
    int result = merge_run(&merge, visit, context, err);
    state->scanning = nested;
    state->store->ops->scan_end(merge.iterator);
    buf_fini(&end);
    return result;
}

size_t state_dirty(struct state *state, const struct str_pair **entries)
{
    size_t count = memtable_count(state->dirty);
    if (count > state->entries_cap) {
        state->entries_cap = count + count / 2;
        state->entries = mem_realloc(state->entries, state->entries_cap * sizeof *state->entries);
    }
    size_t i = 0;
    for (const struct memtable_node *node = memtable_seek(state->dirty, (struct str){0}); node != NULL;
         node = memtable_next(node))
        state->entries[i++] = (struct str_pair){memtable_key(node), memtable_value(node)};
    ASSERT(i == count);
    *entries = state->entries;
    return count;
}

size_t state_dirty_bytes(const struct state *state)
{
    return memtable_bytes(state->dirty);
}

void state_settle(struct state *state)
{
    ASSERT(!state->scanning);
    memtable_clear(state->dirty);
}

void state_drop(struct state *state)
{
    ASSERT(!state->scanning);
    memtable_clear(state->dirty);
}

struct store *state_store(struct state *state)
{
    return state->store;
}
