/* Rows that contributed: keys, encoding, and what an incident's rows have in common. */
#include "recommend/remembered.h"

#include <stdlib.h>

#include "detect/row.h"
#include "rule/fingerprint.h"

bool remembered_is_row(const struct event *event)
{
    return event->stream->rows && event->values[event->stream->record_field_count].type == VALUE_TIMESTAMP;
}

bool remembered_takes(const struct event *event)
{
    return event->stream->id == STREAM_INCIDENT || remembered_is_row(event);
}

static struct str text_of(const struct event *event, int field)
{
    struct value v = event->values[field];
    return v.type == VALUE_STRING ? value_as_str(v) : STR_LIT("");
}

static struct str short_text(const struct event *event, int field)
{
    return text_cut(text_of(event, field), REMEMBERED_TEXT_BYTES_MAX);
}

void remembered_key(struct buf *out, const struct event *event)
{
    buf_byte(out, (uint8_t)event->stream->id);
    if (event->stream->id == STREAM_INCIDENT) {
        buf_text(out, text_of(event, INCIDENT_ID));
        buf_text(out, text_of(event, INCIDENT_SERVICE));
        return;
    }
    buf_i64_sorted(out, event->time_ms);
    buf_u32(out, (uint32_t)event->at.topic);
    buf_u32(out, (uint32_t)event->at.partition);
    buf_i64_sorted(out, event->at.offset);
}

static int64_t time_of(const struct event *event, int field, int64_t otherwise)
{
    return event->values[field].type == VALUE_TIMESTAMP ? value_ms(event->values[field]) : otherwise;
}

static struct str either(struct str new, struct str old)
{
    return new.n > 0 ? new : old;
}

/* RULES: UNKNOWN counts as null. Where no cause is named incidents go by the pattern of their title. */
static void put_cause(struct buf *out, const struct event *event)
{
    struct str cause = short_text(event, INCIDENT_ROOT_CAUSE);
    struct str title = text_cut(text_of(event, INCIDENT_TITLE), REMEMBERED_TITLE_BYTES_MAX);
    char pattern[REMEMBERED_TITLE_BYTES_MAX * FINGERPRINT_GROWTH];
    if (cause.n > 0 && !str_is(cause, "unknown")) {
        buf_str_put(out, cause);
    } else if (title.n > 0) {
        buf_puts(out, REMEMBERED_UNNAMED);
        buf_str_put(out, (struct str){pattern, fingerprint(title, pattern)});
    }
}

bool remembered_names_cause(const struct remembered *row)
{
    return row->root_cause.n > 0 && !str_starts(row->root_cause, str_of(REMEMBERED_UNNAMED));
}

static void put_code_refs(struct buf *out, const struct event *event)
{
    struct value refs = event->values[INCIDENT_CODE_REFS];
    for (uint32_t i = 0; refs.type == VALUE_LIST && i < refs.n && i < ROW_CODE_REFS_MAX; i++)
        if (refs.items[i].type == VALUE_STRING && refs.items[i].n > 0)
            buf_text(out, text_cut(value_as_str(refs.items[i]), REMEMBERED_TEXT_BYTES_MAX));
}

static void encode_incident(struct buf *out, const struct event *event, const struct remembered *before,
                            int64_t opened_ms)
{
    bool row = remembered_is_row(event);
    bool resolved = str_is(text_of(event, INCIDENT_STATUS), "resolved");
    int64_t start_ms = time_of(event, INCIDENT_STARTED_AT, opened_ms);
    int64_t end_ms = resolved ? time_of(event, INCIDENT_RESOLVED_AT, row ? INT64_MIN : event->time_ms) : INT64_MIN;
    struct buf cause = {0};
    struct str component = short_text(event, INCIDENT_COMPONENT);
    put_cause(&cause, event);
    if (!row && before != NULL) {
        start_ms = start_ms < before->start_ms ? start_ms : before->start_ms;
        component = either(component, before->component);
    }
    buf_zigzag(out, start_ms);
    buf_zigzag(out, end_ms);
    buf_byte(out, (uint8_t)severity_weight(text_of(event, INCIDENT_SEVERITY)));
    bool known_before = !row && before != NULL && remembered_names_cause(before);
    bool known_now = cause.len > 0 && !str_starts(buf_str(&cause), str_of(REMEMBERED_UNNAMED));
    buf_text(out, known_before && !known_now ? before->root_cause : buf_str(&cause));
    buf_fini(&cause);
    buf_text(out, component);
    size_t at = out->len;
    put_code_refs(out, event);
    if (!row && before != NULL && out->len == at)
        buf_str_put(out, before->code_refs);
}

/* The first byte: selected or not, or, where groups share the recommendation, how many there are. */
enum { DATA_SHARED = 0x80, GROUP_BYTES = 9 };

void remembered_groups_read(const struct remembered *row, struct remembered_groups *groups)
{
    struct reader r = reader_of(row->groups.p, row->groups.n);
    *groups = (struct remembered_groups){0};
    while (reader_left(&r) > 0) {
        groups->items[groups->count].hash = read_u64(&r);
        groups->items[groups->count++].selected = read_byte(&r) != 0;
    }
}

/* Room for one more: the first goes that no longer selects the row. There is one, unless the row was forgotten and came
 * again while its incident was remembered; then the last goes. */
static void make_room(struct remembered_groups *groups)
{
    size_t at = 0;
    while (at + 1 < groups->count && groups->items[at].selected)
        at++;
    groups->dropped = true;
    groups->dropped_group = groups->items[at].hash;
    groups->count--;
    memmove(&groups->items[at], &groups->items[at + 1], (groups->count - at) * sizeof groups->items[0]);
}

struct remembered_groups remembered_choose(const struct remembered *before, struct remembered_choice choice)
{
    struct remembered_groups groups = {.selected = choice.selected};
    if (!choice.shared)
        return groups;
    if (before != NULL)
        remembered_groups_read(before, &groups);
    groups.shared = true;
    size_t at = 0;
    while (at < groups.count && groups.items[at].hash < choice.group)
        at++;
    if (at == groups.count || groups.items[at].hash != choice.group) {
        if (groups.count == REMEMBERED_GROUPS_MAX) {
            make_room(&groups);
            at -= groups.dropped_group < choice.group;
        }
        memmove(&groups.items[at + 1], &groups.items[at], (groups.count - at) * sizeof groups.items[0]);
        groups.items[at].hash = choice.group;
        groups.count++;
        groups.added = true;
    }
    groups.items[at].selected = choice.selected;
    return groups;
}

static void encode_groups(struct buf *out, const struct remembered_groups *groups)
{
    if (!groups->shared) {
        buf_byte(out, groups->selected);
        return;
    }
    buf_byte(out, (uint8_t)(DATA_SHARED | groups->count));
    for (size_t i = 0; i < groups->count; i++) {
        buf_u64(out, groups->items[i].hash);
        buf_byte(out, groups->items[i].selected);
    }
}

static void decode_groups(struct reader *r, struct remembered *row)
{
    uint8_t first = read_byte(r);
    row->selected = first == 1;
    row->groups = (struct str){NULL, 0};
    if ((first & DATA_SHARED) == 0)
        return;
    size_t count = first & ~DATA_SHARED;
    const char *p = (const char *)r->p;
    if (count > REMEMBERED_GROUPS_MAX)
        r->failed = true;
    for (size_t i = 0; i < count && !r->failed; i++) {
        (void)read_u64(r);
        row->selected |= read_byte(r) != 0;
    }
    row->groups = (struct str){p, r->failed ? 0 : count * GROUP_BYTES};
}

void remembered_encode(struct buf *out, const struct event *event, const struct remembered_groups *groups,
                       const struct remembered *before)
{
    int64_t opened_ms = event->time_ms;
    if (!remembered_is_row(event) && before != NULL && before->opened_ms < opened_ms)
        opened_ms = before->opened_ms;
    encode_groups(out, groups);
    buf_zigzag(out, opened_ms);
    if (event->stream->id == STREAM_INCIDENT)
        encode_incident(out, event, before, opened_ms);
}

static bool read_data(struct remembered *row)
{
    struct reader r = reader_of(row->data.p, row->data.n);
    decode_groups(&r, row);
    row->opened_ms = read_zigzag(&r);
    row->start_ms = row->end_ms = INT64_MIN;
    if (!remembered_is_incident(row))
        return !r.failed;
    row->start_ms = read_zigzag(&r);
    row->end_ms = read_zigzag(&r);
    row->weight = read_byte(&r);
    row->root_cause = read_text(&r);
    row->component = read_text(&r);
    row->code_refs = (struct str){(const char *)r.p, reader_left(&r)};
    while (!r.failed && reader_left(&r) > 0)
        (void)read_text(&r);
    return !r.failed;
}

static struct str copy(struct str bytes)
{
    return (struct str){mem_strdup(bytes), bytes.n};
}

struct remembered *remembered_new(struct str key, struct str data)
{
    struct remembered *row = mem_zalloc(sizeof *row);
    row->key = copy(key);
    row->data = copy(data);
    struct reader r = reader_of(row->key.p, row->key.n);
    if (read_byte(&r) == STREAM_INCIDENT) {
        (void)read_text(&r);
        row->incident_length = row->key.n - reader_left(&r);
    }
    if (r.failed || !read_data(row)) {
        remembered_free(row);
        return NULL;
    }
    return row;
}

void remembered_set(struct remembered *row, struct str data)
{
    struct str old = row->data;
    row->data = copy(data);
    ASSERT(read_data(row));
    free((void *)(uintptr_t)old.p);
}

void remembered_free(struct remembered *row)
{
    free((void *)(uintptr_t)row->key.p);
    free((void *)(uintptr_t)row->data.p);
    free(row);
}

size_t remembered_bytes(const struct remembered *row)
{
    return sizeof *row + row->key.n + row->data.n + 2 * sizeof(void *);
}

size_t remembered_incident_end(struct remembered *const *rows, size_t row_count, size_t from)
{
    const struct remembered *first = rows[from];
    size_t end = from + 1;
    while (first->incident_length > 0 && end < row_count && rows[end]->incident_length == first->incident_length &&
           memcmp(rows[end]->key.p, first->key.p, first->incident_length) == 0)
        end++;
    return end;
}
