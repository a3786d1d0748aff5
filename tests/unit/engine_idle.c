/* Which partitions get an idle mark, and its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/clock.h"
#include "engine/commit_kafka.h"
#include "engine/idle.h"

#define START INT64_C(1704067200000)

enum { PARTITIONS = 3 };

static const struct source_partition partitions[PARTITIONS] = {
    {0, {"incidents", 9}, 0}, {1, {"telemetry", 9}, 0}, {1, {"telemetry", 9}, 1}};

struct fixture {
    struct config config;
    struct config_source sources[2];
    struct source *source;
    struct watermark watermark;
    struct outbox outbox;
    uint64_t marks;
};

/* Telemetry is idle at once, incidents never, unless a test says otherwise. */
static void open_fixture(struct fixture *fixture)
{
    *fixture = (struct fixture){.config = {.source_count = 2}};
    fixture->sources[0] = (struct config_source){.idle_lag_ms = INT64_MAX, .out_of_orderness_ms = 2 * MINUTE_MS};
    fixture->sources[1] = (struct config_source){.idle_lag_ms = 0, .out_of_orderness_ms = 10 * SECOND_MS};
    fixture->config.sources = fixture->sources;
    fixture->source = source_memory_new(partitions, PARTITIONS);
    watermark_init(&fixture->watermark, PARTITIONS);
    for (size_t i = 0; i < PARTITIONS; i++) {
        fixture->watermark.partitions[i].owned = true;
        fixture->watermark.partitions[i].out_of_orderness_ms = fixture->sources[i == 0 ? 0 : 1].out_of_orderness_ms;
    }
}

static void close_fixture(struct fixture *fixture)
{
    clock_wall_fix(INT64_MIN);
    outbox_fini(&fixture->outbox);
    watermark_fini(&fixture->watermark);
    fixture->source->ops->close(fixture->source);
}

/* A look by one who has not looked before, so that no time need pass between two looks. */
static void look(struct fixture *fixture)
{
    struct error err;
    struct idle *idle = idle_new(&fixture->config, fixture->source, &fixture->watermark, false);
    const struct idle_others nobody = {TIME_NONE, true};
    assert_int_equal(idle_look(idle, &nobody, &fixture->outbox, &fixture->marks, &err), 0);
    idle_free(idle);
}

static int64_t watermark_at(const struct fixture *fixture, size_t partition)
{
    return watermark_of(&fixture->watermark.partitions[partition]);
}

static void test_idle_follow_the_others(void **state)
{
    struct fixture fixture;
    struct buf key = {0};
    struct buf value = {0};
    (void)state;
    open_fixture(&fixture);
    watermark_event(&fixture.watermark.partitions[0], 0, START);
    watermark_event(&fixture.watermark.partitions[1], 0, START - HOUR_MS);
    fixture.watermark.partitions[1].next_offset = 7;
    look(&fixture);
    /* W is the time of the one that is not idle; each idle one is its own out_of_orderness behind it. */
    assert_int_equal(fixture.marks, 2);
    assert_int_equal(watermark_at(&fixture, 0), START - 2 * MINUTE_MS);
    assert_int_equal(watermark_at(&fixture, 1), START - 10 * SECOND_MS);
    assert_int_equal(watermark_at(&fixture, 2), START - 10 * SECOND_MS);
    assert_int_equal(fixture.outbox.count, 2);
    commit_mark_key(&key, &partitions[1], 7);
    commit_mark_value(&value, START - 10 * SECOND_MS);
    assert_int_equal(fixture.outbox.records[0].output, OUTPUT_MARKS);
    assert_true(str_eq(fixture.outbox.records[0].key, buf_str(&key)));
    assert_true(str_eq(fixture.outbox.records[0].value, buf_str(&value)));
    /* Less than a second of progress is not worth a mark; a second is. */
    watermark_event(&fixture.watermark.partitions[0], 1, START + 999);
    look(&fixture);
    assert_int_equal(fixture.marks, 2);
    watermark_event(&fixture.watermark.partitions[0], 2, START + 1000);
    look(&fixture);
    assert_int_equal(fixture.marks, 4);
    assert_int_equal(watermark_at(&fixture, 2), START + 1000 - 10 * SECOND_MS);
    buf_fini(&key);
    buf_fini(&value);
    close_fixture(&fixture);
}

static void test_unread_records_keep_a_partition_awake(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    watermark_event(&fixture.watermark.partitions[0], 0, START);
    source_memory_add(fixture.source, 1, STR_LIT("not read yet"), START);
    look(&fixture);
    assert_int_equal(fixture.marks, 1);
    assert_int_equal(watermark_at(&fixture, 1), TIME_NONE);
    close_fixture(&fixture);
}

static void test_one_that_is_idle_leads_nobody(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    watermark_event(&fixture.watermark.partitions[0], 0, START);
    watermark_event(&fixture.watermark.partitions[2], 0, START + HOUR_MS);
    look(&fixture);
    assert_int_equal(fixture.marks, 1);
    assert_int_equal(watermark_at(&fixture, 1), START - 10 * SECOND_MS);
    assert_int_equal(watermark_at(&fixture, 2), START + HOUR_MS - 10 * SECOND_MS);
    close_fixture(&fixture);
}

/* Whose every record was undecodable is waited for by nobody, even where nothing is ever idle. */
static void test_a_partition_without_events_holds_nobody_back(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    for (size_t i = 0; i < sizeof fixture.sources / sizeof *fixture.sources; i++)
        fixture.sources[i].idle_lag_ms = INT64_MAX;
    watermark_event(&fixture.watermark.partitions[0], 0, START);
    watermark_event(&fixture.watermark.partitions[2], 0, START);
    assert_int_equal(watermark_least(&fixture.watermark), TIME_NONE);
    look(&fixture);
    assert_int_equal(fixture.marks, 0);
    assert_true(fixture.watermark.partitions[1].empty);
    assert_int_equal(watermark_least(&fixture.watermark), START - 2 * MINUTE_MS);
    watermark_event(&fixture.watermark.partitions[1], 1, START - HOUR_MS);
    assert_int_equal(watermark_least(&fixture.watermark), START - HOUR_MS - 10 * SECOND_MS);
    close_fixture(&fixture);
}

/* Its mark is a time that was reached; plus its own out_of_orderness it is no time of an event. It gets more of them
 * after a restart as before. */
static void test_a_mark_is_no_event(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    struct watermark_partition *marked = &fixture.watermark.partitions[0];
    watermark_event(&fixture.watermark.partitions[2], 0, START);
    fixture.sources[1].idle_lag_ms = INT64_MAX;
    marked->mark_ms = START - 10 * SECOND_MS;
    marked->max_time_ms = watermark_read(marked).max_time_ms; /* as it is restored */
    assert_true(marked->max_time_ms > START);
    look(&fixture);
    assert_int_equal(watermark_at(&fixture, 1), TIME_NONE);
    assert_true(marked->empty && fixture.watermark.partitions[1].empty);
    fixture.sources[1].idle_lag_ms = 0;
    fixture.sources[0].idle_lag_ms = INT64_MAX;
    watermark_event(&fixture.watermark.partitions[1], 0, START - HOUR_MS);
    look(&fixture);
    assert_true(watermark_at(&fixture, 1) <= START - 10 * SECOND_MS);
    close_fixture(&fixture);
}

static void test_all_idle_follow_the_clock(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    fixture.sources[0].idle_lag_ms = 0;
    clock_wall_fix(START + DAY_MS);
    watermark_event(&fixture.watermark.partitions[0], 0, START);
    look(&fixture);
    assert_int_equal(fixture.marks, 3);
    assert_int_equal(watermark_at(&fixture, 0), START + DAY_MS - 2 * MINUTE_MS);
    assert_int_equal(watermark_at(&fixture, 1), START + DAY_MS - 10 * SECOND_MS);
    /* Time never goes back. */
    clock_wall_fix(START);
    look(&fixture);
    assert_int_equal(fixture.marks, 3);
    assert_int_equal(watermark_at(&fixture, 1), START + DAY_MS - 10 * SECOND_MS);
    close_fixture(&fixture);
}

static void test_nobody_has_a_time(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    look(&fixture); /* incidents are not idle, and have no time to follow */
    assert_int_equal(fixture.marks, 0);
    assert_int_equal(watermark_least(&fixture.watermark), TIME_NONE);
    close_fixture(&fixture);
}

static void test_the_first_record_of_a_partition(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    struct idle *idle = idle_new(&fixture.config, fixture.source, &fixture.watermark, false);
    watermark_event(&fixture.watermark.partitions[0], 0, START);
    fixture.watermark.partitions[1].empty = fixture.watermark.partitions[2].empty = true;
    assert_int_equal(watermark_least(&fixture.watermark), START - 2 * MINUTE_MS);
    idle_first(idle, 1, START - 2 * MINUTE_MS, &fixture.outbox);
    assert_int_equal(watermark_at(&fixture, 1), START - 2 * MINUTE_MS);
    assert_int_equal(fixture.outbox.count, 1);
    idle_first(idle, 2, TIME_NONE, &fixture.outbox); /* nothing was applied: it may begin where it likes */
    assert_int_equal(watermark_at(&fixture, 2), TIME_NONE);
    assert_int_equal(fixture.outbox.count, 1);
    idle_free(idle);
    close_fixture(&fixture);
}

static int64_t asked; /* requests */

static int ask_counted(struct source *source, const size_t *numbers, size_t count, int64_t *offsets, struct error *err)
{
    (void)source;
    (void)err;
    asked++;
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || numbers[i - 1] < numbers[i]); /* none twice */
        offsets[i] = 0;
    }
    return 0;
}

/* One request for all that are quiet or never had an event, and none where there are none. */
static void test_all_are_asked_about_at_once(void **state)
{
    struct fixture fixture;
    struct error err;
    (void)state;
    open_fixture(&fixture);
    const struct source_ops *ops = fixture.source->ops;
    struct source_ops counted = *ops;
    counted.end_offsets = ask_counted;
    fixture.source->ops = &counted;
    asked = 0;
    look(&fixture);
    assert_int_equal(asked, 1);
    for (size_t i = 0; i < PARTITIONS; i++)
        assert_true(fixture.watermark.partitions[i].empty);
    struct idle *idle = idle_new(&fixture.config, fixture.source, &fixture.watermark, false);
    assert_int_equal(idle_ask_empty(idle, TIME_NONE, &fixture.outbox, &err), 0);
    assert_int_equal(asked, 2);
    assert_int_equal(idle_restart(idle, &err), 0);
    assert_int_equal(asked, 3);
    idle_free(idle);
    for (size_t i = 0; i < PARTITIONS; i++) {
        fixture.watermark.partitions[i].empty = false;
        watermark_event(&fixture.watermark.partitions[i], 0, START);
    }
    fixture.sources[1].idle_lag_ms = INT64_MAX;
    look(&fixture);
    assert_int_equal(asked, 3);
    fixture.source->ops = ops;
    close_fixture(&fixture);
}

/* A record that came to one of them is found by its place in the answer. */
static void test_who_has_a_record_is_waited_for(void **state)
{
    struct fixture fixture;
    struct error err;
    (void)state;
    open_fixture(&fixture);
    struct idle *idle = idle_new(&fixture.config, fixture.source, &fixture.watermark, false);
    watermark_event(&fixture.watermark.partitions[0], 0, START);
    assert_int_equal(idle_restart(idle, &err), 0);
    assert_false(fixture.watermark.partitions[0].empty); /* it had an event */
    assert_true(fixture.watermark.partitions[1].empty && fixture.watermark.partitions[2].empty);
    source_memory_add(fixture.source, 2, STR_LIT("the first"), START);
    assert_int_equal(idle_ask_empty(idle, START, &fixture.outbox, &err), 0);
    assert_true(fixture.watermark.partitions[1].empty);
    assert_false(fixture.watermark.partitions[2].empty);
    assert_int_equal(fixture.outbox.count, 1);
    assert_int_equal(watermark_at(&fixture, 2), START);
    assert_int_equal(idle_restart(idle, &err), 0);
    assert_true(fixture.watermark.partitions[1].empty);
    assert_false(fixture.watermark.partitions[2].empty);
    idle_free(idle);
    close_fixture(&fixture);
}

/* What whoever reads from `offset` on has the partition's time at, as far as marks go. */
static int64_t time_at(const struct commit_mark *marks, size_t count, size_t partition, int64_t offset)
{
    int64_t time_ms = TIME_NONE;
    for (size_t i = 0; i < count; i++)
        if (marks[i].partition == partition && marks[i].offset <= offset && marks[i].time_ms > time_ms)
            time_ms = marks[i].time_ms;
    return time_ms;
}

static bool is_old(const struct commit_restored *restored, const struct commit_mark *mark)
{
    for (size_t i = 0; i < restored->old_mark_count; i++)
        if (restored->old_marks[i].partition == mark->partition && restored->old_marks[i].offset == mark->offset)
            return true;
    return false;
}

/* Of what lies before a log's start one mark is left; no reader of the log sees a difference. */
static void test_marks_that_nobody_needs(void **state)
{
    enum { COUNT = 8 };
    static const int64_t starts[PARTITIONS] = {0, 5, 3};
    struct commit_mark marks[COUNT] = {{0, 0, START},     {0, 4, START + 1}, {1, 1, START},     {1, 3, START + 2},
                                       {1, 5, START + 3}, {1, 6, START + 4}, {2, 2, START + 9}, {2, 3, START + 8}};
    struct commit_mark kept[COUNT];
    size_t kept_count = 0;
    struct arena arena = {0};
    struct commit_restored restored = {.marks = marks, .mark_count = COUNT};
    (void)state;
    commit_marks_old(&restored, starts, &arena);
    for (size_t i = 0; i < COUNT; i++)
        if (!is_old(&restored, &marks[i]))
            kept[kept_count++] = marks[i];
    assert_int_equal(kept_count, COUNT - 2); /* the one whose next says less stays */
    for (size_t p = 0; p < PARTITIONS; p++)
        for (int64_t offset = starts[p]; offset < 8; offset++)
            assert_int_equal(time_at(kept, kept_count, p, offset), time_at(marks, COUNT, p, offset));
    arena_fini(&arena);
}

static void test_a_mark_is_taken_off_the_topic(void **state)
{
    struct fixture fixture;
    struct buf key = {0};
    (void)state;
    open_fixture(&fixture);
    struct idle *idle = idle_new(&fixture.config, fixture.source, &fixture.watermark, false);
    idle_forget(idle, &(struct commit_mark){2, 7, START}, &fixture.outbox);
    commit_mark_key(&key, &partitions[2], 7);
    assert_int_equal(fixture.outbox.records[0].output, OUTPUT_MARKS);
    assert_true(str_eq(fixture.outbox.records[0].key, buf_str(&key)));
    assert_null(fixture.outbox.records[0].value.p);
    buf_fini(&key);
    idle_free(idle);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle_follow_the_others),
                                       cmocka_unit_test(test_unread_records_keep_a_partition_awake),
                                       cmocka_unit_test(test_one_that_is_idle_leads_nobody),
                                       cmocka_unit_test(test_a_partition_without_events_holds_nobody_back),
                                       cmocka_unit_test(test_a_mark_is_no_event),
                                       cmocka_unit_test(test_all_idle_follow_the_clock),
                                       cmocka_unit_test(test_nobody_has_a_time),
                                       cmocka_unit_test(test_the_first_record_of_a_partition),
                                       cmocka_unit_test(test_all_are_asked_about_at_once),
                                       cmocka_unit_test(test_who_has_a_record_is_waited_for),
                                       cmocka_unit_test(test_marks_that_nobody_needs),
                                       cmocka_unit_test(test_a_mark_is_taken_off_the_topic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
