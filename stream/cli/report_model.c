/* The figures of a report. */
#include "cli/report_model.h"

#include <stdlib.h>

#include "cli/report_words.h"

static const struct {
    const char *name;
    enum stage stage;
} statuses[] = {
    {"proposed", STAGE_OPEN},       {"reopened", STAGE_OPEN},           {"accepted", STAGE_OPEN},
    {"in_progress", STAGE_OPEN},    {"implemented", STAGE_VALIDATING},  {"validating", STAGE_VALIDATING},
    {"validated", STAGE_VALIDATED}, {"ineffective", STAGE_INEFFECTIVE}, {"dismissed", STAGE_ASIDE},
    {"superseded", STAGE_ASIDE},
};

static enum stage stage_of(struct str status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (str_is(status, statuses[i].name))
            return statuses[i].stage;
    return STAGE_OPEN;
}

bool report_is_work(const struct report_item *item)
{
    return item->stage == STAGE_OPEN || item->stage == STAGE_INEFFECTIVE;
}

static void follow_history(struct report_item *item, int64_t since_ms)
{
    struct value history = published_value(item->record, "history");
    item->created_ms = published_time(item->record, "first_seen");
    item->changed_ms = item->created_ms;
    for (uint32_t i = 0; history.type == VALUE_LIST && i < history.n; i++) {
        int64_t at_ms = published_time(history.items[i], "at");
        struct str from = published_text(history.items[i], "from");
        struct str to = published_text(history.items[i], "to");
        if (from.p == NULL)
            item->created_ms = at_ms;
        if (from.p == NULL || !str_eq(from, to)) /* a comment changes nothing */
            item->changed_ms = at_ms;
        if (at_ms >= since_ms && from.p != NULL && !str_eq(from, to) &&
            (str_is(to, "reopened") || str_is(to, "proposed")))
            item->is_back = true;
    }
    item->is_new = item->created_ms >= since_ms;
    item->is_back = item->is_back && !item->is_new;
}

static void compare_earlier(struct report_item *item, const struct map *earlier)
{
    const struct value *before = map_get(earlier, published_text(item->record, "recommendation_id"));
    if (before == NULL || !report_is_work(item))
        return;
    item->earlier_impact = words_double(*before, "impact_score", 0);
    item->earlier_level = published_text(*before, "impact");
    item->rose = item->impact > item->earlier_impact;
}

static int by_rank(const void *left, const void *right)
{
    const struct report_item *a = left;
    const struct report_item *b = right;
    if (a->impact != b->impact)
        return a->impact < b->impact ? 1 : -1;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    return str_cmp(published_text(a->record, "recommendation_id"), published_text(b->record, "recommendation_id"));
}

void report_init(struct report *report, const struct published *published, const struct map *earlier, int64_t since_ms)
{
    *report = (struct report){.published = published, .since_ms = since_ms, .knows_earlier = earlier != NULL};
    report->count = published->recommendation_count;
    report->items = arena_zalloc(&report->arena, (report->count + 1) * sizeof *report->items);
    for (size_t i = 0; i < report->count; i++) {
        struct report_item *item = &report->items[i];
        item->record = published->recommendations[i];
        struct str priority = published_text(item->record, "priority");
        item->priority = priority.n == 2 && priority.p[1] >= '0' && priority.p[1] < '0' + PRIORITIES
                             ? (size_t)(priority.p[1] - '0')
                             : PRIORITIES - 1;
        item->stage = stage_of(published_text(item->record, "status"));
        item->impact = words_double(item->record, "impact_score", 0);
        follow_history(item, since_ms);
        if (earlier != NULL)
            compare_earlier(item, earlier);
    }
    if (report->count > 1)
        qsort(report->items, report->count, sizeof *report->items, by_rank);
    size_t rank = 0;
    for (size_t i = 0; i < report->count; i++)
        if (report_is_work(&report->items[i]))
            report->items[i].rank = ++rank;
}

void report_fini(struct report *report)
{
    arena_fini(&report->arena);
}

const char *report_action(size_t priority)
{
    static const char *const actions[PRIORITIES] = {"Implement this week", "Plan for next sprint",
                                                    "Implement when capacity allows", "Evaluate ROI", "Backlog"};
    return actions[priority];
}

const char *report_priority(size_t priority)
{
    static const char *const names[PRIORITIES] = {"P0", "P1", "P2", "P3", "P4"};
    return names[priority];
}

const char *report_title(struct report *report, const struct report_item *item)
{
    return words_text(&report->arena, published_text(item->record, "title"));
}

const char *report_services(struct report *report, const struct report_item *item)
{
    return words_list(&report->arena, published_value(item->record, "services"));
}

const char *report_status(struct report *report, const struct report_item *item)
{
    return words_name(&report->arena, published_text(item->record, "status"));
}

bool report_belongs(const struct report_item *item, enum report_by by, struct str name)
{
    if (by == REPORT_BY_CATEGORY)
        return str_eq(published_text(item->record, "category"), name);
    struct value services = published_value(item->record, "services");
    if (services.type != VALUE_LIST || services.n == 0)
        return name.n == 0;
    for (uint32_t i = 0; i < services.n; i++)
        if (services.items[i].type == VALUE_STRING && str_eq(value_as_str(services.items[i]), name))
            return true;
    return false;
}

static void add_to(struct report *report, struct map *by_name, struct str name, const struct report_item *item)
{
    void **slot = map_slot(by_name, name);
    if (*slot == NULL) {
        struct report_sum *made = arena_zalloc(&report->arena, sizeof *made);
        made->name = name;
        made->first = item;
        *slot = made;
    }
    struct report_sum *sum = *slot;
    sum->open++;
    sum->priorities[item->priority]++;
    sum->impact += item->impact;
}

static int by_weight(const void *left, const void *right)
{
    const struct report_sum *a = left;
    const struct report_sum *b = right;
    if (a->impact != b->impact)
        return a->impact < b->impact ? 1 : -1;
    return str_cmp(a->name, b->name);
}

size_t report_sums(struct report *report, enum report_by by, struct report_sum **sums)
{
    struct map by_name = {0};
    for (size_t i = 0; i < report->count; i++) {
        const struct report_item *item = &report->items[i];
        struct value services = published_value(item->record, "services");
        if (!report_is_work(item))
            continue;
        if (by == REPORT_BY_CATEGORY)
            add_to(report, &by_name, published_text(item->record, "category"), item);
        else if (services.type != VALUE_LIST || services.n == 0)
            add_to(report, &by_name, STR_LIT(""), item);
        for (uint32_t k = 0; by != REPORT_BY_CATEGORY && services.type == VALUE_LIST && k < services.n; k++)
            if (services.items[k].type == VALUE_STRING)
                add_to(report, &by_name, value_as_str(services.items[k]), item);
    }
    size_t count = 0;
    struct map_entry *entry;
    *sums = arena_alloc(&report->arena, (by_name.count + 1) * sizeof **sums);
    for (size_t i = 0; map_next(&by_name, &i, &entry);)
        (*sums)[count++] = *(const struct report_sum *)entry->value;
    map_fini(&by_name);
    if (count > 1)
        qsort(*sums, count, sizeof **sums, by_weight);
    return count;
}
