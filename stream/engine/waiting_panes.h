/* Panes that wait for their end, by rule, group and start: partials of one pane merge while they wait. The panes are
 * those of pending items, which own them. */
#ifndef FORESTALL_ENGINE_WAITING_PANES_H
#define FORESTALL_ENGINE_WAITING_PANES_H

#include "base/map.h"
#include "detect/pane.h"

struct waiting_panes {
    struct map panes;
    size_t bytes;
};

/* True: it is the first of its pane, and the caller's to make pending; else it was merged into that, and is freed. */
bool waiting_panes_add(struct waiting_panes *waiting, int rule, uint64_t group, struct pane *pane);
/* A pane of a pending item, which waits no longer. */
void waiting_panes_take(struct waiting_panes *waiting, int rule, uint64_t group, const struct pane *pane);
/* All of them; their items are gone. */
void waiting_panes_clear(struct waiting_panes *waiting);

#endif
