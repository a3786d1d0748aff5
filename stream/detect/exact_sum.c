/* Exact sums of doubles by nonoverlapping expansions. */
#include "detect/exact_sum.h"

#include <math.h>
#include <stdlib.h>

/* Values below it cannot overflow: 2^63 of them are below 2^963, and so is every part of their sum, up to a unit. The
 * same goes for products, whose rests are far smaller. So parts, unlike values, need no look at their size. */
static const double HUGE_LIMIT = 0x1p900;

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

const double *exact_sum_parts(const struct exact_sum *sum, size_t *count)
{
    *count = sum->count;
    return parts_view(sum);
}

void exact_sum_fini(struct exact_sum *sum)
{
    free(sum->parts);
    sum->parts = NULL;
}

size_t exact_sum_bytes(const struct exact_sum *sum)
{
    return sum->parts != NULL ? sum->cap * sizeof *sum->parts : 0;
}

/* Shewchuk's compression, downwards: each part takes in of those below it what it can hold, so that the next is at most
 * half a unit in its last place. The exponents' range over 53 bits are then 40 parts. */
static void compress(struct exact_sum *sum)
{
    double *parts = parts_of(sum);
    uint32_t bottom = sum->count;
    double high = parts[--bottom];
    uint32_t kept = sum->count;
    while (bottom > 0) {
        double low = parts[--bottom];
        double x = high + low;
        double rest = low - (x - high);
        high = x;
        if (rest == 0)
            continue;
        parts[--kept] = high; /* kept > bottom: only what was read already is overwritten */
        high = rest;
    }
    parts[--kept] = high;
    sum->count -= kept;
    memmove(parts, parts + kept, sum->count * sizeof *parts);
}

static void reserve(struct exact_sum *sum)
{
    if (sum->count < sum->cap)
        return;
    if (sum->cap == EXACT_SUM_PARTS_MAX) {
        compress(sum);
        ASSERT(sum->count < sum->cap);
        return;
    }
    uint32_t cap = sum->cap * 2;
    double *parts = mem_alloc(cap * sizeof *parts);
    memcpy(parts, parts_of(sum), sum->count * sizeof *parts);
    free(sum->parts);
    sum->parts = parts;
    sum->cap = cap;
}

static bool count_huge(struct exact_sum *sum, double x)
{
    if (fabs(x) < HUGE_LIMIT)
        return false;
    if (isnan(x))
        sum->nans++;
    else if (x > 0)
        sum->huge_positive++;
    else
        sum->huge_negative++;
    return true;
}

/* Grow-expansion with elimination of zeroes: after it the parts are nonoverlapping and increase in magnitude. Knuth's
 * two-sum needs no order of magnitude, and so no branch that depends on the data. */
static void add_part(struct exact_sum *sum, double x)
{
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

void exact_sum_add(struct exact_sum *sum, double x)
{
    if (!count_huge(sum, x))
        add_part(sum, x);
}

/* The upper 26 bits of x (Veltkamp): products of such halves are exact. */
static double upper_half(double x)
{
    double scaled = x * 0x1.0000002p27;
    return scaled - (scaled - x);
}

/* Dekker's two-product. */
void exact_sum_add_product(struct exact_sum *sum, double x, double y)
{
    double product = x * y;
    if (count_huge(sum, product))
        return;
    double x_high = upper_half(x);
    double y_high = upper_half(y);
    double x_low = x - x_high;
    double y_low = y - y_high;
    double rest = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low;
    exact_sum_add(sum, product);
    if (rest != 0)
        exact_sum_add(sum, rest);
}

void exact_sum_merge(struct exact_sum *sum, const struct exact_sum *other)
{
    const double *parts = parts_view(other);
    for (uint32_t i = 0; i < other->count; i++)
        add_part(sum, parts[i]);
    sum->huge_positive += other->huge_positive;
    sum->huge_negative += other->huge_negative;
    sum->nans += other->nans;
}

void exact_sum_take_away(struct exact_sum *sum, const struct exact_sum *other)
{
    const double *parts = parts_view(other);
    for (uint32_t i = 0; i < other->count; i++)
        add_part(sum, -parts[i]);
    sum->huge_positive -= other->huge_positive;
    sum->huge_negative -= other->huge_negative;
    sum->nans -= other->nans;
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

/* The value rounded, the rest rounded, … */
void exact_sum_encode(struct buf *out, const struct exact_sum *sum)
{
    struct exact_sum rest;
    double parts[EXACT_SUM_PARTS_MAX];
    uint32_t n = 0;
    exact_sum_init(&rest);
    exact_sum_merge(&rest, sum);
    rest.huge_positive = rest.huge_negative = rest.nans = 0;
    for (double d; (d = exact_sum_value(&rest)) != 0; n++) {
        ASSERT(n < EXACT_SUM_PARTS_MAX);
        parts[n] = d;
        add_part(&rest, -d);
    }
    exact_sum_fini(&rest);
    buf_varint(out, sum->huge_positive);
    buf_varint(out, sum->huge_negative);
    buf_varint(out, sum->nans);
    buf_varint(out, n);
    for (uint32_t i = 0; i < n; i++)
        buf_double(out, parts[i]);
}

bool exact_sum_decode(struct reader *r, struct exact_sum *sum)
{
    sum->huge_positive = read_varint(r);
    sum->huge_negative = read_varint(r);
    sum->nans = read_varint(r);
    uint64_t n = read_varint(r);
    if (r->failed || n > EXACT_SUM_PARTS_MAX)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        double d = read_double(r);
        if (!(fabs(d) < 0x1p970))
            return false;
        add_part(sum, d);
    }
    return !r->failed;
}
