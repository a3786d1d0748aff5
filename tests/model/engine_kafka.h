/* A simulated Kafka for several engines, and the instances that use it: logs, transactions that end late or never, a
 * group whose partitions move, changelogs, marks, and each instance's disk. Chance is the including test's.
 *
 * A transaction goes through the steps of commit_kafka.c, one at a time, with anything in between:
 *
 *     produced     its records have offsets in the logs of the exchange; readers stop before them
 *     positioned   the group took its positions, by the generation as it is then: whoever restores waits for its end
 *     ended        committed (the positions, outputs, changes and marks count at once), or aborted
 *     stored       the changes are on the instance's disk
 */
#ifndef FORESTALL_TESTS_ENGINE_KAFKA_H
#define FORESTALL_TESTS_ENGINE_KAFKA_H

#include "engine_story.h"
#include "engine_topic.h"

enum { TASKS_MAX = 4, INSTANCES_MAX = 4, ALL_MAX = PARTITIONS + TASKS_MAX, ONE_IN = 40 };

/* How often what happened: all of it is to be covered. */
struct counts {
    uint64_t commits;
    uint64_t aborts;
    uint64_t fenced;  /* by the generation, before the positions were taken */
    uint64_t late;    /* commits of a generation that was over already */
    uint64_t timeout; /* transactions that somebody else saw aborted */
    uint64_t unknown; /* commits of which the instance was not told */
    uint64_t unstable;
    uint64_t crashes;
    uint64_t committed_dying;
    uint64_t lost_disks;
    uint64_t stale_disks;
    uint64_t moves;
    uint64_t reloads;
    uint64_t marks;
    uint64_t others;
    uint64_t dead_letters;
    uint64_t recommendations;
    uint64_t versions;
};

enum outcome { OPEN, COMMITTED, ABORTED };

struct transaction {
    enum outcome outcome;
    bool positioned;
    bool owned[ALL_MAX];
};

/* What is in Kafka. */
struct kafka {
    const struct log *log;
    int tasks;
    int instances;
    size_t all;                 /* partitions: the inputs', then one a task */
    size_t visible[PARTITIONS]; /* records of the inputs that were produced so far */
    struct topic exchange[TASKS_MAX];
    struct topic changelog[TASKS_MAX]; /* what was committed */
    struct transaction *transactions;  /* the first stands for none */
    size_t transaction_count;
    size_t transaction_cap;
    struct commit_position positions[ALL_MAX];
    bool has_position[ALL_MAX];
    struct source_partition described[ALL_MAX];
    struct commit_mark *marks; /* by partition and offset */
    size_t mark_count;
    size_t mark_cap;
    struct map outputs; /* id -> struct buf of lines */
    size_t dead_letters;
    int owner[ALL_MAX]; /* instance */
    int generation;
    struct arena arena;
    uint64_t changes;        /* transactions that changed something */
    bool settled[TASKS_MAX]; /* the task's rules are in force */
    struct counts *counts;
};

/* One instance: what a crash leaves is the store, with how far each task's changelog is in it. */
struct instance {
    struct source source; /* first */
    struct commit commit;
    struct kafka *kafka;
    int number;
    int generation; /* that it knows of */
    bool owned[ALL_MAX];
    int64_t at[ALL_MAX]; /* the next offset to poll */
    struct store *store;
    size_t store_next[TASKS_MAX];
    int not_ready[TASKS_MAX]; /* how often a task's state is asked for before it is there */
    struct state *state;
    struct engine *engine;
    bool needs_restore;
    const struct commit_batch *batch; /* of a commit under way */
    size_t transaction;               /* the last one that it began; 0: none */
    bool dying;                       /* it is killed: what it is about to do is not done any more */
    bool calm;                        /* nothing goes wrong any more */
    int frozen;                       /* for so many turns it does nothing */
    size_t rules;                     /* which set it has */
};

static struct instance *instance_of(struct source *source)
{
    return (struct instance *)source;
}

static struct instance *instance_of_commit(struct commit *commit)
{
    return (struct instance *)((char *)commit - offsetof(struct instance, commit));
}

/* Readers of the exchange see what is committed, and nothing beyond the first record that is not decided. */
static size_t poll_exchange(struct instance *instance, size_t partition, struct source_record *records, size_t max)
{
    const struct kafka *kafka = instance->kafka;
    const struct topic *topic = &kafka->exchange[partition - PARTITIONS];
    size_t n = 0;
    for (size_t i = topic_find(topic, instance->at[partition]); i < topic->count && n < max; i++) {
        const struct logged *entry = &topic->entries[i];
        enum outcome outcome = kafka->transactions[entry->transaction].outcome;
        if (outcome == OPEN)
            break;
        instance->at[partition] = entry->offset + 1;
        if (outcome == COMMITTED)
            records[n++] = (struct source_record){
                .value = entry->value.p, .value_n = entry->value.n, .offset = entry->offset, .timestamp_ms = -1};
    }
    return n;
}

/* Those of inputs see all that was produced, each record in a transaction of its own. */
static size_t poll_input(struct instance *instance, size_t partition, struct source_record *records, size_t max)
{
    const struct kafka *kafka = instance->kafka;
    int64_t *at = &instance->at[partition];
    size_t n = 0;
    for (; n < max && *at < (int64_t)kafka->visible[partition] * OFFSETS; ++*at) {
        const struct record *record = &kafka->log->records[partition][*at / OFFSETS];
        if (*at % OFFSETS == 0)
            records[n++] = (struct source_record){.value = record->value.p,
                                                  .value_n = record->value.n,
                                                  .offset = *at,
                                                  .timestamp_ms = record->timestamp_ms};
    }
    return n;
}

static int sim_poll(struct source *source, size_t partition, struct source_record *records, size_t max, size_t *count,
                    struct error *err)
{
    struct instance *instance = instance_of(source);
    (void)err;
    if (!instance->calm) /* tasks read a few records at a time, so that a restart finds some of them unread */
        max = (size_t)below(partition < PARTITIONS ? 40 : 4);
    assert_true(instance->owned[partition]);
    *count = partition < PARTITIONS ? poll_input(instance, partition, records, max)
                                    : poll_exchange(instance, partition, records, max);
    return 0;
}

static void sim_release(struct source *source)
{
    (void)source;
}

static int sim_end_offsets(struct source *source, const size_t *asked, size_t count, int64_t *offsets,
                           struct error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++)
        offsets[i] = (int64_t)instance_of(source)->kafka->visible[asked[i]] * OFFSETS;
    return 0;
}

static int64_t sim_read_to(struct source *source, size_t partition)
{
    return instance_of(source)->at[partition];
}

static bool sim_finished(struct source *source, size_t partition)
{
    (void)source;
    (void)partition;
    return false;
}

static bool sim_owned(struct source *source, size_t partition)
{
    return instance_of(source)->owned[partition];
}

/* On the compacted topic of marks the newest of an offset counts. */
static void publish_mark(struct kafka *kafka, const struct commit_record *record)
{
    struct reader key = reader_of(record->key.p, record->key.n);
    struct reader value = reader_of(record->value.p, record->value.n);
    struct str topic = read_text(&key);
    int32_t number = (int32_t)read_u32(&key);
    struct commit_mark mark = {.offset = (int64_t)read_u64(&key), .time_ms = read_i64_sorted(&value)};
    while (partitions[mark.partition].partition != number || !str_eq(partitions[mark.partition].topic_name, topic))
        mark.partition++;
    kafka->counts->marks++;
    size_t at = kafka->mark_count;
    while (at > 0 && (kafka->marks[at - 1].partition > mark.partition ||
                      (kafka->marks[at - 1].partition == mark.partition && kafka->marks[at - 1].offset > mark.offset)))
        at--;
    if (at > 0 && kafka->marks[at - 1].partition == mark.partition && kafka->marks[at - 1].offset == mark.offset) {
        kafka->marks[at - 1] = mark;
        return;
    }
    kafka->marks = mem_grow(kafka->marks, kafka->mark_count, &kafka->mark_cap, sizeof *kafka->marks);
    memmove(&kafka->marks[at + 1], &kafka->marks[at], (kafka->mark_count++ - at) * sizeof *kafka->marks);
    kafka->marks[at] = mark;
}

static void publish(struct kafka *kafka, const struct commit_record *record)
{
    if (record->output == OUTPUT_DEAD_LETTER) {
        kafka->dead_letters++;
    } else if (record->output == OUTPUT_MARKS) {
        publish_mark(kafka, record);
    } else if (record->output == OUTPUT_RECOMMENDATIONS) {
        void **slot = map_slot(&kafka->outputs, record->key);
        if (*slot == NULL)
            *slot = mem_zalloc(sizeof(struct buf));
        buf_str_put(*slot, record->value);
        buf_byte(*slot, '\n');
        kafka->counts->versions++;
    }
}

/* A rule is in force once all inputs have been mapped with one set; see known_rules.c. */
static bool says_in_force(struct reader key, struct str value)
{
    struct reader r = reader_of(value.p, value.n);
    return read_byte(&key) == STATE_META &&
           str_starts((struct str){(const char *)key.p, reader_left(&key)}, STR_LIT("rule.")) && value.p != NULL &&
           read_zigzag(&r) == INT64_MIN;
}

static void log_changes(struct kafka *kafka, const struct str_pair *dirty, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct reader r = reader_of(dirty[i].key.p, dirty[i].key.n);
        int task = read_u16(&r);
        if (state_is_derived(dirty[i].key))
            continue;
        struct logged *entry = topic_add(&kafka->changelog[task]);
        kafka->settled[task] = kafka->settled[task] || says_in_force(r, dirty[i].value);
        entry->key = arena_str(&kafka->arena, dirty[i].key);
        entry->value = dirty[i].value.p == NULL ? (struct str){0} : arena_str(&kafka->arena, dirty[i].value);
    }
}

static int aborted(struct instance *instance, struct error *err, const char *reason)
{
    struct transaction *transaction = &instance->kafka->transactions[instance->transaction];
    if (transaction->outcome == OPEN)
        transaction->outcome = ABORTED;
    instance->batch = NULL;
    return error_set(err, ERROR_ABORT, "%s", reason);
}

static void begin(struct instance *instance, const struct commit_batch *batch)
{
    struct kafka *kafka = instance->kafka;
    instance->batch = batch;
    kafka->transactions =
        mem_grow(kafka->transactions, kafka->transaction_count, &kafka->transaction_cap, sizeof *kafka->transactions);
    instance->transaction = kafka->transaction_count;
    kafka->transactions[kafka->transaction_count++] = (struct transaction){.outcome = OPEN};
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct commit_record *record = &batch->records[i];
        if (record->output != OUTPUT_EXCHANGE)
            continue;
        struct logged *entry = topic_add(&kafka->exchange[record->partition]);
        entry->value = arena_str(&kafka->arena, record->value);
        entry->transaction = instance->transaction;
    }
}

static int position(struct instance *instance, struct error *err)
{
    struct transaction *transaction = &instance->kafka->transactions[instance->transaction];
    if (instance->generation != instance->kafka->generation) {
        instance->kafka->counts->fenced++;
        return aborted(instance, err, "fenced");
    }
    for (size_t i = 0; i < instance->kafka->all; i++)
        transaction->owned[i] = instance->batch->positions[i].owned;
    transaction->positioned = true;
    return 0;
}

/* The coordinator commits: everything counts at once. */
static void end(struct instance *instance)
{
    struct kafka *kafka = instance->kafka;
    const struct commit_batch *batch = instance->batch;
    const struct str_pair *dirty;
    size_t n = state_dirty(instance->state, &dirty);
    kafka->transactions[instance->transaction].outcome = COMMITTED;
    for (size_t i = 0; i < batch->record_count; i++)
        publish(kafka, &batch->records[i]);
    for (int task = 0; task < kafka->tasks; task++)
        kafka->exchange[task].next++; /* the marker of the transaction's end takes an offset */
    log_changes(kafka, dirty, n);
    for (size_t i = 0; i < kafka->all; i++)
        if (batch->positions[i].owned) {
            assert_true(!kafka->has_position[i] || batch->positions[i].offset >= kafka->positions[i].offset);
            kafka->positions[i] = batch->positions[i];
            kafka->has_position[i] = true;
        }
    kafka->changes += batch->record_count > 0 || n > 0;
    kafka->counts->commits++;
    kafka->counts->late += instance->generation != kafka->generation;
}

static struct disk disk_of(struct instance *instance, int task)
{
    return (struct disk){instance->store, &instance->kafka->changelog[task], &instance->store_next[task]};
}

static int follow(struct instance *instance, struct error *err)
{
    for (int task = 0; task < instance->kafka->tasks; task++) {
        if (!instance->owned[PARTITIONS + task])
            continue;
        const struct disk disk = disk_of(instance, task);
        TRY(bring(&disk, task, disk.changelog->count, err));
        if (!instance->calm && disk.changelog->count > 0 && below(4) == 0)
            leave_timer(&disk, task);
    }
    return 0;
}

/* What was committed goes into the store as it is; nobody else has written to the changelogs. */
static int store_committed(struct instance *instance, struct error *err)
{
    const struct str_pair *dirty;
    size_t n = state_dirty(instance->state, &dirty);
    for (int task = 0; task < instance->kafka->tasks; task++)
        if (instance->owned[PARTITIONS + task])
            instance->store_next[task] = instance->kafka->changelog[task].count;
    return instance->store->ops->write(instance->store, dirty, n, err);
}

/* A process that is killed says nothing more; what was on its way to the coordinator may still arrive. */
static int die(struct instance *instance, struct error *err)
{
    const struct transaction *transaction = &instance->kafka->transactions[instance->transaction];
    if (transaction->outcome == OPEN && transaction->positioned && below(2) == 0) {
        instance->kafka->counts->committed_dying++;
        end(instance);
    }
    instance->batch = NULL;
    return error_set(err, ERROR_ABORT, "killed");
}

/* One step of the commit under way. *over: it was the last. */
static int step(struct instance *instance, bool *over, struct error *err)
{
    struct kafka *kafka = instance->kafka;
    int64_t luck = instance->calm ? ONE_IN : below(ONE_IN);
    const struct transaction *transaction = &kafka->transactions[instance->transaction];
    *over = false;
    if (instance->dying)
        return die(instance, err);
    if (transaction->outcome == ABORTED || luck == 0) {
        kafka->counts->aborts++;
        return aborted(instance, err, "aborted");
    }
    if (!transaction->positioned)
        return position(instance, err);
    end(instance);
    instance->batch = NULL;
    if (luck == 1) {
        kafka->counts->unknown++;
        return error_set(err, ERROR_ABORT, "it is not known how it ended");
    }
    TRY(store_committed(instance, err));
    state_settle(instance->state);
    *over = true;
    return 0;
}

static int sim_finish(struct commit *commit, bool wait, bool *over, struct error *err)
{
    struct instance *instance = instance_of_commit(commit);
    *over = false;
    while (!*over && (wait || below(2) == 0))
        TRY(step(instance, over, err));
    return 0;
}

static int sim_start(struct commit *commit, const struct commit_batch *batch, struct state *state, bool *under_way,
                     struct error *err)
{
    (void)state;
    (void)err;
    begin(instance_of_commit(commit), batch);
    *under_way = true;
    return 0;
}

static int sim_commit(struct commit *commit, const struct commit_batch *batch, struct state *state, struct error *err)
{
    bool over;
    TRY(sim_start(commit, batch, state, &over, err));
    return sim_finish(commit, true, &over, err);
}

/* The transaction before ends with the instance's new epoch. Positions that somebody else's may still change are not
 * to be had until that one has ended, or was waited for too long. */
static int fence(struct instance *instance, struct error *err)
{
    struct kafka *kafka = instance->kafka;
    struct transaction *own = &kafka->transactions[instance->transaction];
    if (own->outcome == OPEN)
        own->outcome = ABORTED;
    for (size_t k = 1; k < kafka->transaction_count; k++) {
        struct transaction *other = &kafka->transactions[k];
        bool waits = false;
        for (size_t i = 0; i < kafka->all; i++)
            waits = waits || (other->owned[i] && kafka->owner[i] == instance->number);
        if (other->outcome != OPEN || !other->positioned || !waits)
            continue;
        if (!instance->calm && below(3) > 0) {
            kafka->counts->unstable++;
            return error_set(err, ERROR_ABORT, "positions are not stable");
        }
        other->outcome = ABORTED;
        kafka->counts->timeout++;
    }
    return 0;
}

static int sim_restore(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                       struct error *err)
{
    struct instance *instance = instance_of_commit(commit);
    struct kafka *kafka = instance->kafka;
    (void)state;
    instance->generation = kafka->generation;
    TRY(fence(instance, err));
    *out = (struct commit_restored){.positions = arena_zalloc(arena, ALL_MAX * sizeof *out->positions),
                                    .marks = arena_alloc(arena, (kafka->mark_count + 1) * sizeof *out->marks),
                                    .mark_count = kafka->mark_count};
    if (kafka->mark_count > 0)
        memcpy(out->marks, kafka->marks, kafka->mark_count * sizeof *out->marks);
    for (size_t i = 0; i < kafka->all; i++) {
        instance->owned[i] = kafka->owner[i] == instance->number;
        out->positions[i] =
            (struct commit_position){.max_time_ms = INT64_MIN, .first_ms = INT64_MIN, .switch_ms = INT64_MIN};
        if (kafka->has_position[i])
            out->positions[i] = kafka->positions[i];
        out->positions[i].owned = instance->owned[i];
        instance->at[i] = out->positions[i].offset;
    }
    for (int task = 0; task < kafka->tasks; task++)
        instance->not_ready[task] = instance->calm ? 0 : (int)below(5);
    return follow(instance, err);
}

static int sim_ready(struct commit *commit, int task, bool *ready, struct error *err)
{
    struct instance *instance = instance_of_commit(commit);
    (void)err;
    *ready = instance->not_ready[task]-- <= 0;
    return 0;
}

static int sim_others(struct commit *commit, int64_t *greatest_ms, struct error *err)
{
    const struct instance *instance = instance_of_commit(commit);
    const struct kafka *kafka = instance->kafka;
    (void)err;
    *greatest_ms = INT64_MIN;
    for (size_t i = 0; i < PARTITIONS; i++)
        if (!instance->owned[i] && kafka->has_position[i] && kafka->positions[i].max_time_ms > *greatest_ms)
            *greatest_ms = kafka->positions[i].max_time_ms;
    kafka->counts->others++;
    return 0;
}

static bool is_settled(const struct kafka *kafka)
{
    for (int task = 0; task < kafka->tasks; task++)
        if (!kafka->settled[task])
            return false;
    return true;
}

/* All partitions move, or one does; the others learn of it when they are fenced. */
static void move_partitions(struct kafka *kafka, bool all)
{
    size_t one = (size_t)below((int64_t)kafka->all);
    for (size_t i = 0; i < kafka->all; i++)
        if (all || i == one)
            kafka->owner[i] = (int)below(kafka->instances);
    kafka->generation++;
    kafka->counts->moves++;
}

/* The disk as it was when the changelog of one task was shorter, to its beginning where it is lost. */
static void set_back(struct instance *instance, int task, size_t next)
{
    struct error err;
    struct buf from = {0};
    struct buf to = {0};
    buf_u16(&from, (uint16_t)task);
    buf_u16(&to, (uint16_t)(task + 1));
    must(instance->store->ops->clear(instance->store, buf_str(&from), buf_str(&to), &err), &err);
    instance->store_next[task] = 0;
    const struct disk disk = disk_of(instance, task);
    must(bring(&disk, task, next, &err), &err);
    buf_fini(&from);
    buf_fini(&to);
}

static void kafka_init(struct kafka *kafka, const struct log *log, const struct config *config, int instances,
                       struct counts *counts)
{
    *kafka = (struct kafka){.log = log, .tasks = config->tasks, .instances = instances, .counts = counts};
    kafka->all = PARTITIONS + (size_t)config->tasks;
    kafka->transactions = mem_grow(NULL, 0, &kafka->transaction_cap, sizeof *kafka->transactions);
    kafka->transactions[kafka->transaction_count++] = (struct transaction){.outcome = COMMITTED};
    for (size_t i = 0; i < PARTITIONS; i++)
        kafka->described[i] = partitions[i];
    for (int task = 0; task < kafka->tasks; task++)
        kafka->described[PARTITIONS + task] = (struct source_partition){SOURCES, {"exchange", 8}, task};
}

static void kafka_fini(struct kafka *kafka)
{
    for (int task = 0; task < kafka->tasks; task++) {
        free(kafka->exchange[task].entries);
        free(kafka->changelog[task].entries);
    }
    free(kafka->transactions);
    free(kafka->marks);
    outputs_fini(&kafka->outputs);
    arena_fini(&kafka->arena);
}

#endif
