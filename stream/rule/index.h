/* Which inputs an event could match: found by hash of one equality predicate each, so that an event meets few rules. */
#ifndef FORESTALL_RULE_INDEX_H
#define FORESTALL_RULE_INDEX_H

#include "rule/ruleset.h"

struct index_entry {
    const struct rule *rule;
    int rule_number; /* in the set */
    int input;
};

struct rule_index;

/* Over the inputs of one stream for which `filter` (may be NULL: all) is true. */
struct rule_index *rule_index_new(const struct ruleset *set, enum stream_id stream,
                                  bool (*filter)(const struct rule *rule, const struct rule_input *input));
void rule_index_free(struct rule_index *index);
bool rule_index_empty(const struct rule_index *index);
/* Fields of the stream that the indexed inputs read, the index's own included. */
field_mask rule_index_reads(const struct rule_index *index);
/* Calls `visit` for each input whose match and where hold for the event, in order of rule number and input. `errors`
 * counts where-clauses that ended in an error, `null_errors` those by null. */
void rule_index_select(const struct rule_index *index, const struct event *event, struct arena *arena,
                       void (*visit)(void *context, const struct index_entry *entry), void *context, uint64_t *errors,
                       uint64_t *null_errors);

#endif
