/* `sequence`: what its keys say. Conditions are numbered as the pattern has them; each is fulfilled by an event of one
 * of its alternatives. Everything belongs to the rule set's arena. */
#ifndef FORESTALL_RULE_SEQUENCE_H
#define FORESTALL_RULE_SEQUENCE_H

#include "event/stream.h"
#include "rule/cel.h"
#include "rule/sequence_pattern.h"

struct sequence_alternative {
    int input;                   /* the event is selected by this input; -1: it is any of `stream` */
    const struct stream *stream; /* the input's, or that of `until` */
    const struct cel *where;     /* NULL: none. Slot i of its frame is the value of step i */
    bool reads;                  /* `where` reads earlier steps */
};

struct sequence_condition {
    const struct sequence_alternative *alternatives;
    size_t count;
};

/* Of each step, beside what the pattern has. */
struct sequence_output {
    struct str name; /* empty for a negated one */
    bool list;       /* it has `times`: its value is a list of events */
};

struct sequence_spec {
    struct sequence_pattern pattern;
    const struct sequence_condition *conditions;
    size_t condition_count;
    const struct sequence_output *outputs; /* a step each */
    int64_t warmup_ms;                     /* history that a leading negation asks for */
};

#endif
