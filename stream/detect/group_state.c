/* A group's record, and a group read from the state. */
#include "detect/detector.h"
#include "detect/group_timer.h"
#include "detect/span.h"

#include <stdlib.h>

enum group_flag { GROUP_PREVIOUS = 1, GROUP_CAPPED = 2, GROUP_DETECTED = 4, GROUP_DORMANT = 8, GROUP_TIMED = 16 };

/* How far behind the timer its entry is; both may be anything. */
static uint64_t lag_of(int64_t timer_ms, int64_t armed_ms)
{
    return (uint64_t)timer_ms - (uint64_t)armed_ms;
}

static int64_t read_armed(struct reader *r, int64_t timer_ms)
{
    return (int64_t)((uint64_t)timer_ms - read_varint(r));
}

#define DELETE_STATE "stop, delete the state directory and start: it is restored from the changelog"

void group_record_key(struct buf *out, int task, uint64_t rule_hash, uint64_t hash)
{
    state_key(out, task, STATE_GROUP);
    buf_u64(out, rule_hash);
    buf_u64(out, hash);
}

bool group_record_read(struct str_pair entry, struct group_record *record)
{
    struct reader k = reader_of(entry.key.p, entry.key.n);
    struct reader r = reader_of(entry.value.p, entry.value.n);
    (void)read_u16(&k);
    (void)read_byte(&k);
    record->rule_hash = read_u64(&k);
    record->hash = read_u64(&k);
    record->key = read_text(&r);
    record->timer_ms = read_zigzag(&r);
    record->last_ms = read_zigzag(&r);
    (void)read_zigzag(&r);
    uint8_t flags = read_byte(&r);
    record->detected = (flags & GROUP_DETECTED) != 0;
    record->timed = (flags & GROUP_TIMED) != 0;
    if ((flags & GROUP_CAPPED) != 0)
        (void)read_zigzag(&r);
    record->armed_ms = record->timed ? read_armed(&r, record->timer_ms) : record->timer_ms;
    return !k.failed && !r.failed;
}

void group_save(struct group *group, struct state *state)
{
    struct buf key = {0};
    struct buf value = {0};
    bool timed = !group_is_walked(group->rule);
    if (timed)
        group_timer_move(group, state);
    group_record_key(&key, group->task, group->rule->hash, group->hash);
    buf_text(&value, group->key);
    buf_zigzag(&value, group->timer_ms);
    buf_zigzag(&value, group->last_ms);
    buf_zigzag(&value, group->evaluated_ms);
    buf_byte(&value, (uint8_t)((group->previous ? GROUP_PREVIOUS : 0) | (group->capped ? GROUP_CAPPED : 0) |
                               (group->detected ? GROUP_DETECTED : 0) | (group->dormant ? GROUP_DORMANT : 0) |
                               (timed ? GROUP_TIMED : 0)));
    if (group->capped)
        buf_zigzag(&value, group->dropped_ms);
    if (timed)
        buf_varint(&value, lag_of(group->timer_ms, group->armed_ms));
    state_put(state, buf_str(&key), buf_str(&value));
    buf_fini(&key);
    buf_fini(&value);
}

static bool decode_record(struct group *group, struct str value)
{
    struct reader r = reader_of(value.p, value.n);
    struct str key = read_text(&r);
    group->timer_ms = read_zigzag(&r);
    group->last_ms = read_zigzag(&r);
    group->evaluated_ms = read_zigzag(&r);
    uint8_t flags = read_byte(&r);
    group->previous = (flags & GROUP_PREVIOUS) != 0;
    group->capped = (flags & GROUP_CAPPED) != 0;
    group->detected = (flags & GROUP_DETECTED) != 0;
    group->dormant = (flags & GROUP_DORMANT) != 0;
    if (group->capped)
        group->dropped_ms = read_zigzag(&r);
    if (!group_is_walked(group->rule))
        group->armed_ms = (flags & GROUP_TIMED) != 0 ? read_armed(&r, group->timer_ms) : group->timer_ms;
    if (group->key.p == NULL && !r.failed)
        group->key = (struct str){mem_strdup(key), key.n};
    return !r.failed && str_eq(key, group->key);
}

static bool load_entry(struct group *group, struct reader k, struct str value)
{
    struct entry entry = {.time_ms = read_i64_sorted(&k)};
    entry.at.topic = (int32_t)read_u32(&k);
    entry.at.partition = (int32_t)read_u32(&k);
    entry.at.offset = read_i64_sorted(&k);
    struct reader r = reader_of(value.p, value.n);
    entry.inputs = read_u16(&r);
    struct arena arena = {0};
    struct event decoded;
    struct reader check = r;
    bool good = !k.failed && !r.failed && event_decode(&check, &arena, &decoded) && reader_left(&check) == 0;
    arena_fini(&arena);
    if (!good)
        return false;
    struct str event = {(const char *)r.p, reader_left(&r)};
    entry.event = (struct str){mem_strdup(event), event.n};
    group->entries = mem_grow(group->entries, group->entry_count, &group->entry_cap, sizeof *group->entries);
    group->entries[group->entry_count++] = entry;
    group->bytes += event.n;
    return true;
}

static bool load_pane(struct group *group, struct reader k, struct str value)
{
    int64_t start_ms = read_i64_sorted(&k);
    struct pane *pane = k.failed ? NULL : pane_decode(group->rule, start_ms, value);
    if (pane == NULL)
        return false;
    group->panes = mem_grow(group->panes, group->pane_count, &group->pane_cap, sizeof(struct pane *));
    group->panes[group->pane_count++] = pane;
    group->bytes += pane_bytes(pane);
    return true;
}

static bool load_note(struct group *group, struct reader k, struct str value)
{
    uint64_t id = read_u64(&k);
    if (!k.failed)
        group_note_load(group, id, value);
    return !k.failed;
}

/* `k` reads what follows the group in the key. */
static bool load_part(struct group *group, struct reader k, struct str value)
{
    switch ((enum group_part)read_byte(&k)) {
    case GROUP_ENTRY:
        return load_entry(group, k, value);
    case GROUP_PANE:
        return load_pane(group, k, value);
    case GROUP_NOTE:
        return load_note(group, k, value);
    }
    return false;
}

static int damaged(const struct group *group, struct error *err)
{
    return error_set(err, ERROR_FATAL, "the state of rule '%.*s', group %016llx, is damaged: " DELETE_STATE,
                     STR_ARG(group->rule->id), (unsigned long long)group->hash);
}

static int load_parts(struct group *group, struct state *state, struct buf *prefix, struct error *err)
{
    struct state_cursor *cursor = state_cursor(state, STATE_PART);
    struct str_pair entry;
    group_prefix(prefix, group);
    group->unread = false;
    int result = state_cursor_seek(cursor, buf_str(prefix), &entry, err);
    while (result == 0 && str_starts(entry.key, buf_str(prefix))) {
        struct reader k = reader_of(entry.key.p + prefix->len, entry.key.n - prefix->len);
        if (!load_part(group, k, entry.value))
            return damaged(group, err);
        result = state_cursor_next(cursor, &entry, err);
    }
    bool (*load)(struct group *) = detector_of(group->rule)->load;
    if (result >= 0 && load != NULL && !load(group))
        return damaged(group, err);
    return result < 0 ? -1 : 0;
}

int group_read(struct group *group, struct state *state, struct error *err)
{
    struct buf prefix = {0};
    int result = load_parts(group, state, &prefix, err);
    buf_fini(&prefix);
    return result;
}

int64_t group_timer_at(const struct rule *rule, int64_t timer_ms, int64_t past_ms)
{
    const struct window *window = &rule->window;
    if (!group_is_walked(rule) || timer_ms >= past_ms)
        return timer_ms;
    return span_end_after(window, past_ms - window->wait_ms - 1) + window->wait_ms;
}

/* Reads what the state has of the group; *found: it knows it. */
static int load(struct group *group, struct state *state, const struct group_options *options, bool *found,
                struct error *err)
{
    struct buf key = {0};
    struct str_pair entry;
    group_record_key(&key, group->task, group->rule->hash, group->hash);
    int result = state_cursor_seek(state_cursor(state, STATE_GROUP), buf_str(&key), &entry, err);
    *found = result == 0 && str_eq(entry.key, buf_str(&key));
    result = result < 0 ? -1 : 0;
    if (*found && !decode_record(group, entry.value))
        result = damaged(group, err);
    group->unread = *found;
    if (*found && result == 0 && !options->parts_later)
        result = load_parts(group, state, &key, err);
    int64_t timer_ms = group_timer_at(group->rule, group->timer_ms, options->past_ms);
    if (timer_ms != group->timer_ms) {
        group->timer_ms = timer_ms;
        group->evaluated_ms = span_end_before(&group->rule->window, timer_ms - group->rule->window.wait_ms);
    }
    buf_fini(&key);
    return result;
}

int group_load(struct group **out, struct state *state, const struct group_options *options, struct error *err)
{
    struct group *group = mem_zalloc(sizeof *group);
    *group = (struct group){
        .rule = options->rule,
        .rule_number = options->rule_number,
        .task = options->task,
        .hash = options->hash,
        .timer_ms = INT64_MAX,
        .last_ms = INT64_MIN,
        .evaluated_ms = INT64_MIN,
        .dropped_ms = INT64_MIN,
        .armed_ms = INT64_MAX,
    };
    bool found = false;
    if (options->key.p != NULL)
        group->key = (struct str){mem_strdup(options->key), options->key.n};
    int result = load(group, state, options, &found, err);
    bool known = found || options->key.p != NULL;
    *out = result == 0 && known ? group : NULL;
    if (*out == NULL)
        group_free(group);
    return result;
}
