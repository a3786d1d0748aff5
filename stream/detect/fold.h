/* Folds: what a window function keeps instead of its events. A merge is commutative and associative, and the encoding
 * is canonical: the same events give the same bytes, whatever the order of additions and merges.
 *
 * Memory: a sum at most EXACT_SUM_PARTS_MAX doubles, stddev two of them, a distinct DISTINCT_MAX hashes, a
 * percentile 2 KB while it is exact and then at most 64 KB, the others a few words. Adding is O(parts of the sum), in
 * practice one to three; O(log n) amortised for distinct and percentiles.
 */
#ifndef FORESTALL_DETECT_FOLD_H
#define FORESTALL_DETECT_FOLD_H

#include "detect/distinct.h"
#include "detect/moments.h"
#include "detect/quantile.h"
#include "rule/ruleset.h"

struct fold {
    uint8_t function; /* enum aggregate_function */
    uint64_t count;   /* values added (nulls left out; for count: events) */
    union {
        struct exact_sum sum;      /* sum, avg */
        double extreme;            /* min, max; defined while count > 0 */
        struct moments *moments;   /* stddev; NULL while count is 0 */
        struct quantile *quantile; /* p50 and the like; NULL while count is 0 */
        struct distinct distinct;
    };
};

void fold_init(struct fold *fold, enum aggregate_function function);
void fold_fini(struct fold *fold);
size_t fold_bytes(const struct fold *fold); /* on the heap */
/* True where those bytes come to kilobytes: of distinct, stddev and percentiles. */
bool fold_grows(enum aggregate_function function);
/* Adds one event's value (ignored for count). Null and error values are left out. */
void fold_add(struct fold *fold, struct value v);
void fold_merge(struct fold *fold, struct fold *other);
/* Takes away what was merged before, as if it had never been; only of functions that fold_can_lose. */
void fold_take_away(struct fold *fold, const struct fold *other);
bool fold_can_lose(enum aggregate_function function);
/* The function's result: double, or null of nothing where it is not a count or a sum. *approximate is set where
 * distinct counted, or a percentile saw, more than it keeps. */
struct value fold_result(struct fold *fold, bool *approximate);
/* The result of share, from the folds of the two distincts that it compares. *approximate is set where one of them is.
 */
struct value fold_share(struct fold *over, struct fold *of, bool *approximate);
void fold_encode(struct buf *out, struct fold *fold);
bool fold_decode(struct reader *r, struct fold *fold); /* into an initialised fold of the same function */

#endif
