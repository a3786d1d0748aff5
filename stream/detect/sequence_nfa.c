/* Runs: what an event makes of them, when they end, which matches a skip strategy lets live. */
#include "detect/sequence_nfa.h"

#include <stdlib.h>

/* One event, or the end of time's limits, going through all runs. */
struct pass {
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

static const struct sequence_state *state_at(const struct sequence_runs *runs, uint32_t state)
{
    return &runs->pattern->states[state];
}

static int64_t later(int64_t time_ms, int64_t by_ms)
{
    return time_ms > INT64_MAX - by_ms ? INT64_MAX : time_ms + by_ms;
}

void sequence_runs_init(struct sequence_runs *runs, const struct sequence_pattern *pattern)
{
    *runs = (struct sequence_runs){.pattern = pattern, .negated_ms = INT64_MIN};
    sequence_queue_add(&runs->partial, &(struct sequence_run){.state = pattern->start,
                                                              .node = SEQUENCE_NO_NODE,
                                                              .start_number = UINT64_MAX,
                                                              .start_ms = INT64_MAX,
                                                              .last_ms = INT64_MAX});
}

void sequence_runs_fini(struct sequence_runs *runs)
{
    sequence_queue_fini(&runs->partial);
    sequence_queue_fini(&runs->completed);
    free(runs->nodes);
    free(runs->held);
    *runs = (struct sequence_runs){0};
}

static const struct sequence_item *items_of(const struct sequence_runs *runs, uint32_t node, struct arena *arena,
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

/* --- One event and one run --- */

static bool holds(struct pass *pass, int condition)
{
    uint64_t bit = UINT64_C(1) << condition;
    if ((pass->asked & bit) == 0) {
        pass->asked |= bit;
        struct sequence_call *call = pass->call;
        if (pass->items == NULL)
            pass->items = items_of(pass->runs, pass->run->node, call->arena, &pass->item_count);
        if (call->holds(call->context, condition, pass->event->number, pass->items, pass->item_count))
            pass->answers |= bit;
    }
    return (pass->answers & bit) != 0;
}

static bool allows(struct pass *pass, const struct sequence_transition *transition)
{
    for (uint32_t i = 0; i < transition->guard_count; i++)
        if (holds(pass, transition->guard[i].condition) == transition->guard[i].negated)
            return false;
    return true;
}

static void push(struct pass *pass, uint32_t state)
{
    pass->stack = mem_grow(pass->stack, pass->stack_count, &pass->stack_cap, sizeof *pass->stack);
    pass->stack[pass->stack_count++] = state;
}

/* A state of `kind` that is reached from `state` without taking an event, or SEQUENCE_NO_NODE. */
static uint32_t reaches(struct pass *pass, uint32_t state, enum sequence_state_kind kind)
{
    size_t bottom = pass->stack_count;
    uint32_t found = SEQUENCE_NO_NODE;
    push(pass, state);
    while (pass->stack_count > bottom && found == SEQUENCE_NO_NODE) {
        const struct sequence_state *at = state_at(pass->runs, pass->stack[--pass->stack_count]);
        for (uint32_t i = 0; i < at->transition_count && found == SEQUENCE_NO_NODE; i++) {
            const struct sequence_transition *t = &at->transitions[i];
            if (t->action != SEQUENCE_PROCEED || !allows(pass, t))
                continue;
            if (state_at(pass->runs, t->target)->kind == kind)
                found = t->target;
            else
                push(pass, t->target);
        }
    }
    pass->stack_count = bottom;
    return found;
}

static void look_at(struct pass *pass, const struct sequence_run *run)
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

static void go_on(struct pass *pass, const struct sequence_run *run)
{
    switch (state_at(pass->runs, run->state)->kind) {
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
static uint32_t node_of(struct pass *pass, uint16_t step)
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

static void take(struct pass *pass, uint16_t step, uint32_t target)
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

static void ignore(struct pass *pass, uint32_t target)
{
    struct sequence_run run = *pass->run;
    run.state = target;
    if (run.node != SEQUENCE_NO_NODE)
        go_on(pass, &run);
}

/* All that the event makes of the run. The start state's run stays as it is, beside what it begins. */
static void advance_run(struct pass *pass, const struct sequence_run *run)
{
    bool starts = run->node == SEQUENCE_NO_NODE;
    look_at(pass, run);
    if (!starts || pass->may_start)
        push(pass, run->state);
    while (pass->stack_count > 0) {
        const struct sequence_state *at = state_at(pass->runs, pass->stack[--pass->stack_count]);
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

/* --- Matches --- */

static void emit(struct pass *pass, const struct sequence_match *match)
{
    struct sequence_call *call = pass->call;
    if (call->match_count == call->match_cap) {
        call->match_cap = call->match_cap == 0 ? 4 : 2 * call->match_cap;
        struct sequence_match *grown = arena_alloc(call->arena, call->match_cap * sizeof *grown);
        if (call->match_count > 0)
            memcpy(grown, call->matches, call->match_count * sizeof *grown);
        call->matches = grown;
    }
    call->matches[call->match_count++] = *match;
}

/* The skip strategy after `match`: runs that began before an event of it, or with it too, go. */
static void skip(struct pass *pass, const struct sequence_match *match)
{
    const struct sequence_options *options = &pass->runs->pattern->options;
    const struct sequence_item *items = match->items;
    size_t n = match->item_count;
    size_t at = 0;
    switch (options->skip) {
    case SEQUENCE_NO_SKIP:
        return;
    case SEQUENCE_TO_NEXT:
        break;
    case SEQUENCE_PAST_LAST:
        at = n - 1;
        break;
    case SEQUENCE_TO_FIRST:
        while (at < n && items[at].step != options->skip_step)
            at++;
        break;
    case SEQUENCE_TO_LAST:
        at = n;
        while (at > 0 && items[at - 1].step != options->skip_step)
            at--;
        at = at == 0 ? n : at - 1;
        break;
    }
    if (at == n) /* the match has no event of that step */
        return;
    bool inclusive = options->skip == SEQUENCE_TO_NEXT || options->skip == SEQUENCE_PAST_LAST;
    sequence_queue_prune(&pass->next, items[at].number, inclusive);
    sequence_queue_prune(&pass->runs->completed, items[at].number, inclusive);
}

/* Takes the pass's matches up, and hands out all that no earlier partial run holds back. */
static void hand_out(struct pass *pass, int64_t time_ms)
{
    struct sequence_runs *runs = pass->runs;
    bool skips = runs->pattern->options.skip != SEQUENCE_NO_SKIP;
    for (size_t i = 0; i < pass->whole.count; i++)
        sequence_queue_add(&runs->completed, &pass->whole.runs[i]);
    while (runs->completed.count > 0) {
        if (skips && pass->next.count > 0 && sequence_run_order(&runs->completed.runs[0], &pass->next.runs[0]) > 0)
            break;
        struct sequence_run first = sequence_queue_poll(&runs->completed);
        struct sequence_match match = {.time_ms = time_ms};
        match.items = items_of(runs, first.node, pass->call->arena, &match.item_count);
        skip(pass, &match);
        emit(pass, &match);
    }
}

/* --- Bounds --- */

/* Leaves only the nodes that runs refer to, in their order. */
static void compact(struct sequence_runs *runs, struct arena *arena)
{
    size_t n = runs->node_count;
    uint32_t *place = arena_zalloc(arena, (n + 1) * sizeof *place);
    struct sequence_queue *const queues[] = {&runs->partial, &runs->completed};
    for (size_t q = 0; q < 2; q++)
        for (size_t i = 0; i < queues[q]->count; i++)
            if (queues[q]->runs[i].node != SEQUENCE_NO_NODE)
                place[queues[q]->runs[i].node] = 1;
    for (size_t i = n; i-- > 0;)
        if (place[i] != 0 && runs->nodes[i].parent != SEQUENCE_NO_NODE)
            place[runs->nodes[i].parent] = 1;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (place[i] == 0)
            continue;
        struct sequence_node node = runs->nodes[i];
        if (node.parent != SEQUENCE_NO_NODE)
            node.parent = place[node.parent];
        place[i] = (uint32_t)kept;
        runs->nodes[kept++] = node;
    }
    runs->node_count = kept;
    for (size_t q = 0; q < 2; q++)
        for (size_t i = 0; i < queues[q]->count; i++)
            if (queues[q]->runs[i].node != SEQUENCE_NO_NODE)
                queues[q]->runs[i].node = place[queues[q]->runs[i].node];
}

/* Drops the runs that began first until the bounds hold. The start state's run, which is last, stays. */
static void bound(struct sequence_runs *runs, struct sequence_call *call)
{
    size_t nodes_max = 10 * call->runs_max;
    compact(runs, call->arena);
    while (runs->partial.count - 1 + runs->completed.count > call->runs_max || runs->node_count > nodes_max) {
        bool partial =
            runs->completed.count == 0 || sequence_run_order(&runs->partial.runs[0], &runs->completed.runs[0]) <= 0;
        (void)sequence_queue_poll(partial ? &runs->partial : &runs->completed);
        call->dropped++;
        if (runs->node_count > nodes_max)
            compact(runs, call->arena);
    }
    compact(runs, call->arena);
}

static void finish(struct pass *pass, int64_t time_ms)
{
    struct sequence_runs *runs = pass->runs;
    hand_out(pass, time_ms);
    sequence_queue_fini(&runs->partial);
    runs->partial = pass->next;
    sequence_queue_fini(&pass->whole);
    free(pass->stack);
    free(pass->kept);
    bound(runs, pass->call);
}

/* --- Time --- */

static int64_t run_deadline(const struct sequence_runs *runs, const struct sequence_run *run)
{
    const struct sequence_options *options = &runs->pattern->options;
    int64_t deadline = INT64_MAX;
    if (run->node == SEQUENCE_NO_NODE)
        return deadline;
    if (options->within_ms > 0)
        deadline = later(run->start_ms, options->within_ms);
    if (options->max_gap_ms > 0 && state_at(runs, run->state)->kind != SEQUENCE_STATE_PENDING) {
        int64_t gap = later(run->last_ms, options->max_gap_ms);
        deadline = gap < deadline ? gap : deadline;
    }
    return deadline;
}

static int64_t first_deadline(const struct sequence_runs *runs)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < runs->partial.count; i++) {
        int64_t deadline = run_deadline(runs, &runs->partial.runs[i]);
        first = deadline < first ? deadline : first;
    }
    return first;
}

/* A run whose time is over: a match where only a negated event could have prevented it; where only its gap is over, it
 * waits on for that. */
static void end_run(struct pass *pass, const struct sequence_run *run, int64_t time_ms)
{
    const struct sequence_options *options = &pass->runs->pattern->options;
    struct sequence_run ended = *run;
    look_at(pass, run);
    if (state_at(pass->runs, run->state)->kind != SEQUENCE_STATE_PENDING) {
        ended.state = reaches(pass, run->state, SEQUENCE_STATE_PENDING);
        if (ended.state == SEQUENCE_NO_NODE)
            return;
    }
    bool over = later(run->start_ms, options->within_ms) <= time_ms;
    sequence_queue_add(over ? &pass->whole : &pass->next, &ended);
}

/* Ends the runs whose deadline is not after `time_ms`, deadline by deadline. */
static void end_runs(struct sequence_runs *runs, int64_t time_ms, struct sequence_call *call)
{
    for (int64_t deadline; (deadline = first_deadline(runs)) <= time_ms && deadline != INT64_MAX;) {
        struct pass pass = {.runs = runs, .call = call};
        for (size_t i = 0; i < runs->partial.count; i++) {
            const struct sequence_run *run = &runs->partial.runs[i];
            if (run_deadline(runs, run) > deadline)
                sequence_queue_add(&pass.next, run);
            else
                end_run(&pass, run, deadline);
        }
        finish(&pass, deadline);
    }
}

static void apply(struct sequence_runs *runs, const struct sequence_event *event, bool may_start,
                  struct sequence_call *call)
{
    end_runs(runs, event->time_ms - 1, call);
    struct pass pass = {.runs = runs, .call = call, .event = event, .may_start = may_start};
    for (size_t i = 0; i < runs->partial.count; i++)
        advance_run(&pass, &runs->partial.runs[i]);
    finish(&pass, event->time_ms);
}

static bool is_negated(const struct sequence_runs *runs, const struct sequence_event *event)
{
    return (event->holds >> runs->pattern->options.steps[0].condition & 1) != 0;
}

/* All events of a moment are known: each may begin a run if no other negated one came in [first - within, first]. */
static void apply_held(struct sequence_runs *runs, struct sequence_call *call)
{
    if (runs->held_count == 0)
        return;
    int64_t time_ms = runs->held[0].time_ms;
    int64_t within_ms = runs->pattern->options.within_ms;
    bool quiet = runs->negated_ms == INT64_MIN || later(runs->negated_ms, within_ms) < time_ms;
    size_t negated = 0;
    for (size_t i = 0; i < runs->held_count; i++)
        negated += is_negated(runs, &runs->held[i]) ? 1 : 0;
    for (size_t i = 0; i < runs->held_count; i++) {
        const struct sequence_event *event = &runs->held[i];
        size_t others = negated - (is_negated(runs, event) ? 1 : 0);
        apply(runs, event, quiet && others == 0 && event->history_known, call);
    }
    runs->held_count = 0;
    if (negated > 0)
        runs->negated_ms = time_ms;
}

void sequence_feed(struct sequence_runs *runs, const struct sequence_event *event, struct sequence_call *call)
{
    if (runs->pattern->first == 0) {
        apply(runs, event, true, call);
        return;
    }
    if (runs->held_count > 0 && runs->held[0].time_ms < event->time_ms)
        apply_held(runs, call);
    runs->held = mem_grow(runs->held, runs->held_count, &runs->held_cap, sizeof *runs->held);
    runs->held[runs->held_count++] = *event;
}

void sequence_advance(struct sequence_runs *runs, int64_t time_ms, struct sequence_call *call)
{
    if (runs->held_count > 0 && runs->held[0].time_ms <= time_ms)
        apply_held(runs, call);
    end_runs(runs, time_ms, call);
    if (runs->negated_ms != INT64_MIN && later(runs->negated_ms, runs->pattern->options.within_ms) <= time_ms)
        runs->negated_ms = INT64_MIN;
}

int64_t sequence_deadline(const struct sequence_runs *runs)
{
    int64_t deadline = first_deadline(runs);
    if (runs->negated_ms != INT64_MIN) {
        int64_t forgotten = later(runs->negated_ms, runs->pattern->options.within_ms);
        deadline = forgotten < deadline ? forgotten : deadline;
    }
    if (runs->held_count > 0 && runs->held[0].time_ms < deadline)
        deadline = runs->held[0].time_ms;
    return deadline;
}

bool sequence_idle(const struct sequence_runs *runs)
{
    return runs->partial.count == 1 && runs->completed.count == 0 && runs->held_count == 0 &&
           runs->negated_ms == INT64_MIN;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

const uint64_t *sequence_referenced(const struct sequence_runs *runs, struct arena *arena, size_t *count)
{
    size_t n = runs->node_count + runs->held_count;
    uint64_t *numbers = arena_alloc(arena, (n + 1) * sizeof *numbers);
    for (size_t i = 0; i < n; i++)
        numbers[i] = i < runs->node_count ? runs->nodes[i].number : runs->held[i - runs->node_count].number;
    qsort(numbers, n, sizeof *numbers, by_number);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || numbers[kept - 1] != numbers[i])
            numbers[kept++] = numbers[i];
    *count = kept;
    return numbers;
}
