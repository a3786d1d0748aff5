/* One event and one run: which transitions it takes. */
#include "detect/sequence_pass.h"

#include <stdlib.h>

const struct sequence_item *sequence_items(const struct sequence_runs *runs, uint32_t node, struct arena *arena,
                                           size_t *count)
{
    size_t n = 0;
    for (uint32_t i = node; i != SEQUENCE_NO_NODE; i = runs->nodes[i].parent)
        n++;
    struct sequence_item *items = arena_alloc(arena, (n + 1) * sizeof *items);
    *count = n;
    for (uint32_t i = node; i != SEQUENCE_NO_NODE; i = runs->nodes[i].parent) {
        const struct sequence_node *at = &runs->nodes[i];
        items[--n] = (struct sequence_item){at->number, at->time_ms, at->step};
    }
    return items;
}

static bool holds(struct sequence_pass *pass, int condition)
{
    uint64_t bit = UINT64_C(1) << condition;
    if ((pass->asked & bit) == 0) {
        pass->asked |= bit;
        struct sequence_call *call = pass->call;
        if (pass->items == NULL)
            pass->items = sequence_items(pass->runs, pass->run->node, call->arena, &pass->item_count);
        if (call->holds(call->context, condition, pass->event->number, pass->items, pass->item_count))
            pass->answers |= bit;
    }
    return (pass->answers & bit) != 0;
}

static bool allows(struct sequence_pass *pass, const struct sequence_transition *transition)
{
    for (uint32_t i = 0; i < transition->guard_count; i++)
        if (holds(pass, transition->guard[i].condition) == transition->guard[i].negated)
            return false;
    return true;
}

static void push(struct sequence_pass *pass, uint32_t state)
{
    pass->stack = mem_grow(pass->stack, pass->stack_count, &pass->stack_cap, sizeof *pass->stack);
    pass->stack[pass->stack_count++] = state;
}

/* A state of `kind` that is reached from `state` without taking an event, or SEQUENCE_NO_NODE. */
static uint32_t reaches(struct sequence_pass *pass, uint32_t state, enum sequence_state_kind kind)
{
    size_t bottom = pass->stack_count;
    uint32_t found = SEQUENCE_NO_NODE;
    push(pass, state);
    while (pass->stack_count > bottom && found == SEQUENCE_NO_NODE) {
        const struct sequence_state *at = sequence_state_at(pass->runs, pass->stack[--pass->stack_count]);
        for (uint32_t i = 0; i < at->transition_count && found == SEQUENCE_NO_NODE; i++) {
            const struct sequence_transition *t = &at->transitions[i];
            if (t->action != SEQUENCE_PROCEED || !allows(pass, t))
                continue;
            if (sequence_state_at(pass->runs, t->target)->kind == kind)
                found = t->target;
            else
                push(pass, t->target);
        }
    }
    pass->stack_count = bottom;
    return found;
}

static void look_at(struct sequence_pass *pass, const struct sequence_run *run)
{
    uint64_t reads = pass->runs->pattern->options.reads;
    pass->run = run;
    pass->asked = pass->event == NULL ? UINT64_MAX : ~(reads & pass->event->holds);
    pass->answers = pass->event == NULL ? 0 : pass->event->holds & ~reads;
    pass->items = NULL;
    pass->first_node = pass->runs->node_count;
    pass->kept_count = 0;
    pass->stopped = false;
}

static void go_on(struct sequence_pass *pass, const struct sequence_run *run)
{
    switch (sequence_state_at(pass->runs, run->state)->kind) {
    case SEQUENCE_STATE_END:
        sequence_queue_add(&pass->whole, run);
        break;
    case SEQUENCE_STATE_STOP:
        pass->stopped = true;
        break;
    default:
        pass->kept = mem_grow(pass->kept, pass->kept_count, &pass->kept_cap, sizeof *pass->kept);
        pass->kept[pass->kept_count++] = *run;
    }
}

/* The node of the event under the run's last one. */
static uint32_t node_of(struct sequence_pass *pass, uint16_t step)
{
    struct sequence_runs *runs = pass->runs;
    for (size_t i = pass->first_node; i < runs->node_count; i++)
        if (runs->nodes[i].step == step)
            return (uint32_t)i;
    runs->nodes = mem_grow(runs->nodes, runs->node_count, &runs->node_cap, sizeof *runs->nodes);
    runs->nodes[runs->node_count] =
        (struct sequence_node){pass->event->number, pass->event->time_ms, pass->run->node, step};
    return (uint32_t)runs->node_count++;
}

static void take(struct sequence_pass *pass, uint16_t step, uint32_t target)
{
    struct sequence_run run = *pass->run;
    if (run.node == SEQUENCE_NO_NODE) {
        run.start_number = pass->event->number;
        run.start_ms = pass->event->time_ms;
    }
    run.state = target;
    run.node = node_of(pass, step);
    run.last_ms = pass->event->time_ms;
    go_on(pass, &run);
    uint32_t end = reaches(pass, target, SEQUENCE_STATE_END);
    if (end != SEQUENCE_NO_NODE) {
        run.state = end;
        go_on(pass, &run);
    }
}

static void ignore(struct sequence_pass *pass, uint32_t target)
{
    struct sequence_run run = *pass->run;
    run.state = target;
    if (run.node != SEQUENCE_NO_NODE)
        go_on(pass, &run);
}

void sequence_pass_run(struct sequence_pass *pass, const struct sequence_run *run)
{
    bool starts = run->node == SEQUENCE_NO_NODE;
    look_at(pass, run);
    if (!starts || pass->may_start)
        push(pass, run->state);
    while (pass->stack_count > 0) {
        const struct sequence_state *at = sequence_state_at(pass->runs, pass->stack[--pass->stack_count]);
        if (at->kind == SEQUENCE_STATE_STOP)
            pass->stopped = true;
        for (uint32_t i = 0; i < at->transition_count; i++) {
            const struct sequence_transition *t = &at->transitions[i];
            if (!allows(pass, t))
                continue;
            if (t->action == SEQUENCE_PROCEED)
                push(pass, t->target);
            else if (t->action == SEQUENCE_TAKE)
                take(pass, at->step, t->target);
            else
                ignore(pass, t->target);
        }
    }
    if (starts)
        go_on(pass, run);
    for (size_t i = 0; i < pass->kept_count && !pass->stopped; i++)
        sequence_queue_add(&pass->next, &pass->kept[i]);
}

uint32_t sequence_pass_pending(struct sequence_pass *pass, const struct sequence_run *run)
{
    look_at(pass, run);
    if (sequence_state_at(pass->runs, run->state)->kind == SEQUENCE_STATE_PENDING)
        return run->state;
    return reaches(pass, run->state, SEQUENCE_STATE_PENDING);
}

void sequence_pass_fini(struct sequence_pass *pass)
{
    free(pass->stack);
    free(pass->kept);
}
