/* Encoding of events and their one-line summaries. */
#include "event/event.h"

int position_order(const struct position *a, const struct position *b)
{
    if (a->topic != b->topic)
        return a->topic < b->topic ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

void event_clear(struct event *event, const struct stream *stream)
{
    event->stream = stream;
    event->time_ms = 0;
    event->at = (struct position){0, 0, 0};
    memset(event->values, 0, (size_t)stream->field_count * sizeof event->values[0]);
}

void event_encode(struct buf *out, const struct event *event, field_mask mask)
{
    buf_byte(out, (uint8_t)event->stream->id);
    buf_zigzag(out, event->time_ms);
    buf_varint(out, (uint64_t)event->at.topic);
    buf_varint(out, (uint64_t)event->at.partition);
    buf_zigzag(out, event->at.offset);
    field_mask present = 0;
    for (int i = 0; i < event->stream->field_count; i++)
        if ((mask & FIELD_BIT(i)) != 0 && !value_is_null(event->values[i]))
            present |= FIELD_BIT(i);
    buf_varint(out, present);
    for (int i = 0; i < event->stream->field_count; i++)
        if ((present & FIELD_BIT(i)) != 0)
            value_encode(out, event->values[i]);
}

bool event_decode(struct reader *r, struct arena *arena, struct event *event)
{
    uint8_t id = read_byte(r);
    if (r->failed || id >= STREAM_COUNT)
        return false;
    event_clear(event, stream_get(id));
    event->time_ms = read_zigzag(r);
    event->at.topic = (int32_t)read_varint(r);
    event->at.partition = (int32_t)read_varint(r);
    event->at.offset = read_zigzag(r);
    uint64_t present = read_varint(r);
    if (r->failed || present >> event->stream->field_count != 0)
        return false;
    for (int i = 0; i < event->stream->field_count; i++)
        if ((present >> i & 1) != 0 && !value_decode(r, arena, &event->values[i]))
            return false;
    return !r->failed;
}

static void put_field(struct buf *out, const struct event *event, int field)
{
    value_template(out, event->values[field]);
}

void event_summary(struct buf *out, const struct event *event)
{
    switch (event->stream->id) {
    case STREAM_INCIDENT:
        put_field(out, event, INCIDENT_TITLE);
        break;
    case STREAM_DEPLOYMENT:
        put_field(out, event, DEPLOYMENT_VERSION);
        buf_byte(out, ' ');
        put_field(out, event, DEPLOYMENT_STATUS);
        break;
    case STREAM_TELEMETRY:
        if (!value_is_null(event->values[TELEMETRY_MESSAGE])) {
            put_field(out, event, TELEMETRY_MESSAGE);
            break;
        }
        put_field(out, event, TELEMETRY_NAME);
        if (!value_is_null(event->values[TELEMETRY_VALUE])) {
            buf_puts(out, " = ");
            put_field(out, event, TELEMETRY_VALUE);
        }
        break;
    case STREAM_SCORECARD:
        put_field(out, event, SCORECARD_ID);
        buf_puts(out, " = ");
        put_field(out, event, SCORECARD_VALUE);
        break;
    default:
        buf_puts(out, event->stream->name);
    }
}
