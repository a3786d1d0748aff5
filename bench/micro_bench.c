/* What the parts of the data path cost in this process, without Kafka: nanoseconds, allocations and locks.
 *
 *     micro_bench match|fold|window|store|path SEED RULES [FOLDER]
 *
 * RULES is bench/rules.yaml, FOLDER an empty one for the store's files. Everything is made from the seed. Prints a line
 * a figure, between tabs: name, unit, note, and the runs' values with spaces between. Allocations (malloc, calloc,
 * realloc) and pthread_mutex_lock are counted of this thread alone, in our code and in every library.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/counted_calls.h"
#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"
#include "engine/combiner.h"
#include "engine/engine.h"

enum { RUNS = 7, SERVICES = 250, NAMES = 8, GROUPS = SERVICES * NAMES, RATE = 8000, PARTITIONS = 4 };

static const char *const names[NAMES] = {
    "request_latency_ms",       "cpu_usage",          "memory_usage", "error_rate",
    "http_requests_per_second", "connections_active", "disk_usage",   "redis_connection_errors"};
static const char *rules_path;
static const char *folder;
static uint64_t seed;
static struct arena kept; /* of the whole run */

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "micro_bench: %s: %s\n", what, why);
    exit(1);
}

static void must(int result, const char *what, const struct error *err)
{
    if (result != 0)
        die(what, err->message);
}

static int64_t below(int64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)(seed >> 33) % n;
}

static void report(const char *name, const char *unit, const char *note, const double *values)
{
    (void)printf("%s\t%s\t%s\t", name, unit, note);
    for (int i = 0; i < RUNS; i++)
        (void)printf("%.4g%c", values[i], i + 1 < RUNS ? ' ' : '\n');
}

/* The processor's time that this thread has had, which others on the machine do not lengthen much. */
static int64_t thread_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* What a stretch of work took. */
struct span_cost {
    int64_t from_ns;
    uint64_t allocations;
    uint64_t locks;
};

static struct span_cost cost_start(void)
{
    return (struct span_cost){thread_ns(), allocations, locks};
}

static double cost_ns(const struct span_cost *cost, double units)
{
    return (double)(thread_ns() - cost->from_ns) / units;
}

static const char *cost_note(const struct span_cost *cost, double units)
{
    return arena_printf(&kept, "%.4f allocations and %.4f locks each",
                        (double)(allocations - cost->allocations) / units, (double)(locks - cost->locks) / units);
}

static struct ruleset *load_rules(struct str text)
{
    struct diagnostics diagnostics = {.arena = &kept};
    struct ruleset *rules = ruleset_load_text("bench", text, &diagnostics);
    if (rules == NULL)
        die("rules", diagnostics.count > 0 ? diagnostics.items[0].message : "unknown");
    return rules;
}

/* An event of its fields that rules read; texts are constant or the arena's. */
static struct event make_event(int64_t i)
{
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = INT64_C(1769817600000) + i * 1000 / RATE;
    event.at = (struct position){0, 0, i};
    event.values[TELEMETRY_KIND] = value_text("metric");
    event.values[TELEMETRY_SERVICE] = value_text(arena_printf(&kept, "service-%07d", (int)below(SERVICES)));
    event.values[TELEMETRY_ENVIRONMENT] = value_text("production");
    event.values[TELEMETRY_NAME] = value_text(names[below(NAMES)]);
    event.values[TELEMETRY_VALUE] = value_double((double)below(10000) / 100);
    event.values[TELEMETRY_UNIT] = value_text("percent");
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(event.time_ms);
    return event;
}

static struct event *make_events(int64_t n)
{
    struct event *events = mem_alloc((size_t)n * sizeof *events);
    for (int64_t i = 0; i < n; i++)
        events[i] = make_event(i);
    return events;
}

static void count_selected(void *context, const struct index_entry *entry)
{
    (void)entry;
    ++*(uint64_t *)context;
}

/* The ten rules, and others of other services up to `count`: the same is selected. */
static struct str rules_of(int count)
{
    struct error err = {0};
    struct buf text = {0};
    size_t n = 0;
    const char *ten = yaml_read_file(&kept, rules_path, 1 << 20, &n, &err);
    if (ten == NULL)
        die(rules_path, err.message);
    buf_put(&text, ten, n);
    for (int i = 10; i < count; i++)
        buf_printf(&text,
                   "- id: other-%d\n"
                   "  from: {x: {stream: telemetry, match: {service: other-%d, name: %s}}}\n"
                   "  detect: {group_by: [service], window: {size: 5m, slide: 1m}, when: count(x) > 9}\n",
                   i, i / NAMES, names[i % NAMES]);
    struct str rules = arena_str(&kept, buf_str(&text));
    buf_fini(&text);
    return rules;
}

static void bench_match(void)
{
    enum { EVENTS = 4096, ROUNDS = 100 };
    static const int counts[] = {10, 100, 1000};
    struct event *events = make_events(EVENTS);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct ruleset *rules = load_rules(rules_of(counts[c]));
        struct rule_index *index = rule_index_new(rules, STREAM_TELEMETRY, NULL);
        struct arena arena = {0};
        double runs[RUNS];
        uint64_t selected = 0, errors = 0, null_errors = 0;
        struct span_cost cost = {0};
        for (int run = 0; run < RUNS; run++) {
            cost = cost_start();
            for (int i = 0; i < EVENTS * ROUNDS; i++) {
                rule_index_select(index, &events[i % EVENTS], &arena, count_selected, &selected, &errors, &null_errors);
                arena_reset(&arena);
            }
            runs[run] = cost_ns(&cost, EVENTS * ROUNDS);
        }
        report(arena_printf(&kept, "match, %d rules", counts[c]), "ns/event",
               arena_printf(&kept, "%.2f selected; %s", (double)selected / ((double)EVENTS * ROUNDS * RUNS),
                            cost_note(&cost, EVENTS * ROUNDS)),
               runs);
        rule_index_free(index);
        ruleset_free(rules);
        arena_fini(&arena);
    }
    free(events);
}

static const char query[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "rules:\n"
    "- id: query\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {group_by: [service, name], window: {size: 5m, slide: 1m}, when: count(x) < 0 && sum(x) < 0}\n";

static void bench_fold_events(const struct rule *rule)
{
    enum { EVENTS = 4096, ROUNDS = 200 };
    struct event *events = make_events(EVENTS);
    struct combiner *combiner = combiner_new();
    struct buf key = {0};
    double runs[RUNS];
    struct span_cost cost = {0};
    for (int run = 0; run < RUNS; run++) {
        cost = cost_start();
        for (int i = 0; i < EVENTS * ROUNDS; i++) {
            struct event *event = &events[i % EVENTS];
            const struct value values[] = {event->values[TELEMETRY_SERVICE], event->values[TELEMETRY_NAME]};
            event->at.offset = i;
            buf_reset(&key);
            group_key_encode(&key, rule, values);
            struct partial *partial =
                combiner_partial(combiner, rule, 0, group_hash(buf_str(&key)), buf_str(&key), INT64_C(1769817600000));
            (void)pane_add(partial->pane, rule, 0, event, &kept);
        }
        runs[run] = cost_ns(&cost, EVENTS * ROUNDS);
        if (run + 1 < RUNS)
            combiner_clear(combiner);
    }
    report("fold, an event into its partial", "ns/event",
           arena_printf(&kept, "%zu partials; %s", combiner_count(combiner), cost_note(&cost, EVENTS * ROUNDS)), runs);
    combiner_free(combiner);
    buf_fini(&key);
    free(events);
}

static void bench_fold_merge(const struct rule *rule)
{
    enum { MERGES = 1 << 20 };
    struct pane *into = pane_new(rule, 0);
    struct pane *from[GROUPS];
    double runs[RUNS];
    struct span_cost cost = {0};
    for (int i = 0; i < GROUPS; i++) {
        from[i] = pane_new(rule, 0);
        for (int64_t j = 0; j < 10; j++) {
            struct event event = make_event(i * 10 + j);
            if (pane_add(from[i], rule, 0, &event, &kept))
                pane_newest(from[i], &event);
        }
    }
    for (int run = 0; run < RUNS; run++) {
        cost = cost_start();
        for (int i = 0; i < MERGES; i++)
            pane_merge(into, from[i % GROUPS]);
        runs[run] = cost_ns(&cost, MERGES);
    }
    report("fold, merge of two partials", "ns/merge", cost_note(&cost, MERGES), runs);
    for (int i = 0; i < GROUPS; i++)
        pane_free(from[i]);
    pane_free(into);
}

static void bench_fold(void)
{
    struct ruleset *rules = load_rules(str_of(query));
    bench_fold_events(&rules->rules[0]);
    bench_fold_merge(&rules->rules[0]);
    ruleset_free(rules);
}

static int drop(void *context, const struct commit_record *record, struct error *err)
{
    (void)context;
    (void)record;
    (void)err;
    return 0;
}

/* An engine over records in memory, with its state in memory. */
struct setup {
    struct ruleset *rules;
    struct config *config;
    struct source *source;
    struct state *state;
    struct commit *commit;
    struct engine *engine;
};

static void setup_open(struct setup *setup, struct str rules)
{
    static struct source_partition partitions[PARTITIONS];
    struct error err = {0};
    struct diagnostics diagnostics = {.arena = &kept};
    for (int32_t i = 0; i < PARTITIONS; i++)
        partitions[i] = (struct source_partition){0, STR_LIT("telemetry"), i};
    setup->rules = load_rules(rules);
    setup->config = config_load_text("bench", STR_LIT("commit_interval: 500ms\n"), NULL, 0, &diagnostics);
    if (setup->config == NULL)
        die("configuration", diagnostics.items[0].message);
    struct config_source *source = arena_zalloc(&setup->config->arena, sizeof *source);
    *source = (struct config_source){.topic = partitions[0].topic_name,
                                     .stream = stream_get(STREAM_TELEMETRY),
                                     .format = FORMAT_AVRO,
                                     .schema = str_of(schema_embedded_find("telemetry")),
                                     .idle_lag_ms = INT64_MAX,
                                     .max_future_skew_ms = INT64_MAX / 4};
    setup->config->sources = source;
    setup->config->source_count = 1;
    setup->source = source_memory_new(partitions, PARTITIONS);
    setup->state = state_new(store_memory_new());
    setup->commit = commit_plain_new(drop, NULL);
    struct engine_options options = {.rules = setup->rules,
                                     .config = setup->config,
                                     .source = setup->source,
                                     .state = setup->state,
                                     .commit = setup->commit,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    must(engine_new(&setup->engine, &options, &err), "engine", &err);
    must(engine_restore(setup->engine, &err), "restore", &err);
}

static void setup_close(struct setup *setup)
{
    engine_free(setup->engine);
    setup->commit->ops->close(setup->commit);
    setup->source->ops->close(setup->source);
    state_free(setup->state);
    config_free(setup->config);
    ruleset_free(setup->rules);
}

/* Each minute every group has a pane and a window that ends. */
static void bench_window(void)
{
    enum { MINUTES = 10, WARM = 5 };
    struct error err = {0};
    struct setup setup;
    double runs[RUNS];
    struct span_cost cost = {0};
    int64_t minute_ms = INT64_C(1769817600000);
    int64_t offset = 0;
    setup_open(&setup, str_of(query));
    for (int run = -1; run < RUNS; run++) {
        int64_t took_ns = 0;
        for (int minute = 0; minute < (run < 0 ? WARM : MINUTES); minute++, minute_ms += MINUTE_MS) {
            for (int i = 0; i < GROUPS; i++) {
                struct event event = make_event(offset++);
                event.time_ms = minute_ms + i;
                event.values[TELEMETRY_SERVICE] = value_text(arena_printf(&kept, "service-%07d", i / NAMES));
                event.values[TELEMETRY_NAME] = value_text(names[i % NAMES]);
                engine_event(setup.engine, 0, &event);
            }
            cost = cost_start();
            must(engine_advance(setup.engine, minute_ms + MINUTE_MS, &err), "advance", &err);
            took_ns += thread_ns() - cost.from_ns;
        }
        if (run >= 0)
            runs[run] = (double)took_ns / ((double)MINUTES * GROUPS);
        must(engine_commit(setup.engine, &err), "commit", &err);
    }
    report("window, a pane taken and a window of five", "ns/window", cost_note(&cost, GROUPS), runs);
    setup_close(&setup);
}

static struct str key_of(struct arena *arena, int64_t number)
{
    return str_of(arena_printf(arena, "%040lld", (long long)number));
}

static void bench_store(void)
{
    enum { KEYS = 200000, BATCH = 2000, VALUE_SIZE = 120, GETS = 100000 };
    struct error err = {0};
    struct store *store;
    struct str_pair *entries = mem_alloc(BATCH * sizeof *entries);
    char *value = mem_zalloc(VALUE_SIZE);
    double writes[RUNS], gets[RUNS];
    struct span_cost written = {0}, got = {0};
    struct buf out = {0};
    must(store_rocksdb_open(&store, folder, 64 << 20, &err), "store", &err);
    for (int run = 0; run < RUNS; run++) {
        struct arena arena = {0};
        written = cost_start();
        for (int batch = 0; batch < KEYS / BATCH; batch++) {
            for (int64_t i = 0; i < BATCH; i++) /* in order, as a commit has them */
                entries[i] =
                    (struct str_pair){key_of(&arena, i * (KEYS / BATCH) + below(KEYS / BATCH)), {value, VALUE_SIZE}};
            must(store->ops->write(store, entries, BATCH, &err), "write", &err);
            arena_reset(&arena);
        }
        writes[run] = cost_ns(&written, KEYS);
        got = cost_start();
        for (int i = 0; i < GETS; i++) {
            buf_reset(&out);
            struct str key = key_of(&arena, below(KEYS));
            if (store->ops->get(store, key, &out, &err) < 0)
                die("get", err.message);
            arena_reset(&arena);
        }
        gets[run] = cost_ns(&got, GETS);
        arena_fini(&arena);
    }
    report("store, an entry of a batch of 2,000", "ns/entry", "40 + 120 bytes, 200,000 keys", writes);
    report("store, a get", "ns/get", "key printed each time", gets);
    store->ops->close(store);
    buf_fini(&out);
    free(entries);
    free(value);
}

static struct str encode(struct avro_encoder *encoder, const struct event *event, struct buf *out)
{
    const struct value labels[] = {value_text("pod"), event->values[TELEMETRY_SERVICE], value_text("zone"),
                                   value_text("eu-1a")};
    const struct value members[] = {
        value_text("kind"),        event->values[TELEMETRY_KIND],
        value_text("service"),     event->values[TELEMETRY_SERVICE],
        value_text("environment"), event->values[TELEMETRY_ENVIRONMENT],
        value_text("name"),        event->values[TELEMETRY_NAME],
        value_text("value"),       event->values[TELEMETRY_VALUE],
        value_text("unit"),        event->values[TELEMETRY_UNIT],
        value_text("occurred_at"), event->values[TELEMETRY_OCCURRED_AT],
        value_text("labels"),      value_map(labels, 2),
    };
    struct error err = {0};
    buf_reset(out);
    must(avro_encode(encoder, value_map(members, sizeof members / sizeof *members / 2), out, &err), "encode", &err);
    return buf_str(out);
}

/* Everything between the source and the store: decode, match, fold; advance; commit. */
static void bench_path_of(const char *name, struct str rules)
{
    enum { EVENTS = 1600000 }; /* 200 s of event time */
    struct error err = {0};
    struct avro_encoder *encoder;
    struct buf bytes = {0};
    double runs[RUNS];
    const char *note = "";
    must(avro_encoder_new(&encoder, str_of(schema_embedded_find("telemetry")), &err), "schema", &err);
    for (int run = 0; run < RUNS; run++) {
        struct setup setup;
        struct arena before = kept;
        kept = (struct arena){0};
        setup_open(&setup, rules);
        for (int i = 0; i < EVENTS; i++) {
            struct event event = make_event(i);
            source_memory_add(setup.source, (size_t)(i % PARTITIONS), encode(encoder, &event, &bytes), -1);
        }
        source_memory_end(setup.source);
        struct span_cost cost = cost_start();
        while (!engine_finished(setup.engine)) {
            bool worked;
            must(engine_step(setup.engine, &worked, &err), "step", &err);
        }
        runs[run] = cost_ns(&cost, EVENTS);
        setup_close(&setup);
        arena_fini(&kept);
        kept = before;
        note = cost_note(&cost, EVENTS);
    }
    report(name, "ns/event", note, runs);
    avro_encoder_free(encoder);
    buf_fini(&bytes);
}

static void bench_path(void)
{
    bench_path_of("path, ten rules", rules_of(10));
    bench_path_of("path, count and sum", str_of(query));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } benches[] = {{"match", bench_match},
                   {"fold", bench_fold},
                   {"window", bench_window},
                   {"store", bench_store},
                   {"path", bench_path}};
    if (argc < 4)
        die("usage", "micro_bench match|fold|window|store|path SEED RULES [FOLDER]");
    seed = strtoull(argv[2], NULL, 10);
    rules_path = argv[3];
    folder = argc > 4 ? argv[4] : NULL;
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++)
        if (strcmp(benches[i].name, argv[1]) == 0) {
            benches[i].run();
            return 0;
        }
    die(argv[1], "no such bench");
}
