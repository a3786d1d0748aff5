/* A row that contributed to a recommendation, remembered for as long as it counts or could be listed again.
 *
 * Incident rows are known by (incident_id, service) and carry what impact, benefit and counts need. Deployment rows are
 * remembered by their place, only so that none counts as an occurrence twice.
 */
#ifndef FORESTALL_RECOMMEND_REMEMBERED_H
#define FORESTALL_RECOMMEND_REMEMBERED_H

#include "event/event.h"
#include "recommend/tally.h"

enum { REMEMBERED_TEXT_BYTES_MAX = 1024 }; /* longer texts are cut */

struct remembered {
    struct str key;         /* sorts rows of one incident side by side; heap */
    size_t incident_length; /* of the key: what the rows of one incident have in common; 0: no incident */
    struct str data;        /* the encoding that the rest was read from and borrows from; heap */
    bool selected;          /* counts; false: remembered only */
    int64_t opened_ms;
    int64_t start_ms;      /* INT64_MIN: unknown */
    int64_t end_ms;        /* INT64_MIN: not resolved */
    int weight;            /* of the current severity */
    struct str root_cause; /* empty: unknown */
    struct str component;
    struct str code_refs; /* encoded texts */
};

/* True for a row, false for an event of its own (also a raw update of a row). */
bool remembered_is_row(const struct event *event);
/* True where the event is worth remembering: incidents and rows. */
bool remembered_takes(const struct event *event);
/* Appends the key under which the event is remembered. */
void remembered_key(struct buf *out, const struct event *event);
/* Appends the encoding of what is remembered of the event; `before`: what is known of it, or NULL. A raw update's nulls
 * leave what is known. */
void remembered_encode(struct buf *out, const struct event *event, bool selected, const struct remembered *before);
/* Reads key and data, which are copied. NULL: they are no encoding. */
struct remembered *remembered_new(struct str key, struct str data);
/* Takes new data that remembered_encode wrote. */
void remembered_set(struct remembered *row, struct str data);
void remembered_free(struct remembered *row);
size_t remembered_bytes(const struct remembered *row);

static inline bool remembered_is_incident(const struct remembered *row)
{
    return row->incident_length > 0;
}
/* The end (exclusive) of the rows from `from` on that are of one incident; `rows` is in order of key. */
size_t remembered_incident_end(struct remembered *const *rows, size_t row_count, size_t from);

/* At most `max` bytes of the text, never half a character. */
struct str text_cut(struct str text, size_t max);

#endif
