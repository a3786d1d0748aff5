/* Members and texts. */
#include "cli/record.h"

#include "base/time_text.h"

struct value record_member(struct value record, const char *name)
{
    const struct value *found = record.type == VALUE_MAP ? value_map_get(record, str_of(name)) : NULL;
    return found != NULL ? *found : value_null();
}

struct str record_text(struct value v)
{
    return v.type == VALUE_STRING ? value_as_str(v) : (struct str){"", 0};
}

double record_number(struct value v)
{
    return v.type == VALUE_INT ? (double)v.i : v.type == VALUE_DOUBLE ? v.d : 0;
}

void record_put_span(struct buf *out, struct value v)
{
    if (v.type == VALUE_NULL) {
        buf_puts(out, "-");
        return;
    }
    int64_t ms = v.type == VALUE_DURATION ? value_ms(v) : (int64_t)record_number(v);
    int64_t unit_ms = ms >= 10 * (int64_t)MINUTE_MS ? MINUTE_MS : SECOND_MS;
    duration_print(out, (ms + unit_ms / 2) / unit_ms * unit_ms);
}

void record_put_day(struct buf *out, struct value v)
{
    size_t start = out->len;
    if (v.type != VALUE_TIMESTAMP) {
        buf_puts(out, "-");
        return;
    }
    time_print_ms(out, value_ms(v));
    out->len = start + strlen("2026-01-30");
}

void record_put_list(struct buf *out, struct value list)
{
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++) {
        if (i > 0)
            buf_puts(out, ", ");
        buf_str_put(out, record_text(list.items[i]));
    }
}
