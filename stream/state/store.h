/* The durable key-value store behind the state: RocksDB, or its twin in memory. Keys sort as bytes. RocksDB may be used
 * by several threads, each with its own keys; an iterator is one thread's. */
#ifndef FORESTALL_STATE_STORE_H
#define FORESTALL_STATE_STORE_H

#include "base/buf.h"

struct store;

struct store_iterator; /* over a key range: what was there when it was opened, so not to be used once that has changed
                        */

struct store_ops {
    /* 0 and the value appended to `value`; 1: absent; -1. */
    int (*get)(struct store *store, struct str key, struct buf *value, struct error *err);
    /* One atomic batch: n entries; a value with p NULL deletes. Not synced: what a crash loses, the changelog has. */
    int (*write)(struct store *store, const struct str_pair *entries, size_t n, struct error *err);
    /* Keys from `from` on, in order, until `to` (exclusive; empty: to the last one). They are looked for among those of
     * the kind of `from` (state.h); whether others come after the last of a task's is left open. */
    struct store_iterator *(*scan)(struct store *store, struct str from, struct str to);
    /* The next entry, valid until the next call: 0; 1 at the end; -1. */
    int (*next)(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err);
    /* Goes on from `from`, of the same kind, wherever it stood. */
    void (*seek)(struct store_iterator *iterator, struct str from);
    void (*scan_end)(struct store_iterator *iterator);
    /* Deletes the keys from `from` on until `to` (exclusive; empty: to the last one). */
    int (*clear)(struct store *store, struct str from, struct str to, struct error *err);
    void (*close)(struct store *store);
};

struct store {
    const struct store_ops *ops;
};

struct store *store_memory_new(void);
/* Opens or makes the database in `dir`; `memory_bytes` bounds block cache and write buffers together. */
int store_rocksdb_open(struct store **store, const char *dir, int64_t memory_bytes, struct error *err) MUST_CHECK;

#endif
