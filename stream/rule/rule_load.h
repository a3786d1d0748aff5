/* Inside the rule loader: what its files share while a set is being built. Nobody else includes this.
 *
 * Every step reports its errors and goes on, so that one run shows all; what could not be read is left empty, and later
 * steps keep quiet about it. One thread builds a set.
 */
#ifndef FORESTALL_RULE_RULE_LOAD_H
#define FORESTALL_RULE_RULE_LOAD_H

#include "base/map.h"
#include "rule/cel_zone.h"
#include "rule/check.h"
#include "rule/ruleset.h"

/* No window, and no other span of a detector, is longer. */
#define RULE_SPAN_MS_MAX (INT64_C(3660) * DAY_MS)

/* What a window and those that it looks back on fall into. */
enum { RULE_WINDOW_PANES_MAX = 100000 };

/* A YAML file and the names that belong to it. */
struct rule_file {
    const char *path;
    struct yaml_node *root;
    bool scorecards;   /* kind Scorecard */
    struct map macros; /* name -> struct yaml_node: the macro's text */
    struct map lists;  /* name -> struct value: a list of strings */
    struct map used;   /* names of macros and lists that some expression uses */
    struct map wrong;  /* names of macros and lists of which it was said what is wrong */
    bool too_large;    /* it was said of a macro that it is; those within it and around it may be as well */
    struct map steps;  /* names of inputs of its sequences, when `steps_found` */
    bool steps_found;
    const char **event_names;  /* NULL-terminated: what a where-clause may name, for suggestions */
    const char **output_names; /* what `when` and templates may name */
};

/* A rule that was found, before it is built. */
struct rule_source {
    struct rule_file *file;
    struct yaml_node *node;
    struct str id;  /* empty: it has none */
    bool scorecard; /* of a file of kind Scorecard */
};

struct loader {
    struct ruleset *set;
    struct arena *arena; /* the set's */
    struct diagnostics *diagnostics;
    struct ruleset_options options;
    struct rule_file **files;
    size_t file_count, file_cap;
    struct rule_source *sources;
    size_t source_count, source_cap;
    struct map ids; /* id -> its struct yaml_node, of all sources */
    struct cel_budget budget;
    struct map samples;          /* path -> struct str: the text of a code sample's file */
    size_t sample_bytes;         /* of all of them */
    struct topology_call *calls; /* of all files' topologies */
    size_t call_count, call_cap;
    struct map services; /* named in them */
    const struct topology *topology;
};

/* One rule in the making. */
struct rule_build {
    struct loader *loader;
    struct rule_file *file;
    const struct yaml_node *node;
    struct rule *rule;
    const struct yaml_node *input_nodes[RULE_INPUTS_MAX]; /* beside rule->inputs */
    struct aggregate aggregates[RULE_AGGREGATES_MAX];
    size_t aggregate_count;
    bool validating;                        /* calls made now are validate's */
    bool measures_own_output;               /* the measure just read has an output of the detector */
    bool functions_detect;                  /* calls made now are the detector's own, whatever its type */
    bool within_ago;                        /* calls made now are within ago() */
    bool window_wrong;                      /* `window` has an error */
    struct str when_default;                /* in place of a `when` that is left out; empty: it is always true */
    bool named_detecting[RULE_INPUTS_MAX];  /* by `when` or a template */
    bool named_validating[RULE_INPUTS_MAX]; /* by a measure */
    bool when_takes_all;                    /* `when` reads outputs over all inputs, or nothing at all */
    bool outputs_known; /* false: `detect` was not understood, so expressions over it are left unread */
    struct rule_output outputs[RULE_OUTPUTS_MAX]; /* the detector's, before the rule has them */
    bool group_known;                             /* group_by was read without an error */
    bool unsound; /* an expression is wrong, whether that was said here or, of its macro, before */
    bool sound;   /* nothing was wrong before the tests */
};

/* What an expression sees. */
enum scope_kind {
    SCOPE_EVENT,   /* where, group_by: `event` of one stream */
    SCOPE_OUTPUT,  /* when, templates, a measure's value */
    SCOPE_MEASURE, /* met: before and after */
    SCOPE_TARGET,  /* a scorecard's target: value, previous and change */
};

/* A step of a sequence that a later one may read. */
struct scope_step {
    struct str name;
    int slot;
    struct cel_type type;
};

struct scope {
    struct rule_build *build;
    enum scope_kind kind;
    const struct stream *stream;    /* of SCOPE_EVENT */
    const struct scope_step *steps; /* of SCOPE_EVENT in a step; else NULL */
    size_t step_count;
    uint8_t measure_type; /* of SCOPE_MEASURE: that of before and after; of SCOPE_TARGET: of value and previous */
    struct cel_env env;
};

/* rule_names.c: scopes, and compiling in them. */
void scope_init(struct scope *scope, struct rule_build *build, enum scope_kind kind);
/* Compiles a scalar; NULL when it is none or an error was reported. `what` names it in messages. */
const struct cel *scope_compile(struct scope *scope, const struct yaml_node *node, const char *what, int expected);
const struct template *scope_template(struct scope *scope, const struct yaml_node *node, const char *what);
/* After `steps` are there: lets messages suggest their names. */
void scope_know_steps(struct scope *scope);
/* The slot of an output, fixed or the detector's own, and its type; -1: there is no such output. */
int rule_find_output(const struct rule *rule, struct str name, struct cel_type *type);
int rule_find_input(const struct rule *rule, struct str name); /* -1: none */
bool rule_name_reserved(struct str name);
/* rule_report.c: says what is wrong with an expression, unless that was said. */
void scope_report(struct scope *scope, const struct yaml_node *node, const struct cel_error *err);
/* The identifier that begins at the byte; empty where none does. */
struct str rule_identifier_at(struct str text, size_t offset);

/* rule_aggregate.c: cel_env.call for SCOPE_OUTPUT. */
int aggregate_call(void *context, struct str function, struct cel_node *const *args, size_t n_args,
                   struct cel_name *out, int *bad_arg, struct error *err);

/* Adds the function unless the rule has it; its number among the rule's aggregates, or -1. */
int aggregate_add(struct rule_build *build, const struct aggregate *aggregate, struct error *err);
/* rule_ago.c: a call of ago(), as aggregate_call; and, once the functions and inputs of the rule are known, which
 * inputs each reads, and `warmup`. */
int ago_call(struct scope *scope, struct cel_node *const *args, size_t n_args, struct cel_name *out, int *bad_arg,
             struct error *err);
void rule_ago_finish(struct rule_build *build);
/* ago() of one window over what is compiled already; its number among the rule's aggregates, or -1. */
int rule_ago_add(struct rule_build *build, const struct cel *expr, struct error *err);

/* A function that a detector folds for itself: of input `input`, over `expr`, a number (NULL: event.value). Its number
 * among the rule's aggregates; -1 and an error, at `expr` or else at `at`. `what` names the key that says it. */
int rule_aggregate_add(struct rule_build *build, enum aggregate_function function, int input,
                       const struct yaml_node *expr, const struct yaml_node *at, const char *what);
/* A function over inputs, built or not. */
bool aggregate_is_function(struct str name);
/* "; did you mean 'count'?" where a function over inputs is near to `name`, else as check_suggest. */
const char *aggregate_suggest(const struct rule_build *build, struct str name, const char *otherwise);

/* rule_file.c: a file's head, lists and macros; its rules are added to the loader's sources. */
void rule_file_read(struct loader *loader, struct rule_file *file);
/* The lists and macros of a file, read after overrides have replaced some. */
void rule_file_names(struct loader *loader, struct rule_file *file);
/* rule_cascade.c: gathers a file's topology, and joins those of all files. */
void rule_topology_read(struct loader *loader, const struct yaml_node *node);
void rule_topology_build(struct loader *loader);
/* rule_override.c: applies the `overrides` of all files to the sources and the files' lists. */
void rule_overrides_apply(struct loader *loader);
/* "; did you mean 'ID'?" where a rule's id is near to the text, else "". */
const char *rule_suggest(const struct loader *loader, struct str text);

/* rule_macro.c: reports what is wrong with macros that no rule uses; the others were checked where they are used. */
void rule_macros_check(struct loader *loader);
/* False where the macro makes sense nowhere; what is wrong with it was said, once. */
bool rule_macro_check(struct loader *loader, struct rule_file *file, struct str name);

/* Where a detector's keys are: in `detect`, or, of a scorecard, in itself. */
static inline const struct yaml_node *rule_detect_node(const struct rule_build *build)
{
    return build->rule->scorecard != NULL ? build->node : yaml_get(build->node, "detect");
}

/* The parts of a rule. */
void rule_build(struct loader *loader, const struct rule_source *source, struct rule *rule);
void rule_inputs_read(struct rule_build *build);
/* Reports a condition over an input's events that is never true, or reads what its events do not have. */
void rule_where_check(struct rule_build *build, const struct yaml_node *node, const struct rule_input *input,
                      const struct cel *where);
/* An error where the expression reads what only rows have, and the input reads updates. */
void rule_derived_check(struct rule_build *build, const struct yaml_node *node, const struct rule_input *input,
                        const struct cel *expr);
void rule_group_read(struct rule_build *build, const struct yaml_node *detect);
void rule_detect_read(struct rule_build *build, const struct yaml_node *detect);
/* rule_window.c: `window` of `detect`; an error where it is missing. */
void rule_window_read(struct rule_build *build, const struct yaml_node *detect);
/* Makes the window's panes such that each lies within a step of `step_ms`, counted from the window's start. Wants a
 * hopping or calendar window; an error at `at` where they would be too many. */
void rule_window_step(struct rule_build *build, const struct yaml_node *at, int64_t step_ms);
/* What detectors other than `window` have in `detect`: fills the rule's spec, outputs and reach. Each names the inputs
 * that it takes with rule_input_of, and its outputs with rule_output_add. */
void rule_sequence_read(struct rule_build *build, const struct yaml_node *detect);
void rule_absence_read(struct rule_build *build, const struct yaml_node *detect);
void rule_cascade_read(struct rule_build *build, const struct yaml_node *detect);
void rule_trend_read(struct rule_build *build, const struct yaml_node *detect);
void rule_burn_rate_read(struct rule_build *build, const struct yaml_node *detect);
void rule_memory_read(struct rule_build *build, const struct yaml_node *detect); /* new_value and revert */
/* The input that a key of `detect` names, which so takes part in detection; -1 and an error where there is none. */
int rule_input_of(struct rule_build *build, const struct yaml_node *node, const char *what);
/* A scalar as if `text` stood at `at`; the text must outlive it. */
const struct yaml_node *rule_text_node(struct rule_build *build, const struct yaml_node *at, struct str text);
/* An output of the detector; at most RULE_OUTPUTS_MAX, whose number the caller bounds. */
void rule_output_add(struct rule_build *build, struct str name, struct cel_type type);
/* A duration that must be there, more than nothing and at most 3660 d; false and an error else. */
bool rule_span_read(struct rule_build *build, const struct yaml_node *detect, const char *key, int64_t *ms);
void rule_recommend_read(struct rule_build *build, const struct yaml_node *node);
/* rule_per.c: `per` and `needs` of `recommend`; NULL nodes are the defaults. */
void rule_per_read(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend);
void rule_needs_read(struct rule_build *build, const struct yaml_node *node, struct recommend *recommend);
void rule_validate_read(struct rule_build *build, const struct yaml_node *node);
/* What needs to know which inputs detect: the default of rules over incidents, and what cannot be measured. */
void rule_validate_finish(struct rule_build *build);
/* rule_scorecard.c: a scorecard as a rule, from `window`, `value` and `target`. Its inputs were read. */
void rule_scorecard_read(struct rule_build *build);
/* Its value reads more than functions, counts and times. */
bool rule_scorecard_shows_events(const struct scorecard *scorecard);
/* rule_history.c: after rule_levels_resolve, the histories of rules that are validated. */
void rule_histories_build(struct loader *loader);
void rule_tests_check(struct rule_build *build);
uint64_t rule_hash(const struct rule *rule);
/* rule_level.c: which rules read which by stream `detection`, and their levels; cycles are errors. */
void rule_levels_resolve(struct loader *loader);
/* rule_route.c: after the histories were built, stages and routes. */
void rule_routes_resolve(struct loader *loader);

/* rule_match.c: YAML text as the type of a field. */
bool field_value_read(struct arena *arena, struct diagnostics *diagnostics, const struct yaml_node *node,
                      const struct stream_field *field, struct value *value);
void rule_match_read(struct rule_build *build, const struct yaml_node *node, struct rule_input *input);
/* -1 and an error with a suggestion where the stream has no such field. */
int rule_field_find(struct diagnostics *diagnostics, const struct yaml_node *at, const struct stream *stream,
                    struct str name);

#endif
