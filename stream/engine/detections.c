/* From an evaluation to an event of stream `detection` or `scorecard`. */
#include "engine/detections.h"

#include <stdlib.h>

#include "base/map.h"
#include "rule/index.h"

struct detections {
    const struct ruleset *rules;
    struct rule_index *index; /* of the inputs that read detections */
    struct rule_index *scorecards;
    uint64_t *errors; /* counts of where-clauses that ended in one; the user's */
    uint64_t *null_errors;
    int64_t time_ms;   /* of the one sent last */
    struct map counts; /* (rule, group) -> how many were sent of that time: what tells them apart */
};

struct matches {
    struct exchange_match *items;
    size_t count;
    size_t cap;
    struct arena *arena;
};

static bool detects(const struct rule *rule, const struct rule_input *input)
{
    (void)rule;
    return input->detects;
}

struct detections *detections_new(const struct ruleset *rules, uint64_t *errors, uint64_t *null_errors)
{
    struct detections *detections = mem_zalloc(sizeof *detections);
    detections->rules = rules;
    detections->errors = errors;
    detections->null_errors = null_errors;
    detections->index = rule_index_new(rules, STREAM_DETECTION, detects);
    detections->scorecards = rule_index_new(rules, STREAM_SCORECARD, detects);
    return detections;
}

void detections_free(struct detections *detections)
{
    rule_index_free(detections->index);
    rule_index_free(detections->scorecards);
    map_fini(&detections->counts);
    free(detections);
}

void detections_restore(struct detections *detections)
{
    detections->time_ms = INT64_MIN;
    map_clear(&detections->counts);
}

/* What is long is cut, as values of groups are: an output can be the text of an event. */
static struct value short_text(struct value v)
{
    return v.type == VALUE_STRING ? value_str(text_cut(value_as_str(v), GROUP_VALUE_BYTES_MAX)) : v;
}

static void add_value(struct value *pairs, size_t *n, struct str name, struct value v)
{
    switch ((enum value_type)v.type) {
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_DOUBLE:
    case VALUE_STRING:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        pairs[2 * *n] = value_str(name);
        pairs[2 * *n + 1] = short_text(v);
        (*n)++;
        break;
    default:
        break;
    }
}

/* Outputs and functions that are single values, by their names; null ones are left out. */
static struct value values_of(const struct rule *rule, const struct evaluation *evaluation, struct arena *arena)
{
    struct value *pairs = arena_alloc(arena, (rule_slot_count(rule) + 1) * 2 * sizeof *pairs);
    size_t n = 0;
    for (int i = 0; i < OUT_FIXED_COUNT; i++)
        add_value(pairs, &n, str_of(output_names[i]), evaluation->slots[i]);
    for (size_t i = 0; i < rule->output_count; i++)
        add_value(pairs, &n, rule->outputs[i].name, evaluation->slots[OUT_FIXED_COUNT + i]);
    for (size_t i = 0; i < rule->aggregate_count; i++)
        if (rule->aggregates[i].detects && !rule->aggregates[i].part)
            add_value(pairs, &n, rule->aggregates[i].text, evaluation->slots[rule_aggregate_slot(rule, i)]);
    return value_map(pairs, n);
}

/* The group's service, else the only one seen, else null. */
static struct value service_of(struct value group, const struct evaluation *evaluation)
{
    const struct value *service = value_map_get(group, STR_LIT("service"));
    struct value seen = evaluation->slots[OUT_SERVICES];
    if (service != NULL && service->type == VALUE_STRING)
        return *service;
    return seen.type == VALUE_LIST && seen.n == 1 ? short_text(seen.items[0]) : value_null();
}

static void add_match(void *context, const struct index_entry *entry)
{
    struct matches *matches = context;
    if (matches->count == matches->cap) {
        size_t cap = matches->cap == 0 ? 8 : matches->cap * 2;
        struct exchange_match *items = arena_alloc(matches->arena, cap * sizeof *items);
        if (matches->count > 0)
            memcpy(items, matches->items, matches->count * sizeof *items);
        matches->items = items;
        matches->cap = cap;
    }
    matches->items[matches->count++] = (struct exchange_match){entry->rule_number, entry->input};
}

/* No source's topic has such a number, so a detection comes after the events of its time, and its place depends on its
 * rule and group alone, not on what else was detected. */
static struct position place(struct detections *detections, const struct group *group, int64_t time_ms)
{
    if (detections->time_ms != time_ms)
        map_clear(&detections->counts);
    detections->time_ms = time_ms;
    const uint64_t key[2] = {group->rule->hash, group->hash};
    void **count = map_slot(&detections->counts, (struct str){(const char *)key, sizeof key});
    uintptr_t number = (uintptr_t)*count;
    *count = (void *)(number + 1); /* NOLINT(performance-no-int-to-ptr): the map's value is the number itself */
    return (struct position){(int32_t)(group->rule->hash >> 34 | UINT64_C(1) << 30), (int32_t)number,
                             (int64_t)group->hash};
}

/* Those of the matches that are of the stage, or are not, come first; how many they are. */
static size_t pick(const struct ruleset *rules, struct matches *matches, int stage, bool same)
{
    size_t n = 0;
    for (size_t i = 0; i < matches->count; i++) {
        struct exchange_match match = matches->items[i];
        if ((rules->rules[match.rule].stage == stage) != same)
            continue;
        matches->items[i] = matches->items[n];
        matches->items[n++] = match;
    }
    return n;
}

/* To those whose input selects it. */
static void send(struct detections *detections, const struct rule_index *index, struct event *event, int stage,
                 const struct detection_ways *ways, struct arena *arena)
{
    struct matches matches = {.arena = arena};
    rule_index_select(index, event, arena, add_match, &matches, detections->errors, detections->null_errors);
    size_t inside = pick(detections->rules, &matches, stage, true);
    if (inside > 0)
        ways->inside->ops->event(ways->inside, event, matches.items, inside);
    size_t outside = pick(detections->rules, &matches, stage, false);
    if (outside > 0)
        ways->outside->ops->event(ways->outside, event, matches.items, outside);
}

void detections_send_scorecard(struct detections *detections, const struct group *group, struct value record,
                               int64_t time_ms, const struct detection_ways *ways, struct arena *arena)
{
    struct event event;
    event_clear(&event, stream_get(STREAM_SCORECARD));
    event.time_ms = time_ms;
    event.at = place(detections, group, time_ms);
    for (int i = 0; i < event.stream->field_count; i++)
        event.values[i] = *value_map_get(record, str_of(event.stream->fields[i].name));
    send(detections, detections->scorecards, &event, group->rule->stage, ways, arena);
}

void detections_send(struct detections *detections, const struct group *group, const struct evaluation *evaluation,
                     const struct detection_ways *ways, struct arena *arena)
{
    struct event event;
    event_clear(&event, stream_get(STREAM_DETECTION));
    event.time_ms = evaluation->time_ms;
    event.at = place(detections, group, evaluation->time_ms);
    struct value map = group_key_values(group->key, arena);
    event.values[DETECTION_RULE_ID] = value_str(group->rule->id);
    event.values[DETECTION_OCCURRED_AT] = value_time_ms(evaluation->time_ms);
    event.values[DETECTION_GROUP] = map;
    event.values[DETECTION_VALUES] = values_of(group->rule, evaluation, arena);
    event.values[DETECTION_SERVICE] = service_of(map, evaluation);
    send(detections, detections->index, &event, group->rule->stage, ways, arena);
}
