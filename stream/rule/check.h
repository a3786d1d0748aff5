/* Readers of YAML nodes for those who know what must be there: each reports what is wrong with its place and what would
 * be right, and answers whether the value is good. Used by rule files and the configuration alike.
 *
 * A reader given NULL (an absent key) answers false and reports nothing, so optional keys need no test of their own.
 */
#ifndef FORESTALL_RULE_CHECK_H
#define FORESTALL_RULE_CHECK_H

#include "rule/yaml.h"

/* `node` is a mapping with no other keys than `known` (NULL-terminated); `what` names it: "a rule", "detect". A key
 * that is near to one that is missing is wrong, and from then on is that one: its absence is no mistake of its own. */
bool check_mapping(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what,
                   const char *const *known);
/* The same of the near ones only, for those who look into the mapping before all its keys are known. */
void check_spelling(struct diagnostics *diagnostics, const struct yaml_node *mapping, const char *what,
                    const char *const *known);
/* The same for a mapping with keys of the file's own choice. */
bool check_map(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what);
bool check_sequence(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what);
/* The value of a key that must be there; NULL and an error where it is not. */
struct yaml_node *check_need(struct diagnostics *diagnostics, const struct yaml_node *mapping, const char *what,
                             const char *key);

/* A scalar that is not empty. */
bool check_text(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, struct str *text);
bool check_bool(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, bool *out);
bool check_int(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, int64_t min,
               int64_t max, int64_t *out);
bool check_double(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, double *out);
bool check_duration(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, int64_t *ms);
/* Bytes: a number, or one with B, KiB, MiB or GiB. */
bool check_size(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, int64_t *bytes);
/* The index of the scalar among `names` (NULL-terminated); -1 and an error that lists them. */
int check_symbol(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what,
                 const char *const *names);
/* [a-z0-9-]+, at most 100 bytes. */
bool check_id(struct diagnostics *diagnostics, const struct yaml_node *node, const char *what, struct str *id);
/* [A-Za-z_][A-Za-z0-9_]*, at most 64 bytes: what an expression can name. */
bool name_is_identifier(struct str name);

/* A finite decimal number and nothing else. */
bool number_parse(struct str text, double *out);
bool integer_parse(struct str text, int64_t *out);

/* "; did you mean 'x'?" where one of `names` is near, else "; " + `otherwise` + the names, else "". Arena text. */
const char *check_suggest(struct arena *arena, struct str text, const char *const *names, const char *otherwise);

#endif
