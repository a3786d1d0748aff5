/* Times and spans as text: ISO 8601 in UTC, and the rule language's `1d12h`. */
#ifndef FORESTALL_BASE_TIME_TEXT_H
#define FORESTALL_BASE_TIME_TEXT_H

#include "base/buf.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

/* Reads `500ms 30s 10m 2h 7d 4w 1d12h` (units may be chained, each at most once, no sign); false where it is none or
 * does not fit. */
bool duration_parse(struct str text, int64_t *ms);
/* `25m`, `1h 5m`, `3d`, `500ms`, `0s`: the two largest units that are not zero, negative with a leading '-'. */
void duration_print(struct buf *out, int64_t ms);
/* As duration_parse reads it, all of it: `1d12h`. */
void duration_write(struct buf *out, int64_t ms);

/* Reads an ISO 8601 / RFC 3339 instant `2024-05-06T07:08:09[.fraction](Z|+hh:mm|-hh:mm)`, years 0001 to 9999; space
 * for `T` and lower case are taken too; no zone means UTC. Seconds since the epoch and nanoseconds [0, 1e9). */
bool time_parse(struct str text, int64_t *seconds, int32_t *nanos);
bool time_parse_ms(struct str text, int64_t *ms); /* rounded down to milliseconds */
/* `2024-05-06T07:08:09.000Z`, always three digits. */
void time_print_ms(struct buf *out, int64_t ms);
/* RFC 3339 with as many of the nine fraction digits as needed in groups of three (none for whole seconds). */
void time_print(struct buf *out, int64_t seconds, int32_t nanos);

/* Civil date of a day number since 1970-01-01 and back (proleptic Gregorian). */
void civil_from_days(int64_t days, int *year, int *month, int *day);
int64_t days_from_civil(int year, int month, int day);

/* a / b and a mod b rounded down, for b > 0: floor_mod is never negative. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && a < 0);
}
static inline int64_t floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

/* The UTC midnight at or before the time. */
static inline int64_t time_day(int64_t time_ms)
{
    return floor_div(time_ms, DAY_MS) * DAY_MS;
}

#endif
