/* The bytes of exchange records: one writer and one reader an item. Reading takes hostile bytes: a record that is not
 * ours, or damaged, is an error, and nothing of it was handed over beyond the items before the damage. */
#ifndef FORESTALL_ENGINE_EXCHANGE_WIRE_H
#define FORESTALL_ENGINE_EXCHANGE_WIRE_H

#include "base/map.h"
#include "engine/exchange_log.h"

enum { WIRE_VERSION = 2 };

/* `scratch` is the caller's, its contents are lost. The pane stays the caller's. */
void wire_put_partial(struct buf *out, const struct ruleset *rules, const struct exchange_partial *partial,
                      struct buf *scratch);
/* `sources`: the configuration's, of which the event's position names one. It is written by its topic, for the reader's
 * numbers are others where a source came or went. */
void wire_put_update(struct buf *out, const struct config_source *sources, const struct event *event);
void wire_put_event(struct buf *out, const struct ruleset *rules, const struct event *event,
                    const struct exchange_match *matches, size_t n);
void wire_put_feedback(struct buf *out, const struct config_source *sources, const struct event *event,
                       struct exchange_record record);
void wire_put_change(struct buf *out, const struct exchange_change *change);
void wire_put_source(struct buf *out, const struct exchange_source *source);
/* A recommendation that may stand for others, for the place within an instant (instant.h) alone. */
void wire_put_appeared(struct buf *out, uint64_t rule_hash, uint64_t hash);
void wire_put_stages(struct buf *out, const struct exchange_stages *stages);

/* Rules by the hash of their meaning. */
struct wire_rules {
    const struct ruleset *rules;
    struct map numbers;
};
void wire_rules_init(struct wire_rules *rules, const struct ruleset *set);
void wire_rules_fini(struct wire_rules *rules);
/* -1: the set does not have it. */
int wire_rules_number(const struct wire_rules *rules, uint64_t hash);

/* Where a record's items go. What they hold does so during the call. */
struct wire_sink {
    struct exchange *exchange;
    void (*source)(void *context, const struct exchange_source *source);
    void (*stages)(void *context, const struct exchange_stages *stages);
    /* Before each item of the exchange: its stage, and the time at which it will be applied. */
    void (*waits)(void *context, int stage, int64_t time_ms);
    /* An item of a rule that this set does not have, or of a topic that is no source any more; it was left out. */
    void (*unknown)(void *context);
    void (*appeared)(void *context, int rule, uint64_t hash); /* NULL: none is expected */
    const struct config_source *sources;                      /* of the configuration */
    size_t source_count;
    void *context;
};

/* ERROR_FATAL: not a record of this version. The arena is reset between items. */
int wire_read(struct str record, const struct wire_rules *rules, const struct wire_sink *sink, struct arena *arena,
              struct error *err) MUST_CHECK;

#endif
