/* Time zones by their IANA name, read from the system's zoneinfo (TZif, RFC 8536), and fixed offsets.
 *
 * A zone is loaded when an expression is compiled and kept in its arena. Beyond the file's last transition its footer,
 * a POSIX TZ rule, says what holds.
 */
#include "rule/cel_code.h"

#include <stdio.h>
#include <stdlib.h>

enum { ZONE_FILE_MAX = 256 * 1024, EAST_MAX = 26 * 3600 /* RFC 8536, section 3.2 */ };

/* `Mm.w.d/time`: week 5 is the last; at seconds of local time. */
struct change {
    int month, week, day;
    int32_t at;
};

struct cel_zone {
    size_t n;
    const int64_t *times; /* transitions, ascending */
    const int32_t *easts; /* what holds from each on */
    int32_t first;        /* what holds before all */
    bool has_rule;
    bool has_summer;
    int32_t winter, summer; /* the rule's offsets */
    struct change start, end;
};

bool cel_zone_fixed(struct str name, int32_t *east)
{
    size_t i = 0;
    int32_t sign = 1;
    int32_t parts[2] = {0, 0};
    if (str_is(name, "UTC") || str_is(name, "GMT") || str_is(name, "Z")) {
        *east = 0;
        return true;
    }
    if (name.n > 0 && (name.p[0] == '+' || name.p[0] == '-')) {
        sign = name.p[0] == '-' ? -1 : 1;
        i++;
    }
    for (int part = 0; part < 2; part++) {
        size_t digits = 0;
        for (; i < name.n && name.p[i] >= '0' && name.p[i] <= '9' && digits < 2; i++, digits++)
            parts[part] = parts[part] * 10 + (name.p[i] - '0');
        if (digits == 0 || (part == 0 && (i >= name.n || name.p[i++] != ':')))
            return false;
    }
    *east = sign * (parts[0] * 3600 + parts[1] * 60);
    return i == name.n && parts[0] <= 23 && parts[1] <= 59;
}

/* Names are path components of letters, digits, _ + - and single slashes: none leaves the folder. */
static bool safe_name(struct str name)
{
    if (name.n == 0 || name.n > 60 || name.p[0] == '/')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && c != '+' && c != '-' && c != '/')
            return false;
    }
    return true;
}

/* A POSIX TZ text's parts, each moving *p on. */
static bool skip_zone_name(const char **p)
{
    const char *start = *p;
    if (**p == '<') {
        while (**p != '\0' && **p != '>')
            (*p)++;
        return *(*p)++ == '>';
    }
    while ((**p >= 'a' && **p <= 'z') || (**p >= 'A' && **p <= 'Z'))
        (*p)++;
    return *p > start;
}

/* [+-]h[h[h]][:mm[:ss]] as seconds. */
static bool posix_time(const char **p, int32_t *seconds)
{
    int32_t sign = **p == '-' ? -1 : 1;
    int32_t unit = 3600;
    if (**p == '-' || **p == '+')
        (*p)++;
    *seconds = 0;
    for (int part = 0; part < 3; part++, unit /= 60) {
        int32_t n = 0;
        int digits = 0;
        for (; **p >= '0' && **p <= '9' && digits < 3; (*p)++, digits++)
            n = n * 10 + (**p - '0');
        if (digits == 0)
            return false;
        *seconds += n * unit;
        if (**p != ':')
            break;
        (*p)++;
    }
    *seconds *= sign;
    return true;
}

static bool small_number(const char **p, int *n, int min, int max)
{
    *n = 0;
    const char *start = *p;
    while (**p >= '0' && **p <= '9' && *p < start + 2)
        *n = *n * 10 + (*(*p)++ - '0');
    return *p > start && *n >= min && *n <= max;
}

/* `,Mm.w.d[/time]`. */
static bool posix_change(const char **p, struct change *change)
{
    change->at = 7200;
    if (*(*p)++ != ',' || *(*p)++ != 'M' || !small_number(p, &change->month, 1, 12) || *(*p)++ != '.' ||
        !small_number(p, &change->week, 1, 5) || *(*p)++ != '.' || !small_number(p, &change->day, 0, 6))
        return false;
    if (**p != '/')
        return true;
    (*p)++;
    return posix_time(p, &change->at);
}

/* `CET-1CEST,M3.5.0,M10.5.0/3`. Rules by day number are not understood: then the last transition goes on. */
static void parse_rule(struct cel_zone *zone, const char *p)
{
    int32_t west;
    if (!skip_zone_name(&p) || !posix_time(&p, &west))
        return;
    zone->winter = -west;
    if (*p != '\0') {
        if (!skip_zone_name(&p))
            return;
        zone->summer = zone->winter + 3600;
        if (*p != ',') {
            if (!posix_time(&p, &west))
                return;
            zone->summer = -west;
        }
        if (!posix_change(&p, &zone->start) || !posix_change(&p, &zone->end) || *p != '\0')
            return;
        zone->has_summer = true;
    }
    zone->has_rule = true;
}

static int64_t read_i64(struct reader *r)
{
    return (int64_t)read_u64(r);
}

struct tzif_counts {
    uint32_t utc, standard, leap, times, types, chars;
};

static bool read_header(struct reader *r, struct tzif_counts *c, int *version)
{
    uint32_t magic = read_u32(r);
    *version = read_byte(r);
    for (int i = 0; i < 15; i++)
        (void)read_byte(r);
    c->utc = read_u32(r);
    c->standard = read_u32(r);
    c->leap = read_u32(r);
    c->times = read_u32(r);
    c->types = read_u32(r);
    c->chars = read_u32(r);
    return !r->failed && magic == 0x545A6966 && c->types > 0 && c->types <= 256 && c->times <= ZONE_FILE_MAX / 9;
}

static bool skip(struct reader *r, uint64_t n)
{
    if (n > reader_left(r))
        return false;
    r->p += n;
    return true;
}

/* The second, 64-bit block and the footer; files of version 1 are not written any more. */
static bool parse_tzif(struct arena *arena, struct str file, struct cel_zone *zone)
{
    struct reader r = reader_of(file.p, file.n);
    struct tzif_counts c;
    int version;
    if (!read_header(&r, &c, &version) || version < '2')
        return false;
    if (!skip(&r,
              (uint64_t)c.times * 5 + (uint64_t)c.types * 6 + c.chars + (uint64_t)c.leap * 8 + c.standard + c.utc) ||
        !read_header(&r, &c, &version) || (uint64_t)c.times * 9 + (uint64_t)c.types * 6 > reader_left(&r))
        return false;
    int64_t *times = arena_alloc(arena, c.times * sizeof *times);
    int32_t *easts = arena_alloc(arena, c.times * sizeof *easts);
    int32_t types[256];
    const uint8_t *indices = r.p + (size_t)c.times * 8;
    for (uint32_t i = 0; i < c.times; i++)
        times[i] = read_i64(&r);
    r.p += c.times;
    for (uint32_t i = 0; i < c.types; i++) {
        types[i] = (int32_t)read_u32(&r);
        (void)read_u16(&r);
    }
    for (uint32_t i = 0; i < c.times; i++) {
        if (indices[i] >= c.types)
            return false;
        easts[i] = types[indices[i]];
    }
    *zone = (struct cel_zone){.n = c.times, .times = times, .easts = easts, .first = types[0]};
    if (!skip(&r, (uint64_t)c.chars + (uint64_t)c.leap * 12 + c.standard + c.utc) || read_byte(&r) != '\n')
        return !r.failed;
    char rule[80];
    size_t n = reader_left(&r) > 0 ? reader_left(&r) - 1 : 0;
    if (n >= sizeof rule)
        return true;
    memcpy(rule, r.p, n);
    rule[n] = '\0';
    parse_rule(zone, rule);
    return true;
}

int cel_zone_load(struct arena *arena, struct str name, const struct cel_zone **out, char *why, size_t why_size)
{
    char path[100];
    struct cel_zone *zone = arena_zalloc(arena, sizeof *zone);
    *out = zone;
    if (cel_zone_fixed(name, &zone->first))
        return 0;
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
    FILE *f = safe_name(name) ? fopen(path, "rb") : NULL;
    if (f == NULL) {
        (void)snprintf(why, why_size, "'%.*s' is no time zone; written Europe/Berlin, UTC or +02:00",
                       (int)(name.n > 60 ? 60 : name.n), name.p);
        return -1;
    }
    char *bytes = mem_alloc(ZONE_FILE_MAX);
    size_t n = fread(bytes, 1, ZONE_FILE_MAX, f);
    (void)fclose(f);
    bool ok = parse_tzif(arena, (struct str){bytes, n}, zone);
    free(bytes);
    if (!ok)
        (void)snprintf(why, why_size, "the file of the time zone %.*s cannot be read", STR_ARG(name));
    return ok ? 0 : -1;
}

/* Seconds since the epoch, in local time, at which the change happens in that year. */
static int64_t change_time(const struct change *change, int year)
{
    int64_t first = days_from_civil(year, change->month, 1);
    int64_t weekday = floor_mod(first + 4, 7); /* 1970-01-01 was a Thursday */
    int64_t day = first + floor_mod(change->day - weekday, 7) + 7 * ((int64_t)change->week - 1);
    int64_t next = change->month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, change->month + 1, 1);
    while (day >= next)
        day -= 7;
    return day * 86400 + change->at;
}

static int32_t rule_east(const struct cel_zone *zone, int64_t seconds)
{
    int year;
    int month;
    int day;
    if (!zone->has_summer)
        return zone->winter;
    civil_from_days(floor_div(seconds + zone->winter, 86400), &year, &month, &day);
    int64_t start = change_time(&zone->start, year) - zone->winter;
    int64_t end = change_time(&zone->end, year) - zone->summer;
    bool summer = start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
    return summer ? zone->summer : zone->winter;
}

int32_t cel_zone_east(const struct cel_zone *zone, int64_t seconds)
{
    if (zone->n == 0 || seconds < zone->times[0])
        return zone->n == 0 && zone->has_rule ? rule_east(zone, seconds) : zone->first;
    if (zone->has_rule && seconds >= zone->times[zone->n - 1])
        return rule_east(zone, seconds);
    size_t low = 0;
    size_t high = zone->n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= seconds)
            low = middle;
        else
            high = middle;
    }
    return zone->easts[low];
}

/* The first of a rule's changes after the instant. */
static int64_t rule_change_after(const struct cel_zone *zone, int64_t seconds)
{
    int year;
    int month;
    int day;
    int64_t first = INT64_MAX;
    civil_from_days(floor_div(seconds, 86400), &year, &month, &day);
    for (int y = year - 1; y <= year + 1; y++) { /* a change can fall into another year by UTC than by local time */
        int64_t changes[] = {change_time(&zone->start, y) - zone->winter, change_time(&zone->end, y) - zone->summer};
        for (int i = 0; i < 2; i++)
            if (changes[i] > seconds && changes[i] < first)
                first = changes[i];
    }
    return first;
}

/* The first instant after the given one at which the offset may change; INT64_MAX: it stays. */
static int64_t change_after(const struct cel_zone *zone, int64_t seconds)
{
    if (zone->n == 0 || seconds >= zone->times[zone->n - 1])
        return zone->has_rule && zone->has_summer ? rule_change_after(zone, seconds) : INT64_MAX;
    size_t low = 0;
    size_t high = zone->n - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return zone->times[low];
}

int64_t cel_zone_date_start(const struct cel_zone *zone, int64_t days)
{
    int64_t midnight = days * 86400;
    int64_t from = midnight - EAST_MAX; /* the date has not begun */
    for (;;) {
        int64_t at = midnight - cel_zone_east(zone, from);
        int64_t change = change_after(zone, from);
        if (at < from)
            at = from;
        if (at < change)
            return at;
        from = change;
    }
}
