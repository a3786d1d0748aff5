/* When a commit is due: after an interval, and within a fifth of it where a recommendation waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/engine.h"

enum { INTERVAL_MS = 500, SOON_MS = INTERVAL_MS / 5 };

static const int64_t first_ms = INT64_C(1767225600000);

struct fixture {
    struct arena arena;
    struct config *config;
    struct ruleset *rules;
    struct source *source;
    struct state *state;
    struct commit *commit;
    struct engine *engine;
    int64_t events;
    size_t published;
};

static int count(void *context, const struct commit_record *record, struct error *err)
{
    (void)err;
    ((struct fixture *)context)->published += record->output == OUTPUT_RECOMMENDATIONS;
    return 0;
}

/* A recommendation for each event that is named bad, once time has passed it. */
static void set_up(struct fixture *fixture)
{
    static const struct source_partition partition = {0, {"telemetry", 9}, 0};
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    struct error err;
    clock_mono_fix(0);
    fixture->rules = ruleset_load_text(
        "test.yaml",
        STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n"
                "- {id: r, from: {x: {stream: telemetry, match: {name: bad}}}, "
                "detect: {window: {size: 1h}, when: count(x) >= 1}, "
                "recommend: {category: architecture, title: t, cooldown: 0s, spec: {problem: p, solution: s}}}\n"),
        &diagnostics);
    assert_non_null(fixture->rules);
    fixture->config = config_load_text("test", STR_LIT("commit_interval: 500ms\n"), NULL, 0, &diagnostics);
    struct config_source *source = arena_zalloc(&fixture->config->arena, sizeof *source);
    *source = (struct config_source){.topic = partition.topic_name,
                                     .stream = stream_get(STREAM_TELEMETRY),
                                     .format = FORMAT_JSON,
                                     .idle_lag_ms = INT64_MAX};
    fixture->config->sources = source;
    fixture->config->source_count = 1;
    fixture->source = source_memory_new(&partition, 1);
    fixture->state = state_new(store_memory_new());
    fixture->commit = commit_plain_new(count, fixture);
    const struct engine_options options = {.rules = fixture->rules,
                                           .config = fixture->config,
                                           .source = fixture->source,
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
    fixture->source->ops->close(fixture->source);
    ruleset_free(fixture->rules);
    config_free(fixture->config);
    arena_fini(&fixture->arena);
    clock_mono_fix(INT64_MIN);
}

static void write(struct fixture *fixture, const char *name)
{
    long long time_ms = first_ms + fixture->events++ * MINUTE_MS;
    const char *text = arena_printf(
        &fixture->arena, "{\"service\":\"s\",\"name\":\"%s\",\"value\":1,\"occurred_at\":%lld}", name, time_ms);
    source_memory_add(fixture->source, 0, str_of(text), time_ms);
}

static void step_at(struct fixture *fixture, int64_t now_ms)
{
    struct error err;
    bool worked;
    clock_mono_fix(now_ms * 1000);
    assert_int_equal(engine_step(fixture->engine, &worked, &err), 0);
}

static uint64_t commits(const struct fixture *fixture)
{
    return engine_counters(fixture->engine)->commits;
}

static void test_after_an_interval(void **unused)
{
    struct fixture fixture = {0};
    (void)unused;
    set_up(&fixture);
    write(&fixture, "good");
    write(&fixture, "good");
    step_at(&fixture, INTERVAL_MS - 1);
    assert_int_equal(commits(&fixture), 0);
    step_at(&fixture, INTERVAL_MS);
    assert_int_equal(commits(&fixture), 1);
    write(&fixture, "good");
    step_at(&fixture, 2 * INTERVAL_MS - 1);
    assert_int_equal(commits(&fixture), 1);
    step_at(&fixture, 2 * INTERVAL_MS);
    assert_int_equal(commits(&fixture), 2);
    tear_down(&fixture);
}

static void test_a_recommendation_waits_for_a_fifth(void **unused)
{
    struct fixture fixture = {0};
    (void)unused;
    set_up(&fixture);
    write(&fixture, "bad"); /* waits until time has passed it */
    step_at(&fixture, SOON_MS);
    assert_int_equal(commits(&fixture), 0);
    write(&fixture, "good");
    step_at(&fixture, SOON_MS + 1);
    assert_true(commits(&fixture) == 1 && fixture.published == 1);
    write(&fixture, "bad");
    write(&fixture, "good");
    step_at(&fixture, 2 * SOON_MS); /* not at once after another one */
    assert_int_equal(commits(&fixture), 1);
    step_at(&fixture, 2 * SOON_MS + 1);
    assert_true(commits(&fixture) == 2 && fixture.published == 2);
    write(&fixture, "good"); /* an interval again, for nothing waits */
    step_at(&fixture, 2 * SOON_MS + INTERVAL_MS);
    assert_int_equal(commits(&fixture), 2);
    step_at(&fixture, 2 * SOON_MS + 1 + INTERVAL_MS);
    assert_int_equal(commits(&fixture), 3);
    tear_down(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_after_an_interval),
                                       cmocka_unit_test(test_a_recommendation_waits_for_a_fifth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
