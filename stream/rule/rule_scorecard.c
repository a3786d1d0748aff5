/* A scorecard: a rule of detector `window` without a condition. Each of its windows gives a value; the one before it is
 * an ago() of that value, which the rule so keeps the past for. */
#include "rule/rule_load.h"

static const char *const scorecard_keys[] = {"id",    "description", "from",  "group_by", "window",
                                             "value", "target",      "tests", NULL};

static void read_window(struct rule_build *build)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct window *window = &build->rule->window;
    rule_window_read(build, build->node);
    if (build->window_wrong || window->kind == WINDOW_HOPPING || window->kind == WINDOW_CALENDAR)
        return;
    build->window_wrong = true;
    diagnostic_at(diagnostics, yaml_get(build->node, "window"), false,
                  "a scorecard is made at the end of a window; write a slide, as in {size: 90d, slide: 1d}, or a "
                  "calendar, as in {calendar: month}");
}

struct slots_read {
    bool any; /* what a window holds, beyond its group */
    bool over_all;
};

static void see_slot(void *context, int slot)
{
    struct slots_read *slots = context;
    slots->any |= slot != OUT_GROUP;
    slots->over_all |= slot < OUT_FIXED_COUNT && slot != OUT_GROUP;
}

static bool is_measurable(uint8_t type)
{
    return type == VALUE_DOUBLE || type == VALUE_INT || type == VALUE_UINT || type == VALUE_DURATION ||
           type == TYPE_ANY;
}

/* The value of the window before. */
static void add_previous(struct rule_build *build, struct scorecard *scorecard)
{
    struct error err;
    if (build->window_wrong)
        return;
    scorecard->previous = rule_ago_add(build, scorecard->value, &err);
    if (scorecard->previous < 0)
        diagnostic_at(build->loader->diagnostics, yaml_get(build->node, "window"), false, "%s", err.message);
}

/* The value's type; TYPE_ANY where it is not known. */
static uint8_t read_value(struct rule_build *build, struct scorecard *scorecard)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *node = check_need(diagnostics, build->node, "a scorecard", "value");
    struct scope scope;
    struct slots_read slots = {0};
    scope_init(&scope, build, SCOPE_OUTPUT);
    scorecard->value = node != NULL ? scope_compile(&scope, node, "value", TYPE_ANY) : NULL;
    if (scorecard->value == NULL)
        return TYPE_ANY;
    uint8_t type = cel_result_type(scorecard->value).type;
    cel_slots(scorecard->value, see_slot, &slots);
    build->when_takes_all = slots.over_all;
    if (!is_measurable(type)) {
        diagnostic_at(diagnostics, node, false, "a scorecard's value is a number or a duration, not a %s",
                      value_type_name((enum value_type)type));
        return TYPE_ANY;
    }
    if (!slots.any)
        diagnostic_at(diagnostics, node, false,
                      "this is the same in every window; take a function or an output, such as count(INPUT) or mttr");
    else
        add_previous(build, scorecard);
    return type;
}

static void see_any(void *context, int slot)
{
    (void)slot;
    *(bool *)context = true;
}

static void read_target(struct rule_build *build, struct scorecard *scorecard, uint8_t type)
{
    const struct yaml_node *node = yaml_get(build->node, "target");
    struct scope scope;
    bool any = false;
    if (node == NULL)
        return;
    scope_init(&scope, build, SCOPE_TARGET);
    scope.measure_type = type;
    scorecard->target = scope_compile(&scope, node, "target", VALUE_BOOL);
    if (scorecard->target == NULL)
        return;
    cel_slots(scorecard->target, see_any, &any);
    if (!any)
        diagnostic_at(build->loader->diagnostics, node, false,
                      "a target is about value, previous or change, as in \"value < duration('15m')\" or "
                      "\"change <= -0.2\"");
}

static void note_fixed(void *context, int slot)
{
    if (slot < OUT_FIXED_COUNT)
        *(uint32_t *)context |= UINT32_C(1) << slot;
}

bool rule_scorecard_shows_events(const struct scorecard *scorecard)
{
    uint32_t read = 0;
    if (scorecard->value != NULL)
        cel_slots(scorecard->value, note_fixed, &read);
    return (read & ~OUTPUTS_CHEAP) != 0;
}

void rule_scorecard_read(struct rule_build *build)
{
    struct scorecard *scorecard = arena_zalloc(build->loader->arena, sizeof *scorecard);
    build->rule->scorecard = scorecard;
    build->rule->type = DETECTOR_WINDOW;
    scorecard->previous = -1;
    (void)check_mapping(build->loader->diagnostics, build->node, "a scorecard", scorecard_keys);
    rule_inputs_read(build);
    rule_group_read(build, build->node);
    read_window(build);
    read_target(build, scorecard, read_value(build, scorecard));
}
