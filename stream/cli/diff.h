/* What a replay would have recommended against what is live, for `replay --diff`.
 *
 * Compared is the newest version of each recommendation on both sides, by id, which stays the same when a rule is
 * edited. Left out is what says when and how often something was published, what people did about it, and the hash of
 * the rule's meaning: version, life_version, status, validation, history, supersedes, superseded_by, event_time,
 * rule_hash.
 */
#ifndef FORESTALL_CLI_DIFF_H
#define FORESTALL_CLI_DIFF_H

#include <stdio.h>

#include "cli/published.h"

struct diff;

/* An empty one; `live`, which the topic or a file had, is borrowed. */
struct diff *diff_new(const struct published *live);
void diff_free(struct diff *diff);
/* The replay published a version, which is copied; or it forgot the recommendation. */
void diff_see(struct diff *diff, struct str id, struct value record);
void diff_forget(struct diff *diff, struct str id);
/* Prints the differences, as text or as one JSON object. True: there are some. */
bool diff_print(struct diff *diff, FILE *out, bool json);

#endif
