/* Rows in the state: their keys by source, and when they are forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "engine/rows.h"

#define START (INT64_C(19723) * DAY_MS) /* a midnight */

enum { RETENTION_DAYS = 3, MIDNIGHTS_MAX = 64 };

struct fixture {
    struct config config;
    struct config_source sources[2];
    struct str by_id[1];
    struct state *state;
    struct rows *rows;
    struct arena arena;
    int64_t midnights[MIDNIGHTS_MAX];
    size_t midnight_count;
};

static void arm(void *context, int64_t time_ms)
{
    struct fixture *fixture = context;
    assert_true(fixture->midnight_count < MIDNIGHTS_MAX);
    fixture->midnights[fixture->midnight_count++] = time_ms;
}

static void open_fixture(struct fixture *fixture)
{
    const struct stream *incident = stream_get(STREAM_INCIDENT);
    *fixture = (struct fixture){.config = {.source_count = 2, .tasks = 3, .row_retention_ms = RETENTION_DAYS * DAY_MS},
                                .by_id = {STR_LIT("incident_id")}};
    fixture->sources[0] = (struct config_source){.stream = incident, .key = fixture->by_id, .key_count = 1};
    fixture->sources[1] = (struct config_source){.stream = incident};
    fixture->config.sources = fixture->sources;
    fixture->state = state_new(store_memory_new());
    fixture->rows = rows_new(&(struct rows_options){.state = fixture->state,
                                                    .config = &fixture->config,
                                                    .tasks = task_range_all(3),
                                                    .arm = arm,
                                                    .context = fixture});
}

static void close_fixture(struct fixture *fixture)
{
    rows_free(fixture->rows);
    state_free(fixture->state);
    arena_fini(&fixture->arena);
}

static struct row_update apply(struct fixture *fixture, int source, const char *service, const char *status,
                               int64_t time_ms)
{
    struct row_update out;
    struct error err;
    struct event update;
    event_clear(&update, stream_get(STREAM_INCIDENT));
    update.time_ms = time_ms;
    update.at = (struct position){source, 0, time_ms};
    update.values[INCIDENT_ID] = value_text("i");
    update.values[INCIDENT_SERVICE] = value_text(service);
    update.values[INCIDENT_STATUS] = value_text(status);
    update.values[INCIDENT_SEVERITY] = value_text("sev1");
    assert_int_equal(rows_apply(fixture->rows, &update, &fixture->arena, &out, &err), 0);
    return out;
}

static void test_keys_are_the_sources(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture);
    assert_false(apply(&fixture, 0, "cart", "open", START).existed);
    assert_true(apply(&fixture, 0, "ad", "open", START + 1).existed); /* one row an incident_id */
    assert_false(apply(&fixture, 1, "cart", "open", START + 2).existed);
    assert_false(apply(&fixture, 1, "ad", "open", START + 3).existed); /* the stream's own key */
    assert_true(apply(&fixture, 1, "ad", "resolved", START + 4).existed);
    close_fixture(&fixture);
}

/* Time comes to each midnight that was asked for, up to `until_ms`. */
static void pass(struct fixture *fixture, int64_t until_ms)
{
    struct error err;
    for (size_t i = 0; i < fixture->midnight_count;) {
        int64_t time_ms = fixture->midnights[i];
        if (time_ms > until_ms) {
            i++;
            continue;
        }
        fixture->midnights[i] = fixture->midnights[--fixture->midnight_count];
        assert_int_equal(rows_expire(fixture->rows, time_ms, &err), 0);
        i = 0;
    }
}

static void test_rows_go_after_their_last_update(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        struct fixture fixture;
        struct error err;
        open_fixture(&fixture);
        (void)apply(&fixture, 1, "cart", "open", START);
        (void)apply(&fixture, 1, "ad", "open", START + HOUR_MS);
        assert_int_equal(fixture.midnight_count, 1); /* one a day */
        pass(&fixture, START + 2 * DAY_MS);
        (void)apply(&fixture, 1, "ad", "resolved", START + 2 * DAY_MS); /* its last, a midnight */
        if (restarts == 1) {
            fixture.midnight_count = 0;
            assert_int_equal(rows_restore(fixture.rows, &err), 0);
        }
        assert_int_equal(fixture.midnight_count, 2);
        pass(&fixture, START + (RETENTION_DAYS + 1) * DAY_MS);
        assert_int_equal(fixture.midnight_count, 1);
        assert_false(apply(&fixture, 1, "cart", "open", START + (RETENTION_DAYS + 1) * DAY_MS).existed);
        struct row_update row = apply(&fixture, 1, "ad", "open", START + (RETENTION_DAYS + 1) * DAY_MS);
        assert_true(row.existed);
        assert_int_equal(row.after.time_ms, START + HOUR_MS); /* opened_at is fixed */
        close_fixture(&fixture);
    }
}

static void test_nothing_is_left(void **state)
{
    struct fixture fixture;
    const struct str_pair *dirty;
    (void)state;
    open_fixture(&fixture);
    (void)apply(&fixture, 1, "cart", "open", START);
    (void)apply(&fixture, 1, "ad", "open", START);
    (void)apply(&fixture, 1, "ad", "cancelled", START + DAY_MS);
    (void)apply(&fixture, 1, "cart", "resolved", START + DAY_MS);
    pass(&fixture, START + 10 * DAY_MS);
    size_t n = state_dirty(fixture.state, &dirty);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        assert_null(dirty[i].value.p); /* deletions alone */
    close_fixture(&fixture);
}

/* An incident that began before rows are kept and has none is an old one, not a new one. */
static void test_forgotten(void **state)
{
    struct fixture fixture;
    struct row_update out;
    struct error err;
    struct event update;
    (void)state;
    open_fixture(&fixture);
    event_clear(&update, stream_get(STREAM_INCIDENT));
    update.time_ms = START;
    update.at.topic = 1;
    update.values[INCIDENT_ID] = value_text("i");
    update.values[INCIDENT_STATUS] = value_text("resolved");
    update.values[INCIDENT_SEVERITY] = value_text("sev1");
    update.values[INCIDENT_STARTED_AT] = value_time_ms(START - RETENTION_DAYS * DAY_MS - 1);
    assert_int_equal(rows_apply(fixture.rows, &update, &fixture.arena, &out, &err), 0);
    assert_int_equal(out.change, ROW_UNCHANGED);
    assert_int_equal(rows_forgotten(fixture.rows), 1);
    update.values[INCIDENT_STARTED_AT] = value_time_ms(START - RETENTION_DAYS * DAY_MS);
    assert_int_equal(rows_apply(fixture.rows, &update, &fixture.arena, &out, &err), 0);
    assert_int_equal(out.change, ROW_CHANGED);
    assert_int_equal(rows_forgotten(fixture.rows), 1);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys_are_the_sources),
                                       cmocka_unit_test(test_rows_go_after_their_last_update),
                                       cmocka_unit_test(test_nothing_is_left), cmocka_unit_test(test_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
