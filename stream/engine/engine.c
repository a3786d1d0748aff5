/* Turning the engine: see engine.h. */
#include "engine/engine.h"

#include <stdlib.h>

#include "base/clock.h"
#include "codec/schemas_embedded.h"
#include "engine/dead_letter.h"
#include "engine/engine_parts.h"
#include "engine/memory.h"

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

/* What is applied is to be handed out, or it has taken so long that somebody may want the process to stop. */
static bool is_full(void *context)
{
    const struct engine *engine = context;
    return engine_outbox_full(engine) || (engine->options.live && clock_mono_us() - engine->turn_us > TURN_MAX_US);
}

int64_t engine_memory(const struct engine *engine)
{
    return engine->options.config->state_memory_bytes / engine->options.config->workers;
}

static struct reduce_options reduce_options(struct engine *engine)
{
    const struct engine_options *options = &engine->options;
    return (struct reduce_options){.rules = options->rules,
                                   .config = options->config,
                                   .state = options->state,
                                   .tasks = task_range_all(options->config->tasks),
                                   .memory_bytes = engine_memory(engine),
                                   .scratch_dir = options->scratch_dir,
                                   .dirty_bytes_max = options->dirty_bytes_max,
                                   .work_max = options->work_max,
                                   .timers_max = options->timers_max,
                                   .counted_from_ms = options->publish_from_ms,
                                   .full = is_full,
                                   .publish = publish,
                                   .expire = expire,
                                   .score = score,
                                   .name = options->name_feedback != NULL ? name_feedback : NULL,
                                   .refuse = refuse,
                                   .context = engine};
}

/* The two halves of the data path, for one rule set. */
struct halves {
    struct event_map *map;
    struct reduce *reduce;
    struct tasks *tasks;
};

static void close_halves(struct halves *halves)
{
    event_map_free(halves->map);
    reduce_free(halves->reduce);
    tasks_free(halves->tasks);
}

static int open_halves(struct engine *engine, struct halves *halves, struct error *err)
{
    const struct engine_options *options = &engine->options;
    const struct reduce_options reduce = reduce_options(engine);
    if (options->shared)
        halves->tasks = tasks_new(&(struct tasks_options){.reduce = reduce,
                                                          .source = options->source,
                                                          .commit = options->commit,
                                                          .watermark = &engine->watermark,
                                                          .input_count = engine->input_count});
    else
        halves->reduce = reduce_new(&reduce);
    return event_map_new(&halves->map,
                         &(struct map_options){.rules = options->rules,
                                               .config = options->config,
                                               .exchange = options->shared ? tasks_exchange(halves->tasks)
                                                                           : reduce_exchange(halves->reduce),
                                               .outbox = &engine->outbox,
                                               .watermark = &engine->watermark,
                                               .partitions = options->source->partitions,
                                               .partition_count = engine->input_count},
                         err);
}

static void take_halves(struct engine *engine, const struct halves *halves)
{
    engine->map = halves->map;
    engine->reduce = halves->reduce;
    engine->tasks = halves->tasks;
}

int engine_new(struct engine **out, const struct engine_options *options, struct error *err)
{
    struct engine *engine = mem_zalloc(sizeof *engine);
    size_t n = options->source->partition_count - (options->shared ? (size_t)options->config->tasks : 0);
    struct halves halves = {0};
    engine->options = *options;
    engine->others_ms = TIME_NONE;
    engine->input_count = n;
    engine->order = mem_alloc((n + 1) * sizeof *engine->order);
    watermark_init(&engine->watermark, n);
    ahead_init(&engine->ahead, n);
    int result = open_halves(engine, &halves, err);
    take_halves(engine, &halves);
    if (result == 0 && options->config->recommendations.format == FORMAT_AVRO)
        result = avro_encoder_new(&engine->avro, str_of(schema_embedded_find("recommendation")), err);
    if (result == 0 && options->config->scorecards.format == FORMAT_AVRO)
        result = avro_encoder_new(&engine->scorecard_avro, str_of(schema_embedded_find("scorecard")), err);
    if (options->live)
        engine->idle = idle_new(options->config, options->source, &engine->watermark, options->shared);
    if (result != 0) {
        engine_free(engine);
        return -1;
    }
    *out = engine;
    return 0;
}

void engine_free(struct engine *engine)
{
    struct error ignored;
    bool over;
    if (engine == NULL)
        return;
    (void)!engine_commit_finish(engine, true, &over, &ignored);
    event_map_free(engine->map);
    reduce_free(engine->reduce);
    tasks_free(engine->tasks);
    ahead_fini(&engine->ahead);
    idle_free(engine->idle);
    avro_encoder_free(engine->avro);
    avro_encoder_free(engine->scorecard_avro);
    watermark_fini(&engine->watermark);
    outbox_fini(&engine->outbox);
    outbox_fini(&engine->under_way);
    arena_fini(&engine->arena);
    buf_fini(&engine->scratch);
    free(engine->order);
    free(engine);
}

int engine_reload(struct engine *engine, const struct ruleset *rules, bool *switched, struct error *err)
{
    const struct ruleset *old = engine->options.rules;
    struct halves halves = {0};
    struct halves before = {engine->map, engine->reduce, engine->tasks};
    *switched = false;
    TRY(engine_commit(engine, err));
    engine->options.rules = rules;
    if (open_halves(engine, &halves, err) != 0) {
        engine->options.rules = old;
        close_halves(&halves);
        return -1;
    }
    event_map_continue(halves.map, event_map_counters(before.map));
    if (halves.tasks != NULL)
        tasks_continue(halves.tasks, before.tasks);
    else
        reduce_continue(halves.reduce, reduce_counters(before.reduce));
    close_halves(&before);
    take_halves(engine, &halves);
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

/* Memory for partials: what is beyond it is sent on before its time. To a log a commit sends all that there is. */
static size_t partials_max(const struct engine *engine)
{
    int64_t bytes = engine_memory(engine);
    return (size_t)(engine->tasks != NULL ? memory_commit_share(bytes, MEMORY_FOLDS)
                                          : memory_share(bytes, MEMORY_FOLDS));
}

/* What was read is within its memory: partials are sent on, and go to the disk. */
static int bound(struct engine *engine, struct error *err)
{
    if (event_map_bytes(engine->map) > partials_max(engine))
        event_map_flush(engine->map, INT64_MAX);
    return engine->tasks != NULL ? 0 : reduce_bound(engine->reduce, err);
}

/* Reads what has come of one partition. */
static int read_partition(struct engine *engine, size_t partition, size_t *count, struct error *err)
{
    struct source *source = engine->options.source;
    /* What is sent to a log is applied by others, at their time. */
    int64_t applied_ms = engine->tasks != NULL ? TIME_NONE : engine_applied(engine);
    *count = 0;
    if (engine->watermark.partitions[partition].finished || !engine->watermark.partitions[partition].owned)
        return 0;
    TRY(source->ops->poll(source, partition, engine->records, BATCH_MAX, count, err));
    if (*count > 0 && engine->watermark.partitions[partition].empty)
        idle_first(engine->idle, partition,
                   engine->tasks != NULL ? TIME_NONE : reduce_reached(engine->reduce, LEVEL_SOURCE), &engine->outbox);
    event_map_records(engine->map, partition, engine->records, *count, applied_ms);
    ahead_read(&engine->ahead, partition, engine->records, *count);
    source->ops->release(source);
    /* Transactions' markers, and what was aborted: retention removes them too, and no position may be left there. */
    if (source->ops->read_to != NULL)
        watermark_pass(&engine->watermark.partitions[partition], source->ops->read_to(source, partition));
    if (*count > 0 && engine->idle != NULL)
        idle_saw(engine->idle, partition);
    if (*count == 0 && source->ops->finished(source, partition))
        engine->watermark.partitions[partition].finished = true;
    return bound(engine, err);
}

/* What waits for the slowest, in memory or on the disk, leaves no room for more of this one. */
static bool is_too_far_ahead(const struct engine *engine, size_t partition)
{
    size_t budget = (size_t)engine_memory(engine) / 2;
    if (engine->tasks != NULL)
        return ahead_bytes(&engine->ahead, partition) > budget / engine->input_count;
    return reduce_pending_bytes(engine->reduce) > budget;
}

/* The slowest partitions first; those ahead only while what waits for the slowest is within its budget. One that is at
 * its end, or never held a record, is waited for by nobody; an idle one follows the others. */
static int read_all(struct engine *engine, bool *worked, struct error *err)
{
    bool slowest_read = engine->tasks != NULL;
    /* Until the commit under way is over nothing of it can go: a log of dead letters is read faster than it is sent. */
    if (engine->committing && (engine_outbox_full(engine) || engine_sent_full(engine)))
        return 0;
    order_partitions(engine);
    for (size_t i = 0; i < engine->watermark.count; i++) {
        const struct watermark_partition *partition = &engine->watermark.partitions[engine->order[i]];
        size_t count = 0;
        if (slowest_read && is_too_far_ahead(engine, engine->order[i]))
            continue;
        slowest_read = slowest_read || (!partition->finished && !partition->empty && !partition->idle);
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

/* *more: some of it waits for a commit, or for others to have their turn. */
static int advance(struct engine *engine, int64_t before_ms, bool *more, struct error *err)
{
    *more = false;
    if (before_ms > engine->options.until_ms)
        before_ms = engine->options.until_ms + 1;
    if (before_ms == TIME_NONE || before_ms <= engine_applied(engine))
        return 0;
    event_map_flush(engine->map, before_ms);
    tell_firsts(engine);
    int64_t times_ms[REDUCE_STAGES_MAX];
    engine_all_stages(times_ms, before_ms);
    return reduce_advance(engine->reduce, times_ms, more, err);
}

/* All of it, with the commits that are due meanwhile. */
static int advance_to(struct engine *engine, int64_t before_ms, struct error *err)
{
    for (bool more = true; more;) {
        TRY(advance(engine, before_ms, &more, err));
        if (more && engine_commit_is_due(engine))
            TRY(engine_commit(engine, err));
    }
    return 0;
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
    int64_t now_us = clock_mono_us();
    *may = !engine->options.live || !any_empty(engine);
    if (*may || now_us - engine->asked_us < ASK_EMPTY_EVERY_US)
        return 0;
    TRY(idle_ask_empty(engine->idle, reduce_reached(engine->reduce, LEVEL_SOURCE), &engine->outbox, err));
    engine->asked_us = clock_mono_us();
    *may = true;
    return 0;
}

/* With the exchange in memory time is the least of all partitions'. */
static int advance_all(struct engine *engine, bool *more, struct error *err)
{
    bool may = watermark_least(&engine->watermark) > engine_applied(engine);
    if (may)
        TRY(ask_empty(engine, &may, err));
    int64_t time_ms = watermark_least(&engine->watermark);
    *more = false;
    return may && time_ms != TIME_END ? advance(engine, time_ms, more, err) : 0;
}

/* What others' inputs have come to stands in the tasks' logs. A worker that drives none asks for the committed
 * positions, which say the same, but for who is idle. */
static int ask_others(struct engine *engine, struct idle_others *others, struct error *err)
{
    struct commit *commit = engine->options.commit;
    if (!tasks_any(engine->tasks)) {
        int64_t now_us = clock_mono_us();
        if (commit->ops->others != NULL && now_us - engine->others_us > OTHERS_EVERY_US) {
            TRY(commit->ops->others(commit, &engine->others_ms, err));
            engine->others_us = now_us;
        }
        *others = (struct idle_others){engine->others_ms, false};
        return 0;
    }
    struct tasks_others known = tasks_others(engine->tasks);
    *others = (struct idle_others){known.greatest_ms, known.idle};
    return 0;
}

static int look_for_idle(struct engine *engine, struct error *err)
{
    struct idle_others others = {TIME_NONE, true};
    if (engine->idle == NULL)
        return 0;
    if (engine->tasks != NULL)
        TRY(ask_others(engine, &others, err));
    return idle_look(engine->idle, &others, &engine->outbox, &engine->counters.marks, err);
}

/* What is not driven here any more must not be applied: the same store may be another worker's now. */
static int still_owned(struct engine *engine, struct error *err)
{
    struct source *source = engine->options.source;
    return source->ops->still_owned != NULL ? source->ops->still_owned(source, err) : 0;
}

int engine_step(struct engine *engine, bool *worked, struct error *err)
{
    bool over;
    bool more;
    *worked = false;
    TRY(read_all(engine, worked, err));
    TRY(engine_commit_finish(engine, false, &over, err));
    TRY(still_owned(engine, err));
    if (engine->tasks != NULL)
        TRY(tasks_read(engine->tasks, over, worked, err));
    TRY(look_for_idle(engine, err));
    if (!over)
        return 0;
    TRY(still_owned(engine, err));
    engine->turn_us = clock_mono_us();
    TRY(engine->tasks != NULL ? tasks_advance(engine->tasks, &more, err) : advance_all(engine, &more, err));
    *worked = *worked || more;
    return engine_commit_is_due(engine) ? engine_commit_start(engine, err) : 0;
}

int engine_wait(struct engine *engine, struct error *err)
{
    struct source *source = engine->options.source;
    int64_t from_us = clock_mono_us();
    int64_t left_ms = engine->committing ? COMMITTING_WAIT_MS : (engine_commit_due_us(engine) - from_us) / 1000;
    int result = source->ops->wait(source, left_ms < 1 ? 1 : left_ms > 100 ? 100 : (int)left_ms, err);
    engine->counters.waited_us += (uint64_t)(clock_mono_us() - from_us);
    return result;
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
        TRY(advance_to(engine, end_ms + 1, err));
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
    return advance_to(engine, until_ms + 1, err);
}

int64_t engine_applied(const struct engine *engine)
{
    if (engine->tasks != NULL)
        return tasks_applied(engine->tasks);
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
    return engine->tasks != NULL ? tasks_counters(engine->tasks) : reduce_counters(engine->reduce);
}

uint64_t engine_unknown(const struct engine *engine)
{
    return engine->tasks != NULL ? tasks_unknown(engine->tasks) : 0;
}

const struct recommender_counters *engine_recommend_counters(const struct engine *engine)
{
    return engine->tasks != NULL ? tasks_recommend_counters(engine->tasks) : reduce_recommend_counters(engine->reduce);
}
