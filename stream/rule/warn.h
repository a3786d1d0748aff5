/* Inside the rule loader: warnings, which ruleset_options.warn asks for. */
#ifndef FORESTALL_RULE_WARN_H
#define FORESTALL_RULE_WARN_H

#include "rule/cel_possible.h"
#include "rule/rule_load.h"

enum { RULE_SLOTS_MAX = OUT_FIXED_COUNT + RULE_OUTPUTS_MAX + RULE_AGGREGATES_MAX };

/* What a sound rule most likely does not mean, or what costs more than its writer may know. */
void rule_warn(const struct rule_build *build);
/* warn_condition.c: inputs that select nothing, and conditions that are always or never true. */
void rule_warn_conditions(const struct rule_build *build);
/* What the slots of `when` can hold whatever the events; their number. */
size_t rule_slot_domains(const struct rule *rule, struct cel_domain domains[RULE_SLOTS_MAX]);

/* Over all rules, when all are sound. */
void ruleset_warn(struct loader *loader);
/* warn_overlap.c: rules that fire together. */
void ruleset_warn_overlaps(struct loader *loader);

#endif
