/* Panes: adding, merging, encoding. */
#include "detect/pane.h"

#include <stdlib.h>

field_mask pane_evidence_fields(const struct stream *stream)
{
    switch (stream->id) {
    case STREAM_INCIDENT:
        return FIELD_BIT(INCIDENT_EVENT_ID) | FIELD_BIT(INCIDENT_ID) | FIELD_BIT(INCIDENT_OCCURRED_AT) |
               FIELD_BIT(INCIDENT_SERVICE) | FIELD_BIT(INCIDENT_TITLE);
    case STREAM_DEPLOYMENT:
        return FIELD_BIT(DEPLOYMENT_EVENT_ID) | FIELD_BIT(DEPLOYMENT_OCCURRED_AT) | FIELD_BIT(DEPLOYMENT_SERVICE) |
               FIELD_BIT(DEPLOYMENT_VERSION) | FIELD_BIT(DEPLOYMENT_STATUS);
    case STREAM_TELEMETRY:
        return FIELD_BIT(TELEMETRY_EVENT_ID) | FIELD_BIT(TELEMETRY_OCCURRED_AT) | FIELD_BIT(TELEMETRY_SERVICE) |
               FIELD_BIT(TELEMETRY_NAME) | FIELD_BIT(TELEMETRY_VALUE) | FIELD_BIT(TELEMETRY_MESSAGE);
    default:
        return FIELD_BIT(stream->field_count) - 1;
    }
}

/* Functions that only validation reads are not folded. */
static size_t folds_of(const struct rule *rule)
{
    size_t n = rule->aggregate_count;
    while (n > 0 && !rule->aggregates[n - 1].detects)
        n--;
    return n;
}

static bool group_has_service(const struct rule *rule)
{
    for (size_t i = 0; i < rule->group_count; i++)
        if (str_is(rule->group[i].name, "service"))
            return true;
    return false;
}

struct pane *pane_new(const struct rule *rule, int64_t start_ms)
{
    size_t n = folds_of(rule);
    struct pane *pane = mem_zalloc(sizeof *pane + n * sizeof pane->folds[0]);
    pane->start_ms = start_ms;
    pane->first_ms = INT64_MAX;
    pane->last_ms = INT64_MIN;
    pane->fold_count = n;
    pane->names_services = rule->shows_events && !group_has_service(rule);
    for (size_t i = 0; i < n; i++) {
        fold_init(&pane->folds[i], rule->aggregates[i].function);
        pane->grows |= fold_grows(rule->aggregates[i].function);
    }
    return pane;
}

void pane_free(struct pane *pane)
{
    if (pane == NULL)
        return;
    for (size_t i = 0; i < pane->fold_count; i++)
        fold_fini(&pane->folds[i]);
    for (size_t i = 0; i < pane->service_count; i++)
        free((void *)(uintptr_t)pane->services[i].p);
    free(pane->services);
    buf_fini(&pane->newest);
    free(pane);
}

size_t pane_bytes(const struct pane *pane)
{
    size_t bytes = sizeof *pane + pane->fold_count * sizeof pane->folds[0] + pane->newest.cap;
    if (pane->services != NULL)
        bytes += PANE_SERVICES_MAX * (sizeof *pane->services + 16);
    for (size_t i = 0; i < pane->fold_count; i++)
        bytes += fold_bytes(&pane->folds[i]);
    return bytes;
}

/* Keeps the PANE_SERVICES_MAX least names: which ones are kept does not depend on the order of events. */
static void add_service(struct pane *pane, struct str name)
{
    size_t at = 0;
    name = text_cut(name, PANE_SERVICE_BYTES_MAX);
    while (at < pane->service_count && str_cmp(pane->services[at], name) < 0)
        at++;
    if (at == PANE_SERVICES_MAX || (at < pane->service_count && str_eq(pane->services[at], name)))
        return;
    if (pane->services == NULL)
        pane->services = mem_alloc(PANE_SERVICES_MAX * sizeof *pane->services);
    if (pane->service_count == PANE_SERVICES_MAX)
        free((void *)(uintptr_t)pane->services[--pane->service_count].p);
    memmove(&pane->services[at + 1], &pane->services[at], (pane->service_count - at) * sizeof *pane->services);
    pane->services[at] = (struct str){mem_strdup(name), name.n};
    pane->service_count++;
}

static bool newer(int64_t time_ms, const struct position *at, const struct pane *pane)
{
    return time_ms > pane->last_ms || (time_ms == pane->last_ms && position_order(at, &pane->newest_at) > 0);
}

bool pane_add(struct pane *pane, const struct rule *rule, int input, const struct event *event, struct arena *arena)
{
    for (size_t i = 0; i < pane->fold_count; i++) {
        const struct aggregate *aggregate = &rule->aggregates[i];
        if (aggregate->input != input || !aggregate->detects)
            continue;
        if (aggregate->field >= 0) {
            fold_add(&pane->folds[i], event->values[aggregate->field]);
            continue;
        }
        struct value v = value_null();
        if (aggregate->expr != NULL)
            v = cel_eval(aggregate->expr, &(struct cel_frame){.event = event, .arena = arena});
        fold_add(&pane->folds[i], v);
    }
    /* Two inputs of the rule can select one event: it is one event. */
    if (pane->events > 0 && position_order(&event->at, &pane->counted_at) == 0)
        return false;
    pane->counted_at = event->at;
    pane->events++;
    if (event->time_ms < pane->first_ms)
        pane->first_ms = event->time_ms;
    int service = event->stream->service_field;
    if (service >= 0 && pane->names_services && event->values[service].type == VALUE_STRING)
        add_service(pane, value_as_str(event->values[service]));
    if (!newer(event->time_ms, &event->at, pane))
        return false;
    pane->last_ms = event->time_ms;
    pane->newest_at = event->at;
    return true;
}

void pane_newest(struct pane *pane, const struct event *event)
{
    buf_reset(&pane->newest);
    event_encode(&pane->newest, event, pane_evidence_fields(event->stream));
}

void pane_merge(struct pane *pane, struct pane *other)
{
    for (size_t i = 0; i < pane->fold_count; i++)
        fold_merge(&pane->folds[i], &other->folds[i]);
    pane->events += other->events;
    if (other->first_ms < pane->first_ms)
        pane->first_ms = other->first_ms;
    for (size_t i = 0; i < other->service_count; i++)
        add_service(pane, other->services[i]);
    if (newer(other->last_ms, &other->newest_at, pane)) {
        pane->last_ms = other->last_ms;
        pane->newest_at = other->newest_at;
        buf_reset(&pane->newest);
        buf_str_put(&pane->newest, buf_str(&other->newest));
    }
}

void pane_encode(struct buf *out, struct pane *pane)
{
    buf_zigzag(out, pane->first_ms);
    buf_zigzag(out, pane->last_ms);
    buf_varint(out, pane->events);
    buf_varint(out, (uint64_t)pane->newest_at.topic);
    buf_varint(out, (uint64_t)pane->newest_at.partition);
    buf_zigzag(out, pane->newest_at.offset);
    buf_text(out, buf_str(&pane->newest));
    buf_varint(out, pane->service_count);
    for (size_t i = 0; i < pane->service_count; i++)
        buf_text(out, pane->services[i]);
    buf_varint(out, pane->fold_count);
    for (size_t i = 0; i < pane->fold_count; i++)
        fold_encode(out, &pane->folds[i]);
}

struct pane *pane_decode(const struct rule *rule, int64_t start_ms, struct str bytes)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    struct pane *pane = pane_new(rule, start_ms);
    pane->first_ms = read_zigzag(&r);
    pane->last_ms = read_zigzag(&r);
    pane->events = read_varint(&r);
    pane->newest_at.topic = (int32_t)read_varint(&r);
    pane->newest_at.partition = (int32_t)read_varint(&r);
    pane->newest_at.offset = read_zigzag(&r);
    buf_str_put(&pane->newest, read_text(&r));
    uint64_t services = read_varint(&r);
    for (uint64_t i = 0; i < services && services <= PANE_SERVICES_MAX && !r.failed; i++)
        add_service(pane, read_text(&r));
    bool good = !r.failed && services <= PANE_SERVICES_MAX && read_varint(&r) == pane->fold_count;
    for (size_t i = 0; good && i < pane->fold_count; i++)
        good = fold_decode(&r, &pane->folds[i]);
    if (good && !r.failed && reader_left(&r) == 0)
        return pane;
    pane_free(pane);
    return NULL;
}
