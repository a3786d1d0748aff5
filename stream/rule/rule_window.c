/* `window`: its kind, by the keys that it has, and its measures. */
#include "rule/rule_load.h"

enum { SESSION_MAX_DEFAULT_MS = 24 * HOUR_MS };

static const char *const unit_names[] = {"day", "week", "month", "quarter", NULL};

/* No period is longer, a day's clocks put back included. */
static const int64_t unit_days_max[] = {2, 8, 32, 93};

static int64_t gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The largest divisor of `n` that is at most PANE_MS_MAX. */
static int64_t pane_of(int64_t n)
{
    for (int64_t pane = n < PANE_MS_MAX ? n : PANE_MS_MAX; pane > 1; pane--)
        if (n % pane == 0)
            return pane;
    return 1;
}

/* A span of the window: more than nothing, unless it may be `least_ms` 0, and at most 3660 d. */
static bool read_span(struct diagnostics *diagnostics, const struct yaml_node *window, const char *key,
                      int64_t least_ms, int64_t *ms)
{
    const struct yaml_node *node = yaml_get(window, key);
    if (!check_duration(diagnostics, node, key, ms))
        return false;
    if (*ms >= least_ms && *ms <= RULE_SPAN_MS_MAX)
        return true;
    diagnostic_at(diagnostics, node, false,
                  least_ms > 0 ? "%s must be more than 0s and at most 3660d" : "%s is at most 3660d", key);
    *ms = 0;
    return false;
}

static void check_panes(struct diagnostics *diagnostics, const struct yaml_node *at, const struct window *window,
                        const char *key)
{
    if (window->size_ms / window->pane_ms > RULE_WINDOW_PANES_MAX)
        diagnostic_at(diagnostics, at, false,
                      "this window falls into %lld panes of %lld ms, of which at most %d are kept; take a %s that "
                      "shares a larger divisor with size",
                      (long long)(window->size_ms / window->pane_ms), (long long)window->pane_ms, RULE_WINDOW_PANES_MAX,
                      key);
}

static void read_slide(struct diagnostics *diagnostics, const struct yaml_node *node, struct window *window)
{
    const struct yaml_node *slide = yaml_get(node, "slide");
    if (!check_duration(diagnostics, slide, "slide", &window->slide_ms))
        return;
    if (window->slide_ms <= 0) {
        diagnostic_at(diagnostics, slide, false, "slide must be more than 0s");
        return;
    }
    if (window->size_ms <= 0)
        return;
    if (window->slide_ms > window->size_ms) {
        diagnostic_at(diagnostics, slide, false,
                      "slide must not be more than size, or events would fall between windows");
        return;
    }
    window->kind = WINDOW_HOPPING;
    window->pane_ms = pane_of(gcd(window->size_ms, window->slide_ms));
    check_panes(diagnostics, slide, window, "slide");
}

static void read_sized(struct diagnostics *diagnostics, const struct yaml_node *node, struct window *window)
{
    const struct yaml_node *wait = yaml_get(node, "wait");
    (void)read_span(diagnostics, node, "size", 1, &window->size_ms);
    if (yaml_get(node, "slide") != NULL) {
        (void)read_span(diagnostics, node, "wait", 0, &window->wait_ms);
        read_slide(diagnostics, node, window);
    } else if (wait != NULL) {
        diagnostic_at(diagnostics, wait, false,
                      "a sliding window is evaluated at each event and waits for nothing; write a slide, or no wait");
    }
}

static void read_zone(struct rule_build *build, const struct yaml_node *node, struct window *window)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct str name;
    int32_t east;
    char why[160];
    if (!check_text(diagnostics, node, "timezone", &name) || (cel_zone_fixed(name, &east) && east == 0))
        return;
    if (cel_zone_load(build->loader->arena, name, &window->zone, why, sizeof why) != 0)
        diagnostic_at(diagnostics, node, NULL, "%s%s", why,
                      diagnostics_full(diagnostics) ? "" : cel_zone_suggest(diagnostics->arena, name));
    window->zone_name = name;
}

static void read_calendar(struct rule_build *build, const struct yaml_node *node, struct window *window)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    int unit = check_symbol(diagnostics, yaml_get(node, "calendar"), "period", unit_names);
    read_zone(build, yaml_get(node, "timezone"), window);
    (void)read_span(diagnostics, node, "wait", 0, &window->wait_ms);
    window->kind = WINDOW_CALENDAR;
    if (unit < 0)
        return;
    window->calendar = (enum calendar_unit)unit;
    window->size_ms = unit_days_max[unit] * DAY_MS;
    window->pane_ms = PANE_MS_MAX;
}

static void read_session(struct diagnostics *diagnostics, const struct yaml_node *node, struct window *window)
{
    window->kind = WINDOW_SESSION;
    window->max_ms = SESSION_MAX_DEFAULT_MS;
    if (!read_span(diagnostics, node, "gap", 1, &window->gap_ms))
        return;
    const struct yaml_node *max = yaml_get(node, "max");
    if (max != NULL && !read_span(diagnostics, node, "max", 1, &window->max_ms))
        return;
    if (window->max_ms < window->gap_ms)
        diagnostic_at(diagnostics, max != NULL ? max : yaml_get(node, "gap"), false, "max must not be less than gap%s",
                      max != NULL ? "" : "; left out, it is 24h");
    window->size_ms = window->max_ms;
}

/* The kinds, by the key that only one of them has. */
static const struct {
    const char *key;
    const char *keys[4]; /* what goes with it */
    const char *written;
} kinds[] = {
    {"calendar", {"calendar", "timezone", "wait", NULL}, "{calendar: week, timezone: Europe/Berlin, wait: 0s}"},
    {"gap", {"gap", "max", NULL}, "{gap: 30m, max: 12h}"},
    {"size", {"size", "slide", "wait", NULL}, "{size: 30d} or {size: 5m, slide: 1m, wait: 0s}"},
};
enum { KIND_CALENDAR, KIND_SESSION, KIND_SIZED, KIND_COUNT };

static const char *const window_keys[] = {"size", "slide", "wait", "calendar", "timezone", "gap", "max", NULL};

static bool is_known(struct str name)
{
    const char *const *key = window_keys;
    while (*key != NULL && !str_is(name, *key))
        key++;
    return *key != NULL;
}

/* The kind, an index of `kinds`; -1 and errors where no key, or keys of several, say which. */
static int read_kind(struct diagnostics *diagnostics, const struct yaml_node *node)
{
    int kind = 0;
    while (kind < KIND_COUNT && yaml_get(node, kinds[kind].key) == NULL)
        kind++;
    if (kind == KIND_COUNT) {
        diagnostic_at(diagnostics, node, false, "window has no 'size'; a window is written %s, %s or %s",
                      kinds[KIND_SIZED].written, kinds[KIND_CALENDAR].written, kinds[KIND_SESSION].written);
        return -1;
    }
    int found = kind;
    for (size_t i = 0; i < node->count; i++) {
        const char *const *key = kinds[kind].keys;
        while (*key != NULL && !str_is(node->keys[i]->text, *key))
            key++;
        if (*key != NULL || !is_known(node->keys[i]->text))
            continue;
        diagnostic_at(diagnostics, node->keys[i], false, "'%.*s' does not go with '%s'; such a window is written %s",
                      STR_ARG(node->keys[i]->text), kinds[kind].key, kinds[kind].written);
        found = -1;
    }
    return found;
}

void rule_window_read(struct rule_build *build, const struct yaml_node *detect)
{
    struct diagnostics *diagnostics = build->loader->diagnostics;
    struct window *window = &build->rule->window;
    const struct yaml_node *node =
        check_need(diagnostics, detect, build->rule->scorecard != NULL ? "a scorecard" : "detect", "window");
    size_t errors_before = diagnostics->errors;
    window->kind = WINDOW_SLIDING;
    build->window_wrong = true;
    if (node == NULL || !check_mapping(diagnostics, node, "window", window_keys))
        return;
    int kind = read_kind(diagnostics, node);
    if (kind < 0)
        return;
    if (kind == KIND_CALENDAR)
        read_calendar(build, node, window);
    else if (kind == KIND_SESSION)
        read_session(diagnostics, node, window);
    else
        read_sized(diagnostics, node, window);
    build->window_wrong = diagnostics->errors > errors_before;
    build->rule->reach_ms = window->size_ms;
    if (window->kind != WINDOW_SLIDING) /* it holds its start, and is evaluated `wait` after its end or deadline */
        build->rule->reach_ms += window->wait_ms + 1;
}

void rule_window_step(struct rule_build *build, const struct yaml_node *at, int64_t step_ms)
{
    struct window *window = &build->rule->window;
    /* Panes of a calendar window are counted from its start. */
    int64_t shared_ms = window->kind == WINDOW_CALENDAR ? window->pane_ms : gcd(window->size_ms, window->slide_ms);
    window->pane_ms = pane_of(gcd(shared_ms, step_ms));
    check_panes(build->loader->diagnostics, at, window, "step");
}
