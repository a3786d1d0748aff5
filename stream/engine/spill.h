/* The items of a pending that memory had no room for: sorted runs in a scratch file, read as one order. Eight runs of a
 * level are merged into one of the next, so that their number, and with it the memory that reading them takes (a buffer
 * of a block or two each), grows with the logarithm of what was spilled. Partials of one pane in runs that are merged
 * become one; those in different runs are its user's to merge, who meets them one after the other.
 */
#ifndef FORESTALL_ENGINE_SPILL_H
#define FORESTALL_ENGINE_SPILL_H

#include "engine/sorted_run.h"

struct spill;

/* All borrowed. */
struct spill *spill_new(struct scratch *scratch, const struct ruleset *rules);
void spill_free(struct spill *spill);
void spill_clear(struct spill *spill);

/* Adds an item to the run that is being written, in order; its pane stays the caller's. */
int spill_add(struct spill *spill, const struct pending_item *item, struct error *err) MUST_CHECK;
/* The run is complete. */
int spill_end(struct spill *spill, struct error *err) MUST_CHECK;

/* The first item of all runs; its key and bytes hold until the next change. NULL: none. */
const struct pending_item *spill_first(const struct spill *spill);
/* The first is taken. */
int spill_next(struct spill *spill, struct error *err) MUST_CHECK;
size_t spill_runs(const struct spill *spill);

#endif
