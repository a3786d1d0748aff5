/* The standard deviation of values that come in any order: their sum and the sum of their squares, both exact, so that
 * a mean of 1e9 costs no digit. Of the population, as Prometheus' stddev_over_time: the squares are divided by n.
 *
 * A NaN or infinite value makes it NaN, a finite one of 2^450 or more infinite. Squares below 2^-1074 are lost, so
 * values of less than 1e-150 have no spread of their own. Memory: two exact sums.
 */
#ifndef FORESTALL_DETECT_MOMENTS_H
#define FORESTALL_DETECT_MOMENTS_H

#include "detect/exact_sum.h"

struct moments {
    struct exact_sum values;
    struct exact_sum squares;
};

void moments_init(struct moments *moments);
void moments_fini(struct moments *moments);
size_t moments_bytes(const struct moments *moments); /* on the heap, beside itself */
void moments_add(struct moments *moments, double x);
void moments_merge(struct moments *moments, const struct moments *other);
/* Of `n` values, as many as were added, n > 0. Right to about 1.5 units in the last place. O(parts^2). */
double moments_stddev(const struct moments *moments, uint64_t n);
void moments_encode(struct buf *out, const struct moments *moments); /* canonical */
bool moments_decode(struct reader *r, struct moments *moments);      /* into an empty one */

#endif
