/* Equality, order, copies and the binary form of values; value_text.c prints them. */
#include "event/value.h"

#include <math.h>
#include <stdlib.h>

enum { NESTING_MAX = 32 };

static bool is_number(struct value v)
{
    return v.type == VALUE_INT || v.type == VALUE_UINT || v.type == VALUE_DOUBLE;
}

/* An int against a double, exactly: no rounding of the int. */
static int order_int_double(int64_t i, double d)
{
    if (d >= 9223372036854775808.0)
        return -1;
    if (d < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)d;
    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = d - (double)whole;
    return (rest < 0) - (rest > 0);
}

static int order_uint_double(uint64_t u, double d)
{
    if (d >= 18446744073709551616.0)
        return -1;
    if (d < 0)
        return 1;
    uint64_t whole = (uint64_t)d;
    if (u != whole)
        return u < whole ? -1 : 1;
    double rest = d - (double)whole;
    return (rest < 0) - (rest > 0);
}

/* Order of two numbers of any types; NaN sorts first. */
static int order_numbers(struct value a, struct value b)
{
    if (a.type == VALUE_DOUBLE && b.type == VALUE_DOUBLE) {
        if (isnan(a.d) || isnan(b.d))
            return (isnan(b.d) != 0) - (isnan(a.d) != 0);
        return (a.d > b.d) - (a.d < b.d);
    }
    if (a.type == VALUE_DOUBLE)
        return -order_numbers(b, a);
    if (b.type == VALUE_DOUBLE) {
        if (isnan(b.d))
            return 1;
        return a.type == VALUE_INT ? order_int_double(a.i, b.d) : order_uint_double(a.u, b.d);
    }
    if (a.type == VALUE_INT && a.i < 0)
        return b.type == VALUE_INT ? (a.i > b.i) - (a.i < b.i) : -1;
    if (b.type == VALUE_INT && b.i < 0)
        return 1;
    return (a.u > b.u) - (a.u < b.u);
}

static bool has_nan(struct value a, struct value b)
{
    return (a.type == VALUE_DOUBLE && isnan(a.d)) || (b.type == VALUE_DOUBLE && isnan(b.d));
}

static bool eq_maps(struct value a, struct value b)
{
    if (a.n != b.n)
        return false;
    for (uint32_t i = 0; i < a.n; i++) {
        bool found = false;
        for (uint32_t j = 0; j < b.n && !found; j++)
            found = value_eq(a.items[2 * i], b.items[2 * j]) && value_eq(a.items[2 * i + 1], b.items[2 * j + 1]);
        if (!found)
            return false;
    }
    return true;
}

bool value_eq(struct value a, struct value b)
{
    if (is_number(a) && is_number(b))
        return !has_nan(a, b) && order_numbers(a, b) == 0;
    if (a.type != b.type)
        return false;
    switch ((enum value_type)a.type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a.b == b.b;
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_TYPE:
        return str_eq(value_as_str(a), value_as_str(b));
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        return a.i == b.i && a.n == b.n;
    case VALUE_LIST:
        if (a.n != b.n)
            return false;
        for (uint32_t i = 0; i < a.n; i++)
            if (!value_eq(a.items[i], b.items[i]))
                return false;
        return true;
    case VALUE_MAP:
        return eq_maps(a, b);
    default:
        return false;
    }
}

int value_order(struct value a, struct value b)
{
    if (is_number(a) && is_number(b))
        return order_numbers(a, b);
    if (a.type != b.type)
        return a.type < b.type ? -1 : 1;
    switch ((enum value_type)a.type) {
    case VALUE_BOOL:
        return (int)a.b - (int)b.b;
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_TYPE:
        return str_cmp(value_as_str(a), value_as_str(b));
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        return a.i != b.i ? (a.i > b.i) - (a.i < b.i) : (a.n > b.n) - (a.n < b.n);
    case VALUE_LIST:
    case VALUE_MAP: {
        uint32_t step = a.type == VALUE_MAP ? 2 : 1;
        uint32_t n = (a.n < b.n ? a.n : b.n) * step;
        for (uint32_t i = 0; i < n; i++) {
            int order = value_order(a.items[i], b.items[i]);
            if (order != 0)
                return order;
        }
        return (a.n > b.n) - (a.n < b.n);
    }
    default:
        return 0;
    }
}

const struct value *value_map_get(struct value map, struct str key)
{
    for (uint32_t i = 0; i < map.n; i++)
        if (map.items[2 * i].type == VALUE_STRING && str_eq(value_as_str(map.items[2 * i]), key))
            return &map.items[2 * i + 1];
    return NULL;
}

struct value value_copy(struct arena *arena, struct value v)
{
    if (v.type == VALUE_STRING || v.type == VALUE_BYTES || v.type == VALUE_TYPE || v.type == VALUE_ERROR) {
        v.s = arena_str(arena, value_as_str(v)).p;
    } else if (v.type == VALUE_LIST || v.type == VALUE_MAP) {
        size_t n = (size_t)v.n * (v.type == VALUE_MAP ? 2 : 1);
        struct value *items = arena_alloc(arena, n * sizeof *items);
        for (size_t i = 0; i < n; i++)
            items[i] = value_copy(arena, v.items[i]);
        v.items = items;
    }
    return v;
}

void value_encode(struct buf *out, struct value v)
{
    buf_byte(out, v.type);
    switch ((enum value_type)v.type) {
    case VALUE_BOOL:
        buf_byte(out, v.b);
        break;
    case VALUE_INT:
        buf_zigzag(out, v.i);
        break;
    case VALUE_UINT:
        buf_varint(out, v.u);
        break;
    case VALUE_DOUBLE:
        buf_double(out, v.d);
        break;
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_TYPE:
    case VALUE_ERROR:
        buf_text(out, value_as_str(v));
        break;
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        buf_zigzag(out, v.i);
        buf_varint(out, v.n);
        break;
    case VALUE_LIST:
    case VALUE_MAP: {
        size_t n = (size_t)v.n * (v.type == VALUE_MAP ? 2 : 1);
        buf_varint(out, v.n);
        for (size_t i = 0; i < n; i++)
            value_encode(out, v.items[i]);
        break;
    }
    default:
        break;
    }
}

/* A whole number as an int, or a uint beyond it; NaN as one of them. */
static struct value one_form(struct value v)
{
    if (v.type == VALUE_UINT && v.u <= INT64_MAX)
        return value_int((int64_t)v.u);
    if (v.type != VALUE_DOUBLE)
        return v;
    if (isnan(v.d))
        return value_double(NAN);
    if (v.d != trunc(v.d) || v.d < -9223372036854775808.0 || v.d >= 18446744073709551616.0)
        return v;
    return v.d < 9223372036854775808.0 ? value_int((int64_t)v.d) : value_uint((uint64_t)v.d);
}

struct pair {
    struct value key, value;
};

static int order_pairs(const void *a, const void *b)
{
    return value_order(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

void value_encode_equal(struct buf *out, struct value v)
{
    if (v.type != VALUE_LIST && v.type != VALUE_MAP) {
        value_encode(out, one_form(v));
        return;
    }
    buf_byte(out, v.type);
    buf_varint(out, v.n);
    if (v.type == VALUE_LIST) {
        for (uint32_t i = 0; i < v.n; i++)
            value_encode_equal(out, v.items[i]);
        return;
    }
    struct pair *pairs = mem_alloc(v.n * sizeof *pairs);
    for (uint32_t i = 0; i < v.n; i++)
        pairs[i] = (struct pair){v.items[2 * i], v.items[2 * i + 1]};
    qsort(pairs, v.n, sizeof *pairs, order_pairs);
    for (uint32_t i = 0; i < v.n; i++) {
        value_encode_equal(out, pairs[i].key);
        value_encode_equal(out, pairs[i].value);
    }
    free(pairs);
}

static bool decode(struct reader *r, struct arena *arena, struct value *v, int depth);

static bool decode_items(struct reader *r, struct arena *arena, struct value *v, int depth)
{
    uint64_t n = read_varint(r);
    size_t per = v->type == VALUE_MAP ? 2 : 1;
    /* Every item takes a byte at least, so a count beyond the bytes left is a lie. */
    if (r->failed || n > reader_left(r) || n > UINT32_MAX || depth >= NESTING_MAX)
        return false;
    struct value *items = arena_alloc(arena, (size_t)n * per * sizeof *items);
    for (size_t i = 0; i < n * per; i++)
        if (!decode(r, arena, &items[i], depth + 1))
            return false;
    v->n = (uint32_t)n;
    v->items = items;
    return true;
}

static bool decode(struct reader *r, struct arena *arena, struct value *v, int depth)
{
    *v = (struct value){.type = read_byte(r)};
    switch ((enum value_type)v->type) {
    case VALUE_NULL:
        break;
    case VALUE_BOOL:
        v->b = read_byte(r) != 0;
        break;
    case VALUE_INT:
        v->i = read_zigzag(r);
        break;
    case VALUE_UINT:
        v->u = read_varint(r);
        break;
    case VALUE_DOUBLE:
        v->d = read_double(r);
        break;
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_TYPE:
    case VALUE_ERROR: {
        struct str text = read_text(r);
        v->s = text.p;
        v->n = (uint32_t)text.n;
        break;
    }
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        v->i = read_zigzag(r);
        v->n = (uint32_t)read_varint(r);
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        return decode_items(r, arena, v, depth);
    default:
        return false;
    }
    return !r->failed;
}

bool value_decode(struct reader *r, struct arena *arena, struct value *v)
{
    return decode(r, arena, v, 0);
}
