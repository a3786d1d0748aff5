/* Lines through points, and how well they fit. */
#include "detect/line.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Puts the value of rank k where it would stand if all were sorted, with none greater before and none less behind it
 * (Hoare's quickselect, three ways, since a flat series has the same slope many times). The pivot's place is drawn,
 * with a seed of its own, so that no order of values is a bad one. */
static double select_rank(double *values, size_t n, size_t k)
{
    size_t low = 0;
    size_t high = n;
    uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);
    while (high - low > 1) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        double pivot = values[low + seed % (high - low)];
        size_t less = low; /* [low, less) below the pivot, [less, i) equal, [greater, high) above */
        size_t greater = high;
        for (size_t i = low; i < greater;) {
            if (values[i] < pivot)
                swap(&values[i++], &values[less++]);
            else if (values[i] > pivot)
                swap(&values[i], &values[--greater]);
            else
                i++;
        }
        if (k >= less && k < greater)
            break;
        if (k < less)
            high = less;
        else
            low = greater;
    }
    return values[k];
}

double line_median(double *values, size_t n)
{
    double upper = select_rank(values, n, n / 2);
    if (n % 2 == 1)
        return upper;
    double lower = values[0];
    for (size_t i = 1; i < n / 2; i++)
        if (values[i] > lower)
            lower = values[i];
    return (lower + upper) / 2;
}

static double distance(const struct line_point *from, const struct line_point *to)
{
    return (double)(to->x - from->x);
}

/* R2 of the line, and of the best two levels. Values are taken from the first one on, so that equal ones are exactly
 * 0. */
static bool judge(const struct line_point *points, size_t n, struct line *line)
{
    double mean = 0;
    double around_mean = 0;
    double around_line = 0;
    for (size_t i = 0; i < n; i++)
        mean += points[i].y - points[0].y;
    mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double off = points[i].y - points[0].y - mean;
        double rest = points[i].y - line->at_start - line->slope * distance(&points[0], &points[i]);
        around_mean += off * off;
        around_line += rest * rest;
    }
    line->fit = line->step_fit = 1;
    if (around_mean == 0)
        return isfinite(line->slope) && isfinite(line->at_start);
    double before = 0;
    double explained = 0;
    for (size_t i = 1; i < n; i++) {
        before += points[i - 1].y - points[0].y - mean;
        double both = before * before / (double)i + before * before / (double)(n - i);
        explained = both > explained ? both : explained;
    }
    line->fit = 1 - around_line / around_mean;
    line->step_fit = explained / around_mean;
    return isfinite(line->slope) && isfinite(line->at_start) && isfinite(line->fit) && isfinite(line->step_fit);
}

bool line_theil_sen(const struct line_point *points, size_t n, struct line *line)
{
    if (n < 2)
        return false;
    double *values = mem_alloc((n * (n - 1) / 2 + n) * sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            values[count++] = (points[k].y - points[i].y) / distance(&points[i], &points[k]);
    line->slope = line_median(values, count);
    for (size_t i = 0; i < n; i++)
        values[i] = points[i].y - line->slope * distance(&points[0], &points[i]);
    line->at_start = line_median(values, n);
    free(values);
    return judge(points, n, line);
}

bool line_least_squares(const struct line_point *points, size_t n, struct line *line)
{
    if (n < 2)
        return false;
    double mean_x = 0;
    double mean_y = 0;
    double squares = 0;
    double products = 0;
    for (size_t i = 0; i < n; i++) {
        mean_x += distance(&points[0], &points[i]);
        mean_y += points[i].y - points[0].y;
    }
    mean_x /= (double)n;
    mean_y /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double off_x = distance(&points[0], &points[i]) - mean_x;
        squares += off_x * off_x;
        products += off_x * (points[i].y - points[0].y - mean_y);
    }
    line->slope = products / squares;
    line->at_start = points[0].y + mean_y - line->slope * mean_x;
    return judge(points, n, line);
}
