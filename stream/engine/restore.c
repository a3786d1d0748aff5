/* The commit, back: the one way for start, abort, ambiguity and takeover.
 *
 *     join, fence (init transactions), stable committed positions, changelog up to them, seek, marks
 *
 * Nothing here decides in silence: where the positions, the store, the changelog and the log do not fit together it
 * refuses and names the command or the file that mends it.
 */
#include "engine/restore.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/commit_kafka.h"
#include "engine/memory.h"
#include "engine/restorer.h"
#include "io/kafka_admin.h"
#include "io/kafka_log.h"
#include "io/kafka_member.h"
#include "io/source_kafka.h"

/* So many restores without a commit between them, within so long, are no passing trouble; those because the cluster
 * does not answer are not counted. */
enum { RESTORES_MAX = 8, RESTORES_SPAN_S = 600, LOG_QUEUE_KIB = 16 << 10 };

struct kafka_log_options commit_log_options(const struct config *config)
{
    return (struct kafka_log_options){.properties = config->kafka,
                                      .property_count = config->kafka_count,
                                      .queue_kib = LOG_QUEUE_KIB / (config->workers > 1 ? config->workers : 1)};
}

static int producer_renew(struct commit_kafka *kafka, struct error *err)
{
    if (kafka->producer != NULL && !kafka_producer_dead(kafka->producer))
        return 0;
    kafka_producer_close(kafka->producer);
    kafka->producer = NULL;
    const struct kafka_producer_options options = {
        .properties = kafka->options.config->kafka,
        .property_count = kafka->options.config->kafka_count,
        .transactional_id = kafka->transactional_id,
        .record_bytes_max = config_produced_bytes(kafka->options.config),
        .queue_bytes =
            memory_share(kafka->options.config->state_memory_bytes / kafka->options.config->workers, MEMORY_PRODUCE),
    };
    return kafka_producer_open(&kafka->producer, &options, err);
}

static int restores_count(struct commit_kafka *kafka, struct error *err)
{
    int64_t now_us = clock_mono_us();
    if (kafka->restores == 0 || now_us - kafka->restores_since_us > RESTORES_SPAN_S * INT64_C(1000000)) {
        kafka->restores = 0;
        kafka->restores_since_us = now_us;
    }
    if (++kafka->restores > RESTORES_MAX)
        return error_set(
            err, ERROR_FATAL,
            "%d attempts in a row ended without a commit (see the lines above): see to the cluster and start "
            "again; nothing is lost",
            RESTORES_MAX);
    return 0;
}

static int not_ours(const struct commit_kafka *kafka, const struct kafka_committed *committed, struct error *err)
{
    return error_set(err, ERROR_FATAL,
                     "group %.*s has a position for %s [%d] that another program committed, or that somebody moved, or "
                     "that another `exchange:` left; %s",
                     STR_ARG(kafka->options.config->application_id), committed->topic, (int)committed->partition,
                     RESET_ADVICE);
}

/* One committed position, with what stands beside it. */
static int position_read(struct commit_kafka *kafka, size_t number, const struct kafka_committed *committed,
                         struct commit_position *position, struct error *err)
{
    position->offset = position->read_offset = committed->offset;
    if (kafka->options.shared && number >= kafka->input_count)
        return commit_task_parse(committed->metadata, &kafka->tasks[number - kafka->input_count], position, err);
    if (kafka->options.shared)
        return commit_input_parse(committed->metadata, position, err);
    struct commit_metadata metadata;
    TRY(commit_metadata_parse(committed->metadata, &metadata, err));
    position->read_offset = metadata.read_offset;
    position->max_time_ms = metadata.max_time_ms;
    position->first_ms = metadata.first_ms;
    position->since_ms = metadata.since_ms;
    if (!kafka->committed || metadata.sequence > kafka->last.sequence)
        kafka->last = metadata;
    return 0;
}

struct kafka_committed *commit_positions_ask(struct commit_kafka *kafka, struct arena *arena, struct error *err)
{
    struct source *source = kafka->options.source;
    struct kafka_committed *committed = arena_zalloc(arena, (source->partition_count + 1) * sizeof *committed);
    for (size_t i = 0; i < source->partition_count; i++) {
        committed[i].topic = source->partitions[i].topic_name.p;
        committed[i].partition = source->partitions[i].partition;
    }
    struct kafka_member *member = source_kafka_member(source);
    return kafka_member_committed(member, committed, source->partition_count, arena, err) == 0 ? committed : NULL;
}

/* Reads the committed positions into out->positions, kafka->tasks, kafka->since_ms and kafka->last. kafka->committed:
 * some partition of the group has one. */
static int positions_read(struct commit_kafka *kafka, struct arena *arena, struct commit_restored *out,
                          struct error *err)
{
    struct source *source = kafka->options.source;
    struct kafka_committed *committed = commit_positions_ask(kafka, arena, err);
    if (committed == NULL)
        return -1;
    int64_t least_ms = INT64_MIN;
    kafka->committed = false;
    out->applied_ms = INT64_MIN;
    for (int task = 0; task < COMMIT_TASKS_MAX; task++)
        kafka->tasks[task] = (struct commit_task){.next = -1};
    for (size_t i = 0; i < source->partition_count; i++) {
        struct commit_position *position = &out->positions[i];
        *position = (struct commit_position){.owned = source->ops->owned == NULL || source->ops->owned(source, i),
                                             .offset = -1,
                                             .max_time_ms = INT64_MIN,
                                             .first_ms = INT64_MIN,
                                             .switch_ms = INT64_MIN};
        if (committed[i].offset < 0)
            continue;
        if (position_read(kafka, i, &committed[i], position, err) != 0)
            return not_ours(kafka, &committed[i], err);
        kafka->committed = true;
        if (position->since_ms != INT64_MIN && (least_ms == INT64_MIN || position->since_ms < least_ms))
            least_ms = position->since_ms;
        if (i >= kafka->input_count && position->max_time_ms > out->applied_ms)
            out->applied_ms = position->max_time_ms;
    }
    if (kafka->committed)
        kafka->since_ms = least_ms;
    return 0;
}

/* Before a position is refused: this program may have stood still since it was read, and be a member no more. Whoever
 * has the partition has then moved it on, and removed what lies before. ERROR_ABORT: so it is. */
static int moved_check(struct commit_kafka *kafka, size_t number, int64_t offset, struct arena *arena,
                       struct error *err)
{
    struct error why;
    const struct kafka_committed *now = commit_positions_ask(kafka, arena, &why);
    if (now == NULL) {
        *err = why;
        return -1;
    }
    if (now[number].offset != offset)
        return error_set(err, ERROR_ABORT, "the group's position has moved meanwhile");
    return 0;
}

/* The range of a partition's log, which has the position within it unless something is wrong. */
static int range_of(struct commit_kafka *kafka, size_t number, int64_t offset, int64_t *low, int64_t *high,
                    struct arena *arena, struct error *err)
{
    struct source *source = kafka->options.source;
    int64_t deadline_us = clock_mono_us() + STALE_US;
    for (;;) {
        TRY(source_kafka_range(source, number, low, high, err));
        if (offset < 0 || (offset >= *low && offset <= *high))
            return 0;
        TRY(moved_check(kafka, number, offset, arena, err));
        if (offset < *low || clock_mono_us() > deadline_us)
            return 0;
        TRY(source->ops->wait(source, 100, err));
    }
}

/* Where a partition without a position begins. `start: latest` is for what was there when the application started
 * first, and nobody need have committed all of its partitions before others join: they begin at that time then, and so
 * does what is new since, with its first record. */
static int beginning_of(struct commit_kafka *kafka, size_t number, bool first_start, int64_t low, int64_t high,
                        int64_t *offset, struct error *err)
{
    *offset = low;
    if (!kafka->options.config->start_latest || number >= kafka->input_count)
        return 0;
    if (kafka->since_ms != INT64_MIN)
        TRY(source_kafka_offset_at(kafka->options.source, number, kafka->since_ms, offset, err));
    else if (first_start)
        *offset = high;
    *offset = *offset < low ? low : *offset > high ? high : *offset;
    return 0;
}

/* Checks each position against its log, gives new partitions one, and seeks. */
static int positions_take(struct commit_kafka *kafka, struct commit_restored *out, struct arena *arena,
                          struct error *err)
{
    struct source *source = kafka->options.source;
    for (size_t i = 0; i < source->partition_count; i++) {
        struct commit_position *position = &out->positions[i];
        const struct source_partition *about = &source->partitions[i];
        int64_t low, high;
        if (!position->owned)
            continue;
        TRY(range_of(kafka, i, position->offset, &low, &high, arena, err));
        if (position->offset < 0) {
            TRY(beginning_of(kafka, i, out->first_start, low, high, &position->offset, err));
        } else if (position->offset < low || position->offset > high) {
            bool behind = position->offset < low;
            if (!kafka->options.accept_gap)
                return error_set(
                    err, ERROR_FATAL,
                    "%s [%d] was read up to %lld, but the log %s at %lld (%s): --accept-gap goes on without "
                    "what is missing, %s",
                    about->topic_name.p, (int)about->partition, (long long)position->offset, behind ? "begins" : "ends",
                    (long long)(behind ? low : high),
                    behind ? "retention has removed records" : "was the topic made anew?", RESET_ADVICE);
            log_warn("going on over a gap", LOG_T("topic", about->topic_name), LOG_I("partition", about->partition),
                     LOG_I("from", position->offset), LOG_I("to", low));
            position->offset = low;
            position->anew = position->anew || !behind;
            if (position->anew) /* what was read was another log's */
                position->read_offset = low;
        }
        if (position->read_offset < position->offset)
            position->read_offset = position->offset;
        TRY(source->ops->seek(source, i, position->offset, err));
        TRY(source_kafka_serve(source, err));
    }
    return 0;
}

static int incarnation_new(uint64_t *incarnation, struct error *err)
{
    /* Names this life of the application's state; no result depends on it. */
    if (getrandom(incarnation, sizeof *incarnation, 0) != sizeof *incarnation)
        return error_set(err, ERROR_FATAL, "the system gives no random bytes");
    return 0;
}

static int first_start(struct commit_kafka *kafka, struct error *err)
{
    kafka->last = (struct commit_metadata){.max_time_ms = INT64_MIN,
                                           .first_ms = INT64_MIN,
                                           .applied_ms = INT64_MIN,
                                           .tasks = kafka->options.config->tasks};
    log_info("first start: nothing was committed before", LOG_T("application", kafka->options.config->application_id));
    return incarnation_new(&kafka->last.incarnation, err);
}

static int partitions_check(struct commit_kafka *kafka, const char *topic, struct error *err)
{
    int partitions = 0;
    TRY(kafka_topic_await(source_kafka_handle(kafka->options.source), topic, &partitions, err));
    if (partitions == kafka->options.config->tasks)
        return 0;
    if (partitions == 0)
        return error_set(err, ERROR_FATAL, "there is no topic %s: `forestall topics create` makes it", topic);
    return error_set(err, ERROR_FATAL, "topic %s: " TASKS_CHANGED ": set it back, or " RESET_ADVICE, topic, partitions,
                     kafka->options.config->tasks);
}

/* How many tasks what is committed was divided into. By now the topics have as many partitions as state.tasks says,
 * which may be since somebody altered them. */
static int tasks_committed(const struct commit_kafka *kafka)
{
    int tasks = kafka->options.config->tasks;
    if (!kafka->options.shared)
        return kafka->committed ? kafka->last.tasks : tasks;
    for (int task = 0; task < COMMIT_TASKS_MAX; task++)
        if (kafka->tasks[task].tasks != 0 && kafka->tasks[task].tasks != tasks)
            return kafka->tasks[task].tasks;
    return tasks;
}

/* Which tasks' states are wanted, and as of when. */
static int tasks_take(struct commit_kafka *kafka, const struct commit_restored *out, struct error *err)
{
    int tasks = kafka->options.config->tasks;
    int before = tasks_committed(kafka);
    if (before != tasks)
        return error_set(err, ERROR_FATAL,
                         "the state is " TASKS_CHANGED ", and other partitions do not divide it anew: " RESET_ADVICE,
                         before, tasks);
    for (int task = 0; task < tasks; task++) {
        if (kafka->options.shared) {
            kafka->tasks[task].tasks = tasks;
            kafka->tasks[task].owned = out->positions[kafka->input_count + (size_t)task].owned;
            if (kafka->tasks[task].next < 0)
                TRY(incarnation_new(&kafka->tasks[task].incarnation, err));
        } else {
            kafka->tasks[task] = (struct commit_task){.owned = true,
                                                      .incarnation = kafka->last.incarnation,
                                                      .next = kafka->committed ? kafka->last.changelog_next[task] : -1};
        }
    }
    return 0;
}

/* From now on nobody else of this process writes to the states of the tasks that are ours. Before the positions are
 * read: what is in the store is then never beyond them. */
static void tasks_claim(struct commit_kafka *kafka)
{
    const struct source *source = kafka->options.source;
    bool owned[COMMIT_TASKS_MAX];
    for (int task = 0; task < kafka->options.config->tasks; task++)
        owned[task] =
            !kafka->options.shared || source->ops->owned(kafka->options.source, kafka->input_count + (size_t)task);
    if (kafka->options.claims != NULL)
        claims_set(kafka->options.claims, kafka->options.worker, owned);
}

static int serve(void *context, struct error *err)
{
    return source_kafka_serve(context, err);
}

/* What has no state yet is ready at once; the rest is restored now, or, where others can go on meanwhile, beside. */
static int state_bring(struct commit_kafka *kafka, struct state *state, struct kafka_log *log, struct arena *arena,
                       struct error *err)
{
    const struct restore_way way = {.config = kafka->options.config,
                                    .changelog = kafka->changelog,
                                    .store = state_store(state),
                                    .log = log,
                                    .claims = kafka->options.claims,
                                    .worker = kafka->options.worker,
                                    .meanwhile = serve,
                                    .context = kafka->options.source};
    bool left = false;
    for (int task = 0; task < kafka->options.config->tasks; task++) {
        struct commit_task *of = &kafka->tasks[task];
        if (!of->owned)
            continue;
        of->ready = of->next < 0 || !kafka->options.shared;
        left = left || !of->ready;
        if (of->next >= 0 && !kafka->options.shared)
            TRY(restore_task_told(&way, task, of, err));
        if (of->next < 0 && !kafka->options.mock && restore_first_check(&way, task, err) != 0) {
            struct error found = *err;
            if (kafka->options.shared)
                TRY(moved_check(kafka, kafka->input_count + (size_t)task, -1, arena, err));
            *err = found;
            return -1;
        }
        if (of->next < 0)
            of->next = 0;
    }
    return left ? restorer_start(&kafka->restorer, &way, kafka->tasks, err) : 0;
}

/* Where the logs begin of those partitions that are read here and have marks behind their position; 0 of others. Where
 * a broker does not answer they stay until the next restore. */
static int starts_ask(struct commit_kafka *kafka, const struct commit_restored *restored, int64_t *starts,
                      struct error *err)
{
    struct source *source = kafka->options.source;
    size_t asked = SIZE_MAX;
    for (size_t i = 0; i + 1 < restored->mark_count; i++) {
        const struct commit_mark *next = &restored->marks[i + 1];
        size_t partition = restored->marks[i].partition;
        struct error ignored;
        int64_t low, high;
        if (partition == asked || next->partition != partition || !source->ops->owned(source, partition) ||
            next->offset > restored->positions[partition].offset)
            continue;
        if (source_kafka_range(source, partition, &low, &high, &ignored) != 0)
            return 0;
        starts[partition] = low;
        asked = partition;
        TRY(source_kafka_serve(source, err));
    }
    return 0;
}

static int marks_take(struct commit_kafka *kafka, struct commit_restored *out, struct arena *arena, struct error *err)
{
    struct source *source = kafka->options.source;
    int64_t *starts = arena_zalloc(arena, (source->partition_count + 1) * sizeof *starts);
    TRY(commit_marks_read(kafka->options.config, source, arena, &out->marks, &out->mark_count, err));
    TRY(starts_ask(kafka, out, starts, err));
    commit_marks_old(out, starts, arena);
    commit_marks_since(out);
    return 0;
}

static int go_back(struct commit_kafka *kafka, struct state *state, struct arena *arena, struct commit_restored *out,
                   struct error *err)
{
    struct source *source = kafka->options.source;
    restorer_stop(kafka->restorer);
    kafka->restorer = NULL;
    state_drop(state);
    *out = (struct commit_restored){0};
    out->positions = arena_zalloc(arena, (source->partition_count + 1) * sizeof *out->positions);
    TRY(source_kafka_join(source, err));
    tasks_claim(kafka);
    failpoint("restore_after_join");
    TRY(partitions_check(kafka, kafka->changelog, err));
    TRY(producer_renew(kafka, err));
    failpoint("restore_after_fence");
    TRY(positions_read(kafka, arena, out, err));
    failpoint("restore_after_positions");
    out->first_start = !kafka->committed;
    if (out->first_start)
        TRY(first_start(kafka, err));
    TRY(tasks_take(kafka, out, err));
    struct kafka_log *log;
    const struct kafka_log_options options = commit_log_options(kafka->options.config);
    TRY(kafka_log_open(&log, &options, err));
    int result = state_bring(kafka, state, log, arena, err);
    kafka_log_close(log);
    TRY(result);
    failpoint("restore_before_seek");
    int64_t began_ms = clock_wall_ms();
    TRY(positions_take(kafka, out, arena, err));
    failpoint("restore_after_seek");
    if (out->first_start && kafka->since_ms == INT64_MIN)
        kafka->since_ms = began_ms;
    if (!kafka->options.shared)
        out->applied_ms = kafka->last.applied_ms;
    out->rules_digest = kafka->last.rules_digest;
    memcpy(kafka->positions, out->positions, source->partition_count * sizeof *out->positions);
    TRY(marks_take(kafka, out, arena, err));
    failpoint("restore_after_marks");
    return 0;
}

int restore_run(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                struct error *err)
{
    struct commit_kafka *kafka = (struct commit_kafka *)commit;
    TRY(restores_count(kafka, err));
    int result = go_back(kafka, state, arena, out, err);
    if (result != 0 && err->class == ERROR_RETRY)
        kafka->restores = 0;
    return result;
}
