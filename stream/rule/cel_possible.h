/* Whether a condition can come to a wanted result at all, as far as its comparisons of names with constants tell.
 *
 * The answer "no" is certain: it follows from ranges, finite sets and CEL's rules for null, NaN and errors. The answer
 * "yes" means only that nothing speaks against it. Used at load, to find conditions that are never or always true, and
 * conditions that follow from others.
 */
#ifndef FORESTALL_RULE_CEL_POSSIBLE_H
#define FORESTALL_RULE_CEL_POSSIBLE_H

#include "rule/cel.h"

enum { CEL_EXCLUDED_MAX = 8 };

/* What is known of a name's value. All zeroes: neither null nor NaN, else anything. */
struct cel_domain {
    bool maybe_null;
    bool maybe_nan;
    bool no_value;              /* null or NaN is all that it can be */
    bool whole;                 /* a number without a fraction */
    struct value low, high;     /* bounds; null: none */
    bool low_open, high_open;   /* the bound itself is out */
    const struct value *values; /* it is one of these; NULL: anything between the bounds */
    size_t value_count;
    struct value excluded[CEL_EXCLUDED_MAX]; /* it is none of these */
    size_t excluded_count;
};

/* Of results a condition can have: true, false, an error. */
enum cel_wanted { CEL_TRUE, CEL_FALSE, CEL_NOT_TRUE, CEL_NOT_FALSE };

struct cel_claim {
    const struct cel *cel;
    enum cel_wanted wanted;
    /* The domain's number of the event's field or of the slot `index`; -1: nothing is known of it. */
    int (*domain)(void *context, bool slot, int index);
    void *context;
};

/* False where the claims cannot hold together while each name is within its domain. Work and memory are bounded:
 * beyond them the answer is true. */
bool cel_possible(const struct cel_claim *claims, size_t n, const struct cel_domain *domains, size_t domain_count);

/* Visits the conditions that `&& || ! ?:` are made of, each as an expression of its own that lives as long as the
 * call. An expression without those is visited itself. */
void cel_conditions(const struct cel *cel, void (*visit)(void *context, const struct cel *condition), void *context);
/* Where the expression stands in the text that it was compiled from: what a person would point at, such as its
 * operator. */
size_t cel_offset(const struct cel *cel);

#endif
