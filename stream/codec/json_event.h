/* JSON records to events. */
#ifndef FORESTALL_CODEC_JSON_EVENT_H
#define FORESTALL_CODEC_JSON_EVENT_H

#include "codec/json_tape.h"
#include "event/event.h"

struct json_event_options {
    const struct stream *stream;
    field_mask wanted;
};

/* One whole JSON object. A time is ISO 8601 or epoch milliseconds, an enum's symbol is read in any case, an unknown
 * field is passed over. Of a repeated field the last counts, but each must be right. null stands for an absent field,
 * also where a default takes its place; where a value is required it is an error. Every field that the stream has is
 * checked, whether wanted or not. Texts are copied to the arena. */
int json_event_decode(struct json_simd *simd, const struct json_event_options *options, struct str text,
                      struct arena *arena, struct event *event, struct error *err) MUST_CHECK;

#endif
