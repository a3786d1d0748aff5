/* The record of a rule: when it came, how far its state reaches back, and when it was removed. */
#include "engine/known_rules.h"

#include <stdlib.h>

#include "detect/group_timer.h"

struct record {
    uint64_t hash;
    int64_t since_ms;
    int64_t reach_ms;
    int64_t removed_ms; /* INT64_MAX: it is in the set */
};

struct known_rules {
    struct known_rules_options options;
    int64_t *since_ms; /* by rule number */
    struct record *removed;
    size_t removed_count;
    size_t removed_cap;
};

static const enum state_kind rule_kinds[] = {STATE_GROUP_COUNT,    STATE_GROUP,        STATE_PART,
                                             STATE_RECOMMENDATION, STATE_CONTRIBUTION, STATE_TRACE};

struct known_rules *known_rules_new(const struct known_rules_options *options)
{
    struct known_rules *known = mem_zalloc(sizeof *known);
    known->options = *options;
    known->since_ms = mem_alloc((options->rules->all_count + 1) * sizeof *known->since_ms);
    for (size_t i = 0; i < options->rules->all_count; i++)
        known->since_ms[i] = INT64_MIN;
    return known;
}

void known_rules_free(struct known_rules *known)
{
    if (known == NULL)
        return;
    free(known->since_ms);
    free(known->removed);
    free(known);
}

static void record_key(const struct known_rules *known, struct buf *key)
{
    state_key(key, known->options.tasks.first, STATE_META);
    buf_puts(key, "rule.");
}

static void save(struct known_rules *known, const struct record *record)
{
    struct buf key = {0};
    struct buf value = {0};
    record_key(known, &key);
    buf_u64(&key, record->hash);
    buf_zigzag(&value, record->since_ms);
    buf_zigzag(&value, record->reach_ms);
    buf_zigzag(&value, record->removed_ms);
    state_put(known->options.state, buf_str(&key), buf_str(&value));
    buf_fini(&key);
    buf_fini(&value);
}

struct records {
    struct record *items;
    size_t count;
    size_t cap;
    size_t prefix;
};

static int read_record(void *context, struct str key, struct str value)
{
    struct records *records = context;
    struct reader k = reader_of(key.p + records->prefix, key.n - records->prefix);
    struct reader r = reader_of(value.p, value.n);
    struct record record = {.hash = read_u64(&k)};
    record.since_ms = read_zigzag(&r);
    record.reach_ms = read_zigzag(&r);
    record.removed_ms = read_zigzag(&r);
    if (k.failed || r.failed)
        return -1;
    records->items = mem_grow(records->items, records->count, &records->cap, sizeof *records->items);
    records->items[records->count++] = record;
    return 0;
}

static int read_records(struct known_rules *known, struct records *records, struct error *err)
{
    struct buf prefix = {0};
    record_key(known, &prefix);
    records->prefix = prefix.len;
    *err = (struct error){0};
    int result = state_scan(known->options.state, buf_str(&prefix), read_record, records, err);
    buf_fini(&prefix);
    if (result != 0 && err->class == ERROR_NONE)
        (void)error_set(err, ERROR_FATAL,
                        "the state is damaged: stop, delete the state directory and start: it is restored from the "
                        "changelog");
    return result == 0 ? 0 : -1;
}

static struct record *find(const struct records *records, uint64_t hash)
{
    for (size_t i = 0; i < records->count; i++)
        if (records->items[i].hash == hash)
            return &records->items[i];
    return NULL;
}

static int64_t goes_ms(const struct record *record)
{
    return record->removed_ms > INT64_MAX / 2 - record->reach_ms ? INT64_MAX / 2
                                                                 : record->removed_ms + record->reach_ms;
}

static void come(struct known_rules *known, size_t number, int64_t since_ms)
{
    const struct rule *rule = &known->options.rules->rules[number];
    known->since_ms[number] = since_ms;
    save(known, &(struct record){.hash = rule->hash,
                                 .since_ms = since_ms,
                                 .reach_ms = rule->reach_ms + rule->look_back_ms,
                                 .removed_ms = INT64_MAX});
}

void known_rules_switch(struct known_rules *known, int64_t switch_ms, const int64_t *applied_ms)
{
    const struct ruleset *rules = known->options.rules;
    for (size_t i = 0; i < rules->all_count; i++) {
        int64_t from_ms = applied_ms[rules->rules[i].stage];
        if (known->since_ms[i] == INT64_MAX)
            come(known, i, switch_ms > from_ms ? switch_ms : from_ms);
    }
}

/* Rules of the set that the state does not know, or knows as removed. */
static void enter(struct known_rules *known, const struct records *records, const int64_t *applied_ms)
{
    const struct ruleset *rules = known->options.rules;
    for (size_t i = 0; i < rules->all_count; i++) {
        int64_t since_ms = known->options.waits ? INT64_MAX : applied_ms[rules->rules[i].stage];
        const struct record *old = find(records, rules->rules[i].hash);
        if (old != NULL && old->removed_ms == INT64_MAX) {
            known->since_ms[i] = old->since_ms;
            continue;
        }
        come(known, i, since_ms);
    }
}

static bool in_set(const struct ruleset *rules, uint64_t hash)
{
    for (size_t i = 0; i < rules->all_count; i++)
        if (rules->rules[i].hash == hash)
            return true;
    return false;
}

/* What the state knows and the set has no longer. */
static void leave(struct known_rules *known, struct records *records, int64_t applied_ms)
{
    known->removed_count = 0;
    for (size_t i = 0; i < records->count; i++) {
        struct record *record = &records->items[i];
        if (in_set(known->options.rules, record->hash))
            continue;
        if (record->removed_ms == INT64_MAX) {
            record->removed_ms = applied_ms;
            save(known, record);
        }
        known->removed = mem_grow(known->removed, known->removed_count, &known->removed_cap, sizeof *known->removed);
        known->removed[known->removed_count++] = *record;
        known->options.arm(known->options.context, goes_ms(record));
    }
}

int known_rules_restore(struct known_rules *known, const int64_t *applied_ms, struct error *err)
{
    struct records records = {0};
    int result = read_records(known, &records, err);
    if (result == 0) {
        enter(known, &records, applied_ms);
        leave(known, &records, applied_ms[0]);
    }
    free(records.items);
    return result;
}

int64_t known_rules_since(const struct known_rules *known, int rule_number)
{
    return known->since_ms[rule_number];
}

struct doomed {
    struct buf keys;
    size_t count;
    struct buf timer; /* a key */
};

/* A group's timer goes with its record, and does not count: how many steps it takes follows from the state alone. */
static int collect(void *context, struct str key, struct str value)
{
    struct doomed *doomed = context;
    struct group_record record;
    struct reader r = reader_of(key.p, key.n);
    if (doomed->count == KNOWN_RULES_STEP)
        return 1;
    buf_text(&doomed->keys, key);
    doomed->count++;
    if (key.p[2] == STATE_GROUP && group_record_read((struct str_pair){key, value}, &record) &&
        group_timer_of(read_u16(&r), &record, &doomed->timer))
        buf_text(&doomed->keys, buf_str(&doomed->timer));
    return 0;
}

static void remove_doomed(struct known_rules *known, const struct doomed *doomed)
{
    struct reader r = reader_of(doomed->keys.p, doomed->keys.len);
    while (reader_left(&r) > 0)
        state_del(known->options.state, read_text(&r));
}

static void doomed_fini(struct doomed *doomed)
{
    buf_fini(&doomed->keys);
    buf_fini(&doomed->timer);
}

/* Removes entries of one rule, at most KNOWN_RULES_STEP. *left: there may be more. */
static int remove_some(struct known_rules *known, uint64_t hash, bool *left, struct error *err)
{
    struct doomed doomed = {0};
    struct buf prefix = {0};
    int result = 0;
    for (int task = known->options.tasks.first; task < known->options.tasks.end && result == 0; task++)
        for (size_t i = 0; i < sizeof rule_kinds / sizeof *rule_kinds && result == 0; i++) {
            state_key(&prefix, task, rule_kinds[i]);
            buf_u64(&prefix, hash);
            result = state_scan(known->options.state, buf_str(&prefix), collect, &doomed, err);
        }
    *left = result == 1;
    if (result >= 0)
        remove_doomed(known, &doomed);
    buf_fini(&prefix);
    doomed_fini(&doomed);
    return result < 0 ? -1 : 0;
}

/* Timers that a crash has left, of groups that are gone. Should there be more than a step, they stay: nobody reads
 * them.
 */
static int remove_timers(struct known_rules *known, uint64_t hash, struct error *err)
{
    struct doomed doomed = {0};
    struct buf prefix = {0};
    int result = 0;
    for (int task = known->options.tasks.first; task < known->options.tasks.end && result == 0; task++) {
        group_timer_prefix(&prefix, task, hash);
        result = state_scan(known->options.state, buf_str(&prefix), collect, &doomed, err);
    }
    if (result >= 0)
        remove_doomed(known, &doomed);
    buf_fini(&prefix);
    doomed_fini(&doomed);
    return result < 0 ? -1 : 0;
}

static void forget(struct known_rules *known, uint64_t hash)
{
    struct buf key = {0};
    record_key(known, &key);
    buf_u64(&key, hash);
    state_del(known->options.state, buf_str(&key));
    buf_fini(&key);
}

int known_rules_expire(struct known_rules *known, int64_t time_ms, struct error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < known->removed_count; i++) {
        struct record record = known->removed[i];
        bool left = true;
        if (goes_ms(&record) <= time_ms) {
            TRY(remove_some(known, record.hash, &left, err));
            if (left) {
                known->options.arm(known->options.context, time_ms + 1);
            } else {
                TRY(remove_timers(known, record.hash, err));
                forget(known, record.hash);
            }
        }
        if (left)
            known->removed[kept++] = record;
    }
    known->removed_count = kept;
    return 0;
}
