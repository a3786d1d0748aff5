/* One test of a rule, played on the engine with a clock that only the test moves. */
#ifndef FORESTALL_CLI_TRIAL_H
#define FORESTALL_CLI_TRIAL_H

#include "rule/testcase.h"

struct trial_result {
    bool passed;
    bool fired;     /* there was a detection, or a scorecard */
    struct str why; /* lines that say what is not as expected; of the trial's arena */
};

/* Plays the test with `rule`, which is the test's own or a copy of it that counts what it evaluates. */
struct trial_result trial_run(struct arena *arena, const struct testcase *testcase, const struct rule *rule);

#endif
