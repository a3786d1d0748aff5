/* The place as an entry, and what was sent as records of the exchange, which name rules by their hashes too. */
#include "engine/instant.h"

#include <stdlib.h>

#include "engine/exchange_wire.h"

enum { RECORD_BYTES = 32 * 1024, STAGES_MAX = RULE_LEVELS_MAX + 2 };

struct instant {
    struct exchange exchange; /* first: the exchange's functions find the instant by it */
    struct instant_options options;
    struct wire_rules rules;
    int64_t time_ms;
    struct buf sent; /* records, one after the other */
    size_t *ends;    /* of them in `sent` */
    size_t count;
    size_t cap;
    size_t written;  /* of the records are in the state */
    size_t in_state; /* records that it holds, of an earlier instant too */
    bool has_place;  /* so does it a place */
    struct arena arena;
};

static struct instant *instant_of(struct exchange *exchange)
{
    return (struct instant *)exchange;
}

/* Where the next item goes. */
static struct buf *record(struct instant *instant)
{
    bool open =
        instant->count > instant->written &&
        instant->ends[instant->count - 1] - (instant->count > 1 ? instant->ends[instant->count - 2] : 0) < RECORD_BYTES;
    if (!open) {
        instant->ends = mem_grow(instant->ends, instant->count, &instant->cap, sizeof *instant->ends);
        instant->count++;
        buf_byte(&instant->sent, WIRE_VERSION);
    }
    return &instant->sent;
}

static void recorded(struct instant *instant)
{
    instant->ends[instant->count - 1] = instant->sent.len;
}

static void send_event(struct exchange *exchange, const struct event *event, const struct exchange_match *matches,
                       size_t n)
{
    struct instant *instant = instant_of(exchange);
    struct exchange *inbox = inbox_exchange(instant->options.inbox);
    ASSERT(event->time_ms == instant->time_ms);
    inbox->ops->event(inbox, event, matches, n);
    wire_put_event(record(instant), instant->options.rules, event, matches, n);
    recorded(instant);
}

static void send_change(struct exchange *exchange, const struct exchange_change *change)
{
    struct instant *instant = instant_of(exchange);
    struct exchange *inbox = inbox_exchange(instant->options.inbox);
    ASSERT(change->time_ms == instant->time_ms);
    inbox->ops->change(inbox, change);
    wire_put_change(record(instant), change);
    recorded(instant);
}

void instant_appeared(struct instant *instant, int rule, uint64_t hash)
{
    wire_put_appeared(record(instant), instant->options.rules->rules[rule].hash, hash);
    recorded(instant);
}

struct instant *instant_new(const struct instant_options *options)
{
    static const struct exchange_ops ops = {.event = send_event, .change = send_change};
    struct instant *instant = mem_zalloc(sizeof *instant);
    instant->exchange.ops = &ops;
    instant->options = *options;
    instant->time_ms = INT64_MIN;
    wire_rules_init(&instant->rules, options->rules);
    return instant;
}

void instant_free(struct instant *instant)
{
    if (instant == NULL)
        return;
    wire_rules_fini(&instant->rules);
    buf_fini(&instant->sent);
    arena_fini(&instant->arena);
    free(instant->ends);
    free(instant);
}

struct exchange *instant_exchange(struct instant *instant)
{
    return &instant->exchange;
}

void instant_reach(struct instant *instant, int64_t time_ms)
{
    if (time_ms == instant->time_ms)
        return;
    instant->time_ms = time_ms;
    instant->count = instant->written = 0;
    buf_reset(&instant->sent);
}

static void place_key(const struct instant *instant, struct buf *key)
{
    state_key(key, instant->options.task, STATE_META);
    buf_puts(key, "instant");
}

static void record_key(const struct instant *instant, size_t number, struct buf *key)
{
    place_key(instant, key);
    buf_puts(key, ".sent.");
    buf_u32(key, (uint32_t)number);
}

/* The rules up to the place's are named by their hashes: numbers may be others after a restart, their order is not. */
static void put_place(const struct instant *instant, const struct pending_item *place, struct buf *out)
{
    const struct inbox *inbox = instant->options.inbox;
    const struct ruleset *rules = instant->options.rules;
    size_t stages = inbox_stages(rules);
    buf_i64_sorted(out, place->time_ms);
    buf_byte(out, place->level);
    buf_byte(out, place->kind);
    buf_u64(out, place->group);
    buf_varint(out, instant->count);
    buf_varint(out, stages);
    for (size_t stage = 0; stage < stages; stage++)
        buf_byte(out, inbox_place(inbox, stage) != NULL);
    buf_varint(out, (uint64_t)place->rule + 1);
    for (int i = 0; i <= place->rule; i++)
        buf_u64(out, rules->rules[i].hash);
}

static const struct pending_item *any_place(const struct instant *instant)
{
    const struct pending_item *place = NULL;
    for (size_t stage = 0; stage < inbox_stages(instant->options.rules) && place == NULL; stage++)
        place = inbox_place(instant->options.inbox, stage);
    return place;
}

static void write_records(struct instant *instant, struct buf *key)
{
    struct state *state = instant->options.state;
    for (; instant->written < instant->count; instant->written++) {
        size_t from = instant->written == 0 ? 0 : instant->ends[instant->written - 1];
        record_key(instant, instant->written, key);
        state_put(state, buf_str(key), (struct str){instant->sent.p + from, instant->ends[instant->written] - from});
    }
}

void instant_commit(struct instant *instant)
{
    struct state *state = instant->options.state;
    const struct pending_item *place = any_place(instant);
    struct buf key = {0};
    struct buf value = {0};
    size_t kept = 0;
    place_key(instant, &key);
    if (place != NULL) {
        put_place(instant, place, &value);
        state_put(state, buf_str(&key), buf_str(&value));
        write_records(instant, &key);
        kept = instant->written;
    } else if (instant->has_place) {
        state_del(state, buf_str(&key));
    }
    for (size_t i = kept; i < instant->in_state; i++) {
        record_key(instant, i, &key);
        state_del(state, buf_str(&key));
    }
    instant->in_state = kept;
    instant->has_place = place != NULL;
    buf_fini(&key);
    buf_fini(&value);
}

static void no_source(void *context, const struct exchange_source *source)
{
    (void)context;
    (void)source;
}

static void no_stages(void *context, const struct exchange_stages *stages)
{
    (void)context;
    (void)stages;
}

static void waits(void *context, int stage, int64_t time_ms)
{
    (void)context;
    (void)stage;
    (void)time_ms;
}

static void unknown(void *context)
{
    (void)context;
}

static void appeared(void *context, int rule, uint64_t hash)
{
    struct instant *instant = context;
    inbox_timer(instant->options.inbox, instant->time_ms, PENDING_APPEARED, rule, hash);
    instant_appeared(instant, rule, hash);
}

/* What was kept is sent again, and so kept again. */
static int read_record(struct instant *instant, size_t number, struct error *err)
{
    const struct wire_sink sink = {.exchange = &instant->exchange,
                                   .source = no_source,
                                   .stages = no_stages,
                                   .waits = waits,
                                   .unknown = unknown,
                                   .appeared = appeared,
                                   .context = instant};
    struct buf key = {0};
    struct buf value = {0};
    bool found = false;
    record_key(instant, number, &key);
    int result = state_get(instant->options.state, buf_str(&key), &value, &found, err);
    if (result == 0 && found)
        result = wire_read(buf_str(&value), &instant->rules, &sink, &instant->arena, err);
    buf_fini(&key);
    buf_fini(&value);
    return result;
}

/* The greatest number that a rule up to the place's has now; *there: it is that of the place's own rule. */
static int rule_of(struct instant *instant, struct reader *r, bool *there)
{
    int rule = -1;
    *there = false;
    for (uint64_t n = read_varint(r); n > 0 && !r->failed; n--) {
        int number = wire_rules_number(&instant->rules, read_u64(r));
        rule = number > rule ? number : rule;
        *there = number >= 0;
    }
    return rule;
}

static bool read_place(struct instant *instant, struct str bytes, size_t *records)
{
    struct inbox *inbox = instant->options.inbox;
    struct reader r = reader_of(bytes.p, bytes.n);
    struct pending_item place = {.time_ms = read_i64_sorted(&r)};
    bool within[STAGES_MAX] = {0};
    place.level = read_byte(&r);
    place.kind = read_byte(&r);
    place.group = read_u64(&r);
    *records = (size_t)read_varint(&r);
    uint64_t stages = read_varint(&r);
    for (uint64_t stage = 0; stage < stages && !r.failed; stage++)
        within[stage < STAGES_MAX ? stage : STAGES_MAX - 1] = read_byte(&r) != 0;
    bool there;
    place.rule = rule_of(instant, &r, &there);
    if (r.failed)
        return false;
    if (!there)
        place.group = UINT64_MAX;
    for (size_t stage = 0; stage < inbox_stages(instant->options.rules); stage++)
        if (within[stage] && inbox_applied(inbox, stage) == place.time_ms)
            inbox_set_place(inbox, stage, &place);
    instant_reach(instant, place.time_ms);
    return true;
}

int instant_restore(struct instant *instant, struct error *err)
{
    struct buf key = {0};
    struct buf value = {0};
    bool found = false;
    size_t records = 0;
    instant->time_ms = INT64_MIN;
    instant->count = instant->written = instant->in_state = 0;
    buf_reset(&instant->sent);
    place_key(instant, &key);
    int result = state_get(instant->options.state, buf_str(&key), &value, &found, err);
    if (result == 0 && found && !read_place(instant, buf_str(&value), &records))
        result = error_set(err, ERROR_FATAL,
                           "the state is damaged: stop, delete the state directory and start: it is restored from the "
                           "changelog");
    for (size_t i = 0; i < records && result == 0; i++)
        result = read_record(instant, i, err);
    instant->has_place = found;
    instant->in_state = records;
    buf_fini(&key);
    buf_fini(&value);
    return result;
}
