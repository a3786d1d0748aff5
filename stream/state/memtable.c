/* The skip list behind struct memtable.
 *
 * A node is one allocation: its forward pointers, then the key, then room for the first value. A later value that does
 * not fit moves to an allocation of its own. Levels come from a generator with a fixed seed, so that two runs over the
 * same keys have the same shape.
 */
#include "state/memtable.h"

#include <stdlib.h>

enum { LEVELS_MAX = 16, LEVEL_ONE_IN = 4 };

struct memtable_node {
    char *value; /* inside the node, or an allocation of its own */
    size_t value_n;
    size_t value_cap;
    size_t key_n;
    bool value_inside;
    bool tombstone;
    int levels;
    struct memtable_node *next[]; /* `levels` of them, then the key's bytes, then the first value's */
};

struct memtable {
    struct memtable_node *head; /* no key, LEVELS_MAX levels */
    size_t count;
    size_t bytes;
    uint64_t seed;
};

static char *node_key(const struct memtable_node *node)
{
    const void *after = &node->next[node->levels];
    return (char *)(uintptr_t)after;
}

static struct memtable_node *node_new(int levels, struct str key, struct str value)
{
    size_t pointers = (size_t)levels * sizeof(struct memtable_node *);
    struct memtable_node *node = mem_alloc(sizeof *node + pointers + key.n + value.n);
    *node = (struct memtable_node){.key_n = key.n, .value_n = value.n, .value_cap = value.n, .levels = levels};
    node->value_inside = true;
    node->tombstone = value.p == NULL;
    if (key.n > 0)
        memcpy(node_key(node), key.p, key.n);
    node->value = node_key(node) + key.n;
    if (value.n > 0)
        memcpy(node->value, value.p, value.n);
    return node;
}

static void node_free(struct memtable_node *node)
{
    if (!node->value_inside)
        free(node->value);
    free(node);
}

static void node_set(struct memtable_node *node, struct str value)
{
    if (value.n > node->value_cap) {
        char *room = mem_alloc(value.n);
        if (!node->value_inside)
            free(node->value);
        node->value = room;
        node->value_cap = value.n;
        node->value_inside = false;
    }
    if (value.n > 0)
        memmove(node->value, value.p, value.n);
    node->value_n = value.n;
    node->tombstone = value.p == NULL;
}

static size_t node_bytes(const struct memtable_node *node)
{
    return sizeof *node + (size_t)node->levels * sizeof(struct memtable_node *) + node->key_n + node->value_n;
}

struct memtable *memtable_new(void)
{
    struct memtable *table = mem_zalloc(sizeof *table);
    table->head = node_new(LEVELS_MAX, (struct str){0}, (struct str){0});
    for (int i = 0; i < LEVELS_MAX; i++)
        table->head->next[i] = NULL;
    table->seed = UINT64_C(0x9E3779B97F4A7C15);
    return table;
}

void memtable_free(struct memtable *table)
{
    if (table == NULL)
        return;
    memtable_clear(table);
    node_free(table->head);
    free(table);
}

void memtable_clear(struct memtable *table)
{
    struct memtable_node *node = table->head->next[0];
    while (node != NULL) {
        struct memtable_node *next = node->next[0];
        node_free(node);
        node = next;
    }
    for (int i = 0; i < LEVELS_MAX; i++)
        table->head->next[i] = NULL;
    table->count = 0;
    table->bytes = 0;
}

static int level_draw(struct memtable *table)
{
    int levels = 1;
    table->seed ^= table->seed << 13;
    table->seed ^= table->seed >> 7;
    table->seed ^= table->seed << 17;
    for (uint64_t bits = table->seed >> 8; levels < LEVELS_MAX && bits % LEVEL_ONE_IN == 0; bits /= LEVEL_ONE_IN)
        levels++;
    return levels;
}

/* The first node >= key; `before[i]` is the last one below it on level i. */
static struct memtable_node *find(const struct memtable *table, struct str key, struct memtable_node **before)
{
    struct memtable_node *node = table->head;
    for (int level = LEVELS_MAX - 1; level >= 0; level--) {
        while (node->next[level] != NULL && str_cmp(memtable_key(node->next[level]), key) < 0)
            node = node->next[level];
        if (before != NULL)
            before[level] = node;
    }
    return node->next[0];
}

void memtable_put(struct memtable *table, struct str key, struct str value)
{
    ASSERT(value.p != NULL || value.n == 0);
    struct memtable_node *before[LEVELS_MAX];
    struct memtable_node *node = find(table, key, before);
    if (node != NULL && str_eq(memtable_key(node), key)) {
        table->bytes -= node_bytes(node);
        node_set(node, value);
        table->bytes += node_bytes(node);
        return;
    }
    node = node_new(level_draw(table), key, value);
    for (int i = 0; i < node->levels; i++) {
        node->next[i] = before[i]->next[i];
        before[i]->next[i] = node;
    }
    table->count++;
    table->bytes += node_bytes(node);
}

void memtable_remove(struct memtable *table, struct str key)
{
    struct memtable_node *before[LEVELS_MAX];
    struct memtable_node *node = find(table, key, before);
    if (node == NULL || !str_eq(memtable_key(node), key))
        return;
    for (int i = 0; i < node->levels; i++)
        before[i]->next[i] = node->next[i];
    table->count--;
    table->bytes -= node_bytes(node);
    node_free(node);
}

bool memtable_get(const struct memtable *table, struct str key, struct str *value)
{
    const struct memtable_node *node = find(table, key, NULL);
    if (node == NULL || !str_eq(memtable_key(node), key))
        return false;
    *value = memtable_value(node);
    return true;
}

const struct memtable_node *memtable_seek(const struct memtable *table, struct str key)
{
    return find(table, key, NULL);
}

const struct memtable_node *memtable_before(const struct memtable *table, struct str key)
{
    struct memtable_node *before[LEVELS_MAX];
    (void)find(table, key, before);
    return before[0];
}

const struct memtable_node *memtable_next(const struct memtable_node *node)
{
    return node->next[0];
}

struct str memtable_key(const struct memtable_node *node)
{
    return (struct str){node_key(node), node->key_n};
}

struct str memtable_value(const struct memtable_node *node)
{
    return node->tombstone ? (struct str){0} : (struct str){node->value, node->value_n};
}

size_t memtable_count(const struct memtable *table)
{
    return table->count;
}

size_t memtable_bytes(const struct memtable *table)
{
    return table->bytes;
}
