/* Records of the exchange: whatever bytes they hold, an error or items that an inbox takes. */
#include <stdlib.h>

#include "engine/exchange_wire.h"
#include "engine/inbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_source(void *context, const struct exchange_source *source)
{
    (void)context;
    (void)source;
}

static void take_stages(void *context, const struct exchange_stages *stages)
{
    (void)context;
    (void)stages;
}

static void item_waits(void *context, int stage, int64_t time_ms)
{
    const struct ruleset *rules = context;
    (void)time_ms;
    if (stage < 0 || (size_t)stage >= inbox_stages(rules))
        abort();
}

static void unknown(void *context)
{
    (void)context;
}

static struct ruleset *load_rules(void)
{
    static const char text[] = "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: fuzz}\nrules:\n"
                               "- id: folds\n"
                               "  from: {x: {stream: telemetry}}\n"
                               "  detect: {group_by: [service], window: {size: 5m, slide: 1m}, when: \"sum(x) > 1 && "
                               "p99(x) > 1 && distinct(x, "
                               "event.name) > 1\"}\n"
                               "- id: rows\n"
                               "  from: {x: {stream: incident}}\n"
                               "  detect: {group_by: [service], window: {size: 1d}, when: count(x) > 1}\n"
                               "- id: reads\n"
                               "  from: {x: {stream: detection, match: {rule_id: folds}}}\n"
                               "  detect: {group_by: [service], window: {size: 1d}, when: count(x) > 1}\n";
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text("fuzz.yaml", str_of(text), &diagnostics);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return rules;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ruleset *rules;
    static struct wire_rules numbers;
    static struct inbox *inbox;
    struct arena arena = {0};
    struct error err;
    if (rules == NULL) {
        rules = load_rules();
        ASSERT(rules != NULL);
        wire_rules_init(&numbers, rules);
        inbox = inbox_new(&(struct inbox_options){.rules = rules});
    }
    const struct config_source sources[] = {{.topic = STR_LIT("i"), .stream = stream_get(STREAM_INCIDENT)},
                                            {.topic = STR_LIT("f"), .stream = stream_get(STREAM_FEEDBACK)}};
    const struct wire_sink sink = {.exchange = inbox_exchange(inbox),
                                   .source = take_source,
                                   .stages = take_stages,
                                   .waits = item_waits,
                                   .unknown = unknown,
                                   .sources = sources,
                                   .source_count = sizeof sources / sizeof *sources,
                                   .context = rules};
    (void)!wire_read((struct str){(const char *)data, size}, &numbers, &sink, &arena, &err);
    inbox_clear(inbox);
    arena_fini(&arena);
    return 0;
}
