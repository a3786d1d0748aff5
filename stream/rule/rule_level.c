/* Rules that read rules: an input of stream `detection` reads the rules that its `match` on rule_id names, one of
 * stream `scorecard` the scorecards that its `match` on id names, or, where it names none, every one that reads sources
 * only. A rule is one level above the highest that it reads, and so is a scorecard. */
#include "rule/rule_load.h"

#include <stdlib.h>

static const struct match_term *rule_id_term(const struct rule_input *input)
{
    for (size_t i = 0; i < input->match_count; i++)
        if (input->match[i].field == stream_maker_field(input->stream))
            return &input->match[i];
    return NULL;
}

static bool reads_rules(const struct rule_input *input)
{
    return input->stream != NULL && stream_maker_field(input->stream) >= 0;
}

static bool is_above(const struct rule *rule)
{
    for (size_t i = 0; i < rule->input_count; i++)
        if (reads_rules(&rule->inputs[i]))
            return true;
    return false;
}

/* Makes the events of the input's stream: scorecards theirs, rules detections. */
static bool makes(const struct rule *rule, const struct stream *stream)
{
    return (rule->scorecard != NULL) == (stream->id == STREAM_SCORECARD);
}

static const struct yaml_node *node_of(const struct loader *loader, size_t number, const struct rule_input *input)
{
    const struct yaml_node *from = yaml_get(loader->sources[number].node, "from");
    for (size_t i = 0; from != NULL && i < from->count; i++)
        if (str_eq(from->keys[i]->text, input->name))
            return from->keys[i];
    return loader->sources[number].node;
}

/* What one rule reads, while it is gathered, and what all read, which is bounded: it is as long as both together. */
struct reads {
    struct loader *loader;
    struct rule **rules; /* heap, room for all rules */
    size_t count;
    size_t *seen_by; /* of each rule the number, from 1, of the reader that it was gathered for last */
    size_t reader;
    size_t total;
};
enum { READS_MAX = 1000 * 1000 };

static void add_read(struct reads *reads, struct rule *read)
{
    size_t *seen = &reads->seen_by[read - reads->loader->set->rules];
    if (*seen == reads->reader + 1)
        return;
    *seen = reads->reader + 1;
    reads->rules[reads->count++] = read;
    read->is_read = true;
}

/* All that read sources only, as a term of the input's match: what lies above stays out of it. */
static void read_all(struct reads *reads, struct rule_input *input)
{
    struct loader *loader = reads->loader;
    struct ruleset *set = loader->set;
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++)
        n += makes(&set->rules[i], input->stream) && !is_above(&set->rules[i]);
    struct value *ids = arena_alloc(loader->arena, (n + 1) * sizeof *ids);
    n = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!makes(&set->rules[i], input->stream) || is_above(&set->rules[i]))
            continue;
        ids[n++] = value_str(set->rules[i].id);
        add_read(reads, &set->rules[i]);
    }
    struct match_term *terms = arena_alloc(loader->arena, (input->match_count + 1) * sizeof *terms);
    if (input->match_count > 0)
        memcpy(terms, input->match, input->match_count * sizeof *terms);
    terms[input->match_count] = (struct match_term){stream_maker_field(input->stream), ids, n};
    input->match = terms;
    input->match_count++;
    input->reads |= FIELD_BIT(stream_maker_field(input->stream));
}

static void read_named(struct reads *reads, const struct rule_input *input, const struct match_term *term)
{
    struct loader *loader = reads->loader;
    for (size_t i = 0; i < term->count; i++) {
        struct str id = term->values[i].type == VALUE_STRING ? value_as_str(term->values[i]) : STR_LIT("null");
        struct rule *read =
            term->values[i].type == VALUE_STRING ? (struct rule *)(uintptr_t)ruleset_find(loader->set, id) : NULL;
        const struct yaml_node *at = node_of(loader, reads->reader, input);
        bool scorecards = input->stream->id == STREAM_SCORECARD;
        if (read != NULL && makes(read, input->stream))
            add_read(reads, read);
        else if (read != NULL)
            diagnostic_at(loader->diagnostics, at, NULL, "'%.*s' is a %s; read it by {stream: %s, match: {%s: %.*s}}",
                          STR_ARG(id), scorecards ? "rule" : "scorecard", scorecards ? "detection" : "scorecard",
                          scorecards ? "rule_id" : "id", STR_ARG(id));
        else if (scorecards)
            diagnostic_at(loader->diagnostics, at, NULL, "there is no scorecard '%.*s' that '%.*s' could read%s",
                          STR_ARG(id), STR_ARG(input->name), rule_suggest(loader, id));
        else
            diagnostic_at(loader->diagnostics, at, NULL, "there is no rule '%.*s' whose detections '%.*s' could read%s",
                          STR_ARG(id), STR_ARG(input->name), rule_suggest(loader, id));
    }
}

static void find_reads(struct reads *reads, size_t number)
{
    struct loader *loader = reads->loader;
    struct rule *rule = &loader->set->rules[number];
    if (!is_above(rule) || reads->total > READS_MAX)
        return;
    reads->reader = number;
    reads->count = 0;
    for (size_t i = 0; i < rule->input_count; i++) {
        struct rule_input *input = &rule->inputs[i];
        if (!reads_rules(input))
            continue;
        const struct match_term *term = rule_id_term(input);
        reads->total += term != NULL ? term->count : loader->set->count;
        if (reads->total > READS_MAX) {
            diagnostic_at(loader->diagnostics, node_of(loader, number, input), NULL,
                          "the rules together read the detections of others over %d times; name fewer of them by "
                          "match: {rule_id: [...]}",
                          READS_MAX);
            return;
        }
        input->any_rule = term == NULL;
        if (term != NULL)
            read_named(reads, input, term);
        else
            read_all(reads, input);
    }
    rule->reads = arena_alloc(loader->arena, (reads->count + 1) * sizeof *rule->reads);
    memcpy(rule->reads, reads->rules, reads->count * sizeof *rule->reads);
    rule->read_count = reads->count;
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
                              set->rules[i].scorecard != NULL ? "the scorecard '%.*s' reads itself"
                                                              : "the rule '%.*s' reads its own detections",
                              STR_ARG(set->rules[i].id));
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
                                  rule->scorecard != NULL || read->scorecard != NULL
                                      ? "'%.*s' and '%.*s' read each other, or a chain is over 64 long"
                                      : "the rules '%.*s' and '%.*s' read each other's detections, or a chain of rules "
                                        "is over 64 long",
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
    size_t count = loader->set->count;
    struct reads reads = {.loader = loader,
                          .rules = mem_alloc((count + 1) * sizeof *reads.rules),
                          .seen_by = mem_zalloc((count + 1) * sizeof *reads.seen_by)};
    for (size_t i = 0; i < count; i++)
        find_reads(&reads, i);
    free(reads.rules);
    free(reads.seen_by);
    raise(loader);
}
