/* Runs to bytes and back. Nodes come first, each after its parent and told by the difference to it, then the two heaps
 * as they stand, then what waits for its moment. */
#include "detect/sequence_nfa.h"

#include <stdlib.h>

static void encode_queue(struct buf *out, const struct sequence_queue *queue)
{
    buf_varint(out, queue->count);
    for (size_t i = 0; i < queue->count; i++) {
        const struct sequence_run *run = &queue->runs[i];
        buf_varint(out, run->state);
        buf_varint(out, run->node == SEQUENCE_NO_NODE ? 0 : (uint64_t)run->node + 1);
    }
}

void sequence_encode(struct buf *out, const struct sequence_runs *runs)
{
    buf_varint(out, runs->node_count);
    for (size_t i = 0; i < runs->node_count; i++) {
        const struct sequence_node *node = &runs->nodes[i];
        const struct sequence_node *parent = node->parent == SEQUENCE_NO_NODE ? NULL : &runs->nodes[node->parent];
        buf_varint(out, parent == NULL ? 0 : i - node->parent);
        buf_varint(out, node->step);
        buf_varint(out, node->number - (parent == NULL ? 0 : parent->number));
        buf_zigzag(out, parent == NULL ? node->time_ms : node->time_ms - parent->time_ms);
    }
    encode_queue(out, &runs->partial);
    encode_queue(out, &runs->completed);
    bool negated = runs->negated_ms != INT64_MIN;
    buf_byte(out, negated);
    if (negated)
        buf_zigzag(out, runs->negated_ms);
    buf_varint(out, runs->held_count);
    if (runs->held_count > 0)
        buf_zigzag(out, runs->held[0].time_ms);
    for (size_t i = 0; i < runs->held_count; i++) {
        buf_varint(out, runs->held[i].number);
        buf_varint(out, runs->held[i].holds);
        buf_byte(out, runs->held[i].history_known);
    }
}

static bool decode_node(struct reader *r, struct sequence_runs *runs)
{
    const struct sequence_pattern *pattern = runs->pattern;
    size_t at = runs->node_count;
    uint64_t distance = read_varint(r);
    uint64_t step = read_varint(r);
    uint64_t number = read_varint(r);
    int64_t time_ms = read_zigzag(r);
    if (r->failed || distance > at || step >= pattern->options.step_count || pattern->options.steps[step].negated)
        return false;
    struct sequence_node node = {number, time_ms, SEQUENCE_NO_NODE, (uint16_t)step};
    if (distance > 0) {
        node.parent = (uint32_t)(at - distance);
        const struct sequence_node *parent = &runs->nodes[node.parent];
        if (number == 0 || step < parent->step || time_ms < 0 ||
            __builtin_add_overflow(parent->number, number, &node.number) ||
            __builtin_add_overflow(parent->time_ms, time_ms, &node.time_ms))
            return false;
    }
    runs->nodes = mem_grow(runs->nodes, runs->node_count, &runs->node_cap, sizeof *runs->nodes);
    runs->nodes[runs->node_count++] = node;
    return node.number < UINT64_MAX;
}

/* A run of `queue` in a state that may wait there. */
static bool decode_run(struct reader *r, const struct sequence_runs *runs, bool partial, struct sequence_run *run)
{
    uint64_t state = read_varint(r);
    uint64_t node = read_varint(r);
    if (r->failed || state >= runs->pattern->state_count || node > runs->node_count)
        return false;
    *run = (struct sequence_run){.state = (uint32_t)state,
                                 .node = SEQUENCE_NO_NODE,
                                 .start_number = UINT64_MAX,
                                 .start_ms = INT64_MAX,
                                 .last_ms = INT64_MAX};
    enum sequence_state_kind kind = runs->pattern->states[state].kind;
    if (node == 0)
        return partial && kind == SEQUENCE_STATE_START;
    if (kind == SEQUENCE_STATE_START || kind == SEQUENCE_STATE_STOP || (partial && kind == SEQUENCE_STATE_END))
        return false;
    run->node = (uint32_t)node - 1;
    run->last_ms = runs->nodes[run->node].time_ms;
    uint32_t first = run->node;
    while (runs->nodes[first].parent != SEQUENCE_NO_NODE)
        first = runs->nodes[first].parent;
    run->start_number = runs->nodes[first].number;
    run->start_ms = runs->nodes[first].time_ms;
    return true;
}

static bool decode_queue(struct reader *r, const struct sequence_runs *runs, bool partial, struct sequence_queue *queue)
{
    uint64_t n = read_varint(r);
    size_t starts = 0;
    queue->count = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct sequence_run run;
        if (r->failed || !decode_run(r, runs, partial, &run))
            return false;
        starts += run.node == SEQUENCE_NO_NODE ? 1 : 0;
        queue->runs = mem_grow(queue->runs, queue->count, &queue->cap, sizeof *queue->runs);
        queue->runs[queue->count++] = run;
    }
    return sequence_queue_valid(queue) && starts == (partial ? 1 : 0);
}

static bool decode_held(struct reader *r, struct sequence_runs *runs)
{
    bool leads = runs->pattern->first > 0;
    uint8_t negated = read_byte(r);
    runs->negated_ms = negated == 1 ? read_zigzag(r) : INT64_MIN;
    uint64_t n = read_varint(r);
    if (negated > 1 || (!leads && (negated != 0 || n != 0)))
        return false;
    int64_t time_ms = n > 0 ? read_zigzag(r) : 0;
    runs->held_count = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct sequence_event event = {.time_ms = time_ms};
        event.number = read_varint(r);
        event.holds = read_varint(r);
        uint8_t known = read_byte(r);
        event.history_known = known == 1;
        if (r->failed || known > 1 || (i > 0 && event.number <= runs->held[i - 1].number))
            return false;
        runs->held = mem_grow(runs->held, runs->held_count, &runs->held_cap, sizeof *runs->held);
        runs->held[runs->held_count++] = event;
    }
    return true;
}

/* Every node belongs to a run. */
static bool all_used(const struct sequence_runs *runs)
{
    bool *used = mem_zalloc(runs->node_count + 1);
    const struct sequence_queue *const queues[] = {&runs->partial, &runs->completed};
    for (size_t q = 0; q < 2; q++)
        for (size_t i = 0; i < queues[q]->count; i++)
            if (queues[q]->runs[i].node != SEQUENCE_NO_NODE)
                used[queues[q]->runs[i].node] = true;
    bool all = true;
    for (size_t i = runs->node_count; i-- > 0;) {
        all = all && used[i];
        if (runs->nodes[i].parent != SEQUENCE_NO_NODE)
            used[runs->nodes[i].parent] = true;
    }
    free(used);
    return all;
}

bool sequence_decode(struct reader *r, struct sequence_runs *runs)
{
    uint64_t n = read_varint(r);
    runs->node_count = 0;
    for (uint64_t i = 0; i < n; i++)
        if (r->failed || !decode_node(r, runs))
            return false;
    return decode_queue(r, runs, true, &runs->partial) && decode_queue(r, runs, false, &runs->completed) &&
           decode_held(r, runs) && !r->failed && all_used(runs);
}
