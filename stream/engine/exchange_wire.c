/* Items as bytes. */
#include "engine/exchange_wire.h"

#include "detect/span.h"
#include "engine/item_bytes.h"
#include "engine/pending.h"
#include "recommend/feedback.h"

enum wire_kind {
    WIRE_PARTIAL = 'p',
    WIRE_UPDATE = 'u',
    WIRE_EVENT = 'e',
    WIRE_FEEDBACK = 'f',
    WIRE_CHANGE = 'c',
    WIRE_SOURCE = 's',
    WIRE_STAGES = 't',
    WIRE_APPEARED = 'a'
};

static void put_event(struct buf *out, const struct event *event)
{
    event_encode(out, event, FIELD_BIT(event->stream->field_count) - 1);
}

static void put_place(struct buf *out, const struct position *at)
{
    buf_u32(out, (uint32_t)at->topic);
    buf_u32(out, (uint32_t)at->partition);
    buf_zigzag(out, at->offset);
}

static struct position read_place(struct reader *r)
{
    struct position at = {.topic = (int32_t)read_u32(r)};
    at.partition = (int32_t)read_u32(r);
    at.offset = read_zigzag(r);
    return at;
}

void wire_put_partial(struct buf *out, const struct ruleset *rules, const struct exchange_partial *partial,
                      struct buf *scratch)
{
    buf_byte(out, WIRE_PARTIAL);
    buf_u64(out, rules->rules[partial->rule].hash);
    buf_u64(out, partial->group);
    buf_zigzag(out, partial->pane->start_ms);
    buf_text(out, partial->key);
    buf_reset(scratch);
    pane_encode(scratch, partial->pane);
    buf_text(out, buf_str(scratch));
}

void wire_put_update(struct buf *out, const struct config_source *sources, const struct event *event)
{
    buf_byte(out, WIRE_UPDATE);
    buf_text(out, sources[event->at.topic].topic);
    put_event(out, event);
}

void wire_put_event(struct buf *out, const struct ruleset *rules, const struct event *event,
                    const struct exchange_match *matches, size_t n)
{
    buf_byte(out, WIRE_EVENT);
    buf_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        buf_u64(out, rules->rules[matches[i].rule].hash);
        buf_varint(out, (uint64_t)matches[i].input);
    }
    put_event(out, event);
}

void wire_put_feedback(struct buf *out, const struct config_source *sources, const struct event *event,
                       struct exchange_record record)
{
    buf_byte(out, WIRE_FEEDBACK);
    buf_text(out, sources[event->at.topic].topic);
    item_feedback_encode(out, event, record);
}

void wire_put_change(struct buf *out, const struct exchange_change *change)
{
    buf_byte(out, WIRE_CHANGE);
    buf_byte(out, change->level);
    buf_byte(out, change->stage);
    buf_zigzag(out, change->time_ms);
    put_place(out, &change->at);
    item_change_encode(out, &(struct item_change){change->before, change->after});
}

void wire_put_source(struct buf *out, const struct exchange_source *source)
{
    buf_byte(out, WIRE_SOURCE);
    buf_text(out, source->topic);
    buf_varint(out, (uint64_t)source->partition);
    buf_i64_sorted(out, source->watermark_ms);
    buf_i64_sorted(out, source->first_ms);
    buf_i64_sorted(out, source->switch_ms);
    buf_u64(out, source->rules_digest);
    buf_byte(out, source->idle);
}

void wire_put_stages(struct buf *out, const struct exchange_stages *stages)
{
    buf_byte(out, WIRE_STAGES);
    buf_varint(out, (uint64_t)stages->task);
    buf_varint(out, stages->count);
    for (size_t i = 0; i < stages->count; i++)
        buf_i64_sorted(out, stages->applied_ms[i]);
}

void wire_put_appeared(struct buf *out, uint64_t rule_hash, uint64_t hash)
{
    buf_byte(out, WIRE_APPEARED);
    buf_u64(out, rule_hash);
    buf_u64(out, hash);
}

void wire_rules_init(struct wire_rules *rules, const struct ruleset *set)
{
    *rules = (struct wire_rules){.rules = set};
    for (size_t i = 0; i < set->all_count; i++)
        *map_slot(&rules->numbers, (struct str){(const char *)&set->rules[i].hash, sizeof(uint64_t)}) =
            (void *)(uintptr_t)(i + 1); /* NOLINT(performance-no-int-to-ptr): the map's value is the number itself */
}

void wire_rules_fini(struct wire_rules *rules)
{
    map_fini(&rules->numbers);
}

int wire_rules_number(const struct wire_rules *rules, uint64_t hash)
{
    return (int)(uintptr_t)map_get(&rules->numbers, (struct str){(const char *)&hash, sizeof hash}) - 1;
}

/* One record being read. */
struct reading {
    struct reader r;
    const struct wire_rules *rules;
    const struct wire_sink *sink;
    struct arena *arena;
};

static void waits(const struct reading *in, int stage, int64_t time_ms)
{
    in->sink->waits(in->sink->context, stage, time_ms);
}

/* What this set does not know now it may know later, so its record is held until everything of its time is applied. */
static void unknown(const struct reading *in, int64_t time_ms)
{
    waits(in, LEVEL_RULE, time_ms);
    in->sink->unknown(in->sink->context);
}

static bool read_partial(struct reading *in)
{
    int number = wire_rules_number(in->rules, read_u64(&in->r));
    struct exchange_partial partial = {.rule = number, .group = read_u64(&in->r)};
    int64_t start_ms = read_zigzag(&in->r);
    partial.key = read_text(&in->r);
    struct str bytes = read_text(&in->r);
    if (in->r.failed)
        return false;
    if (number < 0) {
        unknown(in, start_ms + PANE_MS_MAX);
        return true;
    }
    const struct rule *rule = &in->rules->rules->rules[number];
    partial.pane = pane_decode(rule, start_ms, bytes);
    if (partial.pane == NULL)
        return false;
    waits(in, rule->stage, span_pane(&rule->window, start_ms).end_ms);
    in->sink->exchange->ops->partial(in->sink->exchange, &partial);
    return true;
}

/* The source's number here. -1: it is none, or one of another stream, and what came of it has no place. */
static int source_number(const struct reading *in, struct str topic, const struct stream *stream)
{
    for (size_t i = 0; i < in->sink->source_count; i++)
        if (str_eq(in->sink->sources[i].topic, topic))
            return in->sink->sources[i].stream == stream ? (int)i : -1;
    return -1;
}

static bool read_update(struct reading *in)
{
    struct event event;
    struct str topic = read_text(&in->r);
    if (!event_decode(&in->r, in->arena, &event) || !event.stream->rows)
        return false;
    event.at.topic = source_number(in, topic, event.stream);
    if (event.at.topic < 0) {
        unknown(in, event.time_ms);
        return true;
    }
    waits(in, LEVEL_SOURCE, event.time_ms);
    in->sink->exchange->ops->update(in->sink->exchange, &event);
    return true;
}

static bool read_matched(struct reading *in)
{
    uint64_t n = read_varint(&in->r);
    if (n > reader_left(&in->r))
        return false;
    struct exchange_match *matches = arena_alloc(in->arena, ((size_t)n + 1) * sizeof *matches);
    size_t known = 0;
    for (uint64_t i = 0; i < n; i++) {
        matches[known].rule = wire_rules_number(in->rules, read_u64(&in->r));
        matches[known].input = (int32_t)read_varint(&in->r);
        if (in->r.failed)
            return false;
        if (matches[known].rule < 0)
            continue;
        if (matches[known].input < 0 ||
            (size_t)matches[known].input >= in->rules->rules->rules[matches[known].rule].input_count)
            return false;
        known++;
    }
    struct event event;
    if (!event_decode(&in->r, in->arena, &event))
        return false;
    if (known < n)
        unknown(in, event.time_ms);
    for (size_t i = 0; i < known; i++)
        waits(in, in->rules->rules->rules[matches[i].rule].stage, event.time_ms);
    if (known > 0)
        in->sink->exchange->ops->event(in->sink->exchange, &event, matches, known);
    return true;
}

static bool read_feedback(struct reading *in)
{
    struct exchange_record record;
    struct event event;
    struct str topic = read_text(&in->r);
    if (!item_feedback_read(&in->r, in->arena, &event, &record) || event.stream->id != STREAM_FEEDBACK ||
        event.values[FEEDBACK_RECOMMENDATION_ID].type != VALUE_STRING ||
        event.values[FEEDBACK_ACTION].type != VALUE_STRING)
        return false;
    event.at.topic = source_number(in, topic, event.stream);
    if (event.at.topic < 0) {
        unknown(in, event.time_ms);
        return true;
    }
    struct feedback_target target;
    bool known = feedback_about(in->rules->rules, &event, &target);
    waits(in, known ? target.rule->stage : LEVEL_RULE, event.time_ms);
    in->sink->exchange->ops->feedback(in->sink->exchange, &event, record);
    return true;
}

static bool read_change(struct reading *in)
{
    struct item_change rows;
    struct exchange_change change = {.level = read_byte(&in->r)};
    change.stage = read_byte(&in->r);
    change.time_ms = read_zigzag(&in->r);
    change.at = read_place(&in->r);
    if (!item_change_read(&in->r, in->arena, &rows) || change.level < LEVEL_RULE || change.stage < LEVEL_RULE)
        return false;
    if (change.level > in->rules->rules->level_max ||
        change.stage > in->rules->rules->level_max) { /* the sender's rules had more levels */
        unknown(in, change.time_ms);
        return true;
    }
    change.before = rows.before;
    change.after = rows.after;
    waits(in, change.stage, change.time_ms);
    in->sink->exchange->ops->change(in->sink->exchange, &change);
    return true;
}

static bool read_source(struct reading *in)
{
    struct exchange_source source = {.topic = read_text(&in->r)};
    source.partition = (int32_t)read_varint(&in->r);
    source.watermark_ms = read_i64_sorted(&in->r);
    source.first_ms = read_i64_sorted(&in->r);
    source.switch_ms = read_i64_sorted(&in->r);
    source.rules_digest = read_u64(&in->r);
    source.idle = read_byte(&in->r) != 0;
    if (in->r.failed)
        return false;
    in->sink->source(in->sink->context, &source);
    return true;
}

static bool read_stages(struct reading *in)
{
    struct exchange_stages stages = {.task = (int)read_varint(&in->r)};
    stages.count = (size_t)read_varint(&in->r);
    if (stages.count > reader_left(&in->r) / sizeof(int64_t))
        return false;
    int64_t *applied_ms = arena_alloc(in->arena, (stages.count + 1) * sizeof *applied_ms);
    for (size_t i = 0; i < stages.count; i++)
        applied_ms[i] = read_i64_sorted(&in->r);
    if (in->r.failed)
        return false;
    stages.applied_ms = applied_ms;
    in->sink->stages(in->sink->context, &stages);
    return true;
}

static bool read_appeared(struct reading *in)
{
    int number = wire_rules_number(in->rules, read_u64(&in->r));
    uint64_t hash = read_u64(&in->r);
    if (in->r.failed || in->sink->appeared == NULL)
        return false;
    if (number >= 0)
        in->sink->appeared(in->sink->context, number, hash);
    return true;
}

static bool read_item(struct reading *in)
{
    switch ((enum wire_kind)read_byte(&in->r)) {
    case WIRE_PARTIAL:
        return read_partial(in);
    case WIRE_UPDATE:
        return read_update(in);
    case WIRE_EVENT:
        return read_matched(in);
    case WIRE_FEEDBACK:
        return read_feedback(in);
    case WIRE_CHANGE:
        return read_change(in);
    case WIRE_SOURCE:
        return read_source(in);
    case WIRE_STAGES:
        return read_stages(in);
    case WIRE_APPEARED:
        return read_appeared(in);
    }
    return false;
}

int wire_read(struct str record, const struct wire_rules *rules, const struct wire_sink *sink, struct arena *arena,
              struct error *err)
{
    struct reading in = {reader_of(record.p, record.n), rules, sink, arena};
    bool good = read_byte(&in.r) == WIRE_VERSION;
    while (good && reader_left(&in.r) > 0) {
        good = read_item(&in);
        arena_reset(arena);
    }
    if (good)
        return 0;
    return error_set(err, ERROR_FATAL,
                     "a record of the exchange is damaged, or of another version of this program: stop every instance, "
                     "and start anew with another application_id and state.dir");
}
