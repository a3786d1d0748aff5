/* Many groups on one machine without Kafka: what their panes, windows' ends and a restart cost, over RocksDB.
 *
 *     groups_bench GROUPS PANES MEMORY FOLDER
 *
 * Each of GROUPS groups has a partial in each of PANES panes; then a window ends. MEMORY is state.memory in bytes.
 * FOLDER is empty, and stays so but for the state. Prints a line a figure, between tabs: name, unit, note, value.
 */
#include <sys/resource.h>

#include "engine/reduce.h"
#include "figure.h"

static const char text[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "metadata: {name: bench}\n"
    "rules:\n"
    "- id: groups\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {group_by: [service, name], window: {size: 1h, slide: 10m}, when: count(x) > 1000000 && sum(x) > 0}\n";

enum { PANE_MINUTES = 10, NAMES = 8 };

struct bench {
    struct ruleset *rules;
    struct config *config;
    struct store *store;
    struct state *state;
    struct reduce *reduce;
    uint64_t commits;
    double committing;
};

static void report_memory(const char *when)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    report("memory", "MiB", when, (double)usage.ru_maxrss / 1024);
}

static void load(struct bench *bench, int64_t groups, int64_t memory)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    const char *config = arena_printf(&arena, "limits: {groups: %lld}\n", (long long)groups);
    bench->rules = ruleset_load_text("bench", str_of(text), &diagnostics);
    bench->config = config_load_text("bench", str_of(config), NULL, 0, &diagnostics);
    must(bench->rules != NULL && bench->config != NULL, "the rules cannot be loaded");
    bench->config->state_memory_bytes = memory;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static void commit(struct bench *bench)
{
    const struct str_pair *dirty;
    struct error err;
    double start = seconds();
    reduce_before_commit(bench->reduce);
    size_t n = state_dirty(bench->state, &dirty);
    must(bench->store->ops->write(bench->store, dirty, n, &err) == 0, err.message);
    state_settle(bench->state);
    bench->commits++;
    bench->committing += seconds() - start;
}

static void open_state(struct bench *bench, const char *folder, int64_t applied_ms)
{
    struct error err = {0};
    int64_t memory = bench->config->state_memory_bytes;
    must(store_rocksdb_open(&bench->store, folder, memory / 4, &err) == 0, err.message);
    bench->state = state_new(bench->store);
    bench->reduce = reduce_new(&(struct reduce_options){.rules = bench->rules,
                                                        .config = bench->config,
                                                        .state = bench->state,
                                                        .tasks = task_range_all(bench->config->tasks),
                                                        .memory_bytes = memory,
                                                        .scratch_dir = folder});
    const int64_t applied[] = {applied_ms, applied_ms};
    must(reduce_restore(bench->reduce, applied, &err) == 0, err.message);
}

static void close_state(struct bench *bench)
{
    reduce_free(bench->reduce);
    state_free(bench->state);
}

/* The groups come in an order of no meaning. */
static void send(struct bench *bench, int64_t i, int64_t start_ms, struct arena *arena)
{
    const struct rule *rule = &bench->rules->rules[0];
    struct exchange *exchange = reduce_exchange(bench->reduce);
    struct event event;
    struct pane *pane = pane_new(rule, start_ms);
    struct buf key = {0};
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = start_ms + i % MINUTE_MS;
    event.at.offset = i;
    event.values[TELEMETRY_SERVICE] = value_str(str_of(arena_printf(arena, "service-%07d", (int)(i / NAMES))));
    event.values[TELEMETRY_NAME] = value_str(str_of(arena_printf(arena, "request_latency_%d", (int)(i % NAMES))));
    event.values[TELEMETRY_VALUE] = value_double((double)(i % 10007) / 7);
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(event.time_ms);
    (void)pane_add(pane, rule, 0, &event, arena);
    pane_newest(pane, &event);
    const struct value values[] = {event.values[TELEMETRY_SERVICE], event.values[TELEMETRY_NAME]};
    uint64_t hash = group_identify(&key, rule, values);
    exchange->ops->partial(exchange, &(struct exchange_partial){.group = hash, .key = buf_str(&key), .pane = pane});
    buf_fini(&key);
    arena_reset(arena);
}

static double advance(struct bench *bench, int64_t before_ms)
{
    const int64_t before[] = {before_ms, before_ms};
    struct error err = {0};
    double start = seconds();
    for (bool more = true; more;) {
        must(reduce_advance(bench->reduce, before, &more, &err) == 0, err.message);
        if (!more || state_dirty_bytes(bench->state) > REDUCE_DIRTY_BYTES_MAX)
            commit(bench);
    }
    return seconds() - start;
}

int main(int argc, char **argv)
{
    must(argc == 5, "usage: groups_bench GROUPS PANES MEMORY FOLDER");
    struct bench bench = {0};
    struct arena arena = {0};
    struct error err = {0};
    int64_t groups = strtoll(argv[1], NULL, 10);
    int64_t panes = strtoll(argv[2], NULL, 10);
    int64_t start_ms = INT64_C(1767225600000);
    load(&bench, groups, strtoll(argv[3], NULL, 10));
    open_state(&bench, argv[4], INT64_MIN);
    for (int64_t pane = 0; pane < panes; pane++) {
        int64_t from_ms = start_ms + pane * PANE_MINUTES * MINUTE_MS;
        double start = seconds();
        for (int64_t i = 0; i < groups; i++) {
            send(&bench, i, from_ms, &arena);
            must(reduce_bound(bench.reduce, &err) == 0, err.message);
        }
        report("sent", "us/group", "", (seconds() - start) * 1e6 / (double)groups);
        bench.committing = 0;
        uint64_t evaluations = reduce_counters(bench.reduce)->evaluations;
        double took = advance(&bench, from_ms + PANE_MINUTES * MINUTE_MS + 1);
        must(reduce_counters(bench.reduce)->evaluations - evaluations == (uint64_t)groups, "some were not evaluated");
        report("pane and window", "us/group", "in all", took * 1e6 / (double)groups);
        report("pane and window", "us/group", "of it commits", bench.committing * 1e6 / (double)groups);
        report_memory("peak so far");
    }
    int64_t now_ms = start_ms + panes * PANE_MINUTES * MINUTE_MS + 1;
    double took = advance(&bench, now_ms + PANE_MINUTES * MINUTE_MS);
    report("window", "us/group", "nothing new in it", took * 1e6 / (double)groups);
    now_ms += PANE_MINUTES * MINUTE_MS;
    close_state(&bench);
    double start = seconds();
    open_state(&bench, argv[4], now_ms);
    report("open", "s", "", seconds() - start);
    report_memory("peak");
    close_state(&bench);
    ruleset_free(bench.rules);
    config_free(bench.config);
    arena_fini(&arena);
    return 0;
}
