/* One step of a sequence: an input's name, {NAME: {…}}, or {not: …}. */
#include "rule/rule_step.h"

static const char *const contiguities[] = {
    [SEQUENCE_RELAXED] = "relaxed", [SEQUENCE_STRICT] = "strict", [SEQUENCE_RELAXED_ANY] = "relaxed_any", NULL};

static struct diagnostics *diagnostics_of(const struct step_build *step)
{
    return step->build->loader->diagnostics;
}

static void wrong(const struct step_build *step, const struct yaml_node *node, const char *what)
{
    diagnostic_at(diagnostics_of(step), node, NULL, "%s", what);
}

struct cel_type rule_step_type(const struct step_build *step)
{
    struct cel_type type = cel_type_of(step->list ? VALUE_LIST : VALUE_MAP);
    type.element = step->list ? VALUE_MAP : TYPE_ANY;
    type.stream = (int8_t)step->build->rule->inputs[step->input].stream->id;
    return type;
}

/* --- Conditions --- */

static void see_slot(void *context, int slot)
{
    (void)slot;
    *(bool *)context = true;
}

/* A condition over an event of `stream`, the steps before this one, and this one's events so far where they are a list.
 */
static void compile_where(const struct step_build *step, const struct yaml_node *node, const char *what,
                          struct sequence_alternative *out)
{
    struct rule_build *build = step->build;
    if (node == NULL || out->stream == NULL)
        return;
    struct scope_step visible[SEQUENCE_STEPS_MAX];
    struct scope scope;
    scope_init(&scope, build, SCOPE_EVENT);
    scope.stream = out->stream;
    scope.steps = visible;
    for (size_t i = 0; i <= step->number; i++) {
        const struct step_build *other = &step->steps[i];
        if (other->input >= 0 && other->name.n > 0 && (i < step->number || other->list))
            visible[scope.step_count++] = (struct scope_step){other->name, (int)i, rule_step_type(other)};
    }
    scope_know_steps(&scope);
    out->where = scope_compile(&scope, node, what, VALUE_BOOL);
    if (out->where == NULL)
        return;
    cel_slots(out->where, see_slot, &out->reads);
    if (out->input >= 0)
        rule_where_check(build, node, &build->rule->inputs[out->input], out->where);
}

static bool use_input(const struct step_build *step, const struct yaml_node *name, const char *what,
                      struct sequence_alternative *out)
{
    *out = (struct sequence_alternative){.input = rule_input_of(step->build, name, what)};
    if (out->input >= 0)
        out->stream = step->build->rule->inputs[out->input].stream;
    return out->stream != NULL;
}

/* The inputs of a `not` or `until`: a name, a list, or a map of names to {where}. */
struct reading {
    const struct step_build *step;
    const char *what;
    struct sequence_alternative *items;
    size_t count;
    int contiguity; /* of a `not`, where it is said; else -1 */
};

static void read_named(struct reading *reading, const struct yaml_node *map)
{
    static const char *const not_keys[] = {"where", "contiguity", NULL};
    static const char *const until_keys[] = {"where", NULL};
    struct diagnostics *diagnostics = diagnostics_of(reading->step);
    bool negated = reading->step->step.negated;
    for (size_t i = 0; i < map->count && reading->count < RULE_INPUTS_MAX; i++) {
        const struct yaml_node *options = map->items[i];
        struct sequence_alternative *item = &reading->items[reading->count++];
        bool known = use_input(reading->step, map->keys[i], reading->what, item);
        if (!(negated ? check_mapping(diagnostics, options, "a negated input", not_keys)
                      : check_mapping(diagnostics, options, "an input that ends a step", until_keys)) ||
            !known)
            continue;
        compile_where(reading->step, yaml_get(options, "where"), "where", item);
        const struct yaml_node *contiguity = yaml_get(options, "contiguity");
        if (contiguity == NULL)
            continue;
        reading->contiguity = check_symbol(diagnostics, contiguity, "contiguity", contiguities);
        if (reading->contiguity == SEQUENCE_RELAXED_ANY)
            wrong(reading->step, contiguity,
                  "a 'not' is relaxed (none until the next step) or strict (not the next event)");
    }
}

static struct sequence_condition read_inputs(struct reading *reading, const struct yaml_node *node)
{
    size_t most = RULE_INPUTS_MAX;
    reading->contiguity = -1;
    reading->items = arena_zalloc(reading->step->build->loader->arena, most * sizeof *reading->items);
    if (node->kind == YAML_MAPPING) {
        read_named(reading, node);
    } else if (node->kind == YAML_SCALAR) {
        (void)use_input(reading->step, node, reading->what, &reading->items[reading->count++]);
    } else {
        for (size_t i = 0; i < node->count && reading->count < most; i++) {
            if (node->items[i]->kind == YAML_MAPPING)
                read_named(reading, node->items[i]);
            else
                (void)use_input(reading->step, node->items[i], reading->what, &reading->items[reading->count++]);
        }
    }
    if (reading->count == 0)
        diagnostic_at(diagnostics_of(reading->step), node, NULL, "'%s' names no input", reading->what);
    return (struct sequence_condition){reading->items, reading->count};
}

static void read_not(struct step_build *step, const struct yaml_node *node)
{
    struct reading reading = {.step = step, .what = "not"};
    step->step.negated = true;
    step->condition = read_inputs(&reading, node);
    if (reading.contiguity >= 0)
        step->step.contiguity = (uint8_t)reading.contiguity;
}

/* An input's name, or a list or map of them; any other text is a condition over events of the step's stream. */
static void read_until(struct step_build *step, const struct yaml_node *node)
{
    struct reading reading = {.step = step, .what = "until"};
    if (node == NULL)
        return;
    if (step->step.times_max != SEQUENCE_UNBOUNDED) {
        wrong(step, node, "until ends a step with an open number of events; write times: \"1..\" too");
        return;
    }
    if (node->kind != YAML_SCALAR || rule_find_input(step->build->rule, node->text) >= 0) {
        step->until = read_inputs(&reading, node);
        return;
    }
    struct sequence_alternative *item = arena_zalloc(step->build->loader->arena, sizeof *item);
    *item = (struct sequence_alternative){.input = -1, .stream = step->condition.alternatives[0].stream};
    compile_where(step, node, "until", item);
    step->until = (struct sequence_condition){item, 1};
}

/* --- Times --- */

static bool number_of_times(struct str text, uint32_t *out)
{
    int64_t n;
    if (!integer_parse(text, &n) || n < 0 || n > SEQUENCE_TIMES_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

static void read_times(struct step_build *step, const struct yaml_node *node)
{
    struct str text;
    if (!check_text(diagnostics_of(step), node, "times", &text))
        return;
    step->list = true;
    size_t dots = 0;
    while (dots < text.n && !str_starts((struct str){text.p + dots, text.n - dots}, STR_LIT("..")))
        dots++;
    bool range = dots < text.n;
    bool open = range && dots + 2 == text.n;
    uint32_t min = 0;
    uint32_t max = 0;
    bool good = number_of_times((struct str){text.p, dots}, &min);
    if (range && !open)
        good = good && number_of_times((struct str){text.p + dots + 2, text.n - dots - 2}, &max);
    if (!good) {
        diagnostic_at(diagnostics_of(step), node, NULL, "times '%.*s' is no number, \"N..M\" or \"N..\", of at most %d",
                      STR_ARG(text), SEQUENCE_TIMES_MAX);
        return;
    }
    max = open ? SEQUENCE_UNBOUNDED : range ? max : min;
    if (max == 0 || max < min) {
        wrong(step, node,
              max == 0 ? "a step takes at least one event; leave it out, or make it a 'not'"
                       : "times counts upwards: the least number first");
        return;
    }
    step->step.optional = step->step.optional || min == 0;
    step->step.times_min = min == 0 ? 1 : min;
    step->step.times_max = max;
}

static void read_inner(struct step_build *step, const struct yaml_node *options)
{
    const struct yaml_node *consecutive = yaml_get(options, "consecutive");
    const struct yaml_node *combinations = yaml_get(options, "combinations");
    bool strict = false;
    bool any = false;
    (void)check_bool(diagnostics_of(step), consecutive, "consecutive", &strict);
    (void)check_bool(diagnostics_of(step), combinations, "combinations", &any);
    if (strict && any)
        wrong(step, combinations, "events of a step are either consecutive or in all combinations, not both");
    if ((strict || any) && step->step.times_max == 1)
        wrong(step, strict ? consecutive : combinations,
              "this is about the events of one step among themselves, and this step takes one; give it times");
    step->step.inner = strict ? SEQUENCE_STRICT : any ? SEQUENCE_RELAXED_ANY : SEQUENCE_RELAXED;
}

static void read_greedy(struct step_build *step, const struct yaml_node *node)
{
    if (!check_bool(diagnostics_of(step), node, "greedy", &step->step.greedy) || !step->step.greedy)
        return;
    if (step->step.times_max == step->step.times_min)
        wrong(step, node,
              "greedy is for a step that may take more or fewer events; give it times: \"N..M\" or \"N..\"");
    else if (step->step.inner == SEQUENCE_RELAXED_ANY)
        wrong(step, node, "greedy takes every event, combinations leaves some out; choose one");
}

/* --- The step --- */

static void check_name(const struct step_build *step, const struct yaml_node *key, bool own)
{
    const struct rule_file *file = step->build->file;
    struct diagnostics *diagnostics = diagnostics_of(step);
    struct str name = key->text;
    for (size_t i = 0; i < step->number; i++) {
        if (!str_eq(step->steps[i].name, name))
            continue;
        diagnostic_at(diagnostics, key, NULL, "'%.*s' is a step already; name this one: {NAME: {of: %.*s}}",
                      STR_ARG(name), STR_ARG(name));
        return;
    }
    if (!own)
        return;
    if (!name_is_identifier(name))
        diagnostic_at(diagnostics, key, NULL,
                      "'%.*s' is no name for a step; take letters, digits and _, a letter first", STR_ARG(name));
    else if (rule_name_reserved(name) || map_get(&file->macros, name) != NULL || map_get(&file->lists, name) != NULL ||
             rule_find_input(step->build->rule, name) >= 0)
        diagnostic_at(diagnostics, key, NULL, "'%.*s' has a meaning of its own here; name the step otherwise",
                      STR_ARG(name));
}

static void read_positive(struct step_build *step, const struct yaml_node *key, const struct yaml_node *options)
{
    static const char *const keys[] = {"of",         "where", "times",       "optional",     "greedy",
                                       "contiguity", "until", "consecutive", "combinations", NULL};
    struct diagnostics *diagnostics = diagnostics_of(step);
    struct sequence_alternative *item = arena_zalloc(step->build->loader->arena, sizeof *item);
    const struct yaml_node *of = NULL;
    if (options != NULL && !check_mapping(diagnostics, options, "a step", keys))
        return;
    if (options != NULL)
        of = yaml_get(options, "of");
    check_name(step, key, of != NULL);
    if (!use_input(step, of != NULL ? of : key, of != NULL ? "of" : "steps", item))
        return;
    step->name = key->text;
    step->input = item->input;
    step->condition = (struct sequence_condition){item, 1};
    if (options == NULL)
        return;
    (void)check_bool(diagnostics, yaml_get(options, "optional"), "optional", &step->step.optional);
    read_times(step, yaml_get(options, "times"));
    compile_where(step, yaml_get(options, "where"), "where", item);
    read_until(step, yaml_get(options, "until"));
    read_inner(step, options);
    read_greedy(step, yaml_get(options, "greedy"));
    const struct yaml_node *contiguity = yaml_get(options, "contiguity");
    int kind = contiguity == NULL ? -1 : check_symbol(diagnostics, contiguity, "contiguity", contiguities);
    if (kind >= 0)
        step->step.contiguity = (uint8_t)kind;
}

void rule_step_read(struct step_build *step)
{
    const struct yaml_node *node = step->node;
    step->step = (struct sequence_step){.times_min = 1, .times_max = 1, .until = -1};
    step->input = -1;
    if (node->kind == YAML_SCALAR)
        read_positive(step, node, NULL);
    else if (node->kind != YAML_MAPPING || node->count != 1)
        wrong(step, node, "a step is an input's name, {NAME: {where: …}} or {not: NAME}");
    else if (str_is(node->keys[0]->text, "not"))
        read_not(step, node->items[0]);
    else
        read_positive(step, node->keys[0], node->items[0]);
}
