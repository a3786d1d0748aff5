/* `ago`: expressions over the same window some time earlier, in hopping and calendar windows. */
#ifndef FORESTALL_DETECT_AGO_H
#define FORESTALL_DETECT_AGO_H

#include "detect/view.h"

/* True where the streams that the rule's ago() read have the history that the window which ends at `end_ms` asks for:
 * as far as each looks back, or the rule's warmup. Always true of a rule without. */
bool ago_is_known(const struct detector_context *context, const struct group *group, int64_t end_ms);
/* Fills the slots of all ago() of the rule, for the window that ends at `end_ms`; notes in `out` where what they looked
 * at is approximate or capped. O(entries + panes) of each window that is looked back on, once. */
void ago_evaluate(struct detector_context *context, const struct group *group, int64_t end_ms, struct evaluation *out,
                  struct value *slots);

#endif
