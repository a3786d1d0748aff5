/* What both formats hold of a field's value: limits, names in errors, and maps without repeated keys. */
#ifndef FORESTALL_CODEC_FIELD_H
#define FORESTALL_CODEC_FIELD_H

#include "event/event.h"

/* Years 0001 to 9999, what ISO 8601 can say. A time outside is bad input, so that nobody downstream can overflow by
 * adding a window to it. */
#define FIELD_TIME_MS_MIN INT64_C(-62135596800000)
#define FIELD_TIME_MS_MAX INT64_C(253402300799999)

static inline bool field_time_fits(int64_t ms)
{
    return ms >= FIELD_TIME_MS_MIN && ms <= FIELD_TIME_MS_MAX;
}

/* "a string", "a time", …: what a field of this kind holds. */
const char *field_kind_text(enum field_kind kind);

/* At most this many bytes of a record's own text are quoted in an error; a longer one is cut between characters. */
enum { FIELD_QUOTE_MAX = 64 };
struct str field_quote(struct str text);

/* "field 'severity': 'SEV9' is none of sev1, …". Returns -1. */
int field_symbol_error(struct error *err, const struct stream_field *field, struct str text);

/* Where a key is repeated only its last pair stays, at the place of the first. `pairs` are key, value, key, value with
 * string keys; returns how many pairs are left. */
size_t field_pairs_unique(struct value *pairs, size_t n, struct arena *arena);

#endif
