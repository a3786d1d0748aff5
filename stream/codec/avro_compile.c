/* From a writer's schema and a stream's record to a plan: schema resolution, done once.
 *
 * Fields are taken in the writer's order. One that the stream has becomes operations that keep or check it, any other
 * becomes operations that step over it; a record type named in more than one place becomes a routine of its own, so the
 * plan is no longer than the schema. Type names are not compared, only fields' names and types: producers call their
 * records as they like.
 */
#include <stdlib.h>

#include "codec/avro_plan.h"
#include "codec/field.h"

struct compiler {
    struct plan *plan;
    const struct plan_options *options;
    size_t op_cap;
    size_t symbol_count;
    size_t symbol_cap;
    size_t target_count;
    size_t target_cap;
    size_t reason_count;
    size_t reason_cap;
    size_t barrier; /* operations from here on may be fused: nothing jumps between them */
    const char *path;
    struct node **routines; /* record types compiled apart, by mark - 1 */
    size_t routine_count;
    size_t routine_cap;
    struct error *err;
};

/* What a value is compiled into: a field of the stream, an item of a list being built, or nothing. */
struct want {
    const struct stream_field *field; /* NULL: step over it */
    enum field_kind kind;             /* of the field, or of the list's item */
    uint8_t index;                    /* PLAN_NO_FIELD: checked, not kept */
    bool nullable;
    bool item; /* appended, not kept */
};

static struct op *emit(struct compiler *c, enum op_code code, uint32_t a, uint32_t b)
{
    struct plan *plan = c->plan;
    if (plan->op_count == c->op_cap) {
        c->op_cap = c->op_cap == 0 ? 32 : 2 * c->op_cap;
        plan->ops = mem_realloc(plan->ops, c->op_cap * sizeof *plan->ops);
        plan->paths = mem_realloc(plan->paths, c->op_cap * sizeof *plan->paths);
    }
    plan->paths[plan->op_count] = c->path;
    struct op *op = &plan->ops[plan->op_count++];
    *op = (struct op){.code = (uint8_t)code, .field = PLAN_NO_FIELD, .a = a, .b = b};
    return op;
}

static uint32_t here(const struct compiler *c)
{
    return (uint32_t)c->plan->op_count;
}

/* The next operation is a target: it is not fused with the one before. */
static uint32_t label(struct compiler *c)
{
    c->barrier = c->plan->op_count;
    return here(c);
}

/* Steps over `count` more of what `code` steps over, in the operation before if that is one of the kind. */
static void emit_skip(struct compiler *c, enum op_code code, uint32_t count, uint8_t flag)
{
    size_t n = c->plan->op_count;
    struct op *last = n > c->barrier ? &c->plan->ops[n - 1] : NULL;
    if (count == 0)
        return;
    if (last != NULL && last->code == code && last->flag == flag && last->a <= UINT32_MAX - count) {
        last->a += count;
        return;
    }
    emit(c, code, count, 0)->flag = flag;
}

static void emit_refusal(struct compiler *c, const char *reason)
{
    struct plan *plan = c->plan;
    plan->reasons = mem_grow(plan->reasons, c->reason_count, &c->reason_cap, sizeof *plan->reasons);
    plan->reasons[c->reason_count] = reason;
    emit(c, OP_REFUSE, (uint32_t)c->reason_count++, 0);
}

/* NOLINTBEGIN(misc-no-recursion): as deep as the schema's text is nested, SCHEMA_DEPTH_MAX, since a type that is named
 * twice becomes a routine. */
static bool resolves(const struct node *node, struct want want);

static bool items_resolve(const struct node *node, struct want want)
{
    want.kind = FIELD_STRING;
    want.nullable = false;
    return resolves(node->branches[0], want);
}

/* True where some value of the writer's type can be read as what is wanted. */
static bool resolves(const struct node *node, struct want want)
{
    if (node->kind == NODE_UNION) {
        for (size_t i = 0; i < node->count; i++)
            if (resolves(node->branches[i], want))
                return true;
        return false;
    }
    if (node->kind == NODE_NULL)
        return want.nullable;
    switch (want.kind) {
    case FIELD_STRING:
        return node->kind == NODE_STRING || node->kind == NODE_BYTES;
    case FIELD_ENUM:
        return node->kind == NODE_ENUM;
    case FIELD_TIME:
        return (node->kind == NODE_LONG || node->kind == NODE_INT) && node->logical != LOGICAL_OTHER;
    case FIELD_INT:
        return node->kind == NODE_LONG || node->kind == NODE_INT;
    case FIELD_DOUBLE:
        return node->kind == NODE_INT || node->kind == NODE_LONG || node->kind == NODE_FLOAT ||
               node->kind == NODE_DOUBLE;
    case FIELD_STRINGS:
        return node->kind == NODE_ARRAY && items_resolve(node, want);
    case FIELD_LABELS:
        return node->kind == NODE_MAP && items_resolve(node, want);
    default:
        return false;
    }
}

static void compile(struct compiler *c, struct node *node, struct want want);

static uint32_t reserve_targets(struct compiler *c, size_t count)
{
    struct plan *plan = c->plan;
    size_t first = c->target_count;
    for (size_t i = 0; i < count; i++) {
        plan->targets = mem_grow(plan->targets, c->target_count, &c->target_cap, sizeof *plan->targets);
        plan->targets[c->target_count++] = 0;
    }
    return (uint32_t)first;
}

/* [null, T] in either order where null needs no word: the null branch jumps over T's code. */
static void compile_optional(struct compiler *c, struct node *node, struct want want)
{
    uint8_t null_index = node->branches[0]->kind == NODE_NULL ? 0 : 1;
    struct node *other = node->branches[1 - null_index];
    if (want.field == NULL && (other->kind == NODE_STRING || other->kind == NODE_BYTES)) {
        emit_skip(c, OP_SKIP_OPTIONAL_STRINGS, 1, null_index);
        return;
    }
    uint32_t at = here(c);
    emit(c, OP_OPTIONAL, 0, 0)->flag = null_index;
    (void)label(c);
    compile(c, other, want);
    c->plan->ops[at].a = label(c);
}

static void compile_branch(struct compiler *c, struct node *branch, struct want want)
{
    if (want.field == NULL || resolves(branch, want))
        compile(c, branch, want);
    else if (branch->kind == NODE_NULL)
        emit_refusal(c, "null, but it needs a value");
    else
        emit_refusal(c, arena_printf(&c->plan->arena, "%s is expected, not an Avro %s", field_kind_text(want.kind),
                                     node_kind_name(branch->kind)));
}

static void compile_union(struct compiler *c, struct node *node, struct want want)
{
    bool two = node->count == 2 && (node->branches[0]->kind == NODE_NULL || node->branches[1]->kind == NODE_NULL);
    if (two && (want.field == NULL ||
                (want.nullable && resolves(node, (struct want){want.field, want.kind, 0, false, false})))) {
        compile_optional(c, node, want);
        return;
    }
    uint32_t table = reserve_targets(c, node->count);
    emit(c, OP_UNION, table, (uint32_t)node->count);
    uint32_t *jumps = mem_alloc(node->count * sizeof *jumps);
    for (size_t i = 0; i < node->count; i++) {
        c->plan->targets[table + i] = label(c);
        compile_branch(c, node->branches[i], want);
        jumps[i] = here(c);
        emit(c, OP_JUMP, 0, 0);
    }
    for (size_t i = 0; i < node->count; i++)
        c->plan->ops[jumps[i]].a = label(c);
    free(jumps);
}

/* An array or map: keys and items are stepped over, or appended to the list being built. */
static void compile_blocks(struct compiler *c, struct node *node, struct want want)
{
    bool keep = want.field != NULL && want.index != PLAN_NO_FIELD;
    if (keep)
        emit(c, OP_LIST, node->kind == NODE_MAP ? 2 : 1, 0);
    if (!keep && node->branches[0]->kind == NODE_STRING) {
        emit(c, OP_SKIP_STRING_BLOCKS, node->kind == NODE_MAP ? 2 : 1, 0)->flag = want.field != NULL;
        return;
    }
    int64_t least = node->branches[0]->bytes_min + (node->kind == NODE_MAP ? 1 : 0);
    uint32_t head = label(c);
    emit(c, keep ? OP_BLOCKS_KEEP : OP_BLOCKS, 0, (uint32_t)least)->flag = want.field != NULL;
    (void)label(c);
    if (node->kind == NODE_MAP && keep)
        emit(c, OP_APPEND, 0, 0);
    else if (node->kind == NODE_MAP)
        emit_skip(c, OP_SKIP_STRINGS, 1, 0);
    want.kind = FIELD_STRING;
    want.nullable = false;
    want.item = keep;
    compile_branch(c, node->branches[0], want);
    emit(c, OP_NEXT, head, 0);
    c->plan->ops[head].a = label(c);
    if (keep)
        emit(c, OP_LIST_KEEP, 0, 0)->field = want.index;
}

static void compile_record(struct compiler *c, struct node *node)
{
    if (node->references > 1) {
        if (node->mark == 0) {
            c->routines = mem_grow(c->routines, c->routine_count, &c->routine_cap, sizeof(struct node *));
            c->routines[c->routine_count++] = node;
            node->mark = (int)c->routine_count;
        }
        emit(c, OP_CALL, (uint32_t)node->mark - 1, 0);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        compile(c, node->fields[i].type, (struct want){0});
}

/* What the reader's own schema says of a field; NULL: nothing. */
static const struct node_field *reader_field(const struct compiler *c, const char *name)
{
    const struct avro_schema *reader = c->options->reader;
    for (size_t i = 0; reader != NULL && reader->root->kind == NODE_RECORD && i < reader->root->count; i++)
        if (str_is(reader->root->fields[i].name, name))
            return &reader->root->fields[i];
    return NULL;
}

static void compile_enum(struct compiler *c, const struct node *node, struct want want)
{
    struct plan *plan = c->plan;
    size_t first = c->symbol_count;
    const struct node_field *reader = reader_field(c, want.field->name);
    const char *fallback = NULL;
    if (reader != NULL && reader->type->kind == NODE_ENUM && reader->type->fallback.p != NULL)
        fallback = stream_symbol(want.field, reader->type->fallback);
    for (size_t i = 0; i < node->count; i++) {
        const char *text = stream_symbol(want.field, node->symbols[i]);
        if (text == NULL)
            text = fallback;
        plan->symbols = mem_grow(plan->symbols, c->symbol_count, &c->symbol_cap, sizeof *plan->symbols);
        plan->symbols[c->symbol_count++] = (struct plan_symbol){
            .text = text,
            .n = text != NULL ? (uint32_t)strlen(text) : 0,
            .field = (uint8_t)(want.field - plan->stream->fields),
            .written = arena_str(&plan->arena, node->symbols[i]),
        };
    }
    emit(c, OP_ENUM, (uint32_t)first, (uint32_t)node->count)->field = want.index;
}

static void compile_time(struct compiler *c, const struct node *node, struct want want)
{
    uint32_t per_ms = node->logical == LOGICAL_TIMESTAMP_MICROS  ? 1000
                      : node->logical == LOGICAL_TIMESTAMP_NANOS ? 1000000
                                                                 : 1;
    struct op *op = emit(c, OP_TIME, per_ms, 0);
    op->field = want.index;
    if (want.field == &c->plan->stream->fields[c->plan->stream->time_field])
        op->flag = TIME_OF_EVENT;
}

static void compile_skip(struct compiler *c, struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        break;
    case NODE_BOOLEAN:
        emit_skip(c, OP_SKIP_BYTES, 1, 0);
        break;
    case NODE_INT:
    case NODE_LONG:
    case NODE_ENUM:
        emit_skip(c, OP_SKIP_VARINTS, 1, 0);
        break;
    case NODE_FLOAT:
        emit_skip(c, OP_SKIP_BYTES, 4, 0);
        break;
    case NODE_DOUBLE:
        emit_skip(c, OP_SKIP_BYTES, 8, 0);
        break;
    case NODE_BYTES:
    case NODE_STRING:
        emit_skip(c, OP_SKIP_STRINGS, 1, 0);
        break;
    case NODE_FIXED:
        emit_skip(c, OP_SKIP_BYTES, (uint32_t)node->size, 0);
        break;
    case NODE_RECORD:
        compile_record(c, node);
        break;
    case NODE_ARRAY:
    case NODE_MAP:
        compile_blocks(c, node, (struct want){0});
        break;
    case NODE_UNION:
        compile_union(c, node, (struct want){0});
        break;
    }
}

static void compile_number(struct compiler *c, const struct node *node, struct want want)
{
    enum op_code code = OP_DOUBLE;
    if (node->kind == NODE_FLOAT)
        code = OP_FLOAT;
    else if (node->kind == NODE_LONG)
        code = want.kind == FIELD_DOUBLE ? OP_LONG_AS_DOUBLE : OP_LONG;
    else if (node->kind == NODE_INT)
        code = want.kind == FIELD_DOUBLE ? OP_INT_AS_DOUBLE : OP_INT;
    emit(c, code, 0, 0)->field = want.index;
}

/* A list whose items may be of a type that the stream's field cannot take. */
static bool is_list_of_unions(const struct node *node, struct want want)
{
    return want.field != NULL && (node->kind == NODE_ARRAY || node->kind == NODE_MAP) &&
           node->branches[0]->kind == NODE_UNION;
}

/* Code for one value; `node` resolves to `want`. Enums, times and unions' branches are checked even where nobody wants
 * them: whether a record is refused for its types must not depend on the rules. */
static void compile(struct compiler *c, struct node *node, struct want want)
{
    bool kept = want.field != NULL && want.index != PLAN_NO_FIELD;
    if (node->kind == NODE_UNION && (want.field != NULL))
        compile_union(c, node, want);
    else if (node->kind == NODE_ENUM && want.field != NULL)
        compile_enum(c, node, want);
    else if (want.field != NULL && want.kind == FIELD_TIME && node->kind != NODE_NULL)
        compile_time(c, node, want);
    else if (node->kind == NODE_NULL || (!kept && !is_list_of_unions(node, want)))
        compile_skip(c, node);
    else if (want.item)
        emit(c, OP_APPEND, 0, 0);
    else if (node->kind == NODE_ARRAY || node->kind == NODE_MAP)
        compile_blocks(c, node, want);
    else if (want.kind == FIELD_STRING)
        emit(c, OP_STRING, 0, 0)->field = want.index;
    else
        compile_number(c, node, want);
}

/* NOLINTEND(misc-no-recursion) */

/* Which field of the stream each of the writer's is, -1 for none: by name, then by the reader's aliases. */
static void match_fields(struct compiler *c, int *match)
{
    const struct node *writer = c->options->writer->root;
    const struct stream *stream = c->options->stream;
    bool taken[STREAM_FIELDS_MAX] = {false};
    for (size_t i = 0; i < writer->count; i++) {
        int field = stream_field_find(stream, writer->fields[i].name);
        match[i] = field < stream->record_field_count ? field : -1;
        if (match[i] >= 0)
            taken[match[i]] = true;
    }
    for (int f = 0; f < stream->record_field_count; f++) {
        const struct node_field *reader = reader_field(c, stream->fields[f].name);
        for (size_t a = 0; reader != NULL && !taken[f] && a < reader->alias_count; a++)
            for (size_t i = 0; i < writer->count && !taken[f]; i++)
                if (match[i] < 0 && str_eq(writer->fields[i].name, reader->aliases[a])) {
                    match[i] = f;
                    taken[f] = true;
                }
    }
}

static int compile_field(struct compiler *c, const struct node_field *written, int index)
{
    const struct stream_field *field = &c->plan->stream->fields[index];
    bool wanted = (c->options->wanted & FIELD_BIT(index)) != 0;
    struct want want = {
        .field = field,
        .kind = field->kind,
        .index = wanted ? (uint8_t)index : PLAN_NO_FIELD,
        .nullable = field->nullable,
    };
    if (!resolves(written->type, want))
        return error_set(c->err, ERROR_BAD_INPUT, "schema: field '%s': %s is expected, not an Avro %s", field->name,
                         field_kind_text(field->kind), node_kind_name(written->type->kind));
    compile(c, written->type, want);
    return 0;
}

/* The value of a field that the writer does not have; -1 where it must have it. */
static int default_field(struct compiler *c, int index)
{
    const struct stream_field *field = &c->plan->stream->fields[index];
    if (!field->nullable && !field->has_default)
        return error_set(c->err, ERROR_BAD_INPUT, "schema: it has no field '%s', which is required", field->name);
    struct value *value = &c->plan->initial[index];
    if ((c->options->wanted & FIELD_BIT(index)) == 0 || !field->has_default)
        return 0;
    if (field->kind == FIELD_ENUM)
        *value = value_text(field->fallback);
    else
        *value = field->kind == FIELD_STRINGS ? value_list(NULL, 0) : value_map(NULL, 0);
    return 0;
}

static int compile_fields(struct compiler *c, int *match)
{
    const struct node *writer = c->options->writer->root;
    bool seen[STREAM_FIELDS_MAX] = {false};
    match_fields(c, match);
    for (size_t i = 0; i < writer->count; i++) {
        c->path = arena_str(&c->plan->arena, writer->fields[i].name).p;
        if (match[i] < 0) {
            compile(c, writer->fields[i].type, (struct want){0});
            continue;
        }
        seen[match[i]] = true;
        TRY(compile_field(c, &writer->fields[i], match[i]));
    }
    for (int f = 0; f < c->plan->stream->record_field_count; f++)
        if (!seen[f])
            TRY(default_field(c, f));
    emit(c, OP_END, 0, 0);
    return 0;
}

/* Shared record types, which name one another: compiled until none is left, then calls get their addresses. */
static void compile_routines(struct compiler *c)
{
    uint32_t *addresses = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < c->routine_count; i++) {
        struct node *node = c->routines[i];
        addresses = mem_grow(addresses, i, &cap, sizeof *addresses);
        addresses[i] = label(c);
        c->path = arena_str(&c->plan->arena, node->name).p;
        for (size_t k = 0; k < node->count; k++)
            compile(c, node->fields[k].type, (struct want){0});
        emit(c, OP_RETURN, 0, 0);
    }
    for (size_t i = 0; i < c->plan->op_count; i++)
        if (c->plan->ops[i].code == OP_CALL)
            c->plan->ops[i].a = addresses[c->plan->ops[i].a];
    for (size_t i = 0; i < c->routine_count; i++)
        c->routines[i]->mark = 0;
    free(addresses);
}

int plan_compile(struct plan **out, const struct plan_options *options, struct error *err)
{
    const struct node *root = options->writer->root;
    if (root->kind != NODE_RECORD)
        return error_set(err, ERROR_BAD_INPUT, "schema: a record is expected, not an Avro %s",
                         node_kind_name(root->kind));
    struct plan *plan = mem_zalloc(sizeof *plan);
    plan->stream = options->stream;
    struct compiler c = {.plan = plan, .options = options, .err = err};
    int *match = mem_alloc((root->count + 1) * sizeof *match);
    int result = compile_fields(&c, match);
    compile_routines(&c);
    free(match);
    free(c.routines);
    if (result != 0) {
        plan_free(plan);
        return -1;
    }
    *out = plan;
    return 0;
}

void plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->ops);
    free(plan->paths);
    free(plan->symbols);
    free(plan->targets);
    free(plan->reasons);
    arena_fini(&plan->arena);
    free(plan);
}
