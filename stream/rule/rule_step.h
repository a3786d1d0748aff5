/* Inside the rule loader: one step of a sequence in the making. */
#ifndef FORESTALL_RULE_RULE_STEP_H
#define FORESTALL_RULE_RULE_STEP_H

#include "rule/rule_load.h"
#include "rule/sequence.h"

struct step_build {
    struct rule_build *build;
    const struct yaml_node *node;
    const struct step_build *steps; /* all of the sequence; those before this one are read */
    size_t number;                  /* its own among them */
    struct sequence_step step;      /* conditions are not numbered yet */
    struct str name;                /* empty: negated, or not understood */
    int input;                      /* -1: negated, or not understood */
    bool list;                      /* it has `times` */
    struct sequence_condition condition;
    struct sequence_condition until; /* count 0: none */
};

/* Reads the step from its node; what is wrong is reported. */
void rule_step_read(struct step_build *step);
/* What its name stands for: an event, or a list of events. */
struct cel_type rule_step_type(const struct step_build *step);

#endif
