/* The store's twin in memory: a skip list. For replay, demo and tests. */
#include <stdlib.h>

#include "state/memtable.h"
#include "state/store.h"

struct store_memory {
    struct store base;
    struct memtable *table;
};

struct store_iterator {
    const struct memtable *table;
    const struct memtable_node *next;
    struct str to; /* a copy; n 0: no end */
};

static struct memtable *table_of(struct store *store)
{
    return ((struct store_memory *)store)->table;
}

static int memory_get(struct store *store, struct str key, struct buf *value, struct error *err)
{
    (void)err;
    struct str found;
    if (!memtable_get(table_of(store), key, &found))
        return 1;
    buf_str_put(value, found);
    return 0;
}

static int memory_write(struct store *store, const struct str_pair *entries, size_t n, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        if (entries[i].value.p == NULL)
            memtable_remove(table_of(store), entries[i].key);
        else
            memtable_put(table_of(store), entries[i].key, entries[i].value);
    }
    return 0;
}

static struct store_iterator *memory_scan(struct store *store, struct str from, struct str to)
{
    struct store_iterator *iterator = mem_alloc(sizeof *iterator + to.n);
    char *copy = (char *)(iterator + 1);
    if (to.n > 0)
        memcpy(copy, to.p, to.n);
    iterator->to = (struct str){copy, to.n};
    iterator->table = table_of(store);
    iterator->next = memtable_seek(iterator->table, from);
    return iterator;
}

static int memory_next(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err)
{
    (void)err;
    const struct memtable_node *node = iterator->next;
    if (node == NULL || (iterator->to.n > 0 && str_cmp(memtable_key(node), iterator->to) >= 0))
        return 1;
    *key = memtable_key(node);
    *value = memtable_value(node);
    iterator->next = memtable_next(node);
    return 0;
}

static void memory_seek(struct store_iterator *iterator, struct str from)
{
    iterator->next = memtable_seek(iterator->table, from);
}

static void memory_scan_end(struct store_iterator *iterator)
{
    free(iterator);
}

static int memory_clear(struct store *store, struct str from, struct str to, struct error *err)
{
    struct memtable *table = table_of(store);
    struct buf key = {0};
    (void)err;
    for (const struct memtable_node *node; (node = memtable_seek(table, from)) != NULL;) {
        if (to.n > 0 && str_cmp(memtable_key(node), to) >= 0)
            break;
        buf_reset(&key);
        buf_str_put(&key, memtable_key(node));
        memtable_remove(table, buf_str(&key));
    }
    buf_fini(&key);
    return 0;
}

static void memory_close(struct store *store)
{
    memtable_free(table_of(store));
    free(store);
}

struct store *store_memory_new(void)
{
    static const struct store_ops ops = {
        memory_get, memory_write, memory_scan, memory_next, memory_seek, memory_scan_end, memory_clear, memory_close,
    };
    struct store_memory *store = mem_zalloc(sizeof *store);
    store->base.ops = &ops;
    store->table = memtable_new();
    return &store->base;
}
