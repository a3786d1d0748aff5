/* The bump allocator and the few heap calls that end the process when memory is gone. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_BYTES_MIN = 16 * 1024, CHUNK_BYTES_MAX = 1024 * 1024 };

struct arena_chunk {
    struct arena_chunk *below;
    size_t size;
    alignas(max_align_t) char bytes[];
};

static _Noreturn void out_of_memory(size_t n)
{
    (void)fprintf(stderr, "forestall: out of memory (%zu bytes wanted)\n", n);
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = malloc(n == 0 ? 1 : n);
    if (p == NULL)
        out_of_memory(n);
    return p;
}

void *mem_zalloc(size_t n)
{
    void *p = calloc(1, n == 0 ? 1 : n);
    if (p == NULL)
        out_of_memory(n);
    return p;
}

void *mem_realloc(void *p, size_t n)
{
    p = realloc(p, n == 0 ? 1 : n);
    if (p == NULL)
        out_of_memory(n);
    return p;
}

char *mem_strdup(struct str text)
{
    char *copy = mem_alloc(text.n + 1);
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return copy;
}

void *mem_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    return mem_realloc(items, *capacity * size);
}

static void arena_push(struct arena *arena, size_t wanted)
{
    size_t size = arena->head == NULL ? CHUNK_BYTES_MIN : arena->head->size * 2;
    if (size > CHUNK_BYTES_MAX)
        size = CHUNK_BYTES_MAX;
    if (size < wanted)
        size = wanted;
    struct arena_chunk *chunk = mem_alloc(sizeof *chunk + size);
    chunk->below = arena->head;
    chunk->size = size;
    arena->head = chunk;
    arena->next = chunk->bytes;
    arena->end = chunk->bytes + size;
}

void *arena_alloc(struct arena *arena, size_t n)
{
    size_t rounded = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (rounded < n)
        out_of_memory(n);
    if (arena->head == NULL || (size_t)(arena->end - arena->next) < rounded)
        arena_push(arena, rounded);
    void *p = arena->next;
    arena->next += rounded;
    arena->used += rounded;
    return p;
}

void *arena_zalloc(struct arena *arena, size_t n)
{
    void *p = arena_alloc(arena, n);
    memset(p, 0, n);
    return p;
}

struct str arena_str(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.n + 1);
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return (struct str){copy, text.n};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    char *text = arena_alloc(arena, (size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *keep = NULL;
    for (struct arena_chunk *chunk = arena->head, *below; chunk != NULL; chunk = below) {
        below = chunk->below;
        struct arena_chunk *loser = chunk;
        if (keep == NULL || chunk->size > keep->size) {
            loser = keep;
            keep = chunk;
        }
        free(loser);
    }
    *arena = (struct arena){.head = keep};
    if (keep != NULL) {
        keep->below = NULL;
        arena->next = keep->bytes;
        arena->end = keep->bytes + keep->size;
    }
}

void arena_fini(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->head, *below; chunk != NULL; chunk = below) {
        below = chunk->below;
        free(chunk);
    }
    *arena = (struct arena){0};
}
