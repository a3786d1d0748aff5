/* Accessors of timestamps, in a time zone (UTC where none is given), and of durations. */
#include "rule/cel_code.h"

enum part { FULL_YEAR, MONTH, DATE, DAY_OF_MONTH, DAY_OF_WEEK, DAY_OF_YEAR, HOURS, MINUTES, SECONDS, MILLISECONDS };

/* A constant zone is loaded at compile time; any other when its name is met. */
static int prepare_zone(struct arena *arena, struct cel_budget *budget, struct cel_code *code, struct cel_error *err)
{
    (void)budget;
    char why[160];
    const struct cel_zone *zone;
    if (code->n < 2)
        return 0;
    const struct cel_code *name = code->kids[1];
    if (name->op != CEL_CONSTANT || name->constant.type != VALUE_STRING)
        return 0;
    if (cel_zone_load(arena, value_as_str(name->constant), &zone, why, sizeof why) != 0)
        return cel_fail(err, name->offset, "%s", why);
    code->prepared = zone;
    return 0;
}

/* The instant's seconds of local time; false with *error where the zone is none. */
static bool local_seconds(struct cel_call *call, int64_t *seconds, struct value *error)
{
    *seconds = call->args[0].i;
    if (call->n == 1)
        return true;
    struct str name = value_as_str(call->args[1]);
    const struct cel_zone *zone = call->code->prepared != NULL ? call->code->prepared : cel_zone_named(name);
    if (zone == NULL) {
        *error = cel_error_printf(call->run, "'%.*s' is no time zone; written Europe/Berlin, UTC or +02:00",
                                  (int)(name.n > 60 ? 60 : name.n), name.p);
        return false;
    }
    *seconds += cel_zone_east(zone, *seconds);
    return true;
}

static struct value timestamp_part(struct cel_call *call, enum part part)
{
    int64_t seconds;
    struct value error;
    int year;
    int month;
    int day;
    if (!local_seconds(call, &seconds, &error))
        return error;
    int64_t days = floor_div(seconds, 86400);
    int64_t of_day = floor_mod(seconds, 86400);
    civil_from_days(days, &year, &month, &day);
    switch (part) {
    case FULL_YEAR:
        return value_int(year);
    case MONTH:
        return value_int(month - 1);
    case DATE:
        return value_int(day);
    case DAY_OF_MONTH:
        return value_int(day - 1);
    case DAY_OF_WEEK: /* 0 is Sunday; 1970-01-01 was a Thursday */
        return value_int(floor_mod(days + 4, 7));
    case DAY_OF_YEAR:
        return value_int(days - days_from_civil(year, 1, 1));
    case HOURS:
        return value_int(of_day / 3600);
    case MINUTES:
        return value_int(of_day / 60 % 60);
    case SECONDS:
        return value_int(of_day % 60);
    default:
        return value_int(call->args[0].n / 1000000);
    }
}

/* Of a duration: it in whole hours, minutes, seconds, towards zero; its milliseconds are those within the second. */
static struct value duration_part(struct cel_call *call, enum part part)
{
    int64_t nanos;
    if (call->n > 1)
        return cel_no_overload(call->run, "a time zone", call->args, 1);
    if (!cel_nanos(call->args[0], &nanos))
        return cel_error_text("duration out of range: it is at most 292 years");
    int64_t seconds = nanos / 1000000000;
    switch (part) {
    case HOURS:
        return value_int(seconds / 3600);
    case MINUTES:
        return value_int(seconds / 60);
    case SECONDS:
        return value_int(seconds);
    default:
        return value_int(nanos % 1000000000 / 1000000);
    }
}

static struct value part_of(struct cel_call *call, enum part part)
{
    return call->args[0].type == VALUE_DURATION ? duration_part(call, part) : timestamp_part(call, part);
}

#define ACCESSOR(name, part)                                                                                           \
    static struct value name(struct cel_call *call)                                                                    \
    {                                                                                                                  \
        return part_of(call, part);                                                                                    \
    }
ACCESSOR(run_full_year, FULL_YEAR)
ACCESSOR(run_month, MONTH)
ACCESSOR(run_date, DATE)
ACCESSOR(run_day_of_month, DAY_OF_MONTH)
ACCESSOR(run_day_of_week, DAY_OF_WEEK)
ACCESSOR(run_day_of_year, DAY_OF_YEAR)
ACCESSOR(run_hours, HOURS)
ACCESSOR(run_minutes, MINUTES)
ACCESSOR(run_seconds, SECONDS)
ACCESSOR(run_milliseconds, MILLISECONDS)

#define TIME                     TAKES(VALUE_TIMESTAMP)
#define SPAN                     (TAKES(VALUE_TIMESTAMP) | TAKES(VALUE_DURATION))
#define ZONE                     TAKES(VALUE_STRING)
#define METHOD(name, takes, run) {name, FUNCTION_METHOD, 1, 2, VALUE_INT, {takes, ZONE}, run, prepare_zone}
const struct cel_function cel_time_functions[] = {
    METHOD("getFullYear", TIME, run_full_year),
    METHOD("getMonth", TIME, run_month),
    METHOD("getDate", TIME, run_date),
    METHOD("getDayOfMonth", TIME, run_day_of_month),
    METHOD("getDayOfWeek", TIME, run_day_of_week),
    METHOD("getDayOfYear", TIME, run_day_of_year),
    METHOD("getHours", SPAN, run_hours),
    METHOD("getMinutes", SPAN, run_minutes),
    METHOD("getSeconds", SPAN, run_seconds),
    METHOD("getMilliseconds", SPAN, run_milliseconds),
    {0},
};
