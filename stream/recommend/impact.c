/* Impact over the last 30 days. */
#include "recommend/impact.h"

static void count(struct impact *impact, int weight, int *worst, int64_t since_ms)
{
    impact->score += weight;
    impact->frequency++;
    if (weight > *worst)
        *worst = weight;
    int64_t leaves_ms = since_ms + IMPACT_SPAN_MS;
    int64_t midnight_ms = floor_div(leaves_ms + DAY_MS - 1, DAY_MS) * DAY_MS;
    if (midnight_ms < impact->falls_ms)
        impact->falls_ms = midnight_ms;
}

static bool counts(int64_t since_ms, int64_t time_ms)
{
    return since_ms > time_ms - IMPACT_SPAN_MS && since_ms <= time_ms;
}

/* One incident: `rows` are all that is remembered of it. */
static void add_incident(struct impact *impact, struct remembered *const *rows, size_t row_count, int *worst,
                         int64_t time_ms)
{
    int64_t opened_ms = INT64_MAX;
    int64_t start_ms = INT64_MAX;
    int64_t end_ms = INT64_MIN;
    int weight = 0;
    for (size_t i = 0; i < row_count; i++) {
        const struct remembered *row = rows[i];
        if (!row->selected)
            continue;
        opened_ms = row->opened_ms < opened_ms ? row->opened_ms : opened_ms;
        start_ms = row->start_ms < start_ms ? row->start_ms : start_ms;
        end_ms = row->end_ms > end_ms ? row->end_ms : end_ms;
        weight = row->weight > weight ? row->weight : weight;
    }
    if (opened_ms == INT64_MAX || !counts(opened_ms, time_ms))
        return;
    count(impact, weight, worst, opened_ms);
    impact->incidents++;
    if (end_ms != INT64_MIN && end_ms >= start_ms)
        impact->lost_ms += end_ms - start_ms;
}

static struct str severity_of(int weight)
{
    static const char *const severities[] = {"sev1", "sev2", "sev3", "sev4", "sev5"};
    for (size_t i = 0; i < sizeof severities / sizeof *severities; i++)
        if (severity_weight(str_of(severities[i])) == weight)
            return str_of(severities[i]);
    return (struct str){0};
}

struct impact impact_at(const struct recommendation *it, struct impact_limits limits, int64_t time_ms)
{
    struct impact impact = {.falls_ms = INT64_MAX};
    int worst = 0;
    for (size_t from = 0, end; it->had_incident && from < it->row_count; from = end) {
        end = remembered_incident_end(it->rows, it->row_count, from);
        if (remembered_is_incident(it->rows[from]))
            add_incident(&impact, it->rows + from, end - from, &worst, time_ms);
    }
    for (size_t i = 0; !it->had_incident && i < it->day_count; i++)
        if (counts(it->days[i] * DAY_MS, time_ms))
            count(&impact, it->is.rule->recommend->severity_weight, &worst, it->days[i] * DAY_MS);
    impact.severity = severity_of(worst);
    double score = (double)impact.score;
    impact.level = score >= limits.high ? IMPACT_HIGH : score >= limits.medium ? IMPACT_MEDIUM : IMPACT_LOW;
    return impact;
}

const char *impact_level_name(enum impact_level level)
{
    static const char *const names[] = {"low", "medium", "high"};
    return names[level];
}

const char *impact_priority(enum impact_level level, bool complexity_high)
{
    static const char *const priorities[][2] = {{"P4", "P4"}, {"P2", "P3"}, {"P0", "P1"}};
    return priorities[level][complexity_high];
}
