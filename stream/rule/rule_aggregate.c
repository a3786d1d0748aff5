/* Calls of functions over inputs: `avg(latency)` becomes an aggregate of the rule, once for each canonical text. */
#include "rule/rule_load.h"

#include <stdio.h>

enum { SHARE_ARGS = 3 };

static const char *const function_names[] = {
    "count", "distinct", "sum", "avg", "min",   "max", "stddev",
    "p50",   "p90",      "p95", "p99", "share", "ago", NULL}; /* by aggregate_function */

const char *aggregate_suggest(const struct rule_build *build, struct str name, const char *otherwise)
{
    return check_suggest(build->loader->diagnostics->arena, name, function_names, otherwise);
}

static int find_name(const char *const *names, struct str name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (str_is(name, names[i]))
            return i;
    return -1;
}

bool aggregate_is_function(struct str name)
{
    return find_name(function_names, name) >= 0;
}

static int unknown_input(const struct rule_build *build, struct str function, struct str name, struct error *err)
{
    const char *names[RULE_INPUTS_MAX + 1] = {0};
    for (size_t i = 0; i < build->rule->input_count; i++)
        names[i] = build->rule->inputs[i].name.p;
    return error_set(err, ERROR_BAD_INPUT, "unknown input '%.*s' in %.*s()%s", STR_ARG(name), STR_ARG(function),
                     check_suggest(build->loader->diagnostics->arena, name, names, "inputs are "));
}

static bool is_number(uint8_t type)
{
    return type == VALUE_INT || type == VALUE_UINT || type == VALUE_DOUBLE || type == TYPE_ANY;
}

static int check_type(struct str function, const struct cel *expr, struct error *err)
{
    uint8_t type = cel_result_type(expr).type;
    if (is_number(type))
        return 0;
    if (type == VALUE_DURATION)
        return error_set(err, ERROR_BAD_INPUT, "%.*s() takes numbers, not durations; write its getSeconds()",
                         STR_ARG(function));
    return error_set(err, ERROR_BAD_INPUT, "%.*s() takes numbers, not %s", STR_ARG(function),
                     value_type_name((enum value_type)type));
}

/* The second argument, or event.value where it is left out. */
static int compile_expr(struct rule_build *build, struct str function, const struct cel_node *arg,
                        struct aggregate *aggregate, struct error *err)
{
    const struct rule_input *input = &build->rule->inputs[aggregate->input];
    struct scope scope;
    scope_init(&scope, build, SCOPE_EVENT);
    scope.stream = input->stream;
    struct cel_error cel_err = {0};
    int result = 0;
    if (arg == NULL && stream_field_find(input->stream, STR_LIT("value")) < 0)
        return error_set(err, ERROR_BAD_INPUT, "stream '%s' has no value; write %.*s(%.*s, event.FIELD)",
                         input->stream->name, STR_ARG(function), STR_ARG(input->name));
    if (arg == NULL)
        result =
            cel_compile(build->loader->arena, STR_LIT("event.value"), &scope.env, TYPE_ANY, &aggregate->expr, &cel_err);
    else
        result = cel_node_compile(build->loader->arena, arg, &scope.env, &aggregate->expr, &cel_err);
    if (result != 0) {
        *err = cel_err.error;
        return -1;
    }
    aggregate->field = cel_is_field(aggregate->expr);
    return aggregate->function == AGGREGATE_DISTINCT ? 0 : check_type(function, aggregate->expr, err);
}

/* "avg(latency)": event.value is not written, being what is meant without it. */
static struct str canonical(struct rule_build *build, struct str function, const struct rule_input *input,
                            const struct cel_node *arg)
{
    struct buf text = {0};
    buf_str_put(&text, function);
    buf_puts(&text, "(");
    buf_str_put(&text, input->name);
    if (arg != NULL) {
        struct buf expr = {0};
        cel_node_print(arg, &expr);
        if (!str_is(buf_str(&expr), "event.value") || str_is(function, "distinct")) {
            buf_puts(&text, ", ");
            buf_str_put(&text, buf_str(&expr));
        }
        buf_fini(&expr);
    }
    buf_puts(&text, ")");
    struct str result = arena_str(build->loader->arena, buf_str(&text));
    buf_fini(&text);
    return result;
}

static int check_count(enum aggregate_function kind, struct str function, size_t n_args, int *bad_arg,
                       struct error *err)
{
    if (kind == AGGREGATE_SHARE && n_args == SHARE_ARGS)
        return 0;
    if (kind == AGGREGATE_SHARE) {
        *bad_arg = n_args > SHARE_ARGS ? SHARE_ARGS : -1;
        return error_set(err, ERROR_BAD_INPUT, "share() takes two inputs and a key: share(OVER, OF, event.FIELD)");
    }
    if (n_args == 0)
        return error_set(err, ERROR_BAD_INPUT, "%.*s() needs the name of an input", STR_ARG(function));
    if (kind == AGGREGATE_COUNT && n_args > 1) {
        *bad_arg = 1;
        return error_set(err, ERROR_BAD_INPUT, "count() takes one input and nothing else; narrow it by its where");
    }
    if (kind == AGGREGATE_DISTINCT && n_args == 1)
        return error_set(err, ERROR_BAD_INPUT, "distinct() needs what to tell apart: distinct(INPUT, event.FIELD)");
    if (n_args > 2) {
        *bad_arg = 2;
        return error_set(err, ERROR_BAD_INPUT, "%.*s() takes an input and one expression", STR_ARG(function));
    }
    return 0;
}

static struct cel_name aggregate_slot(const struct rule *rule, size_t index)
{
    return (struct cel_name){.kind = CEL_NAME_SLOT,
                             .slot = (int)rule_aggregate_slot(rule, index),
                             .type = {.type = VALUE_DOUBLE, .element = TYPE_ANY, .stream = -1}};
}

int aggregate_add(struct rule_build *build, const struct aggregate *aggregate, struct error *err)
{
    for (size_t i = 0; i < build->aggregate_count; i++)
        if (str_eq(build->aggregates[i].text, aggregate->text)) {
            build->aggregates[i].detects |= aggregate->detects;
            build->aggregates[i].measured |= aggregate->measured;
            if (aggregate->detects)
                build->aggregates[i].part &= aggregate->part;
            return (int)i;
        }
    if (build->aggregate_count == RULE_AGGREGATES_MAX)
        return error_set(err, ERROR_BAD_INPUT, "more than %d different function calls in one rule",
                         RULE_AGGREGATES_MAX);
    build->aggregates[build->aggregate_count] = *aggregate;
    return (int)build->aggregate_count++;
}

/* A function over one input: its number among the rule's aggregates, or -1. */
static int add_function(struct rule_build *build, struct aggregate aggregate, const struct cel_node *arg,
                        struct error *err)
{
    struct str function = str_of(function_names[aggregate.function]);
    aggregate.field = -1;
    aggregate.detects = !build->validating;
    aggregate.measured = build->validating;
    aggregate.text = canonical(build, function, &build->rule->inputs[aggregate.input], arg);
    if (aggregate.function != AGGREGATE_COUNT)
        TRY(compile_expr(build, function, arg, &aggregate, err));
    return aggregate_add(build, &aggregate, err);
}

/* share(over, of, key) is made of distinct(over, key) and distinct(of, key), which come before it. Their keys are of
 * one type: a field has the same one in all streams that have it. */
static int add_share(struct rule_build *build, const int inputs[2], const struct cel_node *key, struct error *err)
{
    struct aggregate share = {.function = AGGREGATE_SHARE,
                              .input = inputs[0],
                              .field = -1,
                              .detects = !build->validating,
                              .measured = build->validating};
    struct aggregate part = {.function = AGGREGATE_DISTINCT, .input = inputs[0], .part = true};
    share.over = add_function(build, part, key, err);
    TRY(share.over < 0);
    part.input = inputs[1];
    share.of = add_function(build, part, key, err);
    TRY(share.of < 0);
    struct buf text = {0};
    cel_node_print(key, &text);
    share.text = str_of(arena_printf(build->loader->arena, "share(%.*s, %.*s, %.*s)",
                                     STR_ARG(build->rule->inputs[inputs[0]].name),
                                     STR_ARG(build->rule->inputs[inputs[1]].name), STR_ARG(buf_str(&text))));
    buf_fini(&text);
    return aggregate_add(build, &share, err);
}

/* The input that an argument names, which so takes part; -1 and an error where it names none. */
static int input_of(struct rule_build *build, struct str function, const struct cel_node *arg, bool first,
                    struct error *err)
{
    struct str name;
    if (!cel_node_is_name(arg, &name))
        return error_set(err, ERROR_BAD_INPUT, "the %s argument of %.*s() is the name of an input",
                         first ? "first" : "second", STR_ARG(function));
    if (build->rule->input_count == 0) /* reported before */
        return 0;
    int input = rule_find_input(build->rule, name);
    if (input < 0)
        return unknown_input(build, function, name, err);
    if (build->validating)
        build->named_validating[input] = true;
    else
        build->named_detecting[input] = true;
    return input;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of cel_env.call. */
int aggregate_call(void *context, struct str function, struct cel_node *const *args, size_t n_args,
                   struct cel_name *out, int *bad_arg, struct error *err)
{
    struct rule_build *build = ((struct scope *)context)->build;
    *bad_arg = -1;
    int kind = find_name(function_names, function);
    if (kind < 0)
        return 1;
    if (build->rule->type != DETECTOR_WINDOW && !build->validating && !build->functions_detect)
        return error_set(err, ERROR_BAD_INPUT, "%.*s() is of detector 'window'; '%s' has outputs of its own",
                         STR_ARG(function), detector_type_names[build->rule->type]);
    if (kind == AGGREGATE_AGO)
        return ago_call(context, args, n_args, out, bad_arg, err);
    TRY(check_count((enum aggregate_function)kind, function, n_args, bad_arg, err));
    *out = aggregate_slot(build->rule, 0);
    int inputs[2] = {0};
    size_t n_inputs = kind == AGGREGATE_SHARE ? 2 : 1;
    bool known = true; /* else that was reported before; the set will not be used */
    for (size_t i = 0; i < n_inputs; i++) {
        *bad_arg = (int)i;
        inputs[i] = input_of(build, function, args[i], i == 0, err);
        TRY(inputs[i] < 0);
        known &= build->rule->input_count > 0 && build->rule->inputs[inputs[i]].stream != NULL;
    }
    if (!known)
        return 0;
    if (n_inputs == 2 && inputs[0] == inputs[1])
        return error_set(err, ERROR_BAD_INPUT, "share() compares two inputs; of one in itself it is always 1");
    *bad_arg = n_args > n_inputs ? (int)n_inputs : -1;
    const struct cel_node *arg = n_args > n_inputs ? args[n_inputs] : NULL;
    struct aggregate one = {.function = (enum aggregate_function)kind, .input = inputs[0]};
    int index = kind == AGGREGATE_SHARE ? add_share(build, inputs, arg, err) : add_function(build, one, arg, err);
    TRY(index < 0);
    *out = aggregate_slot(build->rule, (size_t)index);
    return 0;
}

int rule_aggregate_add(struct rule_build *build, enum aggregate_function function, int input,
                       const struct yaml_node *expr, const struct yaml_node *at, const char *what)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct rule_input *from = &build->rule->inputs[input];
    struct aggregate aggregate = {.function = function, .input = input, .field = -1, .detects = true};
    struct scope scope;
    struct cel_error cel_err;
    scope_init(&scope, build, SCOPE_EVENT);
    scope.stream = from->stream;
    if (from->stream == NULL) /* reported before */
        return -1;
    if (expr != NULL)
        aggregate.expr = scope_compile(&scope, expr, what, TYPE_ANY);
    else if (cel_compile(build->loader->arena, STR_LIT("event.value"), &scope.env, TYPE_ANY, &aggregate.expr,
                         &cel_err) != 0)
        diagnostic_at(diagnostics, at, false, "stream '%s' has no value; write %s: event.FIELD", from->stream->name,
                      what);
    if (aggregate.expr == NULL)
        return -1;
    uint8_t type = cel_result_type(aggregate.expr).type;
    if (!is_number(type)) {
        diagnostic_at(diagnostics, expr, false, "%s must be a number, not a %s", what,
                      type == VALUE_DURATION ? "duration; write its getSeconds()"
                                             : value_type_name((enum value_type)type));
        return -1;
    }
    struct buf text = {0};
    cel_print(aggregate.expr, &text);
    aggregate.text = str_of(arena_printf(build->loader->arena, "%s(%.*s, %.*s)", function_names[function],
                                         STR_ARG(from->name), STR_ARG(buf_str(&text))));
    aggregate.field = cel_is_field(aggregate.expr);
    buf_fini(&text);
    return aggregate_add(build, &aggregate, &cel_err.error);
}
