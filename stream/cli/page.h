/* A recommendation in words for people, section by section, wrapped to the terminal: what `recommendations show` and
 * `explain` print. What a record does not know is left out. */
#ifndef FORESTALL_CLI_PAGE_H
#define FORESTALL_CLI_PAGE_H

#include "cli/published.h"

struct page {
    struct value record;
    int64_t now_ms;
    int width;
    struct arena *arena;
};

/* Ready for standard output. */
void page_init(struct page *page, const struct published *published, struct value record, struct arena *arena);
void page_section(const char *title);
/* A text behind a label of at most 13 characters. */
void page_line(const struct page *page, const char *label, const char *text);
/* The same with a number before the text. */
void page_item(const struct page *page, const char *label, unsigned number, struct str text);

/* Texts of the arena: "25m", "2026-03-05 09:00", "1,234", a record's list joined by commas; NULL where it is unknown.
 */
const char *page_span(const struct page *page, const char *name);
const char *page_time(const struct page *page, struct value record, const char *name);
const char *page_list(const struct page *page, const char *name, const char *text_of, const char *count_of);
/* A value of a measure or output: a span where its name is that of one. */
const char *page_measure(const struct page *page, struct str name, struct value value);

void page_title(const struct page *page);
/* "P2: the impact is medium, …", why the status is what it is, what was measured. */
void page_priority(const struct page *page);
void page_status(const struct page *page);
void page_numbers(const struct page *page);
void page_validation(const struct page *page);
void page_evidence(const struct page *page);
void page_history(const struct page *page);
void page_spec(const struct page *page);
void page_notes(const struct page *page);

#endif
