/* The one place that reads clocks; tests replace them. */
#ifndef FORESTALL_BASE_CLOCK_H
#define FORESTALL_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00Z. */
int64_t clock_wall_ms(void);
/* Microseconds of a clock that never goes back; only differences mean something. */
int64_t clock_mono_us(void);
/* Fixes the wall clock at `ms` from now on (tests); INT64_MIN gives it back to the system. Not thread safe. */
void clock_wall_fix(int64_t ms);
/* The same for the clock that never goes back. */
void clock_mono_fix(int64_t us);

#endif
