/* What a condition says of one field of text: the values and prefixes outside of which it is false.
 *
 * Outside of them it must be false and no error: an error is counted, so nobody may leave out an evaluation that would
 * end in one. == and `in` are never an error; startsWith() is one for null. A conjunction is false where one part is,
 * whatever the others are; a disjunction where all parts are.
 *
 * Recursive over code, whose height the parser bounds.
 */
#include "rule/cel_code.h"

/* Variables of the exists() around the code: any of the list's items. */
struct binding {
    const struct binding *outer;
    int variable;
    struct value items;
};

struct finder {
    struct arena *arena;
    int field;
};

static const struct cel_texts anything = {.all = true, .null = true};

static bool is_field(const struct finder *finder, const struct cel_code *code)
{
    return code->op == CEL_FIELD && code->index == finder->field;
}

/* What an operand may be: a constant, or a variable over a constant list. NULL: not known. */
static const struct value *operand(const struct cel_code *code, const struct binding *bound, size_t *count)
{
    *count = 1;
    if (code->op == CEL_CONSTANT)
        return &code->constant;
    for (; bound != NULL && code->op == CEL_VARIABLE; bound = bound->outer)
        if (bound->variable == code->index) {
            *count = bound->items.n;
            return bound->items.items;
        }
    return NULL;
}

/* Equal to one of the values; those that are neither text nor null never are. */
static struct cel_texts one_of(const struct finder *finder, const struct value *values, size_t count)
{
    struct cel_texts texts = {.values = values};
    while (texts.value_count < count && values[texts.value_count].type == VALUE_STRING)
        texts.value_count++;
    if (texts.value_count == count)
        return texts;
    struct value *kept = arena_alloc(finder->arena, count * sizeof *kept);
    texts = (struct cel_texts){.values = kept};
    for (size_t i = 0; i < count; i++) {
        texts.null |= values[i].type == VALUE_NULL;
        if (values[i].type == VALUE_STRING)
            kept[texts.value_count++] = values[i];
    }
    return texts;
}

static struct cel_texts of_equality(const struct finder *finder, const struct cel_code *code,
                                    const struct binding *bound)
{
    int op = code->op == CEL_FIELD_TEST ? code->test : code->op;
    bool reversed = op != CEL_IN && is_field(finder, code->kids[1]);
    size_t count;
    const struct value *values = operand(code->kids[reversed ? 0 : 1], bound, &count);
    if (values == NULL || !is_field(finder, code->kids[reversed ? 1 : 0]))
        return anything;
    if (op == CEL_EQ)
        return one_of(finder, values, count);
    if (op == CEL_NE)
        return (struct cel_texts){.all = true, .null = !(count == 1 && values->type == VALUE_NULL)};
    if (op == CEL_IN && count == 1 && values->type == VALUE_LIST)
        return one_of(finder, values->items, values->n);
    return anything;
}

static struct cel_texts of_call(const struct finder *finder, const struct cel_code *code, const struct binding *bound)
{
    size_t count;
    if (strcmp(code->function->name, "startsWith") != 0 || !is_field(finder, code->kids[0]))
        return anything;
    const struct value *values = operand(code->kids[1], bound, &count);
    if (values == NULL)
        return anything;
    for (size_t i = 0; i < count; i++)
        if (values[i].type != VALUE_STRING || values[i].n == 0)
            return anything;
    return (struct cel_texts){.null = count > 0, .prefixes = values, .prefix_count = count};
}

static bool narrower(const struct cel_texts *a, const struct cel_texts *b)
{
    if (a->all || b->all)
        return !a->all && b->all;
    size_t n = a->value_count + a->prefix_count;
    size_t m = b->value_count + b->prefix_count;
    return n < m || (n == m && a->prefix_count < b->prefix_count);
}

static const struct value *joined(const struct finder *finder, const struct cel_texts *parts, size_t n, bool prefixes,
                                  size_t *count)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += prefixes ? parts[i].prefix_count : parts[i].value_count;
    struct value *all = arena_alloc(finder->arena, total * sizeof *all);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct value *from = prefixes ? parts[i].prefixes : parts[i].values;
        size_t more = prefixes ? parts[i].prefix_count : parts[i].value_count;
        for (size_t k = 0; k < more; k++)
            all[(*count)++] = from[k];
    }
    return all;
}

/* NOLINTBEGIN(misc-no-recursion): code is at most CEL_DEPTH_MAX high. */
static struct cel_texts find(const struct finder *finder, const struct cel_code *code, const struct binding *bound);

/* The narrowest part speaks for all; null must pass each. */
static struct cel_texts of_conjunction(const struct finder *finder, const struct cel_code *code,
                                       const struct binding *bound)
{
    struct cel_texts best = anything;
    bool null = true;
    for (uint16_t i = 0; i < code->n; i++) {
        struct cel_texts part = find(finder, code->kids[i], bound);
        null &= part.null;
        if (narrower(&part, &best))
            best = part;
    }
    best.null = null;
    return best;
}

static struct cel_texts of_disjunction(const struct finder *finder, const struct cel_code *code,
                                       const struct binding *bound)
{
    struct cel_texts *parts = arena_alloc(finder->arena, code->n * sizeof *parts);
    struct cel_texts any = {.all = false};
    for (uint16_t i = 0; i < code->n; i++) {
        parts[i] = find(finder, code->kids[i], bound);
        any.all |= parts[i].all;
        any.null |= parts[i].null;
    }
    if (any.all)
        return any;
    any.values = joined(finder, parts, code->n, false, &any.value_count);
    any.prefixes = joined(finder, parts, code->n, true, &any.prefix_count);
    return any;
}

static struct cel_texts of_exists(const struct finder *finder, const struct cel_code *code, const struct binding *bound)
{
    const struct cel_code *range = code->kids[0];
    if (range->op != CEL_CONSTANT || range->constant.type != VALUE_LIST)
        return anything;
    return find(finder, code->kids[1], &(struct binding){bound, code->index, range->constant});
}

static struct cel_texts find(const struct finder *finder, const struct cel_code *code, const struct binding *bound)
{
    switch ((enum cel_op)code->op) {
    case CEL_AND:
        return of_conjunction(finder, code, bound);
    case CEL_OR:
        return of_disjunction(finder, code, bound);
    case CEL_EQ:
    case CEL_NE:
    case CEL_IN:
    case CEL_FIELD_TEST:
        return of_equality(finder, code, bound);
    case CEL_CALL:
        return of_call(finder, code, bound);
    case CEL_EXISTS:
        return of_exists(finder, code, bound);
    case CEL_HAS:
        return (struct cel_texts){.all = true, .null = !(code->index == 1 && is_field(finder, code->kids[0]))};
    default:
        return anything;
    }
}
/* NOLINTEND(misc-no-recursion) */

struct cel_texts cel_texts_of(const struct cel *cel, int field, struct arena *arena)
{
    return find(&(struct finder){arena, field}, cel->root, NULL);
}
