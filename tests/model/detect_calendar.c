/* Calendar windows against the C library: at random instants of random zones, and around their changes of clocks, the
 * window that holds the instant must begin at the first minute whose local date, by localtime_r, is in the period, and
 * end at the first of a later one; windows must follow upon each other, and panes fill them.
 *
 * usage: test_detect_calendar [SEED [ROUNDS]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "detect/span.h"

static uint64_t seed = 1;
static int rounds = 600;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

/* Zones whose clocks change at midnight, behind it, by half an hour, over a whole day, against the sun, or not. */
static const char *const zones[] = {
    "Europe/Berlin",       "America/New_York", "America/Sao_Paulo", "America/Havana",   "America/St_Johns",
    "Australia/Lord_Howe", "Pacific/Apia",     "Pacific/Kwajalein", "Asia/Kathmandu",   "Asia/Gaza",
    "Africa/Cairo",        "Asia/Beirut",      "America/Asuncion",  "America/Santiago", "Europe/Dublin",
    "Africa/Casablanca",   "Asia/Tehran",      "Antarctica/Troll",  "America/Nuuk",     "America/Scoresbysund",
    "Pacific/Chatham",     "Asia/Amman",       "Atlantic/Azores",   "Asia/Manila",      "UTC",
};

/* Instants around which clocks did something remarkable. */
static const int64_t remarkable[] = {
    1111888800, /* Berlin, 2005-03-27: 02:00 becomes 03:00 */
    1711846800, /* the same of 2024 */
    1729990800, /* and back */
    1541300400, /* Sao Paulo, 2018-11-04: midnight does not exist */
    1550368800, /* Sao Paulo, 2019-02-17: the 16th has 23 h to 24 h twice */
    1194150660, /* St. John's, 2007-11-04: 00:01 becomes 23:01 of the day before */
    1325239200, /* Apia: 2011-12-30 is left out */
    745934400,  /* Kwajalein: 1993-08-21 is left out */
    4294967296, /* beyond the tables, by the rule */
    -2145916800 /* 1902 */
};

/* The local date's period at an instant, as a number that grows with it. */
static int64_t period_of(const struct window *window, int64_t seconds)
{
    struct tm local;
    time_t t = (time_t)seconds;
    assert_non_null(localtime_r(&t, &local));
    int64_t days = days_from_civil(local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
    switch (window->calendar) {
    case CALENDAR_DAY:
        return days;
    case CALENDAR_WEEK:
        return days - (local.tm_wday + 6) % 7;
    case CALENDAR_MONTH:
        return local.tm_year * 12 + local.tm_mon;
    default:
        return local.tm_year * 4 + local.tm_mon / 3;
    }
}

/* All minutes of three days around a bound: before it the period is lower, from it on never lower again. */
static void check_bound(const struct window *window, int64_t bound_ms, int64_t period, const char *what)
{
    assert_int_equal(bound_ms % SECOND_MS, 0);
    int64_t bound = bound_ms / SECOND_MS;
    bool good = period_of(window, bound) >= period && period_of(window, bound - 1) < period;
    for (int64_t t = bound - 3 * 86400; t < bound && good; t += 60)
        good = period_of(window, t) < period;
    if (!good)
        fail_msg("%s of the %d at %lld in %.*s", what, window->calendar, (long long)bound, STR_ARG(window->zone_name));
}

static void check_panes(const struct window *window, struct span span)
{
    int64_t at_ms = span.start_ms;
    for (int i = 0; i < 400 && at_ms < span.end_ms; i++) {
        struct span pane = span_pane(window, at_ms);
        assert_int_equal(pane.start_ms, at_ms);
        assert_true(pane.end_ms > pane.start_ms && pane.end_ms <= span.end_ms);
        assert_true(pane.end_ms - pane.start_ms == window->pane_ms || pane.end_ms == span.end_ms);
        struct span same = span_pane(window, pane.start_ms + below(pane.end_ms - pane.start_ms));
        assert_true(same.start_ms == pane.start_ms && same.end_ms == pane.end_ms);
        at_ms = pane.end_ms;
    }
    struct span last = span_pane(window, span.end_ms - 1);
    assert_int_equal(last.end_ms, span.end_ms);
}

static void check_at(const struct window *window, int64_t ms)
{
    int64_t end_ms = span_end_after(window, ms);
    struct span span = {span_start(window, end_ms), end_ms};
    assert_true(span.start_ms <= ms && ms < span.end_ms);
    /* No bound within: the period that holds the start is that of the whole window. */
    int64_t period = period_of(window, floor_div(span.start_ms, 1000));
    assert_true(period_of(window, floor_div(ms, 1000)) <= period);
    check_bound(window, span.start_ms, period, "start");
    check_bound(window, span.end_ms, period + 1, "end");
    assert_true(span.end_ms - span.start_ms <= window->size_ms);
    assert_int_equal(span_end_after(window, span.end_ms - 1), span.end_ms);
    assert_int_equal(span_end_after(window, span.start_ms), span.end_ms);
    assert_int_equal(span_end_after(window, span.start_ms - 1), span.start_ms);
    int64_t next_ms = span_next_end(window, end_ms);
    assert_true(next_ms > end_ms);
    assert_int_equal(span_start(window, next_ms), end_ms);
    assert_int_equal(span_end_before(window, next_ms), end_ms);
    assert_int_equal(span_end_before(window, end_ms), span.start_ms);
    check_panes(window, span);
}

static struct window window_of(struct arena *arena, const char *zone, enum calendar_unit unit)
{
    static const int64_t days[] = {2, 8, 32, 93};
    struct window window = {.kind = WINDOW_CALENDAR,
                            .calendar = unit,
                            .size_ms = days[unit] * DAY_MS,
                            .pane_ms = PANE_MS_MAX,
                            .zone_name = str_of(zone)};
    char why[160];
    char name[80];
    assert_int_equal(cel_zone_load(arena, str_of(zone), &window.zone, why, sizeof why), 0);
    (void)snprintf(name, sizeof name, ":%s", zone);
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
    if (strcmp(zone, "UTC") == 0)
        window.zone = NULL;
    return window;
}

static void test_random_instants(void **state)
{
    struct arena arena = {0};
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < rounds; i++) {
        const char *zone = zones[below((int64_t)(sizeof zones / sizeof *zones))];
        struct window window = window_of(&arena, zone, (enum calendar_unit)below(4));
        int64_t seconds = 1 + below(INT64_C(4102444800)); /* to 2100 */
        if (below(3) == 0)
            seconds = remarkable[below((int64_t)(sizeof remarkable / sizeof *remarkable))] + below(3 * 86400) - 86400;
        check_at(&window, seconds * 1000 + below(1000));
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static void test_around_changes_of_clocks(void **state)
{
    struct arena arena = {0};
    (void)state;
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++)
        for (size_t i = 0; i < sizeof remarkable / sizeof *remarkable; i++) {
            struct window window = window_of(&arena, zones[z], CALENDAR_DAY);
            check_at(&window, remarkable[i] * 1000 - 1);
            check_at(&window, remarkable[i] * 1000);
            arena_reset(&arena);
        }
    arena_fini(&arena);
}

static void check_day(const char *zone, const char *in, const char *start, const char *end)
{
    struct arena arena = {0};
    struct window window = window_of(&arena, zone, CALENDAR_DAY);
    int64_t ms[3];
    assert_true(time_parse_ms(str_of(in), &ms[0]) && time_parse_ms(str_of(start), &ms[1]) &&
                time_parse_ms(str_of(end), &ms[2]));
    assert_int_equal(span_end_after(&window, ms[0]), ms[2]);
    assert_int_equal(span_start(&window, ms[2]), ms[1]);
    arena_fini(&arena);
}

static void test_known_days(void **state)
{
    (void)state;
    check_day("Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"); /* 23 h */
    check_day("Europe/Berlin", "2024-10-27T12:00:00Z", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"); /* 25 h */
    /* No midnight: the day begins at 01:00. */
    check_day("America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z");
    /* 23:00 to 24:00 come twice. */
    check_day("America/Sao_Paulo", "2019-02-17T02:30:00Z", "2019-02-16T02:00:00Z", "2019-02-17T03:00:00Z");
    /* The first minute of the 4th, then 59 minutes of the 3rd again: all in the window of the 4th. */
    check_day("America/St_Johns", "2007-11-04T02:45:00Z", "2007-11-04T02:30:00Z", "2007-11-05T03:30:00Z");
    /* The 30th was left out: the 29th is followed by the 31st. */
    check_day("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z");
    check_day("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z");
    check_day("+05:30", "2024-01-01T18:29:59Z", "2023-12-31T18:30:00Z", "2024-01-01T18:30:00Z");
}

static void test_any_time_will_do(void **state)
{
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    struct arena arena = {0};
    (void)state;
    struct window windows[] = {
        window_of(&arena, "Europe/Berlin", CALENDAR_DAY),
        window_of(&arena, "Europe/Berlin", CALENDAR_QUARTER),
        window_of(&arena, "UTC", CALENDAR_WEEK),
        {.kind = WINDOW_HOPPING, .size_ms = INT64_C(3660) * DAY_MS, .slide_ms = 7, .pane_ms = 1}};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
            int64_t end_ms = span_end_after(&windows[w], times[i]);
            assert_true(span_start(&windows[w], times[i]) < span_next_end(&windows[w], times[i]));
            assert_true(span_end_before(&windows[w], times[i]) < span_next_end(&windows[w], times[i]));
            assert_true(span_start(&windows[w], end_ms) < end_ms);
            struct span pane = span_pane(&windows[w], times[i]);
            assert_true(pane.start_ms < pane.end_ms);
        }
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_instants),
                                       cmocka_unit_test(test_around_changes_of_clocks),
                                       cmocka_unit_test(test_known_days), cmocka_unit_test(test_any_time_will_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
