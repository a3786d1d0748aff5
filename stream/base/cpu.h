/* Where a thread runs. A thread that is started runs where the one that starts it does. */
#ifndef FORESTALL_BASE_CPU_H
#define FORESTALL_BASE_CPU_H

#include <stddef.h>

/* How many CPUs the process may use; the first call is the main thread's, before any thread was placed. */
size_t cpu_count(void);
/* Keeps the calling thread on the n-th of them, counted round. Where affinity may not be set nothing happens. */
void cpu_stay(size_t n);
/* Lets the calling thread go to any of them again. */
void cpu_roam(void);

#endif
