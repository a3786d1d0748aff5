/* `trend` against a naive reference that keeps all values: lines by sorting all slopes, windows by reading everything
 * again. Random series that rise, stand, shift and are reset, with gaps, several values a step, and restarts at random
 * points; then series of which it is known what must be said.
 *
 * usage: test_detect_trend [SEED [ROUNDS]]
 */
#include "detect_driver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "detect/line.h"

enum { VALUES_MAX = 40000, STEPS_MAX = 2000 };

static uint64_t seed = 1;
static int rounds = 40;

/* All that was ever given. */
static struct {
    int64_t time_ms[VALUES_MAX];
    double value[VALUES_MAX]; /* NaN: a reset */
    size_t n;
    struct {
        int64_t end_ms;
        bool when, filled;
    } past[VALUES_MAX];
    size_t past_count;
    size_t forecasts; /* with an eta */
    size_t detections;
    int64_t last_eta_ms; /* -1: none */
} model;

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_number);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static size_t medians(const struct trend_spec *spec, struct span window, double *x, double *y)
{
    static double values[VALUES_MAX];
    size_t n = 0;
    int64_t start_ms = window.start_ms;
    for (size_t i = 0; i < model.n; i++)
        if (isnan(model.value[i]) && model.time_ms[i] >= window.start_ms && model.time_ms[i] < window.end_ms)
            start_ms = model.time_ms[i];
    for (int64_t k = 0; window.start_ms + (k + 1) * spec->step_ms <= window.end_ms; k++) {
        int64_t from_ms = window.start_ms + k * spec->step_ms;
        size_t count = 0;
        if (from_ms < start_ms)
            continue;
        for (size_t i = 0; i < model.n; i++)
            if (!isnan(model.value[i]) && model.time_ms[i] >= from_ms && model.time_ms[i] < from_ms + spec->step_ms)
                values[count++] = model.value[i];
        if (count == 0)
            continue;
        x[n] = ((double)from_ms + (double)spec->step_ms / 2 - (double)window.end_ms) / HOUR_MS; /* hours to the end */
        y[n++] = median_of(values, count);
    }
    return n;
}

/* Slope an hour and the value at x = 0. */
static void line_of(enum trend_method method, const double *x, const double *y, size_t n, double *slope, double *offset)
{
    static double values[STEPS_MAX * STEPS_MAX / 2];
    size_t count = 0;
    if (method == TREND_THEIL_SEN) {
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < i; k++)
                values[count++] = (y[i] - y[k]) / (x[i] - x[k]);
        *slope = median_of(values, count);
        for (size_t i = 0; i < n; i++)
            values[i] = y[i] - *slope * x[i];
        *offset = median_of(values, n);
        return;
    }
    long double sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (size_t i = 0; i < n; i++) {
        sx += x[i];
        sy += y[i];
        sxx += (long double)x[i] * x[i];
        sxy += (long double)x[i] * y[i];
    }
    *slope = (double)((n * sxy - sx * sy) / (n * sxx - sx * sx));
    *offset = (double)((sy - *slope * sx) / n);
}

static double squares(const double *y, size_t from, size_t to)
{
    long double mean = 0, sum = 0;
    for (size_t i = from; i < to; i++)
        mean += y[i];
    mean /= (long double)(to - from);
    for (size_t i = from; i < to; i++)
        sum += (y[i] - mean) * (y[i] - mean);
    return (double)sum;
}

static bool near(double got, double want, double scale)
{
    return fabs(got - want) <= 1e-9 * (fabs(want) + scale);
}

/* What the reference says of a window; eta -1: no forecast. */
struct outcome {
    size_t n;
    double slope, current, fit, eta_hours;
    bool doubtful; /* so near to a bound that rounding decides */
};

static struct outcome outcome_of(const struct trend_spec *spec, struct span window)
{
    static double x[STEPS_MAX];
    static double y[STEPS_MAX];
    struct outcome out = {.n = medians(spec, window, x, y), .eta_hours = -1};
    if (out.n < 2)
        return out;
    line_of(spec->method, x, y, out.n, &out.slope, &out.current);
    double total = squares(y, 0, out.n);
    double rest = 0;
    double levels = total;
    for (size_t i = 0; i < out.n; i++)
        rest += pow(y[i] - out.slope * x[i] - out.current, 2);
    for (size_t i = 1; i < out.n; i++)
        levels = fmin(levels, squares(y, 0, i) + squares(y, i, out.n));
    out.fit = total < 1e-18 ? 1 : 1 - rest / total;
    bool forecast = (int64_t)out.n >= spec->min_points && out.fit >= spec->min_fit && rest <= levels;
    out.doubtful = near(out.fit, spec->min_fit, 0) || near(rest, levels, 1e-6 * total) || fabs(out.slope) < 1e-12;
    double first = out.current + out.slope * x[0];
    if (!forecast || out.doubtful)
        return out;
    if ((first < spec->limit) != (out.current < spec->limit))
        out.eta_hours = 0;
    else if ((spec->limit - out.current) / out.slope >= 0)
        out.eta_hours = (spec->limit - out.current) / out.slope;
    return out;
}

static bool filled(struct span window)
{
    for (size_t i = 0; i < model.n; i++)
        if (model.time_ms[i] >= window.start_ms && model.time_ms[i] < window.end_ms)
            return true;
    return false;
}

static void check_number(struct value got, bool is_null, double want, double scale)
{
    assert_int_equal(value_is_null(got), is_null);
    if (!is_null && !near(got.d, want, scale))
        fail_msg("%.17g, not %.17g", got.d, want);
}

static void evaluated(struct driver *driver, const struct evaluation *got)
{
    const struct trend_spec *spec = driver->rule->spec.trend;
    const struct window *kind = &driver->rule->window;
    int64_t end_ms = got->time_ms - kind->wait_ms;
    struct span window = {span_start(kind, end_ms), end_ms};
    struct outcome want = outcome_of(spec, window);
    const struct value *slots = &got->slots[OUT_FIXED_COUNT];
    size_t events = 0;
    check_number(slots[0], want.n < 2, want.slope, 1e-6);
    check_number(slots[1], want.n < 2, want.fit, 1);
    check_number(slots[2], want.n < 2, want.current, 100);
    model.last_eta_ms = value_is_null(slots[3]) ? -1 : value_ms(slots[3]);
    if (!want.doubtful) {
        assert_int_equal(value_is_null(slots[3]), want.eta_hours < 0);
        if (want.eta_hours >= 0)
            assert_true(fabs((double)model.last_eta_ms - want.eta_hours * HOUR_MS) <=
                        1 + 1e-7 * (double)model.last_eta_ms);
        assert_int_equal(got->when, want.eta_hours >= 0 && want.eta_hours <= 24 * 30);
    }
    model.forecasts += model.last_eta_ms >= 0;
    bool held = filled(window);
    for (size_t i = 0; i < model.n; i++)
        events += !isnan(model.value[i]) && model.time_ms[i] >= window.start_ms && model.time_ms[i] < window.end_ms;
    assert_true(got->slots[OUT_EVENTS].d == (double)events);
    bool previous = false;
    for (size_t i = 0; i < model.past_count; i++) {
        assert_true(model.past[i].end_ms < end_ms); /* once, in order */
        previous |= span_next_end(kind, model.past[i].end_ms) == end_ms && model.past[i].when && model.past[i].filled;
    }
    assert_int_equal(got->firing, got->when);
    assert_int_equal(got->detection, got->when && !previous);
    model.detections += got->detection;
    model.past[model.past_count].end_ms = end_ms;
    model.past[model.past_count].filled = held;
    model.past[model.past_count++].when = got->when;
}

/* Every window that held something was evaluated, and so was the one after such a window; no other. */
static void check_which(const struct driver *driver, int64_t from_ms, int64_t to_ms)
{
    const struct window *kind = &driver->rule->window;
    size_t wanted = 0;
    for (int64_t end_ms = span_end_after(kind, from_ms - 100 * (int64_t)DAY_MS); end_ms + kind->wait_ms <= to_ms;
         end_ms = span_next_end(kind, end_ms)) {
        struct span window = {span_start(kind, end_ms), end_ms};
        int64_t before_ms = span_end_before(kind, end_ms);
        struct span before = {span_start(kind, before_ms), before_ms};
        if (!filled(window) && !filled(before))
            continue;
        assert_true(wanted < model.past_count && model.past[wanted].end_ms == end_ms);
        wanted++;
    }
    assert_int_equal(wanted, model.past_count);
}

static void note(int64_t time_ms, double value)
{
    assert_true(model.n < VALUES_MAX);
    model.time_ms[model.n] = time_ms;
    model.value[model.n++] = value;
}

static void give(struct driver *driver, int64_t time_ms, double value)
{
    driver_advance(driver, time_ms);
    note(time_ms, value);
    driver_value(driver, 0, time_ms, value);
}

static void reset(struct driver *driver, int64_t time_ms)
{
    driver_advance(driver, time_ms);
    note(time_ms, NAN);
    driver_value(driver, 1, time_ms, 0);
}

#define FROM       "{of: {stream: telemetry}}"
#define FROM_RESET "{of: {stream: telemetry}, reset: {stream: telemetry, match: {kind: log}}}"

static void begin(struct driver *driver, const char *from, const char *detect, uint64_t number)
{
    *driver = (struct driver){.evaluated = evaluated};
    model.n = model.past_count = model.forecasts = model.detections = 0;
    driver_open(driver, from, detect, number);
}

static const struct {
    const char *from;
    const char *detect;
} rules[] = {
    {FROM, "{type: trend, of: of, window: {size: 2d, slide: 6h}, limit: 90, horizon: 30d, min_points: 10}"},
    {FROM, "{type: trend, of: of, window: {size: 2d, slide: 2d}, limit: 90, horizon: 30d, method: least_squares}"},
    {FROM_RESET, "{type: trend, of: of, reset: reset, window: {size: 1d, slide: 1h, wait: 10m}, step: 30m, limit: 90, "
                 "horizon: 30d, min_points: 8}"},
    {FROM_RESET, "{type: trend, of: of, reset: reset, window: {size: 30h, slide: 10h}, step: 45m, limit: 20, horizon: "
                 "30d, min_points: 3, min_fit: 0, method: least_squares}"},
    {FROM_RESET, "{type: trend, of: of, reset: reset, window: {calendar: day, timezone: Asia/Kathmandu}, step: 25m, "
                 "limit: 90, horizon: 30d, min_points: 5}"},
    {FROM,
     "{type: trend, of: of, window: {calendar: week, timezone: Europe/Berlin}, step: 5h, limit: 90, horizon: 30d, "
     "min_points: 10, min_fit: 0.3}"},
};

/* Stretches that rise, fall, stand or are silent, each with its own level, noise and pace. */
static void random_series(struct driver *driver, bool resets, int64_t *from_ms, int64_t *to_ms)
{
    int64_t at_ms = INT64_C(1711800000000) + (int64_t)driver_below(driver, DAY_MS); /* clocks change on its first day */
    double level = 50;
    *from_ms = at_ms;
    for (int stretch = 0; stretch < 8; stretch++) {
        double slope = driver_below(driver, 3) == 0 ? 0 : ((double)driver_below(driver, 2000) - 800) / 1000;
        double noise = driver_below(driver, 3) == 0 ? 0 : (double)driver_below(driver, 1000) / 200;
        int64_t pace_ms = (int64_t)(1 + driver_below(driver, 120)) * MINUTE_MS;
        int64_t end_ms = at_ms + (int64_t)driver_below(driver, 50) * HOUR_MS;
        bool silent = driver_below(driver, 6) == 0;
        if (driver_below(driver, 3) == 0)
            level = (double)driver_below(driver, 100);
        if (resets && driver_below(driver, 2) == 0)
            reset(driver, at_ms);
        for (; at_ms < end_ms; at_ms += 1 + (int64_t)driver_below(driver, 2 * (uint64_t)pace_ms)) {
            if (!silent)
                give(driver, at_ms, level + noise * ((double)driver_below(driver, 2001) / 1000 - 1));
            level += slope * (double)pace_ms / HOUR_MS;
            if (driver_below(driver, 10) == 0) /* at a bound of steps and windows */
                at_ms = floor_div(at_ms, HOUR_MS) * HOUR_MS + HOUR_MS - 1;
        }
    }
    *to_ms = at_ms + 20 * (int64_t)DAY_MS;
    driver_advance(driver, *to_ms);
}

static void test_random_series(void **state)
{
    (void)state;
    size_t forecasts = 0;
    size_t detections = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < rounds; i++) {
        size_t number = (size_t)i % (sizeof rules / sizeof *rules);
        struct driver driver;
        int64_t from_ms;
        int64_t to_ms;
        begin(&driver, rules[number].from, rules[number].detect, seed + (uint64_t)i);
        driver.restarts = i % 3 == 0 ? 0 : 40;
        random_series(&driver, driver.rule->spec.trend->reset >= 0, &from_ms, &to_ms);
        check_which(&driver, from_ms, to_ms);
        forecasts += model.forecasts;
        detections += model.detections;
        assert_null(driver_group(&driver, false)); /* long silent, so nothing is kept */
        driver_close(&driver);
    }
    assert_true(forecasts > (size_t)rounds && detections > (size_t)rounds / 4);
}

/* Of known series: a value an hour, in one week of the calendar. */
static double flat(int i)
{
    (void)i;
    return 50.1;
}

static double rising(int i)
{
    return 50 + 0.1 * i;
}

static double rising_with_wild_points(int i)
{
    return i % 24 == 3 ? rising(i) - 10 : rising(i);
}

static double falling(int i)
{
    return 120 - 0.1 * i;
}

static double over_it(int i)
{
    return 80 + 0.1 * i;
}

static double beyond_it(int i)
{
    return 91 + 0.1 * i;
}

static double shift(int i)
{
    return i < 70 ? 20 : 40;
}

static double shift_with_noise(int i)
{
    return (i < 110 ? 20 : 40) + i * 7919 % 13 / 5.0;
}

static double saw_tooth(int i)
{
    return 40 + i % 42;
}

static double noise(int i)
{
    return 50 + i * 7919 % 101 / 10.0;
}

static double stairs(int i)
{
    return 50 + i / 24;
}

static void known_series(const char *method, double (*value)(int i), int hours, bool reset_at_last_tooth,
                         double eta_hours)
{
    struct driver driver;
    char detect[200];
    const int64_t monday_ms = INT64_C(1704067200000);
    (void)snprintf(detect, sizeof detect,
                   "{type: trend, of: of, %swindow: {calendar: week}, limit: 90, horizon: 30d, method: %s}",
                   reset_at_last_tooth ? "reset: reset, " : "", method);
    begin(&driver, reset_at_last_tooth ? FROM_RESET : FROM, detect, 1);
    for (int hour = 0; hour < hours; hour++) {
        if (reset_at_last_tooth && hour == 126)
            reset(&driver, monday_ms + (int64_t)hour * HOUR_MS);
        give(&driver, monday_ms + (int64_t)hour * HOUR_MS, value(hour));
    }
    driver_advance(&driver, monday_ms + 7 * (int64_t)DAY_MS);
    assert_int_equal(model.past_count, 1);
    if (eta_hours < 0 ? model.last_eta_ms >= 0 : fabs((double)model.last_eta_ms / HOUR_MS - eta_hours) > 1e-6)
        fail_msg("%s, %d hours: %lld ms, not %g h", method, hours, (long long)model.last_eta_ms, eta_hours);
    driver_close(&driver);
}

static void test_known_series(void **state)
{
    (void)state;
    static const struct {
        double (*value)(int i);
        int hours; /* so many have a value */
        bool reset;
        double eta_hours; /* negative: no forecast */
    } cases[] = {
        {flat, 168, false, -1},
        {rising, 168, false, (90 - 66.75) * 10},
        {rising, 24, false, (90 - 66.75) * 10},
        {rising, 23, false, -1},
        {falling, 168, false, (120 - 16.75 - 90) * 10},
        {over_it, 168, false, 0},
        {beyond_it, 168, false, -1},
        {shift, 168, false, -1},
        {shift_with_noise, 168, false, -1},
        {noise, 168, false, -1},
        {saw_tooth, 168, false, -1},
        {saw_tooth, 168, true, 90 - 81.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        known_series("theil_sen", cases[i].value, cases[i].hours, cases[i].reset, cases[i].eta_hours);
        known_series("least_squares", cases[i].value, cases[i].hours, cases[i].reset, cases[i].eta_hours);
    }
    known_series("theil_sen", rising_with_wild_points, 168, false, (90 - 66.75) * 10);
    known_series("theil_sen", stairs, 168, false, 833.6);
}

static void check_median(size_t n, uint64_t kinds, struct driver *random)
{
    double values[60];
    double sorted[60];
    for (size_t i = 0; i < n; i++)
        sorted[i] = values[i] = (double)driver_below(random, kinds) - 3;
    qsort(sorted, n, sizeof *sorted, by_number);
    assert_true(line_median(values, n) == (sorted[(n - 1) / 2] + sorted[n / 2]) / 2);
}

static void test_medians_and_values_without_a_line(void **state)
{
    (void)state;
    struct driver random = {.seed = seed * 77 + 1};
    for (int i = 0; i < 20000; i++)
        check_median(1 + driver_below(&random, 60), 1 + driver_below(&random, 40), &random);
    struct line line;
    struct line_point far_apart[] = {{0, -1.7e308}, {1, 1.7e308}, {2, 0}};
    assert_false(line_theil_sen(far_apart, 1, &line));
    assert_false(line_theil_sen(far_apart, 3, &line));
    assert_false(line_least_squares(far_apart, 3, &line));
    struct line_point equal[] = {{0, 0.1}, {1, 0.1}, {9, 0.1}};
    assert_true(line_theil_sen(equal, 3, &line) && line.slope == 0 && line.fit == 1);
    assert_true(line_least_squares(equal, 3, &line) && line.slope == 0 && line.fit == 1);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_series), cmocka_unit_test(test_random_series),
                                       cmocka_unit_test(test_medians_and_values_without_a_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
