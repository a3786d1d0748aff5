/* Histograms, quantiles and standard deviations at their edges: the width of buckets, special values, values that
 * spread over more than the buckets kept, means that dwarf the spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "detect/moments.h"
#include "detect/quantile.h"

static uint64_t seed = 1;

static uint64_t below(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

/* The middle of the bucket of x, which lies between two others. */
static double middle_around(double x)
{
    struct histogram histogram;
    histogram_init(&histogram);
    histogram_add(&histogram, -INFINITY, 1);
    histogram_add(&histogram, INFINITY, 1);
    histogram_add(&histogram, x, 1);
    double middle = histogram_at(&histogram, 1);
    histogram_fini(&histogram);
    return middle;
}

static void test_a_bucket_is_within_half_a_percent(void **state)
{
    (void)state;
    double widest = exp2(1.0 / 128) - 1 + 1e-12;
    for (int i = 0; i < 200000; i++) {
        double x = ldexp(1 + (double)below(1 << 30) / (1 << 30), (int)below(2000) - 990);
        assert_true(fabs(middle_around(x) / x - 1) <= widest);
        assert_true(middle_around(-x) == -middle_around(x));
    }
    /* Bounds belong to the bucket above them. */
    for (int i = -64 * 1000; i < 64 * 1000; i += 7) {
        double bound = exp2(i / 64.0);
        assert_true(fabs(middle_around(bound * (1 + 1e-14)) / bound / exp2(1.0 / 128) - 1) < 1e-13);
        assert_true(fabs(middle_around(bound * (1 - 1e-14)) / bound * exp2(1.0 / 128) - 1) < 1e-13);
    }
    assert_true(middle_around(1) > 1);
    assert_true(middle_around(0x1.02c9a3e778061p0) > 0x1.02c9a3e778061p0); /* 2^(1/64) */
    assert_true(middle_around(nextafter(1, 0)) < 1);
    assert_true(middle_around(0) == 0 && middle_around(-0.0) == 0);
    assert_true(middle_around(DBL_TRUE_MIN) > 0 && middle_around(DBL_TRUE_MIN) <= 2 * DBL_TRUE_MIN);
    assert_true(middle_around(DBL_MAX) < INFINITY && middle_around(DBL_MAX) > DBL_MAX / 1.01);
}

static void tree(struct histogram *out, const double *values, size_t n)
{
    histogram_init(out);
    if (n <= 3) {
        for (size_t i = 0; i < n; i++)
            histogram_add(out, values[i], 1);
        return;
    }
    size_t split = below(n);
    struct histogram left;
    struct histogram right;
    tree(&left, values, split);
    tree(&right, values + split, n - split);
    bool swap = below(2) == 0;
    histogram_merge(out, swap ? &right : &left);
    histogram_merge(out, swap ? &left : &right);
    histogram_fini(&left);
    histogram_fini(&right);
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many buckets these values fill at a scale. */
static size_t filled(const double *sorted, size_t n, int scale)
{
    size_t count = 0;
    double last = NAN;
    for (size_t i = 0; i < n; i++) {
        double bucket = floor(log2(fabs(sorted[i])) * exp2(scale));
        bool same = i > 0 && bucket == last && signbit(sorted[i]) == signbit(sorted[i - 1]);
        count += !same;
        last = bucket;
    }
    return count;
}

/* Buckets too many for one scale: the next, in any order of merges the same one, with ranks still in their places. */
static void test_coarser_scales(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        int exponents;
    } cases[] = {{4000, 2000}, {6000, 2000}, {20000, 300}, {60000, 2090}};
    double *values = malloc(60000 * sizeof *values);
    bool scales[8] = {false};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t n = cases[c].n;
        struct buf bytes[2] = {{0}, {0}};
        struct histogram histogram;
        for (size_t i = 0; i < n; i++)
            values[i] = ldexp(1 + (double)below(1 << 20) / (1 << 20), (int)below((uint64_t)cases[c].exponents) - 1070) *
                        (below(3) == 0 ? -1 : 1);
        for (int k = 0; k < 2; k++) {
            tree(&histogram, values, n);
            histogram_encode(&bytes[k], &histogram);
            if (k == 0) {
                histogram_fini(&histogram);
                for (size_t i = n; i > 1; i--) {
                    size_t j = below(i);
                    double swap = values[i - 1];
                    values[i - 1] = values[j];
                    values[j] = swap;
                }
            }
        }
        assert_true(str_eq(buf_str(&bytes[0]), buf_str(&bytes[1])));
        qsort(values, n, sizeof *values, by_number);
        assert_true(histogram.n <= HISTOGRAM_BUCKETS_MAX && histogram.count == n);
        assert_int_equal(histogram.n, filled(values, n, histogram.scale));
        if (histogram.scale < 6)
            assert_true(filled(values, n, histogram.scale + 1) > HISTOGRAM_BUCKETS_MAX);
        scales[histogram.scale + 1] = true;
        assert_true(histogram.min == values[0] && histogram.max == values[n - 1]);
        double widest = exp2(1 / exp2(histogram.scale + 1)) - 1 + 1e-12;
        for (size_t i = 0; i < n; i += 97)
            if (fabs(values[i]) > DBL_MIN)
                assert_true(fabs(histogram_at(&histogram, i) / values[i] - 1) <= widest);
        histogram_fini(&histogram);
        buf_fini(&bytes[0]);
        buf_fini(&bytes[1]);
    }
    free(values);
    assert_true(scales[7] && scales[0]); /* the finest and the coarsest were among them */
}

static double quantile_of(const double *values, size_t n, double q, bool *approximate)
{
    struct quantile quantile;
    quantile_init(&quantile);
    *approximate = false;
    for (size_t i = 0; i < n; i++)
        quantile_add(&quantile, values[i]);
    double result = quantile.count == 0 ? -1 : quantile_value(&quantile, q, approximate);
    quantile_fini(&quantile);
    return result;
}

static void test_quantiles(void **state)
{
    (void)state;
    static const struct {
        double values[4];
        size_t n;
        double q, want;
    } cases[] = {
        {{5}, 1, 0.99, 5},
        {{1, 2}, 2, 0.5, 1.5},
        {{4, 1, 3, 2}, 4, 0.5, 2.5},
        {{40, 10, 30, 20}, 4, 0.9, 37},
        {{NAN, 7, NAN}, 3, 0.5, 7},
        {{NAN, NAN}, 2, 0.5, -1},
        {{INFINITY, INFINITY}, 2, 0.5, INFINITY},
        {{-INFINITY, 1, INFINITY}, 3, 0.5, 1},
        {{-INFINITY, INFINITY}, 2, 0.5, NAN},
        {{-1, -0.0, 0}, 3, 0.5, 0},
        {{DBL_MAX, DBL_MAX, DBL_MAX}, 3, 0.9, DBL_MAX},
        {{-DBL_MAX, DBL_MAX}, 2, 0.5, 0},
    };
    bool approximate;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double got = quantile_of(cases[i].values, cases[i].n, cases[i].q, &approximate);
        assert_true(isnan(cases[i].want) ? isnan(got) : fabs(got - cases[i].want) < 1e-12 || got == cases[i].want);
        assert_true(isnan(got) || !signbit(got) || cases[i].want < 0);
        assert_false(approximate);
    }
}

/* With one value more than are kept it comes from buckets, and never lies outside of what there was. */
static void test_the_step_to_the_histogram(void **state)
{
    (void)state;
    double values[QUANTILE_EXACT_MAX + 1];
    bool approximate;
    for (int i = 0; i <= QUANTILE_EXACT_MAX; i++)
        values[i] = 100 + i;
    assert_true(quantile_of(values, QUANTILE_EXACT_MAX, 0.5, &approximate) == 227.5);
    assert_false(approximate);
    double p50 = quantile_of(values, QUANTILE_EXACT_MAX + 1, 0.5, &approximate);
    assert_true(approximate);
    assert_true(fabs(p50 / 228 - 1) < 0.0055);
    for (int i = 0; i <= QUANTILE_EXACT_MAX; i++)
        values[i] = 42;
    assert_true(quantile_of(values, QUANTILE_EXACT_MAX + 1, 0.99, &approximate) == 42);
    for (int i = 0; i <= QUANTILE_EXACT_MAX; i++)
        values[i] = i % 2 == 0 ? INFINITY : -DBL_TRUE_MIN;
    assert_true(quantile_of(values, QUANTILE_EXACT_MAX + 1, 0.9, &approximate) == INFINITY);
    assert_true(quantile_of(values, QUANTILE_EXACT_MAX + 1, 0.1, &approximate) == -DBL_TRUE_MIN);
}

static void test_standard_deviations(void **state)
{
    (void)state;
    static const double two_thirds = 0.816496580927726032732;
    static const struct {
        double values[3];
        double want;
    } cases[] = {
        {{1, 2, 3}, two_thirds},
        {{1e9 + 1, 1e9 + 2, 1e9 + 3}, two_thirds},
        {{1e15 + 1, 1e15 + 2, 1e15 + 3}, two_thirds},
        {{-1e15 - 1, -1e15 - 2, -1e15 - 3}, two_thirds},
        {{0.1, 0.1, 0.1}, 0},
        {{1e120, 2e120, 3e120}, two_thirds * 1e120},
        {{1e-140, 2e-140, 3e-140}, two_thirds * 1e-140},
        {{-1e100, 0, 1e100}, two_thirds * 1e100},
        {{0, 0, 0}, 0},
        {{1e200, 1, 2}, INFINITY},
        {{INFINITY, 1, 2}, NAN},
        {{NAN, 1, 2}, NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct moments moments;
        moments_init(&moments);
        for (int k = 0; k < 3; k++)
            moments_add(&moments, cases[i].values[k]);
        double got = moments_stddev(&moments, 3);
        double want = cases[i].want;
        assert_true(isnan(want) ? isnan(got) : got == want || fabs(got / want - 1) < 4e-16);
        moments_fini(&moments);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_bucket_is_within_half_a_percent),
                                       cmocka_unit_test(test_coarser_scales), cmocka_unit_test(test_quantiles),
                                       cmocka_unit_test(test_the_step_to_the_histogram),
                                       cmocka_unit_test(test_standard_deviations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
