/* What it costs that partials wait on the disk: PARTIALS of as many groups, all of one pane, are sent to an inbox and
 * taken out in order.
 *
 *     pending_bench PARTIALS BYTES [FOLDER]
 *
 * BYTES of them are kept in memory, the others in FOLDER; without FOLDER all are. Prints a line a figure, between tabs:
 * name, unit, note, value. One way a process, since the peak of its memory is one of the figures.
 */
#include <sys/resource.h>

#include "engine/inbox.h"
#include "figure.h"

static const char text[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "rules:\n"
    "- id: query\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {group_by: [service, name], window: {size: 5m, slide: 1m}, when: count(x) < 0 && sum(x) < 0}\n";

static struct ruleset *load_rules(void)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text("bench", str_of(text), &diagnostics);
    must(rules != NULL, "the rules cannot be loaded");
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return rules;
}

/* The groups come in an order of no meaning. */
static void send(struct exchange *exchange, const struct rule *rule, int64_t i, struct arena *arena)
{
    struct event event;
    struct pane *pane = pane_new(rule, 0);
    char key[32];
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = i % MINUTE_MS;
    event.at.offset = i;
    event.values[TELEMETRY_SERVICE] = value_str(str_of(arena_printf(arena, "service-%07d", (int)(i / 8))));
    event.values[TELEMETRY_NAME] = value_text("request_latency_ms");
    event.values[TELEMETRY_VALUE] = value_double((double)(i % 10007) / 7);
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(event.time_ms);
    (void)pane_add(pane, rule, 0, &event, arena);
    pane_newest(pane, &event);
    int n = snprintf(key, sizeof key, "%lld", (long long)i);
    exchange->ops->partial(
        exchange,
        &(struct exchange_partial){.group = hash_bytes(key, (size_t)n, 1), .key = {key, (size_t)n}, .pane = pane});
    arena_reset(arena);
}

int main(int argc, char **argv)
{
    must(argc == 3 || argc == 4, "usage: pending_bench PARTIALS BYTES [FOLDER]");
    int64_t count = strtoll(argv[1], NULL, 10);
    struct ruleset *rules = load_rules();
    struct inbox *inbox = inbox_new(&(struct inbox_options){.rules = rules,
                                                            .scratch_dir = argc == 4 ? argv[3] : NULL,
                                                            .memory_bytes = (size_t)strtoull(argv[2], NULL, 10)});
    struct arena arena = {0};
    struct error err = {0};
    int64_t before_ms[] = {INT64_MAX, INT64_MAX};
    struct pending_item item;
    struct rusage usage;
    int64_t taken = 0;
    bool any = true;
    double start = seconds();
    for (int64_t i = 0; i < count; i++) {
        send(inbox_exchange(inbox), &rules->rules[0], i, &arena);
        must(inbox_bound(inbox, &err) == 0, err.message);
    }
    double sent = seconds();
    while (any) {
        must(inbox_next(inbox, before_ms, &item, &any, &err) == 0, err.message);
        if (!any)
            break;
        pane_free(item.pane);
        inbox_done(inbox, &item);
        taken++;
    }
    double end = seconds();
    must(taken == count, "some are gone");
    (void)getrusage(RUSAGE_SELF, &usage);
    const char *where = argc == 4 ? "pending, on the disk" : "pending, in memory";
    report(where, "ns/partial", "made and sent", (sent - start) * 1e9 / (double)count);
    report(where, "ns/partial", "taken", (end - sent) * 1e9 / (double)count);
    report(where, "MiB", "peak of the process", (double)usage.ru_maxrss / 1024);
    report(where, "bytes/partial", "written", (double)inbox_spilled(inbox) / (double)count);
    inbox_free(inbox);
    ruleset_free(rules);
    arena_fini(&arena);
    return 0;
}
