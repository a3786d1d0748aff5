/* Folds: what a window function keeps instead of its events. A merge is commutative and associative, and the encoding
 * is canonical: the same events give the same bytes, whatever the order of additions and merges.
 *
 * Memory: a sum at most FOLD_SUM_PARTS doubles, a distinct FOLD_DISTINCT_MAX hashes, the others a few words. Adding is
 * O(parts of the sum), in practice one to three; O(log n) amortised for distinct.
 */
#ifndef FORESTALL_DETECT_FOLD_H
#define FORESTALL_DETECT_FOLD_H

#include "rule/ruleset.h"

enum { FOLD_SUM_PARTS = 40, FOLD_DISTINCT_MAX = 10000 };

/* A sum of doubles without rounding: a nonoverlapping expansion (Shewchuk 1997, as in Python's math.fsum), smallest
 * part first. Values beyond 2^900 and infinities are counted apart, since intermediate sums must not overflow. */
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
void exact_sum_add(struct exact_sum *sum, double x);
void exact_sum_merge(struct exact_sum *sum, const struct exact_sum *other);
double exact_sum_value(const struct exact_sum *sum); /* rounded once */

struct fold {
    uint8_t function; /* enum aggregate_function */
    uint64_t count;   /* values added (nulls left out; for count: events) */
    union {
        struct exact_sum sum; /* sum, avg */
        double extreme;       /* min, max; defined while count > 0 */
        struct {              /* distinct: the smallest hashes, sorted after fold_settle */
            uint64_t *hashes;
            size_t n;
            size_t cap;
            size_t sorted; /* the first so many are sorted and unique */
        } distinct;
    };
};

void fold_init(struct fold *fold, enum aggregate_function function);
void fold_fini(struct fold *fold);
size_t fold_bytes(const struct fold *fold); /* on the heap */
/* Adds one event's value (ignored for count). Null and error values are left out. */
void fold_add(struct fold *fold, struct value v);
void fold_merge(struct fold *fold, struct fold *other);
/* The function's result: double, or null for min, max and avg of nothing. *approximate is set where distinct counted
 * more than it keeps. */
struct value fold_result(struct fold *fold, bool *approximate);
void fold_encode(struct buf *out, struct fold *fold);
bool fold_decode(struct reader *r, struct fold *fold); /* into an initialised fold of the same function */

#endif
