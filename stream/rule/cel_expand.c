/* Puts the environment's macros into a syntax tree: a macro's text is parsed and stands where its name stood, as if in
 * parentheses. A variable of an enclosing comprehension hides a macro of its name.
 *
 * Recursive over the tree, whose height the parser bounds, and over macros within macros, which MACROS_MAX bounds.
 */
#include "rule/cel_node.h"

enum { MACROS_MAX = 32 };

/* What encloses the place: names of variables, and the macros being expanded. */
struct enclosing {
    const struct enclosing *outer;
    struct str name;
    bool macro;
};

struct expander {
    const struct cel_parse *options;
    const struct cel_env *env;
    struct cel_error *err;
};

/* NOLINTBEGIN(misc-no-recursion): the tree is at most CEL_DEPTH_MAX high, macros within macros MACROS_MAX. */
static int expand(struct expander *x, struct cel_node *node, const struct enclosing *around, struct cel_node **out);

static bool is_variable(const struct enclosing *around, struct str name)
{
    for (; around != NULL; around = around->outer)
        if (!around->macro && str_eq(around->name, name))
            return true;
    return false;
}

static int expand_name(struct expander *x, struct cel_node *node, const struct enclosing *around, struct cel_node **out)
{
    *out = node;
    if (!node->root && is_variable(around, node->text))
        return 0;
    struct cel_name meaning = x->env->name(x->env->context, node->text);
    if (meaning.kind != CEL_NAME_MACRO)
        return 0;
    int macros = 0;
    for (const struct enclosing *e = around; e != NULL; e = e->outer) {
        if (e->macro && str_eq(e->name, node->text))
            return cel_fail(x->err, node->offset, "the macro %.*s contains itself", STR_ARG(node->text));
        macros += e->macro;
    }
    if (macros >= MACROS_MAX)
        return cel_fail_large(x->err, node->offset, "macros within macros nest deeper than %d", MACROS_MAX);
    struct cel_parse options = *x->options;
    options.text = meaning.macro;
    options.fixed = true;
    options.offset = node->offset;
    /* Reading a long text that makes few parts is work too. */
    if (meaning.macro.n <= CEL_TEXT_MAX)
        *options.nodes += (uint32_t)(meaning.macro.n / 16);
    struct cel_node *tree;
    if (cel_parse(&options, &tree, x->err) != 0) {
        size_t within = x->err->offset;
        x->err->offset = node->offset;
        if (x->err->too_large)
            return -1;
        return error_prefix(&x->err->error, "in the macro %.*s, at its byte %zu", STR_ARG(node->text), within + 1);
    }
    struct enclosing here = {around, node->text, true};
    return expand(x, tree, &here, out);
}

static int expand(struct expander *x, struct cel_node *node, const struct enclosing *around, struct cel_node **out)
{
    *out = node;
    if (node->op == CEL_NAME)
        return expand_name(x, node, around, out);
    struct cel_node **kids = NULL;
    struct enclosing variable = {around, node->text, false};
    bool binds = node->op >= CEL_ALL && node->op <= CEL_FILTER;
    for (uint32_t i = 0; i < node->n; i++) {
        struct cel_node *kid;
        TRY(expand(x, node->kids[i], binds && i > 0 ? &variable : around, &kid));
        if (kid == node->kids[i])
            continue;
        if (kids == NULL) {
            kids = arena_alloc(x->options->arena, node->n * sizeof(struct cel_node *));
            memcpy(kids, node->kids, node->n * sizeof(struct cel_node *));
        }
        kids[i] = kid;
    }
    if (kids == NULL)
        return 0;
    *out = arena_alloc(x->options->arena, sizeof **out);
    **out = *node;
    (*out)->kids = kids;
    return cel_node_measure(*out, x->err);
}

int cel_expand(const struct cel_parse *options, const struct cel_env *env, struct cel_node *root, struct cel_node **out,
               struct cel_error *err)
{
    struct expander x = {options, env, err};
    return expand(&x, root, NULL, out);
}
/* NOLINTEND(misc-no-recursion) */
