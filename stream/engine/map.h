/* The first half of the data path: decode, check, match, fold or forward. Keeps no durable state.
 *
 *     record -> size -> decode -> future? -> late? -> rows: forward | rules' inputs: fold into panes, or forward
 *                                 feedback: its record's time, never late -> forward
 *
 * Bad input goes to dead letter with its reason and the stream goes on.
 */
#ifndef FORESTALL_ENGINE_MAP_H
#define FORESTALL_ENGINE_MAP_H

#include "codec/decoder.h"
#include "engine/exchange.h"
#include "engine/outbox.h"
#include "engine/watermark.h"
#include "io/source.h"
#include "rule/index.h"

struct map_counters {
    uint64_t records;     /* read */
    uint64_t events;      /* decoded and in time */
    uint64_t undecodable; /* dead letters by reason */
    uint64_t too_large;
    uint64_t tombstones; /* records without a value: skipped */
    uint64_t future;
    uint64_t late;    /* dead-lettered or dropped, as `late:` says */
    uint64_t matched; /* events that at least one input selected */
    uint64_t where_errors;
    uint64_t where_null_errors;
};

struct map_options {
    const struct ruleset *rules;
    const struct config *config;
    struct exchange *exchange; /* borrowed */
    struct outbox *outbox;     /* for dead letters; borrowed */
    struct watermark *watermark;
    const struct source_partition *partitions;
    size_t partition_count;
};

struct event_map;

/* ERROR_FATAL: a schema cannot be read. */
int event_map_new(struct event_map **map, const struct map_options *options, struct error *err) MUST_CHECK;
void event_map_free(struct event_map *map);
/* Records of a partition, in order. What they lead to is folded or sent; the records may go after the call.
 * `applied_ms`: what lies below was applied before a restart, and is left out. */
void event_map_records(struct event_map *map, size_t partition, const struct source_record *records, size_t n,
                       int64_t applied_ms);
/* An event that needs no decoding (tests of rules). */
void event_map_event(struct event_map *map, size_t partition, struct event *event, int64_t applied_ms);
/* Sends every partial to the exchange when one would be applied below `before_ms`. */
void event_map_flush(struct event_map *map, int64_t before_ms);
/* The memory that the partials take, roughly: for back pressure. */
size_t event_map_bytes(const struct event_map *map);
/* Drops the partials: memory is void. */
void event_map_clear(struct event_map *map);
const struct map_counters *event_map_counters(const struct event_map *map);
/* Goes on with another map's counts. */
void event_map_continue(struct event_map *map, const struct map_counters *counters);

#endif
