/* Recommendations: decoded copies of the state's records, written through. */
#include "recommend/recommendation.h"

#include <stdlib.h>

#include "recommend/newest.h"
#include "recommend/trace.h"

enum { RECORD_FORMAT = 1 };
enum record_flag {
    RECORD_HELD = 1,
    RECORD_HAD_INCIDENT = 2,
    RECORD_APPROXIMATE = 4,
    RECORD_CAPPED = 8,
    RECORD_TIMES = 16,      /* since_ms and the detections' times follow the rest */
    RECORD_LIFE = 32,       /* it is made: its life follows, in two parts */
    RECORD_COMPARISON = 64, /* likewise */
    RECORD_EVICTED = 128
};

static void put_key(struct buf *out, const struct recommendation *recommendation, enum state_kind kind)
{
    state_key(out, recommendation->is.task, kind);
    buf_u64(out, recommendation->is.rule->hash);
    buf_u64(out, recommendation->is.hash);
}

static struct str copy(struct str bytes)
{
    return (struct str){mem_strdup(bytes), bytes.n};
}

static bool has_times(const struct recommendation *it)
{
    return it->time_count > 0 || it->since_ms != it->created_ms;
}

static bool has_life(const struct recommendation *it)
{
    return it->version > 0;
}

static bool has_comparison(const struct recommendation *it)
{
    return !comparison_is_empty(&it->comparison);
}

static void encode_times(struct buf *out, const struct recommendation *it)
{
    buf_zigzag(out, it->since_ms);
    buf_varint(out, it->time_count);
    for (size_t i = 0; i < it->time_count; i++)
        buf_zigzag(out, it->times[i] - (i > 0 ? it->times[i - 1] : it->since_ms));
}

static void encode(struct buf *out, const struct recommendation *it)
{
    buf_byte(out, RECORD_FORMAT);
    buf_byte(out, (uint8_t)((it->held ? RECORD_HELD : 0) | (it->had_incident ? RECORD_HAD_INCIDENT : 0) |
                            (it->approximate ? RECORD_APPROXIMATE : 0) | (it->capped ? RECORD_CAPPED : 0) |
                            (has_times(it) ? RECORD_TIMES : 0) | (has_life(it) ? RECORD_LIFE : 0) |
                            (has_comparison(it) ? RECORD_COMPARISON : 0) | (it->evicted ? RECORD_EVICTED : 0)));
    buf_zigzag(out, it->cooldown_until_ms);
    buf_zigzag(out, it->ageing_ms);
    buf_zigzag(out, it->published_level);
    buf_u64(out, it->published_hash);
    buf_varint(out, it->version);
    if (has_life(it))
        life_encode_head(out, &it->life);
    if (has_comparison(it))
        buf_zigzag(out, it->comparison.look_ms);
    buf_text(out, it->group);
    buf_zigzag(out, it->created_ms);
    buf_varint(out, it->detections);
    buf_varint(out, it->firings);
    buf_varint(out, it->occurrences);
    buf_zigzag(out, it->first_seen_ms);
    buf_zigzag(out, it->last_seen_ms);
    buf_varint(out, it->day_count);
    for (size_t i = 0; i < it->day_count; i++)
        buf_zigzag(out, it->days[i]);
    buf_varint(out, it->service_count);
    for (size_t i = 0; i < it->service_count; i++)
        buf_text(out, it->services[i]);
    for (int kind = 0; kind < TALLY_KINDS; kind++)
        tallies_encode(out, &it->settled[kind]);
    evidence_encode(out, &it->evidence);
    buf_text(out, buf_str(&it->newest));
    if (has_times(it))
        encode_times(out, it);
    if (has_life(it))
        life_encode(out, &it->life);
    if (has_comparison(it))
        comparison_encode(out, &it->comparison);
}

/* The flags, of which the caller needs those of what follows again. */
static uint8_t decode_head(struct reader *r, struct recommendation *it)
{
    if (read_byte(r) != RECORD_FORMAT)
        r->failed = true;
    uint8_t flags = read_byte(r);
    it->held = (flags & RECORD_HELD) != 0;
    it->had_incident = (flags & RECORD_HAD_INCIDENT) != 0;
    it->approximate = (flags & RECORD_APPROXIMATE) != 0;
    it->capped = (flags & RECORD_CAPPED) != 0;
    it->evicted = (flags & RECORD_EVICTED) != 0;
    it->cooldown_until_ms = read_zigzag(r);
    it->ageing_ms = read_zigzag(r);
    it->published_level = (int)read_zigzag(r);
    it->published_hash = read_u64(r);
    it->version = read_varint(r);
    if ((flags & RECORD_LIFE) != 0)
        life_decode_head(r, &it->life);
    if ((flags & RECORD_COMPARISON) != 0)
        it->comparison.look_ms = read_zigzag(r);
    return flags;
}

static void insert_service(struct recommendation *it, size_t at, struct str service)
{
    it->services = mem_grow(it->services, it->service_count, &it->service_cap, sizeof *it->services);
    memmove(&it->services[at + 1], &it->services[at], (it->service_count - at) * sizeof *it->services);
    it->services[at] = copy(service);
    it->service_count++;
}

/* A count that may be at most `max`; more is a failure and reads as 0. */
static size_t read_count(struct reader *r, size_t max)
{
    uint64_t count = read_varint(r);
    if (count > max)
        r->failed = true;
    return r->failed ? 0 : (size_t)count;
}

/* What is kept encoded can be decoded: from here on it is trusted. */
static bool contents_are_right(const struct recommendation *it)
{
    struct arena arena = {0};
    struct reader r = reader_of(it->group.p, it->group.n);
    struct value group;
    bool right = value_decode(&r, &arena, &group) && group.type == VALUE_MAP &&
                 newest_decode(buf_str(&it->newest), &arena) != NULL;
    arena_fini(&arena);
    return right;
}

static void decode_times(struct reader *r, struct recommendation *it)
{
    it->since_ms = read_zigzag(r);
    size_t count = read_count(r, NEEDS_DETECTIONS_MAX);
    int64_t time_ms = it->since_ms;
    for (size_t i = 0; i < count && !r->failed; i++) {
        if (__builtin_add_overflow(time_ms, read_zigzag(r), &time_ms))
            r->failed = true;
        it->times = mem_grow(it->times, it->time_count, &it->time_cap, sizeof *it->times);
        it->times[it->time_count++] = time_ms;
    }
}

static bool decode(struct recommendation *it, struct str record)
{
    struct reader r = reader_of(record.p, record.n);
    uint8_t flags = decode_head(&r, it);
    it->group = copy(read_text(&r));
    it->created_ms = it->since_ms = read_zigzag(&r);
    it->detections = read_varint(&r);
    it->firings = read_varint(&r);
    it->occurrences = read_varint(&r);
    it->first_seen_ms = read_zigzag(&r);
    it->last_seen_ms = read_zigzag(&r);
    it->day_count = read_count(&r, RECOMMENDATION_DAYS_MAX);
    for (size_t i = 0; i < it->day_count; i++)
        it->days[i] = read_zigzag(&r);
    for (size_t services = read_count(&r, RECOMMENDATION_SERVICES_MAX); it->service_count < services;)
        insert_service(it, it->service_count, read_text(&r));
    for (int kind = 0; kind < TALLY_KINDS; kind++)
        tallies_decode(&r, (enum tally_kind)kind, &it->settled[kind]);
    evidence_decode(&r, &it->evidence);
    buf_str_put(&it->newest, read_text(&r));
    if ((flags & RECORD_TIMES) != 0)
        decode_times(&r, it);
    if ((flags & RECORD_LIFE) != 0)
        life_decode(&r, &it->life);
    if ((flags & RECORD_COMPARISON) != 0)
        comparison_decode(&r, &it->comparison);
    it->saved_hash = hash_bytes(record.p, record.n, 0);
    it->exists = true;
    return !r.failed && reader_left(&r) == 0 && contents_are_right(it);
}

bool recommendation_timers_read(struct str key, struct str record, struct recommendation_timers *timers)
{
    struct reader k = reader_of(key.p, key.n);
    struct reader r = reader_of(record.p, record.n);
    (void)read_u16(&k);
    (void)read_byte(&k);
    timers->rule_hash = read_u64(&k);
    timers->hash = read_u64(&k);
    struct recommendation head;
    life_init(&head.life);
    comparison_init(&head.comparison);
    (void)decode_head(&r, &head);
    timers->held = head.held;
    timers->cooldown_until_ms = head.cooldown_until_ms;
    timers->ageing_ms = head.ageing_ms;
    timers->until_ms = head.life.until_ms;
    timers->look_ms = head.comparison.look_ms;
    timers->closed_ms = life_is_closed(head.life.status) ? head.life.since_ms : INT64_MAX;
    return !k.failed && !r.failed;
}

static int load_row(void *context, struct str key, struct str data)
{
    struct recommendation *it = context;
    enum { PREFIX = 2 + 1 + 8 + 8 }; /* task, kind, rule, group */
    struct remembered *row = key.n > PREFIX ? remembered_new((struct str){key.p + PREFIX, key.n - PREFIX}, data) : NULL;
    if (row == NULL)
        return -1;
    it->rows = mem_grow(it->rows, it->row_count, &it->row_cap, sizeof(struct remembered *));
    it->rows[it->row_count++] = row;
    return 0;
}

static int damaged(const struct rule *rule, struct error *err)
{
    return error_set(err, ERROR_FATAL,
                     "a recommendation of rule '%.*s' is damaged in the state: delete the state directory, it is "
                     "restored from the changelog",
                     STR_ARG(rule->id));
}

static int load(struct recommendation *it, struct state *state, struct buf *key, struct buf *record, struct error *err)
{
    bool found = false;
    put_key(key, it, STATE_RECOMMENDATION);
    TRY(state_get(state, buf_str(key), record, &found, err));
    if (!found)
        return 0;
    if (!decode(it, buf_str(record)))
        return damaged(it->is.rule, err);
    put_key(key, it, STATE_CONTRIBUTION);
    *err = (struct error){0};
    if (state_scan(state, buf_str(key), load_row, it, err) != 0)
        return err->class != ERROR_NONE ? -1 : damaged(it->is.rule, err);
    return 0;
}

int recommendation_load(struct recommendation **out, struct state *state,
                        const struct recommendation_identity *identity, struct error *err)
{
    struct recommendation *it = mem_zalloc(sizeof *it);
    it->is = *identity;
    life_init(&it->life);
    comparison_init(&it->comparison);
    it->cooldown_until_ms = it->last_seen_ms = INT64_MIN;
    it->ageing_ms = it->first_seen_ms = INT64_MAX;
    it->published_level = -1;
    struct buf key = {0};
    struct buf record = {0};
    int result = load(it, state, &key, &record, err);
    buf_fini(&key);
    buf_fini(&record);
    if (result != 0) {
        recommendation_free(it);
        return -1;
    }
    *out = it;
    return 0;
}

void recommendation_free(struct recommendation *it)
{
    for (size_t i = 0; i < it->row_count; i++)
        remembered_free(it->rows[i]);
    free(it->rows);
    for (size_t i = 0; i < it->service_count; i++)
        free((void *)(uintptr_t)it->services[i].p);
    free(it->services);
    for (int kind = 0; kind < TALLY_KINDS; kind++)
        tallies_fini(&it->settled[kind]);
    evidence_fini(&it->evidence);
    buf_fini(&it->newest);
    life_fini(&it->life);
    comparison_fini(&it->comparison);
    free(it->times);
    free((void *)(uintptr_t)it->group.p);
    free(it);
}

void recommendation_save(struct recommendation *it, struct state *state)
{
    struct buf key = {0};
    struct buf record = {0};
    encode(&record, it);
    uint64_t hash = hash_bytes(record.p, record.len, 0);
    if (!it->exists || hash != it->saved_hash) {
        put_key(&key, it, STATE_RECOMMENDATION);
        state_put(state, buf_str(&key), buf_str(&record));
        it->saved_hash = hash;
        it->exists = true;
    }
    buf_fini(&key);
    buf_fini(&record);
}

void recommendation_remove(struct recommendation *it, struct state *state)
{
    struct buf key = {0};
    recommendation_forget(it, state, INT64_MAX);
    put_key(&key, it, STATE_RECOMMENDATION);
    state_del(state, buf_str(&key));
    buf_fini(&key);
}

size_t recommendation_bytes(const struct recommendation *it)
{
    size_t bytes = sizeof *it + it->group.n + it->newest.cap + evidence_bytes(&it->evidence) +
                   it->time_cap * sizeof *it->times + life_bytes(&it->life) + comparison_bytes(&it->comparison);
    for (size_t i = 0; i < it->service_count; i++)
        bytes += it->services[i].n + 16;
    for (int kind = 0; kind < TALLY_KINDS; kind++)
        for (size_t i = 0; i < it->settled[kind].count; i++)
            bytes += sizeof(struct tally) + it->settled[kind].items[i].text.n + 16;
    for (size_t i = 0; i < it->row_count; i++)
        bytes += remembered_bytes(it->rows[i]);
    return bytes;
}

/* The first row whose key is not before `key`. */
static size_t row_place(const struct recommendation *it, struct str key)
{
    size_t low = 0;
    size_t high = it->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(it->rows[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct remembered *recommendation_row(const struct recommendation *it, const struct event *event)
{
    struct buf key = {0};
    remembered_key(&key, event);
    size_t at = row_place(it, buf_str(&key));
    struct remembered *row = at < it->row_count && str_eq(it->rows[at]->key, buf_str(&key)) ? it->rows[at] : NULL;
    buf_fini(&key);
    return row;
}

static void save_row(const struct recommendation *it, struct state *state, const struct remembered *row)
{
    struct buf key = {0};
    put_key(&key, it, STATE_CONTRIBUTION);
    buf_str_put(&key, row->key);
    state_put(state, buf_str(&key), row->data);
    buf_fini(&key);
}

static struct remembered *insert_row(struct recommendation *it, const struct event *event, struct str data)
{
    struct buf key = {0};
    remembered_key(&key, event);
    size_t at = row_place(it, buf_str(&key));
    it->rows = mem_grow(it->rows, it->row_count, &it->row_cap, sizeof(struct remembered *));
    memmove(&it->rows[at + 1], &it->rows[at], (it->row_count - at) * sizeof(struct remembered *));
    it->rows[at] = remembered_new(buf_str(&key), data);
    ASSERT(it->rows[at] != NULL);
    it->row_count++;
    buf_fini(&key);
    return it->rows[at];
}

/* Where `per` has an output, a row's change finds its way by traces. */
static bool is_traced(const struct recommendation *it)
{
    return it->is.rule->recommend->per_kind == PER_OUTPUTS;
}

static void untrace(const struct recommendation *it, struct state *state, struct str row, uint64_t group)
{
    if (is_traced(it) && group != REMEMBERED_NO_GROUP)
        trace_del(&(struct trace){&it->is, group, row}, state);
}

enum remember_result recommendation_remember(struct recommendation *it, struct state *state, const struct event *event,
                                             struct remembered_choice choice)
{
    struct remembered *row = recommendation_row(it, event);
    struct remembered_groups groups = remembered_choose(row, choice);
    struct buf data = {0};
    remembered_encode(&data, event, &groups, row);
    enum remember_result result = REMEMBER_SAME;
    if (row == NULL) {
        row = insert_row(it, event, buf_str(&data));
        result = REMEMBER_NEW;
    } else if (!str_eq(row->data, buf_str(&data))) {
        remembered_set(row, buf_str(&data));
        result = REMEMBER_CHANGED;
    }
    if (result != REMEMBER_SAME)
        save_row(it, state, row);
    if (is_traced(it) && groups.added && choice.group != REMEMBERED_NO_GROUP)
        trace_put(&(struct trace){&it->is, choice.group, row->key}, state);
    if (groups.dropped)
        untrace(it, state, row->key, groups.dropped_group);
    buf_fini(&data);
    return result;
}

static void forget_rows(struct recommendation *it, struct state *state, struct remembered **rows, size_t count)
{
    for (int kind = 0; kind < TALLY_KINDS; kind++)
        if (tallies_settle(&it->settled[kind], (enum tally_kind)kind, rows, count))
            it->capped = true;
    for (size_t i = 0; i < count; i++) {
        struct buf key = {0};
        put_key(&key, it, STATE_CONTRIBUTION);
        buf_str_put(&key, rows[i]->key);
        state_del(state, buf_str(&key));
        buf_fini(&key);
        struct remembered_groups groups;
        remembered_groups_read(rows[i], &groups);
        for (size_t k = 0; k < groups.count; k++)
            untrace(it, state, rows[i]->key, groups.items[k].hash);
        remembered_free(rows[i]);
    }
}

void recommendation_forget(struct recommendation *it, struct state *state, int64_t time_ms)
{
    struct remembered **old = NULL; /* in order of key, incidents side by side */
    size_t old_count = 0;
    size_t old_cap = 0;
    size_t kept = 0;
    for (size_t from = 0, end; from < it->row_count; from = end) {
        end = remembered_incident_end(it->rows, it->row_count, from);
        bool over = true;
        for (size_t i = from; i < end; i++)
            over = over && it->rows[i]->opened_ms <= time_ms;
        for (size_t i = from; i < end; i++) {
            if (!over) {
                it->rows[kept++] = it->rows[i];
                continue;
            }
            old = mem_grow(old, old_count, &old_cap, sizeof(struct remembered *));
            old[old_count++] = it->rows[i];
        }
    }
    it->row_count = kept;
    if (old_count > 0)
        forget_rows(it, state, old, old_count);
    free(old);
}

void recommendation_add_service(struct recommendation *it, struct str service)
{
    service = text_cut(service, REMEMBERED_TEXT_BYTES_MAX);
    size_t at = 0;
    while (at < it->service_count && str_cmp(it->services[at], service) < 0)
        at++;
    if (service.n == 0 || (at < it->service_count && str_eq(it->services[at], service)))
        return;
    if (it->service_count == RECOMMENDATION_SERVICES_MAX) {
        it->capped = true;
        return;
    }
    insert_service(it, at, service);
}

void recommendation_add_day(struct recommendation *it, int64_t time_ms)
{
    int64_t day = floor_div(time_ms, DAY_MS);
    if (it->day_count > 0 && it->days[it->day_count - 1] >= day)
        return;
    if (it->day_count == RECOMMENDATION_DAYS_MAX)
        memmove(&it->days[0], &it->days[1], --it->day_count * sizeof *it->days);
    it->days[it->day_count++] = day;
}

void recommendation_add_detection(struct recommendation *it, int64_t time_ms)
{
    size_t wanted = (size_t)it->is.rule->recommend->needs_detections;
    it->detections++;
    if (wanted > 0) {
        it->times = mem_grow(it->times, it->time_count, &it->time_cap, sizeof *it->times);
        it->times[it->time_count++] = time_ms;
    }
    if (it->time_count > wanted) {
        size_t old = it->time_count - wanted;
        it->time_count = wanted;
        memmove(it->times, it->times + old, wanted * sizeof *it->times);
    }
}

bool recommendation_needs_met(const struct recommendation *it, int64_t time_ms)
{
    const struct recommend *recommend = it->is.rule->recommend;
    int64_t met = 0;
    for (size_t i = 0; i < it->time_count; i++)
        met += it->times[i] > time_ms - recommend->needs_within_ms;
    return met >= recommend->needs_detections;
}
