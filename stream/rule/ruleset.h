/* A loaded rule set: what the YAML files of a configuration mean, checked and compiled.
 *
 * Immutable after loading; everything belongs to the set's arena. Loading reports all errors, each with its place, and
 * returns a set only when there are none.
 */
#ifndef FORESTALL_RULE_RULESET_H
#define FORESTALL_RULE_RULESET_H

#include "rule/cel.h"
#include "rule/spec.h"
#include "rule/template.h"
#include "rule/yaml.h"

enum {
    RULE_INPUTS_MAX = 16,
    RULE_GROUP_KEYS_MAX = 8,
    RULE_AGGREGATES_MAX = 32,
    RULE_OUTPUTS_MAX = 24, /* of a detector, beside the fixed ones */
    RULE_LEVELS_MAX = 64   /* of rules that read rules */
};

/* Names that `when` and templates may use: an evaluation's frame has these slots, then the detector's own outputs, then
 * one for each aggregate. */
enum output_slot {
    OUT_FIRST_SEEN, /* timestamp */
    OUT_LAST_SEEN,
    OUT_INCIDENTS, /* numbers of detectors and functions are doubles */
    OUT_MTTR,      /* duration or null */
    OUT_MTTR_MEDIAN,
    OUT_MTTD,
    OUT_MTTD_MEDIAN,
    OUT_MINUTES_LOST,
    OUT_GROUP,     /* map: group key -> string or null */
    OUT_SERVICES,  /* list of string, sorted */
    OUT_CODE_REFS, /* list of string */
    OUT_EVENTS,    /* number of contributing events */
    OUT_FIXED_COUNT
};
/* Those that are known without looking at single rows or events, a bit each. */
#define OUTPUTS_CHEAP (UINT32_C(1) << OUT_FIRST_SEEN | UINT32_C(1) << OUT_LAST_SEEN | UINT32_C(1) << OUT_EVENTS)
extern const char *const output_names[OUT_FIXED_COUNT + 1]; /* NULL-terminated */

/* field is one of `values`. */
struct match_term {
    int field;
    const struct value *values;
    size_t count;
};

struct group_key {
    struct str name;
    const struct cel *expr; /* NULL: a plain field */
    int field;              /* -1: an expression */
};

struct rule_input {
    struct str name;
    const struct stream *stream;
    const struct match_term *match;
    size_t match_count;
    const struct cel *where;       /* NULL: none */
    const struct group_key *group; /* the rule's, or the input's own; as many as the rule has */
    bool updates;                  /* raw updates of a row stream as plain events */
    bool detects;                  /* takes part in detection (false: read only by validate's measures) */
    bool any_rule;    /* of stream detection or scorecard, naming none: its match got those that read neither */
    field_mask reads; /* fields that match, where, group and aggregates read */
};

enum aggregate_function {
    AGGREGATE_COUNT,
    AGGREGATE_DISTINCT,
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_STDDEV,
    AGGREGATE_P50,
    AGGREGATE_P90,
    AGGREGATE_P95,
    AGGREGATE_P99,
    AGGREGATE_SHARE, /* folds nothing: it compares two distincts */
    AGGREGATE_AGO    /* folds nothing: what others fold, over the same window some time before */
};

/* One function call of `when`, a template or a measure: slot rule_aggregate_slot. */
struct aggregate {
    enum aggregate_function function;
    int input;              /* -1: of ago */
    const struct cel *expr; /* NULL for count; of ago over outputs and other functions */
    int field;              /* -1, or the event's field that expr is */
    struct str text;        /* as written, canonical: "avg(latency)" */
    bool detects;           /* false: only a measure of validate reads it */
    bool measured;          /* a measure of validate reads it */
    bool part;              /* only share reads it: nobody asked for its value */
    int over, of;           /* of share: the distincts of its inputs among the rule's aggregates */
    int64_t ago_ms;         /* of ago: how much earlier; of calendar windows it is the one before, whatever this says */
    uint16_t ago_inputs;    /* of ago: bit i: it reads input i */
};

enum category {
    CATEGORY_OBSERVABILITY_GAP,
    CATEGORY_INFRASTRUCTURE_RESILIENCE,
    CATEGORY_DEPLOYMENT_PIPELINE,
    CATEGORY_CODE_QUALITY,
    CATEGORY_ARCHITECTURE,
    CATEGORY_COUNT
};
extern const char *const category_names[CATEGORY_COUNT + 1]; /* NULL-terminated, as roadmap_names */
extern const char *const roadmap_names[];                    /* foundation resilience quality automation */

struct template_list {
    const struct template **items;
    size_t count;
};

struct code_sample {
    const struct template *path;
    struct str language;
    struct str text; /* from `text` or read from `file` at load; verbatim, no template */
};

/* What tells a rule's recommendations apart: `per`. */
enum recommend_per {
    PER_GROUP,  /* the rule's group: a recommendation a group */
    PER_KEYS,   /* some keys of group_by: what a group has contributes to one recommendation, with other groups' */
    PER_OUTPUTS /* an output too: each true evaluation says which recommendation it is about */
};

/* One name of `per`. */
struct per_key {
    struct str name;
    int key;  /* the number of the key of group_by; -1: an output */
    int slot; /* the output's */
};

enum { NEEDS_DETECTIONS_MAX = 1000 };

struct recommend {
    enum category category;
    const struct template *title;
    bool complexity_high;
    int roadmap;                     /* index into roadmap_names */
    const struct template *services; /* one expression giving a list; NULL when service_items or the default is used */
    struct template_list service_items;
    int severity_weight; /* of `severity`, default sev4 */
    struct str severity;
    int64_t cooldown_ms;
    /* The spec; NULL or empty where left out. */
    const struct template *problem, *solution, *effort;
    struct template_list implementation, testing, rollout, dependencies, references;
    const struct code_sample *code;
    size_t code_count;
    struct str *supersedes;
    size_t supersedes_count;
    enum recommend_per per_kind;
    const struct per_key *per; /* NULL: of PER_GROUP */
    size_t per_count;          /* at most RULE_GROUP_KEYS_MAX */
    int64_t needs_detections;  /* `needs`: that many in (t - needs_within_ms, t]; 0: the first is enough */
    int64_t needs_within_ms;
};

/* What a measure of `validate` compares. */
enum measure_kind {
    MEASURE_INCIDENTS,
    MEASURE_MTTR,
    MEASURE_MTTD,
    MEASURE_MINUTES_LOST,
    MEASURE_DETECTIONS,
    MEASURE_VALUE /* of its own */
};

struct measure {
    struct str name;
    enum measure_kind kind;
    const struct cel *value; /* of MEASURE_VALUE, over the rule's slots */
    bool scales;             /* counts more in more days: `before` is scaled to the days after */
    const struct cel *met;   /* slots 0 and 1: before and after */
};

/* `validate`: whole UTC days before and after the day on which a recommendation was implemented are compared. */
struct validation {
    int64_t before_days;
    int64_t after_days;
    int64_t min_before; /* incidents that it takes before; events or detections where there are none */
    const struct measure *measures;
    size_t measure_count;
};

/* What a scorecard shows of each of its windows. Its rule has a window, no `when`, and never fires. */
struct scorecard {
    const struct cel *value;  /* over the rule's slots: a number or a duration */
    int previous;             /* the number of the aggregate that is ago(value) */
    const struct cel *target; /* over enum scorecard_slot; NULL: none */
};
/* What a target sees: value and previous as they are, durations too, and the change; each may be null. */
enum scorecard_slot { SCORECARD_SLOT_VALUE, SCORECARD_SLOT_PREVIOUS, SCORECARD_SLOT_CHANGE, SCORECARD_SLOT_COUNT };

/* What decides which task a rule's groups are of (rule_route.c): the values of some keys, hashed in the order of their
 * names; with none of them one task for all. */
struct rule_route {
    const int *keys; /* numbers of the rule's group keys */
    size_t count;
    uint64_t seed;
};

struct rule {
    struct str id;
    struct str description;
    const char *file;
    int line;
    const struct yaml_node *node; /* as written, overrides applied */
    uint64_t hash; /* of the meaning: id, inputs and detector with macros and lists expanded; titles and spec aside */
    struct rule_input *inputs;
    size_t input_count;
    const struct group_key *group;
    size_t group_count;
    enum detector_type type;
    struct window window;
    union { /* by type */
        const struct sequence_spec *sequence;
        const struct absence_spec *absence;
        const struct cascade_spec *cascade;
        const struct trend_spec *trend;
        const struct burn_spec *burn;
        const struct memory_spec *memory; /* of new_value and revert */
        const struct history_spec *history;
    } spec;
    const struct rule_output *outputs; /* the detector's own */
    size_t output_count;
    int64_t reach_ms;       /* how long after a row's opened_at, or an event's time, an evaluation may still list it */
    int64_t look_back_ms;   /* how far before its window an evaluation looks (ago) */
    int64_t warmup_ms;      /* of a window with ago: the history that it waits for; -1: as far as each looks back */
    const struct cel *when; /* NULL: always */
    struct aggregate *aggregates;
    size_t aggregate_count;
    const struct rule **reads; /* rules and scorecards that it reads */
    size_t read_count;
    bool is_read;                        /* some rule reads it */
    bool shows_events;                   /* what comes of an evaluation shows rows or events, and not a figure alone */
    uint8_t level;                       /* 1: reads sources only; else one above the rules it reads */
    uint8_t stage;                       /* rules of one stage are applied in one order, by time and level */
    const struct rule_route *route;      /* of its groups; NULL: by their whole key */
    bool reads_incidents;                /* an input that detects reads the stream `incident` */
    const struct recommend *recommend;   /* NULL: detections only */
    const struct scorecard *scorecard;   /* NULL: a rule of kind RuleSet */
    const struct validation *validation; /* as written, or the default of rules over incidents; NULL: none */
    const struct rule *history;          /* keeps what validation compares, in the same set; NULL: none */
    const struct yaml_node *tests;       /* checked in form; NULL: none */
};

struct ruleset {
    struct arena arena;
    struct rule *rules; /* sorted by id, then the histories of some, which no file names */
    size_t count;       /* of those that files name */
    size_t all_count;   /* and the histories */
    size_t file_count;
    int level_max;   /* of its rules; at least 1 */
    uint64_t digest; /* of all rules' meanings */
};

/* The kinds of warnings that a load may add, with the code by which people and tools tell them apart. */
struct rule_warning {
    const char *code; /* NULL ends the table */
    const char *summary;
};
extern const struct rule_warning rule_warnings[];

/* What a rule file may rely on; zeroes are the defaults. */
struct ruleset_options {
    int64_t row_retention_ms; /* windows over rows are no longer; default 200 d */
    bool tests_unread;        /* leave `tests:` alone: a run does not need them */
    bool warn;                /* add warnings of what is allowed and most likely not meant */
};

/* Loads rule files and folders (read recursively, sorted; *.yaml and *.yml). NULL when diagnostics got an error.
 * `diagnostics->arena` must outlive the messages' use. */
struct ruleset *ruleset_load(const char *const *paths, size_t count, struct diagnostics *diagnostics);
/* The same from one text in memory (tests). */
struct ruleset *ruleset_load_text(const char *name, struct str text, struct diagnostics *diagnostics);
struct ruleset *ruleset_load_text_with(const char *name, struct str text, const struct ruleset_options *options,
                                       struct diagnostics *diagnostics);
/* As ruleset_load, with options. */
struct ruleset *ruleset_load_with(const char *const *paths, size_t count, const struct ruleset_options *options,
                                  struct diagnostics *diagnostics);
void ruleset_free(struct ruleset *set);
const struct rule *ruleset_find(const struct ruleset *set, struct str id); /* NULL: none */

/* True where a recommendation is not one group's: groups share it, or a group has several. */
static inline bool rule_is_shared(const struct rule *rule)
{
    return rule->recommend != NULL && rule->recommend->per_kind != PER_GROUP;
}

/* Where an evaluation's frame has the rule's aggregate `i`, and how many slots it has. */
static inline size_t rule_aggregate_slot(const struct rule *rule, size_t i)
{
    return OUT_FIXED_COUNT + rule->output_count + i;
}
static inline size_t rule_slot_count(const struct rule *rule)
{
    return rule_aggregate_slot(rule, rule->aggregate_count);
}

/* True where the event passes the input's match (not its where). */
bool rule_input_matches(const struct rule_input *input, const struct event *event);

#endif
