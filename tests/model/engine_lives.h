/* The engine in lives that end by crashes: a log, what outlives a crash (committed positions, state and outputs), and
 * the comparison of all that came out. The seed is the including test's to set. */
#ifndef FORESTALL_TESTS_ENGINE_LIVES_H
#define FORESTALL_TESTS_ENGINE_LIVES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "engine/engine.h"

static uint64_t seed = 1;
static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t below(int64_t n)
{
    return (int64_t)(next_random() % (uint64_t)n);
}

/* A record takes two offsets: the second is that of its transaction's marker. */
enum { PARTITIONS = 6, INCIDENT_PARTITIONS = 2, FEEDBACK_FIRST = 4, SOURCES = 3, OFFSETS = 2 };

static const struct source_partition partitions[PARTITIONS] = {{0, {"incidents", 9}, 0}, {0, {"incidents", 9}, 1},
                                                               {1, {"telemetry", 9}, 0}, {1, {"telemetry", 9}, 1},
                                                               {2, {"words", 5}, 0},     {2, {"words", 5}, 1}};

struct record {
    struct str value;
    int64_t timestamp_ms;
};

/* The log: JSON records a partition, in offset order. */
struct log {
    struct record *records[PARTITIONS];
    size_t counts[PARTITIONS];
    int64_t end_ms;
    struct arena arena;
};

/* What outlives a crash. */
struct durable {
    struct commit base;
    struct store *store;
    struct source *source; /* of the present life */
    struct commit_position positions[PARTITIONS];
    int64_t applied_ms;
    bool committed;
    struct map outputs; /* id -> struct buf of lines */
    size_t dead_letters;
    size_t refused; /* of them: feedback */
    bool within;    /* the last commit came within an instant */
    size_t killed_within;
};

struct fixture {
    struct config *config;
    struct ruleset *rules;
    struct log log;
};

static void add_at(struct log *log, size_t partition, const char *text, int64_t timestamp_ms)
{
    struct record *records = mem_realloc(log->records[partition], (log->counts[partition] + 1) * sizeof *records);
    log->records[partition] = records;
    records[log->counts[partition]++] = (struct record){arena_str(&log->arena, str_of(text)), timestamp_ms};
}

static void add(struct log *log, size_t partition, const char *text)
{
    add_at(log, partition, text, INT64_C(1900000000000));
}

/* Whether a commit comes within an instant: it leaves a place, or moves one on. */
static bool is_within(const struct str_pair *dirty, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (dirty[i].value.p != NULL && dirty[i].key.p[2] == STATE_META &&
            str_eq((struct str){dirty[i].key.p + 3, dirty[i].key.n - 3}, STR_LIT("instant")))
            return true;
    return false;
}

static int durable_commit(struct commit *commit, const struct commit_batch *batch, struct state *state,
                          struct error *err)
{
    struct durable *durable = (struct durable *)commit;
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct commit_record *record = &batch->records[i];
        if (record->output == OUTPUT_DEAD_LETTER) {
            durable->dead_letters++;
            durable->refused += str_eq(record->headers[1].value, partitions[FEEDBACK_FIRST].topic_name);
            continue;
        }
        void **slot = map_slot(&durable->outputs, record->key);
        if (*slot == NULL)
            *slot = mem_zalloc(sizeof(struct buf));
        buf_str_put(*slot, record->value);
        buf_byte(*slot, '\n');
    }
    const struct str_pair *dirty;
    size_t n = state_dirty(state, &dirty);
    durable->within = is_within(dirty, n);
    if (durable->store->ops->write(durable->store, dirty, n, err) != 0)
        return -1;
    state_settle(state);
    for (size_t i = 0; i < PARTITIONS; i++)
        durable->positions[i] = batch->positions[i];
    durable->applied_ms = batch->applied_ms;
    durable->committed = true;
    return 0;
}

static int durable_restore(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                           struct error *err)
{
    struct durable *durable = (struct durable *)commit;
    (void)state;
    (void)arena;
    for (size_t i = 0; i < PARTITIONS; i++)
        TRY(durable->source->ops->seek(durable->source, i, durable->positions[i].offset, err));
    *out = (struct commit_restored){
        .first_start = !durable->committed, .positions = durable->positions, .applied_ms = durable->applied_ms};
    return 0;
}

static void durable_close(struct commit *commit)
{
    (void)commit;
}

static const struct commit_ops durable_ops = {
    .commit = durable_commit, .restore = durable_restore, .close = durable_close};

/* The store's close is not the engine's business: state_free closes it, so it is lent behind a wrapper. */
struct lent {
    struct store base;
    struct store *store;
};

static int lent_get(struct store *store, struct str key, struct buf *value, struct error *err)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->get(below_it, key, value, err);
}

static int lent_write(struct store *store, const struct str_pair *entries, size_t n, struct error *err)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->write(below_it, entries, n, err);
}

static struct store_iterator *lent_scan(struct store *store, struct str from, struct str to)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->scan(below_it, from, to);
}

static int lent_next(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err);
static void lent_scan_end(struct store_iterator *iterator);

static int lent_clear(struct store *store, struct str from, struct str to, struct error *err)
{
    struct store *below_it = ((struct lent *)store)->store;
    return below_it->ops->clear(below_it, from, to, err);
}

static void lent_close(struct store *store)
{
    free(store);
}

static const struct store_ops *memory_ops;

static int lent_next(struct store_iterator *iterator, struct str *key, struct str *value, struct error *err)
{
    return memory_ops->next(iterator, key, value, err);
}

static void lent_seek(struct store_iterator *iterator, struct str from)
{
    memory_ops->seek(iterator, from);
}

static void lent_scan_end(struct store_iterator *iterator)
{
    memory_ops->scan_end(iterator);
}

static struct store *lend(struct store *store)
{
    static const struct store_ops ops = {lent_get,  lent_write,    lent_scan,  lent_next,
                                         lent_seek, lent_scan_end, lent_clear, lent_close};
    struct lent *lent = mem_zalloc(sizeof *lent);
    memory_ops = store->ops;
    lent->base.ops = &ops;
    lent->store = store;
    return &lent->base;
}

/* A fresh source over what the log holds from the committed positions on, fed in random portions. */
struct feed {
    struct source *source;
    const struct log *log;
    size_t given[PARTITIONS];
};

static void feed_open(struct feed *feed, const struct log *log, struct durable *durable)
{
    feed->log = log;
    feed->source = durable->source = source_memory_new(partitions, PARTITIONS);
    for (size_t i = 0; i < PARTITIONS; i++) {
        feed->given[i] = (size_t)(durable->positions[i].offset + OFFSETS - 1) / OFFSETS;
        source_memory_skip(feed->source, i, durable->positions[i].offset);
    }
}

/* Markers of what was given so far may be there already. */
static void feed_one(struct feed *feed, size_t partition, bool marker)
{
    const struct record *record = &feed->log->records[partition][feed->given[partition]];
    int64_t offset = (int64_t)feed->given[partition]++ * OFFSETS;
    source_memory_skip(feed->source, partition, offset);
    source_memory_add(feed->source, partition, record->value, record->timestamp_ms);
    if (marker)
        source_memory_skip(feed->source, partition, offset + OFFSETS);
}

static bool feed_some(struct feed *feed, bool all)
{
    bool left = false;
    for (size_t i = 0; i < PARTITIONS; i++) {
        int64_t portion = all ? INT64_MAX : below(30);
        for (; portion > 0 && feed->given[i] < feed->log->counts[i]; portion--)
            feed_one(feed, i, all || portion % 2 == 0);
        left = left || feed->given[i] < feed->log->counts[i];
    }
    return left;
}

static void must(int result, const struct error *err)
{
    if (result != 0)
        fail_msg("%s", err->message);
}

/* Commits come within instants, too, and few timers are in memory. */
static void stop_often(struct engine_options *options)
{
    if (below(3) > 0)
        options->work_max = 1 + (size_t)below(below(2) == 0 ? 5 : 200);
    if (below(3) > 0)
        options->dirty_bytes_max = 1 + (size_t)below(20000);
    if (below(4) > 0)
        options->timers_max = 1 + (size_t)below(below(2) == 0 ? 4 : 40);
}

/* A transaction that was aborted: the same engine goes back to what was committed. */
static void abort_some(struct engine *engine)
{
    struct error err = {0};
    if (below(4) == 0)
        must(engine_restore(engine, &err), &err);
}

/* One life of the engine: true when it came to the end of the log, false when it was killed. */
static bool live(const struct fixture *fixture, struct durable *durable, bool disturbed)
{
    struct feed feed;
    struct error err = {0};
    struct engine *engine;
    struct state *state = state_new(lend(durable->store));
    feed_open(&feed, &fixture->log, durable);
    struct engine_options options = {.rules = fixture->rules,
                                     .config = fixture->config,
                                     .source = feed.source,
                                     .state = state,
                                     .commit = &durable->base,
                                     .scratch_dir = disturbed && below(2) == 0 ? P_tmpdir : NULL,
                                     .until_ms = INT64_MAX,
                                     .publish_from_ms = INT64_MIN};
    if (disturbed)
        stop_often(&options);
    must(engine_new(&engine, &options, &err), &err);
    must(engine_restore(engine, &err), &err);
    bool killed = false;
    for (bool left = true; left && !killed;) {
        bool worked;
        left = feed_some(&feed, !disturbed);
        must(engine_step(engine, &worked, &err), &err);
        if (disturbed && below(3) == 0)
            must(engine_commit(engine, &err), &err);
        if (disturbed)
            abort_some(engine);
        killed = disturbed && below(15) == 0;
        for (int more = disturbed && worked ? (int)below(30) : 0; more > 0 && worked && !killed; more--) {
            must(engine_step(engine, &worked, &err), &err);
            if (below(3) == 0)
                must(engine_commit(engine, &err), &err);
            abort_some(engine);
            killed = durable->within && below(12) == 0;
            durable->killed_within += killed;
        }
    }
    if (!killed) {
        source_memory_end(feed.source);
        while (!engine_finished(engine)) {
            bool worked;
            must(engine_step(engine, &worked, &err), &err);
        }
        must(engine_end(engine, true, &err), &err);
    }
    engine_free(engine);
    state_free(state);
    feed.source->ops->close(feed.source);
    return !killed;
}

static void durable_init(struct durable *durable)
{
    *durable = (struct durable){.store = store_memory_new(), .applied_ms = INT64_MIN};
    durable->base.ops = &durable_ops;
    for (size_t i = 0; i < PARTITIONS; i++)
        durable->positions[i] =
            (struct commit_position){.owned = true, .max_time_ms = INT64_MIN, .first_ms = INT64_MIN};
}

static void outputs_fini(struct map *outputs)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(outputs, &i, &entry);) {
        buf_fini(entry->value);
        free(entry->value);
    }
    map_fini(outputs);
}

static void durable_fini(struct durable *durable)
{
    outputs_fini(&durable->outputs);
    durable->store->ops->close(durable->store);
}

static void compare(const struct durable *expected, const struct durable *actual)
{
    struct map_entry *entry;
    assert_int_equal(expected->outputs.count, actual->outputs.count);
    assert_int_equal(expected->dead_letters, actual->dead_letters);
    for (size_t i = 0; map_next(&expected->outputs, &i, &entry);) {
        const struct buf *want = entry->value;
        const struct buf *got = map_get(&actual->outputs, entry->key);
        assert_non_null(got);
        if (!str_eq(buf_str(want), buf_str(got))) {
            size_t at = 0;
            while (at < want->len && at < got->len && want->p[at] == got->p[at])
                at++;
            size_t from = at > 300 ? at - 300 : 0;
            fail_msg("%.*s differs at byte %zu:\n%.*s\n---\n%.*s", STR_ARG(entry->key), at, 500, want->p + from, 500,
                     got->p + from);
        }
    }
}

static void must_be_good(const struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        if (!diagnostics->items[i].warning)
            fail_msg("%d:%d: %s", diagnostics->items[i].line, diagnostics->items[i].column,
                     diagnostics->items[i].message);
}

static struct ruleset *load_rules(struct str text)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = ruleset_load_text("model.yaml", text, &diagnostics);
    must_be_good(&diagnostics);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return rules;
}

/* Out of order are events by two minutes, what comes later is a dead letter; `config` is more of the configuration. */
static void load(struct fixture *fixture, struct str rules, const char *config)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    config = arena_printf(&arena, "state: {tasks: 3}\ncommit_interval: 60s\ntime: {late: dead_letter}\n%s", config);
    fixture->config = config_load_text("model", str_of(config), NULL, 0, &diagnostics);
    must_be_good(&diagnostics);
    fixture->rules = load_rules(rules);
    fixture->config->state_memory_bytes = 256 * 1024; /* groups leave memory, and partitions wait for the slowest */
    struct config_source *sources = arena_zalloc(&fixture->config->arena, SOURCES * sizeof *sources);
    static const enum stream_id streams[SOURCES] = {STREAM_INCIDENT, STREAM_TELEMETRY, STREAM_FEEDBACK};
    for (int i = 0; i < SOURCES; i++)
        sources[i] = (struct config_source){.topic = partitions[2 * i].topic_name,
                                            .stream = stream_get(streams[i]),
                                            .idle_lag_ms = INT64_MAX,
                                            .out_of_orderness_ms = 2 * MINUTE_MS,
                                            .max_future_skew_ms = 0};
    fixture->config->sources = sources;
    fixture->config->source_count = SOURCES;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static void log_fini(struct log *log)
{
    for (size_t i = 0; i < PARTITIONS; i++) {
        free(log->records[i]);
        log->records[i] = NULL;
        log->counts[i] = 0;
    }
    arena_fini(&log->arena);
}

static void fixture_fini(struct fixture *fixture)
{
    ruleset_free(fixture->rules);
    config_free(fixture->config);
}

#endif
