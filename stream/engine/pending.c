/* The heap of pending items and the chunks of their bytes. */
#include "engine/pending.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 64 * 1024 };

struct pending_chunk {
    size_t live; /* items that point into it, and one for being the newest */
    size_t used;
    size_t size;
    char bytes[];
};

struct pending {
    struct pending_item *heap;
    size_t count;
    size_t cap;
    size_t bytes;
    struct pending_chunk *newest;
};

struct pending *pending_new(void)
{
    return mem_zalloc(sizeof(struct pending));
}

static int order_of_origin(const struct pending_item *a, const struct pending_item *b)
{
    int order = position_order(&a->at, &b->at);
    if (order != 0)
        return order;
    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

bool pending_before(const struct pending_item *a, const struct pending_item *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms;
    if (a->level != b->level)
        return a->level < b->level;
    /* Changes of rows and single events are one kind: by position. */
    int kind_a = a->kind == PENDING_EVENT ? PENDING_CHANGE : a->kind;
    int kind_b = b->kind == PENDING_EVENT ? PENDING_CHANGE : b->kind;
    if (kind_a != kind_b)
        return kind_a < kind_b;
    int order = order_of_origin(a, b);
    /* One record can be both: its row's change, and an update read as an event. */
    return order != 0 ? order < 0 : a->kind < b->kind;
}

static void release(struct pending *pending, struct pending_chunk *chunk)
{
    if (chunk == NULL || --chunk->live > 0)
        return;
    pending->bytes -= chunk->size;
    free(chunk);
}

/* Room for `n` bytes in the newest chunk, counted as one more user of it. */
static char *reserve(struct pending *pending, size_t n)
{
    struct pending_chunk *chunk = pending->newest;
    if (chunk == NULL || chunk->size - chunk->used < n) {
        size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
        release(pending, chunk);
        chunk = mem_alloc(sizeof *chunk + size);
        *chunk = (struct pending_chunk){.live = 1, .size = size};
        pending->bytes += size;
        pending->newest = chunk;
    }
    char *p = chunk->bytes + chunk->used;
    chunk->used += n;
    chunk->live++;
    return p;
}

void pending_push(struct pending *pending, struct pending_item item)
{
    size_t n = item.bytes.n + item.key.n;
    item.chunk = NULL;
    if (n > 0) {
        char *p = reserve(pending, n);
        if (item.bytes.n > 0)
            memcpy(p, item.bytes.p, item.bytes.n);
        if (item.key.n > 0)
            memcpy(p + item.bytes.n, item.key.p, item.key.n);
        item.bytes.p = p;
        item.key.p = p + item.bytes.n;
        item.chunk = pending->newest;
    }
    pending->heap = mem_grow(pending->heap, pending->count, &pending->cap, sizeof *pending->heap);
    size_t i = pending->count++;
    for (size_t parent; i > 0 && pending_before(&item, &pending->heap[parent = (i - 1) / 2]); i = parent)
        pending->heap[i] = pending->heap[parent];
    pending->heap[i] = item;
}

bool pending_pop(struct pending *pending, int64_t before_ms, struct pending_item *item)
{
    if (pending->count == 0 || pending->heap[0].time_ms >= before_ms)
        return false;
    *item = pending->heap[0];
    struct pending_item last = pending->heap[--pending->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < pending->count; i = child) {
        if (child + 1 < pending->count && pending_before(&pending->heap[child + 1], &pending->heap[child]))
            child++;
        if (!pending_before(&pending->heap[child], &last))
            break;
        pending->heap[i] = pending->heap[child];
    }
    pending->heap[i] = last;
    return true;
}

void pending_done(struct pending *pending, struct pending_item *item)
{
    release(pending, item->chunk);
    item->chunk = NULL;
}

const struct pending_item *pending_first(const struct pending *pending)
{
    return pending->count == 0 ? NULL : &pending->heap[0];
}

void pending_clear(struct pending *pending)
{
    for (size_t i = 0; i < pending->count; i++) {
        pane_free(pending->heap[i].pane);
        release(pending, pending->heap[i].chunk);
    }
    pending->count = 0;
    release(pending, pending->newest);
    pending->newest = NULL;
}

void pending_free(struct pending *pending)
{
    pending_clear(pending);
    free(pending->heap);
    free(pending);
}

size_t pending_count(const struct pending *pending)
{
    return pending->count;
}

size_t pending_bytes(const struct pending *pending)
{
    return pending->bytes + pending->count * sizeof *pending->heap;
}
