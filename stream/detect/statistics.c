/* Means and medians over incidents, and the distinct names among contributions. */
#include "detect/statistics.h"

#include <stdlib.h>

__extension__ typedef __int128 wide; /* sums of spans cannot overflow it */

struct incident {
    struct str id;
    int64_t start_ms;
    int64_t detected_ms; /* INT64_MAX: not known */
    int64_t end_ms;      /* INT64_MAX: not resolved */
};

static int order_incidents(const void *a, const void *b)
{
    return str_cmp(((const struct incident *)a)->id, ((const struct incident *)b)->id);
}

static int order_spans(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int order_names(const void *a, const void *b)
{
    return value_order(*(const struct value *)a, *(const struct value *)b);
}

static int64_t ms_or(struct value v, int64_t otherwise)
{
    return value_is_null(v) ? otherwise : value_ms(v);
}

static struct incident incident_of(const struct event *row)
{
    const struct value *v = row->values;
    bool resolved = v[INCIDENT_STATUS].type == VALUE_STRING && str_is(value_as_str(v[INCIDENT_STATUS]), "resolved");
    return (struct incident){
        .id = value_as_str(v[INCIDENT_ID]),
        .start_ms = ms_or(v[INCIDENT_STARTED_AT], row->time_ms),
        .detected_ms = ms_or(v[INCIDENT_DETECTED_AT], INT64_MAX),
        .end_ms = resolved ? ms_or(v[INCIDENT_RESOLVED_AT], INT64_MAX) : INT64_MAX,
    };
}

/* One element an incident: first start, first detection, last resolution (none while a row is unresolved). */
static size_t merge(struct incident *incidents, size_t n)
{
    size_t kept = 0;
    if (n > 0)
        qsort(incidents, n, sizeof *incidents, order_incidents);
    for (size_t i = 0; i < n; i++) {
        struct incident *last = kept > 0 ? &incidents[kept - 1] : NULL;
        if (last == NULL || !str_eq(last->id, incidents[i].id)) {
            incidents[kept++] = incidents[i];
            continue;
        }
        if (incidents[i].start_ms < last->start_ms)
            last->start_ms = incidents[i].start_ms;
        if (incidents[i].detected_ms < last->detected_ms)
            last->detected_ms = incidents[i].detected_ms;
        if (incidents[i].end_ms > last->end_ms)
            last->end_ms = incidents[i].end_ms;
    }
    return kept;
}

/* Mean (rounded to the nearest millisecond) and median of spans that are known and not negative. */
static void mean_and_median(int64_t *spans, size_t n, struct value *mean, struct value *median)
{
    *mean = *median = value_null();
    if (n == 0)
        return;
    qsort(spans, n, sizeof *spans, order_spans);
    wide sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += spans[i];
    *mean = value_span_ms((int64_t)((2 * sum + (wide)n) / (2 * (wide)n)));
    *median = value_span_ms(n % 2 == 1 ? spans[n / 2] : spans[n / 2 - 1] + (spans[n / 2] - spans[n / 2 - 1]) / 2);
}

void statistics_incidents(const struct contribution *contributions, size_t n, struct arena *arena, struct value *slots)
{
    struct incident *incidents = arena_alloc(arena, (n + 1) * sizeof *incidents);
    int64_t *detect = arena_alloc(arena, (n + 1) * sizeof *detect);
    int64_t *resolve = arena_alloc(arena, (n + 1) * sizeof *resolve);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (contributions[i].event->stream->id == STREAM_INCIDENT && !contributions[i].stands_for_many)
            incidents[count++] = incident_of(contributions[i].event);
    count = merge(incidents, count);
    size_t detected = 0;
    size_t resolved = 0;
    wide lost_ms = 0;
    for (size_t i = 0; i < count; i++) {
        if (incidents[i].detected_ms != INT64_MAX && incidents[i].detected_ms >= incidents[i].start_ms)
            detect[detected++] = incidents[i].detected_ms - incidents[i].start_ms;
        if (incidents[i].end_ms != INT64_MAX && incidents[i].end_ms >= incidents[i].start_ms) {
            lost_ms += incidents[i].end_ms - incidents[i].start_ms;
            resolve[resolved++] = incidents[i].end_ms - incidents[i].start_ms;
        }
    }
    slots[OUT_INCIDENTS] = value_double((double)count);
    slots[OUT_MINUTES_LOST] = value_double((double)lost_ms / MINUTE_MS);
    mean_and_median(detect, detected, &slots[OUT_MTTD], &slots[OUT_MTTD_MEDIAN]);
    mean_and_median(resolve, resolved, &slots[OUT_MTTR], &slots[OUT_MTTR_MEDIAN]);
}

static struct value sorted_distinct(struct value *names, size_t n)
{
    size_t kept = 0;
    if (n > 0)
        qsort(names, n, sizeof *names, order_names);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !value_eq(names[kept - 1], names[i]))
            names[kept++] = names[i];
    return value_list(names, kept);
}

void statistics_names(const struct contribution *contributions, size_t n, const struct str *more, size_t more_count,
                      struct arena *arena, struct value *slots)
{
    size_t refs = 0;
    for (size_t i = 0; i < n; i++)
        if (contributions[i].event->stream->id == STREAM_INCIDENT)
            refs += contributions[i].event->values[INCIDENT_CODE_REFS].n;
    struct value *services = arena_alloc(arena, (n + more_count + 1) * sizeof *services);
    struct value *paths = arena_alloc(arena, (refs + 1) * sizeof *paths);
    size_t service_count = 0;
    size_t path_count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct event *event = contributions[i].event;
        int field = event->stream->service_field;
        if (field >= 0 && event->values[field].type == VALUE_STRING)
            services[service_count++] = event->values[field];
        if (event->stream->id != STREAM_INCIDENT || event->values[INCIDENT_CODE_REFS].type != VALUE_LIST)
            continue;
        for (uint32_t k = 0; k < event->values[INCIDENT_CODE_REFS].n; k++)
            paths[path_count++] = event->values[INCIDENT_CODE_REFS].items[k];
    }
    for (size_t i = 0; i < more_count; i++)
        services[service_count++] = value_str(more[i]);
    slots[OUT_SERVICES] = sorted_distinct(services, service_count);
    slots[OUT_CODE_REFS] = sorted_distinct(paths, path_count);
}
