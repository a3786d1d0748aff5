/* The search behind cel_possible(): claims that must all hold narrow the domains of names, one comparison at a time;
 * where one of several may hold, each is tried. A domain that becomes empty refutes the try. */
#include "rule/cel_code.h"

#include <math.h>

#include "rule/cel_possible.h"

enum { STEPS_MAX = 1000 };

/* One thing that must hold, with what its names mean. */
struct claim {
    const struct claim *next;
    const struct cel_code *code;
    const struct cel_claim *of;
    enum cel_wanted wanted;
};

struct search {
    struct arena arena;
    size_t domain_count;
    int steps;
};

static const struct claim *push(struct search *search, const struct claim *next, const struct claim *like,
                                const struct cel_code *code, enum cel_wanted wanted)
{
    struct claim *claim = arena_alloc(&search->arena, sizeof *claim);
    *claim = (struct claim){next, code, like->of, wanted};
    return claim;
}

static enum cel_wanted opposite(enum cel_wanted wanted)
{
    static const enum cel_wanted of[] = {
        [CEL_TRUE] = CEL_FALSE, [CEL_FALSE] = CEL_TRUE, [CEL_NOT_TRUE] = CEL_NOT_FALSE, [CEL_NOT_FALSE] = CEL_NOT_TRUE};
    return of[wanted];
}

static bool holds(enum cel_wanted wanted)
{
    return wanted == CEL_TRUE || wanted == CEL_NOT_FALSE;
}

static bool within(const struct cel_domain *domain, struct value v)
{
    if (domain->low.type != VALUE_NULL) {
        int order = value_order(v, domain->low);
        if (order < 0 || (order == 0 && domain->low_open))
            return false;
    }
    if (domain->high.type != VALUE_NULL) {
        int order = value_order(v, domain->high);
        if (order > 0 || (order == 0 && domain->high_open))
            return false;
    }
    for (size_t i = 0; i < domain->excluded_count; i++)
        if (value_eq(domain->excluded[i], v))
            return false;
    return true;
}

static bool number_of(struct value v, double *d)
{
    if (v.type != VALUE_INT && v.type != VALUE_UINT && v.type != VALUE_DOUBLE)
        return false;
    *d = v.type == VALUE_INT ? (double)v.i : v.type == VALUE_UINT ? (double)v.u : v.d;
    return fabs(*d) < 1e15; /* so that whole numbers next to it are exact */
}

/* A whole number between the bounds: as many are tried as can be excluded. */
static bool whole_within(const struct cel_domain *domain)
{
    double low;
    double high;
    if (!number_of(domain->low, &low) || !number_of(domain->high, &high))
        return true;
    for (double d = ceil(low); d <= high; d++)
        if (d > ceil(low) + CEL_EXCLUDED_MAX + 2 || within(domain, value_double(d)))
            return true;
    return false;
}

static bool empty(const struct cel_domain *domain)
{
    if (domain->maybe_null || domain->maybe_nan)
        return false;
    if (domain->no_value)
        return true;
    if (domain->values != NULL) {
        for (size_t i = 0; i < domain->value_count; i++)
            if (!value_is_null(domain->values[i]) && within(domain, domain->values[i]))
                return false;
        return true;
    }
    if (domain->low.type == VALUE_NULL || domain->high.type == VALUE_NULL)
        return false;
    int order = value_order(domain->low, domain->high);
    if (order > 0 || (order == 0 && !within(domain, domain->low)))
        return true;
    return domain->whole && !whole_within(domain);
}

static void bound_low(struct cel_domain *domain, struct value v, bool open)
{
    int order = domain->low.type == VALUE_NULL ? -1 : value_order(domain->low, v);
    if (order > 0)
        return;
    domain->low_open = order == 0 ? domain->low_open || open : open;
    domain->low = v;
}

static void bound_high(struct cel_domain *domain, struct value v, bool open)
{
    int order = domain->high.type == VALUE_NULL ? 1 : value_order(domain->high, v);
    if (order < 0)
        return;
    domain->high_open = order == 0 ? domain->high_open || open : open;
    domain->high = v;
}

static void exclude(struct cel_domain *domain, struct value v)
{
    if (value_is_null(v))
        domain->maybe_null = false;
    else if (domain->excluded_count < CEL_EXCLUDED_MAX)
        domain->excluded[domain->excluded_count++] = v;
}

/* The name equals `v`, or does not. Equality is never an error, and null equals null alone. */
static void narrow_equal(struct cel_domain *domain, struct value v, bool equal)
{
    if (!equal) {
        exclude(domain, v);
        return;
    }
    domain->maybe_nan = false;
    if (value_is_null(v)) {
        domain->no_value = true;
        return;
    }
    domain->maybe_null = false;
    bound_low(domain, v, false);
    bound_high(domain, v, false);
}

static bool listed(struct value list, struct value v)
{
    for (uint32_t i = 0; i < list.n; i++)
        if (value_eq(list.items[i], v))
            return true;
    return false;
}

static void narrow_in(struct search *search, struct cel_domain *domain, struct value list, bool in)
{
    for (uint32_t i = 0; i < list.n && !in; i++)
        exclude(domain, list.items[i]);
    if (!in)
        return;
    domain->maybe_nan = false;
    domain->maybe_null = domain->maybe_null && listed(list, value_null());
    struct value *both = arena_alloc(&search->arena, (domain->value_count + list.n + 1) * sizeof *both);
    size_t count = 0;
    for (size_t i = 0; domain->values != NULL && i < domain->value_count; i++)
        if (listed(list, domain->values[i]))
            both[count++] = domain->values[i];
    for (uint32_t i = 0; domain->values == NULL && i < list.n; i++)
        both[count++] = list.items[i];
    domain->values = both;
    domain->value_count = count;
}

/* `op` orders; null is an error, NaN is false whatever the order. */
static void narrow_order(struct cel_domain *domain, enum cel_op op, struct value v, enum cel_wanted wanted)
{
    static const enum cel_op complement[] = {
        [CEL_LT] = CEL_GE, [CEL_LE] = CEL_GT, [CEL_GT] = CEL_LE, [CEL_GE] = CEL_LT};
    if (wanted == CEL_TRUE || wanted == CEL_FALSE)
        domain->maybe_null = false;
    if (holds(wanted))
        domain->maybe_nan = false;
    else
        op = complement[op];
    if (op == CEL_LT || op == CEL_LE)
        bound_high(domain, v, op == CEL_LT);
    else
        bound_low(domain, v, op == CEL_GT);
}

/* A comparison of a name with a constant, the name to the left. */
struct comparison {
    const struct cel_code *name;
    enum cel_op op;
    struct value constant;
};

static bool is_name(const struct cel_code *code)
{
    return code->op == CEL_FIELD || code->op == CEL_SLOT;
}

static bool read_comparison(const struct cel_code *code, struct comparison *comparison)
{
    static const enum cel_op turned[] = {[CEL_LT] = CEL_GT, [CEL_LE] = CEL_GE, [CEL_GT] = CEL_LT,
                                         [CEL_GE] = CEL_LE, [CEL_EQ] = CEL_EQ, [CEL_NE] = CEL_NE};
    if (code->op == CEL_HAS && code->index == 1 && is_name(code->kids[0])) {
        *comparison = (struct comparison){code->kids[0], CEL_NE, value_null()};
        return true;
    }
    enum cel_op op = code->op == CEL_FIELD_TEST ? (enum cel_op)code->test : (enum cel_op)code->op;
    if (op < CEL_LT || op > CEL_IN)
        return false;
    const struct cel_code *a = code->kids[0];
    const struct cel_code *b = code->kids[1];
    if (a->op == CEL_CONSTANT && is_name(b) && op != CEL_IN)
        *comparison = (struct comparison){b, turned[op], a->constant};
    else if (is_name(a) && b->op == CEL_CONSTANT)
        *comparison = (struct comparison){a, op, b->constant};
    else
        return false;
    struct value v = comparison->constant;
    bool list = comparison->op == CEL_IN;
    bool orders = comparison->op < CEL_EQ;
    return v.type != VALUE_ERROR && list == (v.type == VALUE_LIST) && v.type != VALUE_MAP &&
           !(orders && v.type == VALUE_NULL) && !(v.type == VALUE_DOUBLE && isnan(v.d));
}

/* False where nothing is left for the name. What is no comparison with a constant speaks against nothing. */
static bool narrow(struct search *search, const struct claim *claim, struct cel_domain *domains)
{
    struct comparison comparison;
    if (!read_comparison(claim->code, &comparison))
        return true;
    int number = claim->of->domain(claim->of->context, comparison.name->op == CEL_SLOT, comparison.name->index);
    if (number < 0)
        return true;
    ASSERT((size_t)number < search->domain_count);
    struct cel_domain *domain = &domains[number];
    bool holding = holds(claim->wanted);
    if (comparison.op == CEL_EQ || comparison.op == CEL_NE)
        narrow_equal(domain, comparison.constant, holding == (comparison.op == CEL_EQ));
    else if (comparison.op == CEL_IN)
        narrow_in(search, domain, comparison.constant, holding);
    else if (comparison.name->type.type != TYPE_ANY || claim->wanted == CEL_TRUE)
        narrow_order(domain, comparison.op, comparison.constant, claim->wanted);
    return !empty(domain);
}

static bool constant_agrees(struct value v, enum cel_wanted wanted)
{
    bool is_true = v.type == VALUE_BOOL && v.b;
    bool is_false = v.type == VALUE_BOOL && !v.b;
    switch (wanted) {
    case CEL_TRUE:
        return is_true;
    case CEL_FALSE:
        return is_false;
    case CEL_NOT_TRUE:
        return !is_true;
    default:
        return !is_false;
    }
}

/* && that must hold, || that must not: every kid must. The deciding value wins over an error, so this is so for each
 * of the four results. */
static bool needs_all(const struct claim *claim)
{
    return claim->code->op == (holds(claim->wanted) ? CEL_AND : CEL_OR);
}

/* && and || of which one kid is enough, and ?: that is to be true. */
static bool needs_one(const struct claim *claim)
{
    return claim->code->op == CEL_AND || claim->code->op == CEL_OR ||
           (claim->code->op == CEL_IF && claim->wanted == CEL_TRUE);
}

/* The way number `i` in which the claim can hold, before `next`. */
static const struct claim *way(struct search *search, const struct claim *claim, uint16_t i, const struct claim *next)
{
    const struct cel_code *code = claim->code;
    if (code->op != CEL_IF)
        return push(search, next, claim, code->kids[i], claim->wanted);
    next = push(search, next, claim, code->kids[i + 1], claim->wanted);
    return push(search, next, claim, code->kids[0], i == 0 ? CEL_TRUE : CEL_FALSE);
}

/* Takes claims that have one way to hold; those with several go to *later. False: refuted. */
static bool settle(struct search *search, const struct claim *claims, struct cel_domain *domains,
                   const struct claim **later)
{
    while (claims != NULL && search->steps-- > 0) {
        const struct claim *claim = claims;
        claims = claim->next;
        if (claim->code->op == CEL_CONSTANT) {
            if (!constant_agrees(claim->code->constant, claim->wanted))
                return false;
        } else if (claim->code->op == CEL_NOT) {
            claims = push(search, claims, claim, claim->code->kids[0], opposite(claim->wanted));
        } else if (needs_all(claim)) {
            for (uint16_t i = 0; i < claim->code->n; i++)
                claims = push(search, claims, claim, claim->code->kids[i], claim->wanted);
        } else if (needs_one(claim)) {
            *later = push(search, *later, claim, claim->code, claim->wanted);
        } else if (!narrow(search, claim, domains)) {
            return false;
        }
    }
    return true;
}

/* NOLINTBEGIN(misc-no-recursion): a step is spent at each level, and a level takes one choice away. */
static bool possible(struct search *search, const struct claim *claims, const struct claim *later,
                     const struct cel_domain *domains)
{
    struct cel_domain *own = arena_alloc(&search->arena, (search->domain_count + 1) * sizeof *own);
    if (search->domain_count > 0)
        memcpy(own, domains, search->domain_count * sizeof *own);
    if (!settle(search, claims, own, &later))
        return false;
    if (later == NULL || search->steps <= 0)
        return true;
    uint16_t ways = later->code->op == CEL_IF ? 2 : later->code->n;
    for (uint16_t i = 0; i < ways; i++)
        if (possible(search, way(search, later, i, NULL), later->next, own))
            return true;
    return false;
}

bool cel_possible(const struct cel_claim *claims, size_t n, const struct cel_domain *domains, size_t domain_count)
{
    struct search search = {.domain_count = domain_count, .steps = STEPS_MAX};
    const struct claim *list = NULL;
    for (size_t i = 0; i < n; i++) {
        struct claim like = {.of = &claims[i]};
        list = push(&search, list, &like, claims[i].cel->root, claims[i].wanted);
    }
    bool result = possible(&search, list, NULL, domains);
    arena_fini(&search.arena);
    return result;
}

static void visit_conditions(const struct cel_code *code, const struct cel_node *tree,
                             void (*visit)(void *context, const struct cel *condition), void *context)
{
    bool inner = code->op == CEL_NOT || code->op == CEL_AND || code->op == CEL_OR || code->op == CEL_IF;
    for (uint16_t i = 0; inner && i < code->n; i++)
        visit_conditions(code->kids[i], tree->kids[i], visit, context);
    if (inner)
        return;
    struct cel condition = {.root = code, .tree = tree};
    visit(context, &condition);
}
/* NOLINTEND(misc-no-recursion) */

void cel_conditions(const struct cel *cel, void (*visit)(void *context, const struct cel *condition), void *context)
{
    visit_conditions(cel->root, cel->tree, visit, context);
}

size_t cel_offset(const struct cel *cel)
{
    return cel->root->offset;
}
