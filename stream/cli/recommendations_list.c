/* `recommendations list`: filters, order, and a table whose titles are broken to the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/map.h"
#include "cli/find.h"
#include "cli/gone.h"
#include "cli/recommendations.h"
#include "cli/table.h"
#include "cli/yaml_text.h"
#include "recommend/render.h"

enum { TITLE_LEAST = 28, GAPS = 5 * 2 };

static const char *const categories[] = {
    "observability_gap", "infrastructure_resilience", "deployment_pipeline", "code_quality", "architecture", NULL};
static const char *const priorities[] = {"P0", "P1", "P2", "P3", "P4", NULL};
static const char *const sorts[] = {"impact", "priority", "last_seen", "first_seen", "incidents", "minutes_lost", NULL};
static const char *sorted_by; /* qsort takes no context; one thread */

/* Calls for each word of each option; stops at the first that answers false. */
static bool each_word(const struct cli_list *list, bool (*visit)(void *context, struct str word), void *context)
{
    for (size_t i = 0; i < list->count; i++)
        for (const char *at = list->items[i];;) {
            const char *comma = strchr(at, ',');
            struct str word = {at, comma != NULL ? (size_t)(comma - at) : strlen(at)};
            if (!visit(context, word))
                return false;
            if (comma == NULL)
                break;
            at = comma + 1;
        }
    return true;
}

/* Words are those of the wire, whatever their case. */
static bool word_is(struct str word, struct str name)
{
    return word.n == name.n && strncasecmp(word.p, name.p, name.n) == 0;
}

static bool known(const char *const *names, struct str word)
{
    while (*names != NULL && !word_is(word, str_of(*names)))
        names++;
    return *names != NULL;
}

static bool unknown(const char *option, struct str word, const char *const *names)
{
    (void)fprintf(stderr, "error: %s '%.*s': there ", option, STR_ARG(word));
    for (const char *before = "are "; *names != NULL; names++, before = ", ")
        (void)fprintf(stderr, "%s%s", before, *names);
    (void)fputs("\n", stderr);
    return false;
}

static bool category_known(void *context, struct str word)
{
    (void)context;
    return known(categories, word) || unknown("--category", word, categories);
}

static bool priority_known(void *context, struct str word)
{
    (void)context;
    return known(priorities, word) || unknown("--priority", word, priorities);
}

static bool status_known(void *context, struct str word)
{
    (void)context;
    const char *names[LIFE_STATUSES + 1] = {0};
    for (int i = 0; i < LIFE_STATUSES; i++)
        names[i] = life_status_name((enum life_status)i);
    return known(names, word) || unknown("--status", word, names);
}

bool recommendations_list_check(const struct recommendations_request *request)
{
    char *end = NULL;
    if (!each_word(&request->categories, category_known, NULL) || !each_word(&request->statuses, status_known, NULL) ||
        !each_word(&request->priorities, priority_known, NULL))
        return false;
    if (!known(sorts, str_of(request->sort)))
        return unknown("--sort", str_of(request->sort), sorts);
    if (request->limit != NULL && (strtol(request->limit, &end, 10) < 1 || *end != '\0')) {
        (void)fprintf(stderr, "error: --limit '%s': it takes a number from 1\n", request->limit);
        return false;
    }
    return true;
}

static bool differs(void *context, struct str word)
{
    return !word_is(word, *(const struct str *)context);
}

static bool wanted(const struct cli_list *list, struct str text)
{
    return list->count == 0 || !each_word(list, differs, &text);
}

static bool wanted_services(const struct cli_list *list, struct value services)
{
    bool any = list->count == 0;
    for (uint32_t i = 0; services.type == VALUE_LIST && i < services.n && !any; i++)
        any = services.items[i].type == VALUE_STRING && wanted(list, value_as_str(services.items[i]));
    return any;
}

/* Nothing is left to do about them. An ineffective one wants another attempt. */
static bool settled(struct str status)
{
    return str_is(status, "dismissed") || str_is(status, "superseded") || str_is(status, "validated");
}

static int by_request(const void *a, const void *b)
{
    const struct value *x = *(const struct value *const *)a;
    const struct value *y = *(const struct value *const *)b;
    int order = 0;
    if (strcmp(sorted_by, "priority") == 0)
        order = str_cmp(published_text(*x, "priority"), published_text(*y, "priority"));
    else if (strcmp(sorted_by, "last_seen") == 0 || strcmp(sorted_by, "first_seen") == 0)
        order = str_cmp(published_text(*y, sorted_by), published_text(*x, sorted_by));
    else if (strcmp(sorted_by, "impact") != 0) {
        int64_t left = published_number(*x, sorted_by);
        int64_t right = published_number(*y, sorted_by);
        order = (left < right) - (left > right);
    }
    return order != 0 ? order : (x > y) - (x < y); /* they lie in order of impact */
}

struct listed {
    struct str cells[6];
};

enum { PRIORITY, IMPACT, STATUS, SERVICE, TITLE, ID };

/* "dismissed until 2026-12-24" */
static struct str status_cell(struct value record, struct arena *arena)
{
    struct value notes = published_value(record, "notes");
    struct str status = published_text(record, "status");
    for (uint32_t i = 0; notes.type == VALUE_LIST && i < notes.n; i++)
        if (notes.items[i].type == VALUE_STRING && str_starts(value_as_str(notes.items[i]), STR_LIT(NOTE_DISMISSED)))
            return str_of(arena_printf(arena, "%.*s until %.*s", STR_ARG(status), (int)strlen("2026-12-24"),
                                       notes.items[i].s + strlen(NOTE_DISMISSED)));
    return status;
}

static void fill(struct listed *row, struct published *published, struct value record)
{
    struct arena *arena = &published->arena;
    struct value services = published_value(record, "services");
    row->cells[PRIORITY] = published_text(record, "priority");
    row->cells[IMPACT] = str_of(arena_printf(arena, "%lld", (long long)published_number(record, "impact_score")));
    row->cells[STATUS] = status_cell(record, arena);
    row->cells[SERVICE] = STR_LIT("-");
    if (services.type == VALUE_LIST && services.n > 0 && services.items[0].type == VALUE_STRING)
        row->cells[SERVICE] = value_as_str(services.items[0]);
    if (services.type == VALUE_LIST && services.n > 1)
        row->cells[SERVICE] =
            str_of(arena_printf(arena, "%.*s +%u", STR_ARG(row->cells[SERVICE]), (unsigned)services.n - 1));
    row->cells[TITLE] = published_text(record, "title");
    row->cells[ID] = find_short_id(published, record);
}

/* The least width that leaves titles room; without a bound where a program reads on, for which a row is a line. */
static int width_for(const struct listed *rows, size_t count)
{
    size_t widths[TITLE + 2] = {4, 6, 6, 7, TITLE_LEAST, 2};
    int least = GAPS;
    if (isatty(STDOUT_FILENO) != 1 && getenv("COLUMNS") == NULL)
        return INT32_MAX;
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j <= ID; j++)
            if (j != TITLE && rows[i].cells[j].n > widths[j])
                widths[j] = rows[i].cells[j].n;
    for (int j = 0; j <= ID; j++)
        least += (int)widths[j];
    return least > table_width(stdout) ? least : table_width(stdout);
}

static void print_table(struct published *published, const struct value *const *records, size_t count)
{
    static const struct table_column columns[] = {
        {.title = "PRIO"},    {.title = "IMPACT", .right = true}, {.title = "STATUS"},
        {.title = "SERVICE"}, {.title = "TITLE", .wraps = true},  {.title = "ID"}};
    struct listed *rows = arena_alloc(&published->arena, (count + 1) * sizeof *rows);
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        fill(&rows[i], published, *records[i]);
        table_row(table, rows[i].cells);
        if (str_is(rows[i].cells[PRIORITY], "P0"))
            table_paint(table, PRIORITY, TABLE_RED);
        else if (str_is(rows[i].cells[PRIORITY], "P1"))
            table_paint(table, PRIORITY, TABLE_YELLOW);
    }
    table_print(table, stdout, width_for(rows, count));
    table_free(table);
}

/* Nothing was found: whether because a service is not among those that any recommendation names. */
static void print_none(const struct recommendations_request *request, struct published *published)
{
    if (published->recommendation_count == 0) {
        (void)puts("There are no recommendations.");
        return;
    }
    (void)puts("No recommendation is so.");
    if (request->services.count == 0)
        return;
    struct map seen = {0};
    const char *before = "Services that recommendations name: ";
    for (size_t i = 0; i < published->recommendation_count; i++) {
        struct value services = published_value(published->recommendations[i], "services");
        for (uint32_t k = 0; services.type == VALUE_LIST && k < services.n; k++) {
            void **slot = map_slot(&seen, value_as_str(services.items[k]));
            if (*slot == NULL)
                (void)printf("%s%.*s", before, STR_ARG(value_as_str(services.items[k])));
            before = *slot == NULL ? ", " : before;
            *slot = published;
        }
    }
    if (seen.count > 0)
        (void)puts("");
    map_fini(&seen);
}

/* An array with a record a line, or a YAML list. */
static void print_records(const struct value *const *records, size_t count, enum recommendations_format format)
{
    struct buf out = {0};
    for (size_t i = 0; format == RECOMMENDATIONS_YAML && i < count; i++)
        yaml_text(&out, value_list(records[i], 1));
    if (format == RECOMMENDATIONS_YAML && count == 0)
        buf_puts(&out, "[]\n");
    for (size_t i = 0; format == RECOMMENDATIONS_JSON && i < count; i++) {
        buf_puts(&out, i == 0 ? "[\n" : ",\n");
        value_json(&out, *records[i]);
    }
    if (format == RECOMMENDATIONS_JSON)
        buf_puts(&out, count == 0 ? "[]\n" : "\n]\n");
    (void)fwrite(out.p, 1, out.len, stdout);
    buf_fini(&out);
}

/* What is so of the list as a whole. */
static void print_more(struct published *published, const struct ruleset *rules, size_t more, size_t hidden)
{
    const char *names;
    size_t gone = gone_count(published, rules, &published->arena, &names);
    if (more > 0 || hidden > 0 || gone > 0)
        (void)printf("\n");
    if (more > 0)
        (void)printf("%zu more (--limit)\n", more);
    if (hidden > 0)
        (void)printf("%zu more %s dismissed, superseded or validated (--all)\n", hidden, hidden == 1 ? "is" : "are");
    if (gone > 0)
        (void)printf("%zu %s of rules that the configuration has no longer, so nothing changes %s any more: %s\n", gone,
                     gone == 1 ? "is" : "are", gone == 1 ? "it" : "them", names);
}

int recommendations_list(const struct recommendations_request *request, struct published *published,
                         const struct ruleset *rules)
{
    const struct value **records =
        arena_alloc(&published->arena, (published->recommendation_count + 1) * sizeof *records);
    size_t count = 0;
    size_t hidden = 0;
    for (size_t i = 0; i < published->recommendation_count; i++) {
        const struct value *record = &published->recommendations[i];
        struct str status = published_text(*record, "status");
        if (!wanted(&request->categories, published_text(*record, "category")) || !wanted(&request->statuses, status) ||
            !wanted(&request->priorities, published_text(*record, "priority")) ||
            !wanted_services(&request->services, published_value(*record, "services")))
            continue;
        if (!request->all && request->statuses.count == 0 && settled(status))
            hidden++;
        else
            records[count++] = record;
    }
    sorted_by = request->sort;
    if (count > 1)
        qsort(records, count, sizeof *records, by_request);
    size_t limit = request->limit != NULL ? (size_t)strtol(request->limit, NULL, 10) : count;
    size_t shown = limit < count ? limit : count;
    if (request->format != RECOMMENDATIONS_TABLE) {
        print_records(records, shown, request->format);
        return 0;
    }
    if (shown > 0)
        print_table(published, records, shown);
    else
        print_none(request, published);
    print_more(published, rules, count - shown, hidden);
    return 0;
}
