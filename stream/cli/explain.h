/* How a rule was understood: facts, each with a value for programs and words for people, gathered section by section.
 */
#ifndef FORESTALL_CLI_EXPLAIN_H
#define FORESTALL_CLI_EXPLAIN_H

#include "engine/config.h"
#include "rule/cel_words.h"
#include "rule/ruleset.h"

struct fact {
    const char *section;
    const char *key; /* within the section; NULL: it has no value */
    struct value value;
    const char *label; /* what the words stand behind: an input's name; NULL: nothing */
    const char *text;  /* a sentence or more; NULL: it has no words */
};

struct explanation {
    struct arena *arena;
    const struct rule *rule;
    const struct ruleset *rules;
    const struct config *config; /* the defaults, where no configuration was read */
    bool configured;
    struct fact *facts; /* heap; of one section one after the other */
    size_t count;
    size_t cap;
};

/* A fact; `key` or `text` may be NULL, not both. */
void explain_add(struct explanation *e, const char *section, const char *key, struct value value, const char *text);
/* The same with its key before the text. */
void explain_labelled(struct explanation *e, const char *section, const char *key, struct value value,
                      const char *text);

/* explain_why.c: why it was made; the exit status. */
struct why_request {
    const char *id;
    const char *file;        /* a replay's output; NULL: the topics of the configuration */
    const char *config_path; /* NULL: ./forestall.yaml, which may be missing where there is a file */
    bool json;
};
int explain_why(const struct why_request *request);

/* explain_rule.c: the facts of a rule, in the order in which they are shown. */
void explain_rule(struct explanation *e);
/* explain_detector.c, by the detector's type: what it looks at and when, as the middle of a sentence; when it is
 * evaluated; what it keeps. */
const char *explain_detector_phrase(const struct explanation *e);
void explain_detection(struct explanation *e);
void explain_state(struct explanation *e);

/* explain_validation.c: of rules that are validated. */
void explain_validation(struct explanation *e);

/* explain_words.c: texts of the arena. */
const char *explain_span(const struct explanation *e, int64_t ms);    /* "5m" */
const char *explain_number(const struct explanation *e, int64_t n);   /* "10,000" */
const char *explain_bytes(const struct explanation *e, double bytes); /* "1.5 MiB" */
/* `text`, the separator where it is not empty, and `more`. */
const char *explain_join(const struct explanation *e, const char *text, const char *separator, struct str more);
/* An expression in words, over the rule's outputs or (stream) an event, and as CEL. */
const char *explain_words(const struct explanation *e, const struct cel *cel, const struct stream *stream);
const char *explain_canonical(const struct explanation *e, const struct cel *cel);
const char *explain_input(const struct explanation *e, const struct rule_input *input); /* "incidents where …" */
const char *explain_group(const struct explanation *e); /* "service and environment"; "" where there is one group */

/* A map of keys and values, or a list, copied to the arena. */
struct value explain_map(const struct explanation *e, const struct value *pairs, size_t n);
struct value explain_list(const struct explanation *e, const struct value *items, size_t n);
#define EXPLAIN_MAP(e, ...)                                                                                            \
    explain_map((e), (const struct value[]){__VA_ARGS__},                                                              \
                sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value) / 2)

#endif
