/* A covered expression: each part stands below a node of its own, CEL_PART, which counts what comes out of it. */
#include "rule/cel_cover.h"

#include "rule/cel_code.h"

struct cover {
    struct arena *arena;
    struct cel_coverage *coverage;
};

static bool combines(const struct cel_code *code)
{
    return code->op == CEL_AND || code->op == CEL_OR || code->op == CEL_IF || code->op == CEL_NOT;
}

/* NOLINTBEGIN(misc-no-recursion): code is at most CEL_DEPTH_MAX high. */
static size_t parts_max(const struct cel_code *code)
{
    size_t count = 1;
    for (uint16_t i = 0; combines(code) && i < code->n; i++)
        count += parts_max(code->kids[i]);
    return count;
}

static const struct cel_code *cover(struct cover *c, const struct cel_code *code, const struct cel_node *tree)
{
    if (code->op == CEL_CONSTANT)
        return code;
    /* What stands under a negation is told as it is written, so the negation itself would say the same again. */
    struct cel_part *part = code->op == CEL_NOT ? NULL : &c->coverage->parts[c->coverage->count++];
    struct cel_code *copy = arena_alloc(c->arena, sizeof *copy);
    *copy = *code;
    if (combines(code)) {
        copy->kids = arena_alloc(c->arena, code->n * sizeof(struct cel_code *));
        for (uint16_t i = 0; i < code->n; i++)
            copy->kids[i] = cover(c, code->kids[i], tree->kids[i]);
    }
    if (part == NULL)
        return copy;
    struct buf text = {0};
    cel_node_print(tree, &text);
    *part = (struct cel_part){.text = arena_str(c->arena, buf_str(&text)), .offset = code->offset};
    buf_fini(&text);
    struct cel_code *counted = arena_zalloc(c->arena, sizeof *counted);
    counted->op = CEL_PART;
    counted->n = 1;
    counted->kids = arena_alloc(c->arena, sizeof(struct cel_code *));
    counted->kids[0] = copy;
    counted->part = part;
    counted->offset = code->offset;
    counted->type = code->type;
    return counted;
}
/* NOLINTEND(misc-no-recursion) */

const struct cel *cel_cover(struct arena *arena, const struct cel *cel, struct cel_coverage *coverage)
{
    struct cover c = {arena, coverage};
    struct cel *copy = arena_alloc(arena, sizeof *copy);
    coverage->parts = arena_alloc(arena, parts_max(cel->root) * sizeof *coverage->parts);
    coverage->count = 0;
    *copy = *cel;
    copy->root = cover(&c, cel->root, cel->tree);
    return copy;
}
