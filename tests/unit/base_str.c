/* Texts: how near two are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/time_text.h"

static void distances(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int max, distance;
    } rows[] = {
        {"", "", 2, 0},
        {"a", "", 2, 1},
        {"service", "service", 2, 0},
        {"servce", "service", 2, 1},
        {"cuont", "count", 2, 1},
        {"ocutn", "count", 2, 2},
        {"whne", "when", 0, 1},
        {"kitten", "sitting", 3, 3},
        {"kitten", "sitting", 2, 3},
        {"abc", "abcdef", 2, 3},
        {"xyz", "abc", 2, 3},
        {"ca", "abc", 3, 3}, /* no letter is moved twice */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(str_distance(str_of(rows[i].a), str_of(rows[i].b), rows[i].max), rows[i].distance);
        assert_int_equal(str_distance(str_of(rows[i].b), str_of(rows[i].a), rows[i].max), rows[i].distance);
    }
    char longer[70];
    memset(longer, 'a', sizeof longer);
    assert_int_equal(str_distance((struct str){longer, 65}, (struct str){longer, 65}, 2), 3);
    assert_int_equal(str_distance((struct str){longer, 64}, (struct str){longer, 64}, 2), 0);
}

/* By the definition, over all pairs of short words. */
static int slowly(const char *a, size_t n, const char *b, size_t m)
{
    if (n == 0 || m == 0)
        return (int)(n + m);
    int best = slowly(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
    int shorter = slowly(a, n - 1, b, m) + 1;
    int longer = slowly(a, n, b, m - 1) + 1;
    best = shorter < best ? shorter : best;
    best = longer < best ? longer : best;
    if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
        int swapped = slowly(a, n - 2, b, m - 2) + 1;
        best = swapped < best ? swapped : best;
    }
    return best;
}

static size_t word(unsigned number, char out[5])
{
    size_t n = 0;
    for (; number > 0 && n < 5; number /= 4)
        out[n++] = (char)('a' + number % 4);
    return n;
}

static void all_short_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1024; i += 3)
        for (unsigned j = 0; j < 1024; j += 7) {
            char a[5];
            char b[5];
            size_t n = word(i, a);
            size_t m = word(j, b);
            int exact = slowly(a, n, b, m);
            for (int max = 0; max < 4; max++)
                assert_int_equal(str_distance((struct str){a, n}, (struct str){b, m}, max),
                                 exact <= max ? exact : max + 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(distances), cmocka_unit_test(all_short_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
