/* Decode, check, match, fold or forward: see map.h. One worker's thread owns it. */
#include "engine/map.h"

#include <stdlib.h>

#include "codec/field.h"
#include "detect/detector.h"
#include "detect/span.h"
#include "engine/combiner.h"
#include "engine/dead_letter.h"
#include "engine/grouping.h"

enum {
    RAW_EVIDENCE_MAX = 4096,
    EVENTS_MAX = 16,
    FOLDS_MAX = 64,
    READ_AHEAD = 8,
    CACHE_LINE = 64,
    PREFETCHED_BYTES = 256
};

/* An event that goes into a pane, once its turn comes. */
struct waiting_fold {
    const struct event *event;
    const struct source_record *record; /* NULL: it was not decoded from one */
    const struct index_entry *entry;
    uint64_t group;
    size_t key_at; /* in map->keys */
    size_t key_n;
    int64_t start_ms;
    uint64_t place;
};

struct event_map {
    struct map_options options;
    struct decoder **decoders;                /* by source (topic number) */
    struct rule_index *indexes[STREAM_COUNT]; /* inputs that see single events of the stream */
    bool rows_read[STREAM_COUNT];             /* some rule reads the stream's rows */
    struct span *panes;                       /* by rule: the last event's, which is the next one's, mostly */
    struct combiner *combiner;
    struct arena arena; /* of the events that wait to be folded */
    struct groupings groupings;
    struct buf keys; /* of the groups that they are of */
    struct event events[EVENTS_MAX];
    size_t event_count;
    struct waiting_fold folds[FOLDS_MAX];
    size_t fold_count;
    uint64_t event_number;
    struct exchange_match *matches; /* of the event in hand; grows to the most that one event had */
    size_t match_count;
    size_t match_cap;
    struct map_counters counters;
    /* The event in hand, for the index's visits. */
    const struct event *event;
    const struct source_record *record; /* NULL: it was not decoded from one */
    size_t partition;
    int64_t applied_ms;
    bool selected;
};

static bool sees_events(const struct rule *rule, const struct rule_input *input)
{
    (void)rule;
    return input->detects && (!input->stream->rows || input->updates);
}

static bool sees_rows(const struct rule *rule, const struct rule_input *input)
{
    (void)rule;
    return input->detects && input->stream->rows && !input->updates;
}

static bool reads_rows(const struct ruleset *rules, enum stream_id stream)
{
    struct rule_index *index = rule_index_new(rules, stream, sees_rows);
    bool any = !rule_index_empty(index);
    rule_index_free(index);
    return any;
}

/* Some rule shows events of the stream, and not figures alone. */
static bool are_shown(const struct ruleset *rules, const struct stream *stream)
{
    for (size_t i = 0; i < rules->all_count; i++)
        for (size_t k = 0; k < rules->rules[i].input_count; k++)
            if (rules->rules[i].shows_events && rules->rules[i].inputs[k].stream == stream)
                return true;
    return false;
}

static field_mask wanted_fields(const struct event_map *map, const struct config_source *source)
{
    if (source->stream->rows || source->stream->id == STREAM_FEEDBACK || map->indexes[source->stream->id] == NULL)
        return FIELD_BIT(source->stream->record_field_count) - 1;
    field_mask shown = are_shown(map->options.rules, source->stream) ? pane_evidence_fields(source->stream) : 0;
    return rule_index_reads(map->indexes[source->stream->id]) | shown;
}

static int new_decoder(struct event_map *map, size_t i, struct error *err)
{
    const struct config_source *source = &map->options.config->sources[i];
    struct decoder_options options = {.stream = source->stream,
                                      .format = source->format,
                                      .framing = source->framing,
                                      .schema = source->schema,
                                      .wanted = wanted_fields(map, source)};
    if (decoder_new(&map->decoders[i], &options, err) != 0)
        return error_prefix(err, "topic '%.*s'", STR_ARG(source->topic));
    return 0;
}

int event_map_new(struct event_map **out, const struct map_options *options, struct error *err)
{
    struct event_map *map = mem_zalloc(sizeof *map);
    map->options = *options;
    map->combiner = combiner_new();
    groupings_init(&map->groupings, options->rules);
    map->panes = mem_zalloc((options->rules->all_count + 1) * sizeof *map->panes);
    for (int i = 0; i < STREAM_COUNT; i++)
        map->indexes[i] = rule_index_new(options->rules, (enum stream_id)i, sees_events);
    for (int i = 0; i < STREAM_COUNT; i++)
        map->rows_read[i] = stream_get((enum stream_id)i)->rows && reads_rows(options->rules, (enum stream_id)i);
    map->decoders = mem_zalloc(options->config->source_count * sizeof(struct decoder *));
    for (size_t i = 0; i < options->config->source_count; i++)
        if (new_decoder(map, i, err) != 0) {
            event_map_free(map);
            return -1;
        }
    *out = map;
    return 0;
}

void event_map_free(struct event_map *map)
{
    if (map == NULL)
        return;
    for (size_t i = 0; i < map->options.config->source_count; i++)
        decoder_free(map->decoders[i]);
    free(map->decoders);
    for (int i = 0; i < STREAM_COUNT; i++)
        rule_index_free(map->indexes[i]);
    combiner_free(map->combiner);
    groupings_fini(&map->groupings);
    free(map->panes);
    free(map->matches);
    arena_fini(&map->arena);
    buf_fini(&map->keys);
    free(map);
}

static struct watermark_partition *time_of(struct event_map *map, size_t partition)
{
    return &map->options.watermark->partitions[partition];
}

static const struct config_source *source_of(const struct event_map *map, size_t partition)
{
    return &map->options.config->sources[map->options.partitions[partition].topic];
}

static void dead_letter(struct event_map *map, size_t partition, const struct source_record *record, const char *reason,
                        bool truncated)
{
    const struct source_partition *from = &map->options.partitions[partition];
    dead_letter_add(map->options.outbox, &(struct dead_letter){.topic = from->topic_name,
                                                               .partition = from->partition,
                                                               .offset = record->offset,
                                                               .key = {record->key, record->key_n},
                                                               .value = {record->value, record->value_n},
                                                               .reason = str_of(reason),
                                                               .truncated = truncated});
}

/* The event's group: its key in map->keys, and its hash. */
static const struct grouping *group_of(struct event_map *map, const struct index_entry *entry,
                                       const struct rule_input *input)
{
    const struct rule *rule = entry->rule;
    struct grouping *grouping = grouping_of(&map->groupings, entry->rule_number, entry->input);
    struct value values[RULE_GROUP_KEYS_MAX];
    if (grouping->event == map->event_number)
        return grouping;
    struct cel_frame frame = {.event = map->event, .arena = &map->arena};
    for (size_t i = 0; i < rule->group_count; i++) {
        const struct group_key *key = &input->group[i];
        values[i] = key->field >= 0 ? map->event->values[key->field] : cel_eval(key->expr, &frame);
        if (values[i].type == VALUE_ERROR)
            values[i] = value_null();
    }
    grouping->event = map->event_number;
    grouping->key_at = map->keys.len;
    grouping->hash = group_identify(&map->keys, rule, values);
    grouping->key_n = map->keys.len - grouping->key_at;
    return grouping;
}

static void fold_one(struct event_map *map, const struct waiting_fold *fold)
{
    const struct rule *rule = fold->entry->rule;
    struct str key = {map->keys.p + fold->key_at, fold->key_n};
    struct partial *partial =
        combiner_partial(map->combiner, rule, fold->entry->rule_number, fold->group, key, fold->start_ms);
    bool newest = pane_add(partial->pane, rule, fold->entry->input, fold->event, &map->arena);
    if (partial->pane->grows || partial->pane->events == 1)
        combiner_weigh(map->combiner, partial);
    if (!newest || !rule->shows_events)
        return;
    buf_reset(&partial->newest);
    if (fold->record == NULL || fold->record->value_n > RAW_EVIDENCE_MAX) {
        pane_newest(partial->pane, fold->event);
        return;
    }
    buf_put(&partial->newest, fold->record->value, fold->record->value_n);
    partial->newest_source = map->partition;
}

/* What waits is folded. A partial is seldom in the cache, and three reads away: the table, the partial, its pane. So
 * each is asked for, for all that waits, before the next is looked at. */
static void fold_waiting(struct event_map *map)
{
    for (size_t i = 0; i < map->fold_count; i++)
        combiner_prefetch_partial(map->combiner, map->folds[i].place);
    for (size_t i = 0; i < map->fold_count; i++)
        combiner_prefetch_pane(map->combiner, map->folds[i].place);
    for (size_t i = 0; i < map->fold_count; i++)
        fold_one(map, &map->folds[i]);
    map->fold_count = 0;
}

/* Events that were taken are done with: nothing borrows from them any more. */
static void settle(struct event_map *map)
{
    fold_waiting(map);
    map->event_count = 0;
    buf_reset(&map->keys);
    arena_reset(&map->arena);
}

static void wait_to_fold(struct event_map *map, const struct index_entry *entry, const struct rule_input *input)
{
    const struct rule *rule = entry->rule;
    struct span *pane = &map->panes[entry->rule_number];
    if (map->event->time_ms < pane->start_ms || map->event->time_ms >= pane->end_ms)
        *pane = span_pane(&rule->window, map->event->time_ms);
    if (pane->end_ms < map->applied_ms)
        return;
    const struct grouping *group = group_of(map, entry, input);
    uint64_t place = combiner_place(group->hash, entry->rule_number, pane->start_ms);
    combiner_prefetch_slot(map->combiner, place);
    if (map->fold_count == FOLDS_MAX)
        fold_waiting(map);
    map->folds[map->fold_count++] = (struct waiting_fold){.event = map->event,
                                                          .record = map->record,
                                                          .entry = entry,
                                                          .group = group->hash,
                                                          .key_at = group->key_at,
                                                          .key_n = group->key_n,
                                                          .start_ms = pane->start_ms,
                                                          .place = place};
}

static void selected(void *context, const struct index_entry *entry)
{
    struct event_map *map = context;
    const struct rule_input *input = &entry->rule->inputs[entry->input];
    map->selected = true;
    if (detector_folds(entry->rule, input)) {
        wait_to_fold(map, entry, input);
        return;
    }
    if (map->event->time_ms < map->applied_ms)
        return;
    map->matches = mem_grow(map->matches, map->match_count, &map->match_cap, sizeof *map->matches);
    map->matches[map->match_count++] = (struct exchange_match){entry->rule_number, entry->input};
}

static void match(struct event_map *map, size_t partition, struct event *event, const struct source_record *record,
                  int64_t applied_ms)
{
    struct exchange *exchange = map->options.exchange;
    map->event = event;
    map->event_number++;
    map->record = record;
    map->partition = partition;
    map->applied_ms = applied_ms;
    map->match_count = 0;
    map->selected = false;
    if (map->rows_read[event->stream->id] && event->time_ms >= applied_ms)
        exchange->ops->update(exchange, event);
    if (!rule_index_empty(map->indexes[event->stream->id]))
        rule_index_select(map->indexes[event->stream->id], event, &map->arena, selected, map,
                          &map->counters.where_errors, &map->counters.where_null_errors);
    if (map->match_count > 0)
        exchange->ops->event(exchange, event, map->matches, map->match_count);
    map->counters.matched += map->selected;
}

/* Only the recommendation's task knows what may follow. */
static void forward_feedback(struct event_map *map, const struct event *event, const struct source_record *record,
                             int64_t applied_ms)
{
    struct exchange *exchange = map->options.exchange;
    struct exchange_record raw = {0};
    if (record != NULL)
        raw = (struct exchange_record){{record->key, record->key_n}, {record->value, record->value_n}};
    if (event->time_ms >= applied_ms)
        exchange->ops->feedback(exchange, event, raw);
}

static void take(struct event_map *map, size_t partition, struct event *event, const struct source_record *record,
                 int64_t applied_ms)
{
    if (event->stream->id == STREAM_FEEDBACK)
        forward_feedback(map, event, record, applied_ms);
    else
        match(map, partition, event, record, applied_ms);
}

void event_map_event(struct event_map *map, size_t partition, struct event *event, int64_t applied_ms)
{
    struct watermark_partition *time = time_of(map, partition);
    event->at = (struct position){map->options.partitions[partition].topic,
                                  map->options.partitions[partition].partition, time->next_offset};
    watermark_event(time, time->next_offset, event->time_ms);
    time->next_offset++;
    map->counters.events++;
    take(map, partition, event, NULL, applied_ms);
    settle(map);
}

/* Feedback happens when it is said: at its record's time, or, where records have none of their own, when it says.
 * False: the record's time is none that an event can have, and not to be used. */
static bool set_feedback_time(struct event_map *map, size_t partition, const struct source_record *record, bool again,
                              struct event *event)
{
    if (event->stream->id != STREAM_FEEDBACK || source_of(map, partition)->untimed || record->timestamp_ms < 0)
        return true;
    event->time_ms = record->timestamp_ms;
    if (field_time_fits(record->timestamp_ms))
        return true;
    map->counters.future += !again;
    if (!again)
        dead_letter(
            map, partition, record,
            "the record's timestamp, which is the feedback's time, is after the year 9999; it counts milliseconds",
            false);
    return false;
}

/* Written so that no sum overflows, whatever the record's timestamp is. */
static bool is_from_the_future(const struct config_source *source, const struct source_record *record,
                               const struct event *event)
{
    return record->timestamp_ms >= 0 && event->time_ms > record->timestamp_ms &&
           event->time_ms - record->timestamp_ms > source->max_future_skew_ms;
}

/* Checks of an event that decoded: from the future, or behind its partition's watermark. False: not to be used.
 * Feedback is not late: it happens at the watermark then. */
static bool in_time(struct event_map *map, size_t partition, const struct source_record *record, struct event *event,
                    bool again)
{
    const struct config_source *source = source_of(map, partition);
    struct watermark_partition *time = time_of(map, partition);
    if (is_from_the_future(source, record, event)) {
        map->counters.future += !again;
        if (!again)
            dead_letter(map, partition, record,
                        "occurred_at is later than the record's timestamp by more than max_future_skew", false);
        return false;
    }
    if (event->stream->id == STREAM_FEEDBACK && event->time_ms < watermark_of(time))
        event->time_ms = watermark_of(time);
    if (event->time_ms < watermark_of(time)) {
        map->counters.late += !again;
        if (!again && source->late == LATE_DEAD_LETTER)
            dead_letter(map, partition, record, "late: occurred_at is behind the partition's watermark", false);
        return false;
    }
    return true;
}

/* Reads the record into `event`; false: it went to dead letter, or has no value. */
static bool decode(struct event_map *map, size_t partition, const struct source_record *record, bool again,
                   struct event *event)
{
    struct error reason; /* set where decoding fails: to clear it costs a good record too much */
    if (record->value == NULL) {
        map->counters.tombstones += !again;
        return false;
    }
    if ((int64_t)(record->key_n + record->value_n) > map->options.config->record_bytes_max) {
        map->counters.too_large += !again;
        if (!again)
            dead_letter(map, partition, record, "the record is over limits.record_bytes", true);
        return false;
    }
    int topic = map->options.partitions[partition].topic;
    if (decoder_decode(map->decoders[topic], record->value, record->value_n, &map->arena, event, &reason) == 0)
        return true;
    map->counters.undecodable += !again;
    if (!again)
        dead_letter(map, partition, record, reason.message, false);
    return false;
}

static void take_record(struct event_map *map, size_t partition, const struct source_record *record, int64_t applied_ms)
{
    struct watermark_partition *time = time_of(map, partition);
    bool again = record->offset < time->read_offset; /* read before a restart: its dead letter is out already */
    struct event *event = &map->events[map->event_count];
    watermark_reach(time, record->offset);
    map->counters.records++;
    bool decoded =
        decode(map, partition, record, again, event) && set_feedback_time(map, partition, record, again, event);
    if (decoded && in_time(map, partition, record, event, again)) {
        event->at = (struct position){map->options.partitions[partition].topic,
                                      map->options.partitions[partition].partition, record->offset};
        watermark_event(time, record->offset, event->time_ms);
        map->counters.events++;
        map->event_count++;
        take(map, partition, event, record, applied_ms);
    }
    time->next_offset = record->offset + 1;
    if (map->event_count == EVENTS_MAX)
        settle(map);
}

/* A record's bytes were written by another core: they are asked for some records before they are read. */
static void prefetch_record(const struct source_record *record)
{
    for (size_t at = 0; at < PREFETCHED_BYTES && at < record->value_n; at += CACHE_LINE)
        __builtin_prefetch((const char *)record->value + at);
}

void event_map_records(struct event_map *map, size_t partition, const struct source_record *records, size_t n,
                       int64_t applied_ms)
{
    for (size_t i = 0; i < n; i++) {
        if (i + READ_AHEAD < n)
            prefetch_record(&records[i + READ_AHEAD]);
        take_record(map, partition, &records[i], applied_ms);
    }
    settle(map);
}

/* Decodes the newest event, which was kept raw, and hands the partial over. */
static void send_partial(void *context, struct partial *partial)
{
    struct event_map *map = context;
    if (partial->newest.len > 0) {
        struct event event;
        struct error reason;
        int topic = map->options.partitions[partial->newest_source].topic;
        int result =
            decoder_decode(map->decoders[topic], partial->newest.p, partial->newest.len, &map->arena, &event, &reason);
        ASSERT(result == 0); /* it decoded once */
        event.at = partial->pane->newest_at;
        pane_newest(partial->pane, &event);
        arena_reset(&map->arena);
    }
    struct exchange *exchange = map->options.exchange;
    exchange->ops->partial(
        exchange, &(struct exchange_partial){
                      .rule = partial->rule, .group = partial->group, .key = partial->key, .pane = partial->pane});
}

void event_map_flush(struct event_map *map, int64_t before_ms)
{
    if (combiner_first_end(map->combiner) < before_ms)
        combiner_flush(map->combiner, send_partial, map);
}

size_t event_map_bytes(const struct event_map *map)
{
    return combiner_bytes(map->combiner);
}

void event_map_clear(struct event_map *map)
{
    combiner_clear(map->combiner);
}

void event_map_continue(struct event_map *map, const struct map_counters *counters)
{
    map->counters = *counters;
}

const struct map_counters *event_map_counters(const struct event_map *map)
{
    return &map->counters;
}
