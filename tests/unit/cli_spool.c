/* What waits in a file comes back as it was put, in its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "cli/spool.h"

enum { RECORDS = 1000, LONG = 300000 };

static char text[LONG];

/* The nth record's: none at all, of no bytes, short and long ones. */
static struct str part(int n, int which)
{
    switch ((n + which) % 4) {
    case 0:
        return (struct str){0};
    case 1:
        return (struct str){text, 0};
    case 2:
        return (struct str){text + n, 7};
    default:
        return n % 100 == 3 ? (struct str){text, LONG} : (struct str){text + n, 1};
    }
}

static void assert_same(struct str found, struct str wanted)
{
    assert_true((found.p == NULL) == (wanted.p == NULL));
    assert_true(str_eq(found, wanted));
}

static int see(void *context, struct str key, struct str value, struct error *err)
{
    int *n = context;
    assert_same(key, part(*n, 0));
    assert_same(value, part(*n, 1));
    ++*n;
    return *n == RECORDS ? error_set(err, ERROR_ABORT, "enough") : 0;
}

static void test_what_was_put(void **state)
{
    (void)state;
    struct spool *spool;
    struct error err = {0};
    for (int i = 0; i < LONG; i++)
        text[i] = (char)(i * 31);
    assert_int_equal(spool_open(&spool, &err), 0);
    for (int n = 0; n <= RECORDS; n++)
        assert_int_equal(spool_put(spool, part(n, 0), part(n, 1), &err), 0);
    int n = 0;
    assert_int_equal(spool_each(spool, see, &n, &err), -1);
    assert_int_equal(n, RECORDS);
    assert_int_equal(err.class, ERROR_ABORT);
    spool_close(spool);
}

static void test_a_folder_that_is_not_there(void **state)
{
    (void)state;
    struct spool *spool;
    struct error err = {0};
    assert_int_equal(setenv("TMPDIR", "/nowhere/at/all", 1), 0);
    assert_int_equal(spool_open(&spool, &err), -1);
    assert_int_equal(err.class, ERROR_FATAL);
    assert_string_equal(err.message, "what is to be published cannot be kept in /nowhere/at/all until the end: No such "
                                     "file or directory (another folder is named by TMPDIR)");
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_put),
        cmocka_unit_test(test_a_folder_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
