/* A reduce over RocksDB by itself, for what many groups cost without Kafka. */
#ifndef FORESTALL_BENCH_REDUCE_BENCH_H
#define FORESTALL_BENCH_REDUCE_BENCH_H

#include <sys/resource.h>

#include "engine/reduce.h"
#include "figure.h"

struct bench {
    struct ruleset *rules;
    struct config *config;
    struct store *store;
    struct state *state;
    struct reduce *reduce;
    double committing; /* seconds */
};

static inline void report_memory(const char *when)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    report("memory", "MiB", when, (double)usage.ru_maxrss / 1024);
}

/* `memory` is state.memory in bytes; as many groups a rule may there be. */
static inline void bench_load(struct bench *bench, const char *rules, int64_t groups, int64_t memory)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    const char *config = arena_printf(&arena, "limits: {groups: %lld}\n", (long long)groups);
    *bench = (struct bench){0};
    bench->rules = ruleset_load_text("bench", str_of(rules), &diagnostics);
    bench->config = config_load_text("bench", str_of(config), NULL, 0, &diagnostics);
    must(bench->rules != NULL && bench->config != NULL, "the rules cannot be loaded");
    bench->config->state_memory_bytes = memory;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

static inline void bench_free(struct bench *bench)
{
    ruleset_free(bench->rules);
    config_free(bench->config);
}

/* The state of `folder`, which holds what waits besides. */
static inline void bench_open(struct bench *bench, const char *folder, int64_t applied_ms)
{
    struct error err = {0};
    int64_t memory = bench->config->state_memory_bytes;
    must(store_rocksdb_open(&bench->store, folder, memory / 4, &err) == 0, err.message);
    bench->state = state_new(bench->store);
    bench->reduce = reduce_new(&(struct reduce_options){.rules = bench->rules,
                                                        .config = bench->config,
                                                        .state = bench->state,
                                                        .tasks = task_range_all(bench->config->tasks),
                                                        .memory_bytes = memory,
                                                        .scratch_dir = folder});
    const int64_t applied[] = {applied_ms, applied_ms};
    must(reduce_restore(bench->reduce, applied, &err) == 0, err.message);
}

static inline void bench_close(struct bench *bench)
{
    reduce_free(bench->reduce);
    state_free(bench->state);
}

static inline void bench_commit(struct bench *bench)
{
    const struct str_pair *dirty;
    struct error err;
    double start = seconds();
    reduce_before_commit(bench->reduce);
    size_t n = state_dirty(bench->state, &dirty);
    must(bench->store->ops->write(bench->store, dirty, n, &err) == 0, err.message);
    state_settle(bench->state);
    bench->committing += seconds() - start;
}

/* Applies what lies before a time, and commits where much has changed; returns the seconds it took. */
static inline double bench_advance(struct bench *bench, int64_t before_ms)
{
    const int64_t before[] = {before_ms, before_ms};
    struct error err = {0};
    double start = seconds();
    for (bool more = true; more;) {
        must(reduce_advance(bench->reduce, before, &more, &err) == 0, err.message);
        if (state_dirty_bytes(bench->state) + reduce_unwritten(bench->reduce) > REDUCE_DIRTY_BYTES_MAX)
            bench_commit(bench);
    }
    return seconds() - start;
}

#endif
