/* Windows [k slide, k slide + size) from the epoch, and periods of a calendar.
 *
 * A calendar window begins at the first instant whose local date is its first day's or a later one. So windows follow
 * upon each other without a gap, whatever the clocks do: where midnight does not exist the window begins behind the
 * gap, where it comes twice at the first, and a date that a zone left out has none. */
#include "detect/span.h"

/* Beyond any event's time, so that adding spans does not overflow. */
static const int64_t TIME_MS_MAX = INT64_MAX / 4;

static int64_t bounded(int64_t ms)
{
    return ms < -TIME_MS_MAX ? -TIME_MS_MAX : ms > TIME_MS_MAX ? TIME_MS_MAX : ms;
}

/* The local date at the instant. */
static int64_t date_at(const struct window *window, int64_t ms)
{
    int64_t seconds = floor_div(ms, 1000);
    return floor_div(window->zone == NULL ? seconds : seconds + cel_zone_east(window->zone, seconds), 86400);
}

/* The first day of the period that holds the day, or of the one `later` periods on. */
static int64_t period(const struct window *window, int64_t days, int later)
{
    int year;
    int month;
    int day;
    if (window->calendar == CALENDAR_DAY)
        return days + later;
    if (window->calendar == CALENDAR_WEEK)
        return days - floor_mod(days + 3, 7) + 7 * (int64_t)later; /* 1970-01-01 was a Thursday */
    civil_from_days(days, &year, &month, &day);
    int length = window->calendar == CALENDAR_QUARTER ? 3 : 1;
    month = (month - 1) / length * length + 1 + later * length;
    return days_from_civil(year + (month - 1) / 12, (month - 1) % 12 + 1, 1);
}

static int64_t start_of(const struct window *window, int64_t days)
{
    return 1000 * (window->zone == NULL ? days * 86400 : cel_zone_date_start(window->zone, days));
}

/* The greatest start of a period that is at or before `ms`, and the least after it. */
static struct span period_at(const struct window *window, int64_t ms)
{
    int64_t days = period(window, date_at(window, ms), 0);
    struct span span = {start_of(window, days), 0};
    for (;;) { /* once, but where clocks go back over midnight, or a zone leaves a date out */
        days = period(window, days, 1);
        span.end_ms = start_of(window, days);
        if (span.end_ms > ms)
            return span;
        span.start_ms = span.end_ms;
    }
}

int64_t span_end_after(const struct window *window, int64_t after_ms)
{
    after_ms = bounded(after_ms);
    if (window->kind == WINDOW_CALENDAR)
        return period_at(window, after_ms).end_ms;
    return (floor_div(after_ms - window->size_ms, window->slide_ms) + 1) * window->slide_ms + window->size_ms;
}

int64_t span_next_end(const struct window *window, int64_t end_ms)
{
    return window->kind == WINDOW_CALENDAR ? span_end_after(window, end_ms) : bounded(end_ms) + window->slide_ms;
}

int64_t span_end_before(const struct window *window, int64_t end_ms)
{
    return window->kind == WINDOW_CALENDAR ? span_start(window, end_ms) : bounded(end_ms) - window->slide_ms;
}

int64_t span_start(const struct window *window, int64_t end_ms)
{
    if (window->kind == WINDOW_CALENDAR)
        return period_at(window, bounded(end_ms) - 1).start_ms;
    return bounded(end_ms) - window->size_ms;
}

int64_t span_end_ago(const struct window *window, int64_t end_ms, int64_t ago_ms)
{
    if (window->kind == WINDOW_CALENDAR)
        return ago_ms > 0 ? span_end_before(window, end_ms) : end_ms;
    return bounded(end_ms) - ago_ms;
}

int64_t span_end_last(const struct window *window, int64_t time_ms, int64_t ago_ms)
{
    time_ms = bounded(time_ms);
    if (window->kind != WINDOW_CALENDAR)
        return floor_div(time_ms + ago_ms, window->slide_ms) * window->slide_ms + window->size_ms;
    int64_t end_ms = span_end_after(window, time_ms);
    return ago_ms > 0 ? span_next_end(window, end_ms) : end_ms;
}

struct span span_pane(const struct window *window, int64_t time_ms)
{
    time_ms = bounded(time_ms);
    struct span whole = {0, INT64_MAX};
    if (window->kind == WINDOW_CALENDAR)
        whole = period_at(window, time_ms);
    int64_t start_ms = whole.start_ms + floor_div(time_ms - whole.start_ms, window->pane_ms) * window->pane_ms;
    int64_t end_ms = start_ms + window->pane_ms;
    return (struct span){start_ms, end_ms < whole.end_ms ? end_ms : whole.end_ms};
}
