/* A value of the rule language and of an event's field: 16 bytes, borrowed contents.
 *
 * Strings, bytes, lists and maps point into memory that somebody else owns (a record's bytes, an arena, a rule set);
 * who hands out a value says until when it holds. Strings are valid UTF-8. Timestamps and durations are seconds and
 * nanoseconds, nanos in [0, 1e9), as protobuf's (so a negative duration of 0.5 s is -1 s + 500,000,000 ns).
 */
#ifndef FORESTALL_EVENT_VALUE_H
#define FORESTALL_EVENT_VALUE_H

#include "base/buf.h"
#include "base/time_text.h"

enum value_type {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_UINT,
    VALUE_DOUBLE,
    VALUE_STRING,
    VALUE_BYTES,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_TIMESTAMP,
    VALUE_DURATION,
    VALUE_TYPE,  /* a type as a value: `s` its name */
    VALUE_ERROR, /* an evaluation error: `s` its message, n its length; never inside a list or map */
    VALUE_TYPE_COUNT
};

struct value {
    uint8_t type;
    uint8_t flags; /* VALUE_FROM_NULL on errors */
    uint32_t n;    /* bytes of a string, items of a list, pairs of a map, nanoseconds of a time */
    union {
        bool b;
        int64_t i; /* also the seconds of a time */
        uint64_t u;
        double d;
        const char *s;
        const struct value *items; /* of a list n; of a map 2 n: key, value, key, value */
    };
};

enum { VALUE_FROM_NULL = 1 }; /* the error came from a null operand: counted apart */

static inline struct value value_null(void)
{
    return (struct value){.type = VALUE_NULL};
}
static inline struct value value_bool(bool b)
{
    return (struct value){.type = VALUE_BOOL, .b = b};
}
static inline struct value value_int(int64_t i)
{
    return (struct value){.type = VALUE_INT, .i = i};
}
static inline struct value value_uint(uint64_t u)
{
    return (struct value){.type = VALUE_UINT, .u = u};
}
static inline struct value value_double(double d)
{
    return (struct value){.type = VALUE_DOUBLE, .d = d};
}
static inline struct value value_str(struct str s)
{
    return (struct value){.type = VALUE_STRING, .n = (uint32_t)s.n, .s = s.p};
}
static inline struct value value_text(const char *s)
{
    return value_str(str_of(s));
}
static inline struct value value_list(const struct value *items, size_t n)
{
    return (struct value){.type = VALUE_LIST, .n = (uint32_t)n, .items = items};
}
static inline struct value value_map(const struct value *pairs, size_t n)
{
    return (struct value){.type = VALUE_MAP, .n = (uint32_t)n, .items = pairs};
}
static inline struct value value_time_ms(int64_t ms)
{
    return (struct value){
        .type = VALUE_TIMESTAMP, .i = floor_div(ms, 1000), .n = (uint32_t)(floor_mod(ms, 1000) * 1000000)};
}
static inline struct value value_span_ms(int64_t ms)
{
    return (struct value){
        .type = VALUE_DURATION, .i = floor_div(ms, 1000), .n = (uint32_t)(floor_mod(ms, 1000) * 1000000)};
}
/* Milliseconds of a timestamp or duration, rounded down. */
static inline int64_t value_ms(struct value v)
{
    return v.i * 1000 + v.n / 1000000;
}
static inline struct str value_as_str(struct value v)
{
    return (struct str){v.s, v.n};
}
static inline bool value_is_null(struct value v)
{
    return v.type == VALUE_NULL;
}

/* CEL's equality: numbers across int, uint and double by value, lists and maps deeply, other types never equal. NaN is
 * not equal to itself. */
bool value_eq(struct value a, struct value b);

/* A total order for sorting and canonical output: by type, then by value (numbers together). */
int value_order(struct value a, struct value b);

/* The value of a string key in a map; NULL where absent. */
const struct value *value_map_get(struct value map, struct str key);

/* A deep copy into the arena. */
struct value value_copy(struct arena *arena, struct value v);

/* Bytes that are the same for values that value_eq() calls equal, and for NaN: numbers in one form whatever their type,
 * maps by key. For hashing; they cannot be decoded. Nesting as value_decode() allows. */
void value_encode_equal(struct buf *out, struct value v);

/* Compact binary form, canonical for equal values of one type; decoded values borrow from the reader's bytes and the
 * arena. Nesting beyond 32 is refused (false). */
void value_encode(struct buf *out, struct value v);
bool value_decode(struct reader *r, struct arena *arena, struct value *v);

/* JSON as DESIGN prints it: times ISO 8601 with milliseconds, spans as milliseconds (a number), bytes in base64,
 * doubles in their shortest form that reads back the same (whole ones without a point), NaN and infinities as strings;
 * map members in the map's own order. */
void value_json(struct buf *out, struct value v);
/* A JSON string literal with its quotes. */
void value_json_string(struct buf *out, struct str text);
/* The shortest decimal that reads back as `d`, as JSON takes it; "NaN", "Infinity", "-Infinity" unquoted. */
void value_double_text(struct buf *out, double d);

/* How a template prints: null `unknown`, spans `25m`, times ISO 8601, doubles to two decimals (none when whole), lists
 * joined by ", ". */
void value_template(struct buf *out, struct value v);

const char *value_type_name(enum value_type type); /* CEL's names: "int", "string", "google.protobuf.Timestamp", … */

#endif
