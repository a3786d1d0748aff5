/* Groups: decoded copies of a rule's state, written through. */
#include "detect/group.h"

#include <stdlib.h>

#include "detect/group_timer.h"

/* A short name and a short text, as buf_text and value_encode write them, in one piece: the usual group of every event.
 */
static void put_short_text(struct buf *out, struct str name, struct value text)
{
    char *p = buf_reserve(out, name.n + text.n + 3);
    *p++ = (char)name.n;
    copy_short(p, name.p, name.n);
    p += name.n;
    *p++ = (char)VALUE_STRING;
    *p++ = (char)text.n;
    copy_short(p, text.s, text.n);
    out->len += name.n + text.n + 3;
}

/* A long value is the beginning of its text. */
static void put_value(struct buf *out, struct value v)
{
    size_t from = out->len;
    value_encode(out, v);
    if (out->len - from <= GROUP_VALUE_BYTES_MAX)
        return;
    struct buf text = {0};
    out->len = from;
    value_template(&text, v);
    value_encode(out, value_str(text_cut(buf_str(&text), GROUP_VALUE_BYTES_MAX)));
    buf_fini(&text);
}

struct value group_value(struct value v, struct arena *arena)
{
    struct buf bytes = {0};
    put_value(&bytes, v);
    struct str kept = arena_str(arena, buf_str(&bytes));
    struct reader r = reader_of(kept.p, kept.n);
    buf_fini(&bytes);
    return value_decode(&r, arena, &v) ? v : value_null();
}

void group_key_put(struct buf *out, struct str name, struct value v)
{
    if (v.type == VALUE_STRING && v.n < 0x80 && name.n < 0x80) {
        put_short_text(out, name, v);
        return;
    }
    buf_text(out, name);
    put_value(out, v);
}

void group_key_encode(struct buf *out, const struct rule *rule, const struct value *values)
{
    for (size_t i = 0; i < rule->group_count; i++)
        group_key_put(out, rule->group[i].name, values[i]);
}

struct value group_key_values(struct str key, struct arena *arena)
{
    struct reader r = reader_of(key.p, key.n);
    struct value *pairs = arena_alloc(arena, (size_t)RULE_GROUP_KEYS_MAX * 2 * sizeof *pairs);
    size_t n = 0;
    while (reader_left(&r) > 0 && n < RULE_GROUP_KEYS_MAX) {
        pairs[2 * n] = value_str(read_text(&r));
        if (!value_decode(&r, arena, &pairs[2 * n + 1]))
            break;
        n++;
    }
    return value_map(pairs, n);
}

/* The greatest number is no hash, so that there is always one beyond. */
static uint64_t bounded(uint64_t hash)
{
    return hash == UINT64_MAX ? hash - 1 : hash;
}

uint64_t group_hash(struct str key)
{
    return bounded(hash_bytes(key.p, key.n, 1));
}

/* The keys of the route, hashed as a key of their own: with all keys there it is the key's own hash. */
static uint64_t route_hash(struct buf *scratch, const struct rule *rule, const struct value *values)
{
    const struct rule_route *route = rule->route;
    size_t from = scratch->len;
    for (size_t i = 0; i < route->count; i++)
        group_key_put(scratch, rule->group[route->keys[i]].name, values[route->keys[i]]);
    uint64_t hash = hash_bytes(scratch->p + from, scratch->len - from, route->seed);
    scratch->len = from;
    return hash;
}

uint64_t group_identify(struct buf *key, const struct rule *rule, const struct value *values)
{
    size_t from = key->len;
    group_key_encode(key, rule, values);
    uint64_t hash = hash_bytes(key->p + from, key->len - from, 1);
    if (rule->route != NULL)
        hash = (hash & ~GROUP_ROUTE_MASK) | (route_hash(key, rule, values) & GROUP_ROUTE_MASK);
    return bounded(hash);
}

void group_prefix(struct buf *out, const struct group *group)
{
    state_key(out, group->task, STATE_PART);
    buf_u64(out, group->rule->hash);
    buf_u64(out, group->hash);
}

static void put_entry_key(struct buf *out, const struct group *group, int64_t time_ms, const struct position *at)
{
    group_prefix(out, group);
    buf_byte(out, GROUP_ENTRY);
    buf_i64_sorted(out, time_ms);
    buf_u32(out, (uint32_t)at->topic);
    buf_u32(out, (uint32_t)at->partition);
    buf_i64_sorted(out, at->offset);
}

static void put_pane_key(struct buf *out, const struct group *group, int64_t start_ms)
{
    group_prefix(out, group);
    buf_byte(out, GROUP_PANE);
    buf_i64_sorted(out, start_ms);
}

static void free_contents(struct group *group)
{
    for (size_t i = 0; i < group->entry_count; i++)
        free((void *)(uintptr_t)group->entries[i].event.p);
    for (size_t i = 0; i < group->pane_count; i++)
        pane_free(group->panes[i]);
    for (size_t i = 0; i < group->note_count; i++)
        free((void *)(uintptr_t)group->notes[i].bytes.p);
    if (group->detail != NULL)
        group->detail_free(group->detail);
    group->entry_count = group->pane_count = group->note_count = 0;
}

void group_free(struct group *group)
{
    free_contents(group);
    free(group->entries);
    free(group->panes);
    free(group->notes);
    free((void *)(uintptr_t)group->key.p);
    free(group);
}

enum { ALLOCATION_BYTES = 16 }; /* that the allocator takes beside what was asked for */

size_t group_bytes(const struct group *group)
{
    size_t allocations = 4 + group->entry_count + 2 * group->pane_count + group->note_count;
    return sizeof *group + group->key.n + group->entry_cap * sizeof *group->entries +
           group->pane_cap * sizeof(struct pane *) + group->note_cap * sizeof *group->notes + group->detail_bytes +
           group->bytes + allocations * ALLOCATION_BYTES;
}

static void del(struct state *state, struct buf *key)
{
    state_del(state, buf_str(key));
    buf_fini(key);
}

void group_remove(struct group *group, struct state *state)
{
    while (group->entry_count > 0)
        group_entry_drop(group, state, group->entry_count - 1);
    group_panes_expire(group, state, INT64_MAX);
    while (group->note_count > 0)
        group_note_drop(group, state, group->notes[group->note_count - 1].id);
    if (group->detail != NULL)
        group->detail_free(group->detail);
    group->detail = NULL;
    group->detail_bytes = 0;
    struct buf key = {0};
    group_record_key(&key, group->task, group->rule->hash, group->hash);
    del(state, &key);
    group_timer_drop(group, state);
    group->timer_ms = INT64_MAX;
    group->evaluated_ms = INT64_MIN;
    group->dropped_ms = INT64_MIN;
    group->previous = group->capped = group->detected = group->dormant = false;
}

static int entry_order(const struct entry *entry, int64_t time_ms, const struct position *at)
{
    if (entry->time_ms != time_ms)
        return entry->time_ms < time_ms ? -1 : 1;
    return position_order(&entry->at, at);
}

struct entry *group_entry(struct group *group, int64_t time_ms, const struct position *at, bool make)
{
    size_t low = 0;
    size_t high = group->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_order(&group->entries[middle], time_ms, at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < group->entry_count && entry_order(&group->entries[low], time_ms, at) == 0)
        return &group->entries[low];
    if (!make)
        return NULL;
    group->entries = mem_grow(group->entries, group->entry_count, &group->entry_cap, sizeof *group->entries);
    memmove(&group->entries[low + 1], &group->entries[low], (group->entry_count - low) * sizeof *group->entries);
    group->entry_count++;
    group->entries[low] = (struct entry){.time_ms = time_ms, .at = *at};
    return &group->entries[low];
}

size_t group_first_entry(const struct group *group, int64_t time_ms)
{
    size_t low = 0;
    for (size_t high = group->entry_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (group->entries[middle].time_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t group_first_pane(const struct group *group, int64_t time_ms)
{
    size_t low = 0;
    for (size_t high = group->pane_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (group->panes[middle]->start_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void group_entry_set(struct group *group, struct state *state, struct entry *entry, const struct event *event,
                     uint16_t inputs)
{
    struct buf key = {0};
    struct buf value = {0};
    buf_u16(&value, inputs);
    event_encode(&value, event, FIELD_BIT(event->stream->field_count) - 1);
    free((void *)(uintptr_t)entry->event.p);
    struct str bytes = {value.p + 2, value.len - 2};
    group->bytes += bytes.n - entry->event.n;
    entry->event = (struct str){mem_strdup(bytes), bytes.n};
    entry->inputs = inputs;
    put_entry_key(&key, group, entry->time_ms, &entry->at);
    state_put(state, buf_str(&key), buf_str(&value));
    buf_fini(&key);
    buf_fini(&value);
}

void group_entry_drop(struct group *group, struct state *state, size_t index)
{
    struct entry *entry = &group->entries[index];
    struct buf key = {0};
    put_entry_key(&key, group, entry->time_ms, &entry->at);
    del(state, &key);
    group->bytes -= entry->event.n;
    free((void *)(uintptr_t)entry->event.p);
    group->entry_count--;
    memmove(entry, entry + 1, (group->entry_count - index) * sizeof *entry);
}

void group_entries_expire(struct group *group, struct state *state, int64_t time_ms)
{
    size_t n = 0;
    for (; n < group->entry_count && group->entries[n].time_ms <= time_ms; n++) {
        struct buf key = {0};
        put_entry_key(&key, group, group->entries[n].time_ms, &group->entries[n].at);
        del(state, &key);
        group->bytes -= group->entries[n].event.n;
        free((void *)(uintptr_t)group->entries[n].event.p);
    }
    group->entry_count -= n;
    if (n > 0)
        memmove(group->entries, group->entries + n, group->entry_count * sizeof *group->entries);
}

static void put_pane(const struct group *group, struct state *state, struct pane *pane)
{
    struct buf key = {0};
    struct buf value = {0};
    put_pane_key(&key, group, pane->start_ms);
    pane_encode(&value, pane);
    state_put(state, buf_str(&key), buf_str(&value));
    buf_fini(&key);
    buf_fini(&value);
}

void group_pane_take(struct group *group, struct state *state, struct pane *pane)
{
    if (group->unread) {
        put_pane(group, state, pane);
        pane_free(pane);
        return;
    }
    size_t at = group->pane_count;
    while (at > 0 && group->panes[at - 1]->start_ms > pane->start_ms)
        at--;
    if (at > 0 && group->panes[at - 1]->start_ms == pane->start_ms) {
        group->bytes -= pane_bytes(group->panes[at - 1]);
        pane_merge(group->panes[at - 1], pane);
        pane_free(pane);
        pane = group->panes[at - 1];
    } else {
        group->panes = mem_grow(group->panes, group->pane_count, &group->pane_cap, sizeof(struct pane *));
        memmove(&group->panes[at + 1], &group->panes[at], (group->pane_count - at) * sizeof(struct pane *));
        group->panes[at] = pane;
        group->pane_count++;
    }
    group->bytes += pane_bytes(pane);
    put_pane(group, state, pane);
}

void group_panes_expire(struct group *group, struct state *state, int64_t time_ms)
{
    size_t n = 0;
    for (; n < group->pane_count && group->panes[n]->start_ms < time_ms; n++) {
        struct buf key = {0};
        put_pane_key(&key, group, group->panes[n]->start_ms);
        del(state, &key);
        group->bytes -= pane_bytes(group->panes[n]);
        pane_free(group->panes[n]);
    }
    group->pane_count -= n;
    if (n > 0)
        memmove(group->panes, group->panes + n, group->pane_count * sizeof(struct pane *));
}
