/* Map's partials: what has been merged of each (rule, group, pane) since the last flush. A hash table emptied by
 * combiner_flush; one combiner a worker. The newest event's bytes are kept raw, and decoded once a flush, so that a
 * million events become a few thousand decoded pieces of evidence. */
#ifndef FORESTALL_ENGINE_COMBINER_H
#define FORESTALL_ENGINE_COMBINER_H

#include "engine/exchange.h"

struct partial {
    int rule;
    uint64_t group;
    int64_t start_ms;
    struct pane *pane;
    size_t pane_bytes;    /* as combiner_weigh counted it */
    struct str key;       /* in the combiner's arena */
    struct buf newest;    /* the newest event's record, not decoded yet; empty: the pane has its evidence */
    size_t newest_source; /* the source partition whose decoder reads it */
};

struct combiner;

struct combiner *combiner_new(void);
void combiner_free(struct combiner *combiner);
/* The hash of a pane's place in the table, and the three steps that it takes to the pane: who has many to look up asks
 * for each step of all of them ahead. Only hints. */
uint64_t combiner_place(uint64_t group, int rule_number, int64_t start_ms);
void combiner_prefetch_slot(const struct combiner *combiner, uint64_t place);
void combiner_prefetch_partial(const struct combiner *combiner, uint64_t place);
void combiner_prefetch_pane(const struct combiner *combiner, uint64_t place);
/* The partial of a pane; made empty where it is new. Valid until the next flush. */
struct partial *combiner_partial(struct combiner *combiner, const struct rule *rule, int rule_number, uint64_t group,
                                 struct str key, int64_t start_ms);
/* Counts what the pane takes: after its first event, and after each one of a pane that grows. */
void combiner_weigh(struct combiner *combiner, struct partial *partial);
size_t combiner_count(const struct combiner *combiner);
/* The memory that the partials take, roughly: for back pressure. */
size_t combiner_bytes(const struct combiner *combiner);
/* The earliest end of a pane held; INT64_MAX: none. */
int64_t combiner_first_end(const struct combiner *combiner);
/* Hands each partial to `send`, which takes its pane, in order of arrival; then the combiner is empty. */
void combiner_flush(struct combiner *combiner, void (*send)(void *context, struct partial *partial), void *context);
/* Drops everything. */
void combiner_clear(struct combiner *combiner);

#endif
