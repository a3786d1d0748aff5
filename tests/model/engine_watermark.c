/* Watermarks and positions against a naive reference that remembers every record: a position never lies beyond the
 * oldest record that is not applied, is not far behind it either, and whoever reads again from it judges lateness as
 * before.
 *
 * usage: test_engine_watermark [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "detect/pane.h"
#include "engine/watermark.h"

enum { ROUNDS = 300, RECORDS = 1500, MARKS_MAX = 64 };

static uint64_t seed = 1;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

struct record {
    int64_t time_ms;
    bool bad; /* not decodable: moves no time */
    bool late;
    int64_t before_ms; /* the watermark that it meets */
};

struct log {
    struct record records[RECORDS];
    struct commit_mark marks[MARKS_MAX];
    size_t mark_count;
    int64_t out_of_orderness_ms;
};

static void take_marks(struct watermark_partition *partition, const struct log *log, int64_t offset)
{
    /* Those at or after the position, and the newest before it, as a restore reads them. */
    size_t from = 0;
    while (from < log->mark_count && log->marks[from].offset < offset)
        from++;
    from -= from > 0;
    free(partition->marks);
    partition->mark_count = log->mark_count - from;
    partition->marks = mem_alloc((partition->mark_count + 1) * sizeof *partition->marks);
    for (size_t i = from; i < log->mark_count; i++)
        partition->marks[i - from] = log->marks[i];
}

static void restart(struct watermark_partition *partition, const struct log *log,
                    const struct commit_position *position)
{
    partition->out_of_orderness_ms = log->out_of_orderness_ms;
    partition->max_time_ms = position->max_time_ms;
    partition->mark_ms = TIME_NONE;
    partition->next_offset = position->offset;
    partition->read_offset = position->read_offset;
    partition->bucket_count = 0;
    take_marks(partition, log, position->offset);
}

/* The watermark before the record, from all that came before it. */
static int64_t watermark_before(const struct log *log, int64_t offset)
{
    int64_t watermark_ms = TIME_NONE;
    for (int64_t i = 0; i < offset; i++)
        if (!log->records[i].bad && log->records[i].time_ms - log->out_of_orderness_ms > watermark_ms)
            watermark_ms = log->records[i].time_ms - log->out_of_orderness_ms;
    for (size_t i = 0; i < log->mark_count; i++)
        if (log->marks[i].offset <= offset && log->marks[i].time_ms > watermark_ms)
            watermark_ms = log->marks[i].time_ms;
    return watermark_ms;
}

/* Reads one record as map does; true where it is neither bad nor late. */
static bool read_record(struct watermark_partition *partition, struct log *log, int64_t offset, bool first_time)
{
    struct record *record = &log->records[offset];
    watermark_reach(partition, offset);
    if (first_time)
        record->before_ms = watermark_before(log, offset);
    assert_int_equal(watermark_of(partition), record->before_ms);
    bool late = record->late = !record->bad && record->time_ms < record->before_ms;
    if (!late && !record->bad)
        watermark_event(partition, offset, record->time_ms);
    partition->next_offset = offset + 1;
    return !late && !record->bad;
}

/* The oldest record, of those read, that is still needed at `applied_ms`: itself or the pane it lies in is not applied.
 */
static int64_t oldest_needed(const struct log *log, int64_t read, int64_t applied_ms, int64_t pane_ms)
{
    for (int64_t i = 0; i < read; i++) {
        const struct record *record = &log->records[i];
        int64_t pane_end_ms = (floor_div(record->time_ms, pane_ms) + 1) * pane_ms;
        if (!record->bad && !record->late && (applied_ms == TIME_NONE || pane_end_ms >= applied_ms))
            return i;
    }
    return read;
}

static void make_log(struct log *log)
{
    int64_t at_ms = INT64_C(1000) * DAY_MS + below(HOUR_MS);
    int64_t step_ms = below(2) == 0 ? 20 * SECOND_MS : 10 * MINUTE_MS;
    log->out_of_orderness_ms = below(3) * 2 * MINUTE_MS;
    log->mark_count = 0;
    for (int i = 0; i < RECORDS; i++) {
        at_ms += below(step_ms);
        log->records[i] =
            (struct record){.time_ms = at_ms - (below(3) == 0 ? below(6 * MINUTE_MS) : 0), .bad = below(20) == 0};
        if (below(60) == 0 && log->mark_count < MARKS_MAX)
            log->marks[log->mark_count++] = (struct commit_mark){0, i, at_ms - below(5 * MINUTE_MS)};
    }
}

static void play(struct log *log)
{
    struct watermark watermark;
    struct commit_position start = {.owned = true, .max_time_ms = TIME_NONE, .first_ms = TIME_NONE};
    static const int64_t panes[] = {MINUTE_MS, 7 * MINUTE_MS, PANE_MS_MAX};
    int64_t pane_ms = panes[below(3)];
    int64_t applied_ms = TIME_NONE;
    int64_t farthest = 0; /* the most that any life read */
    int64_t committed = 0;
    watermark_init(&watermark, 1);
    struct watermark_partition *partition = &watermark.partitions[0];
    restart(partition, log, &start);
    for (int64_t offset = 0; offset < RECORDS; offset++) {
        (void)read_record(partition, log, offset, offset >= farthest);
        if (offset + 1 > farthest)
            farthest = offset + 1;
        int64_t least_ms = watermark_least(&watermark);
        if (below(5) == 0 && least_ms != TIME_NONE && least_ms > applied_ms)
            applied_ms =
                below(2) == 0 || applied_ms == TIME_NONE ? least_ms : applied_ms + below(least_ms - applied_ms + 1);
        if (below(10) > 0)
            continue;
        struct commit_position position = watermark_position(partition, applied_ms);
        assert_true(position.offset <= oldest_needed(log, offset + 1, applied_ms, pane_ms));
        /* Records beyond what can matter are not read again: two buckets and the longest pane. */
        if (applied_ms != TIME_NONE)
            assert_true(position.offset >= oldest_needed(log, offset + 1, applied_ms - 2 * BUCKET_MS - PANE_MS_MAX, 1));
        assert_int_equal(position.read_offset, farthest);
        assert_true(position.offset >= committed);
        committed = position.offset;
        if (below(8) == 0) {
            restart(partition, log, &position);
            offset = position.offset - 1;
        }
    }
    watermark_fini(&watermark);
}

static void test_positions(void **state)
{
    struct log *log = mem_zalloc(sizeof *log);
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++) {
        make_log(log);
        play(log);
    }
    free(log);
}

/* What each partition is, and the global time that follows. */
static void test_global_time(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct watermark watermark;
        size_t n = (size_t)below(4) + 1;
        int64_t least = INT64_MAX;
        bool unknown = false;
        bool all_finished = true;
        watermark_init(&watermark, n);
        for (size_t i = 0; i < n; i++) {
            struct watermark_partition *partition = &watermark.partitions[i];
            partition->out_of_orderness_ms = below(10);
            if (below(3) > 0)
                watermark_event(partition, 0, 100 + below(50));
            if (below(3) == 0)
                partition->mark_ms = 100 + below(50);
            partition->finished = below(3) == 0;
            partition->empty = partition->max_time_ms == TIME_NONE && below(2) == 0;
            bool timeless = partition->max_time_ms == TIME_NONE && partition->mark_ms == TIME_NONE;
            all_finished = all_finished && partition->finished;
            if (partition->finished || partition->empty)
                continue;
            unknown = unknown || timeless;
            int64_t by_events = partition->max_time_ms - (timeless ? 0 : partition->out_of_orderness_ms);
            int64_t own =
                partition->max_time_ms == TIME_NONE || partition->mark_ms > by_events ? partition->mark_ms : by_events;
            if (!timeless && own < least)
                least = own;
        }
        int64_t want = all_finished ? TIME_END : unknown || least == INT64_MAX ? TIME_NONE : least;
        assert_int_equal(watermark_least(&watermark), want);
        watermark_fini(&watermark);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_positions), cmocka_unit_test(test_global_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
