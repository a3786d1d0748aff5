/* The facts of a rule that do not depend on its detector: inputs, condition, recommendation, levels, way, meaning. */
#include <stdlib.h>

#include "cli/explain.h"
#include "detect/detector.h"
#include "rule/cel_possible.h"
#include "rule/index.h"

static struct value fields_read(const struct explanation *e, const struct rule_input *input, const char **text)
{
    struct value names[STREAM_FIELDS_MAX];
    size_t n = 0;
    *text = "";
    for (int i = 0; i < input->stream->field_count; i++)
        if ((input->reads & FIELD_BIT(i)) != 0) {
            names[n++] = value_text(input->stream->fields[i].name);
            *text = explain_join(e, *text, ", ", str_of(input->stream->fields[i].name));
        }
    return explain_list(e, names, n);
}

/* How its events get from map to the group. */
static const char *transport(const struct explanation *e, const struct rule_input *input)
{
    if (!input->detects)
        return "measured";
    if (detector_folds(e->rule, input))
        return "folded";
    return input->stream->rows && !input->updates ? "rows" : "forwarded";
}

static const char *transport_words(const struct explanation *e, const char *kind)
{
    if (strcmp(kind, "measured") == 0)
        return "Only 'validate' reads it; it takes no part in detection.";
    if (strcmp(kind, "folded") == 0)
        return arena_printf(e->arena, "Folded into panes of %s before it reaches the group.",
                            explain_span(e, e->rule->window.pane_ms));
    if (strcmp(kind, "rows") == 0 && e->rule->window.kind == WINDOW_NONE)
        return "Updates fold into rows; a row counts once, when it becomes selected.";
    if (strcmp(kind, "rows") == 0)
        return "Updates fold into rows; each change of a row reaches the group.";
    return "Each event is forwarded to the group by itself.";
}

static struct value match_value(const struct explanation *e, const struct rule_input *input)
{
    struct value pairs[2 * STREAM_FIELDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < input->match_count && n < STREAM_FIELDS_MAX; i++, n++) {
        pairs[2 * n] = value_text(input->stream->fields[input->match[i].field].name);
        pairs[2 * n + 1] = value_list(input->match[i].values, input->match[i].count);
    }
    return explain_map(e, pairs, n);
}

static bool sees_rows(const struct rule *rule, const struct rule_input *input)
{
    (void)rule;
    return input->detects && input->stream->rows && !input->updates;
}

static bool sees_events(const struct rule *rule, const struct rule_input *input)
{
    return input->detects && !sees_rows(rule, input);
}

/* How events find the input, among all rules of the set. */
static const char *way_words(const struct explanation *e, const struct rule_input *input, struct value *fields)
{
    struct value names[STREAM_FIELDS_MAX];
    size_t n = 0;
    const char *text = "";
    *fields = value_null();
    if (!input->detects)
        return "";
    struct rule_index *index =
        rule_index_new(e->rules, input->stream->id, sees_rows(e->rule, input) ? sees_rows : sees_events);
    field_mask way = rule_index_way(index, input);
    for (int i = 0; i < input->stream->field_count; i++)
        if ((way & FIELD_BIT(i)) != 0) {
            names[n++] = value_text(input->stream->fields[i].name);
            text = explain_join(e, text, " and ", str_of(input->stream->fields[i].name));
        }
    rule_index_free(index);
    *fields = explain_list(e, names, n);
    return n == 0 ? " Every event of the stream is tried against it." : arena_printf(e->arena, " Found by %s.", text);
}

static void explain_inputs(struct explanation *e)
{
    for (size_t i = 0; i < e->rule->input_count; i++) {
        const struct rule_input *input = &e->rule->inputs[i];
        const char *reads;
        struct value fields = fields_read(e, input, &reads);
        const char *kind = transport(e, input);
        struct value way;
        const char *found = way_words(e, input, &way);
        struct value where = input->where == NULL ? value_null() : value_text(explain_canonical(e, input->where));
        const char *selected = explain_input(e, input);
        struct value value =
            EXPLAIN_MAP(e, value_text("stream"), value_text(input->stream->name), value_text("match"),
                        match_value(e, input), value_text("where"), where, value_text("updates"),
                        value_bool(input->updates), value_text("selects"), value_text(selected), value_text("reads"),
                        fields, value_text("found_by"), way, value_text("transport"), value_text(kind));
        explain_labelled(e, "inputs", arena_str(e->arena, input->name).p, value,
                         arena_printf(e->arena, "%s.%s Reads %s. %s", selected, found,
                                      *reads == '\0' ? "no field" : reads, transport_words(e, kind)));
    }
}

/* Gathers the conditions of `when`. */
struct conditions {
    struct explanation *e;
    struct value *items;
    size_t count;
    size_t cap;
};

static void add_condition(void *context, const struct cel *condition)
{
    struct conditions *conditions = context;
    struct explanation *e = conditions->e;
    const char *text = explain_canonical(e, condition);
    const char *words = explain_words(e, condition, NULL);
    conditions->items = mem_grow(conditions->items, conditions->count, &conditions->cap, sizeof *conditions->items);
    conditions->items[conditions->count++] =
        EXPLAIN_MAP(e, value_text("condition"), value_text(text), value_text("means"), value_text(words));
    explain_add(e, "when", NULL, value_null(), NULL);
    e->facts[e->count - 1].label = text;
    e->facts[e->count - 1].text = words;
}

static void explain_conditions(struct explanation *e)
{
    if (e->rule->when == NULL) {
        explain_add(e, "when", "condition", value_null(), "There is no condition beyond the detector's own.");
        return;
    }
    struct conditions conditions = {.e = e};
    explain_add(e, "when", "condition", value_text(explain_canonical(e, e->rule->when)),
                explain_canonical(e, e->rule->when));
    cel_conditions(e->rule->when, add_condition, &conditions);
    if (conditions.count == 1)
        e->facts[e->count - 2].text = NULL; /* the whole and its one part are the same */
    explain_add(e, "when", "means", value_text(explain_words(e, e->rule->when, NULL)), NULL);
    explain_add(e, "when", "conditions", explain_list(e, conditions.items, conditions.count),
                "What is unknown, such as a mean of nothing, makes a comparison false.");
    free(conditions.items);
}

/* What identifies a recommendation: `per`, else the group. */
static const char *identity(const struct explanation *e, struct value *names)
{
    const struct yaml_node *per = yaml_get(yaml_get(e->rule->node, "recommend"), "per");
    size_t n = per != NULL ? per->count : e->rule->group_count;
    struct value *items = arena_alloc(e->arena, (n + 1) * sizeof *items);
    const char *text = "";
    for (size_t i = 0; i < n; i++) {
        struct str name = per != NULL ? per->items[i]->text : e->rule->group[i].name;
        items[i] = value_str(name);
        text = explain_join(e, text, i + 1 < n ? ", " : " and ", name);
    }
    *names = value_list(items, n);
    return text;
}

static const char *title_of(const struct explanation *e)
{
    const struct yaml_node *title = yaml_get(yaml_get(e->rule->node, "recommend"), "title");
    return title == NULL ? "" : title->text.p;
}

static void explain_recommendation(struct explanation *e)
{
    const struct recommend *recommend = e->rule->recommend;
    const char *section = "recommendation";
    struct value names;
    if (recommend == NULL) {
        explain_add(e, section, NULL, value_null(), "None: the rule makes detections only, for other rules to read.");
        return;
    }
    const char *per = identity(e, &names);
    explain_add(e, section, "title", value_text(title_of(e)), NULL);
    explain_add(e, section, "category", value_text(category_names[recommend->category]), NULL);
    explain_add(e, section, "complexity", value_text(recommend->complexity_high ? "high" : "low"), NULL);
    explain_add(e, section, "roadmap", value_text(roadmap_names[recommend->roadmap]),
                arena_printf(e->arena, "%s: %s, complexity %s, roadmap %s.", title_of(e),
                             category_names[recommend->category], recommend->complexity_high ? "high" : "low",
                             roadmap_names[recommend->roadmap]));
    explain_add(e, section, "per", names,
                *per == '\0'
                    ? arena_printf(e->arena, "There is one, with the id %.*s:<16 hex digits>.", STR_ARG(e->rule->id))
                    : arena_printf(e->arena, "One for each %s, with the id %.*s:<16 hex digits of it>.", per,
                                   STR_ARG(e->rule->id)));
    const struct yaml_node *needs = yaml_get(yaml_get(e->rule->node, "recommend"), "needs");
    const struct yaml_node *detections = yaml_get(needs, "detections");
    const struct yaml_node *within = yaml_get(needs, "within");
    if (detections != NULL && within != NULL)
        explain_add(e, section, "needs",
                    EXPLAIN_MAP(e, value_text("detections"), value_str(detections->text), value_text("within"),
                                value_str(within->text)),
                    arena_printf(e->arena,
                                 "It is made, or reopened, at the detection that is at least number %.*s within %.*s.",
                                 STR_ARG(detections->text), STR_ARG(within->text)));
    explain_add(e, section, "cooldown_ms", value_int(recommend->cooldown_ms),
                recommend->cooldown_ms == 0
                    ? "Every change is published at once (cooldown 0s)."
                    : arena_printf(e->arena,
                                   "Detections and changes of status or impact level are published at once, other "
                                   "changes at most once in %s (cooldown).",
                                   explain_span(e, recommend->cooldown_ms)));
    if (!e->rule->reads_incidents)
        explain_add(e, section, "severity", value_str(recommend->severity),
                    arena_printf(e->arena, "No input reads incidents: each day with a firing weighs as %.*s.",
                                 STR_ARG(recommend->severity)));
}

static struct str target_words(const void *context, int slot)
{
    static const char *const words[SCORECARD_SLOT_COUNT] = {"the value", "that of the window before", "the change"};
    (void)context;
    return str_of(words[slot]);
}

/* In place of a condition and a recommendation. */
static void explain_scorecard(struct explanation *e)
{
    const struct scorecard *scorecard = e->rule->scorecard;
    const char *section = "scorecard";
    const char *value = explain_canonical(e, scorecard->value);
    struct buf text = {0};
    explain_add(e, section, "value", value_text(value),
                arena_printf(e->arena,
                             "The value is %s: %s. It is shown beside that of the window before, with the change from "
                             "it (value / previous - 1), durations in milliseconds.",
                             value, explain_words(e, scorecard->value, NULL)));
    if (scorecard->target == NULL) {
        explain_add(e, section, "target", value_null(), "It has no target.");
    } else {
        cel_put_words(&text, scorecard->target, &(struct cel_words){.slot = target_words});
        const char *words = arena_str(e->arena, buf_str(&text)).p;
        explain_add(e, section, "target", value_text(explain_canonical(e, scorecard->target)),
                    arena_printf(e->arena, "The target is met if %s; it is not told of what is unknown.", words));
    }
    buf_fini(&text);
    explain_add(e, section, "id", value_str(e->rule->id),
                e->rule->group_count == 0
                    ? arena_printf(e->arena, "There is one, with the id %.*s:<16 hex digits>.", STR_ARG(e->rule->id))
                    : arena_printf(e->arena, "One for each %s, with the id %.*s:<16 hex digits of it>.",
                                   explain_group(e), STR_ARG(e->rule->id)));
}

static void explain_levels(struct explanation *e)
{
    const struct rule *rule = e->rule;
    struct value *ids = arena_alloc(e->arena, (e->rules->count + rule->read_count + 1) * sizeof *ids);
    const char *reads = "";
    const char *readers = "";
    size_t n = 0;
    for (size_t i = 0; i < rule->read_count; i++) {
        ids[n++] = value_str(rule->reads[i]->id);
        reads = explain_join(e, reads, ", ", rule->reads[i]->id);
    }
    explain_add(e, "levels", "level", value_int(rule->level),
                *reads == '\0' ? "It reads sources only, so it is on level 1."
                               : arena_printf(e->arena, "It reads %s, so it is on level %d.", reads, rule->level));
    explain_add(e, "levels", "reads", explain_list(e, ids, n), NULL);
    n = 0;
    for (size_t i = 0; i < e->rules->count; i++)
        for (size_t k = 0; k < e->rules->rules[i].read_count; k++)
            if (str_eq(e->rules->rules[i].reads[k]->id, rule->id)) {
                ids[n++] = value_str(e->rules->rules[i].id);
                readers = explain_join(e, readers, ", ", e->rules->rules[i].id);
            }
    explain_add(e, "levels", "read_by", explain_list(e, ids, n),
                *readers == '\0' ? "No rule reads it." : arena_printf(e->arena, "It is read by %s.", readers));
}

/* Topics of the streams that the inputs read; without a configuration, the streams. */
static const char *sources_of(const struct explanation *e, struct value *topics)
{
    bool seen[STREAM_COUNT] = {false};
    struct value *items = arena_alloc(e->arena, (e->config->source_count + 1) * sizeof *items);
    size_t n = 0;
    const char *text = "";
    for (size_t i = 0; i < e->rule->input_count; i++) {
        const struct stream *stream = e->rule->inputs[i].stream;
        if (seen[stream->id] || stream->record == NULL)
            continue;
        seen[stream->id] = true;
        bool found = false;
        for (size_t k = 0; k < e->config->source_count; k++)
            if (e->config->sources[k].stream == stream) {
                items[n++] = value_str(e->config->sources[k].topic);
                text = explain_join(e, text, ", ", e->config->sources[k].topic);
                found = true;
            }
        if (!found)
            text = explain_join(
                e, text, ", ",
                str_of(arena_printf(e->arena, e->configured ? "no topic of stream %s" : "the topics of stream %s",
                                    stream->name)));
    }
    *topics = value_list(items, n);
    return *text == '\0' ? "what rules make" : text;
}

static void explain_path(struct explanation *e)
{
    const struct config *config = e->config;
    const char *application = arena_str(e->arena, config->application_id).p;
    const char *changelog = arena_printf(e->arena, "%s-changelog", application);
    bool scores = e->rule->scorecard != NULL;
    const char *output = arena_str(e->arena, scores ? config->scorecards.topic : config->recommendations.topic).p;
    const char *group = explain_group(e);
    struct value topics;
    const char *sources = sources_of(e, &topics);
    explain_add(e, "path", "sources", topics, arena_printf(e->arena, "From %s", sources));
    explain_add(e, "path", "exchange", value_text(config->exchange == EXCHANGE_LOCAL ? "local" : "kafka"),
                arena_printf(e->arena, "-> map: match, then fold or forward\n-> exchange (%s)",
                             config->exchange == EXCHANGE_LOCAL ? "local" : "kafka"));
    explain_add(e, "path", "tasks", value_int(config->tasks),
                arena_printf(e->arena, "-> %s of %d tasks, state in the changelog %s",
                             *group == '\0' ? "one" : "by the hash of the group, one", config->tasks, changelog));
    explain_add(e, "path", "changelog", value_text(changelog), NULL);
    bool published = scores || e->rule->recommend != NULL;
    explain_add(e, "path", "output", published ? value_text(output) : value_null(),
                published ? arena_printf(e->arena, "-> %s", output) : "-> rules that read its detections");
    if (!e->configured)
        explain_add(e, "path", NULL, value_null(),
                    "With -c FILE the topics, names and limits are those of a configuration.");
}

static void explain_meaning(struct explanation *e)
{
    const char *hash = arena_printf(e->arena, "%016llx", (unsigned long long)e->rule->hash);
    explain_add(e, "meaning", "hash", value_text(hash),
                arena_printf(e->arena,
                             "Its state is found by the hash %s of id, inputs, grouping, %s. A change of one of "
                             "those starts anew; %s and tests may change.",
                             hash, e->rule->scorecard != NULL ? "window and value" : "detector and 'when'",
                             e->rule->scorecard != NULL ? "target" : "title, spec, validate"));
}

/* A few sentences, the description first. */
static void explain_summary(struct explanation *e)
{
    const struct rule *rule = e->rule;
    const char *inputs = "";
    for (size_t i = 0; i < rule->input_count; i++)
        if (rule->inputs[i].detects)
            inputs = explain_join(e, inputs, "; ",
                                  str_of(arena_printf(e->arena, "%s (%.*s)", explain_input(e, &rule->inputs[i]),
                                                      STR_ARG(rule->inputs[i].name))));
    const char *group = explain_group(e);
    const char *does = "it fires";
    if (rule->scorecard != NULL)
        does = arena_printf(e->arena, "it shows %s", explain_words(e, rule->scorecard->value, NULL));
    else if (rule->when != NULL)
        does = arena_printf(e->arena, "it fires if %s", explain_words(e, rule->when, NULL));
    const char *text =
        arena_printf(e->arena, "It looks at %s. %s%s, %s, %s.", inputs,
                     *group == '\0' ? "Over all of them" : "For each ", group, explain_detector_phrase(e), does);
    if (rule->description.n > 0)
        explain_add(e, "summary", "description", value_str(rule->description),
                    arena_printf(e->arena, "%.*s.", STR_ARG(rule->description)));
    explain_add(e, "summary", "detects", value_text(text), text);
    struct value names;
    const char *per = identity(e, &names);
    const struct yaml_node *needs = yaml_get(yaml_get(rule->node, "recommend"), "needs");
    const char *after = needs == NULL
                            ? ""
                            : arena_printf(e->arena, ", after %s detections within %s",
                                           yaml_get(needs, "detections")->text.p, yaml_get(needs, "within")->text.p);
    if (rule->recommend != NULL)
        explain_add(e, "summary", NULL, value_null(),
                    arena_printf(e->arena, "It then recommends%s%s%s: %s.", *per == '\0' ? "" : ", once for each ", per,
                                 after, title_of(e)));
}

void explain_rule(struct explanation *e)
{
    explain_summary(e);
    explain_inputs(e);
    explain_detection(e);
    if (e->rule->scorecard != NULL) {
        explain_scorecard(e);
    } else {
        explain_conditions(e);
        explain_recommendation(e);
    }
    explain_state(e);
    explain_validation(e);
    explain_levels(e);
    explain_path(e);
    explain_meaning(e);
}
