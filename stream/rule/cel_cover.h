/* Which parts of a condition came out true and which false: for tests of rules.
 *
 * A covered expression is a copy of another one that counts while it evaluates as the original does; the original stays
 * as it was, and pays nothing.
 */
#ifndef FORESTALL_RULE_CEL_COVER_H
#define FORESTALL_RULE_CEL_COVER_H

#include "rule/cel.h"

/* One of `&&`, `||`, `?:` or a condition that they combine. What is never reached, for the parts before it had decided,
 * counts as neither. */
struct cel_part {
    struct str text; /* canonical */
    size_t offset;   /* in the expression's text */
    uint64_t held;
    uint64_t failed; /* false, or ended in an error */
};

struct cel_coverage {
    struct cel_part *parts; /* in the order in which they are written; constants are none */
    size_t count;
};

/* The copy and the parts belong to the arena; `coverage` must outlive the copy's use. */
const struct cel *cel_cover(struct arena *arena, const struct cel *cel, struct cel_coverage *coverage);

#endif
