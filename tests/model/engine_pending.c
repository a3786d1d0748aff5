/* Pending against a sorted array: random items of every kind, pushed, spilled to the disk and popped in any mix, come
 * out in the total order and with their bytes; partials of a pane come out as one, wherever they lay.
 *
 * usage: test_engine_pending [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "engine/pending.h"
#include "engine/scratch.h"

enum { ROUNDS = 60, OPERATIONS = 1200, RULES = 3, PANE_MS = 60000 };

static uint64_t seed = 1;

static int64_t below(int64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

/* What orders an item, as a list of numbers compared from the left. */
struct place {
    int64_t parts[9];
    uint64_t number;   /* of the push */
    struct pane *pane; /* what it should be; NULL: no pane */
};

static struct place place_of(const struct pending_item *item, uint64_t number)
{
    bool by_record = item->kind == PENDING_CHANGE || item->kind == PENDING_EVENT || item->kind == PENDING_UPDATE;
    /* Changes and events are one kind; a change comes before the event of the same record. */
    int64_t kind = item->kind == PENDING_EVENT ? PENDING_CHANGE : item->kind;
    struct place place = {{item->time_ms, item->level, kind, 0, 0, 0, 0, 0, 0}, number, NULL};
    if (by_record) {
        place.parts[3] = item->at.topic;
        place.parts[4] = item->at.partition;
        place.parts[5] = item->at.offset;
        place.parts[6] = item->kind;
    } else {
        place.parts[7] = item->rule;
        place.parts[8] = (int64_t)(item->group ^ UINT64_C(1) << 63); /* unsigned order */
    }
    return place;
}

static int by_place(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    for (size_t i = 0; i < 9; i++)
        if (x->parts[i] != y->parts[i])
            return x->parts[i] < y->parts[i] ? -1 : 1;
    return 0;
}

struct model {
    struct place places[OPERATIONS];
    size_t count;
    size_t merged; /* partials that met their pane */
    size_t spills;
    const struct ruleset *rules;
};

/* Sums, extremes, distinct values and percentiles; by the service, or not. */
static struct ruleset *load_rules(void)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text(
        "model.yaml",
        str_of("apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: m}\nrules:\n"
               "- {id: a, from: {x: {stream: telemetry}}, detect: {group_by: [service], window: {size: 5m, slide: 1m}, "
               "when: \"count(x) > 3 && sum(x) > 0 && max(x) > 0\"}}\n"
               "- {id: b, from: {x: {stream: telemetry}}, detect: {group_by: [name], window: {size: 5m, slide: 1m}, "
               "when: \"distinct(x, event.service) > 3 && stddev(x) > 2\"}}\n"
               "- {id: c, from: {x: {stream: telemetry}}, detect: {group_by: [name], window: {size: 5m, slide: 1m}, "
               "when: \"p99(x) > 3\"}}\n"),
        &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        if (!diagnostics.items[i].warning)
            fail_msg("%s", diagnostics.items[i].message);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return rules;
}

/* A partial of the pane before `end_ms`, of a few events. */
static struct pane *make_partial(const struct rule *rule, int64_t end_ms, uint64_t number)
{
    struct arena arena = {0};
    struct pane *pane = pane_new(rule, (end_ms - 1) * PANE_MS);
    for (int64_t i = 0, n = 1 + below(3); i < n; i++) {
        struct event event;
        event_clear(&event, stream_get(STREAM_TELEMETRY));
        event.time_ms = pane->start_ms + below(PANE_MS);
        event.at = (struct position){1, 0, (int64_t)number * 4 + i};
        event.values[TELEMETRY_SERVICE] = value_str(str_of(arena_printf(&arena, "service-%d", (int)below(40))));
        event.values[TELEMETRY_NAME] = value_text("n");
        event.values[TELEMETRY_VALUE] = value_double((double)below(1000) / 7);
        event.values[TELEMETRY_MESSAGE] = value_str(str_of(arena_printf(&arena, "%0*d", 1 + (int)below(200), 7)));
        if (pane_add(pane, rule, 0, &event, &arena))
            pane_newest(pane, &event);
    }
    arena_fini(&arena);
    return pane;
}

static struct pane *pane_copy(const struct rule *rule, struct pane *pane)
{
    struct buf bytes = {0};
    pane_encode(&bytes, pane);
    struct pane *copy = pane_decode(rule, pane->start_ms, buf_str(&bytes));
    buf_fini(&bytes);
    assert_non_null(copy);
    return copy;
}

static void assert_panes_equal(struct pane *a, struct pane *b)
{
    struct buf x = {0};
    struct buf y = {0};
    assert_int_equal(a->start_ms, b->start_ms);
    pane_encode(&x, a);
    pane_encode(&y, b);
    assert_true(str_eq(buf_str(&x), buf_str(&y)));
    buf_fini(&x);
    buf_fini(&y);
}

static size_t text_of(uint64_t number, bool large, char *out)
{
    size_t n = large ? 70000 : (size_t)(number % 40) + 8;
    memset(out, 'a' + (int)(number % 26), n);
    (void)snprintf(out, 8, "%07u", (unsigned)number);
    return n;
}

static bool is_large(uint64_t number)
{
    return number % 97 == 0;
}

static struct place *find_place(struct model *model, const struct place *place)
{
    for (size_t i = 0; i < model->count; i++)
        if (by_place(&model->places[i], place) == 0)
            return &model->places[i];
    return NULL;
}

/* A partial is expected to be merged into what waits of its pane. */
static struct pending_item make_pane_item(struct model *model, struct pending_item item, struct place *place)
{
    const struct rule *rule = &model->rules->rules[item.rule];
    item.pane = make_partial(rule, item.time_ms, place->number);
    item.key = (struct str){"a group's key", (size_t)item.group % 14};
    struct place *waits = find_place(model, place);
    if (waits == NULL) {
        place->pane = pane_copy(rule, item.pane);
        return item;
    }
    struct pane *more = pane_copy(rule, item.pane);
    pane_merge(waits->pane, more);
    pane_free(more);
    model->merged++;
    return item;
}

static void push(struct pending *pending, struct model *model, uint64_t number)
{
    static char text[80000];
    static const uint8_t level_of[] = {
        [PENDING_PANE] = 1,  [PENDING_WINDOW_CLOSE] = 1, [PENDING_UPDATE] = 0,   [PENDING_CHANGE] = 1,
        [PENDING_EVENT] = 1, [PENDING_ROW_EXPIRY] = 0,   [PENDING_COOLDOWN] = 1, [PENDING_AGEING] = 1};
    uint8_t kind = (uint8_t)(below(3) == 0 ? PENDING_PANE : below(PENDING_AGEING + 1));
    struct pending_item item = {.time_ms = below(12), .kind = kind, .level = level_of[kind]};
    if (kind == PENDING_UPDATE || kind == PENDING_CHANGE || kind == PENDING_EVENT) {
        item.at = (struct position){(int32_t)below(2), (int32_t)below(2), below(30)};
        item.bytes = (struct str){text, text_of(number, is_large(number), text)};
    } else {
        item.rule = (int32_t)below(RULES);
        item.group = (uint64_t)below(3) << 62 | (uint64_t)below(3);
    }
    struct place place = place_of(&item, number);
    bool there = find_place(model, &place) != NULL;
    if (kind == PENDING_PANE)
        item = make_pane_item(model, item, &place);
    else if (there) /* no two other items are one place */
        return;
    pending_push(pending, item);
    if (there)
        return;
    model->places[model->count++] = place;
    qsort(model->places, model->count, sizeof model->places[0], by_place);
}

static bool pop(struct pending *pending, struct model *model, int64_t before_ms)
{
    static char text[80000];
    struct pending_item item;
    struct error err;
    bool got_any;
    const struct pending_item *first = pending_first(pending);
    assert_int_equal(first == NULL, model->count == 0);
    bool any = model->count > 0 && model->places[0].parts[0] < before_ms;
    assert_int_equal(pending_pop(pending, before_ms, &item, &got_any, &err), 0);
    assert_int_equal(got_any, any);
    if (!any)
        return false;
    struct place want = model->places[0];
    struct place got = place_of(&item, want.number);
    assert_int_equal(by_place(&want, &got), 0);
    memmove(model->places, model->places + 1, --model->count * sizeof model->places[0]);
    if (below(3) == 0) /* what is pushed while an item is applied does not disturb its bytes */
        push(pending, model, 900000);
    if (item.bytes.n > 0) {
        size_t n = text_of(want.number, is_large(want.number), text);
        assert_true(str_eq(item.bytes, (struct str){text, n}));
    }
    assert_int_equal(item.pane == NULL, want.pane == NULL);
    if (item.pane != NULL) {
        assert_panes_equal(item.pane, want.pane);
        assert_true(str_eq(item.key, (struct str){"a group's key", (size_t)item.group % 14}));
    }
    pane_free(item.pane);
    pane_free(want.pane);
    pending_done(pending, &item);
    return true;
}

static void spill(struct pending *pending, struct model *model)
{
    struct error err;
    assert_int_equal(pending_spill(pending, &err), 0);
    assert_int_equal(pending_bytes(pending), 0);
    model->spills++;
}

static void forget_all(struct model *model)
{
    for (size_t i = 0; i < model->count; i++)
        pane_free(model->places[i].pane);
    model->count = 0;
}

/* One life of a pending; `scratch` is NULL where it does not spill. Spills come seldom in some rounds and after each
 * other operation in others, so that runs are few and long, or many and merged. */
static void live(struct model *model, struct scratch *scratch, int64_t spill_every)
{
    struct pending *pending = pending_new(model->rules, scratch);
    uint64_t number = 1;
    for (int i = 0; i < OPERATIONS / 2; i++) {
        if (below(3) > 0)
            push(pending, model, number++);
        else
            (void)pop(pending, model, below(14));
        if (scratch != NULL && below(spill_every) == 0)
            spill(pending, model);
    }
    if (below(4) == 0) {
        pending_clear(pending);
        forget_all(model);
    }
    while (pop(pending, model, INT64_MAX))
        ;
    assert_int_equal(pending_bytes(pending), 0);
    assert_int_equal(pending_timer_bytes(pending), 0);
    pending_free(pending);
    forget_all(model);
}

static void test_order(void **state)
{
    struct model *model = mem_zalloc(sizeof *model);
    struct ruleset *rules = load_rules();
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    model->rules = rules;
    struct scratch *scratch = scratch_new(P_tmpdir, 4096);
    for (int round = 0; round < ROUNDS; round++) {
        live(model, round % 3 == 0 ? NULL : scratch, round % 3 == 1 ? 2 : 60);
        assert_int_equal(scratch_bytes(scratch), 0); /* every block was given back */
    }
    assert_true(model->merged > 1000 && model->spills > 1000 && scratch_written(scratch) > 1000000);
    scratch_free(scratch);
    ruleset_free(rules);
    free(model);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
