/* What names mean in a rule's expressions, and the place of what is wrong in one. */
#include "rule/rule_load.h"

const char *const output_names[OUT_FIXED_COUNT + 1] = {
    [OUT_FIRST_SEEN] = "first_seen",
    [OUT_LAST_SEEN] = "last_seen",
    [OUT_INCIDENTS] = "incidents",
    [OUT_MTTR] = "mttr",
    [OUT_MTTR_MEDIAN] = "mttr_median",
    [OUT_MTTD] = "mttd",
    [OUT_MTTD_MEDIAN] = "mttd_median",
    [OUT_MINUTES_LOST] = "minutes_lost",
    [OUT_GROUP] = "group",
    [OUT_SERVICES] = "services",
    [OUT_CODE_REFS] = "code_refs",
    [OUT_EVENTS] = "events",
};

static const uint8_t output_types[OUT_FIXED_COUNT] = {
    [OUT_FIRST_SEEN] = VALUE_TIMESTAMP, [OUT_LAST_SEEN] = VALUE_TIMESTAMP,  [OUT_INCIDENTS] = VALUE_DOUBLE,
    [OUT_MTTR] = VALUE_DURATION,        [OUT_MTTR_MEDIAN] = VALUE_DURATION, [OUT_MTTD] = VALUE_DURATION,
    [OUT_MTTD_MEDIAN] = VALUE_DURATION, [OUT_MINUTES_LOST] = VALUE_DOUBLE,  [OUT_GROUP] = VALUE_MAP,
    [OUT_SERVICES] = VALUE_LIST,        [OUT_CODE_REFS] = VALUE_LIST,       [OUT_EVENTS] = VALUE_DOUBLE,
};

int rule_find_input(const struct rule *rule, struct str name)
{
    for (size_t i = 0; i < rule->input_count; i++)
        if (str_eq(rule->inputs[i].name, name))
            return (int)i;
    return -1;
}

bool rule_name_reserved(struct str name)
{
    static const char *const words[] = {"event",     "before",   "after", "value",  "n",     "true",     "false",
                                        "null",      "in",       "as",    "break",  "const", "continue", "else",
                                        "for",       "function", "if",    "import", "let",   "loop",     "package",
                                        "namespace", "return",   "var",   "void",   "while", NULL};
    for (const char *const *word = words; *word != NULL; word++)
        if (str_is(name, *word))
            return true;
    for (int i = 0; i < OUT_FIXED_COUNT; i++)
        if (str_is(name, output_names[i]))
            return true;
    return false;
}

int rule_find_output(const struct rule *rule, struct str name, struct cel_type *type)
{
    for (int i = 0; i < OUT_FIXED_COUNT; i++)
        if (str_is(name, output_names[i])) {
            *type = cel_type_of(output_types[i]);
            type->element = output_types[i] == VALUE_LIST ? VALUE_STRING : TYPE_ANY;
            return i;
        }
    for (size_t i = 0; i < rule->output_count; i++)
        if (str_eq(name, rule->outputs[i].name)) {
            *type = rule->outputs[i].type;
            return OUT_FIXED_COUNT + (int)i;
        }
    return -1;
}

/* By enum scorecard_slot. */
static const char *const target_names[SCORECARD_SLOT_COUNT + 1] = {"value", "previous", "change", NULL};

static struct cel_name scope_name(void *context, struct str name)
{
    const struct scope *scope = context;
    struct cel_name result = {.kind = CEL_NAME_NONE, .type = {.type = TYPE_ANY, .element = TYPE_ANY, .stream = -1}};
    if (scope->kind == SCOPE_EVENT && str_is(name, "event")) {
        result.kind = CEL_NAME_EVENT;
        result.type.stream = (int8_t)scope->stream->id;
        return result;
    }
    for (size_t i = 0; i < scope->step_count; i++)
        if (str_eq(name, scope->steps[i].name))
            return (struct cel_name){.kind = CEL_NAME_SLOT, .slot = scope->steps[i].slot, .type = scope->steps[i].type};
    struct cel_type type;
    int slot = scope->kind == SCOPE_OUTPUT ? rule_find_output(scope->build->rule, name, &type) : -1;
    if (slot >= 0)
        return (struct cel_name){.kind = CEL_NAME_SLOT, .slot = slot, .type = type};
    if (scope->kind == SCOPE_MEASURE && (str_is(name, "before") || str_is(name, "after")))
        return (struct cel_name){
            .kind = CEL_NAME_SLOT, .slot = str_is(name, "after"), .type = cel_type_of(scope->measure_type)};
    for (int i = 0; scope->kind == SCOPE_TARGET && target_names[i] != NULL; i++)
        if (str_is(name, target_names[i]))
            return (struct cel_name){
                .kind = CEL_NAME_SLOT,
                .slot = i,
                .type = cel_type_of(i == SCORECARD_SLOT_CHANGE ? (uint8_t)VALUE_DOUBLE : scope->measure_type)};
    const struct yaml_node *macro = map_get(&scope->build->file->macros, name);
    if (macro != NULL) {
        *map_slot(&scope->build->file->used, name) = scope->build;
        result.kind = CEL_NAME_MACRO;
        result.macro = macro->text;
        return result;
    }
    const struct value *list = map_get(&scope->build->file->lists, name);
    if (list != NULL) {
        *map_slot(&scope->build->file->used, name) = scope->build;
        result.kind = CEL_NAME_CONSTANT;
        result.constant = *list;
        result.type.type = VALUE_LIST;
        result.type.element = VALUE_STRING;
    }
    return result;
}

/* Aggregates have no place where one event, or two numbers, are all there is. */
/* NOLINTNEXTLINE(readability-function-size): the parameters are those of cel_env.call. */
static int no_call(void *context, struct str function, struct cel_node *const *args, size_t n_args,
                   struct cel_name *out, int *bad_arg, struct error *err)
{
    static const char *const names[] = {"count", "distinct", "sum", "avg", "min",   "max", "stddev",
                                        "p50",   "p90",      "p95", "p99", "share", "ago", NULL};
    const struct scope *scope = context;
    (void)args;
    (void)n_args;
    (void)out;
    *bad_arg = -1;
    if (scope->kind == SCOPE_TARGET && str_is(function, "ago"))
        return error_set(err, ERROR_BAD_INPUT, "a target sees the window before as 'previous'; leave ago() out");
    for (const char *const *name = names; *name != NULL; name++)
        if (str_is(function, *name))
            return error_set(err, ERROR_BAD_INPUT,
                             scope->kind == SCOPE_MEASURE ? "met sees only before and after; %s() belongs in 'value'"
                             : scope->kind == SCOPE_TARGET
                                 ? "a target sees value, previous and change; %s() belongs in 'value'"
                                 : "an input sees one event; %s() belongs in 'when' or a template",
                             *name);
    return 1;
}

/* What `when` and templates may name: the file's, and the detector's own outputs. */
static const char *const *output_names_of(struct rule_build *build)
{
    const struct rule *rule = build->rule;
    if (rule->output_count == 0)
        return build->file->output_names;
    size_t n = 0;
    while (build->file->output_names[n] != NULL)
        n++;
    const char **names = arena_alloc(build->loader->arena, (n + rule->output_count + 1) * sizeof *names);
    memcpy(names, build->file->output_names, n * sizeof *names);
    for (size_t i = 0; i < rule->output_count; i++)
        names[n++] = arena_str(build->loader->arena, rule->outputs[i].name).p;
    names[n] = NULL;
    return names;
}

void scope_init(struct scope *scope, struct rule_build *build, enum scope_kind kind)
{
    static const char *const measure_names[] = {"before", "after", NULL};
    *scope = (struct scope){.build = build, .kind = kind, .measure_type = TYPE_ANY};
    scope->env.context = scope;
    scope->env.name = scope_name;
    scope->env.budget = &build->loader->budget;
    scope->env.call = kind == SCOPE_OUTPUT ? aggregate_call : no_call;
    scope->env.known_names = kind == SCOPE_EVENT    ? build->file->event_names
                             : kind == SCOPE_OUTPUT ? output_names_of(build)
                             : kind == SCOPE_TARGET ? target_names
                                                    : measure_names;
}

void scope_know_steps(struct scope *scope)
{
    struct arena *arena = scope->build->loader->arena;
    const char *const *known = scope->env.known_names;
    size_t n = 0;
    while (known[n] != NULL)
        n++;
    const char **names = arena_alloc(arena, (n + scope->step_count + 1) * sizeof *names);
    memcpy(names, known, n * sizeof *names);
    for (size_t i = 0; i < scope->step_count; i++)
        names[n++] = arena_str(arena, scope->steps[i].name).p;
    names[n] = NULL;
    scope->env.known_names = names;
}

/* Steps over a string literal that starts at `i`. */
static size_t skip_string(struct str text, size_t i)
{
    char quote = text.p[i++];
    while (i < text.n && text.p[i] != quote)
        i += text.p[i] == '\\' && i + 1 < text.n ? 2 : 1;
    return i < text.n ? i + 1 : i;
}

static void check_group_key(const struct scope *scope, const struct yaml_node *node, struct str key, size_t at)
{
    const struct rule_build *build = scope->build;
    const char *names[RULE_GROUP_KEYS_MAX + 1] = {0};
    for (size_t i = 0; i < build->rule->group_count; i++) {
        names[i] = build->rule->group[i].name.p;
        if (str_eq(build->rule->group[i].name, key))
            return;
    }
    const char *hint = build->rule->group_count == 0
                           ? "; group_by names none"
                           : check_suggest(build->loader->diagnostics->arena, key, names, "the keys are ");
    diagnostic_within(build->loader->diagnostics, node, at, false, "'%.*s' is no key of group_by%s", STR_ARG(key),
                      hint);
}

/* group.KEY outside of strings, KEY a key of group_by: the compiler only knows that group is a map. */
static void check_group_keys(const struct scope *scope, const struct yaml_node *node, size_t from, size_t to)
{
    struct str text = {node->text.p, to};
    if (scope->kind != SCOPE_OUTPUT || !scope->build->group_known)
        return;
    for (size_t i = from; i < to;) {
        if (text.p[i] == '"' || text.p[i] == '\'') {
            i = skip_string(text, i);
            continue;
        }
        struct str word = rule_identifier_at(text, i);
        if (word.n == 0) {
            i++;
            continue;
        }
        size_t end = i + word.n;
        bool free_standing = i == 0 || text.p[i - 1] != '.';
        i = end;
        if (!free_standing || !str_is(word, "group") || end >= text.n || text.p[end] != '.')
            continue;
        struct str key = rule_identifier_at(text, end + 1);
        if (key.n == 0 || (end + 1 + key.n < text.n && text.p[end + 1 + key.n] == '('))
            continue;
        check_group_key(scope, node, key, end + 1);
    }
}

const struct cel *scope_compile(struct scope *scope, const struct yaml_node *node, const char *what, int expected)
{
    struct loader *loader = scope->build->loader;
    struct str text;
    if (!check_text(loader->diagnostics, node, what, &text))
        return NULL;
    const struct cel *cel = NULL;
    struct cel_error err = {0};
    if (cel_compile(loader->arena, text, &scope->env, expected, &cel, &err) != 0) {
        scope_report(scope, node, &err);
        return NULL;
    }
    check_group_keys(scope, node, 0, text.n);
    return cel;
}

/* A template's text outside of {{ }} is no expression, so only its parts are looked at: quotes there are prose. */
static void check_template_groups(const struct scope *scope, const struct yaml_node *node)
{
    struct str text = node->text;
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] != '{' || text.p[i + 1] != '{')
            continue;
        size_t end = i + 2;
        while (end + 1 < text.n && !(text.p[end] == '}' && text.p[end + 1] == '}'))
            end++;
        check_group_keys(scope, node, i + 2, end);
        i = end;
    }
}

const struct template *scope_template(struct scope *scope, const struct yaml_node *node, const char *what)
{
    struct loader *loader = scope->build->loader;
    struct str text;
    if (!check_text(loader->diagnostics, node, what, &text) || !scope->build->outputs_known)
        return NULL;
    const struct template *template = NULL;
    struct cel_error err = {0};
    if (template_compile(loader->arena, text, &scope->env, &template, &err) != 0) {
        scope_report(scope, node, &err);
        return NULL;
    }
    check_template_groups(scope, node);
    return template;
}
