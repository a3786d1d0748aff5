/* What librdkafka says again and again is let through a few times a minute, and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "io/kafka_lines.h"

enum { SECOND_US = 1000 * 1000 };

/* Says it `times` times, a second apart from `from_s` on; returns how many were let through. *told: lines that these
 * said were left out. */
static int say(struct kafka_lines *lines, const char *facility, int from_s, int times, int64_t *told)
{
    int let = 0;
    *told = 0;
    for (int i = 0; i < times; i++) {
        int64_t left_out = -1;
        if (!kafka_lines_let(lines, facility, (int64_t)(from_s + i) * SECOND_US, &left_out))
            continue;
        assert_true(left_out >= 0);
        *told += left_out;
        let++;
    }
    return let;
}

static void test_some_a_minute(void **unused)
{
    struct kafka_lines lines = {0};
    int64_t told;
    (void)unused;
    assert_int_equal(say(&lines, "REQTMOUT", 100, 60, &told), KAFKA_LINES_A_MINUTE);
    assert_int_equal(told, 0);
    assert_int_equal(say(&lines, "REQTMOUT", 160, 1, &told), 1);
    assert_int_equal(told, 60 - KAFKA_LINES_A_MINUTE);
    assert_int_equal(say(&lines, "REQTMOUT", 161, 60, &told), KAFKA_LINES_A_MINUTE);
    assert_int_equal(told, 60 - KAFKA_LINES_A_MINUTE); /* at 220 s the next minute begins */
}

static void test_what_is_rare_is_always_let_through(void **unused)
{
    struct kafka_lines lines = {0};
    int64_t told;
    (void)unused;
    for (int minute = 0; minute < 100; minute++)
        assert_int_equal(say(&lines, "SESSTMOUT", minute * 60, KAFKA_LINES_A_MINUTE, &told), KAFKA_LINES_A_MINUTE);
    assert_int_equal(say(&lines, "TXNERR", 6000, 1, &told), 1);
}

static void test_one_facility_does_not_silence_another(void **unused)
{
    struct kafka_lines lines = {0};
    int64_t told;
    (void)unused;
    (void)say(&lines, "FAIL", 0, 50, &told);
    assert_int_equal(say(&lines, "ERROR", 0, 2, &told), 2);
    assert_int_equal(told, 0);
    /* Names of any length, and any number of them: the last ones share what is left. */
    assert_int_equal(say(&lines, "A-NAME-THAT-IS-TOO-LONG", 0, 6, &told), KAFKA_LINES_A_MINUTE);
    for (int i = 0; i < 3 * KAFKA_LINES_FACILITIES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "F%d", i);
        int let = say(&lines, name, 0, 1, &told);
        assert_true(let == 1 || i >= KAFKA_LINES_FACILITIES - 3);
    }
    assert_int_equal(say(&lines, "ERROR", 2, 3, &told), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_some_a_minute),
                                       cmocka_unit_test(test_what_is_rare_is_always_let_through),
                                       cmocka_unit_test(test_one_facility_does_not_silence_another)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
