/* Warnings: what the language allows and is most likely not meant, or costs more than its writer may know. Each has a
 * code, by which people and tools tell them apart; rules/README.md lists them. A warning must be certain: one that is
 * wrong now and then teaches people to pass over all of them. */
#include "rule/warn.h"

const struct rule_warning rule_warnings[] = {
    {"no-tests", "A rule that recommends, or a scorecard, carries no tests"},
    {"cannot-fire", "An input that selects nothing, or a condition that is never true"},
    {"constant", "A condition, or a part of one, that is always or never true"},
    {"overlap", "Two rules fire together, and neither supersedes the other"},
    {"cardinality", "Groups or values that grow without bound"},
    {"forwarded", "A detector that needs every event of a telemetry stream by itself"},
    {"unused", "A list or macro that no rule of its file uses, or a key without effect"},
    {"variable", "A variable of the environment that looks like a key of the configuration and is none"},
    {NULL, NULL},
};

static struct diagnostics *diagnostics_of(const struct rule_build *build)
{
    return build->loader->diagnostics;
}

static const struct yaml_node *detect_of(const struct rule_build *build)
{
    return rule_detect_node(build);
}

/* Tests expect recommendations or scorecards, so a rule that only detects has none. */
static void warn_tests(const struct rule_build *build)
{
    const struct yaml_node *tests = build->rule->tests;
    bool scores = build->rule->scorecard != NULL;
    if ((build->rule->recommend != NULL || scores) && (tests == NULL || tests->count == 0))
        diagnostic_at(diagnostics_of(build), yaml_get(build->node, "id"), "no-tests",
                      "%s '%.*s' has no tests; write some under 'tests' and run them by forestall test",
                      scores ? "scorecard" : "rule", STR_ARG(build->rule->id));
}

/* What grows without bound: a value seldom or never comes twice. */
struct endless {
    const struct stream *stream;
    int field; /* -1: none found */
    struct str key;
};

static bool names_one_thing(struct str name)
{
    static const char *const names[] = {"event_id", "incident_id", "deployment_id", "commit_sha", "trace_id",
                                        "span_id",  "request_id",  "session_id",    "user_id",    NULL};
    for (const char *const *known = names; *known != NULL; known++)
        if (str_is(name, *known))
            return true;
    return false;
}

static bool is_prose(struct str name)
{
    return str_is(name, "message") || str_is(name, "title");
}

static void see_passing(void *context, int field, struct str key)
{
    struct endless *endless = context;
    const struct stream_field *kind = &endless->stream->fields[field];
    struct str name = key.n > 0 ? key : str_of(kind->name);
    bool found = names_one_thing(name) || is_prose(name);
    if (key.n == 0)
        found |= kind->kind == FIELD_TIME || kind->kind == FIELD_DOUBLE;
    if (!found || endless->field >= 0)
        return;
    endless->field = field;
    endless->key = key;
}

static void warn_endless(const struct rule_build *build, const struct yaml_node *at, size_t offset,
                         const struct endless *endless, const char *grows)
{
    const struct stream_field *field = &endless->stream->fields[endless->field];
    struct str name = endless->key.n > 0 ? endless->key : str_of(field->name);
    struct arena *arena = diagnostics_of(build)->arena;
    const char *advice = "take what recurs, such as the service";
    if (is_prose(name) && endless->key.n == 0)
        advice =
            arena_printf(arena, "take fingerprint(event.%s), which is the same for texts of one pattern", field->name);
    else if (field->kind == FIELD_TIME && endless->key.n == 0)
        advice = "windows tell times apart; take what recurs, such as the service";
    diagnostic_within(diagnostics_of(build), at, offset, "cardinality",
                      "'%.*s' seldom has a value twice, so %s without bound; %s", STR_ARG(name), grows, advice);
}

static void warn_group_key(const struct rule_build *build, size_t key)
{
    const struct yaml_node *shared = yaml_get(detect_of(build), "group_by");
    for (size_t i = 0; i < build->rule->input_count; i++) {
        const struct rule_input *input = &build->rule->inputs[i];
        const struct yaml_node *own = yaml_get(build->input_nodes[i], "group_by");
        struct endless endless = {.stream = input->stream, .field = -1};
        if (input->group[key].field >= 0)
            see_passing(&endless, input->group[key].field, (struct str){NULL, 0});
        else
            cel_passes(input->group[key].expr, see_passing, &endless);
        if (endless.field < 0)
            continue;
        warn_endless(build, (own != NULL ? own : shared)->items[key], 0, &endless, "groups grow");
        return;
    }
}

/* The number of distinct ids of rows is a fair question; of event ids it is count(), of prose seldom meant. The
 * distincts of a share are told of once, by the share. */
static void warn_distinct(const struct rule_build *build, const struct aggregate *aggregate)
{
    const struct rule *rule = build->rule;
    const struct yaml_node *when = yaml_get(detect_of(build), rule->scorecard != NULL ? "value" : "when");
    bool shares = aggregate->function == AGGREGATE_SHARE;
    const struct aggregate *kept = shares ? &rule->aggregates[aggregate->over] : aggregate;
    if (kept->function != AGGREGATE_DISTINCT || aggregate->part || when == NULL)
        return;
    struct endless endless = {.stream = rule->inputs[kept->input].stream, .field = -1};
    cel_passes(kept->expr, see_passing, &endless);
    if (endless.field < 0 || endless.key.n > 0)
        return;
    const char *name = endless.stream->fields[endless.field].name;
    if (is_prose(str_of(name)))
        warn_endless(build, when, 0, &endless, "what is kept grows");
    else if (!shares && strcmp(name, "event_id") == 0)
        diagnostic_at(diagnostics_of(build), when, "cardinality",
                      "%.*s counts events; write count(%.*s), which is cheaper", STR_ARG(kept->text),
                      STR_ARG(rule->inputs[kept->input].name));
}

/* Values that are remembered. One thing's id may well come back: that is how a rollback shows. */
static void warn_memory(const struct rule_build *build)
{
    const struct rule *rule = build->rule;
    if (rule->type != DETECTOR_NEW_VALUE && rule->type != DETECTOR_REVERT)
        return;
    struct endless endless = {.stream = rule->inputs[rule->spec.memory->of].stream, .field = -1};
    cel_passes(rule->spec.memory->value, see_passing, &endless);
    if (endless.field < 0)
        return;
    const struct stream_field *field = &endless.stream->fields[endless.field];
    if (field->kind != FIELD_DOUBLE && strcmp(field->name, "commit_sha") != 0 &&
        strcmp(field->name, "deployment_id") != 0)
        warn_endless(build, yaml_get(detect_of(build), "value"), 0, &endless, "what is remembered grows");
}

/* A trend's horizon is half of its default condition. */
static void warn_horizon(const struct rule_build *build)
{
    const struct yaml_node *horizon = yaml_get(detect_of(build), "horizon");
    if (horizon != NULL && yaml_get(detect_of(build), "when") != NULL)
        diagnostic_at(diagnostics_of(build), horizon, "unused",
                      "where 'when' is written 'horizon' is without effect; write eta <= duration('%.*s') into it, or "
                      "leave 'horizon' out",
                      STR_ARG(horizon->text));
}

/* With a low objective a burn has little room: at most 1 / budget, where all is bad. */
static void warn_pairs(const struct rule_build *build)
{
    const struct burn_spec *spec = build->rule->spec.burn;
    const struct yaml_node *pairs = yaml_get(detect_of(build), "pairs");
    if (build->rule->type != DETECTOR_BURN_RATE)
        return;
    for (size_t i = 0; i < spec->pair_count; i++)
        if (spec->pairs[i].factor * spec->budget >= 1)
            diagnostic_at(
                diagnostics_of(build), pairs != NULL ? pairs->items[i] : yaml_get(detect_of(build), "objective"),
                "cannot-fire",
                "the pair with factor %g fires where more than %.4g %% of all is bad; with a budget of %.4g %% "
                "take a factor below %.4g",
                spec->pairs[i].factor, 100 * spec->pairs[i].factor * spec->budget, 100 * spec->budget,
                1 / spec->budget);
}

void rule_warn(const struct rule_build *build)
{
    warn_memory(build);
    warn_tests(build);
    warn_horizon(build);
    warn_pairs(build);
    for (size_t i = 0; i < build->rule->group_count; i++)
        warn_group_key(build, i);
    for (size_t i = 0; i < build->rule->aggregate_count; i++)
        if (build->rule->aggregates[i].detects)
            warn_distinct(build, &build->rule->aggregates[i]);
    rule_warn_conditions(build);
}

static void warn_unused(struct loader *loader, const struct rule_file *file, const char *what)
{
    const struct yaml_node *names = yaml_get(file->root, what);
    for (size_t i = 0; names != NULL && names->kind == YAML_MAPPING && i < names->count; i++)
        if (map_get(&file->used, names->keys[i]->text) == NULL)
            diagnostic_at(loader->diagnostics, names->keys[i], "unused", "no rule of this file uses the %.*s '%.*s'",
                          (int)strlen(what) - 1, what, STR_ARG(names->keys[i]->text));
}

void ruleset_warn(struct loader *loader)
{
    for (size_t i = 0; i < loader->file_count; i++) {
        warn_unused(loader, loader->files[i], "lists");
        warn_unused(loader, loader->files[i], "macros");
    }
    ruleset_warn_overlaps(loader);
}
