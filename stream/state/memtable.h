/* An ordered map of byte strings in memory: a skip list. Keys and values are copied. One thread. */
#ifndef FORESTALL_STATE_MEMTABLE_H
#define FORESTALL_STATE_MEMTABLE_H

#include "base/buf.h"

struct memtable;
struct memtable_node;

struct memtable *memtable_new(void);
void memtable_free(struct memtable *table);
void memtable_clear(struct memtable *table);
/* `value.p` NULL stores a tombstone (present, without value). */
void memtable_put(struct memtable *table, struct str key, struct str value);
void memtable_remove(struct memtable *table, struct str key);
bool memtable_get(const struct memtable *table, struct str key, struct str *value);
/* The first node with a key >= `key`; NULL: none. */
const struct memtable_node *memtable_seek(const struct memtable *table, struct str key);
/* What stands before that node: memtable_next of it is the first node with a key >= `key`, whatever is put meanwhile.
 * Valid until memtable_clear or memtable_remove. */
const struct memtable_node *memtable_before(const struct memtable *table, struct str key);
const struct memtable_node *memtable_next(const struct memtable_node *node);
struct str memtable_key(const struct memtable_node *node);
struct str memtable_value(const struct memtable_node *node);
size_t memtable_count(const struct memtable *table);
size_t memtable_bytes(const struct memtable *table);

#endif
