/* No allocation and no lock an event: what the worker's thread asks of malloc and of mutexes (counted_calls.h) while
 * telemetry flows from its source through decoding, matching and folding does not grow with the number of events.
 *
 * The same panes of the same groups are filled by few events and by many: the difference is what events cost.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../counted_calls.h"
#include "base/clock.h"
#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"
#include "engine/engine.h"

enum {
    RULES = 10,
    SERVICES = 200,
    WINDOW = 6, /* panes, and one more */
    VALUES = 8,
    CYCLE = RULES * SERVICES * VALUES, /* events until all of them have been */
    FEW = 17, /* cycles a pane: what a quantile keeps one by one, up to a bound, takes the same room by FEW and MANY */
    MANY = 31,
    PANES = 1, /* of each measurement */
};

/* One partition that gives the same records again and again, those of one pane. */
struct stream_source {
    struct source base;
    struct str records[CYCLE];
    int64_t offset;
    int64_t left;
};

static int stream_poll(struct source *source, size_t partition, struct source_record *records, size_t max,
                       size_t *count, struct error *err)
{
    struct stream_source *stream = (struct stream_source *)source;
    size_t n = 0;
    (void)partition;
    (void)err;
    for (; n < max && stream->left > 0; stream->left--, stream->offset++) {
        struct str record = stream->records[stream->offset % CYCLE];
        records[n++] = (struct source_record){
            .value = record.p, .value_n = record.n, .offset = stream->offset, .timestamp_ms = -1};
    }
    *count = n;
    return 0;
}

static void stream_release(struct source *source)
{
    (void)source;
}

static bool stream_finished(struct source *source, size_t partition)
{
    (void)source;
    (void)partition;
    return false;
}

struct fixture {
    struct arena arena; /* of the whole test */
    struct config *config;
    struct ruleset *rules;
    struct stream_source stream;
    struct state *state;
    struct commit *commit;
    struct engine *engine;
    struct avro_encoder *encoder; /* NULL: JSON */
    struct arena records;         /* of one pane */
    int64_t pane;
};

static void load_rules(struct fixture *fixture)
{
    struct buf text = {0};
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: test}\nrules:\n");
    for (int i = 0; i < RULES; i++)
        buf_printf(&text,
                   "- id: r%d\n"
                   "  from: {x: {stream: telemetry, match: {name: n%d}, where: \"event.value >= 0.0\"}}\n"
                   "  detect: {group_by: [service], window: {size: 5m, slide: 1m}, when: \"count(x) < 0 && avg(x) > "
                   "1.0 && max(x) > 1.0 && p95(x) > 1.0 && distinct(x, event.value) > 1\"}\n",
                   i, i);
    fixture->rules = ruleset_load_text("test.yaml", buf_str(&text), &diagnostics);
    if (fixture->rules == NULL)
        fail_msg("%s", diagnostics.items[0].message);
    buf_fini(&text);
}

static struct str record_of(struct fixture *fixture, int i)
{
    int rule = i % RULES;
    int service = i / RULES % SERVICES;
    int value = i / RULES / SERVICES;
    int64_t time_ms = fixture->pane * MINUTE_MS + MINUTE_MS / 2;
    struct arena *arena = &fixture->records;
    if (fixture->encoder == NULL)
        return str_of(arena_printf(arena,
                                   "{\"service\":\"s%d\",\"name\":\"n%d\",\"value\":%d.5,\"occurred_at\":%lld,"
                                   "\"labels\":{\"zone\":\"eu-1a\"}}",
                                   service, rule, value, (long long)time_ms));
    const struct value members[] = {
        value_text("kind"),        value_text("metric"),
        value_text("service"),     value_text(arena_printf(arena, "s%d", service)),
        value_text("name"),        value_text(arena_printf(arena, "n%d", rule)),
        value_text("value"),       value_double(value + 0.5),
        value_text("occurred_at"), value_time_ms(time_ms),
    };
    struct buf out = {0};
    struct error err;
    if (avro_encode(fixture->encoder, value_map(members, sizeof members / sizeof *members / 2), &out, &err) != 0)
        fail_msg("%s", err.message);
    struct str record = arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return record;
}

static void set_up(struct fixture *fixture, enum record_format format)
{
    static const struct source_partition partition = {0, {"telemetry", 9}, 0};
    static const struct source_ops ops = {.poll = stream_poll, .release = stream_release, .finished = stream_finished};
    struct error err = {0};
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    clock_mono_fix(0); /* commits come when the test asks for them */
    load_rules(fixture);
    fixture->config = config_load_text("test", STR_LIT("commit_interval: 60s\n"), NULL, 0, &diagnostics);
    struct config_source *source = arena_zalloc(&fixture->config->arena, sizeof *source);
    *source = (struct config_source){.topic = STR_LIT("telemetry"),
                                     .stream = stream_get(STREAM_TELEMETRY),
                                     .format = format,
                                     .schema = str_of(schema_embedded_find("telemetry")),
                                     .idle_lag_ms = INT64_MAX};
    fixture->config->sources = source;
    fixture->config->source_count = 1;
    fixture->stream.base = (struct source){&ops, &partition, 1};
    fixture->state = state_new(store_memory_new());
    fixture->commit = commit_plain_new(NULL, NULL);
    fixture->pane = 1000;
    if (format == FORMAT_AVRO && avro_encoder_new(&fixture->encoder, str_of(schema_embedded_find("telemetry")), &err))
        fail_msg("%s", err.message);
    struct engine_options options = {.rules = fixture->rules,
                                     .config = fixture->config,
                                     .source = &fixture->stream.base,
                                     .state = fixture->state,
                                     .commit = fixture->commit,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    assert_int_equal(engine_new(&fixture->engine, &options, &err), 0);
    assert_int_equal(engine_restore(fixture->engine, &err), 0);
}

static void tear_down(struct fixture *fixture)
{
    engine_free(fixture->engine);
    fixture->commit->ops->close(fixture->commit);
    state_free(fixture->state);
    avro_encoder_free(fixture->encoder);
    ruleset_free(fixture->rules);
    config_free(fixture->config);
    arena_fini(&fixture->records);
    arena_fini(&fixture->arena);
    clock_mono_fix(INT64_MIN);
}

struct cost {
    uint64_t allocations;
    uint64_t locks;
};

/* PANES panes, of so many cycles each, with a commit after each. */
static struct cost flow(struct fixture *fixture, int cycles)
{
    struct error err;
    struct cost cost = {0};
    for (int pane = 0; pane < PANES; pane++) {
        bool worked = true;
        arena_reset(&fixture->records);
        for (int i = 0; i < CYCLE; i++)
            fixture->stream.records[i] = record_of(fixture, i);
        fixture->pane++;
        fixture->stream.left = (int64_t)CYCLE * cycles;
        struct cost before = {allocations, locks};
        while (worked)
            assert_int_equal(engine_step(fixture->engine, &worked, &err), 0);
        assert_int_equal(engine_commit(fixture->engine, &err), 0);
        cost.allocations += allocations - before.allocations;
        cost.locks += locks - before.locks;
    }
    return cost;
}

static void flows(enum record_format format)
{
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    set_up(fixture, format);
    for (int i = 0; i < WINDOW; i++) /* buffers grow to what they need, windows fill */
        (void)flow(fixture, i + 1 < WINDOW ? 1 : FEW);
    struct cost few = flow(fixture, FEW);
    struct cost many = flow(fixture, MANY);
    uint64_t events = (uint64_t)CYCLE * (MANY - FEW) * PANES;
    print_message("%llu events more: %lld allocations and %lld locks more (%llu and %llu in all)\n",
                  (unsigned long long)events, (long long)(many.allocations - few.allocations),
                  (long long)(many.locks - few.locks), (unsigned long long)many.allocations,
                  (unsigned long long)many.locks);
    assert_int_equal(engine_map_counters(fixture->engine)->matched,
                     (uint64_t)CYCLE * PANES * (WINDOW - 1 + 2 * FEW + MANY));
    assert_true(engine_reduce_counters(fixture->engine)->evaluations > RULES * SERVICES);
    assert_true(!COUNTS_CALLS || few.allocations > 0);
    assert_true(many.allocations < few.allocations + events / 100);
    assert_true(many.locks < few.locks + events / 100);
    tear_down(fixture);
    free(fixture);
}

static void test_avro(void **state)
{
    (void)state;
    flows(FORMAT_AVRO);
}

static void test_json(void **state)
{
    (void)state;
    flows(FORMAT_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_avro), cmocka_unit_test(test_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
