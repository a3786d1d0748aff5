/* Standard deviations from exact sums. */
#include "detect/moments.h"

#include <math.h>

void moments_init(struct moments *moments)
{
    exact_sum_init(&moments->values);
    exact_sum_init(&moments->squares);
}

void moments_fini(struct moments *moments)
{
    exact_sum_fini(&moments->values);
    exact_sum_fini(&moments->squares);
}

size_t moments_bytes(const struct moments *moments)
{
    return exact_sum_bytes(&moments->values) + exact_sum_bytes(&moments->squares);
}

void moments_add(struct moments *moments, double x)
{
    if (isinf(x))
        x = NAN; /* the distance from an infinite mean is not a number */
    exact_sum_add(&moments->values, x);
    exact_sum_add_product(&moments->squares, x, x);
}

void moments_merge(struct moments *moments, const struct moments *other)
{
    exact_sum_merge(&moments->values, &other->values);
    exact_sum_merge(&moments->squares, &other->squares);
}

/* n squares - values^2, which is n^2 times the variance, in exact arithmetic: rounded once, so that nothing cancels.
 * Everything is scaled to squares of about 1 first, by a power of two, which only drops what is below 2^-1000 of them.
 */
static double scaled_deviations(const struct moments *moments, double n, int scale)
{
    struct exact_sum total;
    size_t value_parts;
    size_t square_parts;
    const double *values = exact_sum_parts(&moments->values, &value_parts);
    const double *squares = exact_sum_parts(&moments->squares, &square_parts);
    exact_sum_init(&total);
    for (size_t i = 0; i < square_parts; i++)
        exact_sum_add_product(&total, n, ldexp(squares[i], -2 * scale));
    for (size_t i = 0; i < value_parts; i++)
        for (size_t k = 0; k < value_parts; k++)
            exact_sum_add_product(&total, -ldexp(values[i], -scale), ldexp(values[k], -scale));
    double result = exact_sum_value(&total);
    exact_sum_fini(&total);
    return result;
}

double moments_stddev(const struct moments *moments, uint64_t n)
{
    int exponent = 0;
    double squares = exact_sum_value(&moments->squares);
    if (isnan(squares) || isinf(squares))
        return squares;
    (void)frexp(squares, &exponent);
    int scale = exponent / 2;
    double deviations = scaled_deviations(moments, (double)n, scale);
    /* Below zero only by what was dropped of values far below all others. */
    return deviations <= 0 ? 0 : ldexp(sqrt(deviations) / (double)n, scale);
}

void moments_encode(struct buf *out, const struct moments *moments)
{
    exact_sum_encode(out, &moments->values);
    exact_sum_encode(out, &moments->squares);
}

bool moments_decode(struct reader *r, struct moments *moments)
{
    return exact_sum_decode(r, &moments->values) && exact_sum_decode(r, &moments->squares);
}
