/* One event (or row) of a stream: its fields by number, its time and where it lies in the log.
 *
 * Fields that nobody wants are left null by the decoders; `values` borrow from the record's bytes or an arena.
 */
#ifndef FORESTALL_EVENT_EVENT_H
#define FORESTALL_EVENT_EVENT_H

#include "event/stream.h"

/* Where an event lies; the tie-breaker between events of one time. `topic` is the source's number in the order of topic
 * names, so that it is the same whoever reads. */
struct position {
    int32_t topic;
    int32_t partition;
    int64_t offset;
};

int position_order(const struct position *a, const struct position *b);

struct event {
    const struct stream *stream;
    int64_t time_ms; /* event time: occurred_at */
    struct position at;
    struct value values[STREAM_FIELDS_MAX];
};

typedef uint32_t field_mask; /* bit i: field i of the stream */
#define FIELD_BIT(index) ((field_mask)1 << (index))

void event_clear(struct event *event, const struct stream *stream);

/* Compact binary form of the fields in `mask` (null ones left out), with time and position. Used for pending events,
 * rows and window entries alike. Decoded values borrow from the reader's bytes and, lists and maps, from the arena.
 * Decoding returns false on anything that event_encode would not have written. */
void event_encode(struct buf *out, const struct event *event, field_mask mask);
bool event_decode(struct reader *r, struct arena *arena, struct event *event);

/* A text in a line about the event: an incident's title, a deployment's version and status, a metric's name and value,
 * a log's message. */
void event_summary(struct buf *out, const struct event *event);

#endif
