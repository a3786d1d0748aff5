/* What the detectors look at, when they are evaluated and what they keep: a row of a table each. */
#include "cli/explain.h"
#include "detect/detector.h"
#include "detect/group.h"

/* A field's value in an encoded event, by experience; for estimates. */
enum { FIELD_BYTES = 24, EVENT_HEAD_BYTES = 16, GROUP_BYTES = 256 };

static double event_bytes(const struct explanation *e)
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

static void add_bound(struct explanation *e, const char *what, int64_t count, double each, const char *text)
{
    double group = (double)count * each + GROUP_BYTES;
    explain_add(e, "state", what, value_int(count), NULL);
    explain_add(e, "state", "bytes_each", value_int((int64_t)each), NULL);
    explain_add(e, "state", "bytes_group_max", value_int((int64_t)group),
                arena_printf(e->arena, "%s, about %s each: at most %s for a group.", text, explain_bytes(e, each),
                             explain_bytes(e, group)));
}

/* Rows and events that are kept one by one. */
static void add_entries(struct explanation *e, const char *span)
{
    int64_t most = e->config->window_events_max;
    add_bound(e, "entries_max", most, (double)sizeof(struct entry) + event_bytes(e),
              arena_printf(e->arena,
                           "A group keeps the rows and events of %s one by one, at most %s (limits.window_events)",
                           span, explain_number(e, most)));
}

static double pane_estimate(const struct explanation *e)
{
    struct pane *pane = pane_new(e->rule, 0);
    double bytes = (double)pane_bytes(pane) + event_bytes(e);
    pane_free(pane);
    return bytes;
}

/* Folds of a window's panes; rows beside them are kept one by one. */
static void add_panes(struct explanation *e)
{
    const struct window *window = &e->rule->window;
    int64_t span_ms = window->size_ms + window->wait_ms + e->rule->look_back_ms;
    int64_t most = (span_ms + window->pane_ms - 1) / window->pane_ms + 1;
    size_t distinct = 0;
    bool folds = false;
    bool rows = false;
    for (size_t i = 0; i < e->rule->aggregate_count; i++)
        distinct += e->rule->aggregates[i].detects && e->rule->aggregates[i].function == AGGREGATE_DISTINCT;
    for (size_t i = 0; i < e->rule->input_count; i++) {
        bool folded = detector_folds(e->rule, &e->rule->inputs[i]);
        folds |= e->rule->inputs[i].detects && folded;
        rows |= e->rule->inputs[i].detects && !folded;
    }
    if (folds)
        add_bound(e, "panes_max", most, pane_estimate(e),
                  arena_printf(e->arena, "A group keeps panes of %s, at most %s", explain_span(e, window->pane_ms),
                               explain_number(e, most)));
    if (folds && distinct > 0)
        explain_add(e, "state", "distinct_hashes_max", value_int(FOLD_DISTINCT_MAX),
                    arena_printf(e->arena,
                                 "Each distinct() keeps up to %s hashes a pane beside that, %s; beyond, it estimates.",
                                 explain_number(e, FOLD_DISTINCT_MAX), explain_bytes(e, 8.0 * FOLD_DISTINCT_MAX)));
    if (rows)
        add_entries(e, "its windows");
}

static const char *window_phrase(const struct explanation *e)
{
    const struct window *window = &e->rule->window;
    switch (window->kind) {
    case WINDOW_SLIDING:
        return arena_printf(e->arena, "over the %s before each of them", explain_span(e, window->size_ms));
    case WINDOW_HOPPING:
        if (window->slide_ms == window->size_ms)
            return arena_printf(e->arena, "over each %s", explain_span(e, window->size_ms));
        return arena_printf(e->arena, "over the last %s, every %s", explain_span(e, window->size_ms),
                            explain_span(e, window->slide_ms));
    default:
        return "over each window";
    }
}

static bool any_input(const struct rule *rule, bool rows)
{
    for (size_t i = 0; i < rule->input_count; i++)
        if (rule->inputs[i].detects && (rule->inputs[i].stream->rows && !rule->inputs[i].updates) == rows)
            return true;
    return false;
}

static const char *sliding_times(const struct explanation *e)
{
    const char *rows = "when a row becomes selected, changes while it is selected, or is selected no longer";
    bool has_rows = any_input(e->rule, true);
    bool has_events = any_input(e->rule, false);
    return arena_printf(
        e->arena,
        "A sliding window holds what lies in (t - %s, t]%s. It is evaluated %s%s%s. A "
        "firing is an evaluation with 'when' true at which something became selected or 'when' turned true.",
        explain_span(e, e->rule->window.size_ms), has_rows ? ", rows by their opened_at" : "", has_rows ? rows : "",
        has_rows && has_events ? ", and " : "", has_events ? "at each event" : "");
}

static const char *hopping_times(const struct explanation *e)
{
    const struct window *window = &e->rule->window;
    const char *slide = explain_span(e, window->slide_ms);
    return arena_printf(
        e->arena,
        "Window k holds what lies in [k * %s, k * %s + %s), counted from 1970%s. It is "
        "evaluated once, when time passes its end%s%s%s; of a group up to and including its first empty window. "
        "Each evaluation with 'when' true is a firing.",
        slide, slide, explain_span(e, window->size_ms), any_input(e->rule, true) ? ", rows by their opened_at" : "",
        window->wait_ms > 0 ? " + " : "", window->wait_ms > 0 ? explain_span(e, window->wait_ms) : "",
        window->wait_ms > 0 ? " (wait)" : "");
}

static void window_detection(struct explanation *e)
{
    const struct window *window = &e->rule->window;
    static const char *const kinds[] = {[WINDOW_NONE] = "none",
                                        [WINDOW_SLIDING] = "sliding",
                                        [WINDOW_HOPPING] = "hopping",
                                        [WINDOW_CALENDAR] = "calendar",
                                        [WINDOW_SESSION] = "session"};
    bool sliding = window->kind == WINDOW_SLIDING;
    explain_add(e, "detection", "window",
                EXPLAIN_MAP(e, value_text("kind"), value_text(kinds[window->kind]), value_text("size_ms"),
                            value_int(window->size_ms), value_text("slide_ms"),
                            sliding ? value_null() : value_int(window->slide_ms), value_text("wait_ms"),
                            value_int(window->wait_ms), value_text("pane_ms"),
                            sliding ? value_null() : value_int(window->pane_ms)),
                sliding ? sliding_times(e) : hopping_times(e));
}

static void window_state(struct explanation *e)
{
    if (e->rule->window.kind == WINDOW_SLIDING)
        add_entries(e, arena_printf(e->arena, "the last %s", explain_span(e, e->rule->window.size_ms)));
    else
        add_panes(e);
}

static const struct description {
    const char *(*phrase)(const struct explanation *e);
    void (*detection)(struct explanation *e);
    void (*state)(struct explanation *e);
} descriptions[DETECTOR_TYPE_COUNT] = {
    [DETECTOR_WINDOW] = {window_phrase, window_detection, window_state},
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
