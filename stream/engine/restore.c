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
#include "base/log.h"
#include "engine/commit_kafka.h"
#include "io/kafka_admin.h"
#include "io/kafka_log.h"
#include "io/kafka_member.h"
#include "io/source_kafka.h"

/* So many restores without a commit between them, within so long, are no passing trouble. */
enum { RESTORES_MAX = 8, RESTORES_SPAN_S = 600 };
enum { BATCH_BYTES = 4 << 20, BATCH_ENTRIES = 20000, PROGRESS_US = 2000000 };

static const char reset_advice[] = "`forestall reset` starts the application anew";

static struct kafka_log_options log_options(const struct commit_kafka *kafka)
{
    return (struct kafka_log_options){kafka->options.config->kafka, kafka->options.config->kafka_count};
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
        .record_bytes_max = kafka->options.config->record_bytes_max,
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

/* Reads the committed positions into out->positions and kafka->last. *found: some partition has one. */
static int positions_read(struct commit_kafka *kafka, struct arena *arena, struct commit_restored *out, bool *found,
                          struct error *err)
{
    const struct source *source = kafka->options.source;
    struct kafka_committed *committed = arena_zalloc(arena, (source->partition_count + 1) * sizeof *committed);
    for (size_t i = 0; i < source->partition_count; i++) {
        committed[i].topic = source->partitions[i].topic_name.p;
        committed[i].partition = source->partitions[i].partition;
    }
    TRY(kafka_member_committed(source_kafka_member(kafka->options.source), committed, source->partition_count, arena,
                               err));
    *found = false;
    for (size_t i = 0; i < source->partition_count; i++) {
        out->positions[i] = (struct commit_position){.offset = -1, .max_time_ms = INT64_MIN, .first_ms = INT64_MIN};
        if (committed[i].offset < 0)
            continue;
        struct commit_metadata metadata;
        if (commit_metadata_parse(committed[i].metadata, &metadata, err) != 0)
            return error_set(
                err, ERROR_FATAL,
                "group %.*s has a position for %s [%d] that another program committed, or that somebody moved; %s",
                STR_ARG(kafka->options.config->application_id), committed[i].topic, (int)committed[i].partition,
                reset_advice);
        if (!*found || metadata.sequence > kafka->last.sequence)
            kafka->last = metadata;
        *found = true;
        out->positions[i] = (struct commit_position){committed[i].offset, metadata.read_offset, metadata.max_time_ms,
                                                     metadata.first_ms};
    }
    return 0;
}

/* Checks each position against its log, gives new partitions one, and seeks. */
static int positions_take(struct commit_kafka *kafka, struct commit_restored *out, struct error *err)
{
    struct source *source = kafka->options.source;
    for (size_t i = 0; i < source->partition_count; i++) {
        struct commit_position *position = &out->positions[i];
        const struct source_partition *about = &source->partitions[i];
        int64_t low, high;
        TRY(source_kafka_range(source, i, &low, &high, err));
        if (position->offset < 0) {
            bool latest = out->first_start && kafka->options.config->start_latest;
            position->offset = position->read_offset = latest ? high : low;
        } else if (position->offset < low || position->offset > high) {
            bool behind = position->offset < low;
            if (!kafka->options.accept_gap)
                return error_set(
                    err, ERROR_FATAL,
                    "%s [%d] was read up to %lld, but the log %s at %lld (%s): --accept-gap goes on without "
                    "what is missing, %s",
                    about->topic_name.p, (int)about->partition, (long long)position->offset, behind ? "begins" : "ends",
                    (long long)(behind ? low : high),
                    behind ? "retention has removed records" : "was the topic made anew?", reset_advice);
            log_warn("going on over a gap", LOG_T("topic", about->topic_name), LOG_I("partition", about->partition),
                     LOG_I("from", position->offset), LOG_I("to", low));
            position->offset = low;
        }
        if (position->read_offset < position->offset)
            position->read_offset = position->offset;
        TRY(source->ops->seek(source, i, position->offset, err));
        TRY(source_kafka_serve(source, err));
    }
    return 0;
}

static int meta_get(struct state *state, const struct buf *key, bool *found, uint64_t *number, struct error *err)
{
    struct store *store = state_store(state);
    struct buf value = {0};
    int result = store->ops->get(store, buf_str(key), &value, err);
    *found = result == 0;
    if (result == 0) {
        struct reader reader = reader_of(value.p, value.len);
        *number = read_u64(&reader);
        if (reader.failed)
            result =
                error_set(err, ERROR_FATAL, "the state's own positions are damaged: remove state.dir and start again");
    }
    buf_fini(&value);
    return result < 0 ? -1 : 0;
}

static int first_visible(void *context, const struct source_record *record, struct error *err)
{
    (void)record;
    (void)err;
    *(bool *)context = true;
    return 1;
}

/* A start without positions must be a first one: no state here, none in the changelog. */
static int first_start_check(struct commit_kafka *kafka, struct state *state, struct kafka_log *log, struct error *err)
{
    struct buf key = {0};
    commit_meta_incarnation_key(&key);
    bool found = false;
    uint64_t number;
    int result = meta_get(state, &key, &found, &number, err);
    buf_fini(&key);
    TRY(result);
    for (int task = 0; task < kafka->options.config->tasks && !found; task++) {
        const struct kafka_stretch stretch = {
            .topic = kafka->changelog, .partition = task, .to = INT64_MAX, .visit = first_visible, .context = &found};
        TRY(kafka_log_read(log, &stretch, err));
    }
    if (found)
        return error_set(
            err, ERROR_FATAL,
            "there is state, but group %.*s has no positions (stopped for longer than the cluster keeps them, "
            "offsets.retention.minutes, or deleted); reading again would count twice: %s",
            STR_ARG(kafka->options.config->application_id), reset_advice);
    return 0;
}

static int first_start(struct commit_kafka *kafka, struct error *err)
{
    kafka->last = (struct commit_metadata){.max_time_ms = INT64_MIN,
                                           .first_ms = INT64_MIN,
                                           .applied_ms = INT64_MIN,
                                           .tasks = kafka->options.config->tasks};
    /* Names this life of the application's state; no result depends on it. */
    if (getrandom(&kafka->last.incarnation, sizeof kafka->last.incarnation, 0) != sizeof kafka->last.incarnation)
        return error_set(err, ERROR_FATAL, "the system gives no random bytes");
    log_info("first start: nothing was committed before", LOG_T("application", kafka->options.config->application_id));
    return 0;
}

/* How far the store has come, per task; wipes one that cannot be brought up to date. */
static int store_positions(struct commit_kafka *kafka, struct state *state, int64_t *from, struct error *err)
{
    struct store *store = state_store(state);
    struct buf key = {0};
    bool known = false;
    bool dated = false;
    uint64_t incarnation = 0;
    uint64_t wall_ms = 0;
    int result = -1;
    commit_meta_incarnation_key(&key);
    if (meta_get(state, &key, &known, &incarnation, err) != 0)
        goto out;
    if (known && incarnation != kafka->last.incarnation) {
        error_set(err, ERROR_FATAL,
                  "the state in %.*s belongs to another life of the application (reset elsewhere, or another cluster): "
                  "remove that folder to restore it from the changelog",
                  STR_ARG(kafka->options.config->state_dir));
        goto out;
    }
    commit_meta_wall_key(&key);
    if (meta_get(state, &key, &dated, &wall_ms, err) != 0)
        goto out;
    bool old = known && clock_wall_ms() - (int64_t)wall_ms > STORE_AGE_MAX_MS;
    if (old)
        log_info("the local state is older than the changelog keeps deletions; restoring all of it");
    if ((old || !known) && store->ops->wipe(store, err) != 0)
        goto out;
    for (int task = 0; task < kafka->last.tasks; task++) {
        bool found = false;
        uint64_t next = 0;
        commit_meta_next_key(&key, task);
        if (meta_get(state, &key, &found, &next, err) != 0)
            goto out;
        from[task] = found ? (int64_t)next : 0;
    }
    result = 0;
out:
    buf_fini(&key);
    return result;
}

/* One task's stretch on its way into the store. */
struct replay {
    struct commit_kafka *kafka;
    struct store *store;
    int task;
    struct arena arena; /* the batch's bytes */
    struct str_pair *entries;
    size_t count;
    int64_t next; /* offsets below it are in the batch or in the store */
    int64_t records;
    int64_t from;
    int64_t to;
    int64_t told_us;
};

static int replay_flush(struct replay *replay, struct error *err)
{
    struct buf key = {0};
    struct buf value = {0};
    commit_meta_next_key(&key, replay->task);
    buf_u64(&value, (uint64_t)replay->next);
    replay->entries[replay->count++] = (struct str_pair){buf_str(&key), buf_str(&value)};
    int result = replay->store->ops->write(replay->store, replay->entries, replay->count, err);
    buf_fini(&key);
    buf_fini(&value);
    arena_reset(&replay->arena);
    replay->count = 0;
    return result;
}

static int replay_record(void *context, const struct source_record *record, struct error *err)
{
    struct replay *replay = context;
    struct reader key = reader_of(record->key, record->key_n);
    if (record->key == NULL || read_u16(&key) != replay->task || key.failed)
        return error_set(err, ERROR_FATAL, "%s [%d] at %lld is not this program's record; %s", replay->kafka->changelog,
                         replay->task, (long long)record->offset, reset_advice);
    struct str_pair *entry = &replay->entries[replay->count++];
    entry->key = arena_str(&replay->arena, (struct str){record->key, record->key_n});
    entry->value = (struct str){0};
    if (record->value != NULL)
        entry->value = arena_str(&replay->arena, (struct str){record->value, record->value_n});
    replay->next = record->offset + 1;
    replay->records++;
    if (replay->count + 1 < BATCH_ENTRIES && replay->arena.used < BATCH_BYTES)
        return 0;
    return replay_flush(replay, err);
}

static int replay_meanwhile(void *context, struct error *err)
{
    struct replay *replay = context;
    int64_t now_us = clock_mono_us();
    if (now_us - replay->told_us > PROGRESS_US) {
        replay->told_us = now_us;
        log_info("restoring", LOG_I("task", replay->task), LOG_I("records", replay->records),
                 LOG_I("percent", (replay->next - replay->from) * 100 / (replay->to - replay->from)));
    }
    return source_kafka_serve(replay->kafka->options.source, err);
}

static int task_restore(struct replay *replay, struct kafka_log *log, struct error *err)
{
    const char *topic = replay->kafka->changelog;
    int64_t low, high;
    TRY(kafka_log_range(kafka_log_client(log), topic, replay->task, &low, &high, err));
    if (replay->from > replay->to)
        return error_set(err, ERROR_FATAL,
                         "the state is newer than the group's positions (did somebody move them back?); %s",
                         reset_advice);
    if (high < replay->to || low > replay->from)
        return error_set(err, ERROR_FATAL,
                         "%s [%d] holds offsets %lld to %lld, but %lld to %lld are needed (was it deleted, or its "
                         "cleanup.policy changed?); %s",
                         topic, replay->task, (long long)low, (long long)high, (long long)replay->from,
                         (long long)replay->to, reset_advice);
    if (replay->from == replay->to)
        return 0;
    const struct kafka_stretch stretch = {
        .topic = topic,
        .partition = replay->task,
        .from = replay->from,
        .to = replay->to,
        .visit = replay_record,
        .meanwhile = replay_meanwhile,
        .context = replay,
    };
    TRY(kafka_log_read(log, &stretch, err));
    replay->next = replay->to;
    return replay_flush(replay, err);
}

static int store_date(struct commit_kafka *kafka, struct state *state, struct error *err)
{
    struct str_pair entries[COMMIT_TASKS_MAX + COMMIT_META_GLOBAL];
    arena_reset(&kafka->scratch);
    size_t n = commit_meta_entries(entries, &kafka->last, &kafka->scratch);
    struct store *store = state_store(state);
    return store->ops->write(store, entries, n, err);
}

static int changelog_apply(struct commit_kafka *kafka, struct state *state, struct kafka_log *log, struct error *err)
{
    int64_t from[COMMIT_TASKS_MAX];
    TRY(store_positions(kafka, state, from, err));
    struct replay replay = {.kafka = kafka, .store = state_store(state), .told_us = clock_mono_us()};
    replay.entries = mem_alloc((BATCH_ENTRIES + 1) * sizeof *replay.entries);
    int64_t begun_us = clock_mono_us();
    int result = 0;
    for (int task = 0; task < kafka->last.tasks && result == 0; task++) {
        replay.task = task;
        replay.from = replay.next = from[task];
        replay.to = kafka->last.changelog_next[task];
        result = task_restore(&replay, log, err);
    }
    if (replay.records > 0)
        log_info("state restored from the changelog", LOG_I("records", replay.records),
                 LOG_I("ms", (clock_mono_us() - begun_us) / 1000));
    free(replay.entries);
    arena_fini(&replay.arena);
    return result == 0 ? store_date(kafka, state, err) : -1;
}

static int changelog_check(struct commit_kafka *kafka, struct error *err)
{
    int partitions = 0;
    TRY(kafka_topic_partitions(source_kafka_handle(kafka->options.source), kafka->changelog, &partitions, err));
    if (partitions == kafka->options.config->tasks)
        return 0;
    if (partitions == 0)
        return error_set(err, ERROR_FATAL, "there is no topic %s: `forestall topics create` makes it",
                         kafka->changelog);
    return error_set(err, ERROR_FATAL, "%s has %d partitions, but state.tasks is %d: set it back, or %s",
                     kafka->changelog, partitions, kafka->options.config->tasks, reset_advice);
}

static int state_bring(struct commit_kafka *kafka, struct state *state, struct arena *arena,
                       struct commit_restored *out, struct kafka_log *log, struct error *err)
{
    bool found;
    TRY(positions_read(kafka, arena, out, &found, err));
    kafka->committed = found;
    out->first_start = !found;
    if (!found) {
        if (!kafka->options.mock)
            TRY(first_start_check(kafka, state, log, err));
        return first_start(kafka, err);
    }
    if (kafka->last.tasks != kafka->options.config->tasks)
        return error_set(err, ERROR_FATAL, "state.tasks was %d and is %d now: set it back, or %s", kafka->last.tasks,
                         kafka->options.config->tasks, reset_advice);
    return changelog_apply(kafka, state, log, err);
}

int restore_run(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                struct error *err)
{
    struct commit_kafka *kafka = (struct commit_kafka *)commit;
    struct source *source = kafka->options.source;
    state_drop(state);
    *out = (struct commit_restored){0};
    out->positions = arena_zalloc(arena, (source->partition_count + 1) * sizeof *out->positions);
    TRY(restores_count(kafka, err));
    TRY(source_kafka_join(source, err));
    TRY(changelog_check(kafka, err));
    TRY(producer_renew(kafka, err));
    struct kafka_log *log;
    const struct kafka_log_options options = log_options(kafka);
    TRY(kafka_log_open(&log, &options, err));
    int result = state_bring(kafka, state, arena, out, log, err);
    kafka_log_close(log);
    TRY(result);
    TRY(positions_take(kafka, out, err));
    out->applied_ms = kafka->last.applied_ms;
    out->rules_digest = kafka->last.rules_digest;
    memcpy(kafka->positions, out->positions, source->partition_count * sizeof *out->positions);
    TRY(commit_marks_read(kafka->options.config, source, arena, &out->marks, &out->mark_count, err));
    commit_marks_since(out);
    return 0;
}
