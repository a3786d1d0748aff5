/* Scorecards: those over everything in a table with their targets, those of each service side by side. */
#include <math.h>
#include <stdlib.h>

#include "cli/report_pages.h"
#include "cli/report_words.h"

/* The shipped scorecards by their ids, which may end in "-overall": what they say, and how their value is written. */
static const struct {
    const char *id;
    const char *name;
    enum { UNIT_SPAN, UNIT_SHARE, UNIT_NUMBER } unit;
} known_cards[] = {
    {"mttd", "Mean time to detect", UNIT_SPAN},
    {"mttr", "Mean time to resolve", UNIT_SPAN},
    {"incident-frequency", "Incidents", UNIT_NUMBER},
    {"deployment-success", "Deployment success rate", UNIT_SHARE},
    {"change-failure-rate", "Change failure rate", UNIT_SHARE},
};

enum { KNOWN = sizeof known_cards / sizeof *known_cards, SIDE_BY_SIDE = DOCUMENT_CELLS_MAX - 1 };

/* One scorecard as shown. */
struct card {
    struct value record;
    size_t kind; /* of known_cards; KNOWN: another */
    const char *name;
    const char *scope; /* "": over everything */
};

/* The longest known id that this one is or begins with. */
static size_t kind_of(struct str id)
{
    size_t kind = KNOWN;
    for (size_t i = 0; i < KNOWN; i++)
        if (str_starts(id, str_of(known_cards[i].id)))
            kind = i;
    return kind;
}

static const char *figure(struct report *report, const struct card *card, const char *field)
{
    double value = words_double(card->record, field, NAN);
    if (card->kind < KNOWN && known_cards[card->kind].unit == UNIT_SPAN)
        return words_span(&report->arena, value);
    if (card->kind < KNOWN && known_cards[card->kind].unit == UNIT_SHARE && isfinite(value))
        return arena_printf(&report->arena, "%s %%", words_number(&report->arena, 100 * value));
    return words_number(&report->arena, value);
}

/* Whose it is: its service, else the values of its group. */
static const char *scope_of(struct report *report, struct value record)
{
    struct str service = published_text(record, "service");
    struct value group = published_value(record, "group");
    struct buf text = {0};
    if (service.n > 0)
        return words_text(&report->arena, service);
    for (uint32_t i = 0; group.type == VALUE_MAP && i < group.n; i++)
        if (group.items[2 * i + 1].type == VALUE_STRING)
            buf_printf(&text, "%s%.*s", text.len > 0 ? ", " : "", STR_ARG(value_as_str(group.items[2 * i + 1])));
    const char *kept = words_text(&report->arena, buf_str(&text));
    buf_fini(&text);
    return kept;
}

static int by_card(const void *left, const void *right)
{
    const struct card *a = left;
    const struct card *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->scope, b->scope);
}

bool report_scorecard_of(struct value record, const struct question *question)
{
    struct str id = published_text(record, "id");
    for (size_t i = 0; question != NULL && i < QUESTION_SCORECARDS; i++)
        if (question->scorecards[i] != NULL && str_starts(id, str_of(question->scorecards[i])))
            return true;
    return question == NULL;
}

static size_t cards_of(struct report *report, const struct question *question, struct card **cards)
{
    const struct published *published = report->published;
    size_t count = 0;
    *cards = arena_alloc(&report->arena, (published->scorecard_count + 1) * sizeof **cards);
    for (size_t i = 0; i < published->scorecard_count; i++) {
        struct value record = published->scorecards[i];
        struct str id = published_text(record, "id");
        size_t kind = kind_of(id);
        if (report_scorecard_of(record, question))
            (*cards)[count++] =
                (struct card){record, kind, kind < KNOWN ? known_cards[kind].name : words_text(&report->arena, id),
                              scope_of(report, record)};
    }
    if (count > 1)
        qsort(*cards, count, sizeof **cards, by_card);
    return count;
}

static const char *target(const struct card *card)
{
    struct value met = published_value(card->record, "target_met");
    return met.type != VALUE_BOOL ? "-" : met.b ? "met" : "missed";
}

/* "+12 %"; NULL: there is nothing to compare with. */
static const char *change(struct report *report, const struct card *card)
{
    double part = words_double(card->record, "change", NAN);
    return isfinite(part) ? arena_printf(&report->arena, "%+.0f %%", 100 * part) : NULL;
}

static void put_overall(struct report *report, struct document *document, const struct card *cards, size_t count)
{
    static const struct document_column columns[] = {
        {"Scorecard", false}, {"Value", true}, {"Before", true}, {"Change", true}, {"Target", false}};
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct card *card = &cards[i];
        if (card->scope[0] != '\0')
            continue;
        if (!any)
            document_table(document, "Over all services, against the targets", columns,
                           sizeof columns / sizeof *columns);
        any = true;
        const char *part = change(report, card);
        const char *cells[] = {card->name, figure(report, card, "value"), figure(report, card, "previous"),
                               part != NULL ? part : "-", target(card)};
        document_row(document, cells);
    }
}

/* "44m (+12 %), missed" */
static const char *cell_of(struct report *report, const struct card *card)
{
    struct arena *arena = &report->arena;
    const char *value = figure(report, card, "value");
    const char *part = change(report, card);
    if (part != NULL)
        value = arena_printf(arena, "%s (%s)", value, part);
    return strcmp(target(card), "missed") == 0 ? arena_printf(arena, "%s, missed", value) : value;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t distinct(const char **texts, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(texts[kept - 1], texts[i]) != 0)
            texts[kept++] = texts[i];
    return kept;
}

/* A row a service, a column a scorecard; another table where there are more than fit. */
static void put_side_by_side(struct report *report, struct document *document, const struct card *cards, size_t count)
{
    struct arena *arena = &report->arena;
    const char **scopes = arena_alloc(arena, (count + 1) * sizeof *scopes);
    const char **names = arena_alloc(arena, (count + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (cards[i].scope[0] != '\0') {
            scopes[n] = cards[i].scope;
            names[n++] = cards[i].name;
        }
    size_t name_count = distinct(names, n);
    if (n > 1)
        qsort(scopes, n, sizeof *scopes, by_text);
    n = distinct(scopes, n);
    for (size_t first = 0; first < name_count; first += SIDE_BY_SIDE) {
        size_t width = name_count - first < SIDE_BY_SIDE ? name_count - first : SIDE_BY_SIDE;
        struct document_column *columns = arena_alloc(arena, (width + 1) * sizeof *columns);
        columns[0] = (struct document_column){"Service", false};
        for (size_t k = 0; k < width; k++)
            columns[k + 1] = (struct document_column){names[first + k], true};
        document_table(document, "By service, with the change against the window before", columns, width + 1);
        for (size_t row = 0; row < n; row++) {
            const char *cells[DOCUMENT_CELLS_MAX] = {scopes[row]};
            for (size_t k = 0; k < width; k++)
                cells[k + 1] = "-";
            for (size_t i = 0; i < count; i++)
                for (size_t k = 0; k < width; k++)
                    if (strcmp(cards[i].scope, scopes[row]) == 0 && strcmp(cards[i].name, names[first + k]) == 0)
                        cells[k + 1] = cell_of(report, &cards[i]);
            document_row(document, cells);
        }
    }
}

void report_scorecards(struct report *report, struct document *document, const struct question *question)
{
    struct arena *arena = &report->arena;
    struct card *cards;
    size_t count = cards_of(report, question, &cards);
    size_t met = 0;
    size_t judged = 0;
    document_heading(document, 2, "Scorecards");
    for (size_t i = 0; i < count; i++) {
        judged += target(&cards[i])[0] != '-';
        met += strcmp(target(&cards[i]), "met") == 0;
    }
    if (count == 0) {
        document_paragraph(document, "There are no scorecards: no rule file has any, or none has been published yet.");
        return;
    }
    document_paragraph(document, judged == 0 ? "No target can be judged yet."
                                             : arena_printf(arena, "%zu of %s met.", met,
                                                            words_count(arena, judged, "target is", "targets are")));
    put_overall(report, document, cards, count);
    put_side_by_side(report, document, cards, count);
}
