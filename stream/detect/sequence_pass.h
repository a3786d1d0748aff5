/* Inside the runs of a sequence: what one event makes of one run. sequence_nfa.c goes through all runs with it. */
#ifndef FORESTALL_DETECT_SEQUENCE_PASS_H
#define FORESTALL_DETECT_SEQUENCE_PASS_H

#include "detect/sequence_nfa.h"

/* One event, or the end of time's limits, going through all runs. */
struct sequence_pass {
    struct sequence_runs *runs;
    struct sequence_call *call;
    const struct sequence_event *event; /* NULL: none came, so that no condition holds */
    struct sequence_queue next;         /* partial runs after it */
    struct sequence_queue whole;        /* runs that became matches */
    bool may_start;
    uint32_t *stack; /* states to look at */
    size_t stack_count;
    size_t stack_cap;
    /* of the run being looked at */
    const struct sequence_run *run;
    uint64_t asked; /* conditions whose answer is in `answers` */
    uint64_t answers;
    const struct sequence_item *items;
    size_t item_count;
    size_t first_node; /* nodes from here on are this run's */
    struct sequence_run *kept;
    size_t kept_count;
    size_t kept_cap;
    bool stopped;
};

static inline const struct sequence_state *sequence_state_at(const struct sequence_runs *runs, uint32_t state)
{
    return &runs->pattern->states[state];
}

/* All that the event makes of the run: what goes on is added to `next`, what is whole to `whole`. The start state's run
 * stays as it is, beside what it begins. */
void sequence_pass_run(struct sequence_pass *pass, const struct sequence_run *run);
/* A pending state that `run` reaches without an event, or its own; SEQUENCE_NO_NODE: none. */
uint32_t sequence_pass_pending(struct sequence_pass *pass, const struct sequence_run *run);
/* Frees what the pass needed; `next` and `whole` are the caller's. */
void sequence_pass_fini(struct sequence_pass *pass);
/* The events that lead to `node`, in order; in the arena. */
const struct sequence_item *sequence_items(const struct sequence_runs *runs, uint32_t node, struct arena *arena,
                                           size_t *count);

#endif
