/* See old_timers.h. */
#include "engine/old_timers.h"

#include <stdlib.h>

#include "detect/group_timer.h"

enum { BATCH = 4096 };

static const char damage[] =
    "the state is damaged: stop, delete the state directory and start: it is restored from the changelog";

static void put_prefix(struct buf *key, int task)
{
    state_key(key, task, STATE_META);
    buf_puts(key, "timers.old.");
}

void old_timers_key(struct buf *key, int task, uint64_t rule_hash)
{
    put_prefix(key, task);
    buf_u64(key, rule_hash);
}

/* One rule and task under way. */
struct making {
    struct state *state;
    int task;
    uint64_t rule_hash;
    struct buf from; /* the record to go on from */
    struct arena arena;
    struct str_pair entries[BATCH];
    size_t count;
};

static int take_record(struct making *making, struct str_pair entry, struct buf *key, struct error *err)
{
    struct group_record record;
    if (!group_record_read(entry, &record))
        return error_set(err, ERROR_FATAL, damage);
    if (!record.timed && group_timer_of(making->task, &record, key))
        making->entries[making->count++] = (struct str_pair){arena_str(&making->arena, buf_str(key)), {"", 0}};
    group_record_key(&making->from, making->task, making->rule_hash, record.hash + 1);
    return 0;
}

/* A batch of entries; *left: there may be more. */
static int make_some(struct making *making, struct buf *key, bool *left, struct error *err)
{
    struct state_cursor *cursor = state_cursor(making->state, STATE_GROUP);
    struct str_pair entry;
    struct str prefix = {making->from.p, making->from.len - sizeof(uint64_t)};
    int result = state_cursor_seek(cursor, buf_str(&making->from), &entry, err);
    making->count = 0;
    while (result == 0 && making->count < BATCH && str_starts(entry.key, prefix)) {
        TRY(take_record(making, entry, key, err));
        result = state_cursor_next(cursor, &entry, err);
    }
    *left = result == 0 && making->count == BATCH;
    struct store *store = state_store(making->state);
    if (result >= 0 && making->count > 0)
        result = store->ops->write(store, making->entries, making->count, err);
    state_refresh(making->state);
    arena_reset(&making->arena);
    return result < 0 ? -1 : 0;
}

static int make(struct state *state, int task, uint64_t rule_hash, struct error *err)
{
    struct making *making = mem_zalloc(sizeof *making);
    struct buf key = {0};
    bool left = true;
    int result = 0;
    *making = (struct making){.state = state, .task = task, .rule_hash = rule_hash};
    group_record_key(&making->from, task, rule_hash, 0);
    while (left && result == 0)
        result = make_some(making, &key, &left, err);
    old_timers_key(&key, task, rule_hash);
    const struct str_pair done = {buf_str(&key), {NULL, 0}};
    if (result == 0)
        result = state_store(state)->ops->write(state_store(state), &done, 1, err);
    buf_fini(&key);
    buf_fini(&making->from);
    arena_fini(&making->arena);
    free(making);
    return result;
}

struct notes {
    size_t prefix; /* bytes of a key before the rule */
    uint64_t *rules;
    size_t count;
    size_t cap;
};

static int take_note(void *context, struct str key, struct str value)
{
    struct notes *notes = context;
    struct reader r = reader_of(key.p + notes->prefix, key.n - notes->prefix);
    (void)value;
    notes->rules = mem_grow(notes->rules, notes->count, &notes->cap, sizeof *notes->rules);
    notes->rules[notes->count++] = read_u64(&r);
    return 0;
}

static bool has_timers(const struct ruleset *rules, uint64_t hash)
{
    for (size_t i = 0; i < rules->all_count; i++)
        if (rules->rules[i].hash == hash)
            return !group_is_walked(&rules->rules[i]);
    return false;
}

int old_timers_make(struct state *state, const struct ruleset *rules, struct task_range tasks, struct error *err)
{
    struct notes notes = {0};
    struct buf prefix = {0};
    int result = 0;
    for (int task = tasks.first; task < tasks.end && result == 0; task++) {
        notes.count = 0;
        put_prefix(&prefix, task);
        notes.prefix = prefix.len;
        result = state_scan(state, buf_str(&prefix), take_note, &notes, err);
        for (size_t i = 0; i < notes.count && result == 0; i++)
            if (has_timers(rules, notes.rules[i]))
                result = make(state, task, notes.rules[i], err);
    }
    buf_fini(&prefix);
    free(notes.rules);
    return result;
}
