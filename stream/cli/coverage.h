/* What the tests of rules reach: which rules fire in one, and which parts of their `when` were seen both true and
 * false. */
#ifndef FORESTALL_CLI_COVERAGE_H
#define FORESTALL_CLI_COVERAGE_H

#include <stdio.h>

#include "rule/ruleset.h"

struct coverage;

/* `rules` outlive it. */
struct coverage *coverage_new(const struct ruleset *rules);
void coverage_free(struct coverage *coverage);
/* A copy of the set's rule that counts what its `when` comes to. */
const struct rule *coverage_rule(const struct coverage *coverage, size_t rule);
/* A test of the rule was run. */
void coverage_test(struct coverage *coverage, size_t rule, bool fired);
/* A table, a row a rule that tests were run of (all: every rule), what was not seen with its place, and the sums. */
void coverage_print(const struct coverage *coverage, bool all, FILE *out);

#endif
