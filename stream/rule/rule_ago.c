/* `ago(EXPR[, 'SPAN'])`: an expression over the same window some time earlier. It is a function of the rule as any
 * other, once for each canonical text, but folds nothing: what EXPR reads is folded. */
#include "rule/rule_load.h"

#include <stdio.h>

enum { AGO_SPANS_MAX = 4 };

/* Where there can be no ago(), and why. */
static int check_place(const struct rule_build *build, struct error *err)
{
    if (build->rule->scorecard != NULL)
        return error_set(err, ERROR_BAD_INPUT, "a scorecard has the window before as 'previous'; leave ago() out");
    if (build->validating)
        return error_set(err, ERROR_BAD_INPUT, "a measure compares before and after; ago() belongs in 'when'");
    if (build->functions_detect)
        return error_set(err, ERROR_BAD_INPUT, "ago() is of detector 'window'");
    if (build->within_ago)
        return error_set(err, ERROR_BAD_INPUT, "an ago() holds no other; write the whole span into one");
    if (build->rule->window.kind == WINDOW_SLIDING && !build->window_wrong)
        return error_set(err, ERROR_BAD_INPUT,
                         "a sliding window has none before it; for ago() write a slide, as in {size: 10m, slide: 1m}");
    if (build->rule->window.kind == WINDOW_SESSION)
        return error_set(err, ERROR_BAD_INPUT,
                         "a session has none before it; ago() is for windows with a slide or a calendar");
    return 0;
}

static const char *span_text(const struct rule_build *build, int64_t ms)
{
    struct buf text = {0};
    duration_print(&text, ms);
    const char *result = arena_str(build->loader->arena, buf_str(&text)).p;
    buf_fini(&text);
    return result;
}

static int check_span(const struct rule_build *build, int64_t ago_ms, struct error *err)
{
    const struct window *window = &build->rule->window;
    if (ago_ms <= 0 || ago_ms > RULE_SPAN_MS_MAX)
        return error_set(err, ERROR_BAD_INPUT, "ago() looks back by more than 0s and at most 3660d");
    if (ago_ms % window->slide_ms != 0)
        return error_set(err, ERROR_BAD_INPUT, "'%s' is no multiple of the window's slide, %s, so no window lies there",
                         span_text(build, ago_ms), span_text(build, window->slide_ms));
    int64_t panes = (window->size_ms + ago_ms) / window->pane_ms;
    if (panes > RULE_WINDOW_PANES_MAX)
        return error_set(err, ERROR_BAD_INPUT,
                         "to look back by %s takes %lld panes of %s, of which at most %d are kept; take a slide that "
                         "shares a larger divisor with size",
                         span_text(build, ago_ms), (long long)panes, span_text(build, window->pane_ms),
                         RULE_WINDOW_PANES_MAX);
    return 0;
}

/* The second argument, or one window where it is left out. */
static int read_span(const struct rule_build *build, const struct cel_node *arg, int64_t *ago_ms, struct error *err)
{
    const struct window *window = &build->rule->window;
    struct value text;
    *ago_ms = window->size_ms;
    if (window->kind == WINDOW_CALENDAR)
        return arg == NULL
                   ? 0
                   : error_set(err, ERROR_BAD_INPUT, "in a calendar ago() is the window before; leave the span out");
    if (arg == NULL)
        return check_span(build, *ago_ms, err);
    if (!cel_node_is_constant(arg, &text) || text.type != VALUE_STRING)
        return error_set(err, ERROR_BAD_INPUT, "how much earlier is a text such as '7d'");
    if (!duration_parse(value_as_str(text), ago_ms))
        return error_set(err, ERROR_BAD_INPUT, "'%.*s' is no duration; write one such as 30s, 10m or 1d12h",
                         STR_ARG(value_as_str(text)));
    return check_span(build, *ago_ms, err);
}

static void see_slot(void *context, int slot)
{
    *(bool *)context |= slot != OUT_GROUP;
}

static int compile(struct scope *scope, const struct cel_node *arg, const struct cel **expr, struct error *err)
{
    struct rule_build *build = scope->build;
    struct cel_error cel_err = {0};
    bool any = false;
    build->within_ago = true;
    int result = cel_node_compile(build->loader->arena, arg, &scope->env, expr, &cel_err);
    build->within_ago = false;
    if (result != 0) {
        *err = cel_err.error;
        return -1;
    }
    cel_slots(*expr, see_slot, &any);
    if (!any)
        return error_set(err, ERROR_BAD_INPUT,
                         "this is the same in every window; ago() takes an expression over functions and outputs, such "
                         "as avg(latency)");
    return 0;
}

static struct str canonical(struct rule_build *build, const struct cel_node *expr, const char *span)
{
    struct buf text = {0};
    buf_puts(&text, "ago(");
    cel_node_print(expr, &text);
    if (span != NULL)
        buf_printf(&text, ", '%s'", span);
    buf_puts(&text, ")");
    struct str result = arena_str(build->loader->arena, buf_str(&text));
    buf_fini(&text);
    return result;
}

static int count_spans(const struct rule_build *build)
{
    int count = 0;
    for (size_t i = 0; i < build->aggregate_count; i++) {
        bool first = build->aggregates[i].function == AGGREGATE_AGO;
        for (size_t k = 0; k < i && first; k++)
            first = build->aggregates[k].function != AGGREGATE_AGO ||
                    build->aggregates[k].ago_ms != build->aggregates[i].ago_ms;
        count += first;
    }
    return count;
}

/* Adds it, and what the rule then looks back on; its number among the rule's aggregates, or -1. */
static int add(struct rule_build *build, const struct aggregate *ago, struct error *err)
{
    int index = aggregate_add(build, ago, err);
    TRY(index < 0);
    if (count_spans(build) > AGO_SPANS_MAX)
        return error_set(err, ERROR_BAD_INPUT, "a rule looks back by at most %d different spans", AGO_SPANS_MAX);
    if (ago->ago_ms > build->rule->look_back_ms)
        build->rule->look_back_ms = ago->ago_ms;
    return index;
}

int rule_ago_add(struct rule_build *build, const struct cel *expr, struct error *err)
{
    struct aggregate ago = {.function = AGGREGATE_AGO, .input = -1, .field = -1, .detects = true, .expr = expr};
    struct buf text = {0};
    TRY(read_span(build, NULL, &ago.ago_ms, err));
    buf_puts(&text, "ago(");
    cel_print(expr, &text);
    buf_puts(&text, ")");
    ago.text = arena_str(build->loader->arena, buf_str(&text));
    buf_fini(&text);
    return add(build, &ago, err);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of cel_env.call. */
int ago_call(struct scope *scope, struct cel_node *const *args, size_t n_args, struct cel_name *out, int *bad_arg,
             struct error *err)
{
    struct rule_build *build = scope->build;
    struct aggregate ago = {.function = AGGREGATE_AGO, .input = -1, .field = -1, .detects = true};
    *bad_arg = -1;
    *out = (struct cel_name){.kind = CEL_NAME_SLOT, .type = cel_type_of(TYPE_ANY)};
    TRY(check_place(build, err));
    if (build->window_wrong || build->rule->window.kind == WINDOW_NONE) /* reported before; the set will not be used */
        return 0;
    if (n_args == 0 || n_args > 2)
        return error_set(err, ERROR_BAD_INPUT,
                         "ago() takes an expression and how much earlier, as in ago(avg(latency), '7d')");
    *bad_arg = 1;
    TRY(read_span(build, n_args == 2 ? args[1] : NULL, &ago.ago_ms, err));
    *bad_arg = 0;
    TRY(compile(scope, args[0], &ago.expr, err));
    *bad_arg = -1;
    ago.text = canonical(build, args[0], n_args == 2 ? span_text(build, ago.ago_ms) : NULL);
    int index = add(build, &ago, err);
    TRY(index < 0);
    out->type = cel_result_type(ago.expr);
    out->slot = (int)rule_aggregate_slot(build->rule, (size_t)index);
    return 0;
}

/* The inputs of what an expression reads. */
struct inputs {
    const struct rule *rule;
    uint16_t mask;
};

static void note_inputs(void *context, int slot)
{
    struct inputs *inputs = context;
    const struct rule *rule = inputs->rule;
    size_t first = rule_aggregate_slot(rule, 0);
    if ((size_t)slot >= first) {
        const struct aggregate *function = &rule->aggregates[(size_t)slot - first];
        inputs->mask |= (uint16_t)(1U << function->input);
        if (function->function == AGGREGATE_SHARE)
            inputs->mask |= (uint16_t)(1U << rule->aggregates[function->of].input);
    }
    for (size_t i = 0; slot < OUT_FIXED_COUNT && slot != OUT_GROUP && i < rule->input_count; i++)
        if (rule->inputs[i].detects)
            inputs->mask |= (uint16_t)(1U << i);
}

void rule_ago_finish(struct rule_build *build)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct rule *rule = build->rule;
    const struct yaml_node *node = yaml_get(rule_detect_node(build), "warmup");
    rule->warmup_ms = -1;
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        struct inputs inputs = {.rule = rule};
        if (rule->aggregates[i].function != AGGREGATE_AGO)
            continue;
        cel_slots(rule->aggregates[i].expr, note_inputs, &inputs);
        rule->aggregates[i].ago_inputs = inputs.mask;
    }
    if (rule->type != DETECTOR_WINDOW || node == NULL)
        return;
    if (rule->look_back_ms == 0 && !build->unsound && !build->window_wrong)
        diagnostic_at(diagnostics, node, false, "warmup is for ago(), and there is none; leave it out");
    else if (check_duration(diagnostics, node, "warmup", &rule->warmup_ms) && rule->warmup_ms > RULE_SPAN_MS_MAX)
        diagnostic_at(diagnostics, node, false, "warmup is at most 3660d");
}
