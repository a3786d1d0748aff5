/* `type: trend`. */
#include "rule/rule_load.h"

static const char *const method_names[] = {
    [TREND_THEIL_SEN] = "theil_sen", [TREND_LEAST_SQUARES] = "least_squares", NULL};

/* A step that people would choose, of which RULE_TREND_STEPS_MAX are at least `span_ms`. */
static const char *step_for(int64_t span_ms)
{
    static const struct {
        const char *text;
        int64_t ms;
    } steps[] = {{"1s", SECOND_MS},       {"10s", 10 * SECOND_MS}, {"1m", MINUTE_MS}, {"5m", 5 * MINUTE_MS},
                 {"10m", 10 * MINUTE_MS}, {"30m", 30 * MINUTE_MS}, {"1h", HOUR_MS},   {"3h", 3 * HOUR_MS},
                 {"6h", 6 * HOUR_MS},     {"12h", 12 * HOUR_MS},   {"1d", DAY_MS},    {"2d", 2 * (int64_t)DAY_MS}};
    size_t i = 0;
    while (steps[i].ms * RULE_TREND_STEPS_MAX < span_ms)
        i++;
    return steps[i].text;
}

/* The window holds enough steps for a forecast, and not too many. */
static void check_steps(struct rule_build *build, const struct yaml_node *at, const struct trend_spec *spec)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    int64_t steps = build->rule->window.size_ms / spec->step_ms;
    struct buf step = {0};
    duration_print(&step, spec->step_ms);
    if (steps > RULE_TREND_STEPS_MAX)
        diagnostic_at(diagnostics, at, false,
                      "the window holds %lld steps of %.*s, and a line is drawn through at most %d; take a step of at "
                      "least %s",
                      (long long)steps, STR_ARG(buf_str(&step)), RULE_TREND_STEPS_MAX,
                      step_for(build->rule->window.size_ms));
    else if (steps < spec->min_points)
        diagnostic_at(
            diagnostics, at, false,
            "the window holds %lld steps of %.*s, and a forecast takes min_points %lld of them; take a longer "
            "window or a shorter step",
            (long long)steps, STR_ARG(buf_str(&step)), (long long)spec->min_points);
    else
        rule_window_step(build, at, spec->step_ms);
    buf_fini(&step);
}

static void read_steps(struct rule_build *build, const struct yaml_node *detect, struct trend_spec *spec)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct window *window = &build->rule->window;
    const struct yaml_node *node = yaml_get(detect, "step");
    size_t errors = diagnostics->errors;
    spec->step_ms = HOUR_MS;
    spec->min_points = 24;
    rule_window_read(build, detect);
    if (node != NULL)
        (void)rule_span_read(build, detect, "step", &spec->step_ms);
    (void)check_int(diagnostics, yaml_get(detect, "min_points"), "min_points", RULE_TREND_POINTS_MIN,
                    RULE_TREND_STEPS_MAX, &spec->min_points);
    if (diagnostics->errors > errors)
        return;
    if (window->kind != WINDOW_HOPPING && window->kind != WINDOW_CALENDAR)
        diagnostic_at(
            diagnostics, yaml_get(detect, "window"), false,
            "a trend is told at the end of its window; write one with an end, such as {size: 7d, slide: 1d} or "
            "{calendar: week}");
    else
        check_steps(build, node != NULL ? node : yaml_get(detect, "window"), spec);
}

static void read_forecast(struct rule_build *build, const struct yaml_node *detect, struct trend_spec *spec)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *horizon = yaml_get(detect, "horizon");
    const struct yaml_node *fit = yaml_get(detect, "min_fit");
    const struct yaml_node *method = yaml_get(detect, "method");
    int64_t horizon_ms;
    spec->min_fit = 0.5;
    (void)check_double(diagnostics, check_need(diagnostics, detect, "detect", "limit"), "limit", &spec->limit);
    if (check_double(diagnostics, fit, "min_fit", &spec->min_fit) && !(spec->min_fit >= 0 && spec->min_fit <= 1))
        diagnostic_at(diagnostics, fit, false, "min_fit is R2, from 0 to 1");
    int number = method == NULL ? TREND_THEIL_SEN : check_symbol(diagnostics, method, "method", method_names);
    spec->method = number < 0 ? TREND_THEIL_SEN : (enum trend_method)number;
    if (horizon == NULL && yaml_get(detect, "when") == NULL)
        diagnostic_at(diagnostics, detect, false,
                      "detect has no 'horizon'; the condition is eta <= horizon unless 'when' says another");
    else if (horizon != NULL && rule_span_read(build, detect, "horizon", &horizon_ms))
        build->when_default =
            str_of(arena_printf(build->loader->arena, "eta <= duration('%.*s')", STR_ARG(horizon->text)));
}

void rule_trend_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct trend_spec *spec = arena_zalloc(build->loader->arena, sizeof *spec);
    const struct yaml_node *of = check_need(diagnostics, detect, "detect", "of");
    const struct yaml_node *reset = yaml_get(detect, "reset");
    spec->of = of == NULL ? -1 : rule_input_of(build, of, "of");
    spec->reset = reset == NULL ? -1 : rule_input_of(build, reset, "reset");
    if (spec->reset >= 0 && spec->reset == spec->of)
        diagnostic_at(diagnostics, reset, false,
                      "what resets the trend is an input of its own, not the one of its values");
    if (spec->of >= 0)
        spec->value_aggregate =
            rule_aggregate_add(build, AGGREGATE_P50, spec->of, yaml_get(detect, "value"), of, "value");
    read_steps(build, detect, spec);
    read_forecast(build, detect, spec);
    rule_output_add(build, STR_LIT("slope_per_hour"), cel_type_of(VALUE_DOUBLE));
    rule_output_add(build, STR_LIT("fit"), cel_type_of(VALUE_DOUBLE));
    rule_output_add(build, STR_LIT("current"), cel_type_of(VALUE_DOUBLE));
    rule_output_add(build, STR_LIT("eta"), cel_type_of(VALUE_DURATION));
    build->rule->spec.trend = spec;
}
