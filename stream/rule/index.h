/* Which inputs an event could match, found by what they pin down, so that an event meets few rules.
 *
 * What feeds it, on any field of text: a term of `match`; and of `where`, as far as the whole cannot be true without
 * it,
 * `==` and `in` with constants or a list of the file, `startsWith` with a constant, any of these joined by `||` over
 * one field, and exists() over a constant list of them. Each input is registered under one field, or under two together
 * where one would leave too many inputs with the same value (index_way.h chooses, by the rule set alone).
 *
 * What is selected, its order, and what is counted are those of evaluating every input. */
#ifndef FORESTALL_RULE_INDEX_H
#define FORESTALL_RULE_INDEX_H

#include "rule/ruleset.h"

struct index_entry {
    const struct rule *rule;
    int rule_number; /* in the set */
    int input;
};

struct rule_index;

/* Over the inputs of one stream for which `filter` (may be NULL: all) is true. The set outlives the index. */
struct rule_index *rule_index_new(const struct ruleset *set, enum stream_id stream,
                                  bool (*filter)(const struct rule *rule, const struct rule_input *input));
void rule_index_free(struct rule_index *index);
bool rule_index_empty(const struct rule_index *index);
/* Fields of the stream that the indexed inputs read. */
field_mask rule_index_reads(const struct rule_index *index);
/* Fields by which the input, one of the set's, is found; none: every event of the stream meets it. O(inputs). */
field_mask rule_index_way(const struct rule_index *index, const struct rule_input *input);
/* Calls `visit` for each input whose match and where hold for the event, in order of rule number and input. `errors`
 * counts where-clauses that ended in an error, `null_errors` those by null. Returns how many inputs the event met:
 * those that could not be ruled out without a look at them. */
size_t rule_index_select(const struct rule_index *index, const struct event *event, struct arena *arena,
                         void (*visit)(void *context, const struct index_entry *entry), void *context, uint64_t *errors,
                         uint64_t *null_errors);

#endif
