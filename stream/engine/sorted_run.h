/* Pending items in their order, in blocks of a scratch file: written once, then read once from the first on. No two
 * panes of a run are of one place. The bytes are for the process that wrote them, and nobody else.
 */
#ifndef FORESTALL_ENGINE_SORTED_RUN_H
#define FORESTALL_ENGINE_SORTED_RUN_H

#include "engine/pending.h"
#include "engine/scratch.h"

struct sorted_run;

struct sorted_run *sorted_run_new(struct scratch *scratch, unsigned level); /* the scratch file is borrowed */
void sorted_run_free(struct sorted_run *run);
/* How often its items were merged from other runs. */
unsigned sorted_run_level(const struct sorted_run *run);

/* Writing: items in order, whose pane stays the caller's. */
int sorted_run_add(struct sorted_run *run, const struct pending_item *item, struct error *err) MUST_CHECK;
/* All are written: from here on it is read. */
int sorted_run_end(struct sorted_run *run, struct error *err) MUST_CHECK;

/* Reading: the first item left, whose key and bytes (of a pane: its encoding) hold until sorted_run_next; NULL: none.
 */
const struct pending_item *sorted_run_first(const struct sorted_run *run);
int sorted_run_next(struct sorted_run *run, struct error *err) MUST_CHECK;
/* The pane of an item that was read; the caller's. */
struct pane *sorted_run_pane(const struct ruleset *rules, const struct pending_item *item);

#endif
