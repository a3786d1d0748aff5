/* Turning the engine: see engine.h. */
#include "engine/engine.h"

#include <stdlib.h>

#include "base/clock.h"
#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"
#include "engine/dead_letter.h"
#include "engine/idle.h"

enum {
    BATCH_MAX = 1024,                   /* records of one poll */
    DIRTY_BYTES_MAX = 32 * 1024 * 1024, /* state changes that make a commit due at once */
    ASK_EMPTY_EVERY_US = 100 * 1000,
    OUTBOX_MAX = 50000, /* records, likewise */
};

struct engine {
    struct engine_options options;
    struct outbox outbox;
    struct watermark watermark;
    struct event_map *map;
    struct reduce *reduce;
    struct idle *idle;         /* NULL: bounded */
    struct avro_encoder *avro; /* of recommendations; NULL: they are JSON */
    struct avro_encoder *scorecard_avro;
    struct buf scratch;
    struct arena arena; /* of a restore or commit */
    struct source_record records[BATCH_MAX];
    size_t *order; /* partitions, slowest first */
    int64_t commit_due_us;
    int64_t asked_us; /* when the logs of empty partitions were last asked for their ends */
    struct engine_counters counters;
};

/* A record as its topic takes it: by Avro's encoder, or as JSON. */
static void send(struct engine *engine, enum output output, struct avro_encoder *avro, struct str id,
                 struct value record)
{
    struct error err;
    buf_reset(&engine->scratch);
    if (avro == NULL)
        value_json(&engine->scratch, record);
    else if (avro_encode(avro, record, &engine->scratch, &err) != 0)
        assert_failed(err.message, __FILE__, __LINE__); /* our record by our schema */
    outbox_add(&engine->outbox,
               &(struct commit_record){.output = output, .key = id, .value = buf_str(&engine->scratch)});
}

static void publish(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct engine *engine = context;
    if (engine->options.observe != NULL)
        engine->options.observe(engine->options.observe_context, id, record, detection, time_ms);
    if (time_ms < engine->options.publish_from_ms)
        return;
    send(engine, OUTPUT_RECOMMENDATIONS, engine->avro, id, record);
    engine->counters.published++;
}

static void score(void *context, const struct scorecard_record *scorecard, int64_t time_ms)
{
    struct engine *engine = context;
    if (engine->options.observe_scorecard != NULL)
        engine->options.observe_scorecard(engine->options.observe_context, scorecard, time_ms);
    if (time_ms >= engine->options.publish_from_ms)
        send(engine, OUTPUT_SCORECARDS, engine->scorecard_avro, scorecard->id, scorecard->map);
}

/* A tombstone on the compacted topic. */
static void expire(void *context, struct str id, int64_t time_ms)
{
    struct engine *engine = context;
    if (engine->options.observe_expiry != NULL)
        engine->options.observe_expiry(engine->options.observe_context, id, time_ms);
    if (time_ms >= engine->options.publish_from_ms)
        outbox_add(&engine->outbox, &(struct commit_record){.output = OUTPUT_RECOMMENDATIONS, .key = id});
}

static struct str name_feedback(void *context, const struct event *feedback)
{
    const struct engine *engine = context;
    return engine->options.name_feedback(engine->options.observe_context, feedback);
}

static void refuse(void *context, const struct event *feedback, struct exchange_record record, const char *reason)
{
    struct engine *engine = context;
    if (feedback->time_ms < engine->options.publish_from_ms)
        return;
    dead_letter_add(&engine->outbox,
                    &(struct dead_letter){.topic = engine->options.config->sources[feedback->at.topic].topic,
                                          .partition = feedback->at.partition,
                                          .offset = feedback->at.offset,
                                          .key = record.key,
                                          .value = record.value,
                                          .reason = str_of(reason)});
}

/* The two halves of the data path, for one rule set. */
static int open_halves(struct engine *engine, struct event_map **map, struct reduce **reduce, struct error *err)
{
    const struct engine_options *options = &engine->options;
    *reduce = reduce_new(&(struct reduce_options){.rules = options->rules,
                                                  .config = options->config,
                                                  .state = options->state,
                                                  .tasks = task_range_all(options->config->tasks),
                                                  .memory_bytes = options->config->state_memory_bytes,
                                                  .counted_from_ms = options->publish_from_ms,
                                                  .publish = publish,
                                                  .expire = expire,
                                                  .score = score,
                                                  .name = options->name_feedback != NULL ? name_feedback : NULL,
                                                  .refuse = refuse,
                                                  .context = engine});
    return event_map_new(map,
                         &(struct map_options){.rules = options->rules,
                                               .config = options->config,
                                               .exchange = reduce_exchange(*reduce),
                                               .outbox = &engine->outbox,
                                               .watermark = &engine->watermark,
                                               .partitions = options->source->partitions,
                                               .partition_count = options->source->partition_count},
                         err);
}

int engine_new(struct engine **out, const struct engine_options *options, struct error *err)
{
    struct engine *engine = mem_zalloc(sizeof *engine);
    size_t n = options->source->partition_count;
    engine->options = *options;
    engine->order = mem_alloc((n + 1) * sizeof *engine->order);
    watermark_init(&engine->watermark, n);
    int result = open_halves(engine, &engine->map, &engine->reduce, err);
    if (result == 0 && options->config->recommendations.format == FORMAT_AVRO)
        result = avro_encoder_new(&engine->avro, str_of(schema_embedded_find("recommendation")), err);
    if (result == 0 && options->config->scorecards.format == FORMAT_AVRO)
        result = avro_encoder_new(&engine->scorecard_avro, str_of(schema_embedded_find("scorecard")), err);
    if (options->live)
        engine->idle = idle_new(options->config, options->source, &engine->watermark);
    if (result != 0) {
        engine_free(engine);
        return -1;
    }
    *out = engine;
    return 0;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    event_map_free(engine->map);
    reduce_free(engine->reduce);
    idle_free(engine->idle);
    avro_encoder_free(engine->avro);
    avro_encoder_free(engine->scorecard_avro);
    watermark_fini(&engine->watermark);
    outbox_fini(&engine->outbox);
    arena_fini(&engine->arena);
    buf_fini(&engine->scratch);
    free(engine->order);
    free(engine);
}

/* Sets each partition to what was committed. */
static void take_positions(struct engine *engine, const struct commit_restored *restored)
{
    for (size_t i = 0; i < engine->watermark.count; i++) {
        struct watermark_partition *partition = &engine->watermark.partitions[i];
        struct commit_position position = {0, 0, TIME_NONE, TIME_NONE};
        if (restored->positions != NULL)
            position = restored->positions[i];
        const struct config_source *source =
            &engine->options.config->sources[engine->options.source->partitions[i].topic];
        partition->out_of_orderness_ms = source->out_of_orderness_ms;
        partition->max_time_ms = position.max_time_ms;
        partition->first_ms = position.first_ms;
        partition->mark_ms = TIME_NONE;
        partition->next_offset = position.offset;
        partition->read_offset = position.read_offset;
        partition->finished = false;
        partition->bucket_count = 0;
        partition->mark_count = 0;
    }
    bool own = restored->marks == NULL;
    size_t mark_count = own ? engine->options.mark_count : restored->mark_count;
    for (size_t i = 0; i < mark_count; i++) {
        const struct commit_mark *mark = own ? &engine->options.marks[i] : &restored->marks[i];
        struct watermark_partition *partition = &engine->watermark.partitions[mark->partition];
        partition->marks = mem_realloc(partition->marks, (partition->mark_count + 1) * sizeof *partition->marks);
        size_t at = partition->mark_count++;
        for (; at > 0 && partition->marks[at - 1].offset > mark->offset; at--)
            partition->marks[at] = partition->marks[at - 1];
        partition->marks[at] = *mark;
    }
}

/* A partition whose log holds nothing from its position on, and that had no event yet, does not hold time back. */
static int note_empty(struct engine *engine, struct error *err)
{
    struct source *source = engine->options.source;
    for (size_t i = 0; i < engine->watermark.count; i++) {
        struct watermark_partition *partition = &engine->watermark.partitions[i];
        int64_t end = 0;
        partition->empty = false;
        if (!engine->options.live || partition->max_time_ms != TIME_NONE)
            continue;
        TRY(source->ops->end_offset(source, i, &end, err));
        partition->empty = end <= partition->next_offset;
    }
    return 0;
}

/* One reduce drives all tasks, so that all its levels have one time. */
static void all_levels(int64_t *times_ms, int64_t time_ms)
{
    for (size_t i = 0; i < REDUCE_LEVELS_MAX; i++)
        times_ms[i] = time_ms;
}

int engine_restore(struct engine *engine, struct error *err)
{
    struct commit_restored restored = {0};
    state_drop(engine->options.state);
    outbox_clear(&engine->outbox);
    event_map_clear(engine->map);
    arena_reset(&engine->arena);
    TRY(engine->options.commit->ops->restore(engine->options.commit, engine->options.state, &engine->arena, &restored,
                                             err));
    take_positions(engine, &restored);
    TRY(note_empty(engine, err));
    if (engine->idle != NULL)
        idle_restart(engine->idle);
    engine->commit_due_us = clock_mono_us() + engine->options.config->commit_interval_ms * 1000;
    int64_t times_ms[REDUCE_LEVELS_MAX];
    all_levels(times_ms, restored.first_start ? TIME_NONE : restored.applied_ms);
    return reduce_restore(engine->reduce, times_ms, err);
}

int engine_reload(struct engine *engine, const struct ruleset *rules, bool *switched, struct error *err)
{
    const struct ruleset *old = engine->options.rules;
    struct event_map *map = NULL;
    struct reduce *reduce = NULL;
    *switched = false;
    TRY(engine_commit(engine, err));
    engine->options.rules = rules;
    if (open_halves(engine, &map, &reduce, err) != 0) {
        engine->options.rules = old;
        reduce_free(reduce);
        return -1;
    }
    event_map_continue(map, event_map_counters(engine->map));
    reduce_continue(reduce, reduce_counters(engine->reduce));
    event_map_free(engine->map);
    reduce_free(engine->reduce);
    engine->map = map;
    engine->reduce = reduce;
    *switched = true;
    return engine_restore(engine, err);
}

/* Partitions in order of their time, those without one first. */
static void order_partitions(struct engine *engine)
{
    for (size_t i = 0; i < engine->watermark.count; i++) {
        int64_t time_ms = watermark_of(&engine->watermark.partitions[i]);
        size_t at = i;
        for (; at > 0 && watermark_of(&engine->watermark.partitions[engine->order[at - 1]]) > time_ms; at--)
            engine->order[at] = engine->order[at - 1];
        engine->order[at] = i;
    }
}

/* Reads what has come of one partition. */
static int read_partition(struct engine *engine, size_t partition, size_t *count, struct error *err)
{
    struct source *source = engine->options.source;
    int64_t applied_ms = engine_applied(engine);
    *count = 0;
    if (engine->watermark.partitions[partition].finished)
        return 0;
    TRY(source->ops->poll(source, partition, engine->records, BATCH_MAX, count, err));
    if (*count > 0 && engine->watermark.partitions[partition].empty)
        idle_first(engine->idle, partition, applied_ms, &engine->outbox);
    for (size_t i = 0; i < *count; i++)
        event_map_record(engine->map, partition, &engine->records[i], applied_ms);
    source->ops->release(source);
    if (*count > 0 && engine->idle != NULL)
        idle_saw(engine->idle, partition);
    if (*count == 0 && source->ops->finished(source, partition))
        engine->watermark.partitions[partition].finished = true;
    return 0;
}

/* The slowest partitions first; those ahead only while what waits for the slowest is within its budget. One that is at
 * its end, or never held a record, is waited for by nobody. */
static int read_all(struct engine *engine, bool *worked, struct error *err)
{
    size_t budget = (size_t)engine->options.config->state_memory_bytes / 2;
    bool slowest_read = false;
    order_partitions(engine);
    for (size_t i = 0; i < engine->watermark.count; i++) {
        const struct watermark_partition *partition = &engine->watermark.partitions[engine->order[i]];
        size_t count = 0;
        if (slowest_read && reduce_pending_bytes(engine->reduce) + event_map_bytes(engine->map) > budget)
            break;
        slowest_read = slowest_read || (!partition->finished && !partition->empty);
        TRY(read_partition(engine, engine->order[i], &count, err));
        *worked = *worked || count > 0;
    }
    return 0;
}

/* Tells the reduce since when each stream has a history; what rules make can be as old as the oldest source's events.
 */
static void tell_firsts(struct engine *engine)
{
    int64_t first_ms[STREAM_COUNT];
    for (int i = 0; i < STREAM_COUNT; i++)
        first_ms[i] = INT64_MAX;
    for (size_t i = 0; i < engine->watermark.count; i++) {
        const struct watermark_partition *partition = &engine->watermark.partitions[i];
        int topic = engine->options.source->partitions[i].topic;
        enum stream_id stream = engine->options.config->sources[topic].stream->id;
        if (partition->first_ms == TIME_NONE || stream == STREAM_FEEDBACK)
            continue;
        if (partition->first_ms < first_ms[stream])
            first_ms[stream] = partition->first_ms;
        if (partition->first_ms < first_ms[STREAM_DETECTION])
            first_ms[STREAM_DETECTION] = first_ms[STREAM_SCORECARD] = partition->first_ms;
    }
    for (int i = 0; i < STREAM_COUNT; i++)
        reduce_first(engine->reduce, (enum stream_id)i, first_ms[i]);
}

static int advance(struct engine *engine, int64_t before_ms, struct error *err)
{
    if (before_ms > engine->options.until_ms)
        before_ms = engine->options.until_ms + 1;
    if (before_ms == TIME_NONE || before_ms <= engine_applied(engine))
        return 0;
    event_map_flush(engine->map, before_ms);
    tell_firsts(engine);
    int64_t times_ms[REDUCE_LEVELS_MAX];
    all_levels(times_ms, before_ms);
    return reduce_advance(engine->reduce, times_ms, err);
}

static bool any_empty(const struct engine *engine)
{
    for (size_t i = 0; i < engine->watermark.count; i++)
        if (engine->watermark.partitions[i].empty)
            return true;
    return false;
}

/* Before time moves past partitions that are not waited for their logs are asked afresh, a few times a second: one that
 * holds a record by now is waited for from here on, so that what was in its log before cannot come late. *may: time may
 * move now. */
static int ask_empty(struct engine *engine, bool *may, struct error *err)
{
    struct source *source = engine->options.source;
    int64_t now_us = clock_mono_us();
    *may = !engine->options.live || !any_empty(engine);
    if (*may || now_us - engine->asked_us < ASK_EMPTY_EVERY_US)
        return 0;
    for (size_t i = 0; i < engine->watermark.count; i++) {
        struct watermark_partition *partition = &engine->watermark.partitions[i];
        int64_t end = 0;
        if (!partition->empty)
            continue;
        TRY(source->ops->end_offset(source, i, &end, err));
        if (source->ops->read_to(source, i) >= end)
            continue;
        idle_first(engine->idle, i, engine_applied(engine), &engine->outbox);
        partition->empty = false;
    }
    engine->asked_us = clock_mono_us();
    *may = true;
    return 0;
}

static bool commit_is_due(const struct engine *engine)
{
    return clock_mono_us() >= engine->commit_due_us || engine->outbox.count > OUTBOX_MAX ||
           state_dirty_bytes(engine->options.state) + reduce_unwritten(engine->reduce) > DIRTY_BYTES_MAX;
}

int engine_step(struct engine *engine, bool *worked, struct error *err)
{
    *worked = false;
    TRY(read_all(engine, worked, err));
    if (engine->idle != NULL)
        TRY(idle_look(engine->idle, &engine->outbox, &engine->counters.marks, err));
    bool may = watermark_least(&engine->watermark) > engine_applied(engine);
    if (may)
        TRY(ask_empty(engine, &may, err));
    int64_t time_ms = watermark_least(&engine->watermark);
    if (may && time_ms != TIME_END)
        TRY(advance(engine, time_ms, err));
    return commit_is_due(engine) ? engine_commit(engine, err) : 0;
}

int engine_wait(struct engine *engine, struct error *err)
{
    struct source *source = engine->options.source;
    int64_t from_us = clock_mono_us();
    int64_t left_ms = (engine->commit_due_us - from_us) / 1000;
    int result = source->ops->wait(source, left_ms < 1 ? 1 : left_ms > 100 ? 100 : (int)left_ms, err);
    engine->counters.waited_us += (uint64_t)(clock_mono_us() - from_us);
    return result;
}

int engine_commit(struct engine *engine, struct error *err)
{
    int64_t from_us = clock_mono_us();
    size_t n = engine->watermark.count;
    reduce_before_commit(engine->reduce);
    arena_reset(&engine->arena);
    struct commit_position *positions = arena_alloc(&engine->arena, (n + 1) * sizeof *positions);
    for (size_t i = 0; i < n; i++)
        positions[i] = watermark_position(&engine->watermark.partitions[i], engine_applied(engine));
    struct commit_batch batch = {.records = engine->outbox.records,
                                 .record_count = engine->outbox.count,
                                 .positions = positions,
                                 .position_count = n,
                                 .applied_ms = engine_applied(engine),
                                 .rules_digest = engine->options.rules->digest};
    TRY(engine->options.commit->ops->commit(engine->options.commit, &batch, engine->options.state, err));
    outbox_clear(&engine->outbox);
    engine->counters.commits++;
    log_debug("committed", LOG_I("records", event_map_counters(engine->map)->records),
              LOG_I("published", engine->counters.published), LOG_I("waited_ms", engine->counters.waited_us / 1000),
              LOG_I("took_ms", (clock_mono_us() - from_us) / 1000));
    engine->commit_due_us = clock_mono_us() + engine->options.config->commit_interval_ms * 1000;
    return 0;
}

bool engine_finished(const struct engine *engine)
{
    for (size_t i = 0; i < engine->watermark.count; i++)
        if (!engine->watermark.partitions[i].finished)
            return false;
    return true;
}

bool engine_passed(const struct engine *engine)
{
    int64_t time_ms = watermark_least(&engine->watermark);
    return time_ms != TIME_NONE && time_ms != TIME_END && time_ms > engine->options.until_ms;
}

int engine_end(struct engine *engine, bool drain, struct error *err)
{
    int64_t end_ms = engine->options.until_ms;
    if (end_ms == INT64_MAX)
        end_ms = watermark_greatest(&engine->watermark);
    if (end_ms != TIME_NONE)
        TRY(advance(engine, end_ms + 1, err));
    if (drain) {
        event_map_flush(engine->map, INT64_MAX);
        TRY(reduce_drain(engine->reduce, err));
    }
    return engine_commit(engine, err);
}

void engine_event(struct engine *engine, size_t partition, struct event *event)
{
    event_map_event(engine->map, partition, event, engine_applied(engine));
}

int engine_advance(struct engine *engine, int64_t until_ms, struct error *err)
{
    return advance(engine, until_ms + 1, err);
}

int64_t engine_applied(const struct engine *engine)
{
    return reduce_applied(engine->reduce, LEVEL_SOURCE);
}

const struct watermark *engine_watermark(const struct engine *engine)
{
    return &engine->watermark;
}

const struct engine_counters *engine_counters(const struct engine *engine)
{
    return &engine->counters;
}

const struct map_counters *engine_map_counters(const struct engine *engine)
{
    return event_map_counters(engine->map);
}

const struct reduce_counters *engine_reduce_counters(const struct engine *engine)
{
    return reduce_counters(engine->reduce);
}

void engine_log_counters(const struct engine *engine, const char *message)
{
    const struct map_counters *map = event_map_counters(engine->map);
    const struct reduce_counters *reduce = reduce_counters(engine->reduce);
    const struct recommender_counters *recommend = reduce_recommend_counters(engine->reduce);
    struct buf applied = {0};
    if (engine_applied(engine) == TIME_NONE)
        buf_puts(&applied, "none");
    else
        time_print_ms(&applied, engine_applied(engine));
    log_info(message, LOG_I("records", map->records), LOG_I("events", map->events), LOG_I("matched", map->matched),
             LOG_I("undecodable", map->undecodable), LOG_I("too_large", map->too_large), LOG_I("future", map->future),
             LOG_I("late", map->late), LOG_I("tombstones", map->tombstones), LOG_I("rows", reduce->rows_changed),
             LOG_I("unchanged", reduce->updates_unchanged), LOG_I("forgotten", reduce->updates_forgotten),
             LOG_I("evaluations", reduce->evaluations), LOG_I("firings", reduce->firings),
             LOG_I("detections", reduce->detections), LOG_I("published", engine->counters.published),
             LOG_I("scorecards", reduce->scorecards), LOG_I("target_errors", reduce->scorecard.target_errors),
             LOG_I("scorecards_capped", reduce->scorecard.capped), LOG_I("feedback", recommend->feedback),
             LOG_I("feedback_refused", reduce->feedback_refused), LOG_I("feedback_repeated", recommend->repeated),
             LOG_I("expired", recommend->expired), LOG_I("commits", engine->counters.commits),
             LOG_I("where_errors", map->where_errors + reduce->where_errors),
             LOG_I("where_null", map->where_null_errors + reduce->where_null_errors),
             LOG_I("when_errors", reduce->detector.when_errors), LOG_I("evicted", reduce->groups_evicted),
             LOG_I("partials_dropped", reduce->detector.partials_dropped), LOG_T("applied", buf_str(&applied)));
    buf_fini(&applied);
}
