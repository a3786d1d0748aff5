/* The way back of one task's state: the store is brought up to the committed end of its changelog.
 *
 * Usually that is the tail of the last commit. All of it is read where the disk is new or the task has moved here
 * without a copy of it being kept (standby.h), and where the store is older than the changelog keeps deletions, since
 * one of them may be gone.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/commit_kafka.h"
#include "engine/restore.h"
#include "engine/restored_timers.h"
#include "io/kafka_admin.h"

enum { BATCH_BYTES = 4 << 20, BATCH_ENTRIES = 20000, PROGRESS_US = 2000000, RANGE_US = 30000000 };

static int meta_get(struct store *store, const struct buf *key, bool *found, uint64_t *number, struct error *err)
{
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

int restore_first_check(const struct restore_way *way, int task, struct error *err)
{
    struct buf key = {0};
    bool found = false;
    uint64_t number;
    commit_meta_key(&key, task, COMMIT_META_INCARNATION);
    int result = meta_get(way->store, &key, &found, &number, err);
    buf_fini(&key);
    TRY(result);
    const struct kafka_stretch stretch = {
        .topic = way->changelog, .partition = task, .to = INT64_MAX, .visit = first_visible, .context = &found};
    if (!found)
        TRY(kafka_log_read(way->log, &stretch, err));
    if (found)
        return error_set(
            err, ERROR_FATAL,
            "there is state, but group %.*s has no positions (stopped for longer than the cluster keeps them, "
            "offsets.retention.minutes, or deleted); reading again would count twice: %s",
            STR_ARG(way->config->application_id), RESET_ADVICE);
    return 0;
}

/* Before the store is written to. */
static int claim(const struct restore_way *way, int task, struct error *err)
{
    if (way->claims == NULL || claims_begin(way->claims, task, way->worker))
        return 0;
    return error_set(err, ERROR_ABORT, "another worker of this instance has task %d now", task);
}

static void unclaim(const struct restore_way *way, int task)
{
    if (way->claims != NULL)
        claims_end(way->claims, task);
}

static int store_clear(const struct restore_way *way, int task, struct error *err)
{
    struct buf from = {0};
    struct buf to = {0};
    TRY(claim(way, task, err));
    buf_u16(&from, (uint16_t)task);
    buf_u16(&to, (uint16_t)(task + 1));
    int result = way->store->ops->clear(way->store, buf_str(&from), buf_str(&to), err);
    unclaim(way, task);
    buf_fini(&from);
    buf_fini(&to);
    return result;
}

/* One task's stretch on its way into the store. */
struct replay {
    const struct restore_way *way;
    int task;
    uint64_t incarnation;
    struct arena arena; /* the batch's bytes */
    struct str_pair *entries;
    size_t count;
    bool all;     /* the store had nothing of it */
    int64_t next; /* offsets below it are in the batch or in the store */
    int64_t records;
    int64_t from;
    int64_t to;
    int64_t wall_ms; /* everything in the store was in the changelog then, or came after */
    int64_t told_us;
};

/* How far the store has come with the task; forgets what cannot be brought up to date. */
static int store_position(struct replay *replay, struct error *err)
{
    const struct restore_way *way = replay->way;
    int64_t now_ms = clock_wall_ms();
    struct buf key = {0};
    bool found[COMMIT_META_COUNT] = {0};
    uint64_t numbers[COMMIT_META_COUNT] = {0};
    int result = 0;
    for (int i = 0; i < COMMIT_META_COUNT && result == 0; i++) {
        commit_meta_key(&key, replay->task, (enum commit_meta)i);
        result = meta_get(way->store, &key, &found[i], &numbers[i], err);
    }
    buf_fini(&key);
    TRY(result);
    bool known = found[COMMIT_META_NEXT] && found[COMMIT_META_INCARNATION];
    if (known && numbers[COMMIT_META_INCARNATION] != replay->incarnation)
        return error_set(
            err, ERROR_FATAL,
            "the state in %.*s belongs to another life of the application (reset elsewhere, or another cluster): "
            "remove that folder to restore it from the changelog",
            STR_ARG(way->config->state_dir));
    int64_t age_ms = now_ms - (int64_t)numbers[COMMIT_META_WALL_MS];
    /* A clock that was ahead hides its age. */
    bool old = known && (age_ms > STORE_AGE_MAX_MS || age_ms < -HOUR_MS);
    bool timers = found[COMMIT_META_TIMERS] && numbers[COMMIT_META_TIMERS] == numbers[COMMIT_META_NEXT];
    replay->from = known && !old && timers ? (int64_t)numbers[COMMIT_META_NEXT] : 0;
    replay->wall_ms = replay->from > 0 ? (int64_t)numbers[COMMIT_META_WALL_MS] : now_ms;
    if (old)
        log_info("the local state is older than the changelog keeps deletions; restoring all of it",
                 LOG_I("task", replay->task));
    else if (known && !timers)
        log_info("another version has written the local state, which did not keep timers; restoring all of it",
                 LOG_I("task", replay->task));
    replay->all = replay->from == 0;
    return replay->from == 0 ? store_clear(way, replay->task, err) : 0;
}

/* Until all of it was read the store is as old as it was: a deletion further on may go before it is reached. */
static int replay_flush(struct replay *replay, struct error *err)
{
    const struct restore_way *way = replay->way;
    const struct commit_task reached = {.incarnation = replay->incarnation, .next = replay->next};
    size_t bytes = replay->arena.used;
    const struct restored_timers timers = {way->store, replay->task, replay->all, &replay->arena};
    TRY(restored_timers_add(&timers, replay->entries, &replay->count, err));
    commit_meta_entries(&replay->entries[replay->count], replay->task, &reached, replay->wall_ms, &replay->arena);
    TRY(claim(way, replay->task, err));
    int result = way->store->ops->write(way->store, replay->entries, replay->count + COMMIT_META_COUNT, err);
    unclaim(way, replay->task);
    arena_reset(&replay->arena);
    replay->count = 0;
    if (result == 0 && way->wrote != NULL)
        way->wrote(way->context, bytes);
    return result;
}

static int replay_record(void *context, const struct source_record *record, struct error *err)
{
    struct replay *replay = context;
    struct reader key = reader_of(record->key, record->key_n);
    if (record->key == NULL || read_u16(&key) != replay->task || key.failed)
        return error_set(err, ERROR_FATAL, "%s [%d] at %lld is not this program's record; %s", replay->way->changelog,
                         replay->task, (long long)record->offset, RESET_ADVICE);
    struct str_pair *entry = &replay->entries[replay->count++];
    entry->key = arena_str(&replay->arena, (struct str){record->key, record->key_n});
    entry->value = (struct str){0};
    if (record->value != NULL)
        entry->value = arena_str(&replay->arena, (struct str){record->value, record->value_n});
    replay->next = record->offset + 1;
    replay->records++;
    if (replay->count < BATCH_ENTRIES && replay->arena.used < BATCH_BYTES)
        return 0;
    return replay_flush(replay, err);
}

static int replay_meanwhile(void *context, struct error *err)
{
    struct replay *replay = context;
    int64_t now_us = clock_mono_us();
    if (now_us - replay->told_us > PROGRESS_US) {
        replay->told_us = now_us;
        log_info(replay->way->worker == CLAIMS_NOBODY ? "standby: copying" : "restoring", LOG_I("task", replay->task),
                 LOG_I("records", replay->records),
                 LOG_I("percent", (replay->next - replay->from) * 100 / (replay->to - replay->from)));
    }
    return replay->way->meanwhile(replay->way->context, err);
}

/* Brokers that do not answer are asked for a while. */
static int range_ask(const struct replay *replay, struct kafka_log *log, int64_t *low, int64_t *high, struct error *err)
{
    const struct restore_way *way = replay->way;
    int64_t deadline_us = clock_mono_us() + RANGE_US;
    while (kafka_log_range_ask(kafka_log_client(log), way->changelog, replay->task, low, high, err) != 0) {
        if (err->class != ERROR_RETRY || clock_mono_us() > deadline_us)
            return -1;
        TRY(way->meanwhile(way->context, err));
    }
    return 0;
}

/* Up to where the changelog goes, be it to be read yet or not. */
static int range_of_all(const struct replay *replay, int64_t *low, int64_t *high, struct error *err)
{
    const struct config *config = replay->way->config;
    struct kafka_log_options options = commit_log_options(config);
    options.uncommitted = true;
    struct kafka_log *log;
    TRY(kafka_log_open(&log, &options, err));
    int result = range_ask(replay, log, low, high, err);
    kafka_log_close(log);
    return result;
}

/* The changelog must hold all that is missing. That a transaction is committed says its coordinator; a partition shows
 * it, and what comes after it, only when it has been told, which on a busy cluster is later: kafka_log_read waits. */
static int range_check(const struct replay *replay, struct error *err)
{
    int64_t low, high;
    int64_t deadline_us = clock_mono_us() + STALE_US;
    if (replay->from > replay->to && replay->way->worker == CLAIMS_NOBODY)
        return error_set(err, ERROR_ABORT, "a worker had task %d meanwhile", replay->task);
    if (replay->from > replay->to)
        return error_set(err, ERROR_FATAL,
                         "the state is newer than the group's positions (did somebody move them back?); %s",
                         RESET_ADVICE);
    TRY(range_ask(replay, replay->way->log, &low, &high, err));
    while (high < replay->to) {
        bool last = clock_mono_us() > deadline_us;
        TRY(range_of_all(replay, &low, &high, err));
        if (last)
            break;
        TRY(replay->way->meanwhile(replay->way->context, err));
    }
    if (high < replay->to || low > replay->from)
        return error_set(err, ERROR_FATAL,
                         "%s [%d] holds offsets %lld to %lld, but %lld to %lld are needed (was it deleted, or its "
                         "cleanup.policy changed?); %s",
                         replay->way->changelog, replay->task, (long long)low, (long long)high, (long long)replay->from,
                         (long long)replay->to, RESET_ADVICE);
    return 0;
}

static int replay_run(struct replay *replay, struct error *err)
{
    int64_t begun_ms = clock_wall_ms();
    const struct kafka_stretch stretch = {
        .topic = replay->way->changelog,
        .partition = replay->task,
        .from = replay->from,
        .to = replay->to,
        .visit = replay_record,
        .meanwhile = replay_meanwhile,
        .context = replay,
    };
    TRY(range_check(replay, err));
    if (replay->from < replay->to)
        TRY(kafka_log_read(replay->way->log, &stretch, err));
    failpoint("restore_before_store");
    replay->next = replay->to;
    replay->wall_ms = begun_ms;
    return replay_flush(replay, err);
}

int restore_task(const struct restore_way *way, int task, const struct commit_task *to, struct restore_outcome *outcome,
                 struct error *err)
{
    struct replay replay = {
        .way = way, .task = task, .incarnation = to->incarnation, .to = to->next, .told_us = clock_mono_us()};
    TRY(store_position(&replay, err));
    failpoint("restore_before_state");
    replay.next = replay.from;
    replay.entries =
        mem_alloc((BATCH_ENTRIES * (1 + RESTORED_TIMERS_MAX) + COMMIT_META_COUNT) * sizeof *replay.entries);
    int result = replay_run(&replay, err);
    failpoint("restore_after_state");
    *outcome = (struct restore_outcome){.from = replay.from, .records = replay.records};
    free(replay.entries);
    arena_fini(&replay.arena);
    return result;
}

int restore_task_told(const struct restore_way *way, int task, const struct commit_task *to, struct error *err)
{
    int64_t begun_us = clock_mono_us();
    struct restore_outcome outcome;
    TRY(restore_task(way, task, to, &outcome, err));
    if (outcome.records > 0)
        log_info("state restored from the changelog", LOG_I("task", task), LOG_I("from", outcome.from),
                 LOG_I("to", to->next), LOG_I("records", outcome.records),
                 LOG_I("ms", (clock_mono_us() - begun_us) / 1000));
    return 0;
}
