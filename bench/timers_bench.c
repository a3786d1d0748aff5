/* Many groups with timers of their own on one machine without Kafka, over RocksDB.
 *
 *     timers_bench fill GROUPS MEMORY FOLDER    each group is seen once; the process then kills itself
 *     timers_bench open GROUPS MEMORY FOLDER    it is back: until the first event is committed, and until all have
 * fired
 *
 * Half of the groups are of a sliding window and half of absence. MEMORY is state.memory in bytes. FOLDER holds the
 * state alone. Prints a line a figure, between tabs: name, unit, note, value.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engine/reduce.h"

static const char text[] = "apiVersion: forestall.io/v1\n"
                           "kind: RuleSet\n"
                           "metadata: {name: bench}\n"
                           "rules:\n"
                           "- id: silence\n"
                           "  from: {x: {stream: telemetry}}\n"
                           "  detect: {type: absence, group_by: [service], of: x, every: 1d}\n"
                           "- id: sliding\n"
                           "  from: {x: {stream: telemetry}}\n"
                           "  detect: {group_by: [service], window: {size: 1d}, when: count(x) > 1000}\n";

enum { A_SECOND = 10000, STEP = 1000 };
static const int64_t start_ms = INT64_C(1767225600000);

struct bench {
    struct ruleset *rules;
    struct config *config;
    struct store *store;
    struct state *state;
    struct reduce *reduce;
    int64_t groups;
};

static void must(bool good, const char *why)
{
    if (good)
        return;
    (void)fprintf(stderr, "timers_bench: %s\n", why);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const char *name, const char *unit, const char *note, double value)
{
    (void)printf("%s\t%s\t%s\t%.4g\n", name, unit, note, value);
    (void)fflush(stdout);
}

static void report_memory(const char *when)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    report("memory", "MiB", when, (double)usage.ru_maxrss / 1024);
}

static void load(struct bench *bench, int64_t memory)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    const char *config = arena_printf(&arena, "limits: {groups: %lld}\n", (long long)bench->groups);
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
    reduce_before_commit(bench->reduce);
    size_t n = state_dirty(bench->state, &dirty);
    must(bench->store->ops->write(bench->store, dirty, n, &err) == 0, err.message);
    state_settle(bench->state);
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
                                                        .memory_bytes = memory});
    const int64_t applied[] = {applied_ms, applied_ms};
    must(reduce_restore(bench->reduce, applied, &err) == 0, err.message);
}

static int64_t time_of(int64_t i)
{
    return start_ms + i * 1000 / A_SECOND;
}

static void send(struct bench *bench, int64_t i)
{
    struct exchange *exchange = reduce_exchange(bench->reduce);
    const struct exchange_match match = {(int32_t)(i % 2), 0};
    struct event event;
    char name[32];
    /* The groups come in an order of no meaning. */
    int n = snprintf(name, sizeof name, "service-%08llx", (unsigned long long)(i * 2654435761 & 0xFFFFFFFF));
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = time_of(i);
    event.at.offset = i;
    event.values[TELEMETRY_SERVICE] = value_str((struct str){name, (size_t)n});
    event.values[TELEMETRY_VALUE] = value_double((double)i);
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(event.time_ms);
    exchange->ops->event(exchange, &event, &match, 1);
}

static void advance(struct bench *bench, int64_t before_ms)
{
    const int64_t before[] = {before_ms, before_ms};
    struct error err = {0};
    for (bool more = true; more;) {
        must(reduce_advance(bench->reduce, before, &more, &err) == 0, err.message);
        if (state_dirty_bytes(bench->state) + reduce_unwritten(bench->reduce) > REDUCE_DIRTY_BYTES_MAX)
            commit(bench);
    }
}

static void fill(struct bench *bench, const char *folder)
{
    double start = seconds();
    open_state(bench, folder, INT64_MIN);
    for (int64_t i = 0; i < bench->groups; i++) {
        send(bench, i);
        if (i % STEP == STEP - 1)
            advance(bench, time_of(i));
    }
    advance(bench, time_of(bench->groups));
    commit(bench);
    report("seen", "us/group", "", (seconds() - start) * 1e6 / (double)bench->groups);
    report_memory("peak, all seen");
    (void)kill(getpid(), SIGKILL);
}

static void come_back(struct bench *bench, const char *folder)
{
    double start = seconds();
    open_state(bench, folder, time_of(bench->groups));
    report("back", "s", "restored", seconds() - start);
    send(bench, bench->groups);
    advance(bench, time_of(bench->groups) + 1);
    commit(bench);
    report("back", "s", "an event committed", seconds() - start);
    report_memory("peak, back");
    start = seconds();
    advance(bench, time_of(bench->groups) + 2 * (int64_t)DAY_MS);
    commit(bench);
    must(reduce_counters(bench->reduce)->detections >= (uint64_t)bench->groups / 2, "some have not fired");
    report("fired", "us/group", "", (seconds() - start) * 1e6 / (double)bench->groups);
    report_memory("peak, all fired");
    reduce_free(bench->reduce);
    state_free(bench->state);
}

int main(int argc, char **argv)
{
    must(argc == 5, "usage: timers_bench fill|open GROUPS MEMORY FOLDER");
    struct bench bench = {.groups = strtoll(argv[2], NULL, 10)};
    load(&bench, strtoll(argv[3], NULL, 10));
    if (strcmp(argv[1], "fill") == 0)
        fill(&bench, argv[4]);
    else
        come_back(&bench, argv[4]);
    ruleset_free(bench.rules);
    config_free(bench.config);
    return 0;
}
