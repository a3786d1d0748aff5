/* What waits for time to come stays within its budget, and does not grow with what was applied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/map.h"
#include "engine/memory.h"

/* One time for every stage. */
static const int64_t *at_all_stages(int64_t time_ms)
{
    static int64_t times_ms[REDUCE_STAGES_MAX];
    for (size_t i = 0; i < REDUCE_STAGES_MAX; i++)
        times_ms[i] = time_ms;
    return times_ms;
}

struct fixture {
    struct config *config;
    struct ruleset *rules;
};

static void load(struct fixture *fixture, const char *rules_text)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    static const char config_text[] = "state: {memory: 8MiB}\nlimits: {window_events: 10}\ncommit_interval: 60s\n";
    fixture->config = config_load_text("test", str_of(config_text), NULL, 0, &diagnostics);
    fixture->rules = ruleset_load_text("test.yaml", str_of(rules_text), &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        if (!diagnostics.items[i].warning)
            fail_msg("%d:%d: %s", diagnostics.items[i].line, diagnostics.items[i].column, diagnostics.items[i].message);
    struct config_source *source = arena_zalloc(&fixture->config->arena, sizeof *source);
    *source = (struct config_source){.topic = STR_LIT("telemetry"),
                                     .stream = stream_get(STREAM_TELEMETRY),
                                     .idle_lag_ms = INT64_MAX,
                                     .max_future_skew_ms = INT64_C(1) << 50};
    fixture->config->sources = source;
    fixture->config->source_count = 1;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static void unload(struct fixture *fixture)
{
    ruleset_free(fixture->rules);
    config_free(fixture->config);
}

static void publish(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    (void)context;
    (void)id;
    (void)record;
    (void)detection;
    (void)time_ms;
}

/* A group whose window moves on with every event waits for one timer, not for one an event. */
static void test_a_moving_timer_waits_once(void **unused)
{
    struct fixture fixture = {0};
    struct error err;
    (void)unused;
    load(&fixture, "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: test}\nrules:\n"
                   "- {id: r, from: {x: {stream: telemetry}}, detect: {group_by: [service], window: {size: 1h}, when: "
                   "count(x) > 3}}\n");
    struct state *state = state_new(store_memory_new());
    struct reduce *reduce = reduce_new(&(struct reduce_options){.rules = fixture.rules,
                                                                .config = fixture.config,
                                                                .state = state,
                                                                .tasks = task_range_all(1),
                                                                .memory_bytes = fixture.config->state_memory_bytes,
                                                                .publish = publish});
    struct exchange *exchange = reduce_exchange(reduce);
    size_t most = 0;
    bool more;
    assert_int_equal(reduce_restore(reduce, at_all_stages(INT64_MIN), &err), 0);
    for (int64_t i = 0; i < 20000; i++) {
        struct event event;
        event_clear(&event, stream_get(STREAM_TELEMETRY));
        event.time_ms = i * 100;
        event.at.offset = i;
        event.values[TELEMETRY_SERVICE] = value_text(i % 2 == 0 ? "cart" : "ad");
        exchange->ops->event(exchange, &event, &(struct exchange_match){0, 0}, 1);
        assert_int_equal(reduce_advance(reduce, at_all_stages(event.time_ms + 1), &more, &err), 0);
        most = reduce_pending_bytes(reduce) > most ? reduce_pending_bytes(reduce) : most;
    }
    assert_true(most < 256 * 1024);
    /* And it comes: the groups go when their windows are empty. */
    assert_true(reduce_counters(reduce)->evaluations == 20000);
    assert_int_equal(reduce_advance(reduce, at_all_stages(3 * HOUR_MS), &more, &err), 0);
    assert_false(more);
    const struct str_pair *dirty;
    size_t n = state_dirty(state, &dirty);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        assert_true(dirty[i].value.p == NULL || dirty[i].key.p[2] == STATE_META);
    /* since when the rule is in force */ /* deletions alone */
    reduce_free(reduce);
    state_free(state);
    unload(&fixture);
}

/* An engine over two partitions of telemetry in memory. */
struct running {
    struct fixture fixture;
    struct arena arena;
    struct state *state;
    struct source *source;
    struct commit *commit;
    struct engine *engine;
};

static size_t written_bytes;

static int swallow(void *context, const struct commit_record *record, struct error *err)
{
    (void)context;
    (void)err;
    written_bytes += record->value.n;
    return 0;
}

static void open_engine(struct running *running, bool live)
{
    static const struct source_partition partitions[] = {{0, {"telemetry", 9}, 0}, {0, {"telemetry", 9}, 1}};
    struct error err = {0};
    *running = (struct running){0};
    load(&running->fixture,
         "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: test}\nrules:\n"
         "- {id: r, from: {x: {stream: telemetry}}, detect: {group_by: [service], window: {size: 5m, slide: 1m}, when: "
         "\"count(x) > 3 && sum(x) > 0 && max(x) > 0\"}}\n");
    if (live)
        running->fixture.config->sources[0].idle_lag_ms = 0; /* whoever is at the end of the log */
    running->state = state_new(store_memory_new());
    running->source = source_memory_new(partitions, 2);
    running->commit = commit_plain_new(swallow, NULL);
    struct engine_options options = {.rules = running->fixture.rules,
                                     .config = running->fixture.config,
                                     .source = running->source,
                                     .state = running->state,
                                     .commit = running->commit,
                                     .scratch_dir = live ? "/tmp" : NULL,
                                     .live = live,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    assert_int_equal(engine_new(&running->engine, &options, &err), 0);
}

static void close_engine(struct running *running)
{
    engine_free(running->engine);
    state_free(running->state);
    running->source->ops->close(running->source);
    running->commit->ops->close(running->commit);
    arena_fini(&running->arena);
    unload(&running->fixture);
}

static void add(struct running *running, size_t partition, int service, int64_t time_ms)
{
    const char *text =
        arena_printf(&running->arena, "{\"service\":\"s%d\",\"name\":\"n\",\"value\":1,\"occurred_at\":%lld}", service,
                     (long long)time_ms);
    source_memory_add(running->source, partition, str_of(text), 0);
}

static void turn(struct running *running)
{
    struct error err = {0};
    bool worked;
    assert_int_equal(engine_step(running->engine, &worked, &err), 0);
}

/* A partition far ahead of the slowest is not read on when the panes that wait fill the budget. */
static void test_panes_ahead_hold_reading_back(void **unused)
{
    enum { AHEAD = 60000, BATCHES = 60 };
    struct running running;
    struct error err = {0};
    (void)unused;
    open_engine(&running, false);
    assert_int_equal(engine_restore(running.engine, &err), 0);
    add(&running, 0, 0, 60000);
    for (int i = 0; i < AHEAD; i++)
        add(&running, 1, i % 500, 60000 + (int64_t)i * 1000);
    for (int i = 0; i < BATCHES; i++)
        turn(&running);
    int64_t read = engine_watermark(running.engine)->partitions[1].next_offset;
    assert_true(read > 2000 && read < AHEAD / 2);
    /* Once the slow one is done, all of it is read and counted. */
    source_memory_end(running.source);
    while (!engine_finished(running.engine))
        turn(&running);
    assert_int_equal(engine_end(running.engine, true, &err), 0);
    assert_int_equal(engine_map_counters(running.engine)->events, AHEAD + 1);
    assert_true(engine_reduce_counters(running.engine)->panes > AHEAD / 2);
    close_engine(&running);
}

/* A partition that gives nothing any more, and whose time lies behind the others' for that, must not be the one that is
 * read: an open pane that is beyond the budget could never be completed. */
static void test_an_idle_partition_holds_nobody_back(void **unused)
{
    enum { EVENTS = 60000, STEPS = 70 };
    struct running running;
    struct error err = {0};
    (void)unused;
    open_engine(&running, true);
    add(&running, 0, 0, 60000);
    for (int i = 0; i < EVENTS; i++)
        add(&running, 1, i, 60500);
    assert_int_equal(engine_restore(running.engine, &err), 0);
    for (int i = 0; i < STEPS; i++)
        turn(&running);
    assert_int_equal(engine_watermark(running.engine)->partitions[1].next_offset, EVENTS);
    assert_true(engine_reduce_counters(running.engine)->spilled_bytes > 8 << 20); /* more than all of the memory */
    close_engine(&running);
}

/* One transaction has so many seconds, however much memory there is. */
static void test_a_commit_does_not_grow_with_the_memory(void **unused)
{
    enum { LETTER_BYTES = 4096, LETTERS = 10000 };
    struct running running;
    struct error err = {0};
    size_t most = 0;
    size_t all = 0;
    (void)unused;
    open_engine(&running, false);
    running.fixture.config->state_memory_bytes = INT64_C(8) << 30;
    char *letter = arena_alloc(&running.arena, LETTER_BYTES);
    memset(letter, '?', LETTER_BYTES);
    for (int i = 0; i < LETTERS; i++)
        source_memory_add(running.source, 0, (struct str){letter, LETTER_BYTES}, 0);
    source_memory_end(running.source);
    assert_int_equal(engine_restore(running.engine, &err), 0);
    while (!engine_finished(running.engine)) {
        written_bytes = 0;
        turn(&running);
        most = written_bytes > most ? written_bytes : most;
        all += written_bytes;
    }
    written_bytes = 0;
    assert_int_equal(engine_end(running.engine, true, &err), 0);
    assert_true(all + written_bytes >= (size_t)LETTERS * LETTER_BYTES);
    assert_true(most > 15 << 20 && most < 18 << 20 && written_bytes < 18 << 20);
    close_engine(&running);
    /* Up to the memory that is the default it does. */
    for (int64_t bytes = 8 << 20; bytes <= 256 << 20; bytes *= 2)
        assert_int_equal(memory_commit_share(bytes, MEMORY_DIRTY), memory_share(bytes, MEMORY_DIRTY));
}

static size_t sent_bytes;

static void weigh_sent(struct exchange *exchange, const struct exchange_partial *partial)
{
    (void)exchange;
    sent_bytes += pane_bytes(partial->pane);
    pane_free(partial->pane);
}

/* Some partials grow with what they fold, to a hundred kilobytes: that is seen, or no bound on them would hold. */
static void test_partials_weigh_what_they_have_grown_to(void **unused)
{
    enum { EVENTS = 40000, SERVICES = 2 };
    static const char *const functions[] = {"distinct(x, event.value)", "p99(x, event.value)", "stddev(x, event.value)",
                                            "count(x)"};
    static const size_t least[] = {2 * 65536, 2 * 1024, 2 * 128, 0};
    static const struct exchange_ops ops = {.partial = weigh_sent};
    static const struct source_partition partition = {0, {"telemetry", 9}, 0};
    (void)unused;
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        struct fixture fixture = {0};
        struct exchange exchange = {&ops};
        struct outbox outbox = {0};
        struct watermark watermark;
        struct event_map *map;
        struct error err;
        char text[400];
        (void)snprintf(
            text, sizeof text,
            "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: test}\nrules:\n- {id: r, from: {x: "
            "{stream: telemetry}}, detect: {group_by: [service], window: {size: 1h, slide: 1h}, when: \"%s > "
            "3.0\"}}\n",
            functions[k]);
        load(&fixture, text);
        watermark_init(&watermark, 1);
        assert_int_equal(event_map_new(&map,
                                       &(struct map_options){.rules = fixture.rules,
                                                             .config = fixture.config,
                                                             .exchange = &exchange,
                                                             .outbox = &outbox,
                                                             .watermark = &watermark,
                                                             .partitions = &partition,
                                                             .partition_count = 1},
                                       &err),
                         0);
        for (int64_t i = 0; i < EVENTS; i++) {
            struct event event;
            event_clear(&event, stream_get(STREAM_TELEMETRY));
            event.time_ms = i;
            event.values[TELEMETRY_SERVICE] = value_text(i % SERVICES == 0 ? "cart" : "ad");
            event.values[TELEMETRY_VALUE] = value_double((double)i * 1.5);
            event_map_event(map, 0, &event, INT64_MIN);
        }
        size_t bytes = event_map_bytes(map);
        sent_bytes = 0;
        event_map_flush(map, INT64_MAX);
        assert_true(sent_bytes > least[k]);
        assert_true(bytes >= sent_bytes && bytes < sent_bytes + SERVICES * 1024);
        assert_int_equal(event_map_bytes(map), 0);
        event_map_free(map);
        watermark_fini(&watermark);
        outbox_fini(&outbox);
        unload(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_moving_timer_waits_once),
                                       cmocka_unit_test(test_partials_weigh_what_they_have_grown_to),
                                       cmocka_unit_test(test_a_commit_does_not_grow_with_the_memory),
                                       cmocka_unit_test(test_panes_ahead_hold_reading_back),
                                       cmocka_unit_test(test_an_idle_partition_holds_nobody_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
