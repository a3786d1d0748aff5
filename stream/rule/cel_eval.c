/* The evaluator: a walk over checked code. Errors are values; nothing here allocates but new lists and maps.
 *
 * Recursive over code, whose height the parser bounds. Loops spend the run's steps, so that nested comprehensions end.
 */
#include "rule/cel_code.h"

#include "rule/cel_cover.h"

#include <stdarg.h>
#include <stdio.h>

/* What is quick but not for nothing: so much of it is a step. */
enum { KEYS_A_STEP = 8, BYTES_A_STEP = 256 };

struct value cel_error_text(const char *message)
{
    return (struct value){.type = VALUE_ERROR, .n = (uint32_t)strlen(message), .s = message};
}

static const char too_large[] = "the evaluation takes too much time or memory";

struct value cel_too_large(void)
{
    return cel_error_text(too_large);
}

bool cel_is_too_large(struct value v)
{
    return v.type == VALUE_ERROR && v.s == too_large;
}

struct value cel_error_printf(struct cel_run *run, const char *format, ...)
{
    char text[240];
    if (run->quiet || run->frame->arena == NULL)
        return cel_error_text("no such overload");
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = strlen(text) + 1;
    char *kept = cel_alloc(run, n);
    if (kept == NULL)
        return cel_too_large();
    memcpy(kept, text, n);
    return cel_error_text(kept);
}

void *cel_alloc(struct cel_run *run, size_t n)
{
    if (n > run->bytes)
        return NULL;
    run->bytes -= n;
    return arena_alloc(run->frame->arena, n);
}

struct value cel_no_overload(struct cel_run *run, const char *what, const struct value *args, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (args[i].type == VALUE_NULL) {
            struct value error = cel_error_text("no such overload: an operand is null");
            error.flags = VALUE_FROM_NULL;
            return error;
        }
    if (n == 2)
        return cel_error_printf(run, "no such overload: %s of %s and %s", what, cel_type_name(args[0].type),
                                cel_type_name(args[1].type));
    return cel_error_printf(run, "no such overload: %s of %s", what, n > 0 ? cel_type_name(args[0].type) : "nothing");
}

/* NOLINTBEGIN(misc-no-recursion): code is at most CEL_DEPTH_MAX high. */
/* A condition's value as true, false or an error. */
static struct value as_condition(struct cel_run *run, struct value v, const char *what)
{
    return v.type == VALUE_BOOL || v.type == VALUE_ERROR ? v : cel_no_overload(run, what, &v, 1);
}

/* A field against a constant: two doubles or two strings, the usual ones, are decided here; all else in cel_binary().
 */
static inline struct value run_field_test(struct cel_run *run, const struct cel_code *code)
{
    const struct event *event = run->frame->event;
    struct value a = event != NULL ? event->values[code->index] : value_null();
    struct value b = code->constant;
    if (a.type == VALUE_DOUBLE && b.type == VALUE_DOUBLE) {
        switch ((enum cel_op)code->test) {
        case CEL_LT:
            return value_bool(a.d < b.d);
        case CEL_LE:
            return value_bool(a.d <= b.d);
        case CEL_GT:
            return value_bool(a.d > b.d);
        case CEL_GE:
            return value_bool(a.d >= b.d);
        case CEL_EQ:
            return value_bool(a.d == b.d);
        default:
            return value_bool(a.d != b.d);
        }
    }
    if (a.type == VALUE_STRING && b.type == VALUE_STRING && code->test >= CEL_EQ)
        return value_bool(str_eq(value_as_str(a), value_as_str(b)) == (code->test == CEL_EQ));
    return cel_binary(run, (enum cel_op)code->test, a, b);
}

/* && and ||: the deciding value wins over any error on either side; without one, the first error. */
static struct value run_logic(struct cel_run *run, const struct cel_code *code)
{
    bool decides = code->op == CEL_OR;
    struct value result = value_bool(!decides);
    for (uint16_t i = 0; i < code->n; i++) {
        const struct cel_code *kid = code->kids[i];
        struct value v = kid->op == CEL_FIELD_TEST ? run_field_test(run, kid) : cel_run_code(run, kid);
        if (v.type == VALUE_BOOL) {
            if (v.b == decides)
                return v;
        } else if (result.type != VALUE_ERROR) {
            result = as_condition(run, v, decides ? "||" : "&&");
        }
    }
    return result;
}

static struct value run_named_field(struct cel_run *run, const struct cel_code *code)
{
    const struct event *event = run->frame->event;
    int field = event != NULL ? stream_field_find(event->stream, value_as_str(code->constant)) : -1;
    return field >= 0 ? event->values[field]
                      : cel_error_printf(run, "no such field: %.*s", STR_ARG(value_as_str(code->constant)));
}

static struct value run_select(struct cel_run *run, const struct cel_code *code)
{
    struct value map = cel_run_code(run, code->kids[0]);
    if (cel_is_error(map))
        return map;
    if (map.type != VALUE_MAP)
        return cel_no_overload(run, "field access", &map, 1);
    if (!cel_pay(run, map.n / KEYS_A_STEP))
        return cel_too_large();
    const struct value *found = value_map_get(map, value_as_str(code->constant));
    if (found != NULL)
        return *found;
    return code->event_like ? value_null()
                            : cel_error_printf(run, "no such key: %.*s", STR_ARG(value_as_str(code->constant)));
}

static struct value run_index(struct cel_run *run, const struct cel_code *code)
{
    struct value container = cel_run_code(run, code->kids[0]);
    struct value key = cel_run_code(run, code->kids[1]);
    if (cel_is_error(container))
        return container;
    return cel_is_error(key) ? key : cel_index(run, container, key);
}

static struct value run_has(struct cel_run *run, const struct cel_code *code)
{
    struct value v = cel_run_code(run, code->kids[0]);
    if (cel_is_error(v))
        return v;
    if (code->index == 1)
        return value_bool(!value_is_null(v));
    if (v.type != VALUE_MAP)
        return cel_no_overload(run, "has()", &v, 1);
    if (!cel_pay(run, v.n / KEYS_A_STEP))
        return cel_too_large();
    const struct value *found = value_map_get(v, value_as_str(code->constant));
    return value_bool(found != NULL && !(code->event_like && value_is_null(*found)));
}

static struct value run_items(struct cel_run *run, const struct cel_code *code)
{
    struct value *items = cel_alloc(run, code->n * sizeof *items);
    if (items == NULL)
        return cel_too_large();
    for (uint16_t i = 0; i < code->n; i++) {
        items[i] = cel_run_code(run, code->kids[i]);
        if (cel_is_error(items[i]))
            return items[i];
    }
    struct value error = cel_charge(run, items, code->n);
    if (cel_is_error(error))
        return error;
    if (code->op == CEL_LIST)
        return value_list(items, code->n);
    if (!cel_map_keys(run, items, code->n / 2, &error))
        return error;
    return value_map(items, code->n / 2);
}

/* all, exists: as && and || over the elements. */
static struct value run_quantifier(struct cel_run *run, const struct cel_code *code, struct value over, size_t step)
{
    bool decides = code->op == CEL_EXISTS;
    struct value result = value_bool(!decides);
    for (size_t i = 0; i < over.n; i++) {
        if (!cel_pay(run, code->work))
            return cel_too_large();
        run->variables[code->index] = over.items[i * step];
        struct value v = cel_run_code(run, code->kids[1]);
        if (v.type == VALUE_BOOL) {
            if (v.b == decides)
                return v;
        } else if (result.type != VALUE_ERROR) {
            result = as_condition(run, v, decides ? "exists()" : "all()");
        }
    }
    return result;
}

static struct value run_exists_one(struct cel_run *run, const struct cel_code *code, struct value over, size_t step)
{
    uint32_t found = 0;
    for (size_t i = 0; i < over.n; i++) {
        if (!cel_pay(run, code->work))
            return cel_too_large();
        run->variables[code->index] = over.items[i * step];
        struct value v = as_condition(run, cel_run_code(run, code->kids[1]), "exists_one()");
        if (cel_is_error(v))
            return v;
        found += v.b;
    }
    return value_bool(found == 1);
}

/* map with and without a condition, and filter. */
static struct value run_mapped(struct cel_run *run, const struct cel_code *code, struct value over, size_t step)
{
    bool filter = code->op == CEL_FILTER;
    const struct cel_code *condition = filter || code->n == 3 ? code->kids[1] : NULL;
    const struct cel_code *transform = filter ? NULL : code->kids[code->n - 1];
    struct value *items = cel_alloc(run, over.n * sizeof *items);
    uint32_t n = 0;
    if (items == NULL)
        return cel_too_large();
    for (size_t i = 0; i < over.n; i++) {
        if (!cel_pay(run, code->work))
            return cel_too_large();
        run->variables[code->index] = over.items[i * step];
        if (condition != NULL) {
            struct value v = as_condition(run, cel_run_code(run, condition), filter ? "filter()" : "map()");
            if (cel_is_error(v))
                return v;
            if (!v.b)
                continue;
        }
        items[n] = transform != NULL ? cel_run_code(run, transform) : over.items[i * step];
        if (cel_is_error(items[n]))
            return items[n];
        n++;
    }
    struct value error = cel_charge(run, items, n);
    return cel_is_error(error) ? error : value_list(items, n);
}

static struct value run_comprehension(struct cel_run *run, const struct cel_code *code)
{
    struct value over = cel_run_code(run, code->kids[0]);
    if (cel_is_error(over))
        return over;
    if (over.type != VALUE_LIST && over.type != VALUE_MAP)
        return cel_no_overload(run, cel_op_text(code->op), &over, 1);
    size_t step = over.type == VALUE_MAP ? 2 : 1; /* a map's keys */
    if (code->op == CEL_ALL || code->op == CEL_EXISTS)
        return run_quantifier(run, code, over, step);
    return code->op == CEL_EXISTS_ONE ? run_exists_one(run, code, over, step) : run_mapped(run, code, over, step);
}

static struct value run_call(struct cel_run *run, const struct cel_code *code)
{
    const struct cel_function *f = code->function;
    struct cel_call call;
    call.run = run;
    call.code = code;
    call.n = code->n;
    for (uint16_t i = 0; i < code->n; i++) {
        call.args[i] = cel_run_code(run, code->kids[i]);
        if (cel_is_error(call.args[i]))
            return call.args[i];
    }
    for (uint16_t i = 0; i < code->n; i++) {
        if ((f->takes[i] & TAKES(call.args[i].type)) == 0)
            return cel_no_overload(run, f->name, call.args, call.n);
        if (call.args[i].type <= VALUE_LIST && call.args[i].type >= VALUE_STRING &&
            !cel_pay(run, call.args[i].n / BYTES_A_STEP))
            return cel_too_large();
    }
    return f->run(&call);
}

static struct value run_if(struct cel_run *run, const struct cel_code *code)
{
    struct value v = as_condition(run, cel_run_code(run, code->kids[0]), "?:");
    return cel_is_error(v) ? v : cel_run_code(run, code->kids[v.b ? 1 : 2]);
}

static struct value run_unary(struct cel_run *run, const struct cel_code *code)
{
    struct value v = cel_run_code(run, code->kids[0]);
    if (cel_is_error(v))
        return v;
    if (code->op == CEL_NEGATE)
        return cel_negate(run, v);
    return v.type == VALUE_BOOL ? value_bool(!v.b) : cel_no_overload(run, "!", &v, 1);
}

static struct value run_binary(struct cel_run *run, const struct cel_code *code)
{
    struct value a = cel_run_code(run, code->kids[0]);
    struct value b = cel_run_code(run, code->kids[1]);
    if (cel_is_error(a))
        return a;
    return cel_is_error(b) ? b : cel_binary(run, (enum cel_op)code->op, a, b);
}

static struct value run_part(struct cel_run *run, const struct cel_code *code)
{
    struct value v = cel_run_code(run, code->kids[0]);
    if (v.type == VALUE_BOOL && v.b)
        code->part->held++;
    else
        code->part->failed++;
    return v;
}

struct value cel_run_code(struct cel_run *run, const struct cel_code *code)
{
    switch ((enum cel_op)code->op) {
    case CEL_CONSTANT:
        return code->constant;
    case CEL_FIELD:
        return run->frame->event != NULL ? run->frame->event->values[code->index] : value_null();
    case CEL_FIELD_TEST:
        return run_field_test(run, code);
    case CEL_SLOT:
        ASSERT((size_t)code->index < run->frame->slot_count);
        return run->frame->slots[code->index];
    case CEL_VARIABLE:
        return run->variables[code->index];
    case CEL_AND:
    case CEL_OR:
        return run_logic(run, code);
    case CEL_FIELD_NAMED:
        return run_named_field(run, code);
    case CEL_SELECT:
        return run_select(run, code);
    case CEL_HAS:
        return run_has(run, code);
    case CEL_INDEX:
        return run_index(run, code);
    case CEL_CALL:
        return run_call(run, code);
    case CEL_LIST:
    case CEL_MAP:
        return run_items(run, code);
    case CEL_NOT:
    case CEL_NEGATE:
        return run_unary(run, code);
    case CEL_IF:
        return run_if(run, code);
    case CEL_ALL:
    case CEL_EXISTS:
    case CEL_EXISTS_ONE:
    case CEL_MAPPED:
    case CEL_FILTER:
        return run_comprehension(run, code);
    case CEL_PART:
        return run_part(run, code);
    default:
        return run_binary(run, code);
    }
}

struct value cel_eval(const struct cel *cel, const struct cel_frame *frame)
{
    struct cel_run run = cel_run_of(frame);
    struct value v = cel_run_code(&run, cel->root);
    if (frame->allowance != NULL)
        *frame->allowance = (struct cel_allowance){run.steps, run.bytes};
    return v;
}

bool cel_eval_bool(const struct cel *cel, const struct cel_frame *frame, uint64_t *errors, uint64_t *null_errors)
{
    struct cel_run run = cel_run_of(frame);
    run.quiet = true;
    struct value v = cel_run_code(&run, cel->root);
    if (v.type == VALUE_BOOL)
        return v.b;
    /* What is no boolean is an error as well; null is one caused by null. */
    if (value_is_null(v) || (cel_is_error(v) && (v.flags & VALUE_FROM_NULL) != 0))
        ++*null_errors;
    else
        ++*errors;
    return false;
}
/* NOLINTEND(misc-no-recursion) */
