/* One worker of `run`: a thread's consumer, producer and engine, over the store and the rules that all workers share.
 *
 *     worker_turn     restore where memory is void, else take new rules, else a step, else wait
 *
 * One thread owns a worker; only worker_switched may be asked by another.
 */
#ifndef FORESTALL_CLI_WORKER_H
#define FORESTALL_CLI_WORKER_H

#include <stdatomic.h>

#include "cli/outage.h"
#include "engine/engine.h"

/* The rule set in force: the newest that was loaded, and how many were before it. Whoever loads sets `rules` first. */
struct worker_rules {
    _Atomic(const struct ruleset *) rules;
    atomic_uint version;
};

struct worker {
    int number;
    const struct config *config;
    const char *instance_id;
    char *member_id;
    struct worker_rules *rules; /* shared */
    struct claims *claims;      /* likewise */
    atomic_uint version;        /* of the rules that it runs */
    struct state *state;
    struct source *source;
    struct commit *commit;
    struct engine *engine;
    bool accept_gap;
    bool ready;
    int64_t told_us;
    struct outage outage;
};

/* `number`, `config`, `instance_id`, `rules`, `claims` and `accept_gap` are set; all are borrowed. */
int worker_open(struct worker *worker, struct store *store, struct error *err) MUST_CHECK;
/* Turns until stop_wanted, and commits then. */
int worker_run(struct worker *worker, struct error *err) MUST_CHECK;
/* It runs the newest rules. */
bool worker_switched(struct worker *worker);
void worker_close(struct worker *worker);

#endif
