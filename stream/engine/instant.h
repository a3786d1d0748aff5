/* What a commit within an instant leaves in the state.
 *
 * Very many items may be due at one time, and a commit cannot wait until all of them were applied. Where it comes among
 * them a time does not say how far the order was applied: the *place* does, the last item that was (inbox.h). And what
 * was sent within the process for later in that very instant, to rules above, nobody would send again: it is kept.
 *
 * Both are entries of the first task of the reduce, as long as its commits come within an instant.
 */
#ifndef FORESTALL_ENGINE_INSTANT_H
#define FORESTALL_ENGINE_INSTANT_H

#include "engine/exchange.h"
#include "engine/inbox.h"
#include "state/state.h"

struct instant_options {
    const struct ruleset *rules;
    struct state *state;
    int task;
    struct inbox *inbox;
};

struct instant;

struct instant *instant_new(const struct instant_options *options);
void instant_free(struct instant *instant);
/* To the inbox; what is sent is of the present time. */
struct exchange *instant_exchange(struct instant *instant);
/* A recommendation's timer (PENDING_APPEARED) for the present time, likewise. */
void instant_appeared(struct instant *instant, int rule, uint64_t hash);
/* The reduce goes on at this time: what was kept of another one is done with. */
void instant_reach(struct instant *instant, int64_t time_ms);
/* Before a commit, with the inbox's times and place as it will restore them. */
void instant_commit(struct instant *instant);
/* After the inbox was cleared and its times were set: gives it its place, and what was kept. */
int instant_restore(struct instant *instant, struct error *err) MUST_CHECK;

#endif
