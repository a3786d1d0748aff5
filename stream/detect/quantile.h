/* Quantiles of values that come in any order. Up to QUANTILE_EXACT_MAX values are kept as they are, and a quantile is
 * exact, interpolated between the two nearest ranks as Prometheus' quantile_over_time does; beyond, they are a
 * histogram, and the two ranks' values are their buckets' middles, never outside of the least and greatest value. Which
 * of both it is depends on the number of values alone.
 *
 * NaN is left out. Infinite values count as what they are: between two of unlike sign there is nothing to interpolate,
 * and the quantile is NaN. Memory: 2 KB of values, or the histogram.
 */
#ifndef FORESTALL_DETECT_QUANTILE_H
#define FORESTALL_DETECT_QUANTILE_H

#include "detect/histogram.h"

enum { QUANTILE_EXACT_MAX = 256 };

struct quantile {
    uint64_t count;
    double *values; /* while count is at most QUANTILE_EXACT_MAX */
    uint32_t cap;
    bool sorted; /* the values are */
    struct histogram histogram;
};

void quantile_init(struct quantile *quantile);
void quantile_fini(struct quantile *quantile);
size_t quantile_bytes(const struct quantile *quantile); /* on the heap, beside itself */
void quantile_add(struct quantile *quantile, double x);
void quantile_merge(struct quantile *quantile, const struct quantile *other);
/* The q-quantile, q in [0, 1], of count > 0 values. *approximate is set where it comes from the histogram. */
double quantile_value(struct quantile *quantile, double q, bool *approximate);
/* Canonical. The count is for the caller to keep; decoding is into an empty one. */
void quantile_encode(struct buf *out, struct quantile *quantile);
bool quantile_decode(struct reader *r, uint64_t count, struct quantile *quantile);

#endif
