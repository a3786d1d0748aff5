/* The merge of two orders, each with its next entry. What is put ahead is met, since the dirty entries are a list.
 * Where both have a key the dirty entry counts. */
#include "state/cursor.h"

/* So many steps cost less than a search; RocksDB's is some microseconds. */
enum { STEPS_MAX = 16 };

void cursor_init(struct state_cursor *cursor, struct store *store, const struct memtable *dirty, const uint64_t *epoch)
{
    *cursor = (struct state_cursor){.store = store, .dirty = dirty, .epoch = epoch};
}

void cursor_close(struct state_cursor *cursor)
{
    if (cursor->below != NULL)
        cursor->store->ops->scan_end(cursor->below);
    cursor->below = NULL;
}

void cursor_fini(struct state_cursor *cursor)
{
    cursor_close(cursor);
    buf_fini(&cursor->at);
    buf_fini(&cursor->from);
}

static int step_below(struct state_cursor *cursor, struct error *err)
{
    int result = cursor->store->ops->next(cursor->below, &cursor->next.key, &cursor->next.value, err);
    cursor->any = result == 0;
    return result < 0 ? -1 : 0;
}

/* Both sides from `key` on, by a search. */
static int search(struct state_cursor *cursor, struct str key, struct error *err)
{
    if (cursor->below != NULL && cursor->opened != *cursor->epoch)
        cursor_close(cursor);
    if (cursor->below == NULL)
        cursor->below = cursor->store->ops->scan(cursor->store, key, cursor->to);
    else
        cursor->store->ops->seek(cursor->below, key);
    cursor->opened = *cursor->epoch;
    cursor->before = memtable_before(cursor->dirty, key);
    return step_below(cursor, err);
}

/* The same for a key ahead: a few steps, or a search. */
static int go_on(struct state_cursor *cursor, struct str key, struct error *err)
{
    for (int steps = 0; cursor->any && str_cmp(cursor->next.key, key) < 0; steps++) {
        if (steps == STEPS_MAX)
            return search(cursor, key, err);
        TRY(step_below(cursor, err));
    }
    const struct memtable_node *above;
    bool passed = str_cmp(memtable_key(cursor->before), key) >= 0; /* a deletion */
    for (int steps = 0; !passed && (above = memtable_next(cursor->before)) != NULL; steps++) {
        if (str_cmp(memtable_key(above), key) >= 0)
            return 0;
        passed = steps == STEPS_MAX;
        cursor->before = above;
    }
    if (passed)
        cursor->before = memtable_before(cursor->dirty, key);
    return 0;
}

static int give(struct state_cursor *cursor, struct str_pair given, struct str_pair *entry)
{
    *entry = given;
    buf_reset(&cursor->at);
    buf_str_put(&cursor->at, given.key);
    cursor->given = true;
    return 0;
}

/* Gives the lesser of the two next entries, past deletions. */
static int take(struct state_cursor *cursor, struct str_pair *entry, struct error *err)
{
    const struct memtable_node *above;
    while ((above = memtable_next(cursor->before)) != NULL) {
        int order = cursor->any ? str_cmp(memtable_key(above), cursor->next.key) : -1;
        struct str value = memtable_value(above);
        if (order > 0)
            break;
        if (value.p != NULL)
            return give(cursor, (struct str_pair){memtable_key(above), value}, entry);
        cursor->before = above;
        if (order == 0)
            TRY(step_below(cursor, err));
    }
    return cursor->any ? give(cursor, cursor->next, entry) : 1;
}

static bool is_open(const struct state_cursor *cursor)
{
    return cursor->below != NULL && cursor->opened == *cursor->epoch;
}

/* Nothing lies between where the cursor is sure of and `key`, but what it has at hand. */
static bool is_ahead(const struct state_cursor *cursor, struct str key)
{
    if (!is_open(cursor))
        return false;
    int order = str_cmp(key, buf_str(&cursor->from));
    return order > 0 || (order == 0 && cursor->with_from);
}

int state_cursor_seek(struct state_cursor *cursor, struct str key, struct str_pair *entry, struct error *err)
{
    TRY(is_ahead(cursor, key) ? go_on(cursor, key, err) : search(cursor, key, err));
    buf_reset(&cursor->from);
    buf_str_put(&cursor->from, key);
    cursor->with_from = true;
    cursor->given = false;
    return take(cursor, entry, err);
}

int state_cursor_next(struct state_cursor *cursor, struct str_pair *entry, struct error *err)
{
    bool given = cursor->given;
    if (given) {
        struct buf empty = cursor->from;
        cursor->from = cursor->at;
        cursor->at = empty;
        cursor->with_from = false;
        cursor->given = false;
    }
    struct str from = buf_str(&cursor->from);
    if (!is_open(cursor))
        TRY(search(cursor, from, err));
    else if (!given) /* it was at the end: deletions that it passed may be entries now */
        cursor->before = memtable_before(cursor->dirty, from);
    while (!cursor->with_from && cursor->any && str_cmp(cursor->next.key, from) <= 0)
        TRY(step_below(cursor, err));
    const struct memtable_node *above;
    while (!cursor->with_from && (above = memtable_next(cursor->before)) != NULL &&
           str_cmp(memtable_key(above), from) <= 0)
        cursor->before = above;
    return take(cursor, entry, err);
}
