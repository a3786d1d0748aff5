/* Shares against a naive reference: random keys of two inputs in random merges, below and beyond what is kept.
 *
 * usage: test_detect_share [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "detect/fold.h"

enum { KEYS_MAX = 60000, PARTS = 5, ROUNDS = 500, LARGE_ROUNDS = 20 };

static uint64_t seed = 1;
static bool seen[2][KEYS_MAX]; /* the reference: which keys came by either input */

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

/* Equal keys of any type, and what is left out. */
static struct value key_value(size_t key)
{
    switch (below(5)) {
    case 0:
        return value_double((double)key);
    case 1:
        return value_uint(key);
    default:
        return value_int((int64_t)key);
    }
}

/* A window's folds of one input: merged panes, some by way of their encoding. */
static void merge_parts(struct fold *parts)
{
    for (size_t i = 1; i < PARTS; i++) {
        if (below(3) == 0) {
            struct buf bytes = {0};
            fold_encode(&bytes, &parts[i]);
            fold_fini(&parts[i]);
            fold_init(&parts[i], AGGREGATE_DISTINCT);
            struct reader r = reader_of(bytes.p, bytes.len);
            assert_true(fold_decode(&r, &parts[i]));
            buf_fini(&bytes);
        }
        fold_merge(&parts[0], &parts[i]);
    }
}

/* Adds `n` random keys of [from, from + keys) to random panes, nulls and errors between them. */
static void add_keys(struct fold *parts, bool *reference, size_t n, size_t from, size_t keys)
{
    for (size_t i = 0; i < n; i++) {
        if (below(10) == 0)
            fold_add(&parts[below(PARTS)], below(2) == 0 ? value_null() : (struct value){.type = VALUE_ERROR});
        size_t key = from + below(keys);
        reference[key] = true;
        fold_add(&parts[below(PARTS)], key_value(key));
    }
}

struct counts {
    size_t over, of, both;
};

static struct counts count(void)
{
    struct counts counts = {0};
    for (size_t i = 0; i < KEYS_MAX; i++) {
        counts.over += seen[0][i];
        counts.of += seen[1][i];
        counts.both += seen[0][i] && seen[1][i];
    }
    return counts;
}

/* Exact where both sets are; else within five standard errors of a sample as large as distinct.h says. */
static void check_share(struct value got, bool approximate)
{
    struct counts counts = count();
    size_t larger = counts.over > counts.of ? counts.over : counts.of;
    assert_int_equal(approximate, larger > DISTINCT_MAX);
    if (counts.over == 0) {
        assert_true(value_is_null(got));
        return;
    }
    double want = (double)counts.both / (double)counts.over;
    double allowed = 0;
    if (approximate) {
        double sample = (double)DISTINCT_MAX * (double)counts.over / (double)larger;
        allowed = 5 * sqrt(want * (1 - want) / sample) + 2 / sample;
    }
    assert_int_equal(got.type, VALUE_DOUBLE);
    if (!(fabs(got.d - want) <= allowed))
        fail_msg("%zu of %zu, %zu in the other: %.17g, not %.17g", counts.both, counts.over, counts.of, got.d, want);
    assert_true(got.d >= 0 && got.d <= 1);
}

/* Keys of the two inputs overlap by chance, wholly, in part or not at all. */
static void check_round(size_t keys_max)
{
    struct fold parts[2][PARTS];
    bool approximate = false;
    memset(seen, 0, sizeof seen);
    for (int input = 0; input < 2; input++) {
        size_t keys = 1 + below(keys_max);
        for (int i = 0; i < PARTS; i++)
            fold_init(&parts[input][i], AGGREGATE_DISTINCT);
        add_keys(parts[input], seen[input], below(2 * keys), below(KEYS_MAX - keys + 1) / (1 + below(4)), keys);
        merge_parts(parts[input]);
    }
    struct value got = fold_share(&parts[0][0], &parts[1][0], &approximate);
    check_share(got, approximate);
    for (int i = 0; i < 2 * PARTS; i++)
        fold_fini(&parts[i / PARTS][i % PARTS]);
}

static void test_exact_shares(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++)
        check_round(1 + below(300));
}

static void test_shares_of_samples(void **state)
{
    (void)state;
    for (int i = 0; i < LARGE_ROUNDS; i++)
        check_round(1 + below(KEYS_MAX));
}

static void add_range(struct fold *fold, int64_t from, int64_t to)
{
    fold_init(fold, AGGREGATE_DISTINCT);
    for (int64_t i = from; i < to; i++)
        fold_add(fold, value_int(i));
}

/* At the limit itself both are exact; one more is a sample, and a sample may hold none of a few keys. */
static void test_around_the_limit(void **state)
{
    (void)state;
    static const struct {
        int64_t over_to, of_from, of_to;
        double share; /* NAN: null */
        bool approximate;
    } cases[] = {{DISTINCT_MAX, DISTINCT_MAX / 2, DISTINCT_MAX, 0.5, false},
                 {DISTINCT_MAX + 1, 0, DISTINCT_MAX + 1, 1, true},
                 {DISTINCT_MAX + 1, DISTINCT_MAX + 1, DISTINCT_MAX + 9, 0, true},
                 {DISTINCT_MAX, 0, DISTINCT_MAX + 1, 1, true},
                 {0, 0, 3, NAN, false},
                 {3, 0, 0, 0, false},
                 {1, 0, 30 * DISTINCT_MAX, NAN, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fold over;
        struct fold of;
        bool approximate = false;
        add_range(&over, 0, cases[i].over_to);
        add_range(&of, cases[i].of_from, cases[i].of_to);
        struct value got = fold_share(&over, &of, &approximate);
        assert_int_equal(approximate, cases[i].approximate);
        assert_int_equal(value_is_null(got), isnan(cases[i].share));
        assert_true(value_is_null(got) || got.d == cases[i].share);
        fold_fini(&over);
        fold_fini(&of);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact_shares), cmocka_unit_test(test_shares_of_samples),
                                       cmocka_unit_test(test_around_the_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
