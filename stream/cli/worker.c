/* See worker.h. */
#include "cli/worker.h"

#include <stdlib.h>

#include "base/clock.h"
#include "cli/stop.h"
#include "engine/memory.h"
#include "io/source_kafka.h"

enum { COUNTERS_EVERY_US = 60 * 1000 * 1000 };

static int64_t memory_of(const struct config *config)
{
    return config->state_memory_bytes / config->workers;
}

static int open_source(struct worker *worker, struct error *err)
{
    const struct config *config = worker->config;
    bool shared = config->exchange == EXCHANGE_KAFKA;
    struct str topics[CONFIG_SOURCES_MAX + 1];
    struct buf exchange = {0};
    struct buf member = {0};
    for (size_t i = 0; i < config->source_count; i++)
        topics[i] = config->sources[i].topic;
    buf_printf(&exchange, "%.*s-exchange", STR_ARG(config->application_id));
    topics[config->source_count] = buf_str(&exchange);
    buf_puts(&member, worker->instance_id);
    if (worker->number > 0)
        buf_printf(&member, "-%d", worker->number);
    worker->member_id = mem_strdup(buf_str(&member));
    struct source_kafka_options options = {.properties = config->kafka,
                                           .property_count = config->kafka_count,
                                           .topics = topics,
                                           .topic_count = config->source_count + shared,
                                           .shared = shared,
                                           .ahead_bytes = memory_share(memory_of(config), MEMORY_FETCH),
                                           .group_id = config->application_id.p,
                                           .instance_id = worker->member_id};
    int result = source_kafka_open(&worker->source, &options, err);
    buf_fini(&exchange);
    buf_fini(&member);
    return result;
}

int worker_open(struct worker *worker, struct store *store, struct error *err)
{
    const struct config *config = worker->config;
    bool shared = config->exchange == EXCHANGE_KAFKA;
    worker->state = state_share(store);
    TRY(open_source(worker, err));
    struct commit_kafka_options commit = {.config = config,
                                          .source = worker->source,
                                          .instance_id = worker->instance_id,
                                          .worker = worker->number,
                                          .claims = worker->claims,
                                          .shared = shared,
                                          .accept_gap = worker->accept_gap};
    TRY(commit_kafka_open(&worker->commit, &commit, err));
    struct engine_options engine = {.rules = atomic_load(&worker->rules->rules),
                                    .config = config,
                                    .source = worker->source,
                                    .state = worker->state,
                                    .commit = worker->commit,
                                    .shared = shared,
                                    .scratch_dir = config->state_dir.p,
                                    .live = true,
                                    .dirty_bytes_max = (size_t)memory_commit_share(memory_of(config), MEMORY_DIRTY),
                                    .until_ms = INT64_MAX,
                                    .publish_from_ms = INT64_MIN};
    atomic_store(&worker->version, atomic_load(&worker->rules->version));
    return engine_new(&worker->engine, &engine, err);
}

void worker_close(struct worker *worker)
{
    engine_free(worker->engine);
    if (worker->commit != NULL)
        worker->commit->ops->close(worker->commit);
    if (worker->source != NULL)
        worker->source->ops->close(worker->source);
    if (worker->state != NULL)
        state_free(worker->state);
    free(worker->member_id);
}

bool worker_switched(struct worker *worker)
{
    return atomic_load(&worker->version) == atomic_load(&worker->rules->version);
}

static int take_rules(struct worker *worker, struct error *err)
{
    unsigned version = atomic_load(&worker->rules->version);
    const struct ruleset *rules = atomic_load(&worker->rules->rules);
    bool switched = false;
    int result = engine_reload(worker->engine, rules, &switched, err);
    if (switched) {
        atomic_store(&worker->version, version);
        log_info("rules reloaded", LOG_I("rules", rules->count), LOG_I("files", rules->file_count));
    }
    return result;
}

/* One turn of the loop: restore if memory is void, else a step, else a wait. */
static int turn(struct worker *worker, struct error *err)
{
    if (!worker->ready) {
        TRY(engine_restore(worker->engine, err));
        worker->ready = true;
        engine_log_counters(worker->engine, "ready");
        return 0;
    }
    if (!worker_switched(worker))
        return take_rules(worker, err);
    bool worked;
    TRY(engine_step(worker->engine, &worked, err));
    return worked ? 0 : engine_wait(worker->engine, err);
}

static bool passes(const struct error *err)
{
    return err->class == ERROR_ABORT || err->class == ERROR_RETRY;
}

/* Before it ends. What cannot be committed any more is no error: whoever has the partitions now reads it again. */
static int last_commit(struct worker *worker, struct error *err)
{
    if (!worker->ready || engine_commit(worker->engine, err) == 0)
        return 0;
    if (!passes(err))
        return -1;
    log_warn("ended without a last commit", LOG_S("reason", err->message));
    return 0;
}

int worker_run(struct worker *worker, struct error *err)
{
    worker->told_us = clock_mono_us();
    while (!stop_wanted()) {
        if (turn(worker, err) != 0) {
            if (!passes(err) || stop_wanted())
                return passes(err) ? 0 : -1;
            if (err->class == ERROR_RETRY)
                outage_wait(&worker->outage, err);
            else
                log_warn("going back to the committed positions", LOG_S("reason", err->message));
            worker->ready = false;
        } else if (worker->ready) {
            outage_over(&worker->outage);
        }
        if (clock_mono_us() - worker->told_us > COUNTERS_EVERY_US) {
            engine_log_counters(worker->engine, "running");
            worker->told_us = clock_mono_us();
        }
    }
    return last_commit(worker, err);
}
