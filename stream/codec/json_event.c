/* Fields of a JSON object by the stream's table. */
#include "codec/json_event.h"

#include <math.h>

#include "codec/field.h"
#include "codec/json_build.h"

struct decoding {
    const struct json_tape *tape;
    struct arena *arena;
    struct error *err;
};

/* Says what was wanted and what was read instead. */
static int wrong_type(const struct decoding *d, const struct stream_field *field, size_t at)
{
    struct buf text = {0};
    struct value value = tape_scalar(d->tape, at);
    switch ((enum value_type)value.type) {
    case VALUE_STRING:
        buf_printf(&text, "'%.*s'", STR_ARG(field_quote(value_as_str(value))));
        break;
    case VALUE_LIST:
        buf_puts(&text, "a list");
        break;
    case VALUE_MAP:
        buf_puts(&text, "a map");
        break;
    default:
        value_json(&text, value);
    }
    const char *wanted = field->kind == FIELD_TIME ? "ISO 8601 or epoch milliseconds" : field_kind_text(field->kind);
    error_set(d->err, ERROR_BAD_INPUT, "field '%s': %s is expected, not %.*s", field->name, wanted,
              STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return -1;
}

/* A number without fraction, also written as 1.0 or 1e3. */
static bool whole(struct value value, int64_t *n)
{
    *n = value.i;
    if (value.type == VALUE_INT)
        return true;
    if (value.type != VALUE_DOUBLE || value.d != trunc(value.d) || fabs(value.d) > 9007199254740992.0)
        return false;
    *n = (int64_t)value.d;
    return true;
}

static int take_time(const struct decoding *d, const struct stream_field *field, size_t at, struct value *out)
{
    struct value value = tape_scalar(d->tape, at);
    int64_t ms;
    if (value.type == VALUE_STRING ? !time_parse_ms(value_as_str(value), &ms) : !whole(value, &ms))
        return wrong_type(d, field, at);
    if (!field_time_fits(ms))
        return error_set(d->err, ERROR_BAD_INPUT, "field '%s': a time outside the years 1 to 9999", field->name);
    *out = value_time_ms(ms);
    return 0;
}

static int take_number(const struct decoding *d, const struct stream_field *field, size_t at, struct value *out)
{
    struct value value = tape_scalar(d->tape, at);
    int64_t n;
    if (field->kind == FIELD_INT) {
        if (!whole(value, &n))
            return wrong_type(d, field, at);
        *out = value_int(n);
        return 0;
    }
    if (value.type == VALUE_INT)
        *out = value_double((double)value.i);
    else if (value.type == VALUE_UINT)
        *out = value_double((double)value.u);
    else if (value.type == VALUE_DOUBLE)
        *out = value;
    else
        return wrong_type(d, field, at);
    return 0;
}

/* A list or map whose items are strings and nothing else: a number would have to be spelled in some way, and the same
 * label must not read differently after a change of that way. */
static int take_texts(const struct decoding *d, const struct stream_field *field, size_t at, struct value *out)
{
    enum value_type wanted = field->kind == FIELD_STRINGS ? VALUE_LIST : VALUE_MAP;
    if (tape_scalar(d->tape, at).type != wanted)
        return wrong_type(d, field, at);
    size_t end = tape_after(d->tape, at) - 1;
    size_t count = 0;
    for (size_t i = at + 1; i < end; i = tape_after(d->tape, i), count++)
        if (tape_type(d->tape->words[i]) != '"')
            return error_set(d->err, ERROR_BAD_INPUT, "field '%s': it holds something other than strings", field->name);
    struct value *items = arena_alloc(d->arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = value_str(arena_str(d->arena, tape_string(d->tape, at + 1 + i)));
    *out = wanted == VALUE_LIST ? value_list(items, count)
                                : value_map(items, field_pairs_unique(items, count / 2, d->arena));
    return 0;
}

static int take_field(const struct decoding *d, const struct stream_field *field, size_t at, struct value *out)
{
    switch (field->kind) {
    case FIELD_STRING:
        if (tape_type(d->tape->words[at]) != '"')
            return wrong_type(d, field, at);
        *out = value_str(tape_string(d->tape, at));
        return 0;
    case FIELD_ENUM: {
        if (tape_type(d->tape->words[at]) != '"')
            return wrong_type(d, field, at);
        const char *symbol = stream_symbol(field, tape_string(d->tape, at));
        if (symbol == NULL)
            return field_symbol_error(d->err, field, tape_string(d->tape, at));
        *out = value_text(symbol);
        return 0;
    }
    case FIELD_TIME:
        return take_time(d, field, at, out);
    case FIELD_STRINGS:
    case FIELD_LABELS:
        return take_texts(d, field, at, out);
    default:
        return take_number(d, field, at, out);
    }
}

/* The stream's field of that name, or -1. Producers mostly write fields in the table's order: `expected` is tried
 * first. */
static int find_field(const struct stream *stream, struct str name, int expected)
{
    for (int i = 0; i < stream->record_field_count; i++) {
        int field = (i + expected) % stream->record_field_count;
        if (str_is(name, stream->fields[field].name))
            return field;
    }
    return -1;
}

static int check_missing(const struct stream *stream, field_mask seen, field_mask wanted, struct event *event,
                         struct error *err)
{
    for (int i = 0; i < stream->record_field_count; i++) {
        const struct stream_field *field = &stream->fields[i];
        if ((seen & FIELD_BIT(i)) != 0 || field->nullable)
            continue;
        if (!field->has_default)
            return error_set(err, ERROR_BAD_INPUT, "field '%s' is missing", field->name);
        if ((wanted & FIELD_BIT(i)) == 0)
            continue;
        if (field->kind == FIELD_ENUM)
            event->values[i] = value_text(field->fallback);
        else
            event->values[i] = field->kind == FIELD_STRINGS ? value_list(NULL, 0) : value_map(NULL, 0);
    }
    return 0;
}

static int take_fields(const struct decoding *d, const struct json_event_options *options, struct event *event)
{
    const struct stream *stream = options->stream;
    field_mask seen = 0;
    int expected = 0;
    size_t end = tape_after(d->tape, 1) - 1;
    for (size_t at = 2; at < end; at = tape_after(d->tape, at + 1)) {
        int index = find_field(stream, tape_string(d->tape, at), expected);
        if (index < 0)
            continue;
        const struct stream_field *field = &stream->fields[index];
        struct value value = value_null();
        expected = index + 1;
        seen &= ~FIELD_BIT(index);
        if (tape_type(d->tape->words[at + 1]) != 'n') {
            TRY(take_field(d, field, at + 1, &value));
            seen |= FIELD_BIT(index);
        } else if (!field->nullable && !field->has_default) {
            return error_set(d->err, ERROR_BAD_INPUT, "field '%s': null, but it needs a value", field->name);
        }
        if (index == stream->time_field)
            event->time_ms = value_ms(value);
        if ((options->wanted & FIELD_BIT(index)) == 0)
            continue;
        if (value.type == VALUE_STRING && field->kind == FIELD_STRING)
            value = value_str(arena_str(d->arena, value_as_str(value)));
        event->values[index] = value;
    }
    return check_missing(stream, seen, options->wanted, event, d->err);
}

int json_event_decode(struct json_simd *simd, const struct json_event_options *options, struct str text,
                      struct arena *arena, struct event *event, struct error *err)
{
    struct json_tape tape;
    const char *why = json_simd_parse(simd, text.p, text.n, &tape);
    if (why != NULL)
        return error_set(err, ERROR_BAD_INPUT, "not JSON: %s", why);
    event->stream = options->stream;
    memset(event->values, 0, (size_t)options->stream->field_count * sizeof *event->values);
    if (tape_type(tape.words[1]) != '{')
        return error_set(err, ERROR_BAD_INPUT, "a JSON object is expected");
    struct decoding d = {&tape, arena, err};
    return take_fields(&d, options, event);
}
