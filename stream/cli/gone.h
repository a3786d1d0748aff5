/* Recommendations of rules that the configuration has no longer. The engine leaves them on the topic as they were,
 * since what people decided is theirs and a rule may be put back; so whoever shows them says that nothing changes them
 * now. */
#ifndef FORESTALL_CLI_GONE_H
#define FORESTALL_CLI_GONE_H

#include "cli/published.h"
#include "rule/ruleset.h"

/* How many that are not dismissed, superseded or validated; *names, in the arena: "a, b and 2 more". 0 without rules.
 */
size_t gone_count(const struct published *published, const struct ruleset *rules, struct arena *arena,
                  const char **names);

#endif
