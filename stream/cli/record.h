/* Reading published records for a person's eyes: members that may be missing, and texts of what they hold. */
#ifndef FORESTALL_CLI_RECORD_H
#define FORESTALL_CLI_RECORD_H

#include "event/value.h"

/* A member of a record; null where it has none. */
struct value record_member(struct value record, const char *name);
/* A text, else an empty one; a number, else 0. */
struct str record_text(struct value v);
double record_number(struct value v);
/* "25m", of a duration or of milliseconds; "-" where it is unknown. From ten minutes on to the minute, so that means
 * read well. */
void record_put_span(struct buf *out, struct value v);
/* "2026-01-30" of a time; "-" where it is none. */
void record_put_day(struct buf *out, struct value v);
/* Texts, joined by commas. */
void record_put_list(struct buf *out, struct value list);

#endif
