/* What a comparison consists of, and its encoding. */
#include "recommend/comparison.h"

#include <math.h>
#include <stdlib.h>

void comparison_init(struct comparison *comparison)
{
    *comparison = (struct comparison){.look_ms = INT64_MAX, .day_ms = INT64_MIN};
}

static void drop_measures(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->measure_count; i++)
        free((void *)(uintptr_t)comparison->measures[i].name.p);
    free(comparison->measures);
    comparison->measures = NULL;
    comparison->measure_count = 0;
}

void comparison_fini(struct comparison *comparison)
{
    drop_measures(comparison);
    free(comparison->days);
}

size_t comparison_bytes(const struct comparison *comparison)
{
    size_t bytes = comparison->day_cap * sizeof *comparison->days;
    for (size_t i = 0; i < comparison->measure_count; i++)
        bytes += sizeof *comparison->measures + comparison->measures[i].name.n;
    return bytes;
}

const char *comparison_state_name(enum comparison_state state)
{
    static const char *const names[COMPARISON_STATES] = {"none", "running", "validated", "ineffective", "inconclusive"};
    return names[state];
}

void comparison_clear(struct comparison *comparison)
{
    drop_measures(comparison);
    comparison->state = COMPARISON_NONE;
    comparison->look_ms = INT64_MAX;
    comparison->day_ms = INT64_MIN;
    comparison->before_days = comparison->after_days = 0;
    comparison->enough = false;
}

const struct compared *comparison_find(const struct comparison *comparison, struct str name)
{
    for (size_t i = 0; i < comparison->measure_count; i++)
        if (str_eq(comparison->measures[i].name, name))
            return &comparison->measures[i];
    return NULL;
}

struct compared *comparison_measure(struct comparison *comparison, struct str name)
{
    const struct compared *known = comparison_find(comparison, name);
    if (known != NULL)
        return &comparison->measures[known - comparison->measures];
    size_t count = comparison->measure_count++;
    comparison->measures = mem_realloc(comparison->measures, (count + 1) * sizeof *comparison->measures);
    comparison->measures[count] = (struct compared){{mem_strdup(name), name.n}, NAN, NAN, MET_UNKNOWN};
    return &comparison->measures[count];
}

void comparison_add_detection(struct comparison *comparison, int64_t time_ms)
{
    int64_t day_ms = time_day(time_ms);
    size_t count = comparison->day_count;
    if (count > 0 && comparison->days[count - 1].day_ms >= day_ms) {
        comparison->days[count - 1].count++;
        return;
    }
    if (count == COMPARISON_DAYS_MAX)
        memmove(&comparison->days[0], &comparison->days[1], --comparison->day_count * sizeof *comparison->days);
    comparison->days =
        mem_grow(comparison->days, comparison->day_count, &comparison->day_cap, sizeof *comparison->days);
    comparison->days[comparison->day_count++] = (struct detected_day){day_ms, 1};
}

uint64_t comparison_detections(const struct comparison *comparison, int64_t from_ms, int64_t to_ms)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < comparison->day_count; i++)
        if (comparison->days[i].day_ms >= from_ms && comparison->days[i].day_ms < to_ms)
            sum += comparison->days[i].count;
    return sum;
}

int64_t comparison_before_ms(const struct comparison *comparison)
{
    return comparison->day_ms - comparison->before_days * DAY_MS;
}

int64_t comparison_after_ms(const struct comparison *comparison)
{
    return comparison->day_ms + DAY_MS;
}

int64_t comparison_end_ms(const struct comparison *comparison)
{
    return comparison_after_ms(comparison) + comparison->after_days * DAY_MS;
}

bool comparison_is_empty(const struct comparison *comparison)
{
    return comparison->day_ms == INT64_MIN && comparison->day_count == 0;
}

void comparison_encode(struct buf *out, const struct comparison *comparison)
{
    buf_byte(out, (uint8_t)comparison->state);
    buf_zigzag(out, comparison->day_ms);
    buf_varint(out, (uint64_t)comparison->before_days);
    buf_varint(out, (uint64_t)comparison->after_days);
    buf_byte(out, comparison->enough);
    buf_varint(out, comparison->measure_count);
    for (size_t i = 0; i < comparison->measure_count; i++) {
        const struct compared *measure = &comparison->measures[i];
        buf_text(out, measure->name);
        buf_double(out, measure->before);
        buf_double(out, measure->after);
        buf_byte(out, (uint8_t)measure->met);
    }
    buf_varint(out, comparison->day_count);
    for (size_t i = 0; i < comparison->day_count; i++) {
        buf_zigzag(out, comparison->days[i].day_ms);
        buf_varint(out, comparison->days[i].count);
    }
}

/* A count that may be at most `max`; more is a failure and reads as 0. */
static uint64_t read_up_to(struct reader *r, uint64_t max)
{
    uint64_t count = read_varint(r);
    if (count > max)
        r->failed = true;
    return r->failed ? 0 : count;
}

void comparison_decode(struct reader *r, struct comparison *comparison)
{
    comparison->state = (enum comparison_state)read_up_to(r, COMPARISON_STATES - 1);
    comparison->day_ms = read_zigzag(r);
    comparison->before_days = (int64_t)read_up_to(r, COMPARISON_DAYS_MAX);
    comparison->after_days = (int64_t)read_up_to(r, COMPARISON_DAYS_MAX);
    comparison->enough = read_byte(r) != 0;
    for (uint64_t left = read_up_to(r, COMPARISON_MEASURES_MAX); left > 0 && !r->failed; left--) {
        struct compared *measure = comparison_measure(comparison, read_text(r));
        measure->before = read_double(r);
        measure->after = read_double(r);
        measure->met = (enum comparison_met)read_up_to(r, MET_UNKNOWN);
    }
    for (uint64_t left = read_up_to(r, COMPARISON_DAYS_MAX); left > 0 && !r->failed; left--) {
        comparison->days =
            mem_grow(comparison->days, comparison->day_count, &comparison->day_cap, sizeof *comparison->days);
        int64_t day_ms = read_zigzag(r);
        comparison->days[comparison->day_count++] = (struct detected_day){day_ms, read_varint(r)};
    }
}
