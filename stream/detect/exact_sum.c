/* Exact sums of doubles by nonoverlapping expansions. */
#include <math.h>
#include <stdlib.h>

#include "detect/fold.h"

static const double HUGE_LIMIT = 0x1p900; /* below it, 2^63 values cannot overflow */

void exact_sum_init(struct exact_sum *sum)
{
    *sum = (struct exact_sum){.cap = 4};
}

static double *parts_of(struct exact_sum *sum)
{
    return sum->parts != NULL ? sum->parts : sum->inline_parts;
}

static const double *parts_view(const struct exact_sum *sum)
{
    return sum->parts != NULL ? sum->parts : sum->inline_parts;
}

void exact_sum_fini(struct exact_sum *sum)
{
    free(sum->parts);
    sum->parts = NULL;
}

static void reserve(struct exact_sum *sum)
{
    if (sum->count < sum->cap)
        return;
    ASSERT(sum->cap < 2 * FOLD_SUM_PARTS);
    uint32_t cap = sum->cap * 2;
    double *parts = mem_alloc(cap * sizeof *parts);
    memcpy(parts, parts_of(sum), sum->count * sizeof *parts);
    free(sum->parts);
    sum->parts = parts;
    sum->cap = cap;
}

/* Grow-expansion with elimination of zeroes: after it the parts are nonoverlapping and increase in magnitude, so their
 * number is bounded by the exponent range over 53 bits. Knuth's two-sum needs no order of magnitude, and so no branch
 * that depends on the data. */
void exact_sum_add(struct exact_sum *sum, double x)
{
    if (!(fabs(x) < HUGE_LIMIT)) {
        if (isnan(x))
            sum->nans++;
        else if (x > 0)
            sum->huge_positive++;
        else
            sum->huge_negative++;
        return;
    }
    double *parts = parts_of(sum);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sum->count; i++) {
        double y = parts[i];
        double high = x + y;
        double of_y = high - x;
        double low = (x - (high - of_y)) + (y - of_y);
        parts[kept] = low; /* kept <= i: only what was read already is overwritten */
        kept += low != 0;
        x = high;
    }
    sum->count = kept;
    if (x == 0)
        return;
    reserve(sum);
    parts_of(sum)[sum->count++] = x;
}

void exact_sum_merge(struct exact_sum *sum, const struct exact_sum *other)
{
    const double *parts = parts_view(other);
    for (uint32_t i = 0; i < other->count; i++)
        exact_sum_add(sum, parts[i]);
    sum->huge_positive += other->huge_positive;
    sum->huge_negative += other->huge_negative;
    sum->nans += other->nans;
}

double exact_sum_value(const struct exact_sum *sum)
{
    if (sum->nans > 0 || (sum->huge_positive > 0 && sum->huge_negative > 0))
        return NAN;
    if (sum->huge_positive > 0 || sum->huge_negative > 0)
        return sum->huge_positive > 0 ? INFINITY : -INFINITY;
    const double *parts = parts_view(sum);
    uint32_t n = sum->count;
    if (n == 0)
        return 0;
    double high = parts[--n];
    double low = 0;
    while (n > 0) {
        double x = high;
        double y = parts[--n];
        high = x + y;
        low = y - (high - x);
        if (low != 0)
            break;
    }
    /* Half way between two doubles the parts below decide (the last step of math.fsum). */
    if (n > 0 && ((low < 0 && parts[n - 1] < 0) || (low > 0 && parts[n - 1] > 0))) {
        double twice = low * 2;
        double x = high + twice;
        if (twice == x - high)
            high = x;
    }
    return high;
}
