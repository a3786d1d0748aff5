/* The commit, forth: one transaction holds the outputs, the changelog and every position; then the store follows.
 *
 *     begin, produce, flush            the flush yields the changelog's offsets
 *     positions with metadata, end     from here on it has happened
 *     store write, settle              a crash before it: the changelog is read from the stored position on
 *
 * A thread of its own carries it, so that the worker can read on; the worker's thread owns everything else. Failpoints
 * stand where a crash leaves a different picture.
 */
#include "engine/commit_kafka.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/engine_log.h"
#include "engine/memory.h"
#include "engine/restorer.h"
#include "io/kafka_member.h"
#include "io/kafka_trim.h"
#include "io/source_kafka.h"

enum { TRIM_EVERY_US = 10 * 1000 * 1000, STORE_BATCH_BYTES = 4 << 20, MEMORY_EVERY_US = 1000 * 1000 };

static struct commit_kafka *kafka_of(struct commit *commit)
{
    return (struct commit_kafka *)commit;
}

static bool position_same(const struct commit_position *a, const struct commit_position *b)
{
    return a->offset == b->offset && a->read_offset == b->read_offset && a->max_time_ms == b->max_time_ms &&
           a->first_ms == b->first_ms && a->switch_ms == b->switch_ms && a->rules_digest == b->rules_digest;
}

/* A commit that would change nothing is left out; the next one that changes anything is fenced as ever. */
static bool nothing_new(const struct commit_kafka *kafka, const struct commit_batch *batch, size_t dirty_count)
{
    if (!kafka->committed || batch->record_count > 0 || dirty_count > 0 ||
        batch->applied_ms != kafka->last.applied_ms || batch->rules_digest != kafka->last.rules_digest)
        return false;
    for (size_t i = 0; i < batch->position_count; i++)
        if (batch->positions[i].owned && !position_same(&batch->positions[i], &kafka->positions[i]))
            return false;
    return true;
}

static const char *output_topic(const struct commit_kafka *kafka, enum output output)
{
    const struct config *config = kafka->options.config;
    switch (output) {
    case OUTPUT_RECOMMENDATIONS:
        return config->recommendations.topic.p;
    case OUTPUT_SCORECARDS:
        return config->scorecards.topic.p;
    case OUTPUT_DEAD_LETTER:
        return config->dead_letter.topic.p;
    case OUTPUT_MARKS:
        return kafka->marks;
    case OUTPUT_EXCHANGE:
        return kafka->exchange;
    case OUTPUT_COUNT:
        break;
    }
    ASSERT(false);
    return NULL;
}

static int outputs_send(struct commit_kafka *kafka, const struct commit_batch *batch, struct error *err)
{
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct commit_record *record = &batch->records[i];
        struct kafka_header headers[COMMIT_HEADERS_MAX];
        ASSERT(record->header_count <= COMMIT_HEADERS_MAX);
        for (size_t h = 0; h < record->header_count; h++)
            headers[h] = (struct kafka_header){record->headers[h].name, record->headers[h].value};
        const struct kafka_record sent = {
            .topic = output_topic(kafka, record->output),
            .partition = record->output == OUTPUT_MARKS      ? 0
                         : record->output == OUTPUT_EXCHANGE ? record->partition
                                                             : RD_KAFKA_PARTITION_UA,
            .key = record->key,
            .value = record->value,
            .headers = headers,
            .header_count = record->header_count,
        };
        TRY(kafka_producer_send(kafka->producer, &sent, err));
    }
    return 0;
}

static int changelog_send(struct commit_kafka *kafka, const struct str_pair *dirty, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct reader key = reader_of(dirty[i].key.p, dirty[i].key.n);
        int task = read_u16(&key);
        if (state_is_derived(dirty[i].key))
            continue;
        ASSERT(!key.failed && task < kafka->options.config->tasks && kafka->tasks[task].ready);
        const struct kafka_record sent = {
            .topic = kafka->changelog,
            .partition = task,
            .key = dirty[i].key,
            .value = dirty[i].value,
            .next_offset = &kafka->tasks[task].next,
        };
        TRY(kafka_producer_send(kafka->producer, &sent, err));
    }
    return 0;
}

/* What goes beside a position. */
static void metadata_print(const struct commit_kafka *kafka, const struct commit_position *position, size_t number,
                           struct buf *text)
{
    buf_reset(text);
    if (kafka->options.shared && number >= kafka->input_count) {
        commit_task_print(text, &kafka->tasks[number - kafka->input_count], position, kafka->since_ms);
    } else if (kafka->options.shared) {
        commit_input_print(text, position, kafka->since_ms);
    } else {
        struct commit_metadata metadata = kafka->last;
        metadata.max_time_ms = position->max_time_ms;
        metadata.first_ms = position->first_ms;
        metadata.read_offset = position->read_offset;
        metadata.since_ms = kafka->since_ms;
        for (int task = 0; task < metadata.tasks; task++)
            metadata.changelog_next[task] = kafka->tasks[task].next;
        commit_metadata_print(text, &metadata);
    }
    ASSERT(text->len <= COMMIT_METADATA_BYTES_MAX);
}

/* Of every owned partition, changed or not: that is what the brokers check the generation by. */
static int positions_send(struct commit_kafka *kafka, const struct commit_flight *flight, struct error *err)
{
    const struct commit_batch *batch = &flight->batch;
    const struct source *source = kafka->options.source;
    struct kafka_position *positions = arena_alloc(&kafka->scratch, (batch->position_count + 1) * sizeof *positions);
    struct buf text = {0};
    size_t n = 0;
    for (size_t i = 0; i < batch->position_count; i++) {
        if (!batch->positions[i].owned)
            continue;
        metadata_print(kafka, &batch->positions[i], i, &text);
        positions[n++] = (struct kafka_position){
            .topic = source->partitions[i].topic_name.p,
            .partition = source->partitions[i].partition,
            .offset = batch->positions[i].offset,
            .metadata = arena_str(&kafka->scratch, buf_str(&text)),
        };
    }
    buf_fini(&text);
    return kafka_producer_positions(kafka->producer, positions, n, flight->group, err);
}

static int transaction_run(struct commit_kafka *kafka, const struct commit_flight *flight, struct error *err)
{
    failpoint("commit_before_begin");
    TRY(kafka_producer_begin(kafka->producer, err));
    failpoint("commit_after_begin");
    TRY(outputs_send(kafka, &flight->batch, err));
    failpoint("commit_after_outputs");
    TRY(changelog_send(kafka, flight->dirty, flight->dirty_count, err));
    TRY(kafka_producer_flush(kafka->producer, err));
    failpoint("commit_after_produce");
    kafka->last.applied_ms = flight->batch.applied_ms;
    kafka->last.rules_digest = flight->batch.rules_digest;
    kafka->last.sequence++;
    TRY(positions_send(kafka, flight, err));
    failpoint("commit_before_end");
    return kafka_producer_commit(kafka->producer, err);
}

/* The tasks' claims, all or none: what was committed of a task that another worker has by now is that one's to bring
 * from the changelog, and this worker has to go back. */
static int claim_all(const struct commit_kafka *kafka, struct error *err)
{
    struct claims *claims = kafka->options.claims;
    for (int task = 0; claims != NULL && task < kafka->options.config->tasks; task++) {
        const struct commit_task *of = &kafka->tasks[task];
        if (!of->owned || !of->ready || claims_begin(claims, task, kafka->options.worker))
            continue;
        while (--task >= 0)
            if (kafka->tasks[task].owned && kafka->tasks[task].ready)
                claims_end(claims, task);
        return error_set(err, ERROR_ABORT, "another worker of this instance has a task of this one now");
    }
    return 0;
}

static void unclaim_all(const struct commit_kafka *kafka)
{
    struct claims *claims = kafka->options.claims;
    for (int task = 0; claims != NULL && task < kafka->options.config->tasks; task++)
        if (kafka->tasks[task].owned && kafka->tasks[task].ready)
            claims_end(claims, task);
}

/* The dirty ones in batches; those of how far it is, behind them, with the last. Of what a crash leaves half done the
 * changelog is read again. */
static int store_write(struct store *store, const struct str_pair *entries, size_t dirty_count, size_t n,
                       struct error *err)
{
    size_t from = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < dirty_count; i++) {
        bytes += entries[i].key.n + entries[i].value.n;
        if (bytes < STORE_BATCH_BYTES)
            continue;
        TRY(store->ops->write(store, entries + from, i + 1 - from, err));
        from = i + 1;
        bytes = 0;
    }
    return store->ops->write(store, entries + from, n - from, err);
}

static int store_follow(struct commit_kafka *kafka, const struct commit_flight *flight, struct error *err)
{
    int tasks = kafka->options.config->tasks;
    int64_t wall_ms = clock_wall_ms();
    struct str_pair *entries =
        arena_alloc(&kafka->scratch, (flight->dirty_count + (size_t)tasks * COMMIT_META_COUNT) * sizeof *entries);
    if (flight->dirty_count > 0)
        memcpy(entries, flight->dirty, flight->dirty_count * sizeof *entries);
    size_t n = flight->dirty_count;
    for (int task = 0; task < tasks; task++) {
        if (!kafka->tasks[task].owned || !kafka->tasks[task].ready)
            continue;
        commit_meta_entries(entries + n, task, &kafka->tasks[task], wall_ms, &kafka->scratch);
        n += COMMIT_META_COUNT;
    }
    struct store *store = state_store(flight->state);
    TRY(claim_all(kafka, err));
    int result = store_write(store, entries, flight->dirty_count, n, err);
    unclaim_all(kafka);
    TRY(result);
    failpoint("commit_after_store");
    return 0;
}

/* Now and then what the allocator keeps goes back to the system, here, where nobody waits for it. */
static void memory_look(struct commit_kafka *kafka)
{
    int64_t now_us = clock_mono_us();
    if (now_us - kafka->memory_us < MEMORY_EVERY_US)
        return;
    kafka->memory_us = now_us;
    memory_trim(kafka->options.config->state_memory_bytes / 8);
}

/* The thread of a commit. */
static void *fly(void *context)
{
    struct commit_kafka *kafka = context;
    struct commit_flight *flight = &kafka->flight;
    engine_log_worker(kafka->options.config, kafka->options.worker);
    flight->result = transaction_run(kafka, flight, &flight->err);
    if (flight->result != 0) {
        kafka_producer_abort(kafka->producer);
    } else {
        failpoint("commit_after_end");
        flight->result = store_follow(kafka, flight, &flight->err);
    }
    memory_look(kafka);
    atomic_store(&flight->over, true);
    return NULL;
}

/* What the exchange's log holds below a task's committed position nobody reads again. */
static void trim(struct commit_kafka *kafka, const struct commit_batch *batch)
{
    int64_t now_us = clock_mono_us();
    if (!kafka->options.shared || now_us - kafka->trimmed_us < TRIM_EVERY_US)
        return;
    kafka->trimmed_us = now_us;
    if (kafka->trim == NULL)
        kafka->trim = kafka_trim_new(source_kafka_reader(kafka->options.source));
    (void)kafka_trim_serve(kafka->trim); /* what came of the last time, though nothing more is to be asked for */
    for (size_t i = kafka->input_count; i < batch->position_count; i++) {
        const struct commit_position *position = &batch->positions[i];
        size_t task = i - kafka->input_count;
        /* Lower than it was: a log that was made anew, whose offsets have nothing to do with the old one's. */
        if (!position->owned || position->offset == kafka->trimmed[task])
            continue;
        if (kafka_trim_delete(kafka->trim, kafka->exchange, (int32_t)task, position->offset))
            kafka->trimmed[task] = position->offset;
    }
}

static int kafka_start(struct commit *commit, const struct commit_batch *batch, struct state *state, bool *under_way,
                       struct error *err)
{
    struct commit_kafka *kafka = kafka_of(commit);
    struct commit_flight *flight = &kafka->flight;
    const struct str_pair *dirty;
    size_t dirty_count = state_dirty(state, &dirty);
    ASSERT(batch->position_count == kafka->position_count && !flight->under_way);
    *under_way = false;
    if (nothing_new(kafka, batch, dirty_count)) {
        kafka->restores = 0; /* it came as far as one that commits */
        trim(kafka, batch);
        return 0;
    }
    if (kafka->producer == NULL || kafka_producer_dead(kafka->producer) || source_kafka_revoked(kafka->options.source))
        return error_set(err, ERROR_ABORT, "the group took the partitions away");
    arena_reset(&kafka->scratch);
    flight->batch = *batch;
    flight->state = state;
    flight->dirty = dirty;
    flight->dirty_count = dirty_count;
    flight->group = kafka_member_metadata_copy(source_kafka_member(kafka->options.source));
    atomic_store(&flight->over, false);
    if (pthread_create(&flight->thread, NULL, fly, kafka) != 0) {
        rd_kafka_consumer_group_metadata_destroy(flight->group);
        return error_set(err, ERROR_FATAL, "the system gives no threads");
    }
    *under_way = flight->under_way = true;
    return 0;
}

static int kafka_finish(struct commit *commit, bool wait, bool *over, struct error *err)
{
    struct commit_kafka *kafka = kafka_of(commit);
    struct commit_flight *flight = &kafka->flight;
    *over = wait || atomic_load(&flight->over);
    if (!flight->under_way || !*over)
        return 0;
    (void)pthread_join(flight->thread, NULL);
    flight->under_way = false;
    rd_kafka_consumer_group_metadata_destroy(flight->group);
    if (flight->result != 0) {
        if (kafka_producer_group_lost(kafka->producer))
            kafka_member_doubt(source_kafka_member(kafka->options.source));
        if (kafka_producer_unanswered(kafka->producer)) /* as often as it takes: see restores_count */
            kafka->restores = 0;
        *err = flight->err;
        return -1;
    }
    kafka->committed = true;
    kafka->restores = 0;
    memcpy(kafka->positions, flight->batch.positions, flight->batch.position_count * sizeof *kafka->positions);
    trim(kafka, &flight->batch);
    state_settle(flight->state);
    return 0;
}

static int kafka_commit(struct commit *commit, const struct commit_batch *batch, struct state *state, struct error *err)
{
    bool under_way;
    bool over;
    TRY(kafka_start(commit, batch, state, &under_way, err));
    return under_way ? kafka_finish(commit, true, &over, err) : 0;
}

static int kafka_ready(struct commit *commit, int task, bool *ready, struct error *err)
{
    struct commit_kafka *kafka = kafka_of(commit);
    if (!kafka->tasks[task].ready && kafka->restorer != NULL &&
        restorer_ready(kafka->restorer, task, &kafka->tasks[task].ready, err) != 0) {
        if (err->class == ERROR_RETRY)
            kafka->restores = 0;
        return -1;
    }
    *ready = kafka->tasks[task].ready;
    for (int i = 0; i < kafka->options.config->tasks; i++)
        if (kafka->tasks[i].owned && !kafka->tasks[i].ready)
            return 0;
    restorer_stop(kafka->restorer);
    kafka->restorer = NULL;
    return 0;
}

static int kafka_others(struct commit *commit, int64_t *greatest_ms, struct error *err)
{
    struct commit_kafka *kafka = kafka_of(commit);
    *greatest_ms = INT64_MIN;
    arena_reset(&kafka->asked);
    struct kafka_committed *committed = commit_positions_ask(kafka, &kafka->asked, err);
    if (committed == NULL)
        return -1;
    for (size_t i = 0; i < kafka->input_count; i++) {
        struct commit_position position;
        struct error ignored; /* the next restore refuses what is not ours */
        bool known = !kafka->positions[i].owned && committed[i].offset >= 0 &&
                     commit_input_parse(committed[i].metadata, &position, &ignored) == 0;
        if (known && position.first_ms != INT64_MIN && position.max_time_ms > *greatest_ms)
            *greatest_ms = position.max_time_ms;
    }
    return 0;
}

static void kafka_close(struct commit *commit)
{
    struct commit_kafka *kafka = kafka_of(commit);
    struct error ignored;
    bool over;
    (void)!kafka_finish(commit, true, &over, &ignored);
    restorer_stop(kafka->restorer);
    kafka_trim_free(kafka->trim);
    kafka_producer_close(kafka->producer);
    arena_fini(&kafka->scratch);
    arena_fini(&kafka->asked);
    free(kafka->positions);
    free(kafka->transactional_id);
    free(kafka->changelog);
    free(kafka->marks);
    free(kafka->exchange);
    free(kafka);
}

static char *name_make(const struct commit_kafka_options *options, const char *middle, const char *end)
{
    struct buf name = {0};
    buf_printf(&name, "%.*s-%s%s", STR_ARG(options->config->application_id), middle, end);
    char *text = mem_strdup(buf_str(&name));
    buf_fini(&name);
    return text;
}

int commit_kafka_open(struct commit **commit, const struct commit_kafka_options *options, struct error *err)
{
    static const struct commit_ops ops = {.commit = kafka_commit,
                                          .start = kafka_start,
                                          .finish = kafka_finish,
                                          .restore = restore_run,
                                          .ready = kafka_ready,
                                          .others = kafka_others,
                                          .close = kafka_close};
    if (options->config->tasks < 1 || options->config->tasks > COMMIT_TASKS_MAX)
        return error_set(err, ERROR_FATAL, "state.tasks is %d; it is 1 to %d", options->config->tasks,
                         COMMIT_TASKS_MAX);
    struct commit_kafka *kafka = mem_zalloc(sizeof *kafka);
    kafka->base.ops = &ops;
    kafka->options = *options;
    struct buf worker = {0};
    buf_printf(&worker, "-%d", options->worker);
    buf_byte(&worker, '\0');
    kafka->transactional_id = name_make(options, options->instance_id, worker.p);
    buf_fini(&worker);
    kafka->changelog = name_make(options, "changelog", "");
    kafka->marks = name_make(options, "marks", "");
    kafka->exchange = name_make(options, "exchange", "");
    kafka->position_count = options->source->partition_count;
    kafka->input_count = kafka->position_count - (options->shared ? (size_t)options->config->tasks : 0);
    kafka->since_ms = INT64_MIN;
    kafka->positions = mem_zalloc((kafka->position_count + 1) * sizeof *kafka->positions);
    *commit = &kafka->base;
    return 0;
}
