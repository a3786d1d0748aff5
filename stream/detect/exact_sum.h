/* Sums of doubles without rounding: a nonoverlapping expansion (Shewchuk 1997, as in Python's math.fsum), smallest part
 * first. Values beyond 2^900 and infinities are counted apart, since intermediate sums must not overflow.
 *
 * Memory: at most EXACT_SUM_PARTS_MAX doubles; in practice one to three, which need no heap. Adding is O(parts).
 */
#ifndef FORESTALL_DETECT_EXACT_SUM_H
#define FORESTALL_DETECT_EXACT_SUM_H

#include "base/buf.h"

enum { EXACT_SUM_PARTS_MAX = 64 };

struct exact_sum {
    double inline_parts[4];
    double *parts; /* inline_parts until more are needed, then heap */
    uint32_t count;
    uint32_t cap;
    uint64_t huge_positive;
    uint64_t huge_negative;
    uint64_t nans;
};

void exact_sum_init(struct exact_sum *sum);
void exact_sum_fini(struct exact_sum *sum);
size_t exact_sum_bytes(const struct exact_sum *sum); /* on the heap */
void exact_sum_add(struct exact_sum *sum, double x);
/* Adds x * y, a product of 2^900 or more counted as huge. Neither may be above 2^990 while the other makes it small.
 * Exact where the product's last bit is not below 2^-1074. */
void exact_sum_add_product(struct exact_sum *sum, double x, double y);
void exact_sum_merge(struct exact_sum *sum, const struct exact_sum *other);
/* Takes away what was merged before: the sum is as if it had never been. */
void exact_sum_take_away(struct exact_sum *sum, const struct exact_sum *other);
double exact_sum_value(const struct exact_sum *sum); /* rounded once */
/* The parts, smallest first; they hold until the next change. */
const double *exact_sum_parts(const struct exact_sum *sum, size_t *count);

/* Canonical: equal sums give equal bytes, whatever they were added from. */
void exact_sum_encode(struct buf *out, const struct exact_sum *sum);
bool exact_sum_decode(struct reader *r, struct exact_sum *sum); /* into an empty sum; false: no encoding of one */

#endif
