/* The combiner against a plain list: random events of random rules, groups and panes, flushed and cleared at random;
 * what comes out is what went in, each pane once, in order of arrival, with the newest event's bytes.
 *
 * usage: test_engine_combiner [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "engine/combiner.h"

enum { ROUNDS = 40, OPERATIONS = 3000, PARTIALS_MAX = 4000, RULES = 2 };

static uint64_t seed = 1;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static const char rules_text[] =
    "apiVersion: forestall.io/v1\n"
    "kind: RuleSet\n"
    "metadata: {name: model}\n"
    "rules:\n"
    "- id: a\n"
    "  from: {x: {stream: telemetry}}\n"
    "  detect: {group_by: [service], window: {size: 4m, slide: 2m}, when: count(x) > 0 && sum(x) > 0 && max(x) > 0}\n"
    "- id: b\n"
    "  from: {x: {stream: telemetry}, y: {stream: telemetry, match: {name: cpu}}}\n"
    "  detect: {group_by: [name], window: {size: 6m, slide: 3m}, when: count(x) > 0 && count(y) > 0}\n";

static struct ruleset *load(void)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text("model.yaml", str_of(rules_text), &diagnostics);
    assert_non_null(rules);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return rules;
}

struct expected {
    int rule;
    uint64_t group;
    char key[16];
    int64_t start_ms;
    double count;
    double sum;
    int64_t last_ms;
    int64_t last_offset;
};

struct model {
    struct expected partials[PARTIALS_MAX];
    size_t count;
    size_t sent;
};

static struct expected *expect(struct model *model, int rule, uint64_t group, const char *key, int64_t start_ms)
{
    for (size_t i = 0; i < model->count; i++) {
        struct expected *partial = &model->partials[i];
        if (partial->rule == rule && partial->group == group && partial->start_ms == start_ms)
            return partial;
    }
    struct expected *partial = &model->partials[model->count++];
    *partial = (struct expected){.rule = rule, .group = group, .start_ms = start_ms, .last_ms = INT64_MIN};
    (void)snprintf(partial->key, sizeof partial->key, "%s", key);
    return partial;
}

static uint64_t salt;

static void add(struct combiner *combiner, struct model *model, const struct ruleset *rules, int64_t offset)
{
    struct event event;
    struct arena arena = {0};
    char key[16];
    int number = (int)below(RULES);
    const struct rule *rule = &rules->rules[number];
    int group = (int)below(40);
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.time_ms = below(20 * MINUTE_MS);
    event.at = (struct position){0, 0, offset};
    event.values[TELEMETRY_VALUE] = value_double((double)below(1000));
    int64_t start_ms = floor_div(event.time_ms, rule->window.pane_ms) * rule->window.pane_ms;
    (void)snprintf(key, sizeof key, "key %d", group);
    /* Neighbouring hashes, and ones that differ in the upper half only. */
    uint64_t hash = salt ^ ((uint64_t)(group % 8) << 60 | (uint64_t)(group / 8));
    struct partial *partial = combiner_partial(combiner, rule, number, hash, str_of(key), start_ms);
    struct expected *want = expect(model, number, hash, key, start_ms);
    bool newest = pane_add(partial->pane, rule, 0, &event, &arena);
    want->count++;
    want->sum += event.values[TELEMETRY_VALUE].d;
    bool newer = event.time_ms > want->last_ms || (event.time_ms == want->last_ms && offset > want->last_offset);
    assert_int_equal(newest, newer);
    if (newer) {
        want->last_ms = event.time_ms;
        want->last_offset = offset;
        buf_reset(&partial->newest);
        buf_printf(&partial->newest, "record %lld", (long long)offset);
        partial->newest_source = (size_t)offset % 7;
    }
    arena_fini(&arena);
}

static void check(void *context, struct partial *partial)
{
    struct model *model = context;
    char text[32];
    bool approximate = false;
    assert_true(model->sent < model->count);
    const struct expected *want = &model->partials[model->sent++];
    assert_int_equal(partial->rule, want->rule);
    assert_int_equal(partial->group, want->group);
    assert_true(str_is(partial->key, want->key));
    assert_int_equal(partial->pane->start_ms, want->start_ms);
    assert_true((double)partial->pane->events == want->count);
    for (size_t i = 0; i < partial->pane->fold_count; i++) {
        struct fold *fold = &partial->pane->folds[i];
        if (fold->function == AGGREGATE_SUM)
            assert_true(fold_result(fold, &approximate).d == want->sum);
    }
    (void)snprintf(text, sizeof text, "record %lld", (long long)want->last_offset);
    assert_true(str_is(buf_str(&partial->newest), text));
    assert_int_equal(partial->newest_source, (size_t)want->last_offset % 7);
    pane_free(partial->pane);
}

static void check_first_end(const struct combiner *combiner, const struct model *model, const struct ruleset *rules)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < model->count; i++) {
        int64_t end_ms = model->partials[i].start_ms + rules->rules[model->partials[i].rule].window.pane_ms;
        first = end_ms < first ? end_ms : first;
    }
    assert_int_equal(combiner_first_end(combiner), first);
    assert_int_equal(combiner_count(combiner), model->count);
}

static void test_flushes(void **state)
{
    struct ruleset *rules = load();
    struct model *model = mem_zalloc(sizeof *model);
    struct combiner *combiner = combiner_new();
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t operations = below(OPERATIONS);
        salt = seed;
        for (int64_t i = 0; i < operations; i++)
            add(combiner, model, rules, i);
        check_first_end(combiner, model, rules);
        if (below(5) == 0)
            combiner_clear(combiner);
        else
            combiner_flush(combiner, check, model);
        assert_true(model->sent == 0 || model->sent == model->count);
        model->count = model->sent = 0;
        check_first_end(combiner, model, rules);
    }
    add(combiner, model, rules, 1); /* what is left is freed */
    combiner_free(combiner);
    free(model);
    ruleset_free(rules);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flushes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
