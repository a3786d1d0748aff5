/* Adding, merging, results and the canonical encoding of folds. */
#include "detect/fold.h"

#include <math.h>
#include <stdlib.h>

void fold_init(struct fold *fold, enum aggregate_function function)
{
    memset(fold, 0, sizeof *fold);
    fold->function = (uint8_t)function;
    if (function == AGGREGATE_SUM || function == AGGREGATE_AVG)
        exact_sum_init(&fold->sum);
}

void fold_fini(struct fold *fold)
{
    if (fold->function == AGGREGATE_SUM || fold->function == AGGREGATE_AVG)
        exact_sum_fini(&fold->sum);
    if (fold->function == AGGREGATE_DISTINCT)
        free(fold->distinct.hashes);
}

size_t fold_bytes(const struct fold *fold)
{
    if (fold->function == AGGREGATE_DISTINCT)
        return fold->distinct.cap * sizeof *fold->distinct.hashes;
    bool sums = fold->function == AGGREGATE_SUM || fold->function == AGGREGATE_AVG;
    return sums && fold->sum.parts != NULL ? fold->sum.cap * sizeof *fold->sum.parts : 0;
}

static bool as_number(struct value v, double *d)
{
    switch ((enum value_type)v.type) {
    case VALUE_DOUBLE:
        *d = v.d;
        return true;
    case VALUE_INT:
        *d = (double)v.i;
        return true;
    case VALUE_UINT:
        *d = (double)v.u;
        return true;
    case VALUE_BOOL:
        *d = v.b;
        return true;
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        *d = (double)value_ms(v);
        return true;
    default:
        return false;
    }
}

static int order_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts, drops doubles and keeps the smallest FOLD_DISTINCT_MAX + 1: one more than is exact, as the sign of overflow.
 */
static void distinct_settle(struct fold *fold)
{
    if (fold->distinct.sorted == fold->distinct.n)
        return;
    uint64_t *h = fold->distinct.hashes;
    qsort(h, fold->distinct.n, sizeof *h, order_hashes);
    size_t kept = 0;
    for (size_t i = 0; i < fold->distinct.n && kept <= FOLD_DISTINCT_MAX; i++)
        if (kept == 0 || h[kept - 1] != h[i])
            h[kept++] = h[i];
    fold->distinct.n = fold->distinct.sorted = kept;
}

static void distinct_add(struct fold *fold, uint64_t hash)
{
    if (fold->distinct.n == fold->distinct.cap && fold->distinct.n > 0)
        distinct_settle(fold);
    uint64_t *h = fold->distinct.hashes;
    size_t n = fold->distinct.n;
    if (n == fold->distinct.sorted && n > FOLD_DISTINCT_MAX && hash >= h[n - 1])
        return;
    if (n > 0 && h[n - 1] == hash)
        return;
    /* Settling may have freed little: grow whenever less than half is free, so that settling stays amortised. */
    if (n * 2 >= fold->distinct.cap) {
        fold->distinct.cap = fold->distinct.cap == 0 ? 4 : fold->distinct.cap * 2;
        fold->distinct.hashes = mem_realloc(h, fold->distinct.cap * sizeof *h);
    }
    fold->distinct.hashes[fold->distinct.n++] = hash;
}

static uint64_t value_hash(struct value v)
{
    if (v.type == VALUE_STRING)
        return hash_bytes(v.s, v.n, VALUE_STRING);
    struct buf bytes = {0};
    value_encode(&bytes, v);
    uint64_t hash = hash_bytes(bytes.p, bytes.len, v.type);
    buf_fini(&bytes);
    return hash;
}

void fold_add(struct fold *fold, struct value v)
{
    double d;
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
        fold->count++;
        return;
    case AGGREGATE_DISTINCT:
        if (v.type == VALUE_NULL || v.type == VALUE_ERROR)
            return;
        fold->count++;
        distinct_add(fold, value_hash(v));
        return;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        if (!as_number(v, &d))
            return;
        fold->count++;
        exact_sum_add(&fold->sum, d);
        return;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        if (!as_number(v, &d) || isnan(d))
            return;
        d = d == 0 ? 0 : d; /* one zero, so that the order of events cannot show */
        if (fold->count++ == 0 || (fold->function == AGGREGATE_MIN ? d < fold->extreme : d > fold->extreme))
            fold->extreme = d;
        return;
    }
}

void fold_merge(struct fold *fold, struct fold *other)
{
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
        break;
    case AGGREGATE_DISTINCT:
        for (size_t i = 0; i < other->distinct.n; i++)
            distinct_add(fold, other->distinct.hashes[i]);
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        exact_sum_merge(&fold->sum, &other->sum);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        if (other->count > 0 &&
            (fold->count == 0 ||
             (fold->function == AGGREGATE_MIN ? other->extreme < fold->extreme : other->extreme > fold->extreme)))
            fold->extreme = other->extreme;
        break;
    }
    fold->count += other->count;
}

struct value fold_result(struct fold *fold, bool *approximate)
{
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
        return value_double((double)fold->count);
    case AGGREGATE_DISTINCT:
        distinct_settle(fold);
        if (fold->distinct.n <= FOLD_DISTINCT_MAX)
            return value_double((double)fold->distinct.n);
        *approximate = true;
        /* k minimum values: (k - 1) / the k-th smallest hash as a fraction (Bar-Yossef et al. 2002). */
        return value_double(round((FOLD_DISTINCT_MAX - 1) /
                                  ((double)fold->distinct.hashes[FOLD_DISTINCT_MAX - 1] / 18446744073709551616.0)));
    case AGGREGATE_SUM:
        return value_double(exact_sum_value(&fold->sum));
    case AGGREGATE_AVG:
        return fold->count == 0 ? value_null() : value_double(exact_sum_value(&fold->sum) / (double)fold->count);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return fold->count == 0 ? value_null() : value_double(fold->extreme);
    }
    return value_null();
}

/* The canonical expansion of an exact value: the value rounded, the rest rounded, … */
static void encode_sum(struct buf *out, const struct exact_sum *sum)
{
    struct exact_sum rest;
    double parts[2 * FOLD_SUM_PARTS];
    uint32_t n = 0;
    exact_sum_init(&rest);
    exact_sum_merge(&rest, sum);
    rest.huge_positive = rest.huge_negative = rest.nans = 0;
    for (double d; (d = exact_sum_value(&rest)) != 0 && n < 2 * FOLD_SUM_PARTS; n++) {
        parts[n] = d;
        exact_sum_add(&rest, -d);
    }
    exact_sum_fini(&rest);
    buf_varint(out, sum->huge_positive);
    buf_varint(out, sum->huge_negative);
    buf_varint(out, sum->nans);
    buf_varint(out, n);
    for (uint32_t i = 0; i < n; i++)
        buf_double(out, parts[i]);
}

void fold_encode(struct buf *out, struct fold *fold)
{
    buf_varint(out, fold->count);
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
        break;
    case AGGREGATE_DISTINCT:
        distinct_settle(fold);
        buf_varint(out, fold->distinct.n);
        for (size_t i = 0; i < fold->distinct.n; i++)
            buf_u64(out, fold->distinct.hashes[i]);
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        encode_sum(out, &fold->sum);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        buf_double(out, fold->count > 0 ? fold->extreme : 0);
        break;
    }
}

bool fold_decode(struct reader *r, struct fold *fold)
{
    uint64_t n;
    fold->count = read_varint(r);
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
        break;
    case AGGREGATE_DISTINCT:
        n = read_varint(r);
        if (r->failed || n > FOLD_DISTINCT_MAX + 1)
            return false;
        for (uint64_t i = 0; i < n; i++)
            distinct_add(fold, read_u64(r));
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        fold->sum.huge_positive = read_varint(r);
        fold->sum.huge_negative = read_varint(r);
        fold->sum.nans = read_varint(r);
        n = read_varint(r);
        if (r->failed || n > 2 * FOLD_SUM_PARTS)
            return false;
        for (uint64_t i = 0; i < n; i++) {
            double d = read_double(r);
            if (!(fabs(d) < 0x1p970))
                return false;
            exact_sum_add(&fold->sum, d);
        }
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        fold->extreme = read_double(r);
        break;
    }
    return !r->failed;
}
