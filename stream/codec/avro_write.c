/* Output records through Avro-C's value interface, beside our own reading of the schema, which knows the defaults and
 * logical types that Avro-C's parser drops.
 *
 * Avro-C sees only schemas that avro_schema_parse has let through (bounded, no endless recursion), and only values of
 * this program, never bytes from outside.
 */
#include "codec/avro_write.h"

#include <avro.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "codec/avro_schema.h"

enum { WRITE_DEPTH_MAX = 64 };

struct avro_encoder {
    struct avro_schema schema;
    avro_schema_t theirs;
    avro_value_iface_t *iface;
    avro_value_t datum;   /* reused */
    struct arena scratch; /* defaults as values, and keys with an end */
};

struct writing {
    struct avro_encoder *encoder;
    struct error *err;
    int depth;
};

static int put(struct writing *w, const struct node *node, struct value value, avro_value_t *out);

int avro_encoder_new(struct avro_encoder **out, struct str schema, struct error *err)
{
    struct avro_encoder *encoder = mem_zalloc(sizeof *encoder);
    if (avro_schema_parse(&encoder->schema, schema, err) != 0) {
        free(encoder);
        return -1;
    }
    if (avro_schema_from_json_length(schema.p, schema.n, &encoder->theirs) != 0 ||
        (encoder->iface = avro_generic_class_from_schema(encoder->theirs)) == NULL ||
        avro_generic_value_new(encoder->iface, &encoder->datum) != 0) {
        (void)error_set(err, ERROR_BAD_INPUT, "schema: Avro-C refuses it: %s", avro_strerror());
        avro_encoder_free(encoder);
        return -1;
    }
    *out = encoder;
    return 0;
}

void avro_encoder_free(struct avro_encoder *encoder)
{
    if (encoder == NULL)
        return;
    if (encoder->datum.iface != NULL)
        avro_value_decref(&encoder->datum);
    if (encoder->iface != NULL)
        avro_value_iface_decref(encoder->iface);
    if (encoder->theirs != NULL)
        avro_schema_decref(encoder->theirs);
    avro_schema_fini(&encoder->schema);
    arena_fini(&encoder->scratch);
    free(encoder);
}

/* A whole number that the value is, if it is one: spans as milliseconds, times in the unit of the type. */
static bool whole(const struct node *node, struct value value, int64_t *n)
{
    if (value.type == VALUE_TIMESTAMP && node->logical == LOGICAL_TIMESTAMP_MICROS)
        *n = value.i * 1000000 + value.n / 1000;
    else if (value.type == VALUE_TIMESTAMP && node->logical == LOGICAL_TIMESTAMP_NANOS)
        *n = value.i * 1000000000 + value.n;
    else if (value.type == VALUE_TIMESTAMP || value.type == VALUE_DURATION)
        *n = value_ms(value);
    else if (value.type == VALUE_INT || (value.type == VALUE_UINT && value.u <= INT64_MAX))
        *n = value.i;
    else if (value.type == VALUE_DOUBLE && value.d == trunc(value.d) && fabs(value.d) <= 9007199254740992.0)
        *n = (int64_t)value.d;
    else
        return false;
    return node->kind != NODE_INT || (*n >= INT32_MIN && *n <= INT32_MAX);
}

static bool number(struct value value, double *d)
{
    *d = value.type == VALUE_DOUBLE ? value.d : value.type == VALUE_UINT ? (double)value.u : (double)value.i;
    if (value.type == VALUE_DURATION)
        *d = (double)value_ms(value);
    return value.type == VALUE_DOUBLE || value.type == VALUE_UINT || value.type == VALUE_INT ||
           value.type == VALUE_DURATION;
}

static int symbol_of(const struct node *node, struct value value)
{
    for (size_t i = 0; value.type == VALUE_STRING && i < node->count; i++)
        if (node->symbols[i].n == value.n && strncasecmp(node->symbols[i].p, value.s, value.n) == 0)
            return (int)i;
    return -1;
}

/* True where a value of this type can be written as `node`; of lists, maps and records only the outside is looked at.
 */
static bool fits(const struct node *node, struct value value)
{
    int64_t n;
    double d;
    switch (node->kind) {
    case NODE_NULL:
        return value.type == VALUE_NULL;
    case NODE_BOOLEAN:
        return value.type == VALUE_BOOL;
    case NODE_INT:
    case NODE_LONG:
        return whole(node, value, &n);
    case NODE_FLOAT:
    case NODE_DOUBLE:
        return number(value, &d);
    case NODE_BYTES:
    case NODE_STRING:
        return value.type == (node->kind == NODE_BYTES ? VALUE_BYTES : VALUE_STRING);
    case NODE_FIXED:
        return value.type == VALUE_BYTES && value.n == node->size;
    case NODE_ENUM:
        return symbol_of(node, value) >= 0;
    case NODE_ARRAY:
        return value.type == VALUE_LIST;
    default:
        return value.type == VALUE_MAP;
    }
}

static struct value of_json(struct arena *arena, json_t *json, const struct node *node);

/* NOLINTBEGIN(misc-no-recursion): a default nests no deeper than the schema's text, which is bounded. */
/* A default's value: JSON by the type's rule, a union's by its first branch. */
static struct value of_json_items(struct arena *arena, json_t *json, const struct node *node)
{
    bool map = json_is_object(json);
    size_t n = map ? json_object_size(json) : json_array_size(json);
    struct value *items = arena_alloc(arena, n * 2 * sizeof *items);
    const struct node *item = node->kind == NODE_ARRAY || node->kind == NODE_MAP ? node->branches[0] : NULL;
    size_t used = 0;
    if (!map) {
        for (size_t i = 0; i < n; i++)
            items[used++] = of_json(arena, json_array_get(json, i), item);
        return value_list(items, n);
    }
    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
        items[used++] = value_str(arena_str(arena, str_of(json_object_iter_key(at))));
        items[used++] = of_json(arena, json_object_iter_value(at), item);
    }
    return value_map(items, n);
}

static struct value of_json(struct arena *arena, json_t *json, const struct node *node)
{
    struct str text = {json_string_value(json), json_string_length(json)};
    switch (json_typeof(json)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return of_json_items(arena, json, node != NULL ? node : &(struct node){0});
    case JSON_STRING:
        text = arena_str(arena, text);
        if (node != NULL && (node->kind == NODE_BYTES || node->kind == NODE_FIXED))
            return (struct value){.type = VALUE_BYTES, .n = (uint32_t)text.n, .s = text.p};
        return value_str(text);
    case JSON_INTEGER:
        return value_int(json_integer_value(json));
    case JSON_REAL:
        return value_double(json_real_value(json));
    case JSON_TRUE:
    case JSON_FALSE:
        return value_bool(json_is_true(json));
    default:
        return value_null();
    }
}

/* NOLINTEND(misc-no-recursion) */

static int theirs(struct writing *w, int status)
{
    return status == 0 ? 0 : error_set(w->err, ERROR_BAD_INPUT, "Avro-C: %s", avro_strerror());
}

/* NOLINTBEGIN(misc-no-recursion): put bounds the depth by WRITE_DEPTH_MAX. */
static int put_record(struct writing *w, const struct node *node, struct value value, avro_value_t *out)
{
    size_t found = 0;
    for (size_t i = 0; i < node->count; i++) {
        const struct node_field *field = &node->fields[i];
        const struct value *member = value_map_get(value, field->name);
        struct value fallback = value_null();
        if (member != NULL)
            found++;
        else if (field->fallback != NULL)
            fallback = of_json(&w->encoder->scratch, field->fallback, field->type);
        avro_value_t child;
        TRY(theirs(w, avro_value_get_by_index(out, i, &child, NULL)));
        if (put(w, field->type, member != NULL ? *member : fallback, &child) != 0)
            return error_prefix(w->err, "field '%s'", field->name.p);
    }
    if (found == value.n)
        return 0;
    for (uint32_t i = 0; i < value.n; i++) {
        struct str key = value_as_str(value.items[2 * (size_t)i]);
        bool known = false;
        for (size_t k = 0; k < node->count && !known; k++)
            known = str_eq(key, node->fields[k].name);
        if (!known)
            return error_set(w->err, ERROR_BAD_INPUT, "record '%s' has no field '%.*s'", node->name.p, STR_ARG(key));
    }
    return error_set(w->err, ERROR_BAD_INPUT, "record '%s': a field is given twice", node->name.p);
}

static int put_items(struct writing *w, const struct node *node, struct value value, avro_value_t *out)
{
    for (uint32_t i = 0; i < value.n; i++) {
        avro_value_t child;
        struct value item = node->kind == NODE_MAP ? value.items[2 * (size_t)i + 1] : value.items[i];
        if (node->kind == NODE_MAP) {
            struct str key = value_as_str(value.items[2 * (size_t)i]);
            if (value.items[2 * (size_t)i].type != VALUE_STRING || memchr(key.p, '\0', key.n) != NULL)
                return error_set(w->err, ERROR_BAD_INPUT, "a map's key is no text");
            TRY(theirs(w, avro_value_add(out, arena_str(&w->encoder->scratch, key).p, &child, NULL, NULL)));
        } else {
            TRY(theirs(w, avro_value_append(out, &child, NULL)));
        }
        if (put(w, node->branches[0], item, &child) != 0)
            return error_prefix(w->err, "item %u", i);
    }
    return 0;
}

static int put_union(struct writing *w, const struct node *node, struct value value, avro_value_t *out)
{
    for (size_t i = 0; i < node->count; i++) {
        if (!fits(node->branches[i], value))
            continue;
        avro_value_t child;
        TRY(theirs(w, avro_value_set_branch(out, (int)i, &child)));
        return put(w, node->branches[i], value, &child);
    }
    return error_set(w->err, ERROR_BAD_INPUT, "a %s fits no branch of the union", value_type_name(value.type));
}

static int put_scalar(struct writing *w, const struct node *node, struct value value, avro_value_t *out)
{
    int64_t n = 0;
    double d = 0;
    switch (node->kind) {
    case NODE_NULL:
        return theirs(w, avro_value_set_null(out));
    case NODE_BOOLEAN:
        return theirs(w, avro_value_set_boolean(out, value.b));
    case NODE_INT:
        (void)whole(node, value, &n);
        return theirs(w, avro_value_set_int(out, (int32_t)n));
    case NODE_LONG:
        (void)whole(node, value, &n);
        return theirs(w, avro_value_set_long(out, n));
    case NODE_FLOAT:
        (void)number(value, &d);
        return theirs(w, avro_value_set_float(out, (float)d));
    case NODE_DOUBLE:
        (void)number(value, &d);
        return theirs(w, avro_value_set_double(out, d));
    case NODE_ENUM:
        return theirs(w, avro_value_set_enum(out, symbol_of(node, value)));
    default: {
        /* Avro-C counts a string's end and takes its bytes as not const, though it copies them. */
        char *text = arena_alloc(&w->encoder->scratch, (size_t)value.n + 1);
        if (value.n > 0)
            memcpy(text, value.s, value.n);
        text[value.n] = '\0';
        if (node->kind == NODE_STRING)
            return theirs(w, avro_value_set_string_len(out, text, (size_t)value.n + 1));
        if (node->kind == NODE_FIXED)
            return theirs(w, avro_value_set_fixed(out, text, value.n));
        return theirs(w, avro_value_set_bytes(out, text, value.n));
    }
    }
}

static int put(struct writing *w, const struct node *node, struct value value, avro_value_t *out)
{
    if (node->kind != NODE_UNION && !fits(node, value))
        return error_set(w->err, ERROR_BAD_INPUT, "a %s is not an Avro %s", value_type_name(value.type),
                         node_kind_name(node->kind));
    if (w->depth == WRITE_DEPTH_MAX)
        return error_set(w->err, ERROR_BAD_INPUT, "nested deeper than %d", WRITE_DEPTH_MAX);
    w->depth++;
    int result;
    if (node->kind == NODE_UNION)
        result = put_union(w, node, value, out);
    else if (node->kind == NODE_RECORD)
        result = put_record(w, node, value, out);
    else if (node->kind == NODE_ARRAY || node->kind == NODE_MAP)
        result = put_items(w, node, value, out);
    else
        result = put_scalar(w, node, value, out);
    w->depth--;
    return result;
}

/* NOLINTEND(misc-no-recursion) */

int avro_encode(struct avro_encoder *encoder, struct value value, struct buf *out, struct error *err)
{
    struct writing w = {encoder, err, 0};
    size_t size = 0;
    arena_reset(&encoder->scratch);
    TRY(theirs(&w, avro_value_reset(&encoder->datum)));
    TRY(put(&w, encoder->schema.root, value, &encoder->datum));
    TRY(theirs(&w, avro_value_sizeof(&encoder->datum, &size)));
    avro_writer_t writer = avro_writer_memory(buf_reserve(out, size + 1), (int64_t)size);
    if (writer == NULL)
        return error_set(err, ERROR_FATAL, "Avro-C: %s", avro_strerror());
    int result = theirs(&w, avro_value_write(writer, &encoder->datum));
    if (result == 0)
        out->len += (size_t)avro_writer_tell(writer);
    avro_writer_free(writer);
    return result;
}
