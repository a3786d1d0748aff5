/* Seeded histories of events, for trials, benches and the demo: the same options give the same events, byte for byte.
 *
 * Two scenarios. The shop: a month or so of the Online Boutique, with its incidents, deployments and metrics, and where
 * there is room for it (STORY_DAYS) what people did about what was recommended.
 * Telemetry: metrics of many services at a steady rate, as many as a bench wants. No clock, no libm: only integers and
 * the four operations, so that every machine makes the same numbers.
 */
#ifndef FORESTALL_CLI_HISTORY_H
#define FORESTALL_CLI_HISTORY_H

#include "event/stream.h"

enum history_scenario { HISTORY_SHOP, HISTORY_TELEMETRY };

struct history_options {
    enum history_scenario scenario;
    uint64_t seed;
    int64_t end_ms;  /* every event lies before it */
    int days;        /* of the shop: whole days before the day that it ends in, which has metrics only; 1 to 3650 */
    uint64_t events; /* of telemetry: how many */
    int services;    /* of telemetry: how many, 1 to 1,000,000 */
    double rate;     /* of telemetry: events a second of event time, over 0 */
};

struct history_event {
    enum stream_id stream;
    int64_t time_ms;
    int part;            /* a number of its service, or of its metric, for spreading over partitions */
    struct str key;      /* what a producer would key it by */
    struct value record; /* a map in the order of the stream's fields, nulls left out */
};

struct history;

struct history *history_new(const struct history_options *options);
void history_free(struct history *history);
/* The next event in order of time; it holds until the next call. False: there are no more. */
bool history_next(struct history *history, struct history_event *event);
/* Appends the event as a line of JSON, its stream first, as `forestall replay --file` reads it. */
void history_line(struct buf *line, const struct history_event *event);
/* How many events there will be in all, for progress. */
uint64_t history_count(const struct history *history);

#endif
