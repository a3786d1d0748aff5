/* What the exchange's records say of sources, to a reader whose sources are others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/exchange_wire.h"

struct taken {
    struct exchange exchange;
    int32_t topic; /* of the last item */
    size_t items;
    size_t unknown;
};

static void take_update(struct exchange *exchange, const struct event *event)
{
    struct taken *taken = (struct taken *)exchange;
    taken->topic = event->at.topic;
    taken->items++;
}

static void take_feedback(struct exchange *exchange, const struct event *event, struct exchange_record record)
{
    (void)record;
    take_update(exchange, event);
}

static void take_unknown(void *context)
{
    ((struct taken *)context)->unknown++;
}

static void waits(void *context, int stage, int64_t time_ms)
{
    (void)context;
    (void)stage;
    assert_int_equal(time_ms, 1000);
}

static struct config_source source(const char *topic, enum stream_id stream)
{
    return (struct config_source){.topic = str_of(topic), .stream = stream_get(stream)};
}

static void test_sources_are_known_by_their_topics(void **state)
{
    static const struct exchange_ops ops = {.update = take_update, .feedback = take_feedback};
    const struct config_source written[] = {source("alerts", STREAM_INCIDENT), source("said", STREAM_FEEDBACK),
                                            source("shop", STREAM_INCIDENT)};
    const struct config_source one_more[] = {source("aaa", STREAM_INCIDENT), source("alerts", STREAM_INCIDENT),
                                             source("said", STREAM_FEEDBACK), source("shop", STREAM_INCIDENT)};
    const struct config_source gone[] = {source("alerts", STREAM_INCIDENT)};
    const struct config_source changed[] = {source("alerts", STREAM_INCIDENT), source("said", STREAM_INCIDENT),
                                            source("shop", STREAM_DEPLOYMENT)};
    const struct {
        const struct config_source *sources;
        size_t count;
        int32_t update, feedback; /* topics; -1: unknown */
    } readers[] = {{written, 3, 2, 1}, {one_more, 4, 3, 2}, {gone, 1, -1, -1}, {changed, 3, -1, -1}};
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text(
        "test.yaml", STR_LIT("apiVersion: forestall.io/v1\nkind: RuleSet\nrules: []\n"), &diagnostics);
    struct wire_rules numbers;
    struct error err;
    (void)state;
    assert_non_null(rules);
    wire_rules_init(&numbers, rules);
    for (int feedback = 0; feedback < 2; feedback++) {
        struct event event;
        struct buf record = {0};
        event_clear(&event, stream_get(feedback ? STREAM_FEEDBACK : STREAM_INCIDENT));
        event.time_ms = 1000;
        event.at = (struct position){feedback ? 1 : 2, 0, 7};
        if (feedback) {
            event.values[FEEDBACK_RECOMMENDATION_ID] = value_text("r:0");
            event.values[FEEDBACK_ACTION] = value_text("accept");
        }
        buf_byte(&record, WIRE_VERSION);
        if (feedback)
            wire_put_feedback(&record, written, &event, (struct exchange_record){0});
        else
            wire_put_update(&record, written, &event);
        for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
            struct taken taken = {.exchange = {&ops}};
            const struct wire_sink sink = {.exchange = &taken.exchange,
                                           .waits = waits,
                                           .unknown = take_unknown,
                                           .sources = readers[i].sources,
                                           .source_count = readers[i].count,
                                           .context = &taken};
            int32_t topic = feedback ? readers[i].feedback : readers[i].update;
            assert_int_equal(wire_read(buf_str(&record), &numbers, &sink, &arena, &err), 0);
            assert_int_equal(taken.items, topic >= 0);
            assert_int_equal(taken.unknown, topic < 0);
            if (topic >= 0)
                assert_int_equal(taken.topic, topic);
        }
        buf_fini(&record);
    }
    wire_rules_fini(&numbers);
    ruleset_free(rules);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources_are_known_by_their_topics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
