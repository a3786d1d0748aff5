/* Checking of calls: the language's own functions and methods by their table, then the environment's. */
#include "rule/cel_check.h"

enum { TABLES = 3 };
static const struct cel_function *const tables[TABLES] = {cel_string_functions, cel_convert_functions,
                                                          cel_time_functions};

const struct cel_function *cel_function_find(struct str name, int style)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct cel_function *f = tables[t]; f->name != NULL; f++)
            if ((f->style & style) != 0 && str_is(name, f->name))
                return f;
    return NULL;
}

/* Takes `candidate` where it is nearer to `name` than the best so far. */
static void consider(struct str name, const char *candidate, const char **best, int *limit)
{
    int distance = str_distance(name, str_of(candidate), *limit);
    if (distance <= *limit) {
        *best = candidate;
        *limit = distance - 1;
    }
}

/* The name of that style nearest to `name`; NULL: none is near. */
static const char *near_function(struct str name, int style)
{
    static const char *const macros[] = {"all", "exists", "exists_one", "map", "filter"};
    const char *best = NULL;
    int limit = name.n <= 3 ? 1 : name.n <= 6 ? 2 : 3;
    for (size_t i = 0; i < sizeof macros / sizeof *macros && style == FUNCTION_METHOD; i++)
        consider(name, macros[i], &best, &limit);
    for (size_t t = 0; t < TABLES; t++)
        for (const struct cel_function *f = tables[t]; f->name != NULL; f++)
            if ((f->style & style) != 0)
                consider(name, f->name, &best, &limit);
    return best;
}

static void print_functions(int style, struct buf *out)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct cel_function *f = tables[t]; f->name != NULL; f++)
            if ((f->style & style) != 0)
                buf_printf(out, " %s", f->name);
}

static int unknown_function(struct cel_checker *ck, const struct cel_node *node)
{
    struct str name = node->text;
    bool method = node->op == CEL_METHOD;
    static const char *const comprehensions[] = {"all", "exists", "exists_one", "map", "filter"};
    for (size_t i = 0; i < sizeof comprehensions / sizeof *comprehensions; i++)
        if (str_is(name, comprehensions[i]))
            return cel_fail(ck->err, node->offset, "%s() is written list.%s(x, expression of x)", comprehensions[i],
                            comprehensions[i]);
    if (str_is(name, "has"))
        return cel_fail(ck->err, node->offset, "has() takes one field, as in has(event.component)");
    const struct cel_function *other = cel_function_find(name, method ? FUNCTION_CALL : FUNCTION_METHOD);
    if (other != NULL && method)
        return cel_fail(ck->err, node->offset, "%s is a function: write %s(...)", other->name, other->name);
    if (other != NULL)
        return cel_fail(ck->err, node->offset, "%s is a method: write x.%s(...)", other->name, other->name);
    const char *near = near_function(name, method ? FUNCTION_METHOD : FUNCTION_CALL);
    if (near != NULL)
        return cel_fail(ck->err, node->offset, "unknown function %.*s(); did you mean %s?", STR_ARG(name), near);
    struct buf names = {0};
    print_functions(method ? FUNCTION_METHOD : FUNCTION_CALL, &names);
    (void)cel_fail(ck->err, node->offset, "unknown function %.*s(); %s are%.*s", STR_ARG(name),
                   method ? "methods" : "functions", STR_ARG(buf_str(&names)));
    buf_fini(&names);
    return -1;
}

/* "an int, a string or a list" of a mask. */
static void print_types(unsigned mask, struct buf *out)
{
    int left = __builtin_popcount(mask);
    for (int type = 0; type < VALUE_ERROR; type++) {
        if ((mask & TAKES(type)) == 0)
            continue;
        left--;
        buf_printf(out, "%s%s", cel_type_name(type), left > 1 ? ", " : left == 1 ? " or " : "");
    }
}

static int wrong_argument(struct cel_checker *ck, const struct cel_node *node, const struct cel_code *arg,
                          unsigned takes)
{
    struct buf types = {0};
    print_types(takes, &types);
    (void)cel_fail(ck->err, arg->offset, "%.*s() takes %.*s here; this is %s", STR_ARG(node->text),
                   STR_ARG(buf_str(&types)), cel_a_type(arg->type.type));
    buf_fini(&types);
    return -1;
}

static int wrong_count(struct cel_checker *ck, const struct cel_node *node, const struct cel_function *f)
{
    /* A method's receiver is no argument to its writer. */
    int receiver = node->op == CEL_METHOD;
    int min = f->min - receiver;
    int max = f->max - receiver;
    if (min == max)
        return cel_fail(ck->err, node->offset, "%s() takes %d argument%s; here are %d", f->name, min,
                        min == 1 ? "" : "s", (int)node->n - receiver);
    return cel_fail(ck->err, node->offset, "%s() takes %d to %d arguments; here are %d", f->name, min, max,
                    (int)node->n - receiver);
}

/* NOLINTBEGIN(misc-no-recursion): the tree is at most CEL_DEPTH_MAX high. */
static int check_function(struct cel_checker *ck, const struct cel_node *node, const struct cel_function *f,
                          struct cel_code **out)
{
    struct cel_code *code = cel_code_new(ck, CEL_CALL, node, node->n);
    *out = code;
    code->function = f;
    code->type = cel_type_of(f->result);
    if (node->n < f->min || node->n > f->max)
        return wrong_count(ck, node, f);
    for (uint32_t i = 0; i < node->n; i++) {
        struct cel_code *kid;
        TRY(cel_check(ck, node->kids[i], &kid));
        code->kids[i] = kid;
        int type = kid->type.type;
        if (!ck->env->unchecked && type != TYPE_ANY && (f->takes[i] & TAKES(type)) == 0)
            return wrong_argument(ck, node, kid, f->takes[i]);
    }
    if (f->prepare != NULL)
        TRY(f->prepare(ck->arena, ck->env->budget, code, ck->err));
    return cel_fold(ck, code);
}

static int check_environment_call(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    struct cel_name meaning = {.kind = CEL_NAME_NONE};
    struct error error = {.class = ERROR_NONE};
    int bad_arg = -1;
    int status = 1;
    if (ck->env->call != NULL && node->op == CEL_CALL)
        status = ck->env->call(ck->env->context, node->text, node->kids, node->n, &meaning, &bad_arg, &error);
    if (status == 0)
        return cel_check_meaning(ck, node, &meaning, out);
    if (status > 0)
        return unknown_function(ck, node);
    ck->err->error = error;
    ck->err->offset = bad_arg >= 0 && (uint32_t)bad_arg < node->n ? node->kids[bad_arg]->offset : node->offset;
    return -1;
}

int cel_check_call(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out)
{
    const struct cel_function *f =
        cel_function_find(node->text, node->op == CEL_METHOD ? FUNCTION_METHOD : FUNCTION_CALL);
    return f != NULL ? check_function(ck, node, f, out) : check_environment_call(ck, node, out);
}
/* NOLINTEND(misc-no-recursion) */
