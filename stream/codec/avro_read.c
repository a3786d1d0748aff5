/* Avro to values. Recursion follows the schema, whose depth is bounded, and stops at the first failure; what the bytes
 * say decides only how many items there are, never more than bytes are left. */
#include "codec/avro_read.h"

#include <ctype.h>
#include <endian.h>

struct reading {
    struct reader r;
    struct arena *arena;
    int depth;
};

static struct value read_node(struct reading *in, const struct node *node);

static struct value failed(struct reading *in)
{
    in->r.failed = true;
    return value_null();
}

static struct value read_text_of(struct reading *in, enum value_type type)
{
    int64_t n = read_zigzag(&in->r);
    if (in->r.failed || n < 0 || (uint64_t)n > reader_left(&in->r))
        return failed(in);
    struct str text = arena_str(in->arena, (struct str){(const char *)in->r.p, (size_t)n});
    in->r.p += n;
    if (type == VALUE_STRING && !utf8_valid(text.p, text.n))
        return failed(in);
    struct value v = value_str(text);
    v.type = (uint8_t)type;
    return v;
}

static struct value read_bits(struct reading *in, size_t size)
{
    uint64_t bits64 = 0;
    uint32_t bits32 = 0;
    double d;
    float f;
    if (reader_left(&in->r) < size)
        return failed(in);
    memcpy(size == sizeof bits64 ? (void *)&bits64 : (void *)&bits32, in->r.p, size);
    in->r.p += size;
    bits64 = le64toh(bits64);
    bits32 = le32toh(bits32);
    memcpy(&d, &bits64, sizeof d);
    memcpy(&f, &bits32, sizeof f);
    return value_double(size == sizeof bits64 ? d : (double)f);
}

static struct value read_long(struct reading *in, const struct node *node)
{
    int64_t n = read_zigzag(&in->r);
    int64_t units = node->logical == LOGICAL_TIMESTAMP_MICROS ? 1000 : 1000000;
    if (node->logical == LOGICAL_NONE || node->logical == LOGICAL_OTHER)
        return value_int(n);
    struct buf text = {0};
    time_print_ms(&text, node->logical == LOGICAL_TIMESTAMP_MILLIS ? n : floor_div(n, units));
    struct value v = value_str(arena_str(in->arena, buf_str(&text)));
    buf_fini(&text);
    return v;
}

static struct value read_enum(struct reading *in, const struct node *node)
{
    int64_t at = read_zigzag(&in->r);
    if (in->r.failed || at < 0 || (uint64_t)at >= node->count)
        return failed(in);
    struct str symbol = arena_str(in->arena, node->symbols[at]);
    char *lower = arena_alloc(in->arena, symbol.n + 1);
    for (size_t i = 0; i < symbol.n; i++)
        lower[i] = (char)tolower((unsigned char)symbol.p[i]);
    return value_str((struct str){lower, symbol.n});
}

static struct value read_record(struct reading *in, const struct node *node)
{
    struct value *pairs = arena_alloc(in->arena, (2 * node->count + 1) * sizeof *pairs);
    for (size_t i = 0; i < node->count; i++) {
        pairs[2 * i] = value_str(arena_str(in->arena, node->fields[i].name));
        pairs[2 * i + 1] = read_node(in, node->fields[i].type);
    }
    return value_map(pairs, node->count);
}

/* Items of an array (one value each) or of a map (two), block by block. */
static struct value read_items(struct reading *in, const struct node *node)
{
    size_t each = node->kind == NODE_MAP ? 2 : 1;
    struct value *items = arena_alloc(in->arena, sizeof *items);
    size_t count = 0;
    for (int64_t left = read_zigzag(&in->r); left != 0 && !in->r.failed; left = read_zigzag(&in->r)) {
        if (left < 0) { /* then the block says its size too */
            left = left == INT64_MIN ? INT64_MAX : -left;
            (void)read_zigzag(&in->r);
        }
        if ((uint64_t)left > reader_left(&in->r))
            return failed(in);
        struct value *more = arena_alloc(in->arena, (count + (size_t)left) * each * sizeof *more);
        memcpy(more, items, count * each * sizeof *more);
        items = more;
        for (; left > 0 && !in->r.failed; left--, count++) {
            if (each == 2)
                items[2 * count] = read_text_of(in, VALUE_STRING);
            items[each * count + each - 1] = read_node(in, node->branches[0]);
        }
    }
    return each == 2 ? value_map(items, count) : value_list(items, count);
}

static struct value read_union(struct reading *in, const struct node *node)
{
    int64_t at = read_zigzag(&in->r);
    if (in->r.failed || at < 0 || (uint64_t)at >= node->count)
        return failed(in);
    return read_node(in, node->branches[at]);
}

static struct value read_inside(struct reading *in, const struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        return value_null();
    case NODE_BOOLEAN:
        return value_bool(read_byte(&in->r) != 0);
    case NODE_INT:
    case NODE_LONG:
        return read_long(in, node);
    case NODE_FLOAT:
        return read_bits(in, sizeof(float));
    case NODE_DOUBLE:
        return read_bits(in, sizeof(double));
    case NODE_STRING:
        return read_text_of(in, VALUE_STRING);
    case NODE_BYTES:
        return read_text_of(in, VALUE_BYTES);
    case NODE_ENUM:
        return read_enum(in, node);
    case NODE_RECORD:
        return read_record(in, node);
    case NODE_ARRAY:
    case NODE_MAP:
        return read_items(in, node);
    case NODE_UNION:
        return read_union(in, node);
    default: /* our schemas have no fixed */
        return failed(in);
    }
}

static struct value read_node(struct reading *in, const struct node *node)
{
    if (in->r.failed || in->depth == SCHEMA_DEPTH_MAX)
        return failed(in);
    in->depth++;
    struct value v = read_inside(in, node);
    in->depth--;
    return v;
}

int avro_decode(const struct avro_schema *schema, struct str bytes, struct arena *arena, struct value *value,
                struct error *err)
{
    struct reading in = {.r = reader_of(bytes.p, bytes.n), .arena = arena};
    *value = read_node(&in, schema->root);
    if (in.r.failed || reader_left(&in.r) > 0)
        return error_set(err, ERROR_BAD_INPUT, "the bytes are no %.*s in Avro", STR_ARG(schema->root->name));
    return 0;
}
