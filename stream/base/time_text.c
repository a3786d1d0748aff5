/* Reading and printing of times and spans. Civil dates by Howard Hinnant's days_from_civil. */
#include "base/time_text.h"

#include <limits.h>
#include <stdlib.h>

bool duration_parse(struct str text, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"w", 7 * (int64_t)DAY_MS}, {"d", DAY_MS},    {"h", HOUR_MS},
                 {"m", MINUTE_MS},           {"s", SECOND_MS}, {"ms", 1}};
    const char *p = text.p;
    const char *end = text.p + text.n;
    int64_t total = 0;
    size_t next_unit = 0;
    if (text.n == 0)
        return false;
    while (p < end) {
        int64_t n = 0;
        const char *digits = p;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
                return false;
        const char *name = p;
        while (p < end && *p >= 'a' && *p <= 'z')
            p++;
        if (digits == name || name == p)
            return false;
        size_t u = next_unit;
        while (u < sizeof units / sizeof *units && !str_is((struct str){name, (size_t)(p - name)}, units[u].name))
            u++;
        if (u == sizeof units / sizeof *units)
            return false;
        next_unit = u + 1;
        if (__builtin_mul_overflow(n, units[u].ms, &n) || __builtin_add_overflow(total, n, &total))
            return false;
    }
    *ms = total;
    return true;
}

static void put_units(struct buf *out, int64_t ms, int units_max, const char *between)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"d", DAY_MS}, {"h", HOUR_MS}, {"m", MINUTE_MS}, {"s", SECOND_MS}, {"ms", 1}};
    uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        buf_byte(out, '-');
    if (ms == 0)
        buf_puts(out, "0s");
    int printed = 0;
    for (size_t u = 0; u < sizeof units / sizeof *units && printed < units_max; u++) {
        uint64_t n = left / units[u].ms;
        left -= n * units[u].ms;
        if (n > 0)
            buf_printf(out, "%s%llu%s", printed > 0 ? between : "", (unsigned long long)n, units[u].name);
        printed += n > 0 || printed > 0; /* the second unit is the one just below the first */
    }
}

void duration_print(struct buf *out, int64_t ms)
{
    put_units(out, ms, 2, " ");
}

void duration_write(struct buf *out, int64_t ms)
{
    put_units(out, ms, INT_MAX, "");
}

int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

/* Exactly `digits` digits at *p as a number, or -1. */
static int number(const char **p, const char *end, int digits)
{
    int n = 0;
    for (int i = 0; i < digits; i++, (*p)++) {
        if (*p == end || **p < '0' || **p > '9')
            return -1;
        n = n * 10 + (**p - '0');
    }
    return n;
}

static bool literal(const char **p, const char *end, const char *any_of)
{
    if (*p == end || **p == '\0' || strchr(any_of, **p) == NULL)
        return false;
    (*p)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* The fraction after the point, as nanoseconds; digits beyond nine are dropped. */
static bool fraction(const char **p, const char *end, int32_t *nanos)
{
    int32_t scale = 100000000;
    const char *start = *p;
    *nanos = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        *nanos += (**p - '0') * scale;
    return *p > start;
}

/* `Z`, `+hh:mm`, `-hh:mm` or nothing, as seconds east of UTC. */
static bool zone(const char **p, const char *end, int *east)
{
    *east = 0;
    if (*p == end || literal(p, end, "Zz"))
        return true;
    int sign = **p == '-' ? -1 : 1;
    if (!literal(p, end, "+-"))
        return false;
    int hours = number(p, end, 2);
    (void)literal(p, end, ":");
    int minutes = number(p, end, 2);
    *east = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

bool time_parse(struct str text, int64_t *seconds, int32_t *nanos)
{
    const char *p = text.p;
    const char *end = text.p + text.n;
    int east;
    *nanos = 0;
    int year = number(&p, end, 4);
    if (year < 1 || !literal(&p, end, "-"))
        return false;
    int month = number(&p, end, 2);
    if (month < 1 || month > 12 || !literal(&p, end, "-"))
        return false;
    int day = number(&p, end, 2);
    if (day < 1 || day > days_in_month(year, month) || !literal(&p, end, "Tt "))
        return false;
    int hour = number(&p, end, 2);
    if (hour < 0 || hour > 23 || !literal(&p, end, ":"))
        return false;
    int minute = number(&p, end, 2);
    if (minute < 0 || minute > 59 || !literal(&p, end, ":"))
        return false;
    int second = number(&p, end, 2);
    if (second < 0 || second > 59)
        return false;
    if (literal(&p, end, ".") && !fraction(&p, end, nanos))
        return false;
    if (!zone(&p, end, &east) || p != end)
        return false;
    *seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east;
    return *seconds >= -INT64_C(62135596800) && *seconds <= INT64_C(253402300799);
}

bool time_parse_ms(struct str text, int64_t *ms)
{
    int64_t seconds;
    int32_t nanos;
    if (!time_parse(text, &seconds, &nanos))
        return false;
    *ms = seconds * 1000 + nanos / 1000000;
    return true;
}

static void print_seconds(struct buf *out, int64_t seconds)
{
    int year;
    int month;
    int day;
    int64_t days = floor_div(seconds, 86400);
    int of_day = (int)(seconds - days * 86400);
    civil_from_days(days, &year, &month, &day);
    const struct {
        int number;
        size_t width;
        char after;
    } parts[] = {{year < 0 ? -year : year, 4, '-'}, {month, 2, '-'},    {day, 2, 'T'}, {of_day / 3600, 2, ':'},
                 {of_day / 60 % 60, 2, ':'},        {of_day % 60, 2, 0}};
    if (year < 0)
        buf_byte(out, '-');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_digits(out, (uint64_t)parts[i].number, parts[i].width);
        if (parts[i].after != 0)
            buf_byte(out, (uint8_t)parts[i].after);
    }
}

void time_print_ms(struct buf *out, int64_t ms)
{
    print_seconds(out, floor_div(ms, 1000));
    buf_byte(out, '.');
    buf_digits(out, (uint64_t)floor_mod(ms, 1000), 3);
    buf_byte(out, 'Z');
}

void time_print(struct buf *out, int64_t seconds, int32_t nanos)
{
    print_seconds(out, seconds);
    if (nanos % 1000000 == 0 && nanos != 0)
        buf_printf(out, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0 && nanos != 0)
        buf_printf(out, ".%06d", nanos / 1000);
    else if (nanos != 0)
        buf_printf(out, ".%09d", nanos);
    buf_byte(out, 'Z');
}
