/* Histories: the shop's plan merged with its metrics, or metrics alone. */
#include "cli/history.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/history_shop.h"

enum { SAMPLE_MS = 10 * MINUTE_MS, PAIRS_MAX = 10, SERVICE_NAME_BYTES = 20, POD_NAME_BYTES = 28 };

struct history {
    struct history_options options;
    struct history_random random;
    int64_t from_ms;
    struct shop_plan plan; /* of the shop */
    size_t next_update;
    int64_t step_ms; /* the shop's samples of one step are `series_at` series further */
    size_t series_at;
    uint64_t made; /* telemetry: events so far */
    char service[SERVICE_NAME_BYTES];
    char pod[POD_NAME_BYTES];
    struct value pairs[2 * PAIRS_MAX]; /* the record in hand */
    struct value labels[4];
};

/* A metric of a service, every ten minutes or, what moves slowly, every thirty: between `low` at night and `high` in
 * the evening. */
struct series {
    int service;
    const char *name;
    const char *unit;
    double low;
    double high;
    double noise;
    int every; /* so many steps */
};

#define USUAL(service, cpu, memory, latency)                                                                           \
    {service, "cpu_usage", "percent", cpu, (cpu) + 25, 4, 3},                                                          \
        {service, "memory_usage", "percent", memory, (memory) + 6, 2, 3},                                              \
        {service, "request_latency_ms", "ms", latency, (latency) * 1.3, (latency) * 0.1, 1}

static const struct series shop_series[] = {
    {0, "cpu_usage", "percent", 38, 63, 4, 1},
    {0, "memory_usage", "percent", 45, 51, 2, 3},
    {0, "request_latency_ms", "ms", 80, 104, 8, 1},
    {0, "http_requests_per_second", "1/s", 240, 820, 30, 1},
    {0, "connections_active", "", 40, 160, 8, 1},
    USUAL(1, 22, 40, 12),
    {1, "redis_connection_errors", "", 0, 0, 0, 1},
    USUAL(2, 18, 35, 9),
    USUAL(SHOP_CURRENCY, 12, 30, 120),
    USUAL(4, 10, 32, 30),
    USUAL(5, 9, 28, 18),
    USUAL(6, 8, 30, 40),
    USUAL(7, 25, 42, 210),
    USUAL(8, 30, 52, 35),
    USUAL(9, 14, 33, 22),
    {SHOP_REDIS, "cpu_usage", "percent", 15, 30, 3, 3},
    {SHOP_REDIS, "memory_usage", "percent", 55, 60, 1, 1},
};
#define SERIES (sizeof shop_series / sizeof *shop_series)

static const struct {
    const char *name;
    const char *unit;
    int64_t most;
} telemetry_names[] = {
    {"request_latency_ms", "ms", 400},        {"cpu_usage", "percent", 100},
    {"memory_usage", "percent", 100},         {"error_rate", "percent", 5},
    {"http_requests_per_second", "1/s", 900}, {"connections_active", "", 200},
    {"disk_usage", "percent", 100},           {"redis_connection_errors", "", 10},
};
#define TELEMETRY_NAMES ((int64_t)(sizeof telemetry_names / sizeof *telemetry_names))

struct history *history_new(const struct history_options *options)
{
    struct history *history = mem_zalloc(sizeof *history);
    history->options = *options;
    history->random.state = options->seed;
    if (options->scenario == HISTORY_SHOP) {
        int64_t midnight_ms = floor_div(options->end_ms, DAY_MS) * DAY_MS;
        history->from_ms = midnight_ms - options->days * (int64_t)DAY_MS;
        history->step_ms = history->from_ms;
        shop_plan_make(&history->plan, &history->random, history->from_ms, midnight_ms);
    } else {
        history->from_ms = options->end_ms - (int64_t)((double)options->events * 1000 / options->rate) - 1;
    }
    return history;
}

void history_free(struct history *history)
{
    if (history == NULL)
        return;
    shop_plan_fini(&history->plan);
    free(history);
}

uint64_t history_count(const struct history *history)
{
    if (history->options.scenario == HISTORY_TELEMETRY)
        return history->options.events;
    uint64_t steps = (uint64_t)((history->options.end_ms - history->from_ms) / SAMPLE_MS);
    uint64_t samples = 0;
    for (size_t i = 0; i < SERIES; i++)
        samples += (steps + (uint64_t)shop_series[i].every - 1) / (uint64_t)shop_series[i].every;
    return samples + history->plan.update_count;
}

/* From 0 at eight in the morning to 1 at eight in the evening, UTC, and back. */
static double daytime(int64_t time_ms)
{
    int64_t hour_8_ms = floor_mod(time_ms - 8 * (int64_t)HOUR_MS, DAY_MS);
    double half = (double)DAY_MS / 2;
    return (double)hour_8_ms < half ? (double)hour_8_ms / half : 2 - (double)hour_8_ms / half;
}

/* From 0 just after the last trouble of a cause to 1 at the next one: what grows until it breaks. */
static double grown(const struct history *history, int service, const char *cause, int64_t time_ms)
{
    if (time_ms >= shop_cured_ms(&history->plan, service, cause))
        return 0;
    int64_t last_ms = history->from_ms;
    int64_t next_ms = history->options.end_ms;
    for (size_t i = 0; i < history->plan.trouble_count; i++) {
        const struct shop_trouble *trouble = &history->plan.troubles[i];
        if (trouble->service != service || strcmp(trouble->cause, cause) != 0)
            continue;
        if (trouble->from_ms > time_ms) {
            next_ms = trouble->from_ms;
            break;
        }
        last_ms = trouble->from_ms;
    }
    return (double)(time_ms - last_ms) / (double)(next_ms - last_ms + 1);
}

/* The cause from which the service suffers; NULL: none. */
static const char *suffers(const struct history *history, int service, int64_t time_ms)
{
    for (size_t i = 0; i < history->plan.trouble_count; i++) {
        const struct shop_trouble *trouble = &history->plan.troubles[i];
        if (trouble->from_ms > time_ms)
            break;
        if (trouble->service == service && time_ms < trouble->to_ms)
            return trouble->cause;
    }
    return NULL;
}

/* What a trouble does to a metric. */
static double troubled(const struct series *series, const char *cause, double value)
{
    bool load = strcmp(cause, "cpu_saturation") == 0;
    if (strcmp(series->name, "request_latency_ms") == 0)
        return value * (strcmp(cause, "ecb_api_timeout") == 0 ? 14 : 4);
    if (strcmp(series->name, "redis_connection_errors") == 0 && strncmp(cause, "redis_", 6) == 0)
        return 40 + value;
    if (load && strcmp(series->name, "cpu_usage") == 0)
        return 90 + value / 20;
    if (load && strcmp(series->name, "http_requests_per_second") == 0)
        return value * 2;
    return value;
}

static double hundredths(double value)
{
    return (double)(int64_t)(value * 100 + 0.5) / 100;
}

static double sample(struct history *history, const struct series *series, int64_t time_ms)
{
    double value = series->low + (series->high - series->low) * daytime(time_ms);
    value += series->noise * (double)history_between(&history->random, -1000, 1000) / 1000;
    bool memory = strcmp(series->name, "memory_usage") == 0;
    if (memory && strcmp(shop_services[series->service], "recommendationservice") == 0)
        value += 40 * grown(history, series->service, "oom_killed", time_ms);
    if (memory && series->service == SHOP_REDIS)
        value += 38 * grown(history, 1, "redis_oom", time_ms);
    const char *cause = suffers(history, series->service, time_ms);
    if (cause != NULL)
        value = troubled(series, cause, value);
    /* Rates come from the cache. */
    if (series->service == SHOP_CURRENCY && strcmp(series->name, "request_latency_ms") == 0 &&
        time_ms >= shop_cured_ms(&history->plan, SHOP_CURRENCY, "ecb_api_timeout"))
        value *= 0.36;
    bool share = strcmp(series->unit, "percent") == 0;
    return hundredths(value < 0 ? 0 : share && value > 100 ? 100 : value);
}

struct metric {
    const char *service;
    const char *name;
    const char *unit;
    double value;
    const char *pod; /* NULL: no labels */
};

/* In order of the stream's fields. */
static void put_metric(struct history *history, const struct metric *metric, int64_t time_ms,
                       struct history_event *event)
{
    struct value *pairs = history->pairs;
    size_t n = 0;
    pairs[n++] = value_text("kind");
    pairs[n++] = value_text("metric");
    pairs[n++] = value_text("service");
    pairs[n++] = value_text(metric->service);
    pairs[n++] = value_text("environment");
    pairs[n++] = value_text("production");
    pairs[n++] = value_text("name");
    pairs[n++] = value_text(metric->name);
    pairs[n++] = value_text("value");
    pairs[n++] = value_double(metric->value);
    if (metric->unit[0] != '\0') {
        pairs[n++] = value_text("unit");
        pairs[n++] = value_text(metric->unit);
    }
    pairs[n++] = value_text("occurred_at");
    pairs[n++] = value_time_ms(time_ms);
    if (metric->pod != NULL) {
        history->labels[0] = value_text("pod");
        history->labels[1] = value_text(metric->pod);
        history->labels[2] = value_text("zone");
        history->labels[3] = value_text("eu-1a");
        pairs[n++] = value_text("labels");
        pairs[n++] = value_map(history->labels, 2);
    }
    ASSERT(n <= sizeof history->pairs / sizeof *history->pairs);
    event->stream = STREAM_TELEMETRY;
    event->time_ms = time_ms;
    event->key = str_of(metric->service);
    event->record = value_map(pairs, n / 2);
}

/* When the shop's next sample is due: those of a step follow each other by five seconds. */
static int64_t sample_due(const struct history *history)
{
    return history->step_ms + (int64_t)history->series_at * 5 * SECOND_MS;
}

static bool next_sample(struct history *history, struct history_event *event)
{
    int64_t time_ms = sample_due(history);
    if (history->step_ms + SAMPLE_MS > history->options.end_ms)
        return false;
    const struct series *series = &shop_series[history->series_at];
    const struct metric metric = {.service = shop_services[series->service],
                                  .name = series->name,
                                  .unit = series->unit,
                                  .value = sample(history, series, time_ms)};
    put_metric(history, &metric, time_ms, event);
    event->part = (int)history->series_at;
    do {
        if (++history->series_at == SERIES) {
            history->series_at = 0;
            history->step_ms += SAMPLE_MS;
        }
    } while ((history->step_ms - history->from_ms) / SAMPLE_MS % shop_series[history->series_at].every != 0);
    return true;
}

static bool next_of_shop(struct history *history, struct history_event *event)
{
    if (history->next_update < history->plan.update_count) {
        const struct shop_update *update = &history->plan.updates[history->next_update];
        if (update->time_ms < sample_due(history) || history->step_ms + SAMPLE_MS > history->options.end_ms) {
            history->next_update++;
            *event = (struct history_event){update->stream, update->time_ms, update->service, str_of(update->key),
                                            update->record};
            return true;
        }
    }
    return next_sample(history, event);
}

static bool next_of_telemetry(struct history *history, struct history_event *event)
{
    if (history->made == history->options.events)
        return false;
    int64_t time_ms = history->from_ms + (int64_t)((double)history->made * 1000 / history->options.rate);
    int64_t service = history_below(&history->random, history->options.services);
    int64_t name = history_below(&history->random, TELEMETRY_NAMES);
    (void)snprintf(history->service, sizeof history->service, "service-%04d", (int)service);
    (void)snprintf(history->pod, sizeof history->pod, "service-%04d-%02d", (int)service,
                   (int)history_below(&history->random, 8));
    const struct metric metric = {
        .service = history->service,
        .name = telemetry_names[name].name,
        .unit = telemetry_names[name].unit,
        .value = (double)history_below(&history->random, telemetry_names[name].most * 100) / 100,
        .pod = history->pod,
    };
    put_metric(history, &metric, time_ms, event);
    event->part = (int)service;
    history->made++;
    return true;
}

bool history_next(struct history *history, struct history_event *event)
{
    return history->options.scenario == HISTORY_SHOP ? next_of_shop(history, event) : next_of_telemetry(history, event);
}

void history_line(struct buf *line, const struct history_event *event)
{
    buf_printf(line, "{\"stream\":\"%s\",", stream_get(event->stream)->name);
    size_t brace = line->len;
    value_json(line, event->record);
    memmove(line->p + brace, line->p + brace + 1, line->len - brace - 1);
    line->p[line->len - 1] = '\n';
}
