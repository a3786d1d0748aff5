/* The pending heap against a sorted array: random items of every kind, pushed and popped in any mix, come out in the
 * total order and with their bytes.
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

enum { ROUNDS = 60, OPERATIONS = 1200 };

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
    uint64_t number; /* of the push */
};

static struct place place_of(const struct pending_item *item, uint64_t number)
{
    bool by_record = item->kind == PENDING_CHANGE || item->kind == PENDING_EVENT || item->kind == PENDING_UPDATE;
    /* Changes and events are one kind; a change comes before the event of the same record. */
    int64_t kind = item->kind == PENDING_EVENT ? PENDING_CHANGE : item->kind;
    struct place place = {{item->time_ms, item->level, kind, 0, 0, 0, 0, 0, 0}, number};
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
};

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

static void push(struct pending *pending, struct model *model, uint64_t number)
{
    static char text[80000];
    static const uint8_t level_of[] = {
        [PENDING_PANE] = 1,  [PENDING_WINDOW_CLOSE] = 1, [PENDING_UPDATE] = 0,   [PENDING_CHANGE] = 1,
        [PENDING_EVENT] = 1, [PENDING_ROW_EXPIRY] = 0,   [PENDING_COOLDOWN] = 1, [PENDING_AGEING] = 1};
    uint8_t kind = (uint8_t)below(PENDING_AGEING + 1);
    struct pending_item item = {.time_ms = below(12), .kind = kind, .level = level_of[kind]};
    if (kind == PENDING_UPDATE || kind == PENDING_CHANGE || kind == PENDING_EVENT) {
        item.at = (struct position){(int32_t)below(2), (int32_t)below(2), below(30)};
        item.bytes = (struct str){text, text_of(number, is_large(number), text)};
    } else {
        item.rule = (int32_t)below(3);
        item.group = (uint64_t)below(3) << 62 | (uint64_t)below(3);
    }
    struct place place = place_of(&item, number);
    for (size_t i = 0; i < model->count; i++)
        if (by_place(&model->places[i], &place) == 0)
            return; /* no two items are one place */
    pending_push(pending, item);
    model->places[model->count++] = place;
    qsort(model->places, model->count, sizeof model->places[0], by_place);
}

static bool pop(struct pending *pending, struct model *model, int64_t before_ms)
{
    static char text[80000];
    struct pending_item item;
    const struct pending_item *first = pending_first(pending);
    assert_int_equal(first == NULL, model->count == 0);
    bool any = model->count > 0 && model->places[0].parts[0] < before_ms;
    assert_int_equal(pending_pop(pending, before_ms, &item), any);
    if (!any)
        return false;
    struct place want = model->places[0];
    struct place got = place_of(&item, want.number);
    assert_int_equal(by_place(&want, &got), 0);
    if (item.bytes.n > 0) {
        size_t n = text_of(want.number, is_large(want.number), text);
        assert_true(str_eq(item.bytes, (struct str){text, n}));
    }
    memmove(model->places, model->places + 1, --model->count * sizeof model->places[0]);
    if (below(3) == 0) /* what is pushed while an item is applied does not disturb its bytes */
        push(pending, model, 900000);
    pending_done(pending, &item);
    return true;
}

static void test_order(void **state)
{
    struct model *model = mem_zalloc(sizeof *model);
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < ROUNDS; round++) {
        struct pending *pending = pending_new();
        uint64_t number = 1;
        for (int i = 0; i < OPERATIONS / 2; i++) {
            if (below(3) > 0)
                push(pending, model, number++);
            else
                (void)pop(pending, model, below(14));
            assert_int_equal(pending_count(pending), model->count);
        }
        if (below(4) == 0) {
            pending_clear(pending);
            model->count = 0;
        }
        while (pop(pending, model, INT64_MAX))
            ;
        assert_int_equal(pending_count(pending), 0);
        assert_true(pending_bytes(pending) <= 128 * 1024); /* the newest chunk stays, and no other */
        pending_free(pending);
        model->count = 0;
    }
    free(model);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
