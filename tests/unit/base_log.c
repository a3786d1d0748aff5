/* What a thread says of itself is the last field of its lines, and of nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "base/log.h"

static void *log_elsewhere(void *unused)
{
    (void)unused;
    log_info("two", LOG_I("n", 2));
    return NULL;
}

static void test_context(void **unused)
{
    (void)unused;
    char text[1000] = {0};
    int ends[2];
    pthread_t thread;
    assert_int_equal(pipe(ends), 0);
    int standard_error = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_context("worker", 3);
    log_info("one", LOG_I("n", 1));
    assert_int_equal(pthread_create(&thread, NULL, log_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    log_setup(LOG_INFO, LOG_JSON);
    log_info("three");
    log_context(NULL, 0);
    log_info("four");
    log_setup(LOG_INFO, LOG_LOGFMT);
    assert_int_equal(dup2(standard_error, STDERR_FILENO), STDERR_FILENO);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "level=info msg=one n=1 worker=3\n"));
    assert_non_null(strstr(text, "level=info msg=two n=2\n"));
    assert_non_null(strstr(text, "\"level\":\"info\",\"msg\":\"three\",\"worker\":3}\n"));
    assert_non_null(strstr(text, "\"msg\":\"four\"}\n"));
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(standard_error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_context)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
