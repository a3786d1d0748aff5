/* `burn_rate` against a naive reference that keeps every event and reads all of them again for each window: random
 * traffic with gaps, bursts at the bounds of minutes, several partials of a minute, rows that change, values that are
 * no numbers, and restarts at random points. Then cases worked out by hand.
 *
 * usage: test_detect_burn_rate [SEED [ROUNDS]]
 */
#include "detect_driver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS_MAX = 4000, ALL = 1, BAD = 2 }; /* bits of inputs `all` and `bad`, by their order */

static uint64_t seed = 1;
static int rounds = 40;

struct seen {
    int64_t time_ms;
    double value;
    uint16_t inputs; /* 0: a row that is not selected */
    bool row;
    int64_t offset;
};

static struct {
    struct seen events[EVENTS_MAX];
    size_t n;
    int64_t due_ms;  /* the end that is evaluated next; INT64_MAX: none */
    int64_t true_ms; /* the end of the last evaluation, where it was true and not empty */
    size_t evaluations, firings, detections, by_pair[RULE_BURN_PAIRS_MAX], nulls;
    struct value outputs[3]; /* the newest */
} model;

/* NaN: null. */
static double fold(const struct aggregate *aggregate, struct span window)
{
    double sum = 0;
    double most = -INFINITY;
    size_t count = 0;
    for (size_t i = 0; i < model.n; i++) {
        const struct seen *seen = &model.events[i];
        if ((seen->inputs >> aggregate->input & 1) == 0 || seen->time_ms < window.start_ms ||
            seen->time_ms >= window.end_ms)
            continue;
        count += aggregate->function == AGGREGATE_COUNT || !isnan(seen->value);
        sum += fabs(seen->value) < 0x1p900 ? seen->value : seen->value * INFINITY; /* as rules/README.md says of sums */
        most = fmax(most, seen->value);
    }
    switch (aggregate->function) {
    case AGGREGATE_COUNT:
        return (double)count;
    case AGGREGATE_SUM:
        return sum;
    default:
        assert_int_equal(aggregate->function, AGGREGATE_MAX);
        return count == 0 ? NAN : most;
    }
}

static double burn(const struct rule *rule, int64_t size_ms, int64_t end_ms)
{
    const struct burn_spec *spec = rule->spec.burn;
    struct span window = {end_ms - size_ms, end_ms};
    double bad = fold(&rule->aggregates[spec->bad_aggregate], window);
    double all = fold(&rule->aggregates[spec->all_aggregate], window);
    double ratio = bad / all / (1 - spec->objective);
    return all > 0 && isfinite(all) && isfinite(ratio) ? ratio : NAN;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static void check_number(struct value got, double want)
{
    assert_int_equal(value_is_null(got), isnan(want));
    if (!isnan(want) && !near(got.d, want))
        fail_msg("%.17g, not %.17g", got.d, want);
}

static size_t events_in(struct span window, int64_t *first_ms)
{
    size_t n = 0;
    *first_ms = INT64_MAX;
    for (size_t i = 0; i < model.n; i++) {
        const struct seen *seen = &model.events[i];
        if (seen->inputs == 0 || seen->time_ms < window.start_ms || seen->time_ms >= window.end_ms)
            continue;
        n++;
        *first_ms = seen->time_ms < *first_ms ? seen->time_ms : *first_ms;
    }
    return n;
}

/* The number of the pair that the outputs must be of, and its burns; -1: rounding decides. */
static int pair_of(const struct driver *driver, int64_t end_ms, bool *fires, double *burn_long, double *burn_short)
{
    const struct burn_spec *spec = driver->rule->spec.burn;
    int told = 0;
    *fires = false;
    for (size_t i = spec->pair_count; i-- > 0;) {
        const struct burn_pair *pair = &spec->pairs[i];
        bool known = end_ms - pair->long_ms >= driver->since_ms;
        double is_long = known ? burn(driver->rule, pair->long_ms, end_ms) : NAN;
        double is_short = known ? burn(driver->rule, pair->short_ms, end_ms) : NAN;
        bool above = is_long > pair->factor && is_short > pair->factor;
        if (near(is_long, pair->factor) || near(is_short, pair->factor))
            return -1;
        if (!above && (i > 0 || *fires))
            continue;
        told = (int)i;
        *fires = above;
        *burn_long = is_long;
        *burn_short = is_short;
    }
    return told;
}

static void check_outputs(const struct driver *driver, const struct evaluation *got, const struct value *outputs)
{
    const struct burn_spec *spec = driver->rule->spec.burn;
    bool fires;
    double burn_long = 0, burn_short = 0;
    int64_t first_ms;
    int told = pair_of(driver, got->time_ms, &fires, &burn_long, &burn_short);
    if (told < 0)
        return;
    check_number(outputs[0], burn_long);
    check_number(outputs[1], burn_short);
    check_number(outputs[2], fires ? spec->pairs[told].factor : NAN);
    size_t events = events_in((struct span){got->time_ms - spec->pairs[told].long_ms, got->time_ms}, &first_ms);
    assert_true(got->slots[OUT_EVENTS].d == (double)events);
    if (events > 0)
        assert_int_equal(value_ms(got->slots[OUT_FIRST_SEEN]), first_ms);
    assert_int_equal(got->when, driver->rule->type == DETECTOR_BURN_RATE && fires);
    model.by_pair[told] += fires;
    model.nulls += isnan(burn_long);
}

static void evaluated(struct driver *driver, const struct evaluation *got)
{
    int64_t first_ms;
    int64_t end_ms = got->time_ms;
    bool filled = events_in((struct span){end_ms - driver->rule->window.size_ms, end_ms}, &first_ms) > 0;
    assert_int_equal(end_ms, model.due_ms);
    assert_true(driver->group->pane_count <= (size_t)(driver->rule->window.size_ms / MINUTE_MS));
    model.due_ms = filled ? end_ms + MINUTE_MS : INT64_MAX;
    memcpy(model.outputs, &got->slots[OUT_FIXED_COUNT], sizeof model.outputs);
    check_outputs(driver, got, model.outputs);
    assert_int_equal(got->firing, got->when);
    assert_int_equal(got->detection, got->when && model.true_ms != end_ms - MINUTE_MS);
    model.true_ms = got->when && filled ? end_ms : INT64_MIN;
    model.evaluations++;
    model.firings += got->firing;
    model.detections += got->detection;
}

static void begin(struct driver *driver, const char *from, const char *detect, uint64_t number)
{
    *driver = (struct driver){.evaluated = evaluated};
    memset(&model, 0, sizeof model);
    model.due_ms = INT64_MAX;
    model.true_ms = INT64_MIN;
    driver_open(driver, from, detect, number);
}

static struct seen *note(const struct driver *driver, int64_t time_ms, double value, uint16_t inputs)
{
    assert_true(model.n < EVENTS_MAX);
    model.events[model.n] = (struct seen){time_ms, value, inputs, false, driver->offset};
    if (model.due_ms == INT64_MAX && inputs != 0)
        model.due_ms = floor_div(time_ms, MINUTE_MS) * MINUTE_MS + MINUTE_MS;
    return &model.events[model.n++];
}

static void fill(struct event *event, int64_t time_ms, double value)
{
    event_clear(event, stream_get(STREAM_TELEMETRY));
    event->time_ms = time_ms;
    event->values[TELEMETRY_NAME] = value_text("m");
    event->values[TELEMETRY_SERVICE] = value_text("s");
    event->values[TELEMETRY_VALUE] = value_double(value);
}

static void telemetry(struct driver *driver, int64_t time_ms, double value, uint16_t inputs)
{
    struct event event;
    fill(&event, time_ms, value);
    driver_advance(driver, time_ms);
    (void)note(driver, time_ms, value, inputs);
    driver_event(driver, inputs == BAD ? 1 : 0, &event);
    if (inputs == (ALL | BAD) && pane_add(driver->open, driver->rule, 1, &event, &driver->call))
        pane_newest(driver->open, &event);
}

/* A second partial of the minute. */
static void pane(struct driver *driver, int64_t time_ms, double value, uint16_t inputs)
{
    struct event event;
    struct detector_context context = driver_context(driver);
    struct pane *made = pane_new(driver->rule, floor_div(time_ms, MINUTE_MS) * MINUTE_MS);
    fill(&event, time_ms, value);
    (void)note(driver, time_ms, value, inputs);
    event.at.offset = driver->offset++;
    for (int input = 0; input < 2; input++)
        if ((inputs >> input & 1) != 0 && pane_add(made, driver->rule, input, &event, &driver->call))
            pane_newest(made, &event);
    detector_of(driver->rule)->on_pane(&context, driver_group(driver, true), made);
    driver_settle(driver, &context);
}

/* A row's change from `before` on. */
static void row(struct driver *driver, struct seen *seen, uint16_t before, int64_t now_ms)
{
    struct event event;
    struct detector_context context = driver_context(driver);
    seen->row = true;
    event_clear(&event, stream_get(STREAM_INCIDENT));
    event.time_ms = seen->time_ms;
    event.at.offset = seen->offset;
    event.values[INCIDENT_ID] = value_text("i");
    event.values[INCIDENT_SERVICE] = value_text("s");
    event.values[stream_field_find(stream_get(STREAM_INCIDENT), STR_LIT("reopened"))] = value_double(seen->value);
    detector_of(driver->rule)
        ->on_event(&context, driver_group(driver, true), &event, (struct selection){before, seen->inputs}, now_ms);
    driver_settle(driver, &context);
}

static uint16_t some_inputs(struct driver *driver, uint64_t bad_of_100)
{
    return driver_below(driver, 100) < bad_of_100 ? (driver_below(driver, 5) == 0 ? BAD : ALL | BAD) : ALL;
}

static double some_value(struct driver *driver)
{
    static const double odd[] = {0, -4, 0.5, NAN, INFINITY, 0x1p950};
    if (driver_below(driver, 150) == 0)
        return odd[driver_below(driver, sizeof odd / sizeof *odd)];
    return (double)driver_below(driver, 20);
}

/* A new row, sometimes with an older time than now, or another bit of an old one. */
static void random_row(struct driver *driver, int64_t now_ms, uint64_t bad_of_100)
{
    driver_advance(driver, now_ms);
    size_t old = model.n == 0 ? 0 : driver_below(driver, model.n);
    if (model.due_ms != INT64_MAX && model.events[old].row && driver_below(driver, 3) == 0) {
        struct seen *seen = &model.events[old];
        uint16_t before = seen->inputs;
        bool reaches = seen->time_ms >= model.due_ms - driver->rule->window.size_ms;
        seen->inputs = driver_below(driver, 3) == 0 ? 0 : some_inputs(driver, bad_of_100);
        if (!reaches)
            seen->inputs = 0; /* for it is never read again */
        row(driver, seen, before, now_ms);
        return;
    }
    int64_t time_ms = now_ms;
    if (model.due_ms != INT64_MAX && driver_below(driver, 4) == 0)
        time_ms -= (int64_t)driver_below(driver, 20) * MINUTE_MS;
    struct seen *seen = note(driver, time_ms, (double)driver_below(driver, 5), some_inputs(driver, bad_of_100));
    driver->offset++;
    row(driver, seen, 0, now_ms);
}

static void random_event(struct driver *driver, int64_t now_ms, uint64_t bad_of_100)
{
    const struct rule *rule = driver->rule;
    uint16_t inputs = some_inputs(driver, bad_of_100);
    bool all_rows = rule->inputs[0].stream->rows;
    bool bad_rows = rule->inputs[1].stream->rows;
    if (all_rows && bad_rows) {
        random_row(driver, now_ms, bad_of_100);
    } else if (bad_rows) {
        if ((inputs & BAD) != 0) {
            driver_advance(driver, now_ms);
            struct seen *seen = note(driver, now_ms, 1, BAD);
            driver->offset++;
            row(driver, seen, 0, now_ms);
        } else {
            telemetry(driver, now_ms, some_value(driver), ALL);
        }
    } else {
        telemetry(driver, now_ms, some_value(driver), inputs);
        if (driver_below(driver, 20) == 0)
            pane(driver, now_ms, some_value(driver), inputs);
    }
}

static void random_traffic(struct driver *driver)
{
    int64_t at_ms = INT64_C(1704067200000) + (int64_t)driver_below(driver, HOUR_MS);
    for (int stretch = 0; stretch < 8; stretch++) {
        int64_t pace_ms = 1 + (int64_t)driver_below(driver, 3 * MINUTE_MS);
        int64_t end_ms = at_ms + (int64_t)driver_below(driver, 40) * MINUTE_MS;
        uint64_t bad_of_100 = driver_below(driver, 3) == 0 ? 0 : driver_below(driver, 100);
        for (int i = 0; i < 250 && at_ms < end_ms; i++) {
            random_event(driver, at_ms, bad_of_100);
            at_ms += (int64_t)driver_below(driver, 2 * (uint64_t)pace_ms);
            if (driver_below(driver, 10) == 0) /* at a bound of minutes */
                at_ms = floor_div(at_ms, MINUTE_MS) * MINUTE_MS + MINUTE_MS - (int64_t)driver_below(driver, 2);
        }
        if (driver_below(driver, 3) == 0)
            at_ms += (int64_t)driver_below(driver, 200) * MINUTE_MS;
    }
    driver_advance(driver, at_ms + DAY_MS);
}

#define METRICS "{all: {stream: telemetry}, bad: {stream: telemetry, match: {kind: log}}}"
#define ROWS    "{all: {stream: incident}, bad: {stream: incident, match: {severity: sev1}}}"
#define MIXED   "{all: {stream: telemetry}, bad: {stream: incident}}"

static const struct {
    const char *from;
    const char *detect;
} rules[] = {
    {METRICS, "{type: burn_rate, bad: bad, all: all, objective: 0.9, pairs: [{long: 20m, short: 1m, factor: 4}, {long: "
              "1h, short: 5m, factor: 2.5}, {long: 2h, short: 20m, factor: 1}]}"},
    {METRICS, "{type: burn_rate, bad: sum(bad), all: sum(all), objective: 0.95, pairs: [{long: 5m, short: 2m, factor: "
              "12}, {long: 90m, short: 7m, factor: 3}]}"},
    {METRICS, "{type: burn_rate, bad: max(bad), all: sum(all), objective: 0.9, pairs: [{long: 30m, short: 3m, factor: "
              "0.5}]}"},
    {ROWS, "{type: burn_rate, bad: bad, all: all, objective: 0.8, pairs: [{long: 30m, short: 10m, factor: 3}, {long: "
           "1h, short: 5m, factor: 1}]}"},
    {ROWS, "{type: burn_rate, bad: 'sum(bad, event.reopened)', all: 'sum(all, event.reopened)', objective: 0.8, pairs: "
           "[{long: 40m, short: 10m, factor: 2}]}"},
    {MIXED, "{type: burn_rate, bad: bad, all: sum(all), objective: 0.99, pairs: [{long: 1h, short: 5m, factor: 5}, "
            "{long: 3h, short: 30m, factor: 1}]}"},
};

static void test_random_traffic(void **state)
{
    (void)state;
    size_t detections = 0;
    size_t later_pairs = 0;
    size_t nulls = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < rounds; i++) {
        size_t number = (size_t)i % (sizeof rules / sizeof *rules);
        struct driver driver;
        begin(&driver, rules[number].from, rules[number].detect, seed + (uint64_t)i);
        driver.restarts = i % 3 == 0 ? 0 : 40;
        random_traffic(&driver);
        detections += model.detections;
        later_pairs += model.by_pair[1] + model.by_pair[2];
        nulls += model.nulls;
        assert_true(model.due_ms == INT64_MAX);
        assert_null(driver_group(&driver, false)); /* long silent, so nothing is kept */
        driver_close(&driver);
    }
    assert_true(detections > (size_t)rounds && later_pairs > (size_t)rounds && nulls > (size_t)rounds);
}

static const int64_t MONDAY_MS = INT64_C(1704067200000);

/* A minute with so many good and bad ones. */
static void minute(struct driver *driver, int64_t number, int good, int bad)
{
    for (int i = 0; i < good + bad; i++)
        telemetry(driver, MONDAY_MS + number * MINUTE_MS + i, 1, i < bad ? ALL | BAD : ALL);
}

static void check_minute(struct driver *driver, int64_t number, double burn_long, double burn_short, double factor)
{
    driver_advance(driver, MONDAY_MS + (number + 1) * MINUTE_MS);
    check_number(model.outputs[0], burn_long);
    check_number(model.outputs[1], burn_short);
    check_number(model.outputs[2], factor);
}

static void test_by_hand(void **state)
{
    (void)state;
    struct driver driver;
    begin(&driver, METRICS,
          "{type: burn_rate, bad: bad, all: all, objective: 0.9, pairs: [{long: 4m, short: 1m, factor: 6}, {long: 10m, "
          "short: 2m, factor: 2}]}",
          1);
    minute(&driver, 0, 10, 0);
    check_minute(&driver, 0, 0, 0, NAN);
    minute(&driver, 1, 4, 6);
    check_minute(&driver, 1, 3, 3, 2); /* 6 of 20, by the second pair; its short window is both minutes */
    minute(&driver, 2, 2, 8);
    check_minute(&driver, 2, 14 / 3.0, 7, 2); /* the first pair's 14 of 30 are too few */
    minute(&driver, 3, 0, 10);
    check_minute(&driver, 3, 6, 9, 2); /* 24 of 40 over 4m are 6, which is not above 6; 10m hold the same 4 minutes */
    minute(&driver, 4, 3, 7);
    check_minute(&driver, 4, 31 / 4.0, 7, 6);
    check_minute(&driver, 5, 31 / 5.0, 7, 2); /* nothing came, so the first pair has no short burn */
    assert_int_equal(model.detections, 1);
    check_minute(&driver, 7, 7, NAN, NAN);
    check_minute(&driver, 8, NAN, NAN, NAN);
    assert_int_equal(model.evaluations, 9);
    check_minute(&driver, 14, NAN, NAN, NAN);
    assert_int_equal(model.evaluations, 15);
    check_minute(&driver, 40, NAN, NAN, NAN);
    assert_int_equal(model.evaluations, 15);
    driver_close(&driver);
}

/* A pair is told once its long window lies in the rule's time, whatever the others do. */
static void test_a_new_rule(void **state)
{
    (void)state;
    struct driver driver;
    begin(&driver, METRICS,
          "{type: burn_rate, bad: bad, all: all, objective: 0.9, pairs: [{long: 10m, short: 1m, factor: 2}, {long: 4m, "
          "short: 2m, factor: 3}]}",
          1);
    driver.since_ms = MONDAY_MS + 2 * MINUTE_MS;
    model.due_ms = MONDAY_MS + 6 * MINUTE_MS;
    for (int i = 0; i < 12; i++)
        minute(&driver, i, 1, 1);
    assert_int_equal(model.due_ms, MONDAY_MS + 12 * MINUTE_MS);
    assert_int_equal(model.evaluations, 6);
    check_number(model.outputs[0], 5);
    check_number(model.outputs[2], 3); /* by the second pair: of the first 9 minutes are in the rule's time */
    check_minute(&driver, 11, 5, 5, 2);
    driver_close(&driver);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_a_new_rule),
                                       cmocka_unit_test(test_random_traffic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
