/* See waiting_panes.h. */
#include "engine/waiting_panes.h"

#include <stdlib.h>

enum { PLACES_MIN = 64, PLACE_BYTES = 2 * sizeof(struct waiting_pane) };

void waiting_panes_fini(struct waiting_panes *waiting)
{
    free(waiting->places);
    *waiting = (struct waiting_panes){0};
}

static uint32_t hash_of(int rule, uint64_t group, int64_t start_ms)
{
    const uint64_t key[] = {(uint64_t)rule, group, (uint64_t)start_ms};
    return (uint32_t)hash_bytes(key, sizeof key, 0);
}

/* The pane's place, or the free one where it would be. */
static size_t find(const struct waiting_panes *waiting, const struct waiting_pane *wanted, int64_t start_ms)
{
    size_t i = wanted->hash & (waiting->cap - 1);
    for (; waiting->places[i].pane != NULL; i = (i + 1) & (waiting->cap - 1)) {
        const struct waiting_pane *place = &waiting->places[i];
        if (place->hash == wanted->hash && place->group == wanted->group && place->rule == wanted->rule &&
            place->pane->start_ms == start_ms)
            break;
    }
    return i;
}

static void grow(struct waiting_panes *waiting)
{
    struct waiting_panes larger = {
        .cap = waiting->cap == 0 ? PLACES_MIN : waiting->cap * 2, .count = waiting->count, .bytes = waiting->bytes};
    larger.places = mem_zalloc(larger.cap * sizeof *larger.places);
    for (size_t i = 0; i < waiting->cap; i++) {
        const struct waiting_pane *place = &waiting->places[i];
        if (place->pane != NULL)
            larger.places[find(&larger, place, place->pane->start_ms)] = *place;
    }
    free(waiting->places);
    *waiting = larger;
}

bool waiting_panes_add(struct waiting_panes *waiting, int rule, uint64_t group, struct pane *pane)
{
    struct waiting_pane wanted = {pane, group, rule, hash_of(rule, group, pane->start_ms)};
    if ((waiting->count + 1) * 3 > waiting->cap * 2)
        grow(waiting);
    struct waiting_pane *place = &waiting->places[find(waiting, &wanted, pane->start_ms)];
    bool first = place->pane == NULL;
    if (first) {
        *place = wanted;
        waiting->count++;
        waiting->bytes += PLACE_BYTES;
    } else {
        waiting->bytes -= pane_bytes(place->pane);
        pane_merge(place->pane, pane);
        pane_free(pane);
    }
    waiting->bytes += pane_bytes(place->pane);
    return first;
}

void waiting_panes_take(struct waiting_panes *waiting, int rule, uint64_t group, const struct pane *pane)
{
    struct waiting_pane wanted = {.group = group, .rule = rule, .hash = hash_of(rule, group, pane->start_ms)};
    size_t mask = waiting->cap - 1;
    size_t hole = find(waiting, &wanted, pane->start_ms);
    ASSERT(waiting->places[hole].pane == pane);
    waiting->bytes -= pane_bytes(pane) + PLACE_BYTES;
    waiting->count--;
    /* What follows moves up where it lies no further from its own place then. */
    for (size_t i = (hole + 1) & mask; waiting->places[i].pane != NULL; i = (i + 1) & mask) {
        if (((i - waiting->places[i].hash) & mask) < ((i - hole) & mask))
            continue;
        waiting->places[hole] = waiting->places[i];
        hole = i;
    }
    waiting->places[hole].pane = NULL;
}

void waiting_panes_clear(struct waiting_panes *waiting)
{
    if (waiting->count > 0)
        memset(waiting->places, 0, waiting->cap * sizeof *waiting->places);
    waiting->count = waiting->bytes = 0;
}
