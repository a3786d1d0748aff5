/* A histogram of doubles with buckets of one relative width: [2^(i/64), 2^((i+1)/64)), about 1.1 %, so that a bucket's
 * geometric middle is within 0.55 % of all that is in it. Negative values have mirrored buckets; zero, and each
 * infinity, have one of their own; subnormal values are values like others.
 *
 * At most HISTOGRAM_BUCKETS_MAX buckets are kept, 16 bytes each. Values that fill more than 19 decades need more
 * of them: then every two neighbours become one, once or oftener. The scale is the finest that fits, which depends on
 * the values alone. (OpenTelemetry's and Prometheus' exponential histograms, UDDSketch, Epicoco et al. 2020.)
 */
#ifndef FORESTALL_DETECT_HISTOGRAM_H
#define FORESTALL_DETECT_HISTOGRAM_H

#include "base/buf.h"

enum { HISTOGRAM_BUCKETS_MAX = 4096 };

struct histogram_bucket {
    int32_t key; /* in order of the values */
    uint64_t count;
};

struct histogram {
    struct histogram_bucket *buckets; /* by key */
    size_t n;
    size_t cap;
    int scale; /* 2^scale buckets from one power of two to the next: 6, less where they were too many */
    uint64_t count;
    double min; /* of the values, exactly; defined while count > 0 */
    double max;
};

void histogram_init(struct histogram *histogram);
void histogram_fini(struct histogram *histogram);
size_t histogram_bytes(const struct histogram *histogram); /* on the heap, beside itself */
/* Adds `count` times x, which is not NaN. O(log n), and O(n) for a new bucket. */
void histogram_add(struct histogram *histogram, double x, uint64_t count);
void histogram_merge(struct histogram *histogram, const struct histogram *other); /* O(n) */
/* About the value of rank `rank`, 0 the least: its bucket's middle, between min and max. rank < count. O(n). */
double histogram_at(const struct histogram *histogram, uint64_t rank);
void histogram_encode(struct buf *out, const struct histogram *histogram); /* canonical */
bool histogram_decode(struct reader *r, struct histogram *histogram);      /* into an empty one */

#endif
