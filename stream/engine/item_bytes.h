/* What pending items carry, as bytes: a row's change, an event with the inputs that selected it, feedback with the
 * record it was read from. Decoding takes what encoding wrote, nothing else, and borrows from the bytes and the arena.
 */
#ifndef FORESTALL_ENGINE_ITEM_BYTES_H
#define FORESTALL_ENGINE_ITEM_BYTES_H

#include "engine/exchange.h"

/* NULL: a new row, or a removed one. */
struct item_change {
    const struct event *before;
    const struct event *after;
};
void item_change_encode(struct buf *out, const struct item_change *change);
struct item_change item_change_decode(struct str bytes, struct arena *arena);

struct item_event {
    const struct event *event;
    const struct exchange_match *matches;
    size_t match_count;
};
void item_event_encode(struct buf *out, const struct item_event *item);
struct item_event item_event_decode(struct str bytes, struct arena *arena);

struct item_feedback {
    struct event *event;
    struct exchange_record record;
};
void item_feedback_encode(struct buf *out, const struct event *event, struct exchange_record record);
struct item_feedback item_feedback_decode(struct str bytes, struct arena *arena);

/* The same of bytes that others wrote, which may be anything: false where encoding would not have written them. */
bool item_change_read(struct reader *r, struct arena *arena, struct item_change *change);
bool item_feedback_read(struct reader *r, struct arena *arena, struct event *event, struct exchange_record *record);

#endif
