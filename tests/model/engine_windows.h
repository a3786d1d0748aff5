/* The reference of test_engine_windows: what windows hold and what their evaluations are, from all rows and events. */
#ifndef FORESTALL_TESTS_ENGINE_WINDOWS_H
#define FORESTALL_TESTS_ENGINE_WINDOWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect/span.h"
#include "engine/groups.h"
#include "engine/touch.h"

enum {
    OPERATIONS = 350,
    ROWS = 40,
    EVENTS_MAX = OPERATIONS,
    PAST_MAX = 20000,
    TIMERS_MAX = 20000,
    PANES_MAX = 400,
    TOUCHES_MAX = 20000,
    CAP = 3
};

#define X "{stream: incident, match: {severity: [sev1, sev2]}}"
#define Y "{stream: incident, match: {status: resolved}}"
#define E "{stream: telemetry, where: event.value > 3.0}"

static const char rules_text[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "metadata: {name: model}\n"
    "rules:\n"
    "- {id: s1, from: {x: " X ", y: " Y "}, detect: {group_by: [environment], window: {size: 10m}, when: \"count(x) >= "
    "2 || sum(y, event.reopened) >= 5\"}}\n"
    "- {id: s2, from: {x: " X
    "}, detect: {group_by: [environment], window: {size: 4m}, when: \"max(x, event.reopened) < 3\"}}\n"
    "- {id: s3, from: {x: " X
    ", y: {stream: incident, match: {status: resolved}, group_by: {g: event.component}}}, detect: {group_by: {g: "
    "event.environment}, window: {size: 6m}, when: \"count(x) + count(y) >= 2\"}}\n"
    "- {id: s4, from: {e: " E
    "}, detect: {group_by: [environment], window: {size: 3m}, when: \"count(e) >= 2 && avg(e) > 5\"}}\n"
    "- {id: s5, from: {x: " X "}, detect: {group_by: [environment], window: {size: 5m}, when: \"count(x) < 2\"}}\n"
    "- {id: h1, from: {x: " X ", y: " Y "}, detect: {group_by: [environment], window: {size: 10m, slide: 5m}, when: "
    "\"count(x) >= 2 || sum(y, event.reopened) >= 5\"}}\n"
    "- {id: h2, from: {x: " X ", y: " Y "}, detect: {group_by: [environment], window: {size: 6m, slide: 2m, wait: 3m}, "
    "when: \"count(x) + count(y) >= 2\"}}\n"
    "- {id: h3, from: {x: " X ", e: " E ", f: {stream: telemetry}}, detect: {group_by: [environment], window: {size: "
    "5m, slide: 5m}, when: \"count(x) >= 1 || min(e) > 4 || count(f) >= 4\"}}\n"
    "- {id: h4, from: {e: " E ", f: {stream: telemetry}}, detect: {group_by: [environment], window: {size: 4m, slide: "
    "2m, wait: 70s}, when: \"sum(e) > 9 || count(f) == 2\"}}\n"
    "- {id: c1, from: {x: " X ", y: " Y "}, detect: {group_by: [environment], window: {calendar: day, timezone: "
    "Europe/Berlin, wait: 1h}, when: \"count(x) >= 3 || count(y) == 2\"}}\n"
    "- {id: c2, from: {x: " X ", e: " E "}, detect: {group_by: [environment], window: {calendar: day, timezone: "
    "America/Sao_Paulo}, when: \"count(x) == 1 || max(e) > 8\"}}\n"
    "- {id: a1, from: {x: " X ", y: " Y "}, detect: {group_by: [environment], window: {size: 6m, slide: 2m, wait: 3m}, "
    "when: \"count(x) > ago(count(x), '14m') || ago(sum(y, event.reopened) + events) > 6.0\"}}\n"
    "- {id: a2, from: {x: " X ", e: " E ", f: {stream: telemetry}}, detect: {group_by: [environment], warmup: 11m, "
    "window: {size: 5m, slide: 5m}, when: \"ago(min(e), '1h') >= 4.0 || count(f) > ago(count(x) + count(f), "
    "'10m')\"}}\n"
    "- {id: a3, from: {x: " X ", e: " E "}, detect: {group_by: [environment], warmup: 0s, window: {calendar: day, "
    "timezone: America/Sao_Paulo, wait: 1h}, when: \"count(x) > ago(count(x)) || ago(max(e)) > 8.0\"}}\n"
    "- {id: a4, from: {x: " X "}, detect: {group_by: [environment], window: {calendar: day, timezone: "
    "Europe/Berlin}, when: \"ago(count(x)) >= 1.0\"}}\n";

/* A row or event as the reference knows it. */
struct thing {
    struct event now;
    bool exists;
};

/* A sliding group of the reference: what its window holds, and what its last evaluation said. */
struct sliding {
    int rule;
    struct str key;
    struct event items[ROWS + EVENTS_MAX];
    uint16_t inputs[ROWS + EVENTS_MAX];
    size_t count;
    bool previous;
    int64_t dies_ms;    /* when the group is as one never seen */
    int64_t dropped_ms; /* the newest that was dropped since */
};

/* A window of a hopping group, or one in a calendar, that was evaluated. */
struct past {
    int rule;
    struct str key;
    int64_t end_ms;
    bool held; /* it was not empty */
    bool when;
};

/* A row was, or was no longer, selected for a group. */
struct touched {
    int rule;
    struct str key;
    int64_t time_ms; /* the row's */
};

struct timer {
    int64_t time_ms;
    int rule;
    uint64_t hash;
};

struct open_pane {
    int rule;
    struct str key;
    struct pane *pane;
};

struct model {
    struct ruleset *rules;
    struct arena arena; /* of a round */
    struct arena call;
    struct state *state;
    struct groups *groups;
    struct touches *touches;
    struct detector_counters counters;
    struct thing rows[ROWS];
    struct thing events[EVENTS_MAX];
    size_t event_count;
    struct sliding *slidings[400];
    size_t sliding_count;
    struct past past[PAST_MAX];
    size_t past_count;
    struct touched touched[TOUCHES_MAX];
    size_t touched_count;
    struct timer timers[TIMERS_MAX];
    size_t timer_count;
    struct open_pane panes[PANES_MAX];
    size_t pane_count;
    int64_t now_ms;
    int64_t scale; /* how fast time goes */
    int64_t first_ms[STREAM_COUNT];
    int64_t offset;
    size_t evaluations, firings, detections;
    size_t looked_back; /* of the evaluations */
    size_t slept;       /* groups that nothing looked back on any more */
};

static struct model *model;

static struct str key_of(const struct rule *rule, const struct rule_input *input, const struct event *event)
{
    struct value values[RULE_GROUP_KEYS_MAX];
    struct buf key = {0};
    for (size_t i = 0; i < rule->group_count; i++) {
        /* s3 groups by an expression that is a field */
        int field = input->group[i].field >= 0 ? input->group[i].field
                    : str_is(input->name, "y") ? INCIDENT_COMPONENT
                                               : INCIDENT_ENVIRONMENT;
        values[i] = event->values[field];
    }
    group_key_encode(&key, rule, values);
    struct str kept = arena_str(&model->arena, buf_str(&key));
    buf_fini(&key);
    return kept;
}

static bool selects(const struct rule_input *input, const struct event *event)
{
    struct cel_frame frame = {.event = event, .arena = &model->call};
    uint64_t ignored = 0;
    return input->stream == event->stream && rule_input_matches(input, event) &&
           (input->where == NULL || cel_eval_bool(input->where, &frame, &ignored, &ignored));
}

/* The inputs that select the event for the group. */
static uint16_t selection_of(const struct rule *rule, const struct event *event, struct str key)
{
    uint16_t mask = 0;
    for (size_t i = 0; event != NULL && i < rule->input_count; i++)
        if (selects(&rule->inputs[i], event) && str_eq(key_of(rule, &rule->inputs[i], event), key))
            mask |= (uint16_t)(1U << i);
    return mask;
}

/* What a window holds, in order of (time, position), and what follows from it. */
struct content {
    const struct event *items[ROWS + EVENTS_MAX];
    uint16_t inputs[ROWS + EVENTS_MAX];
    size_t count;
    int number; /* of hopping windows: which */
    struct str key;
    int64_t end_ms;
};

static void hold(struct content *content, const struct event *event, uint16_t inputs)
{
    size_t at = content->count++;
    for (; at > 0; at--) {
        const struct event *other = content->items[at - 1];
        if (other->time_ms < event->time_ms ||
            (other->time_ms == event->time_ms && position_order(&other->at, &event->at) < 0))
            break;
        content->items[at] = other;
        content->inputs[at] = content->inputs[at - 1];
    }
    content->items[at] = event;
    content->inputs[at] = inputs;
}

static struct value aggregate_of(const struct aggregate *aggregate, const struct content *content)
{
    double n = 0, sum = 0, least = 0, most = 0;
    for (size_t i = 0; i < content->count; i++) {
        if ((content->inputs[i] >> aggregate->input & 1) == 0)
            continue;
        struct value v = aggregate->field < 0 ? value_int(0) : content->items[i]->values[aggregate->field];
        if (value_is_null(v))
            continue;
        double d = v.type == VALUE_INT ? (double)v.i : v.d;
        least = n == 0 || d < least ? d : least;
        most = n == 0 || d > most ? d : most;
        sum += d;
        n++;
    }
    switch (aggregate->function) {
    case AGGREGATE_COUNT:
        return value_double(n);
    case AGGREGATE_SUM:
        return value_double(sum);
    case AGGREGATE_AVG:
        return n == 0 ? value_null() : value_double(sum / n);
    case AGGREGATE_MIN:
        return n == 0 ? value_null() : value_double(least);
    case AGGREGATE_MAX:
        return n == 0 ? value_null() : value_double(most);
    default:
        fail();
    }
    return value_null();
}

/* All that a window [start, end) holds for the group, as rows and events stand now. */
static void hopping_content(int number, struct str key, int64_t end_ms, struct content *content)
{
    const struct rule *rule = &model->rules->rules[number];
    int64_t start_ms = span_start(&rule->window, end_ms);
    content->number = number;
    content->key = key;
    content->end_ms = end_ms;
    content->count = 0;
    for (size_t i = 0; i < ROWS + model->event_count; i++) {
        const struct thing *thing = i < ROWS ? &model->rows[i] : &model->events[i - ROWS];
        if (!thing->exists || thing->now.time_ms >= end_ms || thing->now.time_ms < start_ms)
            continue;
        uint16_t mask = selection_of(rule, &thing->now, key);
        if (mask != 0)
            hold(content, &thing->now, mask);
    }
}

/* The end of the window that ago() looks at. */
static int64_t then_of(const struct rule *rule, const struct aggregate *ago, int64_t end_ms)
{
    return rule->window.kind == WINDOW_CALENDAR ? span_start(&rule->window, end_ms) : end_ms - ago->ago_ms;
}

static void results_of(const struct rule *rule, const struct content *content, struct value *slots)
{
    slots[OUT_EVENTS] = value_double((double)content->count);
    for (size_t i = 0; i < rule->aggregate_count; i++)
        if (rule->aggregates[i].function != AGGREGATE_AGO)
            slots[OUT_FIXED_COUNT + i] = aggregate_of(&rule->aggregates[i], content);
}

static struct value ago_of(const struct rule *rule, const struct aggregate *ago, const struct content *content)
{
    size_t slot_count = OUT_FIXED_COUNT + rule->aggregate_count;
    struct value *slots = arena_zalloc(&model->call, slot_count * sizeof *slots);
    struct cel_frame frame = {.slots = slots, .slot_count = slot_count, .arena = &model->call};
    struct content then;
    hopping_content(content->number, content->key, then_of(rule, ago, content->end_ms), &then);
    results_of(rule, &then, slots);
    return cel_eval(ago->expr, &frame);
}

/* The streams are as old as the rule asks for: those that its ago() read, by the names of its inputs. */
static bool is_known(const struct rule *rule, int64_t end_ms)
{
    static const struct {
        const char *rule;
        bool incident, telemetry;
        int64_t shift_ms; /* 0: a day of the calendar */
    } wanted[] = {{"a1", true, false, 14 * MINUTE_MS},
                  {"a2", true, true, 11 * MINUTE_MS},
                  {"a3", true, true, -1},
                  {"a4", true, false, 0}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int64_t first_ms = INT64_MIN;
        if (!str_is(rule->id, wanted[i].rule))
            continue;
        if (wanted[i].incident)
            first_ms = model->first_ms[STREAM_INCIDENT];
        if (wanted[i].telemetry && model->first_ms[STREAM_TELEMETRY] > first_ms)
            first_ms = model->first_ms[STREAM_TELEMETRY];
        int64_t shift_ms = wanted[i].shift_ms == 0 ? end_ms - span_start(&rule->window, end_ms) : wanted[i].shift_ms;
        return first_ms <= end_ms - (shift_ms < 0 ? 0 : shift_ms);
    }
    return true;
}

/* The condition over the content; the evaluation must have its values and, of single entries, its contributions. */
static bool check_values(const struct rule *rule, const struct content *content, const struct evaluation *got)
{
    struct value *slots = arena_zalloc(&model->call, (OUT_FIXED_COUNT + rule->aggregate_count) * sizeof *slots);
    size_t seen = 0;
    results_of(rule, content, slots);
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        if (rule->aggregates[i].function == AGGREGATE_AGO)
            slots[OUT_FIXED_COUNT + i] = ago_of(rule, &rule->aggregates[i], content);
        struct value have = got->slots[OUT_FIXED_COUNT + i];
        struct value want = slots[OUT_FIXED_COUNT + i];
        if (value_is_null(want) ? !value_is_null(have) : !value_eq(want, have))
            fail_msg("%.*s: %.*s is %g, not %g", STR_ARG(rule->id), STR_ARG(rule->aggregates[i].text), have.d, want.d);
    }
    assert_true(got->slots[OUT_EVENTS].d == (double)content->count);
    if (content->count > 0) {
        assert_int_equal(value_ms(got->slots[OUT_FIRST_SEEN]), content->items[0]->time_ms);
        assert_int_equal(value_ms(got->slots[OUT_LAST_SEEN]), content->items[content->count - 1]->time_ms);
    }
    for (size_t i = 0; i < content->count; i++) {
        if (rule->window.kind != WINDOW_SLIDING && !content->items[i]->stream->rows)
            continue;
        assert_true(seen < got->contribution_count);
        const struct contribution *contribution = &got->contributions[seen++];
        assert_int_equal(contribution->event->time_ms, content->items[i]->time_ms);
        assert_int_equal(position_order(&contribution->event->at, &content->items[i]->at), 0);
        assert_true(value_eq(contribution->event->values[contribution->event->stream->service_field],
                             content->items[i]->values[content->items[i]->stream->service_field]));
    }
    assert_int_equal(got->occurrences, seen);
    uint64_t ignored = 0;
    struct cel_frame frame = {
        .slots = slots, .slot_count = OUT_FIXED_COUNT + rule->aggregate_count, .arena = &model->call};
    return cel_eval_bool(rule->when, &frame, &ignored, &ignored);
}

static void check_outcome(const struct rule *rule, const struct evaluation *got, bool when, bool firing, bool detection)
{
    if (got->when != when || got->firing != firing || got->detection != detection)
        fail_msg("%.*s at %lld: when %d firing %d detection %d, not %d %d %d", STR_ARG(rule->id),
                 (long long)got->time_ms, got->when, got->firing, got->detection, when, firing, detection);
    assert_int_equal(got->sliding, rule->window.kind == WINDOW_SLIDING);
    model->evaluations++;
    model->firings += firing;
    model->detections += detection;
}

static struct sliding *sliding_of(int rule, struct str key)
{
    for (size_t i = 0; i < model->sliding_count; i++)
        if (model->slidings[i]->rule == rule && str_eq(model->slidings[i]->key, key))
            return model->slidings[i];
    struct sliding *sliding = arena_zalloc(&model->arena, sizeof *sliding);
    assert_true(model->sliding_count < 400);
    model->slidings[model->sliding_count++] = sliding;
    *sliding = (struct sliding){
        .rule = rule, .key = arena_str(&model->arena, key), .dies_ms = INT64_MIN, .dropped_ms = INT64_MIN};
    return sliding;
}

static void sliding_drop(struct sliding *sliding, size_t i)
{
    sliding->items[i] = sliding->items[--sliding->count];
    sliding->inputs[i] = sliding->inputs[sliding->count];
}

/* The oldest goes first where the window holds too many. */
static void sliding_cap(struct sliding *sliding)
{
    while (sliding->count > CAP) {
        struct content content = {.count = 0};
        for (size_t i = 0; i < sliding->count; i++)
            hold(&content, &sliding->items[i], 0);
        for (size_t i = 0; i < sliding->count; i++)
            if (&sliding->items[i] == content.items[0]) {
                if (sliding->items[i].time_ms > sliding->dropped_ms)
                    sliding->dropped_ms = sliding->items[i].time_ms;
                sliding_drop(sliding, i);
                break;
            }
    }
}

/* A row or event came to the group, changed in it, or left it. */
static void check_sliding(const struct touch *touch, uint16_t before, uint16_t after, bool capped,
                          const struct evaluation *got)
{
    const struct rule *rule = &model->rules->rules[touch->rule_number];
    struct sliding *sliding = sliding_of(touch->rule_number, touch->key);
    int64_t from_ms = model->now_ms - rule->window.size_ms;
    bool inside = touch->event->time_ms > from_ms;
    bool selected = (after & ~before) != 0;
    bool others = before != 0;
    if (model->now_ms >= sliding->dies_ms) {
        sliding->previous = false;
        sliding->dropped_ms = INT64_MIN;
    }
    bool known = model->now_ms < sliding->dies_ms;
    for (size_t i = 0; i < sliding->count;)
        if (sliding->items[i].time_ms <= from_ms || position_order(&sliding->items[i].at, &touch->event->at) == 0)
            sliding_drop(sliding, i);
        else
            i++;
    if (after != 0 && inside) {
        sliding->inputs[sliding->count] = after;
        sliding->items[sliding->count++] = *touch->event;
    }
    if (capped)
        sliding_cap(sliding);
    struct content content = {.count = 0};
    int64_t newest_ms = INT64_MIN;
    for (size_t i = 0; i < sliding->count; i++) {
        hold(&content, &sliding->items[i], sliding->inputs[i]);
        others = others || position_order(&sliding->items[i].at, &touch->event->at) != 0;
        newest_ms = sliding->items[i].time_ms > newest_ms ? sliding->items[i].time_ms : newest_ms;
    }
    bool when = check_values(rule, &content, got);
    assert_int_equal(got->capped, sliding->dropped_ms > from_ms);
    bool previous = sliding->previous && (others || !selected);
    bool firing = when && (selected ? inside : !previous);
    check_outcome(rule, got, when, firing, firing && !previous);
    for (size_t i = 0; i < got->contribution_count; i++)
        assert_int_equal(got->contributions[i].selected_now,
                         selected && position_order(&got->contributions[i].event->at, &touch->event->at) == 0);
    if (selected && !inside) /* what fires nothing does not begin a detection */
        sliding->previous = previous && when;
    else
        sliding->previous = when || (!selected && after == before && previous);
    if (sliding->count > 0)
        sliding->dies_ms = newest_ms + rule->window.size_ms;
    else if (known)
        sliding->dies_ms = model->now_ms + 1;
}

static const struct past *past_of(int rule, struct str key, int64_t end_ms)
{
    for (size_t i = model->past_count; i-- > 0;)
        if (model->past[i].end_ms == end_ms && model->past[i].rule == rule && str_eq(model->past[i].key, key))
            return &model->past[i];
    return NULL;
}

/* Why an empty window is evaluated: the one before it was not empty, or a row was in it and has left. */
static bool has_reason(int number, struct str key, int64_t end_ms)
{
    const struct window *window = &model->rules->rules[number].window;
    const struct past *before = past_of(number, key, span_end_before(window, end_ms));
    bool reason = before != NULL && before->held;
    for (size_t i = 0; i < model->touched_count && !reason; i++) {
        const struct touched *touched = &model->touched[i];
        reason = touched->rule == number && touched->time_ms >= span_start(window, end_ms) &&
                 touched->time_ms < end_ms && str_eq(touched->key, key);
    }
    return reason;
}

/* `got` NULL: it was not evaluated, for want of history. */
static void check_hopping(int number, struct str key, int64_t end_ms, const struct evaluation *got)
{
    const struct rule *rule = &model->rules->rules[number];
    struct content content;
    hopping_content(number, key, end_ms, &content);
    assert_null(past_of(number, key, end_ms)); /* once */
    assert_true(content.count > 0 || has_reason(number, key, end_ms));
    assert_int_equal(got != NULL, is_known(rule, end_ms));
    bool when = got != NULL && check_values(rule, &content, got);
    const struct past *before = past_of(number, key, span_end_before(&rule->window, end_ms));
    bool previous = before != NULL && before->held && before->when;
    if (got != NULL)
        check_outcome(rule, got, when, when, when && !previous);
    model->looked_back += got != NULL && rule->look_back_ms > 0;
    assert_true(model->past_count < PAST_MAX);
    model->past[model->past_count++] =
        (struct past){number, arena_str(&model->arena, key), end_ms, content.count > 0, when};
}

/* Every window that closed in (from, to] and held something was evaluated, and so was the one after such a window. */
static void check_none_missing(int64_t from_ms, int64_t to_ms)
{
    static const char *const names[] = {"prod", "test", NULL};
    for (size_t number = 0; number < model->rules->count; number++) {
        const struct rule *rule = &model->rules->rules[number];
        const struct window *window = &rule->window;
        for (int i = 0; i < 3 && window->kind != WINDOW_SLIDING; i++) {
            struct buf key = {0};
            struct value name = names[i] == NULL ? value_null() : value_text(names[i]);
            group_key_encode(&key, rule, &name);
            for (int64_t end_ms = span_end_after(window, from_ms - window->wait_ms); end_ms + window->wait_ms <= to_ms;
                 end_ms = span_next_end(window, end_ms)) {
                struct content content;
                hopping_content((int)number, buf_str(&key), end_ms, &content);
                const struct past *before = past_of((int)number, buf_str(&key), span_end_before(window, end_ms));
                if (content.count > 0 || (before != NULL && before->held))
                    assert_non_null(past_of((int)number, buf_str(&key), end_ms));
            }
            buf_fini(&key);
        }
    }
}

#endif
