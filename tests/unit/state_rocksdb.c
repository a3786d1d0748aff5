/* What a person is told when the database does not open: to give the state up only where it is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "../remove_folder.h"
#include "state/store.h"

static struct error err;
static char folder[] = "/tmp/forestall-rocksdb-XXXXXX";

static int database_open(void)
{
    struct store *store;
    int result = store_rocksdb_open(&store, folder, 8 << 20, &err);
    if (result == 0)
        store->ops->close(store);
    return result;
}

static void assert_advice(const char *said, const char *advice)
{
    assert_int_equal(database_open(), -1);
    assert_int_equal(err.class, ERROR_FATAL);
    assert_non_null(strstr(err.message, folder));
    assert_non_null(strstr(err.message, said));
    assert_non_null(strstr(err.message, advice));
}

static void test_advice(void **unused)
{
    (void)unused;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(database_open(), 0);

    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit few = {4, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_advice("Too many open files", "raise the limit on open files");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(database_open(), 0);

    char path[sizeof folder + 16];
    (void)snprintf(path, sizeof path, "%s/CURRENT", folder);
    FILE *current = fopen(path, "w");
    assert_non_null(current);
    assert_true(fputs("nonsense", current) >= 0);
    assert_int_equal(fclose(current), 0);
    assert_advice("Corruption", "remove the folder and start again");
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_advice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
