/* Counts what the thread that looks asks of malloc and of mutexes. The functions below stand in for those of libc, in
 * our code and in every library, so one file of a program includes this, and defines _GNU_SOURCE before all else. */
#ifndef FORESTALL_TESTS_COUNTED_CALLS_H
#define FORESTALL_TESTS_COUNTED_CALLS_H

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

static _Thread_local uint64_t allocations, locks; /* of this thread so far */

/* The sanitizers have functions of their own in these places: nothing is counted then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { COUNTS_CALLS = 0 };
#else
enum { COUNTS_CALLS = 1 };

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*next)(pthread_mutex_t *mutex);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    locks++;
    return next(mutex);
}
#endif

#endif
