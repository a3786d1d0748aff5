/* Rules that read rules: an input of stream `detection` reads the rules that its `match` on rule_id names, or, where it
 * names none, every rule that reads no detections itself. A rule is one level above the highest that it reads. */
#include "rule/rule_load.h"

static const struct match_term *rule_id_term(const struct rule_input *input)
{
    for (size_t i = 0; i < input->match_count; i++)
        if (input->match[i].field == DETECTION_RULE_ID)
            return &input->match[i];
    return NULL;
}

static bool reads_detections(const struct rule *rule)
{
    for (size_t i = 0; i < rule->input_count; i++)
        if (rule->inputs[i].stream != NULL && rule->inputs[i].stream->id == STREAM_DETECTION)
            return true;
    return false;
}

static const struct yaml_node *node_of(const struct loader *loader, size_t number, const struct rule_input *input)
{
    const struct yaml_node *from = yaml_get(loader->sources[number].node, "from");
    for (size_t i = 0; from != NULL && i < from->count; i++)
        if (str_eq(from->keys[i]->text, input->name))
            return from->keys[i];
    return loader->sources[number].node;
}

static void add_read(struct rule *rule, struct rule *read)
{
    for (size_t i = 0; i < rule->read_count; i++)
        if (rule->reads[i] == read)
            return;
    rule->reads[rule->read_count++] = read;
    read->is_read = true;
}

/* The rules that read no detections, as a term of the input's match: what lies above stays out of it. */
static void read_all(struct loader *loader, struct rule *rule, struct rule_input *input)
{
    struct ruleset *set = loader->set;
    struct value *ids = arena_alloc(loader->arena, (set->count + 1) * sizeof *ids);
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (reads_detections(&set->rules[i]))
            continue;
        ids[n++] = value_str(set->rules[i].id);
        add_read(rule, &set->rules[i]);
    }
    struct match_term *terms = arena_alloc(loader->arena, (input->match_count + 1) * sizeof *terms);
    if (input->match_count > 0)
        memcpy(terms, input->match, input->match_count * sizeof *terms);
    terms[input->match_count] = (struct match_term){DETECTION_RULE_ID, ids, n};
    input->match = terms;
    input->match_count++;
    input->reads |= FIELD_BIT(DETECTION_RULE_ID);
}

static void read_named(struct loader *loader, size_t number, struct rule_input *input, const struct match_term *term)
{
    struct ruleset *set = loader->set;
    for (size_t i = 0; i < term->count; i++) {
        struct rule *read = term->values[i].type == VALUE_STRING
                                ? (struct rule *)(uintptr_t)ruleset_find(set, value_as_str(term->values[i]))
                                : NULL;
        if (read != NULL) {
            add_read(&set->rules[number], read);
            continue;
        }
        const char **names = arena_alloc(loader->diagnostics->arena, (set->count + 1) * sizeof *names);
        for (size_t k = 0; k < set->count; k++)
            names[k] = set->rules[k].id.p;
        names[set->count] = NULL;
        struct str id = term->values[i].type == VALUE_STRING ? value_as_str(term->values[i]) : STR_LIT("null");
        diagnostic_at(loader->diagnostics, node_of(loader, number, input), false,
                      "there is no rule '%.*s' whose detections '%.*s' could read%s", STR_ARG(id), STR_ARG(input->name),
                      check_suggest(loader->diagnostics->arena, id, names, NULL));
    }
}

static void find_reads(struct loader *loader, size_t number)
{
    struct rule *rule = &loader->set->rules[number];
    if (!reads_detections(rule))
        return;
    rule->reads = arena_alloc(loader->arena, (loader->set->count + 1) * sizeof(struct rule *));
    for (size_t i = 0; i < rule->input_count; i++) {
        struct rule_input *input = &rule->inputs[i];
        if (input->stream == NULL || input->stream->id != STREAM_DETECTION)
            continue;
        const struct match_term *term = rule_id_term(input);
        if (term != NULL) {
            read_named(loader, number, input, term);
            continue;
        }
        input->any_rule = true;
        read_all(loader, rule, input);
    }
}

/* Raises every reader above what it reads, until nothing moves. A rule that would rise beyond the number of rules is in
 * a cycle. O(reads x levels). */
static void raise(struct loader *loader)
{
    struct ruleset *set = loader->set;
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; k < set->rules[i].read_count; k++)
            if (set->rules[i].reads[k] == &set->rules[i]) {
                diagnostic_at(loader->diagnostics, yaml_get(loader->sources[i].node, "from"), false,
                              "the rule '%.*s' reads its own detections", STR_ARG(set->rules[i].id));
                return;
            }
    size_t most = set->count < RULE_LEVELS_MAX ? set->count : RULE_LEVELS_MAX;
    set->level_max = 1;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < set->count; i++) {
            struct rule *rule = &set->rules[i];
            for (size_t k = 0; k < rule->read_count; k++) {
                const struct rule *read = rule->reads[k];
                if (rule->level > read->level)
                    continue;
                if (read->level >= most) {
                    diagnostic_at(loader->diagnostics, yaml_get(loader->sources[i].node, "from"), false,
                                  "the rules '%.*s' and '%.*s' read each other's detections, or a chain of rules is "
                                  "over 64 long",
                                  STR_ARG(rule->id), STR_ARG(read->id));
                    return;
                }
                rule->level = (uint8_t)(read->level + 1);
                moved = true;
            }
            if (rule->level > set->level_max)
                set->level_max = rule->level;
        }
    }
}

void rule_levels_resolve(struct loader *loader)
{
    for (size_t i = 0; i < loader->set->count; i++)
        find_reads(loader, i);
    raise(loader);
}
