/* glibc's allocator: a process of some twenty threads, in which memory is taken by one and freed by another. Left alone
 * it had as much again free as in use. Its arenas stay as many as it likes: where two busy threads share one its lock
 * takes up to half of the rate. */
#include "engine/memory.h"

#include <malloc.h>

enum { MMAP_BYTES = 4 << 20, TRIM_BYTES = 4 << 20 };

void memory_allocator_set(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
}

void memory_trim(int64_t bytes)
{
    if ((int64_t)mallinfo2().fordblks > bytes)
        (void)malloc_trim(0);
}
