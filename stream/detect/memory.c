/* Values in notes, and the queue that says which came longest ago. See memory.h.
 *
 * A note holds the values of one hash, nearly always one: last time, turn, encoding. A turn is the number of the
 * group's event that brought the value last, so it orders those of one time too. An item of the queue is out of date,
 * and passed over, when its value came again since. */
#include "detect/memory.h"

#include <stdlib.h>

enum { QUEUE_SLACK = 64, HASH_SEED = 2 };

struct seen {
    int64_t last_ms;
    uint64_t turn; /* from 1 */
    struct str value;
};

struct queued {
    uint64_t turn;
    uint64_t id; /* of its note */
};

struct queue {
    struct queued *items; /* [head, end), by turn */
    size_t head;
    size_t end;
    size_t cap;
    size_t values; /* distinct ones in the notes */
    uint64_t next_turn;
};

static bool next_seen(struct reader *r, struct seen *seen)
{
    seen->last_ms = (int64_t)read_u64(r);
    seen->turn = read_u64(r);
    seen->value = read_text(r);
    return !r->failed;
}

static void put_seen(struct buf *out, const struct seen *seen)
{
    buf_u64(out, (uint64_t)seen->last_ms);
    buf_u64(out, seen->turn);
    buf_text(out, seen->value);
}

/* The value of a note that came at this turn or, turn 0, that is equal to `value`. */
static bool find(const struct group *group, uint64_t id, uint64_t turn, struct str value, struct seen *seen)
{
    struct str bytes = group_note(group, id);
    struct reader r = reader_of(bytes.p, bytes.n);
    while (reader_left(&r) > 0 && next_seen(&r, seen))
        if (turn != 0 ? seen->turn == turn : str_eq(seen->value, value))
            return true;
    return false;
}

/* The note without the value of turn `without` (0: none such), and with `more`, where there is one. */
static void rewrite(struct group *group, struct state *state, uint64_t id, uint64_t without, const struct seen *more)
{
    struct str bytes = group_note(group, id);
    struct reader r = reader_of(bytes.p, bytes.n);
    struct buf out = {0};
    struct seen seen;
    while (reader_left(&r) > 0 && next_seen(&r, &seen))
        if (seen.turn != without)
            put_seen(&out, &seen);
    if (more != NULL)
        put_seen(&out, more);
    if (out.len > 0)
        group_note_later(group, id, buf_str(&out));
    else
        group_note_drop(group, state, id);
    buf_fini(&out);
}

static void queue_free(void *detail)
{
    struct queue *queue = detail;
    free(queue->items);
    free(queue);
}

static void push(struct group *group, struct queue *queue, struct queued item)
{
    if (queue->end == queue->cap && queue->head > queue->cap / 2) {
        queue->end -= queue->head;
        memmove(queue->items, queue->items + queue->head, queue->end * sizeof *queue->items);
        queue->head = 0;
    }
    queue->items = mem_grow(queue->items, queue->end, &queue->cap, sizeof *queue->items);
    queue->items[queue->end++] = item;
    group->detail_bytes = sizeof *queue + queue->cap * sizeof *queue->items;
}

/* Drops what is out of date, when that is more than what is not. */
static void tidy(const struct group *group, struct queue *queue)
{
    struct seen seen;
    size_t kept = 0;
    if (queue->end - queue->head <= 2 * queue->values + QUEUE_SLACK)
        return;
    for (size_t i = queue->head; i < queue->end; i++)
        if (find(group, queue->items[i].id, queue->items[i].turn, (struct str){0}, &seen))
            queue->items[kept++] = queue->items[i];
    queue->head = 0;
    queue->end = kept;
}

static int by_turn(const void *a, const void *b)
{
    const struct queued *x = a;
    const struct queued *y = b;
    return (x->turn > y->turn) - (x->turn < y->turn);
}

/* Queues the values of a note; false: it was not written here. */
static bool load_note(struct group *group, struct queue *queue, const struct note *note)
{
    struct arena arena = {0};
    struct reader r = reader_of(note->bytes.p, note->bytes.n);
    bool good = true;
    do {
        struct seen seen;
        struct value value;
        good = next_seen(&r, &seen);
        struct reader encoded = reader_of(seen.value.p, seen.value.n);
        good = good && value_decode(&encoded, &arena, &value) && reader_left(&encoded) == 0;
        if (good)
            push(group, queue, (struct queued){seen.turn, note->id});
    } while (good && reader_left(&r) > 0);
    arena_fini(&arena);
    return good;
}

bool memory_load(struct group *group)
{
    struct queue *queue = mem_zalloc(sizeof *queue);
    group->detail = queue;
    group->detail_free = queue_free;
    for (size_t i = 0; i < group->note_count; i++)
        if (!load_note(group, queue, &group->notes[i]))
            return false;
    queue->values = queue->end;
    if (queue->values > 0)
        qsort(queue->items, queue->end, sizeof *queue->items, by_turn);
    queue->next_turn = queue->values > 0 ? queue->items[queue->end - 1].turn + 1 : 1;
    return true;
}

static struct queue *queue_of(struct group *group)
{
    if (group->detail == NULL) {
        bool good = memory_load(group);
        ASSERT(good); /* a group that was never seen */
    }
    return group->detail;
}

/* The value that came longest ago; false: there is none. */
static bool stalest(const struct group *group, struct queue *queue, struct seen *seen)
{
    for (; queue->head < queue->end; queue->head++) {
        const struct queued *item = &queue->items[queue->head];
        if (find(group, item->id, item->turn, (struct str){0}, seen))
            return true;
    }
    return false;
}

/* Forgets the value that stalest() just found. */
static void drop(struct group *group, struct state *state, struct queue *queue)
{
    const struct queued *item = &queue->items[queue->head++];
    rewrite(group, state, item->id, item->turn, NULL);
    queue->values--;
}

bool memory_value(struct detector_context *context, const struct group *group, const struct event *event,
                  struct value *value, struct str *encoded)
{
    struct cel_frame frame = {.event = event, .arena = context->arena};
    *value = cel_eval(group->rule->spec.memory->value, &frame);
    if (value->type == VALUE_NULL || value->type == VALUE_ERROR)
        return false;
    struct buf bytes = {0};
    value_encode(&bytes, *value);
    *encoded = arena_str(context->arena, buf_str(&bytes));
    buf_fini(&bytes);
    return true;
}

/* Saves the group's own record where something in it changed. */
static void save(struct detector_context *context, struct group *group, int64_t time_ms, bool dropped)
{
    bool known = group->timer_ms != INT64_MAX;
    if (known && !dropped && group->last_ms >= time_ms - HOUR_MS)
        return;
    group->last_ms = time_ms;
    group->capped = group->capped || dropped;
    if (!known)
        group->timer_ms = time_ms + group->rule->spec.memory->memory_ms;
    group_save(group, context->state);
}

bool memory_see(struct detector_context *context, struct group *group, struct str encoded, int64_t time_ms)
{
    struct queue *queue = queue_of(group);
    uint64_t id = hash_bytes(encoded.p, encoded.n, HASH_SEED);
    struct seen before = {0};
    bool known = find(group, id, 0, encoded, &before);
    struct seen now = {time_ms, queue->next_turn++, encoded};
    rewrite(group, context->state, id, known ? before.turn : 0, &now);
    queue->values += !known;
    push(group, queue, (struct queued){now.turn, id});
    tidy(group, queue);
    bool dropped = false;
    for (struct seen oldest; (int64_t)queue->values > context->window_events_max && stalest(group, queue, &oldest);) {
        drop(group, context->state, queue);
        context->counters->entries_dropped++;
        dropped = true;
    }
    save(context, group, time_ms, dropped && !group->capped);
    return known;
}

struct str memory_newest(const struct group *group)
{
    const struct queue *queue = group->detail;
    struct seen seen;
    if (queue == NULL || queue->end == queue->head)
        return (struct str){NULL, 0};
    const struct queued *last = &queue->items[queue->end - 1];
    bool found = find(group, last->id, last->turn, (struct str){0}, &seen);
    ASSERT(found); /* what came last came not again since */
    return seen.value;
}

void memory_on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    int64_t memory_ms = group->rule->spec.memory->memory_ms;
    struct queue *queue = queue_of(group);
    struct seen oldest;
    while (stalest(group, queue, &oldest) && oldest.last_ms + memory_ms <= time_ms)
        drop(group, context->state, queue);
    if (queue->values == 0) {
        group_remove(group, context->state);
        return;
    }
    group->timer_ms = oldest.last_ms + memory_ms;
    group_save(group, context->state);
}
