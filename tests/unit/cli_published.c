/* What a replay wrote, read back: the newest version of each, in order of impact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/published.h"

static char path[] = "/tmp/forestall-published-XXXXXX";
static struct published published;
static struct error err;

static int reads(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return published_read(&published, &(struct published_options){.file = path}, &err);
}

static void test_newest_versions(void **state)
{
    (void)state;
    int result = reads(
        "{\"recommendation_id\":\"b\",\"version\":1,\"impact_score\":5,\"event_time\":\"1970-01-01T00:00:01.000Z\"}\n"
        "\n"
        "{\"recommendation_id\":\"a\",\"version\":2,\"impact_score\":5,\"event_time\":\"1970-01-01T00:00:09.000Z\"}\n"
        "{\"recommendation_id\":\"a\",\"version\":1,\"impact_score\":99,\"event_time\":\"1970-01-01T00:00:02.000Z\"}"
        "\r\n"
        "{\"recommendation_id\":\"c\",\"version\":1,\"impact_score\":7}");
    if (result != 0)
        fail_msg("%s", err.message);
    static const char *const order[] = {"c", "a", "b"};
    assert_int_equal(published.recommendation_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(str_is(published_text(published.recommendations[i], "recommendation_id"), order[i]));
    assert_int_equal(published_number(published.recommendations[1], "version"), 2);
    assert_int_equal(published_time(published.recommendations[1], "event_time"), 9000);
    assert_int_equal(published.now_ms, 9000);
    assert_int_equal(published.scorecard_count, 0);
    published_fini(&published);
}

static void test_other_files(void **state)
{
    (void)state;
    assert_int_equal(reads(""), 0);
    assert_int_equal(published.recommendation_count, 0);
    published_fini(&published);
    assert_int_equal(reads("{\"recommendation_id\":\"a\",\"version\":1}\n{\"event_id\":\"1\"}\n"), -1);
    assert_non_null(strstr(err.message, ":2: no recommendation, since it has no recommendation_id"));
    assert_int_equal(reads("[1]"), -1);
    assert_int_equal(reads("no json"), -1);
    assert_int_equal(published_read(&published, &(struct published_options){.file = "/no/such"}, &err), -1);
    assert_string_equal(err.message, "/no/such: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_versions),
        cmocka_unit_test(test_other_files),
    };
    int fd = mkstemp(path);
    if (fd < 0 || close(fd) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}
