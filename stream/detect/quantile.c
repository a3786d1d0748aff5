/* The few values kept, and their way into the histogram. */
#include "detect/quantile.h"

#include <math.h>
#include <stdlib.h>

void quantile_init(struct quantile *quantile)
{
    *quantile = (struct quantile){.sorted = true};
    histogram_init(&quantile->histogram);
}

void quantile_fini(struct quantile *quantile)
{
    free(quantile->values);
    histogram_fini(&quantile->histogram);
}

size_t quantile_bytes(const struct quantile *quantile)
{
    return quantile->cap * sizeof *quantile->values + histogram_bytes(&quantile->histogram);
}

static bool is_exact(const struct quantile *quantile)
{
    return quantile->count <= QUANTILE_EXACT_MAX;
}

/* The values become a histogram. */
static void dissolve(struct quantile *quantile)
{
    for (uint64_t i = 0; i < quantile->count; i++)
        histogram_add(&quantile->histogram, quantile->values[i], 1);
    free(quantile->values);
    quantile->values = NULL;
    quantile->cap = 0;
}

void quantile_add(struct quantile *quantile, double x)
{
    if (isnan(x))
        return;
    if (quantile->count == QUANTILE_EXACT_MAX)
        dissolve(quantile);
    if (quantile->count >= QUANTILE_EXACT_MAX) {
        histogram_add(&quantile->histogram, x, 1);
        quantile->count++;
        return;
    }
    if (quantile->count == quantile->cap) {
        quantile->cap = quantile->cap == 0 ? 4 : quantile->cap * 2;
        quantile->values = mem_realloc(quantile->values, quantile->cap * sizeof *quantile->values);
    }
    x = x == 0 ? 0 : x; /* one zero, so that the order of values cannot show */
    quantile->sorted = quantile->sorted && (quantile->count == 0 || quantile->values[quantile->count - 1] <= x);
    quantile->values[quantile->count++] = x;
}

void quantile_merge(struct quantile *quantile, const struct quantile *other)
{
    if (is_exact(other)) {
        for (uint64_t i = 0; i < other->count; i++)
            quantile_add(quantile, other->values[i]);
        return;
    }
    if (is_exact(quantile))
        dissolve(quantile);
    histogram_merge(&quantile->histogram, &other->histogram);
    quantile->count += other->count;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void settle(struct quantile *quantile)
{
    if (!quantile->sorted)
        qsort(quantile->values, quantile->count, sizeof *quantile->values, order);
    quantile->sorted = true;
}

static double value_at(const struct quantile *quantile, uint64_t rank)
{
    return is_exact(quantile) ? quantile->values[rank] : histogram_at(&quantile->histogram, rank);
}

double quantile_value(struct quantile *quantile, double q, bool *approximate)
{
    if (is_exact(quantile))
        settle(quantile);
    else
        *approximate = true;
    uint64_t last = quantile->count - 1;
    double rank = q * (double)last;
    uint64_t lower = rank < (double)last ? (uint64_t)rank : last;
    uint64_t upper = lower < last ? lower + 1 : last;
    double weight = rank - (double)lower;
    double low = value_at(quantile, lower);
    double high = value_at(quantile, upper);
    /* Equal infinities, and a weight of nothing on an infinite neighbour, have no difference to weigh. */
    return low == high || weight == 0 ? low : low * (1 - weight) + high * weight;
}

void quantile_encode(struct buf *out, struct quantile *quantile)
{
    if (!is_exact(quantile)) {
        histogram_encode(out, &quantile->histogram);
        return;
    }
    settle(quantile);
    for (uint64_t i = 0; i < quantile->count; i++)
        buf_double(out, quantile->values[i]);
}

bool quantile_decode(struct reader *r, uint64_t count, struct quantile *quantile)
{
    if (count > QUANTILE_EXACT_MAX) {
        quantile->count = count;
        return histogram_decode(r, &quantile->histogram) && quantile->histogram.count == count;
    }
    for (uint64_t i = 0; i < count && !r->failed; i++) {
        double x = read_double(r);
        if (isnan(x))
            return false;
        quantile_add(quantile, x);
    }
    return !r->failed;
}
