/* See waiting_panes.h. */
#include "engine/waiting_panes.h"

struct pane_key {
    uint64_t rule;
    uint64_t group;
    int64_t start_ms;
};

static struct str pane_key_of(const struct pane_key *key)
{
    return (struct str){(const char *)key, sizeof *key};
}

bool waiting_panes_add(struct waiting_panes *waiting, int rule, uint64_t group, struct pane *pane)
{
    struct pane_key key = {(uint64_t)rule, group, pane->start_ms};
    void **slot = map_slot(&waiting->panes, pane_key_of(&key));
    bool first = *slot == NULL;
    if (first) {
        *slot = pane;
    } else {
        waiting->bytes -= pane_bytes(*slot);
        pane_merge(*slot, pane);
        pane_free(pane);
    }
    waiting->bytes += pane_bytes(*slot);
    return first;
}

void waiting_panes_take(struct waiting_panes *waiting, int rule, uint64_t group, const struct pane *pane)
{
    struct pane_key key = {(uint64_t)rule, group, pane->start_ms};
    const struct pane *waited = map_remove(&waiting->panes, pane_key_of(&key));
    ASSERT(waited == pane);
    waiting->bytes -= pane_bytes(pane);
}

void waiting_panes_clear(struct waiting_panes *waiting)
{
    map_fini(&waiting->panes);
    waiting->bytes = 0;
}
