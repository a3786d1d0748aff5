/* Panes that wait for their end, by rule, group and start: partials of one pane merge while they wait. The panes are
 * those of pending items, which own them. An open-addressing table, without an allocation a pane.
 */
#ifndef FORESTALL_ENGINE_WAITING_PANES_H
#define FORESTALL_ENGINE_WAITING_PANES_H

#include "detect/pane.h"

struct waiting_pane {
    struct pane *pane; /* NULL: the place is free */
    uint64_t group;
    int32_t rule;
    uint32_t hash;
};

/* All zeroes: none wait. */
struct waiting_panes {
    struct waiting_pane *places; /* a power of two of them, at most two thirds taken */
    size_t cap;
    size_t count;
    size_t bytes; /* of the panes, and about what their places here take */
};

void waiting_panes_fini(struct waiting_panes *waiting);
/* True: it is the first of its pane, and the caller's to make pending; else it was merged into that, and is freed. */
bool waiting_panes_add(struct waiting_panes *waiting, int rule, uint64_t group, struct pane *pane);
/* A pane of a pending item, which waits no longer. */
void waiting_panes_take(struct waiting_panes *waiting, int rule, uint64_t group, const struct pane *pane);
/* All of them; their items are gone. */
void waiting_panes_clear(struct waiting_panes *waiting);

#endif
