/* Rules that are away while their groups' timers come due, and come back before their state is expired: the clock alone
 * says nothing of what began before they left, whether its deadline lay in the gap or comes after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "engine/reduce.h"

#define HEAD "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: test}\ntopology: {a: [b]}\nrules:\n"
#define STAYS                                                                                                          \
    "- id: z-stays\n"                                                                                                  \
    "  from: {x: {stream: incident}}\n"                                                                                \
    "  detect: {window: {size: 10m}, when: count(x) >= 1}\n"
#define RECOMMEND "  recommend: {category: architecture, title: t, cooldown: 0s, spec: {problem: p, solution: s}}\n"
#define ABSENCE                                                                                                        \
    "- id: silence\n"                                                                                                  \
    "  from: {x: {stream: telemetry}}\n"                                                                               \
    "  detect: {type: absence, group_by: [service], of: x, every: 26h}\n" RECOMMEND
#define CASCADE                                                                                                        \
    "- id: joined\n"                                                                                                   \
    "  from: {x: {stream: telemetry}}\n"                                                                               \
    "  detect: {type: cascade, group_by: [name], of: x, within: 26h, when: size(affected) >= 1}\n" RECOMMEND
#define SEQUENCE                                                                                                       \
    "- id: unanswered\n"                                                                                               \
    "  from: {x: {stream: telemetry}, y: {stream: telemetry, where: event.value > 9.0}}\n"                             \
    "  detect: {type: sequence, group_by: [service], steps: [x, {not: y}], within: 26h}\n" RECOMMEND
#define READS(id)                                                                                                      \
    "- id: y-reads\n"                                                                                                  \
    "  from: {d: {stream: detection, match: {rule_id: " id "}}}\n"                                                     \
    "  detect: {window: {size: 10m}, when: count(d) >= 1}\n" RECOMMEND

static const char *const away = HEAD STAYS;
static const char *const present[] = {
    HEAD ABSENCE STAYS,
    HEAD CASCADE STAYS,
    HEAD SEQUENCE STAYS,
    HEAD ABSENCE READS("silence") STAYS,
    HEAD CASCADE READS("joined") STAYS,
    HEAD SEQUENCE READS("unanswered") STAYS,
};
enum { SETS = sizeof present / sizeof *present, HOUR = HOUR_MS };
static const int64_t from_ms = INT64_C(1704067200000);

struct fixture {
    struct arena arena;
    struct ruleset *rules;
    struct config *config;
    struct state *state;
    struct reduce *reduce;
    int64_t now_ms;
    int64_t offset;
    size_t said;
    int64_t said_ms; /* the last time of what was published */
};

static void must(int result, const struct error *err)
{
    if (result != 0)
        fail_msg("%s", err->message);
}

static void publish(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct fixture *fixture = context;
    (void)id;
    (void)record;
    (void)detection;
    fixture->said++;
    fixture->said_ms = time_ms;
}

static void expire(void *context, struct str id, int64_t time_ms)
{
    (void)context;
    (void)id;
    (void)time_ms;
}

/* Goes on with another set, as after a restart. */
static void set_rules(struct fixture *fixture, const char *text)
{
    struct error err = {0};
    int64_t applied_ms[REDUCE_STAGES_MAX];
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    if (fixture->reduce != NULL)
        reduce_before_commit(fixture->reduce);
    reduce_free(fixture->reduce);
    ruleset_free(fixture->rules);
    fixture->rules = ruleset_load_text("test.yaml", str_of(text), &diagnostics);
    assert_non_null(fixture->rules);
    diagnostics_fini(&diagnostics);
    for (size_t i = 0; i < REDUCE_STAGES_MAX; i++)
        applied_ms[i] = fixture->now_ms;
    fixture->reduce = reduce_new(&(struct reduce_options){.rules = fixture->rules,
                                                          .config = fixture->config,
                                                          .state = fixture->state,
                                                          .tasks = task_range_all(fixture->config->tasks),
                                                          .memory_bytes = 1 << 20,
                                                          .publish = publish,
                                                          .expire = expire,
                                                          .context = fixture});
    must(reduce_restore(fixture->reduce, applied_ms, &err), &err);
}

static void open_fixture(struct fixture *fixture, const char *text)
{
    *fixture = (struct fixture){.now_ms = INT64_MIN, .state = state_new(store_memory_new())};
    struct diagnostics diagnostics = {.arena = &fixture->arena};
    fixture->config = config_load_text("test", STR_LIT("state: {tasks: 1}\n"), NULL, 0, &diagnostics);
    assert_non_null(fixture->config);
    diagnostics_fini(&diagnostics);
    set_rules(fixture, text);
}

static void close_fixture(struct fixture *fixture)
{
    reduce_free(fixture->reduce);
    state_free(fixture->state);
    config_free(fixture->config);
    ruleset_free(fixture->rules);
    arena_fini(&fixture->arena);
}

static void advance(struct fixture *fixture, int64_t to_ms)
{
    struct error err = {0};
    int64_t before_ms[REDUCE_STAGES_MAX];
    for (size_t i = 0; i < REDUCE_STAGES_MAX; i++)
        before_ms[i] = to_ms;
    fixture->now_ms = to_ms;
    for (bool more = true; more;)
        must(reduce_advance(fixture->reduce, before_ms, &more, &err), &err);
}

/* An event that the first rule (they are in order of id), and it alone, is told of, by its input x. */
static void see(struct fixture *fixture, int64_t time_ms)
{
    struct exchange *exchange = reduce_exchange(fixture->reduce);
    const struct rule *rule = &fixture->rules->rules[0];
    struct exchange_match match = {0, 0};
    struct event event;
    while (!str_is(rule->inputs[match.input].name, "x"))
        match.input++;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = time_ms;
    event.at.offset = fixture->offset++;
    event.values[TELEMETRY_SERVICE] = value_str(STR_LIT("s"));
    event.values[TELEMETRY_NAME] = value_str(STR_LIT("n"));
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(time_ms);
    exchange->ops->event(exchange, &event, &match, 1);
}

/* Away from `leaves` to `returns` hours after the one event: nothing is said, then or ever. */
static void check_silent(const char *text, int64_t leaves, int64_t returns)
{
    struct fixture fixture;
    open_fixture(&fixture, text);
    see(&fixture, from_ms);
    advance(&fixture, from_ms + leaves * HOUR);
    set_rules(&fixture, away);
    advance(&fixture, from_ms + returns * HOUR);
    set_rules(&fixture, text);
    advance(&fixture, from_ms + 60 * HOUR);
    assert_int_equal(fixture.said, 0);
    /* What begins now is seen to its end. */
    see(&fixture, from_ms + 60 * HOUR);
    advance(&fixture, from_ms + 90 * HOUR);
    if (fixture.said == 0 || fixture.said_ms != from_ms + 86 * HOUR)
        fail_msg("%zu, the last at %lld, of %s", fixture.said, (long long)(fixture.said_ms - from_ms), text);
    close_fixture(&fixture);
}

static void test_the_deadline_comes_after_the_gap(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++)
        check_silent(present[i], 5, 10);
}

static void test_the_deadline_lies_in_the_gap(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++)
        check_silent(present[i], 5, 28);
}

/* An event after the return is waited for from then on. */
static void test_what_comes_after_the_return_counts(void **state)
{
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture, present[0]);
    see(&fixture, from_ms);
    advance(&fixture, from_ms + 5 * HOUR);
    set_rules(&fixture, away);
    advance(&fixture, from_ms + 10 * HOUR);
    set_rules(&fixture, present[0]);
    see(&fixture, from_ms + 11 * HOUR);
    advance(&fixture, from_ms + 37 * HOUR);
    assert_int_equal(fixture.said, 0);
    advance(&fixture, from_ms + 37 * HOUR + 1);
    assert_true(fixture.said == 1 && fixture.said_ms == from_ms + 37 * HOUR);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_deadline_comes_after_the_gap),
        cmocka_unit_test(test_the_deadline_lies_in_the_gap),
        cmocka_unit_test(test_what_comes_after_the_return_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
