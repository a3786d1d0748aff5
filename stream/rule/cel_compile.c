/* From text to a compiled expression, and what others may ask of one. */
#include "rule/cel_check.h"

static int finish(struct arena *arena, const struct cel_env *env, const struct cel_node *tree, int expected,
                  const struct cel **out, struct cel_error *err)
{
    struct cel *cel = arena_zalloc(arena, sizeof *cel);
    struct cel_checker ck = {.arena = arena, .env = env, .err = err, .cel = cel};
    struct cel_code *root;
    TRY(cel_check(&ck, tree, &root));
    int type = root->type.type;
    if (expected != TYPE_ANY && type != TYPE_ANY && type != expected && !env->unchecked)
        return cel_fail(err, tree->offset, "%s is wanted; this is %s", cel_a_type(expected), cel_a_type(type));
    cel->root = root;
    cel->tree = tree;
    *out = cel;
    return 0;
}

int cel_compile(struct arena *arena, struct str text, const struct cel_env *env, int expected, const struct cel **cel,
                struct cel_error *err)
{
    uint32_t nodes = 0;
    struct cel_parse options = {.arena = arena, .nodes = &nodes};
    struct cel_node *tree;
    if (text.n > CEL_TEXT_MAX)
        return cel_fail(err, 0, "the expression is longer than %d bytes", CEL_TEXT_MAX);
    options.text = arena_str(arena, text);
    TRY(cel_parse(&options, &tree, err));
    TRY(cel_expand(&options, env, tree, &tree, err));
    return finish(arena, env, tree, expected, cel, err);
}

int cel_node_compile(struct arena *arena, const struct cel_node *node, const struct cel_env *env,
                     const struct cel **cel, struct cel_error *err)
{
    uint32_t nodes = 0;
    struct cel_parse options = {.arena = arena, .nodes = &nodes};
    struct cel_node *tree = arena_alloc(arena, sizeof *tree);
    *tree = *node;
    TRY(cel_expand(&options, env, tree, &tree, err));
    return finish(arena, env, tree, TYPE_ANY, cel, err);
}

bool cel_node_is_name(const struct cel_node *node, struct str *name)
{
    if (node->op != CEL_NAME)
        return false;
    *name = node->text;
    return true;
}

bool cel_node_is_constant(const struct cel_node *node, struct value *value)
{
    if (node->op != CEL_CONSTANT)
        return false;
    *value = node->constant;
    return true;
}

size_t cel_node_offset(const struct cel_node *node)
{
    return node->offset;
}

void cel_print(const struct cel *cel, struct buf *out)
{
    cel_node_print(cel->tree, out);
}

struct cel_type cel_result_type(const struct cel *cel)
{
    return cel->root->type;
}

field_mask cel_event_fields(const struct cel *cel)
{
    return cel->fields;
}

void cel_slots(const struct cel *cel, void (*visit)(void *context, int slot), void *context)
{
    for (size_t i = 0; i < cel->n_slots; i++)
        visit(context, cel->slots[i]);
}

int cel_is_field(const struct cel *cel)
{
    return cel->root->op == CEL_FIELD ? cel->root->index : -1;
}

bool cel_is_constant_value(const struct cel *cel, struct value *constant)
{
    if (cel->root->op != CEL_CONSTANT || cel_is_error(cel->root->constant))
        return false;
    *constant = cel->root->constant;
    return true;
}

/* NOLINTBEGIN(misc-no-recursion): code is at most CEL_DEPTH_MAX high. */
/* A member of a map that is a field: its key, where that is a constant. */
static bool member(const struct cel_code *code, struct str *key)
{
    bool select = code->op == CEL_SELECT;
    if (!(select || code->op == CEL_INDEX) || code->kids[0]->op != CEL_FIELD)
        return false;
    const struct value *constant = select ? &code->constant : &code->kids[1]->constant;
    if (!select && code->kids[1]->op != CEL_CONSTANT)
        return false;
    if (constant->type == VALUE_STRING)
        *key = value_as_str(*constant);
    return constant->type == VALUE_STRING;
}

static void passes(const struct cel_code *code, void (*visit)(void *context, int field, struct str key), void *context)
{
    struct str key = {NULL, 0};
    if (code->type.type == VALUE_BOOL)
        return;
    if (code->op == CEL_CALL && (code->type.type == VALUE_INT || str_is(str_of(code->function->name), "fingerprint")))
        return;
    if (code->op == CEL_FIELD || member(code, &key)) {
        visit(context, code->op == CEL_FIELD ? code->index : code->kids[0]->index, key);
        return;
    }
    for (uint16_t i = 0; i < code->n; i++)
        passes(code->kids[i], visit, context);
}

void cel_passes(const struct cel *cel, void (*visit)(void *context, int field, struct str key), void *context)
{
    passes(cel->root, visit, context);
}
/* NOLINTEND(misc-no-recursion) */
