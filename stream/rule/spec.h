/* What `detect` says, by type of detector: the keys of rules/README.md, read and checked. Everything belongs to the
 * rule set's arena. */
#ifndef FORESTALL_RULE_SPEC_H
#define FORESTALL_RULE_SPEC_H

#include "rule/cel.h"

enum detector_type {
    DETECTOR_WINDOW,
    DETECTOR_SEQUENCE,
    DETECTOR_ABSENCE,
    DETECTOR_CASCADE,
    DETECTOR_TREND,
    DETECTOR_BURN_RATE,
    DETECTOR_NEW_VALUE,
    DETECTOR_REVERT,
    DETECTOR_TYPE_COUNT,
    DETECTOR_HISTORY = DETECTOR_TYPE_COUNT /* of a rule's history, which no file names: see rule_history.c */
};
extern const char *const detector_type_names[DETECTOR_TYPE_COUNT + 1]; /* NULL-terminated */

enum window_kind {
    WINDOW_NONE, /* the detector has none */
    WINDOW_SLIDING,
    WINDOW_HOPPING, /* tumbling is hopping with slide == size */
    WINDOW_CALENDAR,
    WINDOW_SESSION
};

enum calendar_unit { CALENDAR_DAY, CALENDAR_WEEK, CALENDAR_MONTH, CALENDAR_QUARTER };

struct cel_zone;

/* No pane is longer, whatever the slide: a restart reads no further back for it. */
enum { PANE_MS_MAX = 10 * MINUTE_MS };

struct window {
    enum window_kind kind;
    int64_t size_ms;  /* of calendar: the longest that its unit can be; of session: max_ms */
    int64_t slide_ms; /* of hopping */
    int64_t wait_ms;
    int64_t pane_ms; /* the longest pane: of hopping one that divides size and slide, of calendar 10 min */
    int64_t gap_ms;  /* of session, as max_ms */
    int64_t max_ms;
    int64_t least_ms; /* of a new rule's first windows so much must lie in its time; 0: all of it */
    enum calendar_unit calendar;
    const struct cel_zone *zone; /* of calendar; NULL: UTC */
    struct str zone_name;
};

/* `absence`: nothing of input `of` for `every_ms` from a group seen before. */
struct absence_spec {
    int of;
    int64_t every_ms;
};

struct topology; /* rule/topology.h */

/* `cascade`: incidents of services joined in the topology within `within_ms` of the first. */
struct cascade_spec {
    int of;
    int64_t within_ms;
    const struct topology *topology; /* of all files */
};

enum { RULE_TREND_STEPS_MAX = 2000, RULE_TREND_POINTS_MIN = 3 };

enum trend_method { TREND_THEIL_SEN, TREND_LEAST_SQUARES };

/* `trend`: a line over the medians of `step_ms`, in the rule's window. Its horizon is the default of `when`. */
struct trend_spec {
    int of;
    int value_aggregate; /* the rule's aggregate that folds the values */
    int64_t step_ms;
    double limit;
    int64_t min_points;
    double min_fit;
    enum trend_method method;
    int reset; /* an input; -1: none */
};

enum { RULE_BURN_PAIRS_MAX = 8 };

/* The outputs of burn_rate, in their order. */
enum burn_output { BURN_LONG, BURN_SHORT, BURN_FACTOR };

struct burn_pair {
    int64_t long_ms; /* whole minutes, as short_ms, which is less */
    int64_t short_ms;
    double factor; /* it fires above this multiple of the budget's even use */
};

/* `burn_rate`: bad over all, against the error budget, in pairs of windows. The rule's window is the longest of them.
 */
struct burn_spec {
    int bad_aggregate;
    int all_aggregate;
    double objective; /* in (0, 1) */
    double budget;    /* 1 - objective */
    const struct burn_pair *pairs;
    size_t pair_count;
};

/* `new_value` and `revert`: values of an expression over input `of`, remembered for `memory_ms`. */
struct memory_spec {
    int of;
    const struct cel *value;
    int64_t memory_ms;
    int64_t warmup_ms; /* of new_value: of the stream's history before anything fires; memory_ms by default */
};

struct sequence_spec; /* rule/sequence.h */

/* What a history keeps for `validate`: what its inputs selected, by UTC day, for `keep_ms`. */
struct history_spec {
    const struct rule *of;
    uint16_t output_inputs; /* bit i: the fixed outputs are over input i, for detection is */
    int64_t keep_ms;
};

/* A name that the detector gives to `when`, templates and `per`, beside the fixed outputs. */
struct rule_output {
    struct str name;
    struct cel_type type;
};

#endif
