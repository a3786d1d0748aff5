/* The heaps of pending items, the chunks of their bytes, and what was spilled. */
#include "engine/pending.h"

#include <stdlib.h>

#include "base/log.h"
#include "engine/spill.h"
#include "engine/waiting_panes.h"

enum { CHUNK_BYTES = 64 * 1024 };

struct pending_chunk {
    size_t live; /* items that point into it, and one for being the newest */
    size_t used;
    size_t size;
    char bytes[];
};

struct heap {
    struct pending_item *items;
    size_t count;
    size_t cap;
};

struct pending {
    const struct ruleset *rules;
    struct heap sent;
    struct heap timers; /* they have neither bytes nor panes */
    struct waiting_panes panes;
    size_t chunk_bytes; /* of all chunks but the newest */
    struct pending_chunk *newest;
    struct spill *spill; /* NULL: all stays in memory */
};

struct pending *pending_new(const struct ruleset *rules, struct scratch *scratch)
{
    struct pending *pending = mem_zalloc(sizeof *pending);
    pending->rules = rules;
    if (scratch != NULL)
        pending->spill = spill_new(scratch, rules);
    return pending;
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

bool pending_same_pane(const struct pending_item *a, const struct pending_item *b)
{
    return a->kind == PENDING_PANE && b->kind == PENDING_PANE && a->time_ms == b->time_ms && a->rule == b->rule &&
           a->group == b->group;
}

static void heap_push(struct heap *heap, const struct pending_item *item)
{
    heap->items = mem_grow(heap->items, heap->count, &heap->cap, sizeof *heap->items);
    size_t i = heap->count++;
    for (size_t parent; i > 0 && pending_before(item, &heap->items[parent = (i - 1) / 2]); i = parent)
        heap->items[i] = heap->items[parent];
    heap->items[i] = *item;
}

static void heap_pop(struct heap *heap, struct pending_item *item)
{
    *item = heap->items[0];
    struct pending_item last = heap->items[--heap->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && pending_before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!pending_before(&heap->items[child], &last))
            break;
        heap->items[i] = heap->items[child];
    }
    heap->items[i] = last;
}

static const struct pending_item *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : &heap->items[0];
}

/* The newest chunk is used again as soon as nothing points into it. */
static void release(struct pending *pending, struct pending_chunk *chunk)
{
    if (chunk == NULL)
        return;
    chunk->live--;
    if (chunk == pending->newest) {
        if (chunk->live == 1)
            chunk->used = 0;
    } else if (chunk->live == 0) {
        pending->chunk_bytes -= chunk->size;
        free(chunk);
    }
}

/* A chunk is not the newest any more. */
static void retire(struct pending *pending)
{
    struct pending_chunk *chunk = pending->newest;
    if (chunk == NULL)
        return;
    pending->newest = NULL;
    pending->chunk_bytes += chunk->size;
    release(pending, chunk);
}

/* Copies the item's key and bytes into the newest chunk, which counts one user more. */
static void keep(struct pending *pending, struct pending_item *item)
{
    size_t n = item->bytes.n + item->key.n;
    item->chunk = NULL;
    if (n == 0)
        return;
    struct pending_chunk *chunk = pending->newest;
    if (chunk == NULL || chunk->size - chunk->used < n) {
        size_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
        retire(pending);
        chunk = mem_alloc(sizeof *chunk + size);
        *chunk = (struct pending_chunk){.live = 1, .size = size};
        pending->newest = chunk;
    }
    char *p = chunk->bytes + chunk->used;
    if (item->bytes.n > 0)
        memcpy(p, item->bytes.p, item->bytes.n);
    if (item->key.n > 0)
        memcpy(p + item->bytes.n, item->key.p, item->key.n);
    item->bytes.p = p;
    item->key.p = p + item->bytes.n;
    chunk->used += n;
    chunk->live++;
    item->chunk = chunk;
}

void pending_push(struct pending *pending, struct pending_item item)
{
    if (item.pane != NULL && !waiting_panes_add(&pending->panes, item.rule, item.group, item.pane))
        return;
    bool timer = item.pane == NULL && item.bytes.n == 0;
    keep(pending, &item);
    heap_push(timer ? &pending->timers : &pending->sent, &item);
}

/* The earlier one; of equal ones the first. NULL: none. */
static const struct pending_item *earlier(const struct pending_item *a, const struct pending_item *b)
{
    return a == NULL || (b != NULL && pending_before(b, a)) ? b : a;
}

static const struct pending_item *spilled_first(const struct pending *pending)
{
    return pending->spill == NULL ? NULL : spill_first(pending->spill);
}

const struct pending_item *pending_first(const struct pending *pending)
{
    const struct pending_item *in_memory = earlier(heap_first(&pending->sent), heap_first(&pending->timers));
    return earlier(in_memory, spilled_first(pending));
}

/* Takes the first item of what was spilled. */
static int pop_spilled(struct pending *pending, struct pending_item *item, struct error *err)
{
    *item = *spill_first(pending->spill);
    if (item->kind == PENDING_PANE) {
        item->pane = sorted_run_pane(pending->rules, item);
        item->bytes = (struct str){0};
    }
    keep(pending, item);
    return spill_next(pending->spill, err);
}

/* Merges what was spilled of the pane. */
static int merge_spilled(struct pending *pending, struct pending_item *item, struct error *err)
{
    const struct pending_item *more;
    while ((more = spilled_first(pending)) != NULL && pending_same_pane(more, item)) {
        struct pane *pane = sorted_run_pane(pending->rules, more);
        pane_merge(item->pane, pane);
        pane_free(pane);
        TRY(spill_next(pending->spill, err));
    }
    return 0;
}

static int take_first(struct pending *pending, const struct pending_item *first, struct pending_item *item,
                      struct error *err)
{
    if (first == heap_first(&pending->timers)) {
        heap_pop(&pending->timers, item);
        return 0;
    }
    if (first == heap_first(&pending->sent)) {
        heap_pop(&pending->sent, item);
        if (item->pane != NULL)
            waiting_panes_take(&pending->panes, item->rule, item->group, item->pane);
    } else {
        TRY(pop_spilled(pending, item, err));
    }
    return item->pane == NULL ? 0 : merge_spilled(pending, item, err);
}

/* What an item has is freed. */
static void drop(struct pending *pending, struct pending_item *item)
{
    pane_free(item->pane);
    item->pane = NULL;
    pending_done(pending, item);
}

int pending_pop(struct pending *pending, int64_t before_ms, struct pending_item *item, bool *any, struct error *err)
{
    const struct pending_item *first = pending_first(pending);
    *any = first != NULL && first->time_ms < before_ms;
    if (!*any)
        return 0;
    *item = (struct pending_item){0};
    if (take_first(pending, first, item, err) == 0)
        return 0;
    *any = false;
    drop(pending, item);
    return -1;
}

void pending_done(struct pending *pending, struct pending_item *item)
{
    release(pending, item->chunk);
    item->chunk = NULL;
}

int pending_spill(struct pending *pending, struct error *err)
{
    size_t count = pending->sent.count;
    size_t bytes = pending_bytes(pending);
    if (count == 0)
        return 0;
    waiting_panes_clear(&pending->panes);
    while (pending->sent.count > 0) {
        struct pending_item item;
        heap_pop(&pending->sent, &item);
        int result = spill_add(pending->spill, &item, err);
        drop(pending, &item);
        TRY(result);
    }
    TRY(spill_end(pending->spill, err));
    log_debug("pending spilled", LOG_I("items", count), LOG_I("bytes", bytes),
              LOG_I("runs", spill_runs(pending->spill)));
    return 0;
}

static int by_order(const void *a, const void *b)
{
    return pending_before(a, b) ? -1 : pending_before(b, a);
}

/* In order it is a heap as well. */
void pending_sift_timers(struct pending *pending, bool (*stays)(void *context, const struct pending_item *item),
                         void *context)
{
    struct heap *timers = &pending->timers;
    size_t stayed = 0;
    if (timers->count > 0)
        qsort(timers->items, timers->count, sizeof *timers->items, by_order);
    for (size_t i = 0; i < timers->count; i++)
        if (stays(context, &timers->items[i]))
            timers->items[stayed++] = timers->items[i];
    timers->count = stayed;
}

void pending_clear(struct pending *pending)
{
    waiting_panes_clear(&pending->panes);
    for (size_t i = 0; i < pending->sent.count; i++)
        drop(pending, &pending->sent.items[i]);
    pending->sent.count = pending->timers.count = 0;
    retire(pending);
    if (pending->spill != NULL)
        spill_clear(pending->spill);
}

void pending_free(struct pending *pending)
{
    pending_clear(pending);
    waiting_panes_fini(&pending->panes);
    spill_free(pending->spill);
    free(pending->sent.items);
    free(pending->timers.items);
    free(pending);
}

size_t pending_bytes(const struct pending *pending)
{
    size_t newest = pending->newest == NULL ? 0 : pending->newest->used;
    return pending->panes.bytes + pending->chunk_bytes + newest + pending->sent.count * sizeof *pending->sent.items;
}

size_t pending_timer_bytes(const struct pending *pending)
{
    return pending->timers.count * sizeof *pending->timers.items;
}
