/* `forestall test`: the `tests:` beside the rules, on the real engine, with a clock that only the tests move. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "cli/commands.h"
#include "cli/diagnostics.h"
#include "cli/expect.h"
#include "cli/options.h"
#include "engine/engine.h"
#include "rule/testcase.h"

static const char usage[] = "usage: forestall test [PATH…] [--filter TEXT]\n"
                            "\n"
                            "Runs the tests of rule files and folders (default: the `rules` of ./forestall.yaml's "
                            "folder, ./rules) on the engine,\n"
                            "each by itself, with only its rule. Tests that need feedback are skipped and named: this "
                            "version does not apply it.\n"
                            "\n"
                            "  --filter TEXT    only tests whose rule or name contains TEXT\n";

/* The newest version of one recommendation, and its detections that no expectation has claimed yet. */
struct newest {
    struct value record;
    int64_t *detections;
    size_t detection_count;
    size_t detection_cap;
};

struct bench {
    struct arena arena;
    struct config *config;
    struct source *source;
    struct state *state;
    struct commit *commit;
    struct engine *engine;
    struct ruleset one; /* only the rule under test */
    struct map newest;  /* by id */
};

struct tally {
    size_t passed;
    size_t failed;
    size_t skipped;
    size_t rules;
    size_t rules_untested;
};

static int nothing(void *context, const struct commit_record *record, struct error *err)
{
    (void)context;
    (void)record;
    (void)err;
    return 0;
}

static void observe(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct bench *bench = context;
    void **slot = map_slot(&bench->newest, id);
    if (*slot == NULL)
        *slot = arena_zalloc(&bench->arena, sizeof(struct newest));
    struct newest *newest = *slot;
    newest->record = value_copy(&bench->arena, record);
    if (!detection)
        return;
    newest->detections =
        mem_grow(newest->detections, newest->detection_count, &newest->detection_cap, sizeof *newest->detections);
    newest->detections[newest->detection_count++] = time_ms;
}

static int open_bench(struct bench *bench, const struct rule *rule, struct error *err)
{
    static const struct source_partition partitions[] = {
        {0, {"incident", 8}, 0}, {1, {"deployment", 10}, 0}, {2, {"telemetry", 9}, 0}};
    struct diagnostics diagnostics = {.arena = &bench->arena};
    bench->config = config_load_text("tests", STR_LIT("state: {tasks: 1}\n"), NULL, 0, &diagnostics);
    diagnostics_fini(&diagnostics);
    ASSERT(bench->config != NULL);
    struct config_source *sources = arena_zalloc(&bench->config->arena, 3 * sizeof *sources);
    for (int i = 0; i < 3; i++)
        sources[i] = (struct config_source){.topic = partitions[i].topic_name,
                                            .stream = stream_find(partitions[i].topic_name),
                                            .idle_lag_ms = INT64_MAX,
                                            .max_future_skew_ms = INT64_MAX / 4};
    bench->config->sources = sources;
    bench->config->source_count = 3;
    bench->one.rules = (struct rule *)(uintptr_t)rule;
    bench->one.count = 1;
    bench->source = source_memory_new(partitions, 3);
    bench->state = state_new(store_memory_new());
    bench->commit = commit_plain_new(nothing, NULL);
    struct engine_options options = {.rules = &bench->one,
                                     .config = bench->config,
                                     .source = bench->source,
                                     .state = bench->state,
                                     .commit = bench->commit,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN,
                                     .observe = observe,
                                     .observe_context = bench};
    TRY(engine_new(&bench->engine, &options, err));
    return engine_restore(bench->engine, err);
}

static void close_bench(struct bench *bench)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&bench->newest, &i, &entry);)
        free(((struct newest *)entry->value)->detections);
    map_fini(&bench->newest);
    engine_free(bench->engine);
    bench->commit->ops->close(bench->commit);
    bench->source->ops->close(bench->source);
    state_free(bench->state);
    config_free(bench->config);
    arena_fini(&bench->arena);
}

static size_t partition_of(const struct stream *stream)
{
    return stream->id == STREAM_INCIDENT ? 0 : stream->id == STREAM_DEPLOYMENT ? 1 : 2;
}

/* Detections at `at_ms` are expected: they are claimed. */
static void claim(struct newest *newest, int64_t at_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < newest->detection_count; i++)
        if (newest->detections[i] != at_ms)
            newest->detections[kept++] = newest->detections[i];
    newest->detection_count = kept;
}

static bool check_that(const struct testcase_expect *expect, struct value record, struct arena *arena, struct buf *why)
{
    struct value slots[64];
    size_t n = 0;
    uint64_t errors = 0;
    if (expect->that == NULL)
        return true;
    for (; recommendation_fields[n] != NULL && n < sizeof slots / sizeof *slots; n++) {
        const struct value *v = value_map_get(record, str_of(recommendation_fields[n]));
        slots[n] = v == NULL ? value_null() : *v;
    }
    struct cel_frame frame = {.slots = slots, .slot_count = n, .arena = arena};
    if (cel_eval_bool(expect->that, &frame, &errors, &errors))
        return true;
    buf_puts(why, "      that: is false\n");
    return false;
}

static void put_at(struct buf *out, int64_t at_ms)
{
    buf_puts(out, "at ");
    duration_print(out, at_ms - TESTCASE_ZERO_MS);
}

/* Holds one expectation against the newest versions. */
static bool check_expect(struct bench *bench, const struct testcase *testcase, const struct testcase_expect *expect,
                         struct buf *why)
{
    struct newest *found = NULL;
    size_t matches = 0;
    struct map_entry *entry;
    for (size_t i = 0; map_next(&bench->newest, &i, &entry);)
        if (expect_group(expect->group, ((struct newest *)entry->value)->record)) {
            found = entry->value;
            matches++;
        }
    size_t start = why->len;
    bool good = matches == 1;
    if (good) {
        claim(found, expect->at_ms);
        if (expect->recommendation.type == VALUE_MAP)
            good = expect_fields(expect->recommendation, found->record, why);
        good = check_that(expect, found->record, &bench->arena, why) && good;
    } else if (matches == 0) {
        buf_puts(why, "      there is no recommendation\n");
    } else {
        buf_printf(why, "      there are %zu recommendations: name one by `group:`\n", matches);
    }
    if (good)
        return true;
    struct buf head = {0};
    buf_printf(&head, "    %s:%d:%d: ", testcase->file, expect->line, expect->column);
    put_at(&head, expect->at_ms);
    buf_byte(&head, '\n');
    buf_str_put(&head, (struct str){why->p + start, why->len - start});
    why->len = start;
    buf_str_put(why, buf_str(&head));
    buf_fini(&head);
    return false;
}

static bool check_unclaimed(const struct bench *bench, const struct testcase *testcase, struct buf *why)
{
    bool good = true;
    struct map_entry *entry;
    for (size_t i = 0; map_next(&bench->newest, &i, &entry);) {
        const struct newest *newest = entry->value;
        for (size_t k = 0; k < newest->detection_count; k++) {
            buf_printf(why, "    %s:%d: a detection of %.*s that no `expect` item names, ", testcase->file,
                       testcase->line, STR_ARG(entry->key));
            put_at(why, newest->detections[k]);
            buf_byte(why, '\n');
            good = false;
        }
    }
    return good;
}

/* Feeds events and moves time, stopping at each expectation. */
static int play(struct bench *bench, const struct testcase *testcase, bool *good, struct buf *why, struct error *err)
{
    size_t next = 0;
    for (size_t i = 0; i <= testcase->expect_count; i++) {
        bool last = i == testcase->expect_count;
        int64_t until_ms = last ? testcase->advance_to_ms : testcase->expects[i].at_ms;
        for (; next < testcase->event_count && (last || testcase->events[next].at_ms <= until_ms); next++) {
            struct event event = testcase->events[next].event;
            engine_event(bench->engine, partition_of(event.stream), &event);
        }
        TRY(engine_advance(bench->engine, until_ms, err));
        TRY(engine_commit(bench->engine, err));
        if (!last && !check_expect(bench, testcase, &testcase->expects[i], why))
            *good = false;
    }
    return 0;
}

static bool run_case(const struct testcase *testcase, struct buf *why)
{
    struct bench bench = {0};
    struct error err = {0};
    bool good = true;
    int result = open_bench(&bench, testcase->rule, &err);
    if (result == 0)
        result = play(&bench, testcase, &good, why, &err);
    if (result == 0 && !check_unclaimed(&bench, testcase, why))
        good = false;
    if (result != 0)
        buf_printf(why, "    %s\n", err.message);
    close_bench(&bench);
    return result == 0 && good;
}

static void run_cases(const struct testcase *cases, size_t count, const char *filter, struct tally *tally)
{
    for (size_t i = 0; i < count; i++) {
        const struct testcase *testcase = &cases[i];
        struct buf why = {0};
        struct buf name = {0};
        buf_printf(&name, "%.*s: %.*s", STR_ARG(testcase->rule->id), STR_ARG(testcase->name));
        if (filter != NULL && strstr(name.p, filter) == NULL) {
            buf_fini(&name);
            continue;
        }
        if (testcase->needs_feedback) {
            tally->skipped++;
            (void)printf("skip %.*s (feedback is not applied by this version)\n", (int)name.len, name.p);
        } else if (run_case(testcase, &why)) {
            tally->passed++;
            (void)printf("ok   %.*s\n", (int)name.len, name.p);
        } else {
            tally->failed++;
            (void)printf("FAIL %.*s\n%.*s", (int)name.len, name.p, (int)why.len, why.p);
        }
        buf_fini(&why);
        buf_fini(&name);
    }
}

/* All tests of the set. False: a test cannot be read. */
static bool run_rules(const struct ruleset *rules, const char *filter, struct tally *tally,
                      struct diagnostics *diagnostics)
{
    bool good = true;
    for (size_t i = 0; i < rules->count; i++) {
        struct arena arena = {0};
        struct testcase *cases = NULL;
        size_t count = 0;
        tally->rules++;
        if (testcases_expand(&arena, &rules->rules[i], &cases, &count, diagnostics) != 0)
            good = false;
        else
            run_cases(cases, count, filter, tally);
        tally->rules_untested += count == 0;
        arena_fini(&arena);
    }
    return good;
}

static int report(const struct tally *tally, bool readable, const char *filter)
{
    (void)printf("%zu passed, %zu failed, %zu skipped", tally->passed, tally->failed, tally->skipped);
    (void)printf(" (%zu of %zu rules have tests)\n", tally->rules - tally->rules_untested, tally->rules);
    if (filter != NULL && tally->passed + tally->failed + tally->skipped == 0) {
        (void)fprintf(stderr, "error: no test contains '%s'\n", filter);
        return 1;
    }
    return readable && tally->failed == 0 ? 0 : 1;
}

int cli_test(int argc, char **argv)
{
    const char *filter = NULL;
    const struct cli_option options[] = {{.name = "filter", .value = &filter}, {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = (size_t)argc};
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    static const char *const fallback[] = {"rules"};
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct tally tally = {0};
    const char **paths = arena_alloc(&arena, (arguments.rest_count + 1) * sizeof *paths);
    for (size_t i = 0; i < arguments.rest_count; i++)
        paths[i] = arguments.rest[i];
    bool named = arguments.rest_count > 0;
    struct ruleset *rules = ruleset_load(named ? paths : fallback, named ? arguments.rest_count : 1, &diagnostics);
    bool readable = rules != NULL && run_rules(rules, filter, &tally, &diagnostics);
    diagnostics_sort(&diagnostics);
    diagnostics_print(stderr, &diagnostics);
    int status = rules == NULL ? 1 : report(&tally, readable, filter);
    ruleset_free(rules);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return status;
}
