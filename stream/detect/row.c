/* Folding of incident and deployment updates into rows. */
#include "detect/row.h"

static bool text_is(struct value v, const char *text)
{
    return v.type == VALUE_STRING && str_is(value_as_str(v), text);
}

/* Fields whose 'unknown' never replaces something known. */
static bool counts_as_null(const struct stream *stream, int field, struct value v)
{
    if (value_is_null(v))
        return true;
    return stream->id == STREAM_INCIDENT && (field == INCIDENT_DETECTED_BY || field == INCIDENT_ROOT_CAUSE) &&
           text_is(v, "unknown");
}

/* No more labels than a row holds are looked at: the rest of a merge is their product. */
static struct value first_labels(struct value v)
{
    if (v.type == VALUE_MAP && v.n > ROW_LABELS_MAX)
        v.n = ROW_LABELS_MAX;
    return v;
}

static struct value merge_labels(struct value old, struct value new, struct arena *arena)
{
    old = first_labels(old);
    new = first_labels(new);
    if (new.type != VALUE_MAP || new.n == 0)
        return value_is_null(old) ? new : old;
    if (old.type != VALUE_MAP || old.n == 0)
        return new;
    struct value *pairs = arena_alloc(arena, ((size_t)old.n + new.n) * 2 * sizeof *pairs);
    uint32_t n = 0;
    for (uint32_t i = 0; i < old.n; i++, n++) {
        const struct value *newer = value_map_get(new, value_as_str(old.items[2 * i]));
        pairs[2 * n] = old.items[2 * i];
        pairs[2 * n + 1] = newer != NULL ? *newer : old.items[2 * i + 1];
    }
    for (uint32_t i = 0; i < new.n &&n < ROW_LABELS_MAX; i++)
        if (value_map_get(old, value_as_str(new.items[2 * i])) == NULL) {
            pairs[2 * n] = new.items[2 * i];
            pairs[2 * n + 1] = new.items[2 * i + 1];
            n++;
        }
    return value_map(pairs, n);
}

static bool list_has(const struct value *items, uint32_t n, struct value v)
{
    for (uint32_t i = 0; i < n; i++)
        if (value_eq(items[i], v))
            return true;
    return false;
}

static struct value gather(struct value old, struct value new, struct arena *arena)
{
    uint32_t old_n = old.type == VALUE_LIST ? old.n : 0;
    uint32_t new_n = new.type == VALUE_LIST ? new.n : 0;
    struct value *items = arena_alloc(arena, ((size_t)old_n + new_n + 1) * sizeof *items);
    uint32_t n = 0;
    for (uint32_t i = 0; i < old_n + new_n && n < ROW_CODE_REFS_MAX; i++) {
        struct value v = i < old_n ? old.items[i] : new.items[i - old_n];
        if (!list_has(items, n, v))
            items[n++] = v;
    }
    return value_list(items, n);
}

/* end - start, or null where unknown or negative (then counted). */
static struct value span(struct value start, struct value end, struct row_folding *folding)
{
    if (value_is_null(start) || value_is_null(end))
        return value_null();
    int64_t ms = value_ms(end) - value_ms(start);
    if (ms < 0) {
        folding->spans_left_out++;
        return value_null();
    }
    return value_span_ms(ms);
}

static void derive_incident(const struct event *before, const struct event *update, struct event *row,
                            struct row_folding *folding)
{
    struct value *v = row->values;
    bool was_resolved = before != NULL && text_is(before->values[INCIDENT_STATUS], "resolved");
    bool is_resolved = text_is(v[INCIDENT_STATUS], "resolved");
    int64_t reopened = before != NULL ? before->values[INCIDENT_REOPENED].i : 0;
    reopened += was_resolved && !is_resolved;
    /* For as long as it is open again: a producer that sends its old resolved_at along, once or twice, says nothing
     * new. */
    if (reopened > 0 && !is_resolved)
        v[INCIDENT_RESOLVED_AT] = value_null();
    if (is_resolved && value_is_null(v[INCIDENT_RESOLVED_AT]))
        v[INCIDENT_RESOLVED_AT] = value_time_ms(update->time_ms);
    v[INCIDENT_REOPENED] = value_int(reopened);
    struct value worst = before != NULL ? before->values[INCIDENT_WORST_SEVERITY] : value_null();
    if (value_is_null(worst) || value_order(v[INCIDENT_SEVERITY], worst) < 0)
        worst = v[INCIDENT_SEVERITY];
    v[INCIDENT_WORST_SEVERITY] = worst;
    struct value opened = value_is_null(v[INCIDENT_STARTED_AT]) ? v[INCIDENT_OPENED_AT] : v[INCIDENT_STARTED_AT];
    v[INCIDENT_TTD] = span(v[INCIDENT_STARTED_AT], v[INCIDENT_DETECTED_AT], folding);
    v[INCIDENT_TTR] = is_resolved ? span(opened, v[INCIDENT_RESOLVED_AT], folding) : value_null();
}

/* What an update carries by being one, not by what it says of the incident or deployment. */
static bool is_envelope(const struct stream *stream, int field)
{
    return field == stream->event_id_field || field == stream->time_field ||
           strcmp(stream->fields[field].name, "updated_at") == 0;
}

static bool differs(const struct event *before, const struct event *after)
{
    for (int i = 0; i < after->stream->field_count; i++)
        if (!is_envelope(after->stream, i) && !value_eq(before->values[i], after->values[i]))
            return true;
    return false;
}

static size_t text_bytes(struct value v)
{
    size_t bytes = v.type == VALUE_STRING ? v.n : 0;
    size_t count = v.type == VALUE_LIST ? v.n : v.type == VALUE_MAP ? 2 * (size_t)v.n : 0;
    for (size_t i = 0; i < count; i++)
        bytes += v.items[i].type == VALUE_STRING ? v.items[i].n : 0;
    return bytes;
}

static struct value fold_field(const struct stream *stream, int field, struct value old, struct value new,
                               struct arena *arena)
{
    if (stream->fields[field].kind == FIELD_STRINGS)
        return gather(old, new, arena);
    if (stream->fields[field].kind == FIELD_LABELS)
        return merge_labels(old, new, arena);
    if (!counts_as_null(stream, field, new) || value_is_null(old))
        return value_is_null(new) ? old : new;
    return old;
}

/* Of an incident's or deployment's first update, which is one record. */
static void first_fields(struct arena *arena, struct event *row)
{
    for (int i = 0; i < row->stream->record_field_count; i++)
        if (row->stream->fields[i].kind == FIELD_STRINGS || row->stream->fields[i].kind == FIELD_LABELS)
            row->values[i] = fold_field(row->stream, i, value_null(), row->values[i], arena);
}

/* The fields of `after`, which is the row before. What is long, and would make the row longer than one record may be,
 * leaves its field as it was: rows gather what many records said, and are records themselves. */
static void fold_fields(const struct event *update, struct arena *arena, struct event *after,
                        struct row_folding *folding)
{
    const struct stream *stream = update->stream;
    size_t row_bytes = 0;
    for (int i = 0; i < stream->record_field_count; i++)
        row_bytes += text_bytes(after->values[i]);
    for (int i = 0; i < stream->record_field_count; i++) {
        struct value v = fold_field(stream, i, after->values[i], update->values[i], arena);
        size_t old_bytes = text_bytes(after->values[i]);
        size_t new_bytes = text_bytes(v);
        if (new_bytes > ROW_VALUE_BYTES_SHORT && new_bytes > old_bytes &&
            row_bytes - old_bytes + new_bytes > folding->bytes_max) {
            folding->values_left_out++;
            continue;
        }
        row_bytes += new_bytes - old_bytes;
        after->values[i] = v;
    }
}

enum row_change row_apply(const struct event *before, const struct event *update, struct arena *arena,
                          struct event *after, struct row_folding *folding)
{
    const struct stream *stream = update->stream;
    if (stream->id == STREAM_INCIDENT && text_is(update->values[INCIDENT_STATUS], "cancelled"))
        return before != NULL ? ROW_REMOVED : ROW_UNCHANGED;
    *after = before != NULL ? *before : *update;
    if (before != NULL)
        fold_fields(update, arena, after, folding);
    else
        first_fields(arena, after);
    int opened_at = stream->record_field_count;
    after->values[opened_at] = before != NULL ? before->values[opened_at] : value_time_ms(update->time_ms);
    after->values[opened_at + 1] = value_time_ms(update->time_ms);
    if (stream->id == STREAM_INCIDENT)
        derive_incident(before, update, after, folding);
    return before != NULL && !differs(before, after) ? ROW_UNCHANGED : ROW_CHANGED;
}

void row_key(struct buf *out, const struct event *update, const int *fields, size_t field_count)
{
    static const int incident_key[] = {INCIDENT_ID, INCIDENT_SERVICE};
    static const int deployment_key[] = {DEPLOYMENT_ID, DEPLOYMENT_SERVICE, DEPLOYMENT_ENVIRONMENT};
    if (fields == NULL) {
        bool incident = update->stream->id == STREAM_INCIDENT;
        fields = incident ? incident_key : deployment_key;
        field_count = incident ? 2 : 3;
    }
    buf_byte(out, (uint8_t)update->stream->id);
    for (size_t i = 0; i < field_count; i++)
        value_encode(out, update->values[fields[i]]);
}
