/* Runs of a sequence in a binary heap, those that began earlier first.
 *
 * Runs are visited in the order of the heap's array, and equals leave it in the order that the sifting gives, as in
 * Flink, which keeps its partial matches in a java.util.PriorityQueue (JDK 9 and later). So which of two matches that
 * began with the same event is found first, and with a skip strategy lives, is the same here as there. The array is the
 * state: it is written and read back as it stands.
 */
#ifndef FORESTALL_DETECT_SEQUENCE_QUEUE_H
#define FORESTALL_DETECT_SEQUENCE_QUEUE_H

#include "base/arena.h"

#define SEQUENCE_NO_NODE UINT32_MAX

/* A partial match, or a whole one that waits for an earlier partial one. */
struct sequence_run {
    uint32_t state;
    uint32_t node;         /* of its last event, or SEQUENCE_NO_NODE in the start state */
    uint64_t start_number; /* of its first event; UINT64_MAX in the start state */
    int64_t start_ms;      /* INT64_MAX in the start state */
    int64_t last_ms;
};

struct sequence_queue {
    struct sequence_run *runs;
    size_t count;
    size_t cap;
};

/* A queue of all zeroes is an empty one. */
void sequence_queue_fini(struct sequence_queue *queue);
void sequence_queue_add(struct sequence_queue *queue, const struct sequence_run *run);
/* Takes the first; the queue is not empty. */
struct sequence_run sequence_queue_poll(struct sequence_queue *queue);
/* Removes the runs that began before event `number`, or, where `inclusive`, with it. Linear. */
void sequence_queue_prune(struct sequence_queue *queue, uint64_t number, bool inclusive);
/* Negative, 0 or positive as `a` began before, with or after `b`. */
static inline int sequence_run_order(const struct sequence_run *a, const struct sequence_run *b)
{
    return (a->start_number > b->start_number) - (a->start_number < b->start_number);
}
/* True where the array is a heap. */
bool sequence_queue_valid(const struct sequence_queue *queue);

#endif
