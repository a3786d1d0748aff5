/* `per` and `needs` of `recommend`: what tells recommendations apart, and how many detections make one. */
#include "rule/rule_load.h"

static const int64_t WITHIN_MS_MAX = INT64_C(3660) * DAY_MS;

/* What is wrong with the type of an output; NULL: it is a single value. */
static const char *plural(const struct cel_type *type)
{
    if (type->stream >= 0)
        return "an event";
    if (type->type == VALUE_LIST)
        return "a list";
    return type->type == VALUE_MAP ? "a map" : NULL;
}

/* The names that `per` may have, NULL-terminated, for suggestions. */
static const char *const *known_names(struct rule_build *build)
{
    const struct rule *rule = build->rule;
    struct arena *arena = build->loader->diagnostics->arena;
    const char **names =
        arena_alloc(arena, (RULE_GROUP_KEYS_MAX + OUT_FIXED_COUNT + RULE_OUTPUTS_MAX + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < rule->group_count; i++)
        names[n++] = arena_str(arena, rule->group[i].name).p;
    for (size_t i = 0; i < rule->output_count; i++)
        if (plural(&rule->outputs[i].type) == NULL)
            names[n++] = arena_str(arena, rule->outputs[i].name).p;
    for (int i = 0; i < OUT_FIXED_COUNT; i++) {
        struct cel_type type;
        (void)rule_find_output(rule, str_of(output_names[i]), &type);
        if (plural(&type) == NULL)
            names[n++] = output_names[i];
    }
    names[n] = NULL;
    return names;
}

/* A key of group_by comes before an output of the same name. */
static bool read_name(struct rule_build *build, const struct yaml_node *node, struct per_key *key)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct rule *rule = build->rule;
    if (!check_text(diagnostics, node, "a name in 'per'", &key->name))
        return false;
    for (size_t i = 0; i < rule->group_count; i++)
        if (str_eq(rule->group[i].name, key->name)) {
            *key = (struct per_key){rule->group[i].name, (int)i, -1};
            return true;
        }
    struct cel_type type;
    int slot = rule_find_output(rule, key->name, &type);
    const char *what = slot >= 0 ? plural(&type) : NULL;
    *key = (struct per_key){key->name, -1, slot};
    if (slot >= 0 && what == NULL)
        return true;
    if (!build->group_known || !build->outputs_known)
        return false;
    if (slot == OUT_GROUP)
        diagnostic_at(diagnostics, node, false, "'group' is a map; name its keys");
    else if (slot >= 0)
        diagnostic_at(diagnostics, node, false, "'%.*s' is %s; 'per' takes single values", STR_ARG(key->name), what);
    else
        diagnostic_at(diagnostics, node, false, "'%.*s' is neither a key of group_by nor an output%s",
                      STR_ARG(key->name),
                      check_suggest(diagnostics->arena, key->name, known_names(build), "known are "));
    return false;
}

static bool is_twice(const struct yaml_node *node, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (node->items[i]->kind == YAML_SCALAR && node->items[j]->kind == YAML_SCALAR &&
            str_eq(node->items[i]->text, node->items[j]->text))
            return true;
    return false;
}

/* All keys of group_by in their order are what a recommendation has without `per`. */
static bool is_group(const struct rule *rule, const struct per_key *keys, size_t count)
{
    bool same = count == rule->group_count;
    for (size_t i = 0; same && i < count; i++)
        same = keys[i].key == (int)i;
    return same;
}

void rule_per_read(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    size_t errors_before = diagnostics->errors;
    if (!check_sequence(diagnostics, node, "per"))
        return;
    if (node->count > RULE_GROUP_KEYS_MAX) {
        diagnostic_at(diagnostics, node, false, "per has at most %d names, not %zu", RULE_GROUP_KEYS_MAX, node->count);
        return;
    }
    struct per_key *keys = arena_zalloc(build->loader->arena, (node->count + 1) * sizeof *keys);
    enum recommend_per kind = PER_KEYS;
    bool good = true;
    for (size_t i = 0; i < node->count; i++) {
        if (is_twice(node, i))
            diagnostic_at(diagnostics, node->items[i], false, "'%.*s' is in per twice", STR_ARG(node->items[i]->text));
        else
            good &= read_name(build, node->items[i], &keys[i]);
        if (keys[i].key < 0)
            kind = PER_OUTPUTS;
    }
    if (!good || diagnostics->errors > errors_before || is_group(build->rule, keys, node->count))
        return;
    recommend->per_kind = kind;
    recommend->per = keys;
    recommend->per_count = node->count;
}

void rule_needs_read(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend)
{
    static const char *const keys[] = {"detections", "within", NULL};
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (node == NULL || !check_mapping(diagnostics, node, "needs", keys))
        return;
    const struct yaml_node *detections = check_need(diagnostics, node, "needs", "detections");
    const struct yaml_node *within = check_need(diagnostics, node, "needs", "within");
    (void)check_int(diagnostics, detections, "detections", 1, NEEDS_DETECTIONS_MAX, &recommend->needs_detections);
    if (check_duration(diagnostics, within, "within", &recommend->needs_within_ms) &&
        (recommend->needs_within_ms <= 0 || recommend->needs_within_ms > WITHIN_MS_MAX))
        diagnostic_at(diagnostics, within, false, "within must be more than 0s and at most 3660d");
}
