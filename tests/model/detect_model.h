/* Drives one rule's detector as reduce does, over groups that leave memory and come back at random, and writes each
 * evaluation as a line of text. A model test writes the lines that the definitions give, from its whole history, and
 * has the two compared. */
#ifndef FORESTALL_TESTS_DETECT_MODEL_H
#define FORESTALL_TESTS_DETECT_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "detect/detector.h"

enum { LINES_MAX = 4000 };
static const int64_t MODEL_START_MS = INT64_C(1704067200000);

struct lines {
    struct str items[LINES_MAX];
    size_t count;
};

static struct model {
    struct arena arena; /* of a round */
    struct arena call;
    struct ruleset *rules;
    const struct rule *rule;
    struct state *state;
    struct map groups; /* key -> struct group, those in memory */
    int64_t first_ms[STREAM_COUNT];
    int64_t window_events_max;
    int64_t calls_a_restart; /* on average; 0: none */
    struct detector_counters counters;
    struct lines got, wanted;
    /* Appends what the test wants to know of an evaluation beyond what every line has. */
    void (*describe)(struct buf *out, const struct evaluation *evaluation);
} model;

static uint64_t seed = 1;
static int rounds = 40;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static void add_line(struct lines *lines, struct buf *text)
{
    assert_true(lines->count < LINES_MAX);
    lines->items[lines->count++] = arena_str(&model.arena, buf_str(text));
    buf_fini(text); /* and so empty again */
}

/* How every line begins. */
static void put_line_head(struct buf *out, int64_t time_ms, const char *group, bool fires)
{
    buf_printf(out, "%lld %s %s", (long long)(time_ms - MODEL_START_MS), group, fires ? "fires" : "holds back");
}

static void model_open(const char *rules_text)
{
    struct diagnostics diagnostics = {.arena = &model.arena};
    model.rules = ruleset_load_text("model.yaml", str_of(rules_text), &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        fail_msg("%d:%d: %s", diagnostics.items[i].line, diagnostics.items[i].column, diagnostics.items[i].message);
    diagnostics_fini(&diagnostics);
    model.rule = &model.rules->rules[0];
    model.state = state_new(store_memory_new());
    model.window_events_max = 10000;
    model.calls_a_restart = 30;
    model.got.count = model.wanted.count = 0;
    for (int i = 0; i < STREAM_COUNT; i++)
        model.first_ms[i] = INT64_MAX;
}

static int any_key(void *context, struct str key, struct str value)
{
    (void)context;
    (void)value;
    fail_msg("left in the state: kind '%c'", key.p[2]);
    return 0;
}

static void forget_groups(void)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&model.groups, &i, &entry);)
        group_free(entry->value);
    map_fini(&model.groups);
}

static void model_close(void)
{
    forget_groups();
    state_free(model.state);
    ruleset_free(model.rules);
    arena_fini(&model.arena);
    arena_fini(&model.call);
}

static struct group *group_of(struct str key)
{
    void **slot = map_slot(&model.groups, key);
    struct error err = {0};
    struct group_options options = {.rule = model.rule, .hash = group_hash(key), .key = key, .past_ms = INT64_MIN};
    struct group *group = *slot;
    if (group == NULL)
        assert_int_equal(group_load(&group, model.state, &options, &err), 0);
    *slot = group;
    return group;
}

static int load_group(void *context, struct str key, struct str value)
{
    struct group_record record;
    (void)context;
    assert_true(group_record_read((struct str_pair){key, value}, &record));
    (void)group_of(arena_str(&model.call, record.key));
    return 0;
}

/* The commit writes all; then memory is gone, and every group comes back from the state. */
static void restart(void)
{
    struct map_entry *entry;
    const struct str_pair *dirty;
    struct error err = {0};
    for (size_t i = 0; map_next(&model.groups, &i, &entry);)
        group_write(entry->value, model.state);
    size_t n = state_dirty(model.state, &dirty);
    struct store *store = state_store(model.state);
    assert_int_equal(store->ops->write(store, dirty, n, &err), 0);
    state_settle(model.state);
    forget_groups();
    struct buf prefix = {0};
    state_key(&prefix, 0, STATE_GROUP);
    assert_int_equal(state_scan(model.state, buf_str(&prefix), load_group, NULL, &err), 0);
    buf_fini(&prefix);
    arena_reset(&model.call);
}

static void restart_at_times(void)
{
    if (model.calls_a_restart > 0 && below(model.calls_a_restart) == 0)
        restart();
}

static struct detector_context context_of(void)
{
    return (struct detector_context){.state = model.state,
                                     .arena = &model.call,
                                     .window_events_max = model.window_events_max,
                                     .first_ms = model.first_ms,
                                     .since_ms = INT64_MIN,
                                     .counters = &model.counters};
}

static void note_evaluations(const struct detector_context *context, const struct group *group)
{
    struct value values = group_key_values(group->key, &model.call);
    struct buf name = {0};
    for (uint32_t i = 0; i < values.n; i++)
        value_template(&name, values.items[2 * i + 1]);
    buf_byte(&name, '\0');
    for (size_t i = 0; i < context->evaluation_count; i++) {
        const struct evaluation *evaluation = context->evaluations[i];
        struct buf line = {0};
        assert_true(evaluation->when == evaluation->firing && evaluation->firing == evaluation->detection);
        assert_true(evaluation->slots[OUT_EVENTS].d == (double)evaluation->contribution_count);
        assert_true(value_eq(evaluation->slots[OUT_GROUP], values));
        put_line_head(&line, evaluation->time_ms, name.p, evaluation->firing);
        model.describe(&line, evaluation);
        add_line(&model.got, &line);
    }
    buf_fini(&name);
}

/* After work on a group, as reduce does it. */
static void settle(struct detector_context *context, struct group *group)
{
    size_t bytes = 0;
    size_t unwritten = 0;
    note_evaluations(context, group);
    for (size_t i = 0; i < group->entry_count; i++)
        bytes += group->entries[i].event.n;
    for (size_t i = 0; i < group->note_count; i++) {
        bytes += group->notes[i].bytes.n;
        unwritten += group->notes[i].unwritten;
    }
    assert_int_equal(group->bytes, bytes);
    assert_true((group->unwritten > 0) == (unwritten > 0));
    if (group_is_empty(group)) {
        (void)map_remove(&model.groups, group->key);
        group_free(group);
    }
    arena_reset(&model.call);
}

/* Calls the timers that lie before `before_ms`, in order. */
static void fire_before(int64_t before_ms)
{
    for (;;) {
        struct group *due = NULL;
        struct map_entry *entry;
        for (size_t i = 0; map_next(&model.groups, &i, &entry);) {
            struct group *group = entry->value;
            if (group->timer_ms < before_ms && (due == NULL || group->timer_ms < due->timer_ms))
                due = group;
        }
        if (due == NULL)
            return;
        struct detector_context context = context_of();
        detector_of(model.rule)->on_timer(&context, due, due->timer_ms);
        settle(&context, due);
        restart_at_times();
    }
}

/* A row changed or an event came. Times never fall. */
static void model_event(const struct event *event, struct selection selection, int64_t time_ms)
{
    bool deadline = detector_of(model.rule)->deadline;
    struct value values[RULE_GROUP_KEYS_MAX];
    struct buf key = {0};
    fire_before(deadline ? time_ms : time_ms + 1);
    if (model.first_ms[event->stream->id] == INT64_MAX)
        model.first_ms[event->stream->id] = time_ms;
    for (size_t i = 0; i < model.rule->group_count; i++)
        values[i] = event->values[model.rule->inputs[0].group[i].field];
    group_key_encode(&key, model.rule, values);
    struct group *group = group_of(arena_str(&model.arena, buf_str(&key)));
    struct detector_context context = context_of();
    detector_of(model.rule)->on_event(&context, group, event, selection, time_ms);
    settle(&context, group);
    buf_fini(&key);
    restart_at_times();
}

static int by_line(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* All that waits has come, so nothing may be left; and what was found is what was wanted. The number of lines. */
static size_t model_compare(void)
{
    struct error err = {0};
    fire_before(INT64_MAX);
    assert_int_equal(model.groups.count, 0);
    assert_int_equal(state_scan(model.state, (struct str){0}, any_key, NULL, &err), 0);
    qsort(model.got.items, model.got.count, sizeof *model.got.items, by_line);
    qsort(model.wanted.items, model.wanted.count, sizeof *model.wanted.items, by_line);
    for (size_t i = 0; i < model.got.count || i < model.wanted.count; i++) {
        struct str got = i < model.got.count ? model.got.items[i] : STR_LIT("nothing");
        struct str wanted = i < model.wanted.count ? model.wanted.items[i] : STR_LIT("nothing");
        if (!str_eq(got, wanted))
            fail_msg("found %.*s, not %.*s", STR_ARG(got), STR_ARG(wanted));
    }
    return model.got.count;
}

/* Plays `play` for each round, with the seed printed; fails where all rounds together found nothing. */
static void model_rounds(size_t (*play)(void))
{
    size_t lines = 0;
    for (int i = 0; i < rounds; i++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        lines += play();
    }
    print_message("%zu evaluations\n", lines);
    assert_true(lines > 0);
}

static int model_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        rounds = (int)strtol(argv[2], NULL, 10);
    return _cmocka_run_group_tests("model", tests, n, NULL, NULL);
}

#endif
