/* A bump allocator: many small allocations, one reset. One thread owns an arena. Out of memory ends the process. */
#ifndef FORESTALL_BASE_ARENA_H
#define FORESTALL_BASE_ARENA_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; /* the chunk in use */
    char *next;               /* free space in it: [next, end) */
    char *end;
    size_t used; /* bytes in all chunks, for budgets */
};

/* An arena of all zeroes is ready for use. */
void arena_fini(struct arena *arena);

/* Forgets every allocation; keeps the largest chunk, so that a steady load allocates nothing. */
void arena_reset(struct arena *arena);

/* `n` bytes aligned for any type; not zeroed. Never NULL. */
void *arena_alloc(struct arena *arena, size_t n);
void *arena_zalloc(struct arena *arena, size_t n);

/* A copy with a terminating NUL (not counted in the length). */
struct str arena_str(struct arena *arena, struct str text);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Heap memory for long-lived things; never NULL. */
void *mem_alloc(size_t n);
void *mem_zalloc(size_t n);
void *mem_realloc(void *p, size_t n);
char *mem_strdup(struct str text);

/* Grows a heap array of `size`-byte items so that `count + 1` fit; `capacity` is updated. */
void *mem_grow(void *items, size_t count, size_t *capacity, size_t size);

#endif
