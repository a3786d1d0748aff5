/* `forestall run`: the processor, as a member of the consumer group, until it is told to stop. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/stop.h"
#include "cli/watch.h"
#include "engine/engine.h"
#include "engine/instance.h"
#include "engine/topics.h"
#include "io/source_kafka.h"

enum { COUNTERS_EVERY_US = 60 * 1000 * 1000 };

static const char usage[] =
    "usage: forestall run [-c FILE] [--accept-gap]\n"
    "\n"
    "Reads the configuration's topics, applies its rules and publishes recommendations, until SIGTERM or SIGINT: then "
    "it\n"
    "commits and leaves within a few seconds. Rules whose files change are loaded again, all or none; SIGHUP asks for "
    "it.\n"
    "\n"
    "  -c, --config FILE    the configuration (default: ./forestall.yaml)\n"
    "  --accept-gap         go on where records between the committed position and the log's start are gone\n";

/* All that a run holds; closed in reverse order. */
struct run {
    struct loaded loaded;
    struct instance *instance;
    struct state *state;
    struct source *source;
    struct commit *commit;
    struct engine *engine;
    struct watch *watch;
    bool accept_gap;
};

static int open_state(struct run *run, struct error *err)
{
    const struct config *config = run->loaded.config;
    struct store *store;
    TRY(instance_open(&run->instance, config->state_dir.p, err));
    TRY(store_rocksdb_open(&store, instance_store_dir(run->instance), config->state_memory_bytes / 4, err));
    run->state = state_new(store);
    return 0;
}

static int open_source(struct run *run, struct error *err)
{
    const struct config *config = run->loaded.config;
    struct str topics[256];
    if (config->source_count > sizeof topics / sizeof *topics)
        return error_set(err, ERROR_FATAL, "more than 256 sources");
    for (size_t i = 0; i < config->source_count; i++)
        topics[i] = config->sources[i].topic;
    struct source_kafka_options options = {.properties = config->kafka,
                                           .property_count = config->kafka_count,
                                           .topics = topics,
                                           .topic_count = config->source_count,
                                           .group_id = config->application_id.p,
                                           .instance_id = instance_id(run->instance)};
    return source_kafka_open(&run->source, &options, err);
}

static int open_all(struct run *run, struct error *err)
{
    const struct config *config = run->loaded.config;
    if (config->exchange == EXCHANGE_KAFKA)
        return error_set(err, ERROR_FATAL, "exchange: kafka is not built yet; `run` takes exchange: local");
    TRY(topics_for_run(config, err));
    TRY(open_state(run, err));
    TRY(open_source(run, err));
    struct commit_kafka_options commit = {.config = config,
                                          .source = run->source,
                                          .instance_id = instance_id(run->instance),
                                          .accept_gap = run->accept_gap};
    TRY(commit_kafka_open(&run->commit, &commit, err));
    struct engine_options engine = {.rules = run->loaded.rules,
                                    .config = config,
                                    .source = run->source,
                                    .state = run->state,
                                    .commit = run->commit,
                                    .live = true,
                                    .until_ms = INT64_MAX,
                                    .publish_from_ms = INT64_MIN};
    return engine_new(&run->engine, &engine, err);
}

static void close_all(struct run *run)
{
    watch_free(run->watch);
    engine_free(run->engine);
    if (run->commit != NULL)
        run->commit->ops->close(run->commit);
    if (run->source != NULL)
        run->source->ops->close(run->source);
    if (run->state != NULL)
        state_free(run->state);
    if (run->instance != NULL)
        instance_close(run->instance);
    loaded_free(&run->loaded);
}

/* The rules as the files have them now, whole or not at all. */
static int reload(struct run *run, struct error *err)
{
    struct ruleset *rules = load_rules_again(run->loaded.config);
    watch_renew(run->watch);
    if (rules == NULL)
        return 0;
    bool switched = false;
    int result = engine_reload(run->engine, rules, &switched, err);
    if (!switched) {
        ruleset_free(rules);
        return result;
    }
    ruleset_free(run->loaded.rules);
    run->loaded.rules = rules;
    log_info("rules reloaded", LOG_I("rules", rules->count), LOG_I("files", rules->file_count));
    return result;
}

/* One turn of the loop: restore if memory is void, else a step, else a wait. */
static int turn(struct run *run, bool *ready, struct error *err)
{
    if (!*ready) {
        TRY(engine_restore(run->engine, err));
        *ready = true;
        engine_log_counters(run->engine, "ready");
        return 0;
    }
    if (watch_changed(run->watch))
        return reload(run, err);
    bool worked;
    TRY(engine_step(run->engine, &worked, err));
    return worked ? 0 : engine_wait(run->engine, err);
}

static int loop(struct run *run, struct error *err)
{
    bool ready = false;
    int64_t told_us = clock_mono_us();
    while (!stop_wanted()) {
        if (turn(run, &ready, err) != 0) {
            if (err->class != ERROR_ABORT || stop_wanted())
                return err->class == ERROR_ABORT ? 0 : -1;
            log_warn("going back to the committed positions", LOG_S("reason", err->message));
            ready = false;
        }
        if (clock_mono_us() - told_us > COUNTERS_EVERY_US) {
            engine_log_counters(run->engine, "running");
            told_us = clock_mono_us();
        }
    }
    if (!ready)
        return 0;
    return engine_commit(run->engine, err);
}

static void log_start(const struct config *config, const struct ruleset *rules)
{
    log_info("starting", LOG_S("version", FORESTALL_VERSION), LOG_T("application_id", config->application_id),
             LOG_I("rules", rules->count), LOG_I("sources", config->source_count));
    if (config->http_listen.n > 0)
        log_warn("http is configured, but not served by this version", LOG_T("listen", config->http_listen));
}

int cli_run(int argc, char **argv)
{
    const char *path = "forestall.yaml";
    struct run run = {0};
    struct error err = {0};
    const struct cli_option options[] = {{.name = "config", .short_name = 'c', .value = &path},
                                         {.name = "accept-gap", .flag = &run.accept_gap},
                                         {.name = NULL}};
    struct cli_arguments arguments = {0};
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    if (!load(&run.loaded, path, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES | CONFIG_NEED_RULES))
        return 1;
    stop_on_signals();
    log_start(run.loaded.config, run.loaded.rules);
    int result = open_all(&run, &err);
    if (result == 0) {
        run.watch = watch_new(run.loaded.config->rules, run.loaded.config->rule_count);
        result = loop(&run, &err);
    }
    if (result != 0)
        log_error(err.message);
    if (run.engine != NULL)
        engine_log_counters(run.engine, result == 0 ? "stopped" : "stopped by an error");
    close_all(&run);
    return result == 0 ? 0 : 1;
}
