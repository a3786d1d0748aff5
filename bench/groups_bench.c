/* Many groups on one machine without Kafka: what their panes, windows' ends and a restart cost, over RocksDB.
 *
 *     groups_bench GROUPS PANES MEMORY FOLDER
 *
 * Each of GROUPS groups has a partial in each of PANES panes; then a window ends. MEMORY is state.memory in bytes.
 * FOLDER is empty, and stays so but for the state. Prints a line a figure, between tabs: name, unit, note, value.
 */
#include "reduce_bench.h"

static const char text[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "metadata: {name: bench}\n"
    "rules:\n"
    "- id: groups\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {group_by: [service, name], window: {size: 1h, slide: 10m}, when: count(x) > 1000000 && sum(x) > 0}\n";

enum { PANE_MINUTES = 10, NAMES = 8 };

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

int main(int argc, char **argv)
{
    must(argc == 5, "usage: groups_bench GROUPS PANES MEMORY FOLDER");
    struct bench bench;
    struct arena arena = {0};
    struct error err = {0};
    int64_t groups = strtoll(argv[1], NULL, 10);
    int64_t panes = strtoll(argv[2], NULL, 10);
    int64_t start_ms = INT64_C(1767225600000);
    bench_load(&bench, text, groups, strtoll(argv[3], NULL, 10));
    bench_open(&bench, argv[4], INT64_MIN);
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
        double took = bench_advance(&bench, from_ms + PANE_MINUTES * MINUTE_MS + 1);
        double before = seconds();
        bench_commit(&bench);
        took += seconds() - before;
        must(reduce_counters(bench.reduce)->evaluations - evaluations == (uint64_t)groups, "some were not evaluated");
        report("pane and window", "us/group", "in all", took * 1e6 / (double)groups);
        report("pane and window", "us/group", "of it commits", bench.committing * 1e6 / (double)groups);
        report_memory("peak so far");
    }
    int64_t now_ms = start_ms + panes * PANE_MINUTES * MINUTE_MS + 1;
    double took = bench_advance(&bench, now_ms + PANE_MINUTES * MINUTE_MS);
    report("window", "us/group", "nothing new in it", took * 1e6 / (double)groups);
    now_ms += PANE_MINUTES * MINUTE_MS;
    bench_close(&bench);
    double start = seconds();
    bench_open(&bench, argv[4], now_ms);
    report("open", "s", "", seconds() - start);
    report_memory("peak");
    bench_close(&bench);
    bench_free(&bench);
    arena_fini(&arena);
    return 0;
}
