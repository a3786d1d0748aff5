/* The newest events that contributed to a recommendation, in order of (time, position). */
#ifndef FORESTALL_RECOMMEND_EVIDENCE_H
#define FORESTALL_RECOMMEND_EVIDENCE_H

#include "event/event.h"

struct evidence {
    int64_t time_ms; /* a row's opened_at, an event's time */
    struct position at;
    enum stream_id stream;
    struct str fields; /* encoded: event_id, incident_id, service, summary; heap */
};

struct evidence_list {
    struct evidence *items;
    size_t count;
    size_t cap;
};

/* Adds the event, or takes its data anew where it is there. The `max` newest are kept: that is what evidence is, and
 * worth no note. */
void evidence_add(struct evidence_list *list, const struct event *event, size_t max);
/* Takes the event's data anew where it is there. */
void evidence_update(struct evidence_list *list, const struct event *event);
void evidence_remove(struct evidence_list *list, const struct event *event);
void evidence_fini(struct evidence_list *list);
size_t evidence_bytes(const struct evidence_list *list);
void evidence_encode(struct buf *out, const struct evidence_list *list);
void evidence_decode(struct reader *r, struct evidence_list *list);
/* As the record has it: a list of maps. */
struct value evidence_value(const struct evidence_list *list, struct arena *arena);

#endif
