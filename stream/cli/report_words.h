/* Words for what a report shows: numbers, spans, days and lists as a person writes them. Texts are of the arena, with
 * an end; what is not known is "-", so that they fit a table's cell. */
#ifndef FORESTALL_CLI_REPORT_WORDS_H
#define FORESTALL_CLI_REPORT_WORDS_H

#include "event/value.h"

/* A field as a number; `missing` where it has none. */
double words_double(struct value record, const char *name, double missing);

/* "12", "0.25", "201.83": two decimals at most. */
const char *words_number(struct arena *arena, double n);
/* "1 incident", "3 incidents", "no incidents". */
const char *words_count(struct arena *arena, size_t n, const char *one, const char *many);
/* "1h 16m" of milliseconds, as templates write spans, so that a report agrees with the texts in it; whole seconds. */
const char *words_span(struct arena *arena, double ms);
/* A span field of a record. */
const char *words_span_of(struct arena *arena, struct value record, const char *name);
/* "2026-11-26"; INT64_MIN and INT64_MAX are no day. */
const char *words_day(struct arena *arena, int64_t ms);
/* A text of a record in one line: without line breaks and empty parentheses, and where a template had nothing to say
 * ("unknown"), "not known". */
const char *words_text(struct arena *arena, struct str text);
/* The texts of a list: "a", "a and b", "a, b and c". */
const char *words_list(struct arena *arena, struct value list);
/* A name of the wire as words: "in_progress" is "in progress". */
const char *words_name(struct arena *arena, struct str name);
/* The text, with its first letter upper case. */
const char *words_first_upper(struct arena *arena, const char *text);
/* "Infrastructure resilience" of `infrastructure_resilience`: as the guide calls a category. */
const char *words_category(struct arena *arena, struct str category);
/* The text as a sentence: it ends with a full stop. */
const char *words_sentence(struct arena *arena, const char *text);

#endif
