/* `forestall run`: the processor, as a member of the consumer group, until it is told to stop. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/outage.h"
#include "cli/stop.h"
#include "cli/watch.h"
#include "cli/worker.h"
#include "engine/claims.h"
#include "engine/engine_log.h"
#include "engine/instance.h"
#include "engine/memory.h"
#include "engine/standby.h"
#include "engine/topics.h"
#include "io/kafka.h"

static const char usage[] =
    "usage: forestall run [-c FILE] [--accept-gap]\n"
    "\n"
    "Reads the configuration's topics, applies its rules and publishes recommendations, until SIGTERM or SIGINT: then "
    "it\n"
    "commits and ends within a few seconds. The group keeps its place for 10 s more, for the next start. Rules whose\n"
    "files change are loaded again, all or none; SIGHUP asks for it.\n"
    "\n"
    "  -c, --config FILE    the configuration (default: ./forestall.yaml)\n"
    "  --accept-gap         go on where records between the committed position and the log's start are gone\n";

/* All that a run holds; closed in reverse order. */
struct run {
    struct loaded loaded;   /* its rules are those that all workers run, or are on their way to */
    struct ruleset *before; /* that some worker may still run; NULL: none */
    struct instance *instance;
    struct store *store;
    struct claims *claims;
    struct standby *standby; /* NULL: no copies are kept */
    struct worker_rules rules;
    struct worker *workers;
    int worker_count;
    struct watch *watch;
    bool accept_gap;
};

/* With a worker for each CPU each keeps to one of its own, with all the threads that it and its clients start: an event
 * is then fetched, handed over, folded and freed within one cache. With fewer the kernel places them. */
static void place_worker(const struct config *config, int number)
{
    if ((size_t)config->workers >= cpu_count())
        cpu_stay((size_t)number);
}

static int open_worker(struct run *run, struct error *err)
{
    struct worker *worker = &run->workers[run->worker_count];
    *worker = (struct worker){.number = run->worker_count,
                              .config = run->loaded.config,
                              .instance_id = instance_id(run->instance),
                              .rules = &run->rules,
                              .claims = run->claims,
                              .accept_gap = run->accept_gap};
    if (worker_open(worker, run->store, err) != 0) {
        worker_close(worker);
        return -1;
    }
    run->worker_count++;
    return 0;
}

static int look_at_topics(struct run *run, struct error *err)
{
    return topics_for_run(run->loaded.config, err);
}

/* Waits for a cluster that does not answer, for as long as it takes. ERROR_RETRY: told to stop meanwhile. */
static int patiently(struct run *run, int (*step)(struct run *run, struct error *err), struct error *err)
{
    struct outage outage = {0};
    while (step(run, err) != 0) {
        if (err->class != ERROR_RETRY || stop_wanted())
            return -1;
        outage_wait(&outage, err);
    }
    outage_over(&outage);
    return 0;
}

static void log_start(const struct run *run)
{
    const struct config *config = run->loaded.config;
    log_info("starting", LOG_S("version", FORESTALL_VERSION), LOG_T("application_id", config->application_id),
             LOG_S("instance", instance_id(run->instance)), LOG_I("rules", run->loaded.rules->count),
             LOG_I("sources", config->source_count),
             LOG_S("exchange", config->exchange == EXCHANGE_KAFKA ? "kafka" : "local"),
             LOG_I("workers", config->workers), LOG_I("tasks", config->tasks), LOG_T("state_dir", config->state_dir));
    if (config->http_listen.n > 0)
        log_warn("http is configured, but not served by this version", LOG_T("listen", config->http_listen));
}

static int open_all(struct run *run, struct error *err)
{
    const struct config *config = run->loaded.config;
    TRY(instance_open(&run->instance, config->state_dir.p, err));
    log_start(run);
    TRY(patiently(run, look_at_topics, err));
    TRY(store_rocksdb_open(&run->store, instance_store_dir(run->instance),
                           memory_share(config->state_memory_bytes, MEMORY_STORE), err));
    run->claims = claims_new(config->tasks);
    atomic_store(&run->rules.rules, run->loaded.rules);
    run->workers = mem_zalloc((size_t)config->workers * sizeof *run->workers);
    int result = 0;
    while (result == 0 && run->worker_count < config->workers) {
        place_worker(config, run->worker_count);
        engine_log_worker(config, run->worker_count);
        result = patiently(run, open_worker, err);
    }
    cpu_roam();
    engine_log_worker(config, -1);
    TRY(result);
    if (config->standby_replicas == 0)
        return 0;
    return standby_open(
        &run->standby,
        &(struct standby_options){
            .config = config, .store = run->store, .claims = run->claims, .instance_id = instance_id(run->instance)},
        err);
}

static void close_all(struct run *run)
{
    watch_free(run->watch);
    standby_close(run->standby);
    for (int i = 0; i < run->worker_count; i++)
        worker_close(&run->workers[i]);
    free(run->workers);
    claims_free(run->claims);
    if (run->store != NULL)
        run->store->ops->close(run->store);
    if (run->instance != NULL)
        instance_close(run->instance);
    ruleset_free(run->before);
    loaded_free(&run->loaded);
}

static bool all_switched(struct run *run)
{
    for (int i = 0; i < run->worker_count; i++)
        if (!worker_switched(&run->workers[i]))
            return false;
    return true;
}

/* The rules as the files have them now, whole or not at all. */
static void reload(struct run *run)
{
    watch_renew(run->watch); /* before they are read: what changes from here on is seen */
    struct ruleset *rules = load_rules_again(run->loaded.config);
    if (rules == NULL)
        return;
    run->before = run->loaded.rules;
    run->loaded.rules = rules;
    atomic_store(&run->rules.rules, rules);
    atomic_fetch_add(&run->rules.version, 1);
}

/* Watches the rules while the workers run. */
static void look_after(struct run *run)
{
    const struct timespec pause = {0, 50 * 1000 * 1000};
    while (!stop_wanted()) {
        if (run->before != NULL && all_switched(run)) {
            ruleset_free(run->before);
            run->before = NULL;
        }
        if (run->before == NULL && watch_changed(run->watch))
            reload(run);
        (void)nanosleep(&pause, NULL);
    }
}

/* A worker's thread. One that ends by an error takes the others with it. */
static void *work(void *context)
{
    struct worker *worker = context;
    struct error err = {0};
    place_worker(worker->config, worker->number);
    engine_log_worker(worker->config, worker->number);
    if (worker_run(worker, &err) == 0)
        return NULL;
    log_error(err.message);
    stop_ask();
    return worker;
}

/* True: every worker ended well. */
static bool run_workers(struct run *run)
{
    pthread_t *threads = mem_zalloc((size_t)run->worker_count * sizeof *threads);
    bool good = true;
    int started = 0;
    for (; good && started < run->worker_count; started++)
        good = pthread_create(&threads[started], NULL, work, &run->workers[started]) == 0;
    started -= !good;
    if (good)
        look_after(run);
    else
        log_error("the system gives no threads");
    stop_ask();
    for (int i = 0; i < started; i++) {
        void *failed = NULL;
        (void)pthread_join(threads[i], &failed);
        good = good && failed == NULL;
    }
    free(threads);
    return good;
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
    if (!load(&run.loaded, path, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES | CONFIG_NEED_RULES | CONFIG_TRY))
        return 1;
    stop_on_signals();
    kafka_stop_when(stop_wanted);
    memory_allocator_set();
    run.watch = watch_new(run.loaded.config->rules, run.loaded.config->rule_count);
    bool opened = open_all(&run, &err) == 0;
    bool good = opened || (err.class == ERROR_RETRY && stop_wanted());
    if (opened)
        good = run_workers(&run);
    else if (!good)
        log_error(err.message);
    for (int i = 0; i < run.worker_count; i++)
        if (run.workers[i].engine != NULL) {
            engine_log_worker(run.loaded.config, i);
            engine_log_counters(run.workers[i].engine, good ? "stopped" : "stopped by an error");
        }
    engine_log_worker(run.loaded.config, -1);
    close_all(&run);
    return good ? 0 : 1;
}
