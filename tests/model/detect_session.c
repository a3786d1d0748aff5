/* Session windows against a naive reference: random rows that are selected at once or late, change, are deselected and
 * selected again, and random telemetry, many at one time; groups are dropped and loaded again at random. The reference
 * knows all that ever came, grows each session from its first member, and never forgets what was settled.
 *
 * usage: test_detect_session [SEED [ROUNDS]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "detect/detector.h"

enum { OPERATIONS = 400, THINGS_MAX = 500, ROWS = 30, RULES = 4, EXPECTED_MAX = 64 };

static const char rules_text[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "rules:\n"
    "- {id: a, from: {x: {stream: incident, match: {severity: [sev1, sev2]}}}, detect: {window: {gap: 5m, max: 20m}, "
    "when: count(x) >= 2}}\n"
    "- {id: b, from: {x: {stream: incident, match: {severity: sev1}}, y: {stream: incident, match: {status: "
    "resolved}}}, "
    "detect: {window: {gap: 3m}, when: count(x) < 3 || count(y) == 2}}\n"
    "- {id: c, from: {e: {stream: telemetry, where: event.value > 2.0}}, detect: {window: {gap: 1m, max: 4m}, when: "
    "sum(e) > 9}}\n"
    "- {id: d, from: {x: {stream: incident}, e: {stream: telemetry}}, detect: {window: {gap: 2m, max: 2m}, when: "
    "count(x) + count(e) > 2}}\n";

static uint64_t seed = 1;
static int rounds = 60;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

enum membership { OUT, OPEN, SETTLED };

/* A row or event, and what it is to each rule. */
struct thing {
    struct event now;
    bool exists;
    uint16_t inputs[RULES];
    enum membership membership[RULES];
};

/* What the reference remembers of a rule's sessions. */
struct past {
    int64_t settled_ms;
    int64_t last_ms; /* of the session evaluated last */
    bool when;
};

struct expected {
    int64_t time_ms;
    size_t things[THINGS_MAX]; /* in order of (time, position) */
    size_t count;
    bool when;
    bool detection;
};

struct counts {
    size_t evaluations, firings, detections, cut, overdue, left_out, continued, unevaluated;
};

struct model {
    const struct ruleset *rules;
    struct state *state;
    struct arena arena; /* of a round */
    struct arena call;
    struct group *groups[RULES];
    struct detector_counters counters;
    struct thing things[THINGS_MAX];
    size_t count;
    struct past past[RULES];
    struct expected expected[EXPECTED_MAX];
    int64_t now_ms;
    int64_t since_ms;
    int64_t offset;
    struct counts seen;
};

static struct model *model;

static const struct event *event_at(size_t i)
{
    return &model->things[i].now;
}

static bool before(size_t a, size_t b)
{
    if (event_at(a)->time_ms != event_at(b)->time_ms)
        return event_at(a)->time_ms < event_at(b)->time_ms;
    return position_order(&event_at(a)->at, &event_at(b)->at) < 0;
}

/* The session of the earliest open thing but those `taken`: it grows by whatever lies within `gap` of a member and
 * `max` of the first, until nothing does. Its deadline; 0 things: none is left. */
static int64_t grow(int rule, bool *taken, size_t *members, size_t *count)
{
    const struct window *window = &model->rules->rules[rule].window;
    int64_t first_ms = INT64_MAX;
    int64_t last_ms = INT64_MIN;
    *count = 0;
    for (size_t i = 0; i < model->count; i++)
        if (model->things[i].membership[rule] == OPEN && !taken[i] && event_at(i)->time_ms < first_ms)
            first_ms = last_ms = event_at(i)->time_ms;
    if (first_ms == INT64_MAX)
        return INT64_MAX;
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < model->count; i++) {
            int64_t time_ms = event_at(i)->time_ms;
            if (model->things[i].membership[rule] != OPEN || taken[i] || time_ms > last_ms + window->gap_ms ||
                time_ms > first_ms + window->max_ms)
                continue;
            taken[i] = grew = true;
            last_ms = time_ms > last_ms ? time_ms : last_ms;
            size_t at = (*count)++;
            for (; at > 0 && before(i, members[at - 1]); at--)
                members[at] = members[at - 1];
            members[at] = i;
        }
    }
    return last_ms + window->gap_ms < first_ms + window->max_ms ? last_ms + window->gap_ms : first_ms + window->max_ms;
}

static double aggregate_of(const struct aggregate *aggregate, int rule, const struct expected *session)
{
    double result = 0;
    for (size_t i = 0; i < session->count; i++) {
        const struct thing *thing = &model->things[session->things[i]];
        if ((thing->inputs[rule] >> aggregate->input & 1) == 0)
            continue;
        if (aggregate->function == AGGREGATE_COUNT)
            result++;
        else if (!value_is_null(thing->now.values[aggregate->field]))
            result += thing->now.values[aggregate->field].d;
    }
    return result;
}

static bool when_of(int number, const struct expected *session)
{
    const struct rule *rule = &model->rules->rules[number];
    struct value *slots = arena_zalloc(&model->call, rule_slot_count(rule) * sizeof *slots);
    uint64_t ignored = 0;
    for (size_t i = 0; i < rule->aggregate_count; i++)
        slots[rule_aggregate_slot(rule, i)] = value_double(aggregate_of(&rule->aggregates[i], number, session));
    struct cel_frame frame = {.slots = slots, .slot_count = rule_slot_count(rule), .arena = &model->call};
    return cel_eval_bool(rule->when, &frame, &ignored, &ignored);
}

/* The evaluations that must come before `next_ms`, all operations up to now being done. */
static size_t expect(int rule, int64_t next_ms)
{
    const struct window *window = &model->rules->rules[rule].window;
    struct past *past = &model->past[rule];
    size_t n = 0;
    for (;;) {
        bool taken[THINGS_MAX] = {false};
        assert_true(n < EXPECTED_MAX);
        struct expected *session = &model->expected[n];
        int64_t deadline_ms = grow(rule, taken, session->things, &session->count);
        session->time_ms = deadline_ms > model->now_ms ? deadline_ms : model->now_ms;
        if (session->count == 0 || session->time_ms >= next_ms)
            return n;
        int64_t first_ms = event_at(session->things[0])->time_ms;
        int64_t last_ms = event_at(session->things[session->count - 1])->time_ms;
        bool evaluated = first_ms >= model->since_ms;
        bool previous = past->when && first_ms - past->last_ms <= window->gap_ms;
        session->when = evaluated && when_of(rule, session);
        session->detection = session->when && !previous;
        *past = (struct past){deadline_ms, last_ms, session->when};
        for (size_t i = 0; i < session->count; i++)
            model->things[session->things[i]].membership[rule] = SETTLED;
        model->seen.overdue += deadline_ms < model->now_ms;
        model->seen.cut += deadline_ms < last_ms + window->gap_ms;
        model->seen.continued += session->when && previous;
        model->seen.unevaluated += !evaluated;
        n += evaluated;
    }
}

static void check_evaluation(int rule, const struct expected *want, const struct evaluation *got)
{
    assert_int_equal(got->time_ms, want->time_ms);
    assert_int_equal(got->contribution_count, want->count);
    for (size_t i = 0; i < want->count; i++) {
        const struct event *event = event_at(want->things[i]);
        assert_int_equal(got->contributions[i].event->time_ms, event->time_ms);
        assert_int_equal(position_order(&got->contributions[i].event->at, &event->at), 0);
        int service = event->stream->service_field;
        assert_true(value_eq(got->contributions[i].event->values[service], event->values[service]));
    }
    assert_true(got->slots[OUT_EVENTS].d == (double)want->count);
    if (got->when != want->when || got->firing != want->when || got->detection != want->detection)
        fail_msg("rule %d at %lld: when %d detection %d, not %d %d", rule, (long long)got->time_ms, got->when,
                 got->detection, want->when, want->detection);
    assert_false(got->sliding || got->capped);
    model->seen.evaluations++;
    model->seen.firings += want->when;
    model->seen.detections += want->detection;
}

static struct detector_context detector(void)
{
    return (struct detector_context){.state = model->state,
                                     .arena = &model->call,
                                     .window_events_max = 10000,
                                     .since_ms = model->since_ms,
                                     .counters = &model->counters};
}

static void load_group(int rule)
{
    struct error err;
    struct str key = STR_LIT("");
    struct group_options options = {.rule = &model->rules->rules[rule],
                                    .rule_number = rule,
                                    .hash = group_hash(key),
                                    .key = key,
                                    .past_ms = model->now_ms};
    assert_int_equal(group_load(&model->groups[rule], model->state, &options, &err), 0);
}

static void drop_group(int rule)
{
    group_free(model->groups[rule]);
    model->groups[rule] = NULL;
}

/* Timers before `next_ms`: those at it come after what happens then. */
static void advance(int64_t next_ms)
{
    for (int rule = 0; rule < RULES; rule++) {
        size_t wanted = expect(rule, next_ms);
        size_t n = 0;
        struct group *group = model->groups[rule];
        while (group->timer_ms < next_ms) {
            struct detector_context context = detector();
            int64_t timer_ms = group->timer_ms;
            detector_of(group->rule)->on_timer(&context, group, timer_ms);
            assert_true(group->timer_ms > timer_ms);
            for (size_t i = 0; i < context.evaluation_count; i++, n++) {
                assert_true(n < wanted);
                check_evaluation(rule, &model->expected[n], context.evaluations[i]);
            }
        }
        assert_int_equal(n, wanted);
        arena_reset(&model->call);
    }
    model->now_ms = next_ms;
}

/* Whether a thing that is newly selected comes in time. */
static enum membership joins(int rule, size_t i)
{
    struct thing *thing = &model->things[i];
    bool taken[THINGS_MAX] = {false};
    size_t members[THINGS_MAX];
    size_t count;
    if (thing->now.time_ms <= model->past[rule].settled_ms)
        return SETTLED;
    thing->membership[rule] = OPEN;
    for (;;) {
        int64_t deadline_ms = grow(rule, taken, members, &count);
        for (size_t k = 0; k < count; k++)
            if (members[k] == i)
                return deadline_ms < model->now_ms ? SETTLED : OPEN;
        assert_true(count > 0);
    }
}

static uint16_t selection_of(const struct rule *rule, const struct thing *thing)
{
    uint16_t mask = 0;
    uint64_t ignored = 0;
    struct cel_frame frame = {.event = &thing->now, .arena = &model->call};
    for (size_t i = 0; i < rule->input_count && thing->exists; i++) {
        const struct rule_input *input = &rule->inputs[i];
        if (input->stream == thing->now.stream && rule_input_matches(input, &thing->now) &&
            (input->where == NULL || cel_eval_bool(input->where, &frame, &ignored, &ignored)))
            mask |= (uint16_t)(1U << i);
    }
    return mask;
}

/* Tells each rule of what the thing is now. */
static void tell(size_t i)
{
    struct thing *thing = &model->things[i];
    for (int rule = 0; rule < RULES; rule++) {
        struct selection selection = {thing->inputs[rule], selection_of(&model->rules->rules[rule], thing)};
        thing->inputs[rule] = selection.after;
        if (selection.before == 0 && selection.after != 0) {
            thing->membership[rule] = joins(rule, i);
            model->seen.left_out += thing->membership[rule] == SETTLED;
        } else if (selection.after == 0) {
            thing->membership[rule] = OUT;
        }
        if ((selection.before | selection.after) == 0)
            continue;
        struct detector_context context = detector();
        struct group *group = model->groups[rule];
        detector_of(group->rule)->on_event(&context, group, &thing->now, selection, model->now_ms);
        assert_int_equal(context.evaluation_count, 0);
        size_t open = 0;
        for (size_t k = 0; k < model->count; k++)
            open += model->things[k].membership[rule] == OPEN;
        assert_int_equal(group->entry_count, open);
    }
}

static void update_row(size_t i)
{
    static const char *const severities[] = {"sev1", "sev2", "sev3"};
    static const char *const statuses[] = {"open", "resolved"};
    struct thing *thing = &model->things[i];
    if (!thing->exists && thing->now.stream == NULL) {
        event_clear(&thing->now, stream_get(STREAM_INCIDENT));
        thing->now.time_ms = model->now_ms;
        thing->now.at = (struct position){0, (int32_t)below(2), model->offset++};
    }
    thing->exists = below(8) > 0;
    thing->now.values[INCIDENT_SEVERITY] = value_text(severities[below(3)]);
    thing->now.values[INCIDENT_STATUS] = value_text(statuses[below(2)]);
    thing->now.values[INCIDENT_SERVICE] = value_text(below(2) == 0 ? "cart" : "ad");
    tell(i);
}

static void telemetry(void)
{
    struct thing *thing = &model->things[model->count];
    event_clear(&thing->now, stream_get(STREAM_TELEMETRY));
    thing->now.time_ms = model->now_ms;
    thing->now.at = (struct position){1, (int32_t)below(2), model->offset++};
    thing->now.values[TELEMETRY_SERVICE] = value_text("cart");
    thing->now.values[TELEMETRY_VALUE] = value_double((double)below(8));
    thing->exists = true;
    tell(model->count++);
}

static int any_key(void *context, struct str key, struct str value)
{
    (void)context;
    (void)value;
    fail_msg("left in the state: kind '%c'", key.p[2]);
    return 0;
}

static void play(void)
{
    struct error err;
    size_t fresh = 0;
    model->now_ms = INT64_C(1704067200000);
    model->since_ms = below(3) == 0 ? model->now_ms + below(30) * MINUTE_MS : INT64_MIN;
    model->count = ROWS;
    for (int rule = 0; rule < RULES; rule++) {
        model->past[rule].settled_ms = INT64_MIN;
        load_group(rule);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        if (below(3) > 0) /* else at the same time */
            advance(model->now_ms + (below(12) == 0 ? below(8) * MINUTE_MS : below(5) * 15 * SECOND_MS) + 1 - below(2));
        if (below(15) == 0)
            for (int rule = 0; rule < RULES; rule++) {
                drop_group(rule);
                load_group(rule);
            }
        if (below(3) == 0 && model->count < THINGS_MAX)
            telemetry();
        else if (fresh < ROWS && below(6) == 0)
            update_row(fresh++);
        else if (fresh > 0)
            update_row(fresh - 1 - (size_t)below(fresh < 6 ? (int64_t)fresh : 6));
    }
    advance(model->now_ms + 2 * (int64_t)DAY_MS);
    for (int rule = 0; rule < RULES; rule++) {
        assert_true(group_is_empty(model->groups[rule]));
        drop_group(rule);
    }
    assert_int_equal(state_scan(model->state, (struct str){0}, any_key, NULL, &err), 0);
}

static struct ruleset *load_rules(struct arena *arena, const char *text)
{
    struct diagnostics diagnostics = {.arena = arena};
    struct ruleset *rules = ruleset_load_text("model.yaml", str_of(text), &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        fail_msg("%d:%d: %s", diagnostics.items[i].line, diagnostics.items[i].column, diagnostics.items[i].message);
    diagnostics_fini(&diagnostics);
    return rules;
}

static void test_sessions(void **unused)
{
    struct arena arena = {0};
    struct ruleset *rules = load_rules(&arena, rules_text);
    struct counts seen = {0};
    (void)unused;
    for (int i = 0; i < rounds; i++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        model = mem_zalloc(sizeof *model);
        model->rules = rules;
        model->state = state_new(store_memory_new());
        model->seen = seen;
        play();
        seen = model->seen;
        state_free(model->state);
        arena_fini(&model->arena);
        arena_fini(&model->call);
        free(model);
    }
    print_message(
        "%zu evaluations, %zu firings, %zu detections; %zu cut by max, %zu true ones that go on, %zu overdue, "
        "%zu began too early; %zu left out\n",
        seen.evaluations, seen.firings, seen.detections, seen.cut, seen.continued, seen.overdue, seen.unevaluated,
        seen.left_out);
    assert_true(seen.evaluations > seen.firings && seen.firings > seen.detections && seen.detections > 0);
    assert_true(seen.cut > 0 && seen.continued > 0 && seen.overdue > 0 && seen.unevaluated > 0 && seen.left_out > 0);
    ruleset_free(rules);
    arena_fini(&arena);
}

/* Events beyond the limit are dropped, the oldest first; the session still ends `max` after the first of all. */
static void test_limit(void **unused)
{
    struct arena arena = {0};
    struct ruleset *rules = load_rules(
        &arena, "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: a, from: {e: {stream: telemetry}}, "
                "detect: {window: {gap: 5m, max: 20m}, when: count(e) >= 2}}\n");
    struct group *group = NULL;
    struct error err;
    struct detector_counters counters = {0};
    struct state *state = state_new(store_memory_new());
    struct group_options options = {.rule = rules->rules, .key = STR_LIT(""), .past_ms = INT64_MIN};
    struct detector_context context = {
        .state = state, .arena = &arena, .window_events_max = 3, .since_ms = INT64_MIN, .counters = &counters};
    (void)unused;
    assert_int_equal(group_load(&group, state, &options, &err), 0);
    for (int minute = 0; minute <= 20; minute += 2) {
        struct event event;
        event_clear(&event, stream_get(STREAM_TELEMETRY));
        event.time_ms = minute * MINUTE_MS;
        event.at = (struct position){0, 0, minute};
        detector_session.on_event(&context, group, &event, (struct selection){0, 1}, event.time_ms);
        assert_int_equal(group->timer_ms, minute < 16 ? (minute + 5) * MINUTE_MS : 20 * MINUTE_MS);
        group_free(group);
        assert_int_equal(group_load(&group, state, &options, &err), 0);
    }
    detector_session.on_timer(&context, group, group->timer_ms);
    assert_int_equal(context.evaluation_count, 1);
    const struct evaluation *evaluation = context.evaluations[0];
    assert_true(evaluation->capped && evaluation->firing && evaluation->detection);
    assert_int_equal(evaluation->contribution_count, 3);
    assert_int_equal(evaluation->contributions[0].event->time_ms, 16 * MINUTE_MS);
    assert_int_equal(counters.entries_dropped, 8);
    group_free(group);
    state_free(state);
    ruleset_free(rules);
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
