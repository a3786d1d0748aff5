/* Cascades: events of services that are joined in the topology, within `within` of the first. A service in no topology
 * stands alone. At first + within, what lies exactly there included, the component is evaluated once and let go; its
 * next event begins anew.
 *
 * Holds the events of all open components as entries, by the time when they were seen, so the first one tells the next
 * deadline. With limits.window_events of them only a topology's services that are not among them yet get in. An
 * evaluation is O(entries of the group + affected x services of the component).
 */
#include "detect/match.h"

#include <stdlib.h>

#include "base/map.h"
#include "rule/topology.h"

enum { OUTPUT_ROOT, OUTPUT_ROOT_FAILING, OUTPUT_AFFECTED };

/* An event of the group's, and where it belongs. */
struct part {
    const struct entry *entry;
    struct event *event;
    struct str service;
    int number; /* in the topology; -1: in none */
};

/* A service that fails, and since when. */
struct failing {
    struct str service;
    int number;
    int64_t since_ms;
};

static struct value service_value(const struct event *event)
{
    return event->values[event->stream->service_field]; /* every stream that rules read has one */
}

static struct part part_of(const struct group *group, const struct entry *entry, struct arena *arena)
{
    struct part part = {.entry = entry, .event = detector_entry_event(entry, arena)};
    part.service = value_as_str(service_value(part.event));
    part.number = topology_find(group->rule->spec.cascade->topology, part.service);
    return part;
}

static bool joined(const struct topology *topology, const struct part *a, const struct part *b)
{
    if (a->number < 0 || b->number < 0)
        return str_eq(a->service, b->service);
    return topology->component[a->number] == topology->component[b->number];
}

static int by_service(const void *a, const void *b)
{
    const struct failing *x = a;
    const struct failing *y = b;
    int order = str_cmp(x->service, y->service);
    return order != 0 ? order : (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

static int by_failure(const void *a, const void *b)
{
    const struct failing *x = a;
    const struct failing *y = b;
    if (x->since_ms != y->since_ms)
        return x->since_ms < y->since_ms ? -1 : 1;
    return str_cmp(x->service, y->service);
}

static int by_event(const void *a, const void *b)
{
    const struct event *x = ((const struct contribution *)a)->event;
    const struct event *y = ((const struct contribution *)b)->event;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return position_order(&x->at, &y->at);
}

static void fill_root(const struct topology *topology, struct failing *failing, size_t n, struct arena *arena,
                      struct value *outputs)
{
    outputs[OUTPUT_ROOT] = value_null();
    outputs[OUTPUT_ROOT_FAILING] = value_bool(false);
    if (failing[0].number < 0) {
        outputs[OUTPUT_ROOT] = value_str(failing[0].service);
        outputs[OUTPUT_ROOT_FAILING] = value_bool(true);
        return;
    }
    int *affected = arena_alloc(arena, n * sizeof *affected);
    qsort(failing, n, sizeof *failing, by_failure);
    for (size_t i = 0; i < n; i++)
        affected[i] = failing[i].number;
    int root = topology_root(topology, affected, n);
    if (root < 0)
        return;
    outputs[OUTPUT_ROOT] = value_str(topology->names[root]);
    for (size_t i = 0; i < n; i++)
        if (affected[i] == root)
            outputs[OUTPUT_ROOT_FAILING] = value_bool(true);
}

static void fill_outputs(const struct topology *topology, const struct part *parts, size_t n, struct arena *arena,
                         struct value *outputs)
{
    struct failing *failing = arena_alloc(arena, n * sizeof *failing);
    struct value *names = arena_alloc(arena, n * sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        failing[i] = (struct failing){parts[i].service, parts[i].number, parts[i].entry->time_ms};
    qsort(failing, n, sizeof *failing, by_service);
    for (size_t i = 0; i < n; i++)
        if (count == 0 || !str_eq(failing[count - 1].service, failing[i].service))
            failing[count++] = failing[i];
    for (size_t i = 0; i < count; i++)
        names[i] = value_str(failing[i].service);
    outputs[OUTPUT_AFFECTED] = value_list(names, count);
    fill_root(topology, failing, count, arena, outputs);
}

static void evaluate(struct detector_context *context, struct group *group, const struct part *parts, size_t n,
                     int64_t time_ms)
{
    struct contribution *contributions = arena_zalloc(context->arena, n * sizeof *contributions);
    for (size_t i = 0; i < n; i++)
        contributions[i].event = parts[i].event;
    qsort(contributions, n, sizeof *contributions, by_event);
    struct match match = match_begin(context, group, time_ms, contributions, n);
    fill_outputs(group->rule->spec.cascade->topology, parts, n, context->arena, match.outputs);
    match_decide(context, group, &match);
}

/* Evaluates the component of the first entry, and lets it go. One that began before the rule was in force is only let
 * go: of its events some may not have been seen. */
static void close_first(struct detector_context *context, struct group *group, int64_t time_ms)
{
    const struct topology *topology = group->rule->spec.cascade->topology;
    struct part *parts = arena_alloc(context->arena, group->entry_count * sizeof *parts);
    size_t n = 0;
    for (size_t i = 0; i < group->entry_count; i++) {
        parts[n] = part_of(group, &group->entries[i], context->arena);
        if (joined(topology, &parts[0], &parts[n]))
            n++;
    }
    if (group->entries[0].time_ms >= context->since_ms)
        evaluate(context, group, parts, n, time_ms);
    for (size_t i = n; i > 0; i--) /* the last ones first, so that the others stay where they are */
        group_entry_drop(group, context->state, (size_t)(parts[i - 1].entry - group->entries));
}

static void names_free(void *detail)
{
    map_fini(detail);
    free(detail);
}

/* The services of the entries, once there are too many of them. */
static struct map *names_of(struct group *group)
{
    if (group->detail != NULL)
        return group->detail;
    struct map *names = mem_zalloc(sizeof *names);
    struct arena arena = {0};
    for (size_t i = 0; i < group->entry_count; i++) {
        *map_slot(names, part_of(group, &group->entries[i], &arena).service) = names;
        arena_reset(&arena);
    }
    arena_fini(&arena);
    group->detail = names;
    group->detail_free = names_free;
    return names;
}

static void names_forget(struct group *group)
{
    if (group->detail != NULL)
        names_free(group->detail);
    group->detail = NULL;
}

static bool has_room(struct detector_context *context, struct group *group, struct str service)
{
    if ((int64_t)group->entry_count < context->window_events_max)
        return true;
    struct map *names = names_of(group);
    if (map_get(names, service) == NULL && topology_find(group->rule->spec.cascade->topology, service) >= 0) {
        *map_slot(names, service) = names;
        return true;
    }
    context->counters->entries_dropped++;
    return false;
}

/* A row that was seen before shows its newest state as long as it waits; what it did by its coming stays. */
static void refresh(struct detector_context *context, struct group *group, const struct event *row, uint16_t inputs)
{
    for (size_t i = 0; i < group->entry_count; i++) {
        struct entry *entry = &group->entries[i];
        if (position_order(&entry->at, &row->at) == 0 &&
            value_eq(service_value(row), value_str(part_of(group, entry, context->arena).service)))
            group_entry_set(group, context->state, entry, row, inputs);
    }
}

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    const struct cascade_spec *spec = group->rule->spec.cascade;
    if (!match_sees(selection, spec->of)) {
        if ((selection.after >> spec->of & 1) != 0)
            refresh(context, group, event, selection.after);
        return;
    }
    if (service_value(event).type != VALUE_STRING)
        return;
    bool room = has_room(context, group, value_as_str(service_value(event)));
    if (room) {
        struct entry *entry = group_entry(group, time_ms, &event->at, true);
        group_entry_set(group, context->state, entry, event, selection.after);
    }
    bool known = group->timer_ms != INT64_MAX;
    bool says_so = room || group->capped;
    if (known && says_so && group->last_ms >= time_ms - HOUR_MS)
        return;
    group->capped = group->capped || !room;
    group->last_ms = time_ms;
    group->timer_ms = group->entries[0].time_ms + spec->within_ms;
    group_save(group, context->state);
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    int64_t within_ms = group->rule->spec.cascade->within_ms;
    names_forget(group);
    while (group->entry_count > 0 && group->entries[0].time_ms + within_ms <= time_ms)
        close_first(context, group, time_ms);
    if (group->entry_count == 0) {
        group_remove(group, context->state);
        return;
    }
    group->timer_ms = group->entries[0].time_ms + within_ms;
    group_save(group, context->state);
}

const struct detector_ops detector_cascade = {.on_event = on_event, .on_timer = on_timer, .deadline = true};
