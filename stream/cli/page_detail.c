/* Pages: validation, spec, history and evidence. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/page.h"
#include "cli/table.h"

static const char *state_words(struct str state)
{
    if (str_is(state, "validated"))
        return "it helped";
    if (str_is(state, "ineffective"))
        return "it did not help enough";
    if (str_is(state, "inconclusive"))
        return "too little data to tell";
    return "days are being counted";
}

/* "12 of 30 days after it are over". */
static const char *days_gone(const struct page *page, struct value validation)
{
    int64_t from_ms = published_time(validation, "after_from");
    int64_t to_ms = published_time(validation, "after_to");
    if (from_ms == INT64_MIN || to_ms == INT64_MIN)
        return "";
    int64_t days = (to_ms - from_ms) / DAY_MS;
    int64_t gone = floor_div((page->now_ms < to_ms ? page->now_ms : to_ms) - from_ms, DAY_MS);
    return arena_printf(page->arena, "; %" PRId64 " of %" PRId64 " days after it are over", gone > 0 ? gone : 0, days);
}

void page_validation(const struct page *page)
{
    struct value validation = published_value(page->record, "validation");
    struct value measures = published_value(validation, "measures");
    struct str state = published_text(validation, "state");
    const char *implemented = page_time(page, validation, "implemented_at");
    if (implemented == NULL)
        return;
    page_section("Validation");
    page_line(page, "implemented", implemented);
    if (state.p == NULL || str_is(state, "none"))
        return;
    page_line(page, "state",
              arena_printf(page->arena, "%.*s: %s%s", STR_ARG(state), state_words(state), days_gone(page, validation)));
    page_line(page, "before",
              arena_printf(page->arena, "%s to %s", page_time(page, validation, "before_from"),
                           page_time(page, validation, "before_to")));
    page_line(page, "after",
              arena_printf(page->arena, "%s to %s", page_time(page, validation, "after_from"),
                           page_time(page, validation, "after_to")));
    for (uint32_t i = 0; measures.type == VALUE_LIST && i < measures.n; i++) {
        struct value measure = measures.items[i];
        struct str name = published_text(measure, "name");
        struct value met = published_value(measure, "met");
        page_line(page, arena_str(page->arena, name).p,
                  arena_printf(page->arena, "%s before, %s after%s",
                               page_measure(page, name, published_value(measure, "before")),
                               page_measure(page, name, published_value(measure, "after")),
                               met.type != VALUE_BOOL ? ""
                               : met.b                ? ": met"
                                                      : ": not met"));
    }
}

static void steps(const struct page *page, struct value spec, const char *name, const char *label)
{
    struct value list = published_value(spec, name);
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++)
        if (list.items[i].type == VALUE_STRING)
            page_item(page, i == 0 ? label : "", i + 1, value_as_str(list.items[i]));
}

static void samples(const struct page *page, struct value spec)
{
    struct value list = published_value(spec, "code");
    for (uint32_t i = 0; list.type == VALUE_LIST && i < list.n; i++) {
        struct str path = published_text(list.items[i], "path");
        struct str text = published_text(list.items[i], "text");
        if (path.p == NULL)
            path = STR_LIT("Sample");
        page_section(arena_str(page->arena, path).p);
        while (text.n > 0) {
            const char *end = memchr(text.p, '\n', text.n);
            size_t n = end != NULL ? (size_t)(end - text.p) : text.n;
            (void)printf("%s%.*s\n", n > 0 ? "    " : "", (int)n, text.p);
            n += end != NULL;
            text = (struct str){text.p + n, text.n - n};
        }
    }
}

static const char *text_or_null(const struct page *page, struct value spec, const char *name)
{
    struct str text = published_text(spec, name);
    return text.n == 0 ? NULL : arena_str(page->arena, text).p;
}

void page_spec(const struct page *page)
{
    struct value spec = published_value(page->record, "spec");
    page_section("What to do");
    page_line(page, "problem", text_or_null(page, spec, "problem"));
    page_line(page, "solution", text_or_null(page, spec, "solution"));
    page_line(page, "effort", text_or_null(page, spec, "effort"));
    steps(page, spec, "dependencies", "needs first");
    steps(page, spec, "implementation", "steps");
    steps(page, spec, "testing", "testing");
    steps(page, spec, "rollout", "rollout");
    steps(page, spec, "references", "read on");
    samples(page, spec);
}

void page_history(const struct page *page)
{
    struct value history = published_value(page->record, "history");
    page_section("History");
    for (uint32_t i = 0; history.type == VALUE_LIST && i < history.n; i++) {
        struct value change = history.items[i];
        struct str to = published_text(change, "to");
        struct str actor = published_text(change, "actor");
        struct str comment = published_text(change, "comment");
        bool comment_only = str_eq(to, published_text(change, "from"));
        struct str word = comment_only ? STR_LIT("comment") : to;
        (void)printf("  %s  %-11.*s", page_time(page, change, "at"), STR_ARG(word));
        table_paragraph(stdout, "  ",
                        str_of(arena_printf(page->arena, "%.*s%s%.*s", STR_ARG(actor), comment.n > 0 ? ": " : "",
                                            STR_ARG(comment))),
                        page->width - 31);
    }
}

void page_evidence(const struct page *page)
{
    struct value evidence = published_value(page->record, "evidence");
    if (evidence.type != VALUE_LIST || evidence.n == 0)
        return;
    page_section(arena_printf(page->arena, "Evidence, the newest %u", (unsigned)evidence.n));
    static const struct table_column columns[] = {
        {.title = "  WHEN"}, {.title = "WHAT"}, {.title = "SERVICE"}, {.title = "SUMMARY", .wraps = true}};
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (uint32_t i = evidence.n; i > 0; i--) {
        struct value event = evidence.items[i - 1];
        struct str incident = published_text(event, "incident_id");
        struct str service = published_text(event, "service");
        const char *when = page_time(page, event, "occurred_at");
        const struct str cells[] = {str_of(arena_printf(page->arena, "  %s", when != NULL ? when : "")),
                                    incident.n > 0 ? incident : published_text(event, "stream"),
                                    service.n > 0 ? service : STR_LIT("-"), published_text(event, "summary")};
        table_row(table, cells);
    }
    table_print(table, stdout, page->width);
    table_free(table);
}
