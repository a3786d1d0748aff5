/* Folds against naive references: random values in random merge trees must give the same bytes and the right result.
 *
 * usage: test_detect_fold [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "detect/fold.h"

enum { VALUES_MAX = 600, ROUNDS = 4000 };

__extension__ typedef __int128 wide;

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static size_t below(size_t n)
{
    return (size_t)(next_random() % n);
}

/* A double that is a multiple of 2^-40 below 2^50, so that a 128-bit integer holds any sum exactly. */
static double random_double(void)
{
    int exponent = (int)below(50) - 40;
    double d = ldexp((double)(next_random() >> 44), exponent - 10 < -40 ? -40 : exponent - 10);
    return next_random() % 2 == 0 ? d : -d;
}

/* As the state and the exchange keep it. */
static void through_bytes(struct fold *fold)
{
    struct buf bytes = {0};
    fold_encode(&bytes, fold);
    struct reader r = reader_of(bytes.p, bytes.len);
    enum aggregate_function function = (enum aggregate_function)fold->function;
    fold_fini(fold);
    fold_init(fold, function);
    assert_true(fold_decode(&r, fold) && reader_left(&r) == 0);
    buf_fini(&bytes);
}

static void fold_tree(struct fold *out, enum aggregate_function function, const double *values, size_t n);

/* Some of the values come twice, and one time goes again: as a window that moves on. */
static void come_and_go(struct fold *out, const double *values, size_t n)
{
    struct fold passing;
    fold_tree(&passing, (enum aggregate_function)out->function, values, below(n));
    fold_merge(out, &passing);
    if (below(2) == 0)
        through_bytes(out);
    fold_take_away(out, &passing);
    fold_fini(&passing);
}

/* A random binary tree of merges over the values, in random order. */
static void fold_tree(struct fold *out, enum aggregate_function function, const double *values, size_t n)
{
    fold_init(out, function);
    if (n <= 3) {
        for (size_t i = 0; i < n; i++)
            fold_add(out, value_double(values[i]));
        return;
    }
    size_t split = below(n);
    struct fold left;
    struct fold right;
    fold_tree(&left, function, values, split);
    fold_tree(&right, function, values + split, n - split);
    bool swap = below(2) == 0;
    fold_merge(out, swap ? &right : &left);
    fold_merge(out, swap ? &left : &right);
    if (below(4) == 0)
        through_bytes(out);
    if (fold_can_lose(function) && below(8) == 0)
        come_and_go(out, values, n);
    fold_fini(&left);
    fold_fini(&right);
}

static void shuffle(double *values, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = below(i);
        double swap = values[i - 1];
        values[i - 1] = values[k];
        values[k] = swap;
    }
}

/* The exact sum in units of 2^-40, rounded once to the nearest double, ties to even. */
static double exact_sum_of(const double *values, size_t n)
{
    wide sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (wide)ldexp(values[i], 40);
    bool negative = sum < 0;
    wide magnitude = negative ? -sum : sum;
    int shift = 0;
    while (magnitude >> shift >= (wide)1 << 54)
        shift++;
    /* 54 bits and a sticky bit round right in one conversion step of the hardware. */
    uint64_t top = (uint64_t)(magnitude >> shift) << 1;
    if (shift > 0 && (magnitude & (((wide)1 << shift) - 1)) != 0)
        top |= 1;
    double d = ldexp((double)top, shift - 1 - 40);
    return negative ? -d : d;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prometheus' quantile_over_time. `bound`: of the two ranks' magnitudes in place of their values. */
static double quantile_of(const double *values, size_t n, double q, bool bound)
{
    double sorted[VALUES_MAX];
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_number);
    double rank = q * (double)(n - 1);
    size_t lower = (size_t)floor(rank);
    size_t upper = lower + 1 < n ? lower + 1 : n - 1;
    double weight = rank - floor(rank);
    double low = bound ? fabs(sorted[lower]) : sorted[lower];
    double high = bound ? fabs(sorted[upper]) : sorted[upper];
    return low * (1 - weight) + high * weight;
}

/* The two-pass way. */
static long double stddev_of(const double *values, size_t n)
{
    long double mean = 0;
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        mean += values[i];
    mean /= (long double)n;
    for (size_t i = 0; i < n; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sqrtl(sum / (long double)n);
}

static const double shares[] = {0.5, 0.9, 0.95, 0.99};

static double expected(enum aggregate_function function, const double *values, size_t n, bool *is_null)
{
    *is_null = n == 0 && function != AGGREGATE_COUNT && function != AGGREGATE_SUM && function != AGGREGATE_DISTINCT;
    double result = 0;
    switch (function) {
    case AGGREGATE_COUNT:
        return (double)n;
    case AGGREGATE_DISTINCT:
        for (size_t i = 0; i < n; i++) {
            bool seen = false;
            for (size_t k = 0; k < i; k++)
                seen = seen || values[k] == values[i];
            result += !seen;
        }
        return result;
    case AGGREGATE_SUM:
        return exact_sum_of(values, n);
    case AGGREGATE_AVG:
        return exact_sum_of(values, n) / (double)n;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        for (size_t i = 0; i < n; i++)
            if (i == 0 || (function == AGGREGATE_MIN ? values[i] < result : values[i] > result))
                result = values[i];
        return result;
    case AGGREGATE_STDDEV:
        return (double)stddev_of(values, n);
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        return n == 0 ? 0 : quantile_of(values, n, shares[function - AGGREGATE_P50], false);
    case AGGREGATE_SHARE: /* detect_share.c */
    case AGGREGATE_AGO:   /* folds nothing */
        break;
    }
    return 0;
}

/* Exact but for stddev, whose reference rounds, and percentiles of more values than are kept, whose histogram has
 * buckets of 1.1 %: half of that. */
static void check_result(enum aggregate_function function, const double *values, size_t n, double got, double want)
{
    double allowed = 0;
    if (function == AGGREGATE_STDDEV)
        allowed = 1e-13 * want;
    if (function >= AGGREGATE_P50 && n > QUANTILE_EXACT_MAX)
        allowed = 0.0055 * quantile_of(values, n, shares[function - AGGREGATE_P50], true);
    if (!(fabs(got - want) <= allowed))
        fail_msg("function %d of %zu values: %.17g, not %.17g", function, n, got, want);
}

static void check_round(enum aggregate_function function)
{
    double values[VALUES_MAX];
    size_t n = below(VALUES_MAX);
    for (size_t i = 0; i < n; i++)
        values[i] = function == AGGREGATE_DISTINCT ? (double)below(100) : random_double();
    bool is_null;
    bool approximate = false;
    double want = expected(function, values, n, &is_null);
    struct buf first = {0};
    struct buf second = {0};
    for (int i = 0; i < 2; i++) {
        struct fold fold;
        shuffle(values, n);
        fold_tree(&fold, function, values, n);
        struct value got = fold_result(&fold, &approximate);
        assert_int_equal(value_is_null(got), is_null);
        if (!is_null)
            check_result(function, values, n, got.d, want);
        assert_int_equal(approximate, function >= AGGREGATE_P50 && n > QUANTILE_EXACT_MAX);
        fold_encode(i == 0 ? &first : &second, &fold);
        fold_fini(&fold);
    }
    assert_true(str_eq(buf_str(&first), buf_str(&second)));
    struct fold again;
    struct buf third = {0};
    struct reader r = reader_of(first.p, first.len);
    fold_init(&again, function);
    assert_true(fold_decode(&r, &again) && reader_left(&r) == 0);
    fold_encode(&third, &again);
    assert_true(str_eq(buf_str(&first), buf_str(&third)));
    fold_fini(&again);
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&third);
}

static void test_any_merge_order(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++)
        check_round((enum aggregate_function)(i % (AGGREGATE_P99 + 1)));
}

static void test_huge_and_special_values(void **state)
{
    (void)state;
    static const struct {
        double values[3];
        double sum;
    } cases[] = {{{1e308, 1e308, -1e308}, NAN},   {{INFINITY, 1, 2}, INFINITY},
                 {{INFINITY, -INFINITY, 1}, NAN}, {{NAN, 1, 2}, NAN},
                 {{1e200, 1, -1e200}, 1},         {{0x1p-1074, 0x1p-1074, 0}, 0x1p-1073},
                 {{5e270, 5e270, 0}, 1e271},      {{5e270, 5e270, -5e270}, 5e270}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fold fold;
        bool approximate = false;
        fold_init(&fold, AGGREGATE_SUM);
        for (int k = 0; k < 3; k++)
            fold_add(&fold, value_double(cases[i].values[k]));
        for (int round = 0; round < 2; round++) {
            double got = fold_result(&fold, &approximate).d;
            assert_true(isnan(cases[i].sum) ? isnan(got) : got == cases[i].sum);
            through_bytes(&fold);
        }
        struct fold merged;
        fold_init(&merged, AGGREGATE_SUM);
        fold_merge(&merged, &fold);
        double got = fold_result(&merged, &approximate).d;
        assert_true(isnan(cases[i].sum) ? isnan(got) : got == cases[i].sum);
        fold_fini(&merged);
        fold_fini(&fold);
    }
}

/* What `values` fold to in two random orders: the same bytes, and `*got`. */
static void fold_twice(enum aggregate_function function, double *values, size_t n, double *got)
{
    struct buf bytes[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        struct fold fold;
        bool approximate = false;
        shuffle(values, n);
        fold_tree(&fold, function, values, n);
        *got = fold_result(&fold, &approximate).d;
        fold_encode(&bytes[i], &fold);
        fold_fini(&fold);
    }
    assert_true(str_eq(buf_str(&bytes[0]), buf_str(&bytes[1])));
    buf_fini(&bytes[0]);
    buf_fini(&bytes[1]);
}

/* Each value is below the limit from which on one counts as infinite, and their sum is not: it is no less exact. */
static void test_sums_beyond_the_limit_of_a_value(void **state)
{
    (void)state;
    static const enum aggregate_function functions[] = {AGGREGATE_SUM, AGGREGATE_AVG, AGGREGATE_STDDEV};
    for (int round = 0; round < 600; round++) {
        enum aggregate_function function = functions[round % 3];
        int exponent = function == AGGREGATE_STDDEV ? 429 : 879; /* so the values are below 2^450 and 2^900 */
        double values[VALUES_MAX];
        double scaled[VALUES_MAX];
        size_t n = 2 + below(VALUES_MAX - 2);
        bool mixed = below(2) == 0;
        for (size_t i = 0; i < n; i++) {
            scaled[i] = (0x1p19 + (double)below(1 << 19)) * (mixed && below(2) == 0 ? -1 : 1);
            values[i] = ldexp(scaled[i], exponent);
        }
        bool is_null;
        double want = expected(function, scaled, n, &is_null);
        double got = 0;
        fold_twice(function, values, n, &got);
        check_result(function, scaled, n, ldexp(got, -exponent), want);
    }
}

/* Values over the whole range of doubles take many parts, which must stay within their bound, and any order gives the
 * same sum. */
static void test_sums_of_all_magnitudes(void **state)
{
    (void)state;
    enum { VALUES = 3000 };
    static double values[VALUES];
    for (int round = 0; round < 40; round++) {
        double got;
        for (int i = 0; i < VALUES; i++)
            values[i] = ldexp(1 + (double)below(3), (int)below(1960) - 1070) * (below(2) == 0 ? 1 : -1);
        fold_twice(AGGREGATE_SUM, values, VALUES, &got);
    }
}

static void test_distinct_beyond_what_it_keeps(void **state)
{
    (void)state;
    enum { DISTINCT = 200000, PARTS = 7 };
    struct fold parts[PARTS];
    bool approximate = false;
    for (int i = 0; i < PARTS; i++)
        fold_init(&parts[i], AGGREGATE_DISTINCT);
    for (int64_t i = 0; i < 2 * DISTINCT; i++)
        fold_add(&parts[below(PARTS)], value_int(i % DISTINCT));
    for (int i = 1; i < PARTS; i++)
        fold_merge(&parts[0], &parts[i]);
    double got = fold_result(&parts[0], &approximate).d;
    assert_true(approximate);
    assert_true(fabs(got / DISTINCT - 1) < 0.03);
    for (int i = 0; i < PARTS; i++)
        fold_fini(&parts[i]);
}

/* Values that == calls equal count once, whatever their types and the order of a map's members. */
static void test_distinct_counts_equal_values_once(void **state)
{
    (void)state;
    const struct value one[] = {value_int(1), value_int(2)};
    const struct value other[] = {value_double(1), value_uint(2)};
    const struct value map[] = {value_text("a"), value_int(1), value_text("b"), value_double(-0.0)};
    const struct value turned[] = {value_text("b"), value_int(0), value_text("a"), value_uint(1)};
    const struct value values[] = {
        value_int(1),          value_uint(1),        value_double(1.0),
        value_double(-0.0),    value_int(0),         value_double(NAN),
        value_double(-NAN),    value_double(1e19),   value_uint(UINT64_C(10000000000000000000)),
        value_double(-0x1p63), value_int(INT64_MIN), value_double(1e300),
        value_text("1"),       value_bool(true),     value_list(one, 2),
        value_list(other, 2),  value_map(map, 2),    value_map(turned, 2)};
    bool approximate = false;
    struct fold fold;
    fold_init(&fold, AGGREGATE_DISTINCT);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        fold_add(&fold, values[i]);
    /* 1, 0, NaN, 1e19, -2^63, 1e300, '1', true, the list, the map */
    assert_true(fold_result(&fold, &approximate).d == 10);
    fold_fini(&fold);
}

static void test_hostile_bytes_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        size_t n = below(sizeof bytes);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)next_random();
        struct fold fold;
        struct reader r = reader_of(bytes, n);
        fold_init(&fold, (enum aggregate_function)(i % (AGGREGATE_P99 + 1)));
        (void)fold_decode(&r, &fold);
        fold_fini(&fold);
    }
}

/* One byte of a good encoding is changed: what still decodes can be used. */
static void test_damaged_bytes_do_no_harm(void **state)
{
    (void)state;
    for (int i = 0; i < 4000; i++) {
        double values[VALUES_MAX];
        enum aggregate_function function = (enum aggregate_function)(i % (AGGREGATE_P99 + 1));
        size_t n = below(VALUES_MAX);
        struct buf bytes = {0};
        struct fold fold;
        struct fold again;
        for (size_t k = 0; k < n; k++)
            values[k] = random_double();
        fold_tree(&fold, function, values, n);
        fold_encode(&bytes, &fold);
        bytes.p[below(bytes.len)] = (char)next_random();
        struct reader r = reader_of(bytes.p, bytes.len);
        fold_init(&again, function);
        if (fold_decode(&r, &again)) {
            bool approximate = false;
            fold_merge(&fold, &again);
            (void)fold_result(&fold, &approximate);
            buf_reset(&bytes);
            fold_encode(&bytes, &fold);
        }
        fold_fini(&fold);
        fold_fini(&again);
        buf_fini(&bytes);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_merge_order),
                                       cmocka_unit_test(test_huge_and_special_values),
                                       cmocka_unit_test(test_sums_beyond_the_limit_of_a_value),
                                       cmocka_unit_test(test_sums_of_all_magnitudes),
                                       cmocka_unit_test(test_distinct_beyond_what_it_keeps),
                                       cmocka_unit_test(test_hostile_bytes_are_refused),
                                       cmocka_unit_test(test_damaged_bytes_do_no_harm),
                                       cmocka_unit_test(test_distinct_counts_equal_values_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
