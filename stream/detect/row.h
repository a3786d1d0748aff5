/* Incident and deployment rows: what their updates fold into, in event-time order (RULES: "rows, not events").
 *
 * A row is an event of its stream with the derived fields filled; its time is opened_at and its position that of its
 * first update, both fixed for its life.
 */
#ifndef FORESTALL_DETECT_ROW_H
#define FORESTALL_DETECT_ROW_H

#include "event/event.h"

enum { ROW_CODE_REFS_MAX = 50, ROW_LABELS_MAX = 256 };
enum { ROW_VALUE_BYTES_SHORT = 1024 }; /* a field that is no longer is always taken, whatever the bound says */

struct row_folding {
    size_t bytes_max; /* of a row's texts: no more is gathered; its first update is kept whole */

    /* Counted. */
    uint64_t spans_left_out;  /* ttd or ttr that came out negative */
    uint64_t values_left_out; /* fields of updates, for bytes_max */
};

enum row_change { ROW_UNCHANGED, ROW_CHANGED, ROW_REMOVED };

/* Folds `update` into `before` (NULL: there is no row yet). On ROW_CHANGED `after` is the new row; its values borrow
 * from `before`, `update` and the arena. ROW_REMOVED: cancelled. ROW_UNCHANGED: nothing that a rule could see. */
enum row_change row_apply(const struct event *before, const struct event *update, struct arena *arena,
                          struct event *after, struct row_folding *folding);

/* The key of the row that an update belongs to: the values of `fields` (the stream's own key where NULL), appended. */
void row_key(struct buf *out, const struct event *update, const int *fields, size_t field_count);

#endif
