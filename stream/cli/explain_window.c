/* What rules over windows look at, when they are evaluated and what they keep. */
#include "cli/explain_detector.h"
#include "detect/detector.h"

static const char *const unit_words[] = {
    [CALENDAR_DAY] = "day", [CALENDAR_WEEK] = "week", [CALENDAR_MONTH] = "month", [CALENDAR_QUARTER] = "quarter"};

const char *explain_window_phrase(const struct explanation *e)
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
    case WINDOW_CALENDAR:
        return arena_printf(e->arena, "over each %s", unit_words[window->calendar]);
    case WINDOW_SESSION:
        return arena_printf(e->arena, "over each session, in which they are at most %s apart",
                            explain_span(e, window->gap_ms));
    default:
        return "";
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

static const char *wait_words(const struct explanation *e)
{
    int64_t wait_ms = e->rule->window.wait_ms;
    return wait_ms == 0 ? "" : arena_printf(e->arena, " + %s (wait)", explain_span(e, wait_ms));
}

/* What comes of each evaluation. */
static const char *outcome_words(const struct explanation *e)
{
    return e->rule->scorecard != NULL ? "Each evaluation gives a scorecard."
                                      : "Each evaluation with 'when' true is a firing.";
}

static const char *hopping_times(const struct explanation *e)
{
    const struct window *window = &e->rule->window;
    const char *slide = explain_span(e, window->slide_ms);
    return arena_printf(
        e->arena,
        "Window k holds what lies in [k * %s, k * %s + %s), counted from 1970%s. It is evaluated once, when time "
        "passes its end%s; of a group up to and including its first empty window. %s",
        slide, slide, explain_span(e, window->size_ms), any_input(e->rule, true) ? ", rows by their opened_at" : "",
        wait_words(e), outcome_words(e));
}

static const char *calendar_times(const struct explanation *e)
{
    const struct window *window = &e->rule->window;
    struct str zone = window->zone_name.n > 0 ? window->zone_name : STR_LIT("UTC");
    return arena_printf(
        e->arena,
        "Each window is a %s of the calendar in %.*s%s%s. It is evaluated once, when time passes its end%s; of "
        "a group up to and including its first empty window. %s",
        unit_words[window->calendar], STR_ARG(zone), window->calendar == CALENDAR_WEEK ? ", from Monday" : "",
        any_input(e->rule, true) ? ", rows by their opened_at" : "", wait_words(e), outcome_words(e));
}

static const char *session_times(const struct explanation *e)
{
    const char *gap = explain_span(e, e->rule->window.gap_ms);
    return arena_printf(
        e->arena,
        "A session is events that are at most %s apart. It is evaluated once, when time passes its last event + "
        "%s, or its first + %s if that comes first. Each evaluation with 'when' true is a firing.",
        gap, gap, explain_span(e, e->rule->window.max_ms));
}

/* What ago() asks for. */
static void add_look_back(struct explanation *e)
{
    const struct rule *rule = e->rule;
    if (rule->look_back_ms == 0)
        return;
    const char *span = rule->window.kind == WINDOW_CALENDAR ? "one window" : explain_span(e, rule->look_back_ms);
    const char *history = "as much history as that";
    if (rule->warmup_ms >= 0)
        history = arena_printf(e->arena, "%s of history (warmup)", explain_span(e, rule->warmup_ms));
    if (rule->scorecard != NULL) {
        explain_add(e, "detection", "look_back_ms", value_int(rule->look_back_ms),
                    arena_printf(e->arena,
                                 "It looks back by %s, at the window before; what that held is unknown until the "
                                 "streams have as much history.",
                                 span));
        return;
    }
    explain_add(e, "detection", "look_back_ms", value_int(rule->look_back_ms),
                arena_printf(e->arena,
                             "It looks back by %s (ago). Nothing is evaluated until the streams of what it "
                             "looks back on have %s.",
                             span, history));
    if (rule->warmup_ms >= 0)
        explain_add(e, "detection", "warmup_ms", value_int(rule->warmup_ms), NULL);
}

void explain_window(struct explanation *e)
{
    const struct window *window = &e->rule->window;
    struct value kind = value_text("kind");
    switch (window->kind) {
    case WINDOW_SLIDING:
        explain_add(e, "detection", "window",
                    EXPLAIN_MAP(e, kind, value_text("sliding"), value_text("size_ms"), value_int(window->size_ms)),
                    sliding_times(e));
        break;
    case WINDOW_HOPPING:
        explain_add(e, "detection", "window",
                    EXPLAIN_MAP(e, kind, value_text("hopping"), value_text("size_ms"), value_int(window->size_ms),
                                value_text("slide_ms"), value_int(window->slide_ms), value_text("wait_ms"),
                                value_int(window->wait_ms), value_text("pane_ms"), value_int(window->pane_ms)),
                    hopping_times(e));
        break;
    case WINDOW_CALENDAR:
        explain_add(e, "detection", "window",
                    EXPLAIN_MAP(e, kind, value_text("calendar"), value_text("unit"),
                                value_text(unit_words[window->calendar]), value_text("timezone"),
                                value_str(window->zone_name.n > 0 ? window->zone_name : STR_LIT("UTC")),
                                value_text("wait_ms"), value_int(window->wait_ms)),
                    calendar_times(e));
        break;
    case WINDOW_SESSION:
        explain_add(e, "detection", "window",
                    EXPLAIN_MAP(e, kind, value_text("session"), value_text("gap_ms"), value_int(window->gap_ms),
                                value_text("max_ms"), value_int(window->max_ms)),
                    session_times(e));
        break;
    case WINDOW_NONE:
        break;
    }
    add_look_back(e);
}

void explain_window_state(struct explanation *e)
{
    if (e->rule->window.kind == WINDOW_SLIDING)
        explain_entries(e, arena_printf(e->arena, "the last %s", explain_span(e, e->rule->window.size_ms)));
    else if (e->rule->window.kind == WINDOW_SESSION)
        explain_entries(e, "a session");
    else
        explain_panes(e);
}
