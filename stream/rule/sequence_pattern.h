/* A sequence's pattern, compiled once a rule into the states and transitions of an automaton.
 *
 * The meaning is that of Flink CEP's patterns (Agrawal et al., "Efficient Pattern Matching over Event Streams", SIGMOD
 * 2008, with Flink's additions): which events match, and in which order among equals, is decided by the order of states
 * and transitions, so that order follows Flink's compiler. Two things are the rule language's own and live outside the
 * automaton: a negated step in front, and limits of time that include their end.
 *
 * A compiled pattern is read-only. Memory: at most SEQUENCE_STATES_MAX states in the arena of the rule.
 */
#ifndef FORESTALL_RULE_SEQUENCE_PATTERN_H
#define FORESTALL_RULE_SEQUENCE_PATTERN_H

#include "base/arena.h"

enum {
    SEQUENCE_STEPS_MAX = 32,
    SEQUENCE_CONDITIONS_MAX = 64,
    SEQUENCE_TIMES_MAX = 100, /* the largest number in `times` */
    SEQUENCE_STATES_MAX = 10000,
};

#define SEQUENCE_UNBOUNDED UINT32_MAX /* times_max of "N.." */

enum sequence_contiguity {
    SEQUENCE_RELAXED,     /* events that do not match are passed over */
    SEQUENCE_STRICT,      /* the very next event must match */
    SEQUENCE_RELAXED_ANY, /* matching events are passed over too */
};

enum sequence_skip {
    SEQUENCE_NO_SKIP,
    SEQUENCE_TO_NEXT,
    SEQUENCE_PAST_LAST,
    SEQUENCE_TO_FIRST, /* of skip_step */
    SEQUENCE_TO_LAST,
};

/* One step. A negated one has only contiguity (relaxed: none until the next step; strict: not the very next event) and
 * condition. Conditions are numbered by the caller, below SEQUENCE_CONDITIONS_MAX. */
struct sequence_step {
    bool negated;
    bool optional;
    bool greedy;
    uint8_t contiguity; /* to the step before; the first step has none */
    uint8_t inner;      /* between the events of this step */
    uint8_t condition;  /* what its events fulfil */
    int16_t until;      /* the condition that ends an unbounded step, or -1 */
    uint32_t times_min; /* 1.. */
    uint32_t times_max; /* >= times_min, or SEQUENCE_UNBOUNDED */
};

struct sequence_options {
    const struct sequence_step *steps;
    size_t step_count;
    int64_t within_ms;  /* first to last event, inclusive; 0: no limit */
    int64_t max_gap_ms; /* event to event, inclusive; 0: no limit */
    enum sequence_skip skip;
    int skip_step;
    uint64_t reads; /* bit i: condition i reads earlier steps, so its caller is asked for each run */
};

/* A condition or its opposite. */
struct sequence_literal {
    uint8_t condition;
    bool negated;
};

enum sequence_action {
    SEQUENCE_TAKE,    /* the event becomes part of the run */
    SEQUENCE_IGNORE,  /* the run goes on without it */
    SEQUENCE_PROCEED, /* the event is put to the target state instead */
};

struct sequence_transition {
    enum sequence_action action;
    uint32_t target;
    const struct sequence_literal *guard; /* all must hold */
    uint32_t guard_count;
};

enum sequence_state_kind {
    SEQUENCE_STATE_NORMAL,
    SEQUENCE_STATE_START,
    SEQUENCE_STATE_END,     /* a match */
    SEQUENCE_STATE_STOP,    /* a negated event came: the run ends */
    SEQUENCE_STATE_PENDING, /* a match unless a negated event comes in time */
};

struct sequence_state {
    enum sequence_state_kind kind;
    uint16_t step; /* whose events it takes */
    struct sequence_transition *transitions;
    uint32_t transition_count;
    uint32_t transition_cap;
};

struct sequence_pattern {
    struct sequence_options options; /* the steps are the pattern's own copy */
    size_t first;                    /* the first step that is not negated: 0, or 1 behind a leading negation */
    struct sequence_state *states;
    size_t state_count;
    uint32_t start;
};

/* Compiles a pattern into `arena`. The caller has seen to it (asserted here) that
 * - there is a step that is not negated, and no two negated ones are neighbours (one condition can stand for both);
 * - a negated step does not follow an optional one, an optional one does not follow a greedy one;
 * - `until` comes with an unbounded times_max, greedy not with relaxed_any inside;
 * - a negated step in front, and a relaxed one at the end, come with within_ms; one in front is not strict;
 * - skip_step is a step that is not negated.
 * Fails (ERROR_BAD_INPUT) where there would be more than SEQUENCE_STATES_MAX states. */
int sequence_pattern_compile(const struct sequence_options *options, struct arena *arena,
                             struct sequence_pattern *pattern, struct error *err) MUST_CHECK;

#endif
