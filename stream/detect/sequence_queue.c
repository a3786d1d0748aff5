/* The binary heap of a sequence's runs. */
#include "detect/sequence_queue.h"

#include <stdlib.h>

void sequence_queue_fini(struct sequence_queue *queue)
{
    free(queue->runs);
    *queue = (struct sequence_queue){0};
}

void sequence_queue_add(struct sequence_queue *queue, const struct sequence_run *run)
{
    struct sequence_run added = *run;
    queue->runs = mem_grow(queue->runs, queue->count, &queue->cap, sizeof *queue->runs);
    size_t at = queue->count++;
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (sequence_run_order(&added, &queue->runs[parent]) >= 0)
            break;
        queue->runs[at] = queue->runs[parent];
        at = parent;
    }
    queue->runs[at] = added;
}

static void sift_down(struct sequence_queue *queue, size_t at, struct sequence_run run)
{
    while (at < queue->count / 2) {
        size_t child = 2 * at + 1;
        if (child + 1 < queue->count && sequence_run_order(&queue->runs[child], &queue->runs[child + 1]) > 0)
            child++;
        if (sequence_run_order(&run, &queue->runs[child]) <= 0)
            break;
        queue->runs[at] = queue->runs[child];
        at = child;
    }
    queue->runs[at] = run;
}

struct sequence_run sequence_queue_poll(struct sequence_queue *queue)
{
    ASSERT(queue->count > 0);
    struct sequence_run first = queue->runs[0];
    queue->count--;
    if (queue->count > 0)
        sift_down(queue, 0, queue->runs[queue->count]);
    return first;
}

void sequence_queue_prune(struct sequence_queue *queue, uint64_t number, bool inclusive)
{
    size_t kept = 0;
    for (size_t i = 0; i < queue->count; i++) {
        uint64_t start = queue->runs[i].start_number;
        if (start > number || (start == number && !inclusive))
            queue->runs[kept++] = queue->runs[i];
    }
    if (kept == queue->count)
        return;
    queue->count = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sift_down(queue, i, queue->runs[i]);
}

bool sequence_queue_valid(const struct sequence_queue *queue)
{
    for (size_t i = 1; i < queue->count; i++)
        if (sequence_run_order(&queue->runs[(i - 1) / 2], &queue->runs[i]) > 0)
            return false;
    return true;
}
