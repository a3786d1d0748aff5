/* Runs: events go through them one by one, time ends them, a skip strategy says which matches live. */
#include "detect/sequence_pass.h"

#include <stdlib.h>

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

/* --- Matches --- */

static void emit(struct sequence_pass *pass, const struct sequence_match *match)
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
static void skip(struct sequence_pass *pass, const struct sequence_match *match)
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
static void hand_out(struct sequence_pass *pass, int64_t time_ms)
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
        match.items = sequence_items(runs, first.node, pass->call->arena, &match.item_count);
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

static void finish(struct sequence_pass *pass, int64_t time_ms)
{
    struct sequence_runs *runs = pass->runs;
    hand_out(pass, time_ms);
    sequence_queue_fini(&runs->partial);
    runs->partial = pass->next;
    sequence_queue_fini(&pass->whole);
    sequence_pass_fini(pass);
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
    if (options->max_gap_ms > 0 && sequence_state_at(runs, run->state)->kind != SEQUENCE_STATE_PENDING) {
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
static void end_run(struct sequence_pass *pass, const struct sequence_run *run, int64_t time_ms)
{
    const struct sequence_options *options = &pass->runs->pattern->options;
    struct sequence_run ended = *run;
    ended.state = sequence_pass_pending(pass, run);
    if (ended.state == SEQUENCE_NO_NODE)
        return;
    bool over = later(run->start_ms, options->within_ms) <= time_ms;
    sequence_queue_add(over ? &pass->whole : &pass->next, &ended);
}

/* Ends the runs whose deadline is not after `time_ms`, deadline by deadline. */
static void end_runs(struct sequence_runs *runs, int64_t time_ms, struct sequence_call *call)
{
    for (int64_t deadline; (deadline = first_deadline(runs)) <= time_ms && deadline != INT64_MAX;) {
        struct sequence_pass pass = {.runs = runs, .call = call};
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
    struct sequence_pass pass = {.runs = runs, .call = call, .event = event, .may_start = may_start};
    for (size_t i = 0; i < runs->partial.count; i++)
        sequence_pass_run(&pass, &runs->partial.runs[i]);
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
