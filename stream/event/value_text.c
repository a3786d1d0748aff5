/* Values as JSON and as templates print them. */
#include "event/value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void value_double_text(struct buf *out, double d)
{
    if (isnan(d) || isinf(d)) {
        buf_puts(out, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
        return;
    }
    if (d == 0) {
        buf_puts(out, signbit(d) ? "-0.0" : "0");
        return;
    }
    if (fabs(d) < 1e15 && d == trunc(d)) {
        buf_decimal(out, (int64_t)d);
        return;
    }
    char text[40];
    /* The shortest that reads back as the same. Of what has its full precision (DBL_DIG digits) a shorter one shows
     * itself, for %g leaves zeros out. */
    for (int digits = fabs(d) < DBL_MIN ? 1 : DBL_DIG; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    buf_puts(out, text);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

void value_json_string(struct buf *out, struct str text)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        size_t from = i;
        while (i < text.n && is_plain((unsigned char)text.p[i]))
            i++;
        buf_put(out, text.p + from, i - from);
        if (i == text.n)
            break;
        unsigned char c = (unsigned char)text.p[i];
        switch (c) {
        case '"':
            buf_puts(out, "\\\"");
            break;
        case '\\':
            buf_puts(out, "\\\\");
            break;
        case '\n':
            buf_puts(out, "\\n");
            break;
        case '\r':
            buf_puts(out, "\\r");
            break;
        case '\t':
            buf_puts(out, "\\t");
            break;
        default:
            buf_printf(out, "\\u%04x", c);
        }
    }
    buf_byte(out, '"');
}

static void put_base64(struct buf *out, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.p;
    buf_byte(out, '"');
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t group = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        buf_byte(out, (uint8_t)digits[group >> 18]);
        buf_byte(out, (uint8_t)digits[group >> 12 & 63]);
        buf_byte(out, (uint8_t)(left > 1 ? digits[group >> 6 & 63] : '='));
        buf_byte(out, (uint8_t)(left > 2 ? digits[group & 63] : '='));
    }
    buf_byte(out, '"');
}

static void json_key(struct buf *out, struct value key)
{
    if (key.type == VALUE_STRING) {
        value_json_string(out, value_as_str(key));
        return;
    }
    struct buf text = {0};
    value_json(&text, key);
    value_json_string(out, buf_str(&text));
    buf_fini(&text);
}

void value_json(struct buf *out, struct value v)
{
    switch ((enum value_type)v.type) {
    case VALUE_BOOL:
        buf_puts(out, v.b ? "true" : "false");
        break;
    case VALUE_INT:
        buf_decimal(out, v.i);
        break;
    case VALUE_UINT:
        buf_digits(out, v.u, 1);
        break;
    case VALUE_DOUBLE:
        if (isfinite(v.d)) {
            value_double_text(out, v.d);
            break;
        }
        buf_byte(out, '"');
        value_double_text(out, v.d);
        buf_byte(out, '"');
        break;
    case VALUE_STRING:
    case VALUE_TYPE:
    case VALUE_ERROR:
        value_json_string(out, value_as_str(v));
        break;
    case VALUE_BYTES:
        put_base64(out, value_as_str(v));
        break;
    case VALUE_TIMESTAMP:
        buf_byte(out, '"');
        time_print_ms(out, value_ms(v));
        buf_byte(out, '"');
        break;
    case VALUE_DURATION:
        buf_decimal(out, value_ms(v));
        break;
    case VALUE_LIST:
        buf_byte(out, '[');
        for (uint32_t i = 0; i < v.n; i++) {
            if (i > 0)
                buf_byte(out, ',');
            value_json(out, v.items[i]);
        }
        buf_byte(out, ']');
        break;
    case VALUE_MAP:
        buf_byte(out, '{');
        for (uint32_t i = 0; i < v.n; i++) {
            if (i > 0)
                buf_byte(out, ',');
            json_key(out, v.items[2 * i]);
            buf_byte(out, ':');
            value_json(out, v.items[2 * i + 1]);
        }
        buf_byte(out, '}');
        break;
    default:
        buf_puts(out, "null");
    }
}

static void template_double(struct buf *out, double d)
{
    if (!isfinite(d)) {
        value_double_text(out, d);
        return;
    }
    size_t start = out->len;
    buf_printf(out, "%.2f", d);
    while (out->p[out->len - 1] == '0')
        out->len--;
    if (out->p[out->len - 1] == '.')
        out->len--;
    if (out->len - start == 2 && out->p[start] == '-' && out->p[start + 1] == '0') {
        out->p[start] = '0';
        out->len--;
    }
}

void value_template(struct buf *out, struct value v)
{
    switch ((enum value_type)v.type) {
    case VALUE_NULL:
        buf_puts(out, "unknown");
        break;
    case VALUE_DOUBLE:
        template_double(out, v.d);
        break;
    case VALUE_STRING:
        buf_str_put(out, value_as_str(v));
        break;
    case VALUE_TIMESTAMP:
        time_print(out, v.i, (int32_t)v.n);
        break;
    case VALUE_DURATION:
        duration_print(out, value_ms(v));
        break;
    case VALUE_LIST:
        for (uint32_t i = 0; i < v.n; i++) {
            if (i > 0)
                buf_puts(out, ", ");
            value_template(out, v.items[i]);
        }
        break;
    default:
        value_json(out, v);
    }
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[VALUE_TYPE_COUNT] = {"null_type",
                                                        "bool",
                                                        "int",
                                                        "uint",
                                                        "double",
                                                        "string",
                                                        "bytes",
                                                        "list",
                                                        "map",
                                                        "google.protobuf.Timestamp",
                                                        "google.protobuf.Duration",
                                                        "type",
                                                        "error"};
    return names[type];
}
