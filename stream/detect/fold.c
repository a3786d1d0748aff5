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
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
    case AGGREGATE_SHARE:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_AGO:
        break;
    case AGGREGATE_DISTINCT:
        distinct_fini(&fold->distinct);
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        exact_sum_fini(&fold->sum);
        break;
    case AGGREGATE_STDDEV:
        if (fold->moments != NULL)
            moments_fini(fold->moments);
        free(fold->moments);
        break;
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        if (fold->quantile != NULL)
            quantile_fini(fold->quantile);
        free(fold->quantile);
        break;
    }
}

size_t fold_bytes(const struct fold *fold)
{
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
    case AGGREGATE_SHARE:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_AGO:
        return 0;
    case AGGREGATE_DISTINCT:
        return distinct_bytes(&fold->distinct);
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        return exact_sum_bytes(&fold->sum);
    case AGGREGATE_STDDEV:
        return fold->moments != NULL ? sizeof *fold->moments + moments_bytes(fold->moments) : 0;
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        return fold->quantile != NULL ? sizeof *fold->quantile + quantile_bytes(fold->quantile) : 0;
    }
    return 0;
}

bool fold_grows(enum aggregate_function function)
{
    return function == AGGREGATE_DISTINCT || function == AGGREGATE_STDDEV ||
           (function >= AGGREGATE_P50 && function <= AGGREGATE_P99);
}

static struct moments *moments_of(struct fold *fold)
{
    if (fold->moments == NULL) {
        fold->moments = mem_alloc(sizeof *fold->moments);
        moments_init(fold->moments);
    }
    return fold->moments;
}

static struct quantile *quantile_of(struct fold *fold)
{
    if (fold->quantile == NULL) {
        fold->quantile = mem_alloc(sizeof *fold->quantile);
        quantile_init(fold->quantile);
    }
    return fold->quantile;
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

void fold_add(struct fold *fold, struct value v)
{
    double d;
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
        fold->count++;
        return;
    case AGGREGATE_SHARE:
        return;
    case AGGREGATE_DISTINCT:
        if (v.type == VALUE_NULL || v.type == VALUE_ERROR)
            return;
        fold->count++;
        distinct_add(&fold->distinct, v);
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
    case AGGREGATE_STDDEV:
        if (!as_number(v, &d))
            return;
        fold->count++;
        moments_add(moments_of(fold), d);
        return;
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        if (!as_number(v, &d) || isnan(d))
            return;
        fold->count++;
        quantile_add(quantile_of(fold), d);
        return;
    case AGGREGATE_AGO:
        return;
    }
}

void fold_merge(struct fold *fold, struct fold *other)
{
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
    case AGGREGATE_SHARE:
    case AGGREGATE_AGO:
        break;
    case AGGREGATE_DISTINCT:
        distinct_merge(&fold->distinct, &other->distinct);
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
    case AGGREGATE_STDDEV:
        if (other->count > 0)
            moments_merge(moments_of(fold), other->moments);
        break;
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        if (other->count > 0)
            quantile_merge(quantile_of(fold), other->quantile);
        break;
    }
    fold->count += other->count;
}

bool fold_can_lose(enum aggregate_function function)
{
    return function == AGGREGATE_COUNT || function == AGGREGATE_SUM || function == AGGREGATE_AVG;
}

void fold_take_away(struct fold *fold, const struct fold *other)
{
    ASSERT(fold_can_lose((enum aggregate_function)fold->function) && fold->count >= other->count);
    if (fold->function != AGGREGATE_COUNT)
        exact_sum_take_away(&fold->sum, &other->sum);
    fold->count -= other->count;
}

static double share_of(enum aggregate_function function)
{
    return function == AGGREGATE_P50 ? 0.5 : function == AGGREGATE_P90 ? 0.9 : function == AGGREGATE_P95 ? 0.95 : 0.99;
}

struct value fold_result(struct fold *fold, bool *approximate)
{
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
        return value_double((double)fold->count);
    case AGGREGATE_DISTINCT:
        return value_double(distinct_count(&fold->distinct, approximate));
    case AGGREGATE_SUM:
        return value_double(exact_sum_value(&fold->sum));
    case AGGREGATE_AVG:
        return fold->count == 0 ? value_null() : value_double(exact_sum_value(&fold->sum) / (double)fold->count);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return fold->count == 0 ? value_null() : value_double(fold->extreme);
    case AGGREGATE_STDDEV:
        return fold->count == 0 ? value_null() : value_double(moments_stddev(fold->moments, fold->count));
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        return fold->count == 0 ? value_null()
                                : value_double(quantile_value(fold->quantile, share_of(fold->function), approximate));
    case AGGREGATE_SHARE:
    case AGGREGATE_AGO:
        break;
    }
    return value_null();
}

struct value fold_share(struct fold *over, struct fold *of, bool *approximate)
{
    return distinct_share(&over->distinct, &of->distinct, approximate);
}

void fold_encode(struct buf *out, struct fold *fold)
{
    buf_varint(out, fold->count);
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
    case AGGREGATE_SHARE:
    case AGGREGATE_AGO:
        break;
    case AGGREGATE_DISTINCT:
        distinct_encode(out, &fold->distinct);
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        exact_sum_encode(out, &fold->sum);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        buf_double(out, fold->count > 0 ? fold->extreme : 0);
        break;
    case AGGREGATE_STDDEV:
        if (fold->count > 0)
            moments_encode(out, fold->moments);
        break;
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        if (fold->count > 0)
            quantile_encode(out, fold->quantile);
        break;
    }
}

bool fold_decode(struct reader *r, struct fold *fold)
{
    fold->count = read_varint(r);
    switch ((enum aggregate_function)fold->function) {
    case AGGREGATE_COUNT:
    case AGGREGATE_SHARE:
    case AGGREGATE_AGO:
        break;
    case AGGREGATE_DISTINCT:
        return distinct_decode(r, &fold->distinct);
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        return exact_sum_decode(r, &fold->sum);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        fold->extreme = read_double(r);
        break;
    case AGGREGATE_STDDEV:
        return fold->count == 0 ? !r->failed : moments_decode(r, moments_of(fold));
    case AGGREGATE_P50:
    case AGGREGATE_P90:
    case AGGREGATE_P95:
    case AGGREGATE_P99:
        return fold->count == 0 ? !r->failed : quantile_decode(r, fold->count, quantile_of(fold));
    }
    return !r->failed;
}
