/* The ordered map in memory, and the parts of the state that need no random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rocksdb/c.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../remove_folder.h"
#include "state/memtable.h"
#include "state/state.h"

static struct error err;

static void assert_text(struct str text, const char *expected)
{
    assert_int_equal(text.n, strlen(expected));
    assert_memory_equal(text.p, expected, text.n);
}

static void test_put_get_remove(void **unused)
{
    (void)unused;
    struct memtable *table = memtable_new();
    struct str value;
    assert_false(memtable_get(table, STR_LIT("a"), &value));
    memtable_put(table, STR_LIT("b"), STR_LIT("2"));
    memtable_put(table, STR_LIT("a"), STR_LIT("1"));
    memtable_put(table, STR_LIT("c"), (struct str){0});
    assert_int_equal(memtable_count(table), 3);
    assert_true(memtable_get(table, STR_LIT("a"), &value));
    assert_text(value, "1");
    assert_true(memtable_get(table, STR_LIT("c"), &value));
    assert_null(value.p);

    memtable_put(table, STR_LIT("a"), STR_LIT("a longer value than before"));
    assert_true(memtable_get(table, STR_LIT("a"), &value));
    assert_text(value, "a longer value than before");
    memtable_put(table, STR_LIT("a"), STR_LIT(""));
    assert_true(memtable_get(table, STR_LIT("a"), &value));
    assert_non_null(value.p);
    assert_int_equal(value.n, 0);

    memtable_remove(table, STR_LIT("b"));
    memtable_remove(table, STR_LIT("absent"));
    const struct memtable_node *node = memtable_seek(table, STR_LIT("aa"));
    assert_text(memtable_key(node), "c");
    assert_null(memtable_next(node));
    memtable_clear(table);
    assert_int_equal(memtable_count(table), 0);
    assert_int_equal(memtable_bytes(table), 0);
    assert_null(memtable_seek(table, STR_LIT("")));
    memtable_free(table);
}

static void test_bytes_come_back_to_zero(void **unused)
{
    (void)unused;
    struct memtable *table = memtable_new();
    char key[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "%d", i * 7919 % 1000);
        memtable_put(table, str_of(key), STR_LIT("some value"));
    }
    assert_true(memtable_bytes(table) > 13000);
    int count = 0;
    struct str before = {0};
    for (const struct memtable_node *node = memtable_seek(table, (struct str){0}); node != NULL;
         node = memtable_next(node), count++) {
        assert_true(before.p == NULL || str_cmp(before, memtable_key(node)) < 0);
        before = memtable_key(node);
    }
    assert_int_equal(count, 1000);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        memtable_remove(table, str_of(key));
    }
    assert_int_equal(memtable_bytes(table), 0);
    memtable_free(table);
}

static int visit_stop(void *context, struct str key, struct str value)
{
    (void)key;
    (void)value;
    return ++*(int *)context == 2 ? 7 : 0;
}

static void test_scan_ends_with_the_visits_result(void **unused)
{
    (void)unused;
    struct state *state = state_new(store_memory_new());
    state_put(state,
              STR_LIT("\xFF\xFF"
                      "a"),
              STR_LIT("1"));
    state_put(state,
              STR_LIT("\xFF\xFF"
                      "b"),
              STR_LIT("2"));
    state_put(state,
              STR_LIT("\xFF\xFF"
                      "c"),
              STR_LIT("3"));
    int visits = 0;
    assert_int_equal(state_scan(state, STR_LIT("\xFF\xFF"), visit_stop, &visits, &err), 7);
    assert_int_equal(visits, 2);
    state_free(state);
}

static void test_keys_sort_by_task_and_kind(void **unused)
{
    (void)unused;
    struct buf low = {0};
    struct buf high = {0};
    state_key(&low, 1, STATE_RECOMMENDATION);
    state_key(&high, 256, STATE_META);
    assert_true(str_cmp(buf_str(&low), buf_str(&high)) < 0);
    buf_fini(&low);
    buf_fini(&high);
}

static void test_database_lasts_and_clears(void **unused)
{
    (void)unused;
    char dir[] = "/tmp/forestall-store-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct store *store;
    assert_int_equal(store_rocksdb_open(&store, dir, 16 << 20, &err), 0);
    const struct str_pair entries[] = {{STR_LIT("k1"), STR_LIT("v1")}, {STR_LIT("k2"), STR_LIT("")}};
    assert_int_equal(store->ops->write(store, entries, 2, &err), 0);
    struct store *second;
    assert_int_equal(store_rocksdb_open(&second, dir, 16 << 20, &err), -1);
    assert_int_equal(err.class, ERROR_FATAL);
    assert_non_null(strstr(err.message, "another process has it open"));
    store->ops->close(store);

    assert_int_equal(store_rocksdb_open(&store, dir, 16 << 20, &err), 0);
    struct buf value = {0};
    assert_int_equal(store->ops->get(store, STR_LIT("k1"), &value, &err), 0);
    assert_text(buf_str(&value), "v1");
    buf_reset(&value);
    assert_int_equal(store->ops->get(store, STR_LIT("k2"), &value, &err), 0);
    assert_int_equal(value.len, 0);
    assert_int_equal(store->ops->clear(store, STR_LIT("k1"), STR_LIT("k2"), &err), 0);
    assert_int_equal(store->ops->get(store, STR_LIT("k1"), &value, &err), 1);
    assert_int_equal(store->ops->get(store, STR_LIT("k2"), &value, &err), 0);
    assert_int_equal(store->ops->clear(store, (struct str){0}, (struct str){0}, &err), 0);
    assert_int_equal(store->ops->get(store, STR_LIT("k2"), &value, &err), 1);
    buf_fini(&value);
    store->ops->close(store);
    remove_folder(dir);
}

/* As versions before wrote it: all entries in one column family. */
static void test_a_database_of_another_form_is_made_anew(void **unused)
{
    (void)unused;
    char dir[] = "/tmp/forestall-store-XXXXXX";
    char *message = NULL;
    assert_non_null(mkdtemp(dir));
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_t *db = rocksdb_open(options, dir, &message);
    assert_null(message);
    rocksdb_put(db, write, "\0\0g1", 4, "v", 1, &message);
    rocksdb_put(db, write, "\0\0\0next", 7, "v", 1, &message);
    assert_null(message);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(write);
    rocksdb_options_destroy(options);

    struct store *store;
    struct buf value = {0};
    const struct str_pair entry = {STR_LIT("\0\0g1"), STR_LIT("new")};
    assert_int_equal(store_rocksdb_open(&store, dir, 16 << 20, &err), 0);
    assert_int_equal(store->ops->get(store, STR_LIT("\0\0g1"), &value, &err), 1);
    assert_int_equal(store->ops->get(store, STR_LIT("\0\0\0next"), &value, &err), 1);
    assert_int_equal(store->ops->write(store, &entry, 1, &err), 0);
    store->ops->close(store);
    assert_int_equal(store_rocksdb_open(&store, dir, 16 << 20, &err), 0);
    assert_int_equal(store->ops->get(store, STR_LIT("\0\0g1"), &value, &err), 0);
    assert_text(buf_str(&value), "new");
    buf_fini(&value);
    store->ops->close(store);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_bytes_come_back_to_zero),
        cmocka_unit_test(test_scan_ends_with_the_visits_result),
        cmocka_unit_test(test_keys_sort_by_task_and_kind),
        cmocka_unit_test(test_database_lasts_and_clears),
        cmocka_unit_test(test_a_database_of_another_form_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
