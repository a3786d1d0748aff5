/* The schema parser. It walks jansson's tree, whose nesting is bounded by SCHEMA_DEPTH_MAX on the way down. */
#include "codec/avro_schema.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/map.h"

struct parser {
    struct avro_schema *schema;
    struct map names;      /* full name -> struct node */
    struct node **records; /* in order of definition */
    size_t record_count;
    size_t record_cap;
    struct error *err;
    int depth;
};

static const struct {
    const char *name;
    enum node_kind kind;
} kinds[] = {{"null", NODE_NULL},     {"boolean", NODE_BOOLEAN}, {"int", NODE_INT},     {"long", NODE_LONG},
             {"float", NODE_FLOAT},   {"double", NODE_DOUBLE},   {"bytes", NODE_BYTES}, {"string", NODE_STRING},
             {"record", NODE_RECORD}, {"enum", NODE_ENUM},       {"array", NODE_ARRAY}, {"map", NODE_MAP},
             {"union", NODE_UNION},   {"fixed", NODE_FIXED},     {"error", NODE_RECORD}};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

const char *node_kind_name(enum node_kind kind)
{
    return kinds[kind].name;
}

static int parse_node(struct parser *parser, json_t *json, struct str space, struct node **out);

#define BAD(...) error_set(parser->err, ERROR_BAD_INPUT, "schema: " __VA_ARGS__)

static struct str text_of(const json_t *json)
{
    return (struct str){json_string_value(json), json_string_length(json)};
}

static bool name_valid(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.n > 0;
}

static bool full_name_valid(struct str name)
{
    size_t start = 0;
    for (size_t i = 0; i <= name.n; i++)
        if (i == name.n || name.p[i] == '.') {
            if (!name_valid((struct str){name.p + start, i - start}))
                return false;
            start = i + 1;
        }
    return true;
}

static struct str name_in(struct parser *parser, struct str name, struct str space)
{
    if (space.n == 0 || memchr(name.p, '.', name.n) != NULL)
        return arena_str(&parser->schema->arena, name);
    return str_of(arena_printf(&parser->schema->arena, "%.*s.%.*s", STR_ARG(space), STR_ARG(name)));
}

static struct str space_of(struct str full_name)
{
    size_t n = full_name.n;
    while (n > 0 && full_name.p[n - 1] != '.')
        n--;
    return (struct str){full_name.p, n > 0 ? n - 1 : 0};
}

/* The least that a value takes; records are measured when all is parsed. */
static int64_t least_bytes(enum node_kind kind)
{
    switch (kind) {
    case NODE_NULL:
    case NODE_RECORD:
    case NODE_FIXED:
        return 0;
    case NODE_FLOAT:
        return 4;
    case NODE_DOUBLE:
        return 8;
    default:
        return 1;
    }
}

static int node_new(struct parser *parser, enum node_kind kind, struct node **out)
{
    if (++parser->schema->node_count > SCHEMA_NODES_MAX)
        return BAD("more than %d types", SCHEMA_NODES_MAX);
    struct node *node = arena_zalloc(&parser->schema->arena, sizeof *node);
    node->kind = kind;
    node->references = 1;
    node->bytes_min = least_bytes(kind);
    *out = node;
    return 0;
}

/* A primitive's name, or a type named before. */
static int parse_reference(struct parser *parser, struct str name, struct str space, struct node **out)
{
    for (int i = 0; i < KIND_COUNT; i++)
        if (str_is(name, kinds[i].name) && kinds[i].kind < NODE_RECORD)
            return node_new(parser, kinds[i].kind, out);
    struct node *node = name.n > 0 ? map_get(&parser->names, name_in(parser, name, space)) : NULL;
    if (node == NULL && name.n > 0)
        node = map_get(&parser->names, name);
    if (node == NULL)
        return BAD("unknown type '%.*s'", STR_ARG(name));
    node->references++;
    *out = node;
    return 0;
}

/* Reads `name` and `namespace` of a named type and enters it under its full name; `space` becomes that of the types
 * inside. */
static int parse_name(struct parser *parser, json_t *json, struct node *node, struct str *space)
{
    struct str name = text_of(json_object_get(json, "name"));
    struct str own = text_of(json_object_get(json, "namespace"));
    if (own.p != NULL)
        *space = own;
    if (name.p == NULL || !full_name_valid(name) || (space->n > 0 && !full_name_valid(*space)))
        return BAD("a %s needs a name of letters, digits and '_', not '%.*s'", node_kind_name(node->kind),
                   name.p == NULL ? 0 : (int)name.n, name.p == NULL ? "" : name.p);
    node->name = name_in(parser, name, *space);
    *space = space_of(node->name);
    for (int i = 0; i < KIND_COUNT; i++)
        if (kinds[i].kind < NODE_RECORD && str_is(node->name, kinds[i].name))
            return BAD("'%s' is a primitive type's name", kinds[i].name);
    void **slot = map_slot(&parser->names, node->name);
    if (*slot != NULL)
        return BAD("'%.*s' is defined twice", STR_ARG(node->name));
    *slot = node;
    return 0;
}

static int parse_strings(struct parser *parser, const json_t *json, struct str **out, size_t *count)
{
    *count = json_array_size(json);
    *out = arena_alloc(&parser->schema->arena, (*count + 1) * sizeof **out);
    for (size_t i = 0; i < *count; i++) {
        struct str text = text_of(json_array_get(json, i));
        if (text.p == NULL)
            return BAD("a list of strings holds something else");
        (*out)[i] = arena_str(&parser->schema->arena, text);
    }
    return 0;
}

/* NOLINTBEGIN(misc-no-recursion): parse_node bounds the depth by SCHEMA_DEPTH_MAX. */
static int parse_field(struct parser *parser, json_t *json, struct str space, struct node_field *field)
{
    struct str name = text_of(json_object_get(json, "name"));
    if (name.p == NULL || !name_valid(name))
        return BAD("a field needs a name of letters, digits and '_', not '%s'", name.p == NULL ? "" : name.p);
    field->name = arena_str(&parser->schema->arena, name);
    json_t *aliases = json_object_get(json, "aliases");
    if (aliases != NULL && !json_is_array(aliases))
        return BAD("field '%s': aliases are a list", field->name.p);
    TRY(parse_strings(parser, aliases, &field->aliases, &field->alias_count));
    json_t *type = json_object_get(json, "type");
    if (type == NULL)
        return BAD("field '%s' has no type", field->name.p);
    field->fallback = json_object_get(json, "default");
    return parse_node(parser, type, space, &field->type);
}

static int parse_record(struct parser *parser, json_t *json, struct str space, struct node *node)
{
    TRY(parse_name(parser, json, node, &space));
    parser->records = mem_grow(parser->records, parser->record_count, &parser->record_cap, sizeof(struct node *));
    parser->records[parser->record_count++] = node;
    json_t *fields = json_object_get(json, "fields");
    if (!json_is_array(fields))
        return BAD("record '%s' has no list of fields", node->name.p);
    size_t count = json_array_size(fields);
    node->fields = arena_zalloc(&parser->schema->arena, (count + 1) * sizeof *node->fields);
    struct map seen = {0};
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = parse_field(parser, json_array_get(fields, i), space, &node->fields[i]);
        if (result != 0)
            break;
        void **slot = map_slot(&seen, node->fields[i].name);
        if (*slot != NULL)
            result = BAD("record '%s' has two fields '%s'", node->name.p, node->fields[i].name.p);
        *slot = node;
    }
    map_fini(&seen);
    node->count = count;
    return result;
}

static int parse_enum(struct parser *parser, json_t *json, struct str space, struct node *node)
{
    TRY(parse_name(parser, json, node, &space));
    json_t *symbols = json_object_get(json, "symbols");
    if (json_array_size(symbols) == 0)
        return BAD("enum '%s' has no symbols", node->name.p);
    TRY(parse_strings(parser, symbols, &node->symbols, &node->count));
    struct str fallback = text_of(json_object_get(json, "default"));
    struct map seen = {0};
    int result = 0;
    for (size_t i = 0; i < node->count && result == 0; i++) {
        void **slot = map_slot(&seen, node->symbols[i]);
        if (*slot != NULL || !name_valid(node->symbols[i]))
            result = BAD("enum '%s': symbol '%s' is not a name, or there twice", node->name.p, node->symbols[i].p);
        *slot = node;
        if (fallback.p != NULL && str_eq(fallback, node->symbols[i]))
            node->fallback = node->symbols[i];
    }
    map_fini(&seen);
    if (result == 0 && fallback.p != NULL && node->fallback.p == NULL)
        result = BAD("enum '%s': its default '%s' is none of its symbols", node->name.p, fallback.p);
    return result;
}

static int parse_fixed(struct parser *parser, json_t *json, struct str space, struct node *node)
{
    TRY(parse_name(parser, json, node, &space));
    json_t *size = json_object_get(json, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 || json_integer_value(size) > INT32_MAX)
        return BAD("fixed '%s' needs a size", node->name.p);
    node->size = json_integer_value(size);
    node->bytes_min = node->size;
    return 0;
}

/* Two branches that a reader could not tell apart: the same unnamed type, or the same name. */
static bool branches_clash(const struct node *a, const struct node *b)
{
    bool named = a->kind == NODE_RECORD || a->kind == NODE_ENUM || a->kind == NODE_FIXED;
    return a == b || (a->kind == b->kind && !named);
}

static int parse_union(struct parser *parser, json_t *json, struct str space, struct node **out)
{
    struct node *node;
    TRY(node_new(parser, NODE_UNION, &node));
    node->count = json_array_size(json);
    if (node->count == 0)
        return BAD("a union has no branches");
    /* 14 kinds at most differ without a name; this bounds the comparisons below. */
    if (node->count > 1000)
        return BAD("a union has more than 1000 branches");
    node->branches = arena_zalloc(&parser->schema->arena, node->count * sizeof(struct node *));
    for (size_t i = 0; i < node->count; i++) {
        TRY(parse_node(parser, json_array_get(json, i), space, &node->branches[i]));
        if (node->branches[i]->kind == NODE_UNION)
            return BAD("a union lies directly in a union");
        for (size_t k = 0; k < i; k++)
            if (branches_clash(node->branches[i], node->branches[k]))
                return BAD("a union has two branches of type %s", node_kind_name(node->branches[i]->kind));
    }
    *out = node;
    return 0;
}

static enum node_logical logical_of(const struct node *node, struct str name)
{
    if (name.p == NULL)
        return LOGICAL_NONE;
    struct str plain = name;
    if (str_starts(name, STR_LIT("local-")))
        plain = (struct str){name.p + 6, name.n - 6};
    if (node->kind == NODE_LONG && str_is(plain, "timestamp-millis"))
        return LOGICAL_TIMESTAMP_MILLIS;
    if (node->kind == NODE_LONG && str_is(plain, "timestamp-micros"))
        return LOGICAL_TIMESTAMP_MICROS;
    if (node->kind == NODE_LONG && str_is(plain, "timestamp-nanos"))
        return LOGICAL_TIMESTAMP_NANOS;
    return LOGICAL_OTHER;
}

static int parse_items(struct parser *parser, json_t *json, struct str space, struct node *node)
{
    json_t *items = json_object_get(json, node->kind == NODE_ARRAY ? "items" : "values");
    if (items == NULL)
        return BAD("an %s says nothing of its %s", node_kind_name(node->kind),
                   node->kind == NODE_ARRAY ? "items" : "values");
    node->branches = arena_zalloc(&parser->schema->arena, sizeof(struct node *));
    node->count = 1;
    return parse_node(parser, items, space, &node->branches[0]);
}

static int parse_object(struct parser *parser, json_t *json, struct str space, struct node **out)
{
    json_t *type = json_object_get(json, "type");
    struct str name = text_of(type);
    if (name.p == NULL && type != NULL)
        return parse_node(parser, type, space, out); /* {"type": {…}} */
    int kind = -1;
    for (int i = 0; i < KIND_COUNT; i++)
        if (name.p != NULL && str_is(name, kinds[i].name))
            kind = (int)kinds[i].kind;
    if (kind < NODE_RECORD) {
        if (name.p == NULL)
            return BAD("an object has no type");
        TRY(parse_reference(parser, name, space, out));
        if (kind >= 0)
            (*out)->logical = logical_of(*out, text_of(json_object_get(json, "logicalType")));
        return 0;
    }
    if (kind == NODE_UNION)
        return BAD("a union is written as a list");
    TRY(node_new(parser, (enum node_kind)kind, out));
    switch (kind) {
    case NODE_RECORD:
        return parse_record(parser, json, space, *out);
    case NODE_ENUM:
        return parse_enum(parser, json, space, *out);
    case NODE_FIXED:
        (*out)->logical = logical_of(*out, text_of(json_object_get(json, "logicalType")));
        return parse_fixed(parser, json, space, *out);
    default:
        return parse_items(parser, json, space, *out);
    }
}

static int parse_node(struct parser *parser, json_t *json, struct str space, struct node **out)
{
    if (parser->depth >= SCHEMA_DEPTH_MAX)
        return BAD("nested deeper than %d", SCHEMA_DEPTH_MAX);
    parser->depth++;
    int result;
    if (json_is_string(json))
        result = parse_reference(parser, text_of(json), space, out);
    else if (json_is_array(json))
        result = parse_union(parser, json, space, out);
    else if (json_is_object(json))
        result = parse_object(parser, json, space, out);
    else
        result = BAD("a type is a name, a list or an object");
    parser->depth--;
    return result;
}

/* NOLINTEND(misc-no-recursion) */

/* One record on the way down while records are measured. */
struct step {
    struct node *record;
    size_t field;
};
enum { MARK_NEW, MARK_OPEN, MARK_MEASURED };

/* Measures the records that lie directly in one another, the innermost first, from `root` down. A record met again
 * while it is open has no finite value. `path` has room for every record. */
static int measure_from(struct parser *parser, struct node *root, struct step *path)
{
    size_t depth = 0;
    path[depth++] = (struct step){root, 0};
    root->mark = MARK_OPEN;
    while (depth > 0) {
        struct step *top = &path[depth - 1];
        if (top->field == top->record->count) {
            top->record->mark = MARK_MEASURED;
            depth--;
            continue;
        }
        struct node *type = top->record->fields[top->field].type;
        if (type->kind == NODE_RECORD && type->mark == MARK_OPEN)
            return BAD("record '%s' contains itself without end", type->name.p);
        if (type->kind == NODE_RECORD && type->mark == MARK_NEW) {
            type->mark = MARK_OPEN;
            path[depth++] = (struct step){type, 0};
            continue;
        }
        top->field++;
        top->record->bytes_min += type->bytes_min;
        if (top->record->bytes_min > INT32_MAX)
            top->record->bytes_min = INT32_MAX;
    }
    return 0;
}

static int measure_records(struct parser *parser)
{
    struct step *path = mem_alloc((parser->record_count + 1) * sizeof *path);
    int result = 0;
    for (size_t i = 0; i < parser->record_count && result == 0; i++)
        if (parser->records[i]->mark == MARK_NEW)
            result = measure_from(parser, parser->records[i], path);
    for (size_t i = 0; i < parser->record_count; i++)
        parser->records[i]->mark = 0;
    free(path);
    return result;
}

int avro_schema_parse(struct avro_schema *schema, struct str text, struct error *err)
{
    *schema = (struct avro_schema){0};
    struct parser parser = {.schema = schema, .err = err};
    if (text.n > SCHEMA_BYTES_MAX)
        return error_set(err, ERROR_BAD_INPUT, "schema: %zu bytes long, at most %d are read", text.n, SCHEMA_BYTES_MAX);
    json_error_t at;
    schema->json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (schema->json == NULL)
        return error_set(err, ERROR_BAD_INPUT, "schema: not JSON: line %d: %s", at.line, at.text);
    int result = parse_node(&parser, schema->json, STR_LIT(""), &schema->root);
    if (result == 0)
        result = measure_records(&parser);
    map_fini(&parser.names);
    free(parser.records);
    if (result != 0)
        avro_schema_fini(schema);
    return result;
}

void avro_schema_fini(struct avro_schema *schema)
{
    arena_fini(&schema->arena);
    json_decref(schema->json);
    *schema = (struct avro_schema){0};
}
