/* `from`: the named inputs of a rule. They are kept in the order of their names, so that the order written means
 * nothing. */
#include "rule/rule_load.h"

#include <stdlib.h>

static const char *const input_keys[] = {"stream", "match", "where", "group_by", "updates", NULL};
static const char *const stream_names[] = {"incident", "deployment", "telemetry", "detection", "scorecard", NULL};

static void read_stream(struct rule_build *build, const struct yaml_node *node, struct rule_input *input)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *stream = check_need(diagnostics, node, "an input", "stream");
    struct str name;
    if (!check_text(diagnostics, stream, "stream", &name))
        return;
    if (check_symbol(diagnostics, stream, "stream", stream_names) >= 0)
        input->stream = stream_find(name);
}

/* A constant condition is a slip of the pen: it selects everything or nothing. */
static void check_constant(struct rule_build *build, const struct yaml_node *node, const struct cel *where)
{
    struct arena scratch = {0};
    if (cel_event_fields(where) == 0 && cel_result_type(where).type == VALUE_BOOL) {
        struct event event;
        event_clear(&event, stream_get(STREAM_TELEMETRY));
        struct cel_frame frame = {.event = &event, .arena = &scratch};
        struct value value = cel_eval(where, &frame);
        if (value.type == VALUE_BOOL && !value.b)
            diagnostic_at(build->loader->diagnostics, node, false, "this is never true, so the input selects nothing");
    }
    arena_fini(&scratch);
}

void rule_derived_check(struct rule_build *build, const struct yaml_node *node, const struct rule_input *input,
                        const struct cel *expr)
{
    for (int i = input->stream->record_field_count; input->updates && i < input->stream->field_count; i++)
        if (cel_event_fields(expr) & FIELD_BIT(i))
            diagnostic_at(build->loader->diagnostics, node, false,
                          "'%s' is a row's; an input with updates: true reads records", input->stream->fields[i].name);
}

void rule_where_check(struct rule_build *build, const struct yaml_node *node, const struct rule_input *input,
                      const struct cel *where)
{
    check_constant(build, node, where);
    rule_derived_check(build, node, input, where);
}

static void read_where(struct rule_build *build, const struct yaml_node *node, struct rule_input *input)
{
    if (node == NULL || input->stream == NULL)
        return;
    struct scope scope;
    scope_init(&scope, build, SCOPE_EVENT);
    scope.stream = input->stream;
    input->where = scope_compile(&scope, node, "where", VALUE_BOOL);
    if (input->where != NULL)
        rule_where_check(build, node, input, input->where);
}

static void read_input(struct rule_build *build, const struct yaml_node *node, struct rule_input *input)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (!check_mapping(diagnostics, node, "an input", input_keys))
        return;
    read_stream(build, node, input);
    const struct yaml_node *updates = yaml_get(node, "updates");
    if (check_bool(diagnostics, updates, "updates", &input->updates) && input->updates && input->stream != NULL &&
        !input->stream->rows) {
        diagnostic_at(diagnostics, updates, false, "stream '%s' has no rows, so it has no updates of them",
                      input->stream->name);
        input->updates = false;
    }
    rule_match_read(build, yaml_get(node, "match"), input);
    read_where(build, yaml_get(node, "where"), input);
}

struct named_node {
    const struct yaml_node *key;
    const struct yaml_node *node;
};

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct named_node *)a)->key->text, ((const struct named_node *)b)->key->text);
}

static void check_name(struct rule_build *build, const struct yaml_node *key)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    if (!name_is_identifier(key->text))
        diagnostic_at(diagnostics, key, false,
                      "'%.*s' is no name for an input; take letters, digits and _, a letter first", STR_ARG(key->text));
    else if (rule_name_reserved(key->text))
        diagnostic_at(diagnostics, key, false,
                      "'%.*s' has a meaning of its own in expressions; name the input otherwise", STR_ARG(key->text));
    else if (map_get(&build->file->macros, key->text) != NULL || map_get(&build->file->lists, key->text) != NULL)
        diagnostic_at(diagnostics, key, false, "'%.*s' is a %s of this file too; name the input otherwise",
                      STR_ARG(key->text), map_get(&build->file->macros, key->text) != NULL ? "macro" : "list");
}

void rule_inputs_read(struct rule_build *build)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    const struct yaml_node *from =
        check_need(diagnostics, build->node, build->rule->scorecard != NULL ? "a scorecard" : "a rule", "from");
    if (!check_map(diagnostics, from, "from"))
        return;
    const struct yaml_node *stream = yaml_get(from, "stream");
    if (stream != NULL && stream->kind == YAML_SCALAR) {
        diagnostic_at(diagnostics, from, false, "an input has a name: write {NAME: {stream: %.*s, ...}}",
                      STR_ARG(stream->text));
        return;
    }
    if (from->count == 0 || from->count > RULE_INPUTS_MAX) {
        diagnostic_at(diagnostics, from, false, "%s has from 1 to %d inputs, not %zu",
                      build->rule->scorecard != NULL ? "a scorecard" : "a rule", RULE_INPUTS_MAX, from->count);
        return;
    }
    struct named_node named[RULE_INPUTS_MAX];
    for (size_t i = 0; i < from->count; i++)
        named[i] = (struct named_node){from->keys[i], from->items[i]};
    qsort(named, from->count, sizeof *named, by_name);
    struct rule *rule = build->rule;
    rule->inputs = arena_zalloc(build->loader->arena, from->count * sizeof *rule->inputs);
    rule->input_count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        rule->inputs[i].name = named[i].key->text;
        build->input_nodes[i] = named[i].node;
    }
    for (size_t i = 0; i < from->count; i++) {
        check_name(build, named[i].key);
        read_input(build, named[i].node, &rule->inputs[i]);
    }
}
