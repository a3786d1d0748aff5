/* A pane: everything that folds of one rule and group in one stretch of event time, window.pane_ms long. The same
 * structure is a partial (what map has merged so far) and, once closed, the pane in the state. Merging commutes.
 *
 * Memory: a fold an aggregate, one encoded event as evidence, and up to PANE_SERVICES_MAX service names.
 */
#ifndef FORESTALL_DETECT_PANE_H
#define FORESTALL_DETECT_PANE_H

#include "detect/fold.h"

enum { PANE_SERVICES_MAX = 32, PANE_SERVICE_BYTES_MAX = 1024 }; /* longer names are cut */

struct pane {
    int64_t start_ms;
    int64_t first_ms; /* of the oldest and newest event */
    int64_t last_ms;
    uint64_t events;
    struct position counted_at; /* of the event added last; not part of the encoding */
    struct position newest_at;
    struct buf newest;    /* the newest event, encoded: evidence */
    struct str *services; /* sorted; heap copies; only where the group does not say the service */
    size_t service_count;
    bool names_services;
    bool grows; /* some of its folds do, by kilobytes */
    size_t fold_count;
    struct fold folds[]; /* by the rule's aggregate */
};

/* Which fields of the stream are kept as evidence. */
field_mask pane_evidence_fields(const struct stream *stream);

struct pane *pane_new(const struct rule *rule, int64_t start_ms);
void pane_free(struct pane *pane);
/* The memory it takes, roughly: for budgets. Changes only with pane_add, pane_newest and pane_merge. */
size_t pane_bytes(const struct pane *pane);
/* Folds one event of `input`: what its aggregates read of it. True where it is the newest of the pane: then the caller
 * gives the evidence with pane_newest, at once or when it has the time. */
bool pane_add(struct pane *pane, const struct rule *rule, int input, const struct event *event, struct arena *arena);
void pane_newest(struct pane *pane, const struct event *event);
void pane_merge(struct pane *pane, struct pane *other);
void pane_encode(struct buf *out, struct pane *pane);
struct pane *pane_decode(const struct rule *rule, int64_t start_ms, struct str bytes); /* NULL: not a pane's encoding */

#endif
