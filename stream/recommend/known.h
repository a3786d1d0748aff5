/* The recommendations in memory: decoded when they are wanted, let go least recently used beyond a budget. */
#ifndef FORESTALL_RECOMMEND_KNOWN_H
#define FORESTALL_RECOMMEND_KNOWN_H

#include "base/map.h"
#include "recommend/recommendation.h"

struct known {
    struct state *state; /* borrowed */
    struct map map;      /* (rule hash, recommendation's hash) -> struct recommendation */
    uint64_t tick;
};

void known_init(struct known *known, struct state *state);
void known_fini(struct known *known);
/* Forgets all of them: the state was dropped back. */
void known_drop(struct known *known);
/* The recommendation, from memory or the state; it may not exist yet. It holds until it is evicted. */
int known_find(struct known *known, const struct recommendation_identity *identity, struct recommendation **out,
               struct error *err) MUST_CHECK;
void known_evict(struct known *known, struct recommendation *recommendation);
/* Evicts down to `bytes_max`. */
void known_shrink(struct known *known, size_t bytes_max);

#endif
