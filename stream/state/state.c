/* The dirty entries over the store: a read looks above first, a scan merges the two in order of key. */
#include "state/state.h"

#include <stdlib.h>

#include "state/cursor.h"

/* The kinds of entries that have a cursor. */
static const enum state_kind cursor_kinds[] = {STATE_GROUP, STATE_PART, STATE_TIMER};
enum { CURSOR_KINDS = sizeof cursor_kinds / sizeof *cursor_kinds };

struct state {
    struct store *store;
    bool shared; /* the store is not this state's to close */
    struct memtable *dirty;
    struct str_pair *entries; /* what state_dirty hands out */
    size_t entries_cap;
    bool scanning;  /* a visit must not change the state */
    uint64_t epoch; /* see cursor.h */
    struct state_cursor cursors[CURSOR_KINDS];
};

struct state *state_new(struct store *store)
{
    struct state *state = mem_zalloc(sizeof *state);
    state->store = store;
    state->dirty = memtable_new();
    for (size_t i = 0; i < CURSOR_KINDS; i++)
        cursor_init(&state->cursors[i], store, state->dirty, &state->epoch);
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
    for (size_t i = 0; i < CURSOR_KINDS; i++)
        cursor_fini(&state->cursors[i]);
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

int state_scan(struct state *state, struct str prefix, int (*visit)(void *context, struct str key, struct str value),
               void *context, struct error *err)
{
    struct buf end = {0};
    struct state_cursor cursor;
    struct str_pair entry;
    prefix_end(&end, prefix);
    cursor_init(&cursor, state->store, state->dirty, &state->epoch);
    cursor.to = buf_str(&end);
    bool nested = state->scanning;
    state->scanning = true;
    int result = 0;
    int at = state_cursor_seek(&cursor, prefix, &entry, err);
    while (at == 0 && str_starts(entry.key, prefix)) {
        result = visit(context, entry.key, entry.value);
        if (result != 0)
            break;
        at = state_cursor_next(&cursor, &entry, err);
    }
    state->scanning = nested;
    cursor_fini(&cursor);
    buf_fini(&end);
    return at < 0 ? -1 : result;
}

struct state_cursor *state_cursor(struct state *state, enum state_kind kind)
{
    for (size_t i = 0; i < CURSOR_KINDS; i++)
        if (cursor_kinds[i] == kind)
            return &state->cursors[i];
    ASSERT(false);
    return NULL;
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

void state_refresh(struct state *state)
{
    ASSERT(!state->scanning);
    state->epoch++;
    for (size_t i = 0; i < CURSOR_KINDS; i++)
        cursor_close(&state->cursors[i]);
}

/* What cursors stand on is gone. */
static void clear(struct state *state)
{
    memtable_clear(state->dirty);
    state_refresh(state);
}

void state_settle(struct state *state)
{
    clear(state);
}

void state_drop(struct state *state)
{
    clear(state);
}

struct store *state_store(struct state *state)
{
    return state->store;
}
