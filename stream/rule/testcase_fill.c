/* What a test's events leave out: an update of an incident or a deployment repeats what was last said of it, so that an
 * update that only names a cause changes nothing else; what was never said gets a value that harms no test. */
#include "rule/testcase_load.h"

#include <stdlib.h>

static int by_time(const void *left, const void *right)
{
    const struct test_event *a = left;
    const struct test_event *b = right;
    if (a->made.at_ms != b->made.at_ms)
        return a->made.at_ms < b->made.at_ms ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static struct value default_of(const struct stream *stream, int field)
{
    static const struct {
        const char *field;
        const char *text;
    } defaults[] = {{"service", "testservice"}, {"title", "an incident of a test"},
                    {"severity", "sev4"},       {"version", "v1"},
                    {"name", "a_metric"},       {"actor", "a test"},
                    {"recommendation_id", ""}};
    const struct stream_field *kind = &stream->fields[field];
    if (kind->fallback != NULL)
        return value_text(kind->fallback);
    if (kind->kind == FIELD_STRINGS)
        return value_list(NULL, 0);
    if (kind->kind == FIELD_LABELS || kind->kind == FIELD_MAP)
        return value_map(NULL, 0);
    if (strcmp(kind->name, "status") == 0)
        return value_text(stream->id == STREAM_INCIDENT ? "open" : "succeeded");
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (strcmp(kind->name, defaults[i].field) == 0)
            return value_text(defaults[i].text);
    return value_null();
}

/* The latest event about the same thing, which this one then is; NULL: there was none. */
static const struct test_event *earlier(struct map *latest, struct test_event *event)
{
    const struct stream *stream = event->made.event.stream;
    if (!stream->rows)
        return NULL;
    struct buf key = {0};
    buf_byte(&key, (uint8_t)stream->id);
    value_encode(&key, event->made.event.values[ROW_ID]);
    value_encode(&key, event->made.event.values[stream->service_field]);
    void **slot = map_slot(latest, buf_str(&key));
    buf_fini(&key);
    const struct test_event *before = *slot;
    *slot = event;
    return before;
}

static void fill(struct test_load *load, struct map *latest, struct test_event *event, size_t number)
{
    struct event *made = &event->made.event;
    const struct stream *stream = made->stream;
    if (stream->service_field >= 0 && (event->given & FIELD_BIT(stream->service_field)) == 0)
        made->values[stream->service_field] = value_text("testservice");
    const struct test_event *before = earlier(latest, event);
    for (int field = 0; field < stream->record_field_count; field++) {
        const struct stream_field *kind = &stream->fields[field];
        if (!value_is_null(made->values[field]) || kind->nullable)
            continue;
        if (field == stream->time_field)
            made->values[field] = value_time_ms(made->time_ms);
        else if (field == stream->event_id_field)
            made->values[field] = value_text(arena_printf(load->arena, "test-%zu", number));
        else if (before != NULL && kind->kind != FIELD_STRINGS && kind->kind != FIELD_LABELS)
            made->values[field] = before->made.event.values[field];
        else
            made->values[field] = default_of(stream, field);
    }
    if (stream->event_id_field >= 0 && value_is_null(made->values[stream->event_id_field]))
        made->values[stream->event_id_field] = value_text(arena_printf(load->arena, "test-%zu", number));
}

void test_events_fill(struct test_load *load)
{
    if (load->event_count == 0)
        return;
    qsort(load->events, load->event_count, sizeof *load->events, by_time);
    struct map latest = {0};
    for (size_t i = 0; i < load->event_count; i++)
        fill(load, &latest, &load->events[i], i + 1);
    map_fini(&latest);
}
