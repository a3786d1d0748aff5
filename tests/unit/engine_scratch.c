/* What the scratch file holds, and what becomes of pending when its disk fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/pending.h"
#include "engine/scratch.h"

enum { BLOCK = 4096 };

static char folder[] = "/tmp/forestall-scratch-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void write_blocks(struct scratch *scratch, struct scratch_block *blocks, size_t n)
{
    char bytes[BLOCK];
    struct error err;
    for (size_t i = 0; i < n; i++) {
        memset(bytes, 'a' + (int)i, sizeof bytes);
        assert_int_equal(scratch_write(scratch, (struct str){bytes, BLOCK - i}, &blocks[i], &err), 0);
    }
}

static void test_blocks_come_back_in_any_order(void **state)
{
    struct scratch *scratch = scratch_new(folder, BLOCK);
    struct scratch_block blocks[5];
    char bytes[BLOCK];
    struct error err;
    (void)state;
    write_blocks(scratch, blocks, 5);
    assert_int_equal(scratch_bytes(scratch), 5 * BLOCK - 10);
    scratch_give_back(scratch, &blocks[1]);
    assert_int_equal(scratch_read(scratch, &blocks[3], bytes, &err), 0);
    assert_true(bytes[0] == 'd' && bytes[blocks[3].bytes - 1] == 'd');
    write_blocks(scratch, &blocks[1], 1); /* in a place that was given back */
    assert_true(blocks[1].number < 5);
    assert_int_equal(scratch_read(scratch, &blocks[4], bytes, &err), 0);
    assert_true(bytes[0] == 'e');
    for (size_t i = 0; i < 3; i++)
        scratch_give_back(scratch, &blocks[i]);
    assert_int_equal(scratch_bytes(scratch), 0);
    write_blocks(scratch, blocks, 2); /* the file begins anew */
    assert_int_equal(blocks[0].number, 0);
    assert_int_equal(scratch_read(scratch, &blocks[0], bytes, &err), 0);
    scratch_free(scratch);
}

static void test_the_file_has_no_name(void **state)
{
    struct scratch *scratch = scratch_new(folder, BLOCK);
    struct scratch_block block;
    size_t entries = 0;
    (void)state;
    write_blocks(scratch, &block, 1);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        entries++;
    assert_int_equal(entries, 2); /* . and .. */
    (void)closedir(dir);
    scratch_free(scratch);
}

static void assert_fatal(const struct error *err, const char *where, const char *why)
{
    if (err->class != ERROR_FATAL || strstr(err->message, where) == NULL || strstr(err->message, why) == NULL ||
        strstr(err->message, "nothing is lost") == NULL)
        fail_msg("%s", err->message);
}

static void test_other_bytes_than_were_written(void **state)
{
    struct scratch *scratch = scratch_new(folder, BLOCK);
    struct scratch_block block;
    char bytes[BLOCK];
    struct error err = {0};
    (void)state;
    write_blocks(scratch, &block, 1);
    block.hash ^= 1;
    assert_int_equal(scratch_read(scratch, &block, bytes, &err), -1);
    assert_fatal(&err, folder, "cannot be read");
    scratch_free(scratch);
}

static void test_no_folder(void **state)
{
    struct scratch *scratch = scratch_new("/nowhere/at/all", BLOCK);
    struct scratch_block block;
    struct error err = {0};
    (void)state;
    assert_int_equal(scratch_write(scratch, STR_LIT("x"), &block, &err), -1);
    assert_fatal(&err, "/nowhere/at/all", "No such file");
    scratch_free(scratch);
}

/* What is beyond it in any file cannot be written, as on a full disk. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void push_events(struct pending *pending, int64_t n)
{
    char bytes[200];
    memset(bytes, 'x', sizeof bytes);
    for (int64_t i = 0; i < n; i++)
        pending_push(pending, (struct pending_item){.time_ms = i * 7919 % n,
                                                    .kind = PENDING_EVENT,
                                                    .level = LEVEL_RULE,
                                                    .at = {0, 0, i},
                                                    .bytes = {bytes, sizeof bytes}});
}

static size_t count_events(struct pending *pending)
{
    struct pending_item item;
    struct error err;
    int64_t before_ms = INT64_MIN;
    bool any;
    for (size_t n = 0;; n++) {
        assert_int_equal(pending_pop(pending, INT64_MAX, &item, &any, &err), 0);
        if (!any)
            return n;
        assert_true(item.time_ms >= before_ms && item.bytes.n == 200);
        before_ms = item.time_ms;
        pending_done(pending, &item);
    }
}

/* The error says so, and when there is space again what is pushed anew is all there. */
static void test_a_full_disk(void **state)
{
    enum { EVENTS = 1000 };
    struct scratch *scratch = scratch_new(folder, BLOCK);
    struct ruleset no_rules = {0};
    struct pending *pending = pending_new(&no_rules, scratch);
    struct error err = {0};
    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    push_events(pending, EVENTS);
    limit_files(10 * BLOCK);
    assert_int_equal(pending_spill(pending, &err), -1);
    limit_files(RLIM_INFINITY);
    assert_fatal(&err, folder, "free some space");
    pending_clear(pending);
    assert_int_equal(scratch_bytes(scratch), 0);
    assert_null(pending_first(pending));
    for (int round = 0; round < 10; round++) {
        push_events(pending, EVENTS);
        assert_int_equal(pending_spill(pending, &err), 0);
    }
    assert_int_equal(count_events(pending), 10 * EVENTS);
    pending_free(pending);
    scratch_free(scratch);
}

/* Runs that are merged when the disk is full are all freed. */
static void test_full_while_runs_are_merged(void **state)
{
    struct scratch *scratch = scratch_new(folder, BLOCK);
    struct ruleset no_rules = {0};
    struct pending *pending = pending_new(&no_rules, scratch);
    struct error err = {0};
    int result = 0;
    (void)state;
    for (int run = 0; run < 7; run++) {
        push_events(pending, 200);
        assert_int_equal(pending_spill(pending, &err), 0);
    }
    push_events(pending, 1);
    limit_files((rlim_t)scratch_bytes(scratch) / BLOCK / 2 * BLOCK); /* room for the last run, not for the merged one */
    result = pending_spill(pending, &err);
    limit_files(RLIM_INFINITY);
    assert_int_equal(result, -1);
    assert_fatal(&err, folder, "free some space");
    pending_clear(pending);
    assert_int_equal(scratch_bytes(scratch), 0);
    pending_free(pending);
    scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blocks_come_back_in_any_order),
                                       cmocka_unit_test(test_the_file_has_no_name),
                                       cmocka_unit_test(test_other_bytes_than_were_written),
                                       cmocka_unit_test(test_no_folder),
                                       cmocka_unit_test(test_a_full_disk),
                                       cmocka_unit_test(test_full_while_runs_are_merged)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
