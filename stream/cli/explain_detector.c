/* What the detectors look at, when they are evaluated and what they keep: a row of a table each. */
#include "cli/explain_detector.h"

#include "detect/detector.h"
#include "detect/group.h"

/* A field in an encoded event, and a remembered value, by experience: for estimates. */
enum { FIELD_BYTES = 24, REMEMBERED_BYTES = 64, EVENT_HEAD_BYTES = 16, GROUP_BYTES = 256 };

double explain_event_bytes(const struct explanation *e)
{
    double most = 0;
    for (size_t i = 0; i < e->rule->input_count; i++) {
        const struct rule_input *input = &e->rule->inputs[i];
        int fields = __builtin_popcountll((unsigned long long)(input->reads | pane_evidence_fields(input->stream)));
        double bytes = EVENT_HEAD_BYTES + FIELD_BYTES * fields;
        most = input->detects && bytes > most ? bytes : most;
    }
    return most;
}

void explain_bound(struct explanation *e, const char *what, int64_t count, double each, const char *text)
{
    double group = (double)count * each + GROUP_BYTES;
    explain_add(e, "state", what, value_int(count), NULL);
    explain_add(e, "state", "bytes_each", value_int((int64_t)each), NULL);
    explain_add(e, "state", "bytes_group_max", value_int((int64_t)group),
                arena_printf(e->arena, "%s, about %s each: at most %s for a group.", text, explain_bytes(e, each),
                             explain_bytes(e, group)));
}

void explain_entries(struct explanation *e, const char *span)
{
    int64_t most = e->config->window_events_max;
    explain_bound(e, "entries_max", most, (double)sizeof(struct entry) + explain_event_bytes(e),
                  arena_printf(e->arena,
                               "A group keeps the rows and events of %s one by one, at most %s (limits.window_events)",
                               span, explain_number(e, most)));
}

static double pane_estimate(const struct explanation *e)
{
    struct pane *pane = pane_new(e->rule, 0);
    double bytes = (double)pane_bytes(pane) + explain_event_bytes(e);
    pane_free(pane);
    return bytes;
}

/* What some functions keep beside a pane's fixed part, and only once there is much to keep. */
static void add_growing(struct explanation *e, const char *key, const char *what, bool (*grows)(int function),
                        int64_t bytes)
{
    bool any = false;
    for (size_t i = 0; i < e->rule->aggregate_count; i++)
        any |= e->rule->aggregates[i].detects && grows(e->rule->aggregates[i].function);
    if (any)
        explain_add(e, "state", key, value_int(bytes),
                    arena_printf(e->arena, "Each %s keeps up to %s a pane beside that; beyond, it estimates.", what,
                                 explain_bytes(e, (double)bytes)));
}

static bool is_distinct(int function)
{
    return function == AGGREGATE_DISTINCT;
}

static bool shares(const struct explanation *e)
{
    bool any = false;
    for (size_t i = 0; i < e->rule->aggregate_count; i++)
        any |= e->rule->aggregates[i].detects && e->rule->aggregates[i].function == AGGREGATE_SHARE;
    return any;
}

static bool is_percentile(int function)
{
    return function == AGGREGATE_P50 || function == AGGREGATE_P90 || function == AGGREGATE_P95 ||
           function == AGGREGATE_P99;
}

/* Panes of `pane_ms` over `span_ms`; rows beside them are kept one by one. */
static void add_panes(struct explanation *e, int64_t span_ms, int64_t pane_ms)
{
    int64_t most = (span_ms + pane_ms - 1) / pane_ms + 1;
    bool folds = false;
    bool rows = false;
    for (size_t i = 0; i < e->rule->input_count; i++) {
        bool folded = detector_folds(e->rule, &e->rule->inputs[i]);
        folds |= e->rule->inputs[i].detects && folded;
        rows |= e->rule->inputs[i].detects && !folded;
    }
    if (folds) {
        explain_bound(e, "panes_max", most, pane_estimate(e),
                      arena_printf(e->arena, "A group keeps panes of %s, at most %s", explain_span(e, pane_ms),
                                   explain_number(e, most)));
        add_growing(e, "distinct_bytes_max", shares(e) ? "distinct() and input of share()" : "distinct()", is_distinct,
                    INT64_C(8) * DISTINCT_MAX);
        add_growing(e, "percentile_bytes_max", "percentile", is_percentile,
                    (int64_t)sizeof(struct histogram_bucket) * HISTOGRAM_BUCKETS_MAX);
    }
    if (rows)
        explain_entries(e,
                        e->rule->look_back_ms > 0 ? "its windows and of those that they look back on" : "its windows");
}

void explain_panes(struct explanation *e)
{
    const struct window *window = &e->rule->window;
    add_panes(e, window->size_ms + window->wait_ms + e->rule->look_back_ms, window->pane_ms);
}

static const char *input_name(const struct explanation *e, int input)
{
    return arena_str(e->arena, e->rule->inputs[input].name).p;
}

/* Firings of the detectors that match: each is a detection of its own. */
static const char match_words[] = "Each match with 'when' true is a firing and a detection.";

static const char *absence_phrase(const struct explanation *e)
{
    return arena_printf(e->arena, "when none has come for %s since the last one",
                        explain_span(e, e->rule->spec.absence->every_ms));
}

static void absence_detection(struct explanation *e)
{
    const struct absence_spec *spec = e->rule->spec.absence;
    explain_add(e, "detection", "of", value_text(input_name(e, spec->of)), NULL);
    explain_add(
        e, "detection", "every_ms", value_int(spec->every_ms),
        arena_printf(
            e->arena,
            "A group is known from its first %s on. It is evaluated once %s after its newest one, unless another "
            "comes until then, that time included, and again only after the next. %s",
            input_name(e, spec->of), explain_span(e, spec->every_ms), match_words));
}

static void absence_state(struct explanation *e)
{
    explain_add(e, "state", "bytes_group_max", value_int((int64_t)explain_event_bytes(e) + GROUP_BYTES),
                arena_printf(e->arena, "A group keeps its newest event, about %s.",
                             explain_bytes(e, explain_event_bytes(e) + GROUP_BYTES)));
}

static const char *cascade_phrase(const struct explanation *e)
{
    return arena_printf(e->arena, "when services that are joined in the topology have some within %s of the first",
                        explain_span(e, e->rule->spec.cascade->within_ms));
}

static void cascade_detection(struct explanation *e)
{
    const struct cascade_spec *spec = e->rule->spec.cascade;
    const char *within = explain_span(e, spec->within_ms);
    explain_add(e, "detection", "of", value_text(input_name(e, spec->of)), NULL);
    explain_add(
        e, "detection", "within_ms", value_int(spec->within_ms),
        arena_printf(
            e->arena,
            "A cascade is what %s have within %s of the first one, of services that are joined in the topology of "
            "all files. It is evaluated once, at first + %s, what lies exactly there included. root is the affected "
            "service that all others reach, else their nearest common dependency, else null. %s",
            input_name(e, spec->of), within, within, match_words));
}

static void cascade_state(struct explanation *e)
{
    explain_entries(e, arena_printf(e->arena, "the last %s", explain_span(e, e->rule->spec.cascade->within_ms)));
}

static const char *new_value_phrase(const struct explanation *e)
{
    const struct memory_spec *spec = e->rule->spec.memory;
    return arena_printf(e->arena, "when one comes whose value, %s, was not seen for %s",
                        explain_words(e, spec->value, e->rule->inputs[spec->of].stream),
                        explain_span(e, spec->memory_ms));
}

static const char *revert_phrase(const struct explanation *e)
{
    const struct memory_spec *spec = e->rule->spec.memory;
    return arena_printf(
        e->arena, "when one comes whose value, %s, was seen in the last %s and had given way to another",
        explain_words(e, spec->value, e->rule->inputs[spec->of].stream), explain_span(e, spec->memory_ms));
}

static void memory_detection(struct explanation *e)
{
    const struct memory_spec *spec = e->rule->spec.memory;
    explain_add(e, "detection", "of", value_text(input_name(e, spec->of)), NULL);
    explain_add(e, "detection", "value", value_text(explain_words(e, spec->value, e->rule->inputs[spec->of].stream)),
                NULL);
    explain_add(e, "detection", "memory_ms", value_int(spec->memory_ms),
                arena_printf(e->arena, "It is evaluated at each %s; null is no value. %s", input_name(e, spec->of),
                             match_words));
    if (e->rule->type == DETECTOR_NEW_VALUE)
        explain_add(e, "detection", "warmup_ms", value_int(spec->warmup_ms),
                    arena_printf(e->arena, "Nothing is new until the stream has %s of history (warmup).",
                                 explain_span(e, spec->warmup_ms)));
}

static void memory_state(struct explanation *e)
{
    int64_t most = e->config->window_events_max;
    explain_bound(e, "values_max", most, 2.0 * REMEMBERED_BYTES,
                  arena_printf(e->arena, "A group keeps the values of the last %s, at most %s (limits.window_events)",
                               explain_span(e, e->rule->spec.memory->memory_ms), explain_number(e, most)));
}

static const char *trend_phrase(const struct explanation *e)
{
    return arena_printf(e->arena, "by a line through the medians of %s %s",
                        explain_span(e, e->rule->spec.trend->step_ms), explain_window_phrase(e));
}

static void trend_detection(struct explanation *e)
{
    const struct trend_spec *spec = e->rule->spec.trend;
    bool robust = spec->method == TREND_THEIL_SEN;
    explain_window(e);
    explain_add(e, "detection", "of", value_text(input_name(e, spec->of)), NULL);
    explain_add(e, "detection", "step_ms", value_int(spec->step_ms), NULL);
    explain_add(e, "detection", "limit", value_double(spec->limit), NULL);
    explain_add(e, "detection", "min_points", value_int(spec->min_points), NULL);
    explain_add(e, "detection", "min_fit", value_double(spec->min_fit), NULL);
    explain_add(
        e, "detection", "method", value_text(robust ? "theil_sen" : "least_squares"),
        arena_printf(
            e->arena,
            "The line is laid %s. eta is how long it takes to %g; there is no forecast with fewer than %s medians, "
            "where R2 is less than %g, or where two levels fit better than the line.",
            robust ? "by the median of slopes (Theil-Sen)" : "by least squares", spec->limit,
            explain_number(e, spec->min_points), spec->min_fit));
    if (spec->reset >= 0)
        explain_add(e, "detection", "reset", value_text(input_name(e, spec->reset)),
                    arena_printf(e->arena, "An event of %s starts the line anew.", input_name(e, spec->reset)));
}

static const char *burn_phrase(const struct explanation *e)
{
    return arena_printf(e->arena, "by how fast the error budget of %g %% burns in pairs of windows, each minute",
                        100 * e->rule->spec.burn->budget);
}

static void burn_detection(struct explanation *e)
{
    const struct burn_spec *spec = e->rule->spec.burn;
    struct value *pairs = arena_alloc(e->arena, (spec->pair_count + 1) * sizeof *pairs);
    const char *text = "";
    for (size_t i = 0; i < spec->pair_count; i++) {
        const struct burn_pair *pair = &spec->pairs[i];
        pairs[i] = EXPLAIN_MAP(e, value_text("long_ms"), value_int(pair->long_ms), value_text("short_ms"),
                               value_int(pair->short_ms), value_text("factor"), value_double(pair->factor));
        text = arena_printf(e->arena, "%s%s%s and %s at %g times", text, i == 0 ? "" : ", ",
                            explain_span(e, pair->long_ms), explain_span(e, pair->short_ms), pair->factor);
    }
    explain_add(e, "detection", "bad", value_str(e->rule->aggregates[spec->bad_aggregate].text), NULL);
    explain_add(e, "detection", "all", value_str(e->rule->aggregates[spec->all_aggregate].text), NULL);
    explain_add(e, "detection", "objective", value_double(spec->objective), NULL);
    explain_add(
        e, "detection", "pairs", value_list(pairs, spec->pair_count),
        arena_printf(
            e->arena,
            "It is evaluated at the end of each minute, over these pairs of windows: %s the even use of the budget. A "
            "pair fires while both of its windows burn faster; the first that does gives burn_long, burn_short and "
            "burn_factor. Of a group up to and including the first minute at which its longest window is empty. Each "
            "evaluation with 'when' true is a firing.",
            text));
}

/* A key of `detect` as it is written; NULL: it is left out. */
static const struct yaml_node *written(const struct explanation *e, const char *key)
{
    return yaml_get(yaml_get(e->rule->node, "detect"), key);
}

static const char *not_words(const struct explanation *e, const struct yaml_node *none)
{
    const char *text = none->kind == YAML_SCALAR ? none->text.p : "";
    for (size_t i = 0; none->kind == YAML_SEQUENCE && i < none->count; i++)
        text = arena_printf(e->arena, "%s%s%s", text, i > 0 ? " or " : "", none->items[i]->text.p);
    return arena_printf(e->arena, "no %s", text);
}

/* "deploy", "no rollback", "failed (times 1..3, optional)". */
static const char *step_words(const struct explanation *e, const struct yaml_node *step)
{
    if (step->kind == YAML_SCALAR)
        return step->text.p;
    const struct yaml_node *none = yaml_get(step, "not");
    if (none != NULL)
        return not_words(e, none);
    if (step->count != 1 || step->items[0]->kind != YAML_MAPPING)
        return "a step";
    const struct yaml_node *options = step->items[0];
    const char *more = "";
    for (size_t i = 0; i < options->count; i++)
        if (options->items[i]->kind == YAML_SCALAR)
            more = arena_printf(e->arena, "%s%s%s %s", more, i > 0 ? ", " : "", options->keys[i]->text.p,
                                options->items[i]->text.p);
    return arena_printf(e->arena, "%s%s%s%s", step->keys[0]->text.p, *more == '\0' ? "" : " (", more,
                        *more == '\0' ? "" : ")");
}

static const char *steps_words(const struct explanation *e)
{
    const struct yaml_node *steps = written(e, "steps");
    const char *text = "";
    for (size_t i = 0; steps != NULL && i < steps->count; i++)
        text = arena_printf(e->arena, "%s%s%s", text, i > 0 ? ", then " : "", step_words(e, steps->items[i]));
    return text;
}

static const char *text_of(const struct explanation *e, const char *key, const char *otherwise)
{
    const struct yaml_node *node = written(e, key);
    return node != NULL && node->kind == YAML_SCALAR ? node->text.p : otherwise;
}

static const char *sequence_phrase(const struct explanation *e)
{
    return arena_printf(e->arena, "when these come in order within %s: %s", text_of(e, "within", "any time"),
                        steps_words(e));
}

static void sequence_detection(struct explanation *e)
{
    const char *gap = text_of(e, "max_gap", NULL);
    const char *skip = text_of(e, "skip", "no_skip");
    explain_add(e, "detection", "steps", value_text(steps_words(e)), NULL);
    explain_add(
        e, "detection", "skip", value_text(skip),
        arena_printf(
            e->arena,
            "A match is found at its last event, or at the deadline where the last step is one that must not come; "
            "an event exactly at first + within still counts.%s%s%s After a match: %s. %s",
            gap == NULL ? "" : " From step to step it takes at most ", gap == NULL ? "" : gap, gap == NULL ? "" : ".",
            skip, match_words));
}

static void sequence_state(struct explanation *e)
{
    int64_t most = e->config->partial_matches_max;
    int64_t events = 10 * most; /* as sequence_nfa.h bounds them */
    explain_add(e, "state", "partial_matches_max", value_int(most), NULL);
    explain_bound(e, "events_max", events, explain_event_bytes(e),
                  arena_printf(e->arena,
                               "A group keeps at most %s partial matches (limits.partial_matches) with %s events",
                               explain_number(e, most), explain_number(e, events)));
}

static const struct description {
    const char *(*phrase)(const struct explanation *e);
    void (*detection)(struct explanation *e);
    void (*state)(struct explanation *e);
} descriptions[DETECTOR_TYPE_COUNT] = {
    [DETECTOR_WINDOW] = {explain_window_phrase, explain_window, explain_window_state},
    [DETECTOR_SEQUENCE] = {sequence_phrase, sequence_detection, sequence_state},
    [DETECTOR_ABSENCE] = {absence_phrase, absence_detection, absence_state},
    [DETECTOR_CASCADE] = {cascade_phrase, cascade_detection, cascade_state},
    [DETECTOR_TREND] = {trend_phrase, trend_detection, explain_panes},
    [DETECTOR_BURN_RATE] = {burn_phrase, burn_detection, explain_panes},
    [DETECTOR_NEW_VALUE] = {new_value_phrase, memory_detection, memory_state},
    [DETECTOR_REVERT] = {revert_phrase, memory_detection, memory_state},
};
const char *explain_detector_phrase(const struct explanation *e)
{
    return descriptions[e->rule->type].phrase(e);
}

void explain_detection(struct explanation *e)
{
    explain_add(e, "detection", "type", value_text(detector_type_names[e->rule->type]), NULL);
    descriptions[e->rule->type].detection(e);
}

void explain_state(struct explanation *e)
{
    int64_t groups = e->rule->group_count == 0 ? 1 : e->config->groups_max;
    descriptions[e->rule->type].state(e);
    explain_add(
        e, "state", "groups_max", value_int(groups),
        e->rule->group_count == 0
            ? "There is one group."
            : arena_printf(e->arena,
                           "At most %s groups a task (limits.groups); beyond that the stalest go, and it is said on "
                           "what comes of the rest.",
                           explain_number(e, groups)));
}
