/* How `state.memory` is divided: the one place. The store is the process's, the rest each worker's; a worker's tasks
 * share its part evenly. What a process takes beyond them is its code and its threads, the rules, messages on their way
 * from the sockets, and what the allocator keeps (memory_allocator_set).
 *
 * A part that is full never changes a result: it is written, spilled, let go, or waited for.
 */
#ifndef FORESTALL_ENGINE_MEMORY_H
#define FORESTALL_ENGINE_MEMORY_H

#include <stdint.h>

/* In 32nds. */
enum memory_part {
    MEMORY_STORE = 8,           /* RocksDB's block cache, and its write buffers */
    MEMORY_GROUPS = 4,          /* groups as they are worked on; others are read from the store */
    MEMORY_PENDING = 4,         /* what is ahead of the time; more goes to the scratch file */
    MEMORY_FOLDS = 3,           /* partials until they are sent; then they are sent sooner */
    MEMORY_DIRTY = 2,           /* state changed since the last commit, and what is to be published; then one is due */
    MEMORY_RECOMMENDATIONS = 2, /* decoded ones */
    MEMORY_TIMERS = 1,          /* of groups, those that are due next; others are read from the store */
    MEMORY_FETCH = 4,           /* messages fetched ahead, of all partitions */
    MEMORY_SENT = 2,            /* what goes to the tasks: of the commit under way, and of the next */
    MEMORY_PRODUCE = 2,         /* records of a commit on their way */
    MEMORY_WHOLE = 32,
};

/* One transaction has nine seconds to arrive, however much memory there is. */
enum { MEMORY_COMMIT_OF_MAX = 256 << 20 };

/* Of the whole `bytes`. */
static inline int64_t memory_share(int64_t bytes, enum memory_part part)
{
    return bytes / MEMORY_WHOLE * part;
}

/* The same for what one commit is made of: no more than it would be of 256 MiB. */
static inline int64_t memory_commit_share(int64_t bytes, enum memory_part part)
{
    return memory_share(bytes < MEMORY_COMMIT_OF_MAX ? bytes : MEMORY_COMMIT_OF_MAX, part);
}

/* The allocator's own habits: no block size that it learns, and little kept at the end of an arena. Before there are
 * threads. */
void memory_allocator_set(void);
/* Gives free memory back to the system where there is more than `bytes` of it; takes milliseconds, of any thread. */
void memory_trim(int64_t bytes);

#endif
