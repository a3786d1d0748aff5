/* A straight line through points: by the median of slopes, which a few wild points do not turn, or by least squares.
 *
 * Every operation is rounded as IEEE 754 says and comes in an order of its own, so the same points give the same line
 * on any machine.
 */
#ifndef FORESTALL_DETECT_LINE_H
#define FORESTALL_DETECT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_point {
    int64_t x;
    double y; /* finite */
};

struct line {
    double slope;
    double at_start; /* the line's value at the first point's x */
    double fit;      /* R2: 1 - the squares around the line over those around the mean; 1 where all y are the same */
    double step_fit; /* the same of the best two levels, one before and one after some point, in place of a line */
};

/* Theil-Sen: the median of the slopes between all pairs, and the median of what is left as the offset. O(n^2) time and
 * memory: 16 MB for 2,000 points. Both: x ascending, no two the same; false where there is no line: fewer than two
 * points, or values so far apart that a slope is not finite. */
bool line_theil_sen(const struct line_point *points, size_t n, struct line *line);
bool line_least_squares(const struct line_point *points, size_t n, struct line *line); /* O(n) */

/* The median of `n` > 0 numbers, none NaN, of an even count the mean of the middle two; their order changes. Expected
 * O(n), whatever the order they come in. */
double line_median(double *values, size_t n);

#endif
