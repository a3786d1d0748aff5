/* The set of different values, as hashes: exact up to DISTINCT_MAX, and beyond that its smallest hashes, a random
 * sample that does not depend on the order of values and merges (bottom-k sketch, Cohen and Kaplan 2007).
 *
 * Memory: 8 bytes a value, at most a few times DISTINCT_MAX of them. Adding is O(log n) amortised. */
#ifndef FORESTALL_DETECT_DISTINCT_H
#define FORESTALL_DETECT_DISTINCT_H

#include "event/value.h"

enum { DISTINCT_MAX = 10000 };

/* All zero: empty. */
struct distinct {
    uint64_t *hashes; /* the smallest; one more than DISTINCT_MAX of them is the sign of overflow */
    size_t n;
    size_t cap;
    size_t sorted; /* the first so many are sorted and unique */
};

void distinct_fini(struct distinct *set);
size_t distinct_bytes(const struct distinct *set); /* on the heap */
void distinct_add(struct distinct *set, struct value v);
void distinct_merge(struct distinct *set, const struct distinct *other);
/* How many different values there were. *approximate is set where that comes from a sample: it is about 1 % off. */
double distinct_count(struct distinct *set, bool *approximate);
/* The part of `over` that is in `of` too: a double, or null where `over` is empty. *approximate is set where either
 * kept a sample: the result is over the values of `over` that both samples would have, on average m = DISTINCT_MAX *
 * |over| / max(|over|, |of|) of them, which gives a standard error of sqrt(share * (1 - share) / m); null where there
 * are none. */
struct value distinct_share(struct distinct *over, struct distinct *of, bool *approximate);
void distinct_encode(struct buf *out, struct distinct *set);
bool distinct_decode(struct reader *r, struct distinct *set); /* into an empty set */

#endif
