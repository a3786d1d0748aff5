/* Which rules the state knows, by the hash of their meaning: since when each is in force, and, of those that are no
 * longer in the set, when their state goes.
 *
 * A rule that is new is in force from the time up to which everything was applied when it came: of its windows, those
 * that began before are not evaluated. A rule that was removed keeps its state for as long as its window reaches back,
 * so that a set put back in time goes on; a rule that comes back is in force from then on.
 */
#ifndef FORESTALL_ENGINE_KNOWN_RULES_H
#define FORESTALL_ENGINE_KNOWN_RULES_H

#include "rule/ruleset.h"
#include "state/state.h"

struct known_rules;

struct known_rules_options {
    const struct ruleset *rules;
    struct state *state;
    struct task_range tasks; /* the rules' records are in the first */
    bool waits;              /* rules that come wait for known_rules_switch */
    /* Asks for known_rules_expire at `time_ms`. */
    void (*arm)(void *context, int64_t time_ms);
    void *context;
};

struct known_rules *known_rules_new(const struct known_rules_options *options);
void known_rules_free(struct known_rules *known);

/* After a restore: compares what the state knows with the set, at `applied_ms`, by stage (INT64_MIN: nothing was
 * applied yet), and asks for the times at which removed rules' state goes. */
int known_rules_restore(struct known_rules *known, const int64_t *applied_ms, struct error *err) MUST_CHECK;
/* All sources have been mapped with this set from `switch_ms` on: rules that waited are in force from then, or from
 * what is applied (by stage), where that is later. */
void known_rules_switch(struct known_rules *known, int64_t switch_ms, const int64_t *applied_ms);
/* Since when the rule is in force; INT64_MIN: from the beginning; INT64_MAX: not yet. */
int64_t known_rules_since(const struct known_rules *known, int rule_number);
/* Removes the state of rules whose time has come, KNOWN_RULES_STEP entries at most; what is left is asked for again. */
int known_rules_expire(struct known_rules *known, int64_t time_ms, struct error *err) MUST_CHECK;

enum { KNOWN_RULES_STEP = 20000 };

#endif
