/* Several engines over one simulated Kafka: logs, transactions, a group whose partitions move, changelogs and disks.
 * Whatever happens to them (crashes before, within and after a commit, commits whose outcome nobody knows, lost disks,
 * rebalances, a fenced one that goes on for a while, states that take their time to be restored, partitions at any
 * speed), every recommendation has the same versions, byte for byte, as of one engine undisturbed, over the exchange in
 * memory.
 *
 * usage: test_engine_cluster [SEED [HISTORIES]]
 */
enum { EVENTS = 400, FEEDBACK = 60 };
#include "engine_story.h"

enum { TASKS = 3, INSTANCES = 3, ALL = PARTITIONS + TASKS, QUIET_ROUNDS = 10 };
static int histories = 12;

struct logged {
    struct str key;
    struct str value;
};

/* What is in Kafka. */
struct kafka {
    const struct log *log;
    size_t visible[PARTITIONS]; /* records of the inputs that were produced so far */
    struct logged *exchange[TASKS];
    int64_t *exchange_offsets[TASKS];
    size_t exchange_counts[TASKS];
    int64_t exchange_next[TASKS];
    struct logged *changelog[TASKS];
    size_t changelog_counts[TASKS];
    struct commit_position positions[ALL];
    bool has_position[ALL];
    struct source_partition described[ALL];
    struct map outputs; /* id -> struct buf of lines */
    size_t dead_letters;
    int owner[ALL]; /* instance */
    int generation;
    struct arena arena;
    uint64_t changes; /* transactions that changed something */
};

/* One instance: what a crash leaves is the store, with how far each task's changelog is in it. */
struct instance {
    struct source source; /* first */
    struct commit commit;
    struct kafka *kafka;
    int number;
    int generation; /* that it knows of */
    bool owned[ALL];
    int64_t at[ALL]; /* the next offset to poll */
    struct store *store;
    size_t store_next[TASKS];
    int not_ready[TASKS]; /* how often a task's state is asked for before it is there */
    struct state *state;
    struct engine *engine;
    const struct fixture *fixture;
    bool needs_restore;
    const struct commit_batch *batch; /* of a commit under way */
    bool calm;                        /* nothing goes wrong any more */
};

static struct instance *instance_of(struct source *source)
{
    return (struct instance *)source;
}

static struct instance *instance_of_commit(struct commit *commit)
{
    return (struct instance *)((char *)commit - offsetof(struct instance, commit));
}

static int sim_poll(struct source *source, size_t partition, struct source_record *records, size_t max, size_t *count,
                    struct error *err)
{
    struct instance *instance = instance_of(source);
    const struct kafka *kafka = instance->kafka;
    size_t n = 0;
    (void)err;
    if (!instance->calm) /* tasks read a few records at a time, so that a restart finds some of them unread */
        max = (size_t)below(partition < PARTITIONS ? 40 : 4);
    assert_true(instance->owned[partition]);
    if (partition < PARTITIONS) {
        for (; n < max && instance->at[partition] < (int64_t)kafka->visible[partition]; instance->at[partition]++) {
            const struct record *record = &kafka->log->records[partition][instance->at[partition]];
            records[n++] = (struct source_record){.value = record->value.p,
                                                  .value_n = record->value.n,
                                                  .offset = instance->at[partition],
                                                  .timestamp_ms = record->timestamp_ms};
        }
    } else {
        size_t task = partition - PARTITIONS;
        for (size_t i = 0; i < kafka->exchange_counts[task] && n < max; i++) {
            if (kafka->exchange_offsets[task][i] < instance->at[partition])
                continue;
            records[n++] = (struct source_record){.value = kafka->exchange[task][i].value.p,
                                                  .value_n = kafka->exchange[task][i].value.n,
                                                  .offset = kafka->exchange_offsets[task][i],
                                                  .timestamp_ms = -1};
            instance->at[partition] = kafka->exchange_offsets[task][i] + 1;
        }
    }
    *count = n;
    return 0;
}

static void sim_release(struct source *source)
{
    (void)source;
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

static void publish(struct kafka *kafka, const struct commit_record *record, bool *touched)
{
    struct arena *arena = &kafka->arena;
    if (record->output == OUTPUT_DEAD_LETTER) {
        kafka->dead_letters++;
    } else if (record->output == OUTPUT_EXCHANGE) {
        int task = record->partition;
        size_t n = kafka->exchange_counts[task]++;
        kafka->exchange[task] = mem_realloc(kafka->exchange[task], (n + 1) * sizeof **kafka->exchange);
        kafka->exchange_offsets[task] =
            mem_realloc(kafka->exchange_offsets[task], (n + 1) * sizeof **kafka->exchange_offsets);
        kafka->exchange[task][n] = (struct logged){.value = arena_str(arena, record->value)};
        kafka->exchange_offsets[task][n] = kafka->exchange_next[task]++;
        touched[task] = true;
    } else {
        void **slot = map_slot(&kafka->outputs, record->key);
        if (*slot == NULL)
            *slot = mem_zalloc(sizeof(struct buf));
        buf_str_put(*slot, record->value);
        buf_byte(*slot, '\n');
    }
}

static void log_changes(struct kafka *kafka, const struct str_pair *dirty, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct reader r = reader_of(dirty[i].key.p, dirty[i].key.n);
        int task = read_u16(&r);
        size_t count = kafka->changelog_counts[task]++;
        kafka->changelog[task] = mem_realloc(kafka->changelog[task], (count + 1) * sizeof **kafka->changelog);
        struct str value = dirty[i].value.p == NULL ? (struct str){0} : arena_str(&kafka->arena, dirty[i].value);
        kafka->changelog[task][count] = (struct logged){arena_str(&kafka->arena, dirty[i].key), value};
    }
}

static void apply_transaction(struct kafka *kafka, const struct commit_batch *batch, const struct str_pair *dirty,
                              size_t n)
{
    bool touched[TASKS] = {0};
    for (size_t i = 0; i < batch->record_count; i++)
        publish(kafka, &batch->records[i], touched);
    for (int task = 0; task < TASKS; task++)
        kafka->exchange_next[task] += touched[task]; /* the marker of the transaction's end takes an offset */
    log_changes(kafka, dirty, n);
    for (size_t i = 0; i < ALL; i++)
        if (batch->positions[i].owned) {
            kafka->positions[i] = batch->positions[i];
            kafka->has_position[i] = true;
        }
    kafka->changes += batch->record_count > 0 || n > 0;
}

static int follow(struct instance *instance, struct error *err)
{
    for (size_t task = 0; task < TASKS; task++) {
        for (;
             instance->owned[PARTITIONS + task] && instance->store_next[task] < instance->kafka->changelog_counts[task];
             instance->store_next[task]++) {
            const struct logged *entry = &instance->kafka->changelog[task][instance->store_next[task]];
            struct str_pair pair = {entry->key, entry->value};
            TRY(instance->store->ops->write(instance->store, &pair, 1, err));
        }
    }
    return 0;
}

static int sim_commit(struct commit *commit, const struct commit_batch *batch, struct state *state, struct error *err)
{
    struct instance *instance = instance_of_commit(commit);
    const struct str_pair *dirty;
    size_t n = state_dirty(state, &dirty);
    int64_t luck = instance->calm ? 99 : below(40);
    if (instance->generation != instance->kafka->generation)
        return error_set(err, ERROR_ABORT, "fenced");
    if (luck == 0)
        return error_set(err, ERROR_ABORT, "aborted");
    apply_transaction(instance->kafka, batch, dirty, n);
    if (luck == 1)
        return error_set(err, ERROR_ABORT, "it is not known how it ended");
    TRY(follow(instance, err));
    state_settle(state);
    return 0;
}

static int sim_start(struct commit *commit, const struct commit_batch *batch, struct state *state, bool *under_way,
                     struct error *err)
{
    (void)state;
    (void)err;
    instance_of_commit(commit)->batch = batch;
    *under_way = true;
    return 0;
}

/* What was there at the start is committed at the end: nothing of it may have changed. */
static int sim_finish(struct commit *commit, bool wait, bool *over, struct error *err)
{
    struct instance *instance = instance_of_commit(commit);
    *over = wait || below(3) == 0;
    return *over ? sim_commit(commit, instance->batch, instance->state, err) : 0;
}

static int sim_restore(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                       struct error *err)
{
    struct instance *instance = instance_of_commit(commit);
    struct kafka *kafka = instance->kafka;
    (void)state;
    instance->generation = kafka->generation;
    *out = (struct commit_restored){.positions = arena_zalloc(arena, ALL * sizeof *out->positions)};
    for (size_t i = 0; i < ALL; i++) {
        instance->owned[i] = kafka->owner[i] == instance->number;
        out->positions[i] =
            (struct commit_position){.max_time_ms = INT64_MIN, .first_ms = INT64_MIN, .switch_ms = INT64_MIN};
        if (kafka->has_position[i])
            out->positions[i] = kafka->positions[i];
        out->positions[i].owned = instance->owned[i];
        instance->at[i] = out->positions[i].offset;
    }
    for (int task = 0; task < TASKS; task++)
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

static void open_engine(struct instance *instance)
{
    struct error err;
    struct engine_options options = {.rules = instance->fixture->rules,
                                     .config = instance->fixture->config,
                                     .source = &instance->source,
                                     .state = state_new(lend(instance->store)),
                                     .commit = &instance->commit,
                                     .scratch_dir = below(2) == 0 ? P_tmpdir : NULL,
                                     .shared = true,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    stop_often(&options);
    instance->state = options.state;
    must(engine_new(&instance->engine, &options, &err), &err);
    instance->needs_restore = true;
}

static void close_engine(struct instance *instance)
{
    engine_free(instance->engine);
    state_free(instance->state);
}

static void start(struct instance *instance, struct kafka *kafka, const struct fixture *fixture, int number)
{
    static const struct source_ops source_ops = {
        .poll = sim_poll, .release = sim_release, .finished = sim_finished, .owned = sim_owned};
    static const struct commit_ops commit_ops = {
        .commit = sim_commit, .start = sim_start, .finish = sim_finish, .restore = sim_restore, .ready = sim_ready};
    *instance =
        (struct instance){.source = {.ops = &source_ops, .partitions = kafka->described, .partition_count = ALL},
                          .commit = {.ops = &commit_ops},
                          .kafka = kafka,
                          .number = number,
                          .store = store_memory_new(),
                          .fixture = fixture};
    open_engine(instance);
}

static void rebalance(struct kafka *kafka)
{
    for (size_t i = 0; i < ALL; i++)
        kafka->owner[i] = (int)below(INSTANCES);
    kafka->generation++;
}

static void lose_disk(struct instance *instance)
{
    struct error err;
    must(instance->store->ops->clear(instance->store, (struct str){0}, (struct str){0}, &err), &err);
    memset(instance->store_next, 0, sizeof instance->store_next);
}

static void turn(struct instance *instance, bool commit)
{
    struct error err = {0};
    bool worked;
    int result;
    if (instance->needs_restore) {
        result = engine_restore(instance->engine, &err);
        instance->needs_restore = result != 0;
    } else {
        result = engine_step(instance->engine, &worked, &err);
        if (result == 0 && commit)
            result = engine_commit(instance->engine, &err);
    }
    if (result != 0 && err.class != ERROR_ABORT)
        fail_msg("%s", err.message);
    instance->needs_restore = instance->needs_restore || result != 0;
}

static void disturb(struct kafka *kafka, struct instance *instances)
{
    struct instance *instance = &instances[below(INSTANCES)];
    switch (below(40)) {
    case 0:
        rebalance(kafka); /* the others learn of it when they are fenced */
        break;
    case 1:
        lose_disk(instance);
        close_engine(instance);
        open_engine(instance);
        break;
    case 2:
        close_engine(instance);
        open_engine(instance);
        break;
    case 3:
        instance->needs_restore = true;
        break;
    default:
        break;
    }
}

static bool feed(struct kafka *kafka)
{
    bool left = false;
    size_t fast = (size_t)below(PARTITIONS); /* partitions differ in speed */
    for (size_t i = 0; i < PARTITIONS; i++) {
        size_t more = (size_t)below(i == fast ? 25 : 4);
        size_t most = kafka->log->counts[i] - kafka->visible[i];
        kafka->visible[i] += more < most ? more : most;
        left = left || kafka->visible[i] < kafka->log->counts[i];
    }
    return left;
}

static void run_cluster(struct kafka *kafka, const struct fixture *fixture)
{
    struct instance instances[INSTANCES];
    rebalance(kafka);
    for (int i = 0; i < INSTANCES; i++)
        start(&instances[i], kafka, fixture, i);
    for (bool left = true; left;) {
        left = feed(kafka);
        for (int i = 0; i < INSTANCES; i++) {
            disturb(kafka, instances);
            turn(&instances[below(INSTANCES)], below(3) == 0);
        }
    }
    for (int i = 0; i < INSTANCES; i++) {
        instances[i].calm = true;
        memset(instances[i].not_ready, 0, sizeof instances[i].not_ready);
    }
    uint64_t before = kafka->changes;
    for (int quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
        for (int i = 0; i < INSTANCES; i++)
            turn(&instances[i], true);
        if (kafka->changes != before)
            quiet = 0;
        before = kafka->changes;
    }
    for (int i = 0; i < INSTANCES; i++) {
        close_engine(&instances[i]);
        instances[i].store->ops->close(instances[i].store);
    }
}

static void kafka_init(struct kafka *kafka, const struct log *log)
{
    *kafka = (struct kafka){.log = log};
    for (size_t i = 0; i < PARTITIONS; i++)
        kafka->described[i] = partitions[i];
    for (int task = 0; task < TASKS; task++)
        kafka->described[PARTITIONS + task] = (struct source_partition){SOURCES, {"exchange", 8}, task};
}

static void kafka_fini(struct kafka *kafka)
{
    for (int task = 0; task < TASKS; task++) {
        free(kafka->exchange[task]);
        free(kafka->exchange_offsets[task]);
        free(kafka->changelog[task]);
    }
    outputs_fini(&kafka->outputs);
    arena_fini(&kafka->arena);
}

/* The end of each partition is an event far beyond all others, which lets everything before it be applied. */
static void add_ends(struct log *log)
{
    int64_t end_ms = log->end_ms + 5 * DAY_MS;
    for (size_t i = 0; i < INCIDENT_PARTITIONS; i++)
        add(log, i,
            arena_printf(&log->arena,
                         "{\"event_id\":\"end%zu\",\"incident_id\":\"end%zu\",\"status\":\"open\",\"occurred_at\":%lld,"
                         "\"service\":\"end\",\"severity\":\"sev5\",\"title\":\"t\"}",
                         i, i, (long long)end_ms));
    for (size_t i = INCIDENT_PARTITIONS; i < FEEDBACK_FIRST; i++)
        add(log, i,
            arena_printf(&log->arena, "{\"service\":\"end\",\"name\":\"end\",\"value\":1,\"occurred_at\":%lld}",
                         (long long)end_ms));
    for (size_t i = FEEDBACK_FIRST; i < PARTITIONS; i++)
        add_at(log, i,
               "{\"event_id\":\"end\",\"recommendation_id\":\"none:0123456789abcdef\",\"action\":\"comment\","
               "\"actor\":\"a\",\"occurred_at\":0}",
               end_ms);
}

/* One engine over the exchange in memory, fed all at once, without an end: time comes from the log alone. */
static void run_alone(const struct fixture *fixture, struct durable *durable)
{
    struct error err = {0};
    struct engine *engine;
    struct state *state = state_new(lend(durable->store));
    struct feed all;
    feed_open(&all, &fixture->log, durable);
    struct engine_options options = {.rules = fixture->rules,
                                     .config = fixture->config,
                                     .source = all.source,
                                     .state = state,
                                     .commit = &durable->base,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    must(engine_new(&engine, &options, &err), &err);
    must(engine_restore(engine, &err), &err);
    (void)feed_some(&all, true);
    for (bool worked = true; worked;)
        must(engine_step(engine, &worked, &err), &err);
    must(engine_commit(engine, &err), &err);
    engine_free(engine);
    state_free(state);
    all.source->ops->close(all.source);
}

static void test_a_cluster_says_what_one_engine_says(void **state)
{
    struct fixture fixture = {0};
    (void)state;
    load_story(&fixture, "limits: {window_events: 40}\n");
    fixture.config->commit_interval_ms = 0; /* one begins when none is under way, so that no clock has a say */
    for (int history = 0; history < histories; history++) {
        uint64_t seed_of_history = seed;
        struct durable silent;
        struct durable alone;
        struct kafka kafka;
        make_log(&fixture.log);
        durable_init(&silent);
        assert_true(live(&fixture, &silent, false));
        add_feedback(&fixture.log, &silent.outputs);
        durable_fini(&silent);
        add_ends(&fixture.log);
        durable_init(&alone);
        run_alone(&fixture, &alone);
        kafka_init(&kafka, &fixture.log);
        run_cluster(&kafka, &fixture);
        print_message("seed %llu: %zu recommendations, %zu dead letters, %llu transactions\n",
                      (unsigned long long)seed_of_history, alone.outputs.count, alone.dead_letters,
                      (unsigned long long)kafka.changes);
        assert_true(alone.outputs.count > 5);
        struct durable cluster = {.outputs = kafka.outputs, .dead_letters = kafka.dead_letters};
        compare(&alone, &cluster);
        kafka_fini(&kafka);
        durable_fini(&alone);
        log_fini(&fixture.log);
    }
    fixture_fini(&fixture);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (argc > 2)
        histories = (int)strtol(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_cluster_says_what_one_engine_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
