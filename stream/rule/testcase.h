/* The `tests:` of a rule, expanded: events and feedback with their times, and what is expected when.
 *
 * Times are milliseconds since the epoch: a test's 0 is Monday 2024-01-01T00:00Z.
 */
#ifndef FORESTALL_RULE_TESTCASE_H
#define FORESTALL_RULE_TESTCASE_H

#include "rule/ruleset.h"

#define TESTCASE_ZERO_MS INT64_C(1704067200000)

struct testcase_event {
    int64_t at_ms;
    int line;
    struct event event; /* complete: given merged, required fields filled; time_ms = at_ms or its own occurred_at */
    struct value group; /* of feedback: whose recommendation, whose id is left empty; null: whichever there is */
};

struct testcase_expect {
    int64_t at_ms;
    int line;
    int column;
    struct value group;          /* map; null: whichever there is */
    struct value recommendation; /* or scorecard: map of the expected fields, each still text or nested maps and lists
                                    of text; null: none */
    const struct cel *that;      /* NULL: none; over the record's fields as names */
};

struct testcase {
    struct str name;
    const struct rule *rule;
    const char *file;
    int line;
    struct testcase_event *events; /* in order of time, ties in the order written */
    size_t event_count;
    struct testcase_expect *expects; /* in order of time */
    size_t expect_count;
    bool expects_none; /* expect: [] */
    int64_t advance_to_ms;
};

/* The fields of a rule's recommendations, or of a scorecard, in the order of the record; NULL-terminated. `that` reads
 * slot i as field i. */
const char *const *testcase_fields(const struct rule *rule);

/* Expands all tests of a rule into the arena. -1: errors were added. */
int testcases_expand(struct arena *arena, const struct rule *rule, struct testcase **cases, size_t *count,
                     struct diagnostics *diagnostics) MUST_CHECK;

#endif
