/* From text to a compiled expression, and what others may ask of one. */
#include "rule/cel_check.h"

/* Of computing constants at load, an expression may take so much. */
enum { FOLD_STEPS_MAX = 10 * 1000, FOLD_BYTES_MAX = 64 * 1024 };
/* So many bytes, or steps, are as dear as a part of an expression. */
enum { BYTES_A_PART = 128, STEPS_A_PART = 16 };
enum { BUDGET_PARTS = 2 * 1000 * 1000, BUDGET_PATTERNS = 64 * 1000 * 1000 };

void cel_budget_init(struct cel_budget *budget, struct arena *arena)
{
    *budget = (struct cel_budget){.parts = BUDGET_PARTS, .patterns = BUDGET_PATTERNS, .arena = arena};
}

void cel_budget_fini(struct cel_budget *budget)
{
    map_fini(&budget->prepared);
}

int cel_budget_check(struct cel_budget *budget, struct cel_error *err)
{
    if (budget == NULL || (budget->parts >= 0 && budget->patterns >= 0))
        return 0;
    bool said = budget->said;
    budget->said = true;
    if (said)
        return cel_fail_large(err, 0, "%s", "");
    if (budget->patterns < 0)
        return cel_fail_large(err, 0,
                              "the patterns of all matches() together take too much to compile; write shorter "
                              "repetitions than {0,200}, or fewer patterns");
    return cel_fail_large(
        err, 0,
        "the expressions of all rules together have over %d parts, macros put in; take shorter macros, or "
        "fewer rules",
        BUDGET_PARTS);
}

void cel_budget_pay(struct cel_budget *budget, int64_t steps, size_t bytes)
{
    budget->parts -= steps / STEPS_A_PART + (int64_t)(bytes / BYTES_A_PART);
}

static int check_tree(struct cel_checker *ck, const struct cel_node *tree, int expected, const struct cel **out)
{
    struct cel_code *root;
    TRY(cel_check(ck, tree, &root));
    int type = root->type.type;
    if (expected != TYPE_ANY && type != TYPE_ANY && type != expected && !ck->env->unchecked)
        return cel_fail(ck->err, tree->offset, "%s is wanted; this is %s", cel_a_type(expected), cel_a_type(type));
    if (root->op != CEL_CONSTANT && ck->cel->fields == 0 && ck->cel->n_slots == 0)
        TRY(cel_compute(ck, root));
    ck->cel->root = root;
    ck->cel->tree = tree;
    *out = ck->cel;
    return 0;
}

static int finish(struct arena *arena, const struct cel_env *env, const struct cel_node *tree, int expected,
                  const struct cel **out, struct cel_error *err)
{
    struct cel_checker ck = {.arena = arena,
                             .env = env,
                             .err = err,
                             .cel = arena_zalloc(arena, sizeof *ck.cel),
                             .folding = {FOLD_STEPS_MAX, FOLD_BYTES_MAX}};
    int status = check_tree(&ck, tree, expected, out);
    if (env->budget != NULL)
        cel_budget_pay(env->budget, FOLD_STEPS_MAX - ck.folding.steps, FOLD_BYTES_MAX - ck.folding.bytes);
    return status != 0 ? status : cel_budget_check(env->budget, err);
}

static int parse(const struct cel_parse *options, const struct cel_env *env, struct cel_node **tree,
                 struct cel_error *err)
{
    TRY(cel_parse(options, tree, err));
    return cel_expand(options, env, *tree, tree, err);
}

int cel_compile(struct arena *arena, struct str text, const struct cel_env *env, int expected, const struct cel **cel,
                struct cel_error *err)
{
    uint32_t nodes = 0;
    struct cel_parse options = {.arena = arena, .nodes = &nodes};
    struct cel_node *tree;
    TRY(cel_budget_check(env->budget, err));
    if (text.n > CEL_TEXT_MAX)
        return cel_fail(err, 0, "the expression is longer than %d bytes", CEL_TEXT_MAX);
    options.text = arena_str(arena, text);
    int status = parse(&options, env, &tree, err);
    if (env->budget != NULL)
        env->budget->parts -= nodes;
    TRY(status);
    return finish(arena, env, tree, expected, cel, err);
}

int cel_node_compile(struct arena *arena, const struct cel_node *node, const struct cel_env *env,
                     const struct cel **cel, struct cel_error *err)
{
    uint32_t nodes = 0;
    struct cel_parse options = {.arena = arena, .nodes = &nodes};
    struct cel_node *tree = arena_alloc(arena, sizeof *tree);
    *tree = *node;
    int status = cel_expand(&options, env, tree, &tree, err);
    if (env->budget != NULL)
        env->budget->parts -= nodes;
    TRY(status);
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

int cel_is_slot(const struct cel *cel)
{
    return cel->root->op == CEL_SLOT ? cel->root->index : -1;
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
