/* Means, medians and distinct incidents against a naive reference, over random rows.
 *
 * usage: test_detect_statistics [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "detect/statistics.h"

enum { ROUNDS = 4000, ROWS_MAX = 40, INCIDENTS = 12 };

static uint64_t seed = 1;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static struct value time_or_null(int64_t from, int64_t span)
{
    return below(3) == 0 ? value_null() : value_time_ms(from + below(span));
}

static void random_row(struct event *row, struct arena *arena)
{
    event_clear(row, stream_get(below(8) == 0 ? STREAM_DEPLOYMENT : STREAM_INCIDENT));
    row->time_ms = 10000 + below(1000);
    row->values[row->stream->service_field] = value_text(arena_printf(arena, "s%d", (int)below(5)));
    if (row->stream->id != STREAM_INCIDENT)
        return;
    row->values[INCIDENT_ID] = value_text(arena_printf(arena, "i%d", (int)below(INCIDENTS)));
    row->values[INCIDENT_STATUS] = value_text(below(4) == 0 ? "open" : "resolved");
    row->values[INCIDENT_STARTED_AT] = time_or_null(9000, 2000);
    row->values[INCIDENT_DETECTED_AT] = time_or_null(9000, 3000);
    row->values[INCIDENT_RESOLVED_AT] = time_or_null(9500, 9000);
    uint32_t n = (uint32_t)below(4);
    struct value *refs = arena_alloc(arena, (n + 1) * sizeof *refs);
    for (uint32_t i = 0; i < n; i++)
        refs[i] = value_text(arena_printf(arena, "f%d", (int)below(9)));
    row->values[INCIDENT_CODE_REFS] = value_list(refs, n);
}

struct spans {
    double items[INCIDENTS];
    size_t n;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_spans(struct spans *spans, struct value mean, struct value median)
{
    assert_int_equal(value_is_null(mean), spans->n == 0);
    assert_int_equal(value_is_null(median), spans->n == 0);
    if (spans->n == 0)
        return;
    double sum = 0;
    qsort(spans->items, spans->n, sizeof spans->items[0], by_value);
    for (size_t i = 0; i < spans->n; i++)
        sum += spans->items[i];
    double middle = (spans->items[(spans->n - 1) / 2] + spans->items[spans->n / 2]) / 2;
    assert_true((double)value_ms(mean) == floor(sum / (double)spans->n + 0.5));
    assert_true((double)value_ms(median) == floor(middle));
}

static void check_incidents(const struct contribution *contributions, size_t n, const struct value *slots)
{
    struct spans detect = {.n = 0};
    struct spans resolve = {.n = 0};
    double count = 0;
    double lost = 0;
    for (int id = 0; id < INCIDENTS; id++) {
        char name[16];
        (void)snprintf(name, sizeof name, "i%d", id);
        double start = INFINITY;
        double detected = INFINITY;
        double end = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            const struct value *v = contributions[i].event->values;
            if (contributions[i].event->stream->id != STREAM_INCIDENT || contributions[i].stands_for_many ||
                !str_is(value_as_str(v[INCIDENT_ID]), name))
                continue;
            const struct value *started = &v[INCIDENT_STARTED_AT];
            bool resolved =
                str_is(value_as_str(v[INCIDENT_STATUS]), "resolved") && !value_is_null(v[INCIDENT_RESOLVED_AT]);
            start =
                fmin(start, (double)(value_is_null(*started) ? contributions[i].event->time_ms : value_ms(*started)));
            detected = value_is_null(v[INCIDENT_DETECTED_AT])
                           ? detected
                           : fmin(detected, (double)value_ms(v[INCIDENT_DETECTED_AT]));
            end = fmax(end, resolved ? (double)value_ms(v[INCIDENT_RESOLVED_AT]) : INFINITY);
        }
        count += isfinite(start);
        if (isfinite(start) && isfinite(detected) && detected >= start)
            detect.items[detect.n++] = detected - start;
        if (isfinite(start) && isfinite(end) && end >= start) {
            resolve.items[resolve.n++] = end - start;
            lost += end - start;
        }
    }
    assert_true(slots[OUT_INCIDENTS].d == count);
    assert_true(slots[OUT_MINUTES_LOST].d == lost / MINUTE_MS);
    check_spans(&detect, slots[OUT_MTTD], slots[OUT_MTTD_MEDIAN]);
    check_spans(&resolve, slots[OUT_MTTR], slots[OUT_MTTR_MEDIAN]);
}

static bool names_it(const struct event *event, bool refs, const char *name)
{
    if (!refs)
        return str_is(value_as_str(event->values[event->stream->service_field]), name);
    bool found = false;
    for (uint32_t i = 0; event->stream->id == STREAM_INCIDENT && i < event->values[INCIDENT_CODE_REFS].n; i++)
        found = found || str_is(value_as_str(event->values[INCIDENT_CODE_REFS].items[i]), name);
    return found;
}

/* The list holds each name that some row has, once, in order. */
static void check_names(const struct contribution *contributions, size_t n, bool refs, struct value list)
{
    uint32_t at = 0;
    for (int i = 0; i < 10; i++) {
        char name[16];
        bool seen = !refs && i == 9; /* a service that only panes saw */
        (void)snprintf(name, sizeof name, refs ? "f%d" : "s%d", i);
        for (size_t k = 0; k < n; k++)
            seen = seen || names_it(contributions[k].event, refs, name);
        if (!seen)
            continue;
        assert_true(at < list.n);
        assert_true(str_is(value_as_str(list.items[at++]), name));
    }
    assert_int_equal(at, list.n);
}

static void test_statistics(void **state)
{
    struct arena arena = {0};
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < ROUNDS; round++) {
        struct event rows[ROWS_MAX];
        struct contribution contributions[ROWS_MAX];
        struct value slots[OUT_FIXED_COUNT] = {{0}};
        size_t n = (size_t)below(below(4) == 0 ? ROWS_MAX : 6);
        for (size_t i = 0; i < n; i++) {
            random_row(&rows[i], &arena);
            contributions[i] = (struct contribution){.event = &rows[i], .stands_for_many = below(10) == 0};
        }
        static const struct str more[] = {{"s9", 2}};
        statistics_incidents(contributions, n, &arena, slots);
        statistics_names(contributions, n, more, 1, &arena, slots);
        check_incidents(contributions, n, slots);
        check_names(contributions, n, false, slots[OUT_SERVICES]);
        check_names(contributions, n, true, slots[OUT_CODE_REFS]);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_statistics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
