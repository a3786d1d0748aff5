/* Many groups with timers of their own on one machine without Kafka, over RocksDB.
 *
 *     timers_bench fill GROUPS MEMORY FOLDER    each group is seen once; the process then kills itself
 *     timers_bench open GROUPS MEMORY FOLDER    it is back: until an event is committed, and until all have fired
 *
 * Half of the groups are of a sliding window and half of absence. MEMORY is state.memory in bytes. FOLDER holds the
 * state alone. Prints a line a figure, between tabs: name, unit, note, value.
 */
#include <signal.h>
#include <unistd.h>

#include "reduce_bench.h"

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

static void fill(struct bench *bench, int64_t groups, const char *folder)
{
    double start = seconds();
    bench_open(bench, folder, INT64_MIN);
    for (int64_t i = 0; i < groups; i++) {
        send(bench, i);
        if (i % STEP == STEP - 1)
            (void)bench_advance(bench, time_of(i));
    }
    (void)bench_advance(bench, time_of(groups));
    bench_commit(bench);
    report("seen", "us/group", "", (seconds() - start) * 1e6 / (double)groups);
    report_memory("peak, all seen");
    (void)kill(getpid(), SIGKILL);
}

static void come_back(struct bench *bench, int64_t groups, const char *folder)
{
    double start = seconds();
    bench_open(bench, folder, time_of(groups));
    report("back", "s", "restored", seconds() - start);
    send(bench, groups);
    (void)bench_advance(bench, time_of(groups) + 1);
    bench_commit(bench);
    report("back", "s", "an event committed", seconds() - start);
    report_memory("peak, back");
    start = seconds();
    (void)bench_advance(bench, time_of(groups) + 2 * (int64_t)DAY_MS);
    bench_commit(bench);
    must(reduce_counters(bench->reduce)->detections >= (uint64_t)groups / 2, "some have not fired");
    report("fired", "us/group", "", (seconds() - start) * 1e6 / (double)groups);
    report_memory("peak, all fired");
    bench_close(bench);
}

int main(int argc, char **argv)
{
    must(argc == 5, "usage: timers_bench fill|open GROUPS MEMORY FOLDER");
    struct bench bench;
    int64_t groups = strtoll(argv[2], NULL, 10);
    bench_load(&bench, text, groups, strtoll(argv[3], NULL, 10));
    if (strcmp(argv[1], "fill") == 0)
        fill(&bench, groups, argv[4]);
    else
        come_back(&bench, groups, argv[4]);
    bench_free(&bench);
    return 0;
}
