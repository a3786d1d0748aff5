/* Checking of all, exists, exists_one, map and filter: their variable's type, and what a round of them costs. */
#include "rule/cel_check.h"

enum { PARTS_A_STEP = 8 };

/* NOLINTBEGIN(misc-no-recursion): the tree is at most CEL_DEPTH_MAX high. */
/* Parts of the code, those within loops of its own included. */
static uint32_t parts(const struct cel_code *code)
{
    uint32_t n = 1;
    for (uint16_t i = 0; i < code->n; i++)
        n += parts(code->kids[i]);
    return n;
}

int cel_check_loop(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    if (ck->variables >= CEL_VARIABLES_MAX)
        return cel_fail(ck->err, node->offset, "%s() within %s() nests deeper than %d", cel_op_text(node->op),
                        cel_op_text(node->op), CEL_VARIABLES_MAX);
    struct cel_code *code = cel_code_new(ck, node->op, node, node->n);
    *out = code;
    struct cel_code *range;
    TRY(cel_check(ck, node->kids[0], &range));
    code->kids[0] = range;
    struct cel_type over = range->type;
    if (!ck->env->unchecked && over.type != TYPE_ANY && over.type != VALUE_LIST && over.type != VALUE_MAP)
        return cel_fail(ck->err, range->offset, "%s() runs over a list or a map, not %s", cel_op_text(node->op),
                        cel_a_type(over.type));
    struct cel_scope scope = {ck->scope, node->text, ck->variables, cel_type_of(TYPE_ANY)};
    if (over.type == VALUE_LIST) {
        scope.type = cel_type_of(over.element);
        if (over.element == VALUE_MAP)
            scope.type.stream = over.stream;
    }
    code->index = ck->variables++;
    code->work = 1;
    ck->scope = &scope;
    int status = 0;
    for (uint32_t i = 1; i < node->n && status == 0; i++) {
        struct cel_code *kid = NULL;
        status = cel_check(ck, node->kids[i], &kid);
        code->kids[i] = kid;
        if (status == 0)
            code->work += parts(kid) / PARTS_A_STEP;
        bool predicate = node->op != CEL_MAPPED || (node->n == 3 && i == 1);
        if (status == 0 && predicate)
            status = cel_check_bool(ck, kid, node->op);
    }
    ck->scope = scope.outer;
    ck->variables--;
    TRY(status);
    code->type = cel_type_of(node->op == CEL_MAPPED || node->op == CEL_FILTER ? VALUE_LIST : VALUE_BOOL);
    if (node->op == CEL_MAPPED)
        code->type.element = code->kids[node->n - 1]->type.type;
    if (node->op == CEL_FILTER)
        code->type = over.type == VALUE_LIST ? over : code->type;
    return 0;
}
/* NOLINTEND(misc-no-recursion) */
