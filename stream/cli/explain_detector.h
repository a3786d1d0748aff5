/* What the descriptions of detectors share. */
#ifndef FORESTALL_CLI_EXPLAIN_DETECTOR_H
#define FORESTALL_CLI_EXPLAIN_DETECTOR_H

#include "cli/explain.h"

/* explain_window.c: the rule's window. */
const char *explain_window_phrase(const struct explanation *e);
void explain_window(struct explanation *e);
void explain_window_state(struct explanation *e);

/* What a group keeps: at most `count` of what `text` names, `each` bytes. */
void explain_bound(struct explanation *e, const char *key, int64_t count, double each, const char *text);
/* Rows and events of `span` that are kept one by one. */
void explain_entries(struct explanation *e, const char *span);
/* Folds of a window's panes; rows beside them are kept one by one. */
void explain_panes(struct explanation *e);
/* An event of the rule's inputs, encoded, roughly. */
double explain_event_bytes(const struct explanation *e);

#endif
