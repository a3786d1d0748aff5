/* The evidence of a recommendation. */
#include "recommend/evidence.h"

#include <stdlib.h>

#include "recommend/remembered.h"

enum { EVIDENCE_TEXT_BYTES_MAX = 1024, EVIDENCE_BYTES_MAX = 256 * 1024 };
enum evidence_field { EVIDENCE_EVENT_ID, EVIDENCE_INCIDENT_ID, EVIDENCE_SERVICE, EVIDENCE_SUMMARY, EVIDENCE_FIELDS };

static int order(const struct evidence *evidence, const struct event *event)
{
    if (evidence->time_ms != event->time_ms)
        return evidence->time_ms < event->time_ms ? -1 : 1;
    int by_place = position_order(&evidence->at, &event->at);
    return by_place != 0 ? by_place : (int)evidence->stream - (int)event->stream->id;
}

/* The first entry that is not before the event. */
static size_t place(const struct evidence_list *list, const struct event *event)
{
    size_t at = list->count;
    while (at > 0 && order(&list->items[at - 1], event) >= 0)
        at--;
    return at;
}

static bool is_at(const struct evidence_list *list, size_t at, const struct event *event)
{
    return at < list->count && order(&list->items[at], event) == 0;
}

static struct value text_field(const struct event *event, int field)
{
    if (field < 0 || event->values[field].type != VALUE_STRING)
        return value_null();
    return value_str(text_cut(value_as_str(event->values[field]), EVIDENCE_TEXT_BYTES_MAX));
}

static void set_fields(struct evidence *evidence, const struct event *event)
{
    struct buf summary = {0};
    struct buf encoded = {0};
    event_summary(&summary, event);
    struct value fields[EVIDENCE_FIELDS] = {
        [EVIDENCE_EVENT_ID] = text_field(event, event->stream->event_id_field),
        [EVIDENCE_INCIDENT_ID] = text_field(event, event->stream->id == STREAM_INCIDENT ? INCIDENT_ID : -1),
        [EVIDENCE_SERVICE] = text_field(event, event->stream->service_field),
        [EVIDENCE_SUMMARY] = value_str(text_cut(buf_str(&summary), EVIDENCE_TEXT_BYTES_MAX)),
    };
    value_encode(&encoded, value_list(fields, EVIDENCE_FIELDS));
    free((void *)(uintptr_t)evidence->fields.p);
    evidence->fields = (struct str){mem_strdup(buf_str(&encoded)), encoded.len};
    buf_fini(&summary);
    buf_fini(&encoded);
}

static void drop(struct evidence_list *list, size_t at)
{
    free((void *)(uintptr_t)list->items[at].fields.p);
    list->count--;
    memmove(&list->items[at], &list->items[at + 1], (list->count - at) * sizeof *list->items);
}

void evidence_add(struct evidence_list *list, const struct event *event, size_t max)
{
    size_t at = place(list, event);
    if (!is_at(list, at, event)) {
        if (at == 0 && list->count >= max)
            return;
        list->items = mem_grow(list->items, list->count, &list->cap, sizeof *list->items);
        memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof *list->items);
        list->items[at] = (struct evidence){event->time_ms, event->at, event->stream->id, {NULL, 0}};
        list->count++;
    }
    set_fields(&list->items[at], event);
    while (list->count > max || evidence_bytes(list) > EVIDENCE_BYTES_MAX)
        drop(list, 0);
}

void evidence_update(struct evidence_list *list, const struct event *event)
{
    size_t at = place(list, event);
    if (is_at(list, at, event))
        set_fields(&list->items[at], event);
}

void evidence_remove(struct evidence_list *list, const struct event *event)
{
    size_t at = place(list, event);
    if (is_at(list, at, event))
        drop(list, at);
}

void evidence_fini(struct evidence_list *list)
{
    while (list->count > 0)
        drop(list, list->count - 1);
    free(list->items);
    *list = (struct evidence_list){0};
}

size_t evidence_bytes(const struct evidence_list *list)
{
    size_t bytes = list->count * sizeof *list->items;
    for (size_t i = 0; i < list->count; i++)
        bytes += list->items[i].fields.n + 16;
    return bytes;
}

void evidence_encode(struct buf *out, const struct evidence_list *list)
{
    buf_varint(out, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct evidence *item = &list->items[i];
        buf_zigzag(out, item->time_ms);
        buf_u32(out, (uint32_t)item->at.topic);
        buf_u32(out, (uint32_t)item->at.partition);
        buf_zigzag(out, item->at.offset);
        buf_byte(out, (uint8_t)item->stream);
        buf_text(out, item->fields);
    }
}

static bool fields_are_right(struct str encoded)
{
    struct arena arena = {0};
    struct reader r = reader_of(encoded.p, encoded.n);
    struct value fields;
    bool right = value_decode(&r, &arena, &fields) && fields.type == VALUE_LIST && fields.n == EVIDENCE_FIELDS;
    arena_fini(&arena);
    return right;
}

void evidence_decode(struct reader *r, struct evidence_list *list)
{
    uint64_t count = read_varint(r);
    for (uint64_t i = 0; i < count && !r->failed; i++) {
        struct evidence item = {.time_ms = read_zigzag(r)};
        item.at.topic = (int32_t)read_u32(r);
        item.at.partition = (int32_t)read_u32(r);
        item.at.offset = read_zigzag(r);
        uint8_t stream = read_byte(r);
        struct str fields = read_text(r);
        if (r->failed || stream >= STREAM_COUNT || !fields_are_right(fields)) {
            r->failed = true;
            return;
        }
        item.stream = (enum stream_id)stream;
        item.fields = (struct str){mem_strdup(fields), fields.n};
        list->items = mem_grow(list->items, list->count, &list->cap, sizeof *list->items);
        list->items[list->count++] = item;
    }
}

struct value evidence_value(const struct evidence_list *list, struct arena *arena)
{
    struct value *items = arena_alloc(arena, (list->count + 1) * sizeof *items);
    for (size_t i = 0; i < list->count; i++) {
        const struct evidence *item = &list->items[i];
        struct reader r = reader_of(item->fields.p, item->fields.n);
        struct value fields = value_null();
        ASSERT(value_decode(&r, arena, &fields) && fields.n == EVIDENCE_FIELDS);
        struct value pairs[] = {
            value_text("stream"),      value_text(stream_get(item->stream)->name),
            value_text("event_id"),    fields.items[EVIDENCE_EVENT_ID],
            value_text("incident_id"), fields.items[EVIDENCE_INCIDENT_ID],
            value_text("service"),     fields.items[EVIDENCE_SERVICE],
            value_text("occurred_at"), value_time_ms(item->time_ms),
            value_text("summary"),     fields.items[EVIDENCE_SUMMARY],
        };
        struct value *kept = arena_alloc(arena, sizeof pairs);
        memcpy(kept, pairs, sizeof pairs);
        items[i] = value_map(kept, sizeof pairs / sizeof *pairs / 2);
    }
    return value_list(items, list->count);
}
