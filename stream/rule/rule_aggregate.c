/* Calls of functions over inputs: `avg(latency)` becomes an aggregate of the rule, once for each canonical text. */
#include "rule/rule_load.h"

#include <stdio.h>

static const char *const function_names[] = {"count", "distinct", "sum", "avg", "min", "max", "stddev",
                                             "p50",   "p90",      "p95", "p99", NULL}; /* by aggregate_function */
static const char *const later_functions[] = {"share", "ago", NULL};

const char *aggregate_suggest(const struct rule_build *build, struct str name)
{
    return check_suggest(build->loader->diagnostics->arena, name, function_names, NULL);
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
    return find_name(function_names, name) >= 0 || find_name(later_functions, name) >= 0;
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
                            struct cel_node *const *args, size_t n_args)
{
    struct buf text = {0};
    buf_str_put(&text, function);
    buf_puts(&text, "(");
    buf_str_put(&text, input->name);
    if (n_args == 2) {
        struct buf expr = {0};
        cel_node_print(args[1], &expr);
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

/* Adds the aggregate unless the rule has it; the slot's index, or -1. */
static int add(struct rule_build *build, const struct aggregate *aggregate, struct error *err)
{
    for (size_t i = 0; i < build->aggregate_count; i++)
        if (str_eq(build->aggregates[i].text, aggregate->text)) {
            build->aggregates[i].detects |= aggregate->detects;
            return (int)i;
        }
    if (build->aggregate_count == RULE_AGGREGATES_MAX)
        return error_set(err, ERROR_BAD_INPUT, "more than %d different function calls in one rule",
                         RULE_AGGREGATES_MAX);
    build->aggregates[build->aggregate_count] = *aggregate;
    return (int)build->aggregate_count++;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of cel_env.call. */
int aggregate_call(void *context, struct str function, struct cel_node *const *args, size_t n_args,
                   struct cel_name *out, int *bad_arg, struct error *err)
{
    struct rule_build *build = ((struct scope *)context)->build;
    *bad_arg = -1;
    if (find_name(later_functions, function) >= 0)
        return error_set(err, ERROR_BAD_INPUT, "function '%.*s' is not built yet", STR_ARG(function));
    int kind = find_name(function_names, function);
    if (kind < 0)
        return 1;
    if (build->rule->type != DETECTOR_WINDOW && !build->validating && !build->functions_detect)
        return error_set(err, ERROR_BAD_INPUT, "%.*s() is of detector 'window'; '%s' has outputs of its own",
                         STR_ARG(function), detector_type_names[build->rule->type]);
    TRY(check_count((enum aggregate_function)kind, function, n_args, bad_arg, err));
    struct str name;
    *bad_arg = 0;
    if (!cel_node_is_name(args[0], &name))
        return error_set(err, ERROR_BAD_INPUT, "the first argument of %.*s() is the name of an input",
                         STR_ARG(function));
    int input_number = rule_find_input(build->rule, name);
    *out = aggregate_slot(build->rule, 0);
    if (build->rule->input_count == 0) /* reported before; the set will not be used */
        return 0;
    if (input_number < 0)
        return unknown_input(build, function, name, err);
    const struct rule_input *input = &build->rule->inputs[input_number];
    if (build->validating)
        build->named_validating[input_number] = true;
    else
        build->named_detecting[input_number] = true;
    if (input->stream == NULL) /* as above */
        return 0;
    struct aggregate aggregate = {.function = (enum aggregate_function)kind,
                                  .input = input_number,
                                  .field = -1,
                                  .detects = !build->validating,
                                  .text = canonical(build, function, input, args, n_args)};
    *bad_arg = n_args == 2 ? 1 : -1;
    if (kind != AGGREGATE_COUNT)
        TRY(compile_expr(build, function, n_args == 2 ? args[1] : NULL, &aggregate, err));
    *bad_arg = -1;
    int index = add(build, &aggregate, err);
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
    return add(build, &aggregate, &cel_err.error);
}
