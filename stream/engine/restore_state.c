/* The way back of one task's state: the store is brought up to the committed end of its changelog.
 *
 * Usually that is the tail of the last commit. All of it is read where the disk is new or the task has moved here, and
 * where the store is older than the changelog keeps deletions, since one of them may be gone.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/commit_kafka.h"
#include "engine/restore.h"
#include "io/kafka_admin.h"

enum { BATCH_BYTES = 4 << 20, BATCH_ENTRIES = 20000, PROGRESS_US = 2000000 };

static const char reset_advice[] = "another application_id, with a state.dir of its own, starts anew";

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

int restore_first_check(const struct commit_kafka *kafka, struct state *state, struct kafka_log *log, int task,
                        struct error *err)
{
    struct buf key = {0};
    bool found = false;
    uint64_t number;
    commit_meta_key(&key, task, COMMIT_META_INCARNATION);
    int result = meta_get(state, &key, &found, &number, err);
    buf_fini(&key);
    TRY(result);
    const struct kafka_stretch stretch = {
        .topic = kafka->changelog, .partition = task, .to = INT64_MAX, .visit = first_visible, .context = &found};
    if (!found)
        TRY(kafka_log_read(log, &stretch, err));
    if (found)
        return error_set(
            err, ERROR_FATAL,
            "there is state, but group %.*s has no positions (stopped for longer than the cluster keeps them, "
            "offsets.retention.minutes, or deleted); reading again would count twice: %s",
            STR_ARG(kafka->options.config->application_id), reset_advice);
    return 0;
}

static int store_clear(struct state *state, int task, struct error *err)
{
    struct store *store = state_store(state);
    struct buf from = {0};
    struct buf to = {0};
    buf_u16(&from, (uint16_t)task);
    buf_u16(&to, (uint16_t)(task + 1));
    int result = store->ops->clear(store, buf_str(&from), buf_str(&to), err);
    buf_fini(&from);
    buf_fini(&to);
    return result;
}

/* How far the store has come with the task; forgets what cannot be brought up to date. */
static int store_position(const struct commit_kafka *kafka, struct state *state, int task, int64_t *from,
                          struct error *err)
{
    struct buf key = {0};
    bool found[COMMIT_META_COUNT] = {0};
    uint64_t numbers[COMMIT_META_COUNT] = {0};
    int result = 0;
    for (int i = 0; i < COMMIT_META_COUNT && result == 0; i++) {
        commit_meta_key(&key, task, (enum commit_meta)i);
        result = meta_get(state, &key, &found[i], &numbers[i], err);
    }
    buf_fini(&key);
    TRY(result);
    bool known = found[COMMIT_META_NEXT] && found[COMMIT_META_INCARNATION];
    if (known && numbers[COMMIT_META_INCARNATION] != kafka->tasks[task].incarnation)
        return error_set(
            err, ERROR_FATAL,
            "the state in %.*s belongs to another life of the application (reset elsewhere, or another cluster): "
            "remove that folder to restore it from the changelog",
            STR_ARG(kafka->options.config->state_dir));
    bool old = known && clock_wall_ms() - (int64_t)numbers[COMMIT_META_WALL_MS] > STORE_AGE_MAX_MS;
    *from = known && !old ? (int64_t)numbers[COMMIT_META_NEXT] : 0;
    if (old)
        log_info("the local state is older than the changelog keeps deletions; restoring all of it",
                 LOG_I("task", task));
    return *from == 0 ? store_clear(state, task, err) : 0;
}

/* One task's stretch on its way into the store. */
struct replay {
    const struct restore_way *way;
    const struct commit_kafka *kafka;
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
    struct commit_task reached = replay->kafka->tasks[replay->task];
    reached.next = replay->next;
    commit_meta_entries(&replay->entries[replay->count], replay->task, &reached, &replay->arena);
    int result = replay->store->ops->write(replay->store, replay->entries, replay->count + COMMIT_META_COUNT, err);
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
        log_info("restoring", LOG_I("task", replay->task), LOG_I("records", replay->records),
                 LOG_I("percent", (replay->next - replay->from) * 100 / (replay->to - replay->from)));
    }
    return replay->way->meanwhile(replay->way->context, err);
}

static int replay_run(struct replay *replay, struct kafka_log *log, struct error *err)
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
    const struct kafka_stretch stretch = {
        .topic = topic,
        .partition = replay->task,
        .from = replay->from,
        .to = replay->to,
        .visit = replay_record,
        .meanwhile = replay_meanwhile,
        .context = replay,
    };
    if (replay->from < replay->to)
        TRY(kafka_log_read(log, &stretch, err));
    failpoint("restore_before_store");
    replay->next = replay->to;
    return replay_flush(replay, err);
}

int restore_task(const struct restore_way *way, int task, struct error *err)
{
    int64_t begun_us = clock_mono_us();
    struct replay replay = {.way = way,
                            .kafka = way->kafka,
                            .store = state_store(way->state),
                            .task = task,
                            .to = way->kafka->tasks[task].next,
                            .told_us = clock_mono_us()};
    TRY(store_position(way->kafka, way->state, task, &replay.from, err));
    failpoint("restore_before_state");
    replay.next = replay.from;
    replay.entries = mem_alloc((BATCH_ENTRIES + COMMIT_META_COUNT) * sizeof *replay.entries);
    int result = replay_run(&replay, way->log, err);
    failpoint("restore_after_state");
    if (result == 0 && replay.records > 0)
        log_info("state restored from the changelog", LOG_I("task", task), LOG_I("records", replay.records),
                 LOG_I("ms", (clock_mono_us() - begun_us) / 1000));
    free(replay.entries);
    arena_fini(&replay.arena);
    return result;
}
