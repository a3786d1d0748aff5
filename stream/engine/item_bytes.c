/* Encodings of pending items. */
#include "engine/item_bytes.h"

enum { HAS_BEFORE = 1, HAS_AFTER = 2 };

static void put_event(struct buf *out, const struct event *event)
{
    event_encode(out, event, FIELD_BIT(event->stream->field_count) - 1);
}

static struct event *read_event(struct reader *r, struct arena *arena)
{
    struct event *event = arena_alloc(arena, sizeof *event);
    bool good = event_decode(r, arena, event);
    ASSERT(good);
    return event;
}

void item_change_encode(struct buf *out, const struct item_change *change)
{
    buf_byte(out, (uint8_t)((change->before != NULL ? HAS_BEFORE : 0) | (change->after != NULL ? HAS_AFTER : 0)));
    if (change->before != NULL)
        put_event(out, change->before);
    if (change->after != NULL)
        put_event(out, change->after);
}

static bool read_row(struct reader *r, struct arena *arena, const struct event **row)
{
    struct event *event = arena_alloc(arena, sizeof *event);
    *row = event;
    return event_decode(r, arena, event) && event->stream->rows;
}

bool item_change_read(struct reader *r, struct arena *arena, struct item_change *change)
{
    uint8_t has = read_byte(r);
    *change = (struct item_change){0};
    if (r->failed || has == 0 || has > (HAS_BEFORE | HAS_AFTER))
        return false;
    return ((has & HAS_BEFORE) == 0 || read_row(r, arena, &change->before)) &&
           ((has & HAS_AFTER) == 0 || read_row(r, arena, &change->after));
}

struct item_change item_change_decode(struct str bytes, struct arena *arena)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    struct item_change change;
    bool good = item_change_read(&r, arena, &change);
    ASSERT(good);
    return change;
}

void item_event_encode(struct buf *out, const struct item_event *item)
{
    buf_varint(out, item->match_count);
    for (size_t i = 0; i < item->match_count; i++) {
        buf_varint(out, (uint64_t)item->matches[i].rule);
        buf_varint(out, (uint64_t)item->matches[i].input);
    }
    put_event(out, item->event);
}

struct item_event item_event_decode(struct str bytes, struct arena *arena)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    struct item_event item = {.match_count = (size_t)read_varint(&r)};
    struct exchange_match *matches = arena_alloc(arena, (item.match_count + 1) * sizeof *matches);
    for (size_t i = 0; i < item.match_count; i++) {
        matches[i].rule = (int32_t)read_varint(&r);
        matches[i].input = (int32_t)read_varint(&r);
    }
    item.matches = matches;
    item.event = read_event(&r, arena);
    return item;
}

static void put_optional(struct buf *out, struct str text)
{
    buf_byte(out, text.p != NULL);
    buf_text(out, text);
}

static struct str read_optional(struct reader *r)
{
    bool there = read_byte(r) != 0;
    struct str text = read_text(r);
    return there ? text : (struct str){0};
}

void item_feedback_encode(struct buf *out, const struct event *event, struct exchange_record record)
{
    put_optional(out, record.key);
    put_optional(out, record.value);
    put_event(out, event);
}

bool item_feedback_read(struct reader *r, struct arena *arena, struct event *event, struct exchange_record *record)
{
    record->key = read_optional(r);
    record->value = read_optional(r);
    return event_decode(r, arena, event);
}

struct item_feedback item_feedback_decode(struct str bytes, struct arena *arena)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    struct item_feedback feedback = {.event = arena_alloc(arena, sizeof *feedback.event)};
    bool good = item_feedback_read(&r, arena, feedback.event, &feedback.record);
    ASSERT(good);
    return feedback;
}
