/* Scorecards against a naive reference: every window of every group, its value over all that lies in it as it stood
 * when the window was evaluated, and the same of the window before. The engine must print the same lines, undisturbed,
 * and with crashes at random points.
 *
 * usage: test_engine_scorecards [SEED [ROUNDS]]
 */
#include "engine_lives.h"

#include "detect/span.h"

enum { EVENTS = 1500, SERVICES = 4, INCIDENTS = 60 };

static int rounds = 4;

static const char cards_text[] = "apiVersion: forestall.io/v1\n"
                                 "kind: Scorecard\n"
                                 "scorecards:\n"
                                 "- id: mean\n"
                                 "  from: {x: {stream: telemetry}}\n"
                                 "  group_by: [service]\n"
                                 "  window: {size: 1h, slide: 20m, wait: 7m}\n"
                                 "  value: sum(x) / count(x)\n"
                                 "  target: value < 50 && (change == null || change <= 0.1)\n"
                                 "- id: most\n"
                                 "  from: {x: {stream: telemetry}}\n"
                                 "  window: {size: 2h, slide: 2h}\n"
                                 "  value: max(x)\n"
                                 "- id: opened\n"
                                 "  from: {x: {stream: incident}}\n"
                                 "  group_by: [service]\n"
                                 "  window: {size: 3h, slide: 1h, wait: 2m}\n"
                                 "  value: count(x)\n"
                                 "  target: change <= -0.2\n"
                                 "- id: repair\n"
                                 "  from: {x: {stream: incident}}\n"
                                 "  window: {calendar: day, timezone: Asia/Kathmandu}\n"
                                 "  value: mttr\n"
                                 "  target: value < duration('2h')\n"
                                 "- id: unmet\n"
                                 "  from: {card: {stream: scorecard, match: {id: mean, target_met: false}}}\n"
                                 "  window: {size: 2h, slide: 1h}\n"
                                 "  value: count(card)\n";

/* What happened: a sample of telemetry, or an update of an incident. */
struct happening {
    int64_t at_ms;
    int service;
    int incident; /* -1: telemetry */
    bool resolved;
    double value;
};

struct history {
    struct happening items[EVENTS];
    size_t count;
    int64_t missed_ms[EVENTS * 4]; /* when a scorecard `mean` missed its target */
    size_t missed_count;
};

/* In order of time, so that nothing is late; halves, so that sums are exact. Quiet hours come now and then. */
static void make_history(struct history *history, struct log *log)
{
    int64_t at_ms = INT64_C(1704067200000) + below(DAY_MS);
    history->count = EVENTS;
    history->missed_count = 0;
    for (int i = 0; i < EVENTS; i++) {
        struct happening *it = &history->items[i];
        at_ms += below(40) == 0 ? below(6 * HOUR_MS) : below(4 * MINUTE_MS);
        *it = (struct happening){at_ms, (int)below(SERVICES), -1, false, (double)below(200) / 2};
        if (below(3) == 0) {
            it->incident = (int)below(INCIDENTS);
            it->service = it->incident % SERVICES;
            it->resolved = below(2) == 0;
            add(log, (size_t)(it->incident % INCIDENT_PARTITIONS),
                arena_printf(&log->arena,
                             "{\"event_id\":\"e%d\",\"incident_id\":\"i%d\",\"status\":\"%s\",\"occurred_at\":%lld,"
                             "\"service\":\"s%d\",\"severity\":\"sev2\",\"title\":\"t\"}",
                             i, it->incident, it->resolved ? "resolved" : "open", (long long)at_ms, it->service));
            continue;
        }
        add(log, INCIDENT_PARTITIONS + (size_t)(it->service % 2),
            arena_printf(&log->arena, "{\"service\":\"s%d\",\"name\":\"cpu\",\"value\":%.1f,\"occurred_at\":%lld}",
                         it->service, it->value, (long long)at_ms));
    }
}

static bool within(struct span span, int64_t time_ms)
{
    return time_ms >= span.start_ms && time_ms < span.end_ms;
}

/* The sum, number and greatest of what telemetry of the service (-1: all) gave in the span. */
struct sums {
    double sum, count, most;
};

static struct sums sums_of(const struct history *history, int service, struct span span)
{
    struct sums sums = {0, 0, 0};
    for (size_t i = 0; i < history->count; i++) {
        const struct happening *it = &history->items[i];
        if (it->incident >= 0 || !within(span, it->at_ms) || (service >= 0 && it->service != service))
            continue;
        sums.sum += it->value;
        sums.most = sums.count == 0 || it->value > sums.most ? it->value : sums.most;
        sums.count++;
    }
    return sums;
}

/* An incident as it stands before `now_ms`: when it was opened (INT64_MAX: not yet), and for how long, once resolved.
 */
struct state_of_incident {
    int64_t opened_ms;
    int64_t took_ms; /* -1: it is open */
};

static struct state_of_incident incident_at(const struct history *history, int incident, int64_t now_ms)
{
    struct state_of_incident found = {INT64_MAX, -1};
    bool resolved = false;
    for (size_t i = 0; i < history->count && history->items[i].at_ms < now_ms; i++) {
        const struct happening *it = &history->items[i];
        if (it->incident != incident)
            continue;
        if (found.opened_ms == INT64_MAX)
            found.opened_ms = it->at_ms;
        if (it->resolved && !resolved)
            found.took_ms = it->at_ms - found.opened_ms;
        resolved = it->resolved;
        if (!resolved)
            found.took_ms = -1;
    }
    return found;
}

/* The value of a scorecard of a service (-1: over all) in the span, as things stood before `now_ms`; *any: it is not
 * empty. */
static struct value value_of(const struct history *history, const struct rule *rule, int service, struct span span,
                             int64_t now_ms, bool *any)
{
    struct sums sums = sums_of(history, service, span);
    int64_t took_ms = 0;
    int64_t ended = 0;
    double opened = 0;
    for (int i = 0; i < INCIDENTS; i++) {
        struct state_of_incident it = incident_at(history, i, now_ms);
        if (!within(span, it.opened_ms) || (service >= 0 && i % SERVICES != service))
            continue;
        opened++;
        ended += it.took_ms >= 0;
        took_ms += it.took_ms >= 0 ? it.took_ms : 0;
    }
    double missed = 0;
    for (size_t i = 0; i < history->missed_count; i++)
        missed += within(span, history->missed_ms[i]) && history->missed_ms[i] < now_ms;
    *any = str_is(rule->id, "mean") || str_is(rule->id, "most")       ? sums.count > 0
           : str_is(rule->id, "opened") || str_is(rule->id, "repair") ? opened > 0
                                                                      : missed > 0;
    if (str_is(rule->id, "mean"))
        return sums.count > 0 ? value_double(sums.sum / sums.count) : value_null();
    if (str_is(rule->id, "most"))
        return sums.count > 0 ? value_double(sums.most) : value_null();
    if (str_is(rule->id, "opened"))
        return value_double(opened);
    if (str_is(rule->id, "unmet"))
        return value_double(missed);
    return ended > 0 ? value_double((double)((2 * took_ms + ended) / (2 * ended))) : value_null();
}

/* The first event of the stream that the scorecard reads; scorecards are as old as the older source. */
static int64_t first_of(const struct history *history, const struct rule *rule)
{
    enum stream_id stream = rule->inputs[0].stream->id;
    for (size_t i = 0; i < history->count; i++)
        if (stream == STREAM_SCORECARD || (stream == STREAM_INCIDENT) == (history->items[i].incident >= 0))
            return history->items[i].at_ms;
    return INT64_MAX;
}

static const char *target_of(const struct rule *rule, struct value value, struct value previous, struct value change)
{
    bool known = !value_is_null(value);
    if (str_is(rule->id, "mean")) {
        bool slow = known && value.d >= 50;
        if (slow)
            return "false";
        /* What holds whatever the value, holds; only a value that is unknown beside it cannot be told. */
        bool grows = !value_is_null(change) && change.d > 0.1;
        return grows ? "false" : known ? "true" : "null";
    }
    if (str_is(rule->id, "opened"))
        return value_is_null(change) ? "null" : change.d <= -0.2 ? "true" : "false";
    if (str_is(rule->id, "repair"))
        return !known ? "null" : value.d < 2.0 * HOUR_MS ? "true" : "false";
    (void)previous;
    return "null";
}

static void put_number(struct buf *out, const char *name, struct value v)
{
    buf_printf(out, ",\"%s\":", name);
    value_json(out, v);
}

struct window_of {
    const struct rule *rule;
    int service; /* -1: over all */
    struct span span;
    int64_t made_ms;
};

/* The line of one window. */
static void put_line(struct history *history, const struct window_of *at, struct value value, struct value previous,
                     struct durable *durable)
{
    const struct rule *rule = at->rule;
    struct arena arena = {0};
    struct buf key = {0};
    struct buf line = {0};
    const char *service = at->service < 0 ? NULL : arena_printf(&arena, "s%d", at->service);
    const struct value keys[] = {service != NULL ? value_text(service) : value_null()};
    group_key_encode(&key, rule, keys);
    const char *id = arena_printf(&arena, "%s:%016llx", rule->id.p, (unsigned long long)group_hash(buf_str(&key)));
    bool known = !value_is_null(value) && !value_is_null(previous) && previous.d != 0;
    struct value change = known ? value_double((value.d - previous.d) / previous.d) : value_null();
    const char *trend = !known                                ? "null"
                        : change.d < 0.05 && change.d > -0.05 ? "\"flat\""
                        : change.d > 0                        ? "\"up\""
                                                              : "\"down\"";
    const char *met = target_of(rule, value, previous, change);
    buf_printf(&line, "{\"scorecard_id\":\"%s\",\"id\":\"%s\",\"group\":{", id, rule->id.p);
    if (service != NULL)
        buf_printf(&line, "\"service\":\"%s\"},\"service\":\"%s\"", service, service);
    else
        buf_puts(&line, "},\"service\":null");
    put_number(&line, "value", value);
    put_number(&line, "previous", previous);
    put_number(&line, "change", change);
    buf_printf(&line, ",\"trend\":%s,\"target_met\":%s", trend, met);
    put_number(&line, "window_from", value_time_ms(at->span.start_ms));
    put_number(&line, "window_to", value_time_ms(at->span.end_ms));
    put_number(&line, "event_time", value_time_ms(at->made_ms));
    buf_puts(&line, "}\n");
    void **slot = map_slot(&durable->outputs, str_of(id));
    if (*slot == NULL)
        *slot = mem_zalloc(sizeof(struct buf));
    buf_str_put(*slot, buf_str(&line));
    if (str_is(rule->id, "mean") && strcmp(met, "false") == 0)
        history->missed_ms[history->missed_count++] = at->made_ms;
    buf_fini(&line);
    buf_fini(&key);
    arena_fini(&arena);
}

/* All windows of one group, from before the first event to after the last. */
static void naive_group(struct history *history, const struct rule *rule, int service, struct durable *durable)
{
    const struct window *window = &rule->window;
    int64_t last_ms = history->items[history->count - 1].at_ms + 2 * DAY_MS;
    int64_t first_ms = first_of(history, rule);
    bool before = false;
    for (int64_t end_ms = span_end_after(window, history->items[0].at_ms); end_ms < last_ms;
         end_ms = span_next_end(window, end_ms)) {
        struct span span = {span_start(window, end_ms), end_ms};
        struct span earlier = {0, span_end_ago(window, end_ms, window->size_ms)};
        earlier.start_ms = span_start(window, earlier.end_ms);
        struct window_of at = {rule, service, span, end_ms + window->wait_ms};
        bool any = false;
        bool ignored = false;
        struct value value = value_of(history, rule, service, span, at.made_ms, &any);
        struct value previous = value_null();
        if (first_ms <= end_ms - (end_ms - earlier.end_ms))
            previous = value_of(history, rule, service, earlier, at.made_ms, &ignored);
        if (any || before)
            put_line(history, &at, value, previous, durable);
        before = any;
    }
}

static void naive(struct history *history, const struct ruleset *rules, struct durable *durable)
{
    for (int level = 1; level <= rules->level_max; level++)
        for (size_t i = 0; i < rules->count; i++)
            for (int service = 0; rules->rules[i].level == level && service < SERVICES; service++) {
                bool by_service = rules->rules[i].group_count > 0;
                if (by_service || service == 0)
                    naive_group(history, &rules->rules[i], by_service ? service : -1, durable);
            }
}

static void test_scorecards(void **state)
{
    struct fixture fixture = {0};
    struct history *history = mem_zalloc(sizeof *history);
    (void)state;
    load(&fixture, STR_LIT(cards_text), "");
    for (int round = 0; round < rounds; round++) {
        uint64_t seed_of_round = seed;
        struct durable expected;
        struct durable undisturbed;
        struct durable disturbed;
        make_history(history, &fixture.log);
        durable_init(&expected);
        durable_init(&undisturbed);
        durable_init(&disturbed);
        naive(history, fixture.rules, &expected);
        assert_true(live(&fixture, &undisturbed, false));
        int lives = 1;
        while (!live(&fixture, &disturbed, true))
            lives++;
        print_message("seed %llu: %zu scorecards, %zu missed, %d lives\n", (unsigned long long)seed_of_round,
                      expected.outputs.count, history->missed_count, lives);
        assert_int_equal(expected.outputs.count, 2 * SERVICES + 3);
        compare(&expected, &undisturbed);
        compare(&expected, &disturbed);
        durable_fini(&expected);
        durable_fini(&undisturbed);
        durable_fini(&disturbed);
        log_fini(&fixture.log);
    }
    fixture_fini(&fixture);
    free(history);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scorecards)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
