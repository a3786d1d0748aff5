/* `forestall demo`: a quarter of the Online Boutique through a Kafka inside the process (librdkafka's mock cluster) and
 * the engine as `run` uses it.
 *
 * The mock cluster keeps 5 MiB or 100,000 records a partition, so telemetry is spread over enough of them; that nothing
 * fell out is checked by counting. It keeps no positions of transactions, so the demo lives for one process.
 */
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/demo_files.h"
#include "cli/demo_outcome.h"
#include "cli/demo_show.h"
#include "cli/diagnostics.h"
#include "cli/history_story.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/stop.h"
#include "cli/table.h"
#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"
#include "engine/engine.h"
#include "engine/instance.h"
#include "engine/memory.h"
#include "io/kafka_writer.h"
#include "io/source_kafka.h"

static const char usage[] =
    "usage: forestall demo [--keep] [--files DIR] [--seed N]\n"
    "\n"
    "A quarter in the life of a shop, the Online Boutique: its incidents, deployments and metrics go through a Kafka "
    "inside\n"
    "this process, and so does what its people did about some of what Forestall recommended. Printed is what it\n"
    "recommends after all that, and whether what was done has helped. It needs no set-up and leaves nothing behind.\n"
    "\n"
    "  --keep         stay up afterwards, so that kcat or another client can look at the topics and add events, until\n"
    "                 SIGINT; new versions of recommendations are printed as they come\n"
    "  --files DIR    also write what it is made of to DIR: rules, a configuration and the history, to play with\n"
    "  --seed N       another quarter (default: 1)\n";

enum { INCIDENT_PARTITIONS = 2, DEPLOYMENT_PARTITIONS = 2, TELEMETRY_PARTITIONS = 12, TASKS = 4, DAYS = STORY_DAYS };
enum { WAIT_US_MAX = 180 * 1000 * 1000 };

static const struct demo_topic {
    const char *name;
    int partitions;
} topics[] = {
    {"incidents", INCIDENT_PARTITIONS}, {"deployments", DEPLOYMENT_PARTITIONS}, {"telemetry", TELEMETRY_PARTITIONS},
    {"forestall.feedback", 1},          {"forestall.recommendations", 4},       {"forestall.scorecards", 1},
    {"forestall.dead-letter", 1},       {"forestall-demo-changelog", TASKS},    {"forestall-demo-marks", 1},
};
/* The first ones are sources: by stream. */
static const enum stream_id topic_streams[] = {STREAM_INCIDENT, STREAM_DEPLOYMENT, STREAM_TELEMETRY, STREAM_FEEDBACK};
enum { SOURCES = 4 };

/* The newest version of a recommendation. */
struct newest {
    struct arena arena;
    struct str id;
    struct value record;
};

struct demo {
    bool keep;
    const char *files;
    struct history_options history;
    /* The Kafka inside. */
    rd_kafka_t *client;
    rd_kafka_mock_cluster_t *cluster;
    char *folder; /* temporary */
    uint64_t sent;
    /* The run. */
    struct config *config;
    struct ruleset *rules;
    struct instance *instance;
    struct state *state;
    struct source *source;
    struct commit *commit;
    struct engine *engine;
    struct newest *newest;
    size_t newest_count;
    size_t newest_cap;
    bool telling; /* print versions as they come */
};

static int interrupted(struct error *err)
{
    return error_set(err, ERROR_FATAL, "interrupted");
}

/* The mock cluster's thread empties its wake-up pipe just after it has answered, so what is asked at that moment goes
 * unnoticed for a second. */
static void let_it_settle(void)
{
    const struct timespec span = {0, 2000000L};
    (void)nanosleep(&span, NULL);
}

/* Newer librdkafka lets the first member in at once; older makes it wait for three seconds. */
extern __attribute__((weak)) void rd_kafka_mock_group_initial_rebalance_delay_ms(rd_kafka_mock_cluster_t *cluster,
                                                                                 int32_t delay_ms);

static int open_cluster(struct demo *demo, struct error *err)
{
    const struct kafka_client options = {.type = RD_KAFKA_PRODUCER};
    TRY(kafka_client_new(&demo->client, &options, err));
    demo->cluster = rd_kafka_mock_cluster_new(demo->client, 1);
    if (demo->cluster == NULL)
        return error_set(err, ERROR_FATAL, "librdkafka has no mock cluster");
    if (rd_kafka_mock_group_initial_rebalance_delay_ms != NULL)
        rd_kafka_mock_group_initial_rebalance_delay_ms(demo->cluster, 0);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        let_it_settle();
        rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(demo->cluster, topics[i].name, topics[i].partitions, 1);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_failed(err, code, "making the topic %s", topics[i].name);
    }
    return 0;
}

/* The source topics, being filled. */
struct filler {
    struct kafka_writer *writer;
    struct avro_encoder *avro; /* of telemetry */
    struct buf bytes;
};

static int fill_event(struct filler *filler, const struct history_event *event, struct error *err)
{
    size_t i = 0;
    while (topic_streams[i] != event->stream)
        i++;
    buf_reset(&filler->bytes);
    if (event->stream == STREAM_TELEMETRY)
        TRY(avro_encode(filler->avro, event->record, &filler->bytes, err));
    else
        value_json(&filler->bytes, event->record);
    const struct kafka_writer_record record = {.topic = i,
                                               .partition = event->part % topics[i].partitions,
                                               .key = event->key,
                                               .value = buf_str(&filler->bytes),
                                               .timestamp_ms = event->time_ms};
    return kafka_writer_send(filler->writer, &record, err);
}

static int fill_open(struct filler *filler, const struct str_pair *properties, struct error *err)
{
    TRY(avro_encoder_new(&filler->avro, str_of(schema_embedded_find("telemetry")), err));
    const char *names[SOURCES];
    for (size_t i = 0; i < SOURCES; i++)
        names[i] = topics[i].name;
    const struct kafka_writer_options options = {properties, 1, names, SOURCES};
    return kafka_writer_open(&filler->writer, &options, err);
}

static int fill_all(struct demo *demo, struct filler *filler, struct error *err)
{
    struct history *history = history_new(&demo->history);
    struct history_event event;
    struct progress progress;
    int64_t total = (int64_t)history_count(history);
    int result = 0;
    progress_start(&progress, "a quarter happens");
    while (result == 0 && history_next(history, &event)) {
        result = stop_wanted() ? interrupted(err) : fill_event(filler, &event, err);
        if (++demo->sent % 1024 == 0)
            progress_show(&progress, (int64_t)demo->sent, total, demo->sent);
    }
    if (result == 0)
        result = kafka_writer_flush(filler->writer, err);
    (void)progress_end(&progress);
    history_free(history);
    return result;
}

static int fill(struct demo *demo, struct error *err)
{
    const struct str_pair bootstrap = {STR_LIT("bootstrap.servers"),
                                       str_of(rd_kafka_mock_cluster_bootstraps(demo->cluster))};
    struct filler filler = {0};
    int result = fill_open(&filler, &bootstrap, err);
    if (result == 0)
        result = fill_all(demo, &filler, err);
    kafka_writer_close(filler.writer);
    avro_encoder_free(filler.avro);
    buf_fini(&filler.bytes);
    return result;
}

/* Without the environment: its overrides are for the real configuration. */
static int load_configuration(struct demo *demo, struct error *err)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    const char *path = arena_printf(&arena, "%s/forestall.yaml", demo->folder);
    demo->config = config_load(path, NULL, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES | CONFIG_NEED_RULES, &diagnostics);
    if (demo->config != NULL) {
        const struct ruleset_options options = {.row_retention_ms = demo->config->row_retention_ms,
                                                .tests_unread = true};
        demo->rules = ruleset_load_with(demo->config->rules, demo->config->rule_count, &options, &diagnostics);
    }
    diagnostics_sort(&diagnostics);
    diagnostics_print(stderr, &diagnostics);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return demo->rules != NULL ? 0 : error_set(err, ERROR_FATAL, "the demo's own files are not right");
}

static struct newest *newest_of(struct demo *demo, struct str id)
{
    for (size_t i = 0; i < demo->newest_count; i++)
        if (str_eq(demo->newest[i].id, id))
            return &demo->newest[i];
    demo->newest = mem_grow(demo->newest, demo->newest_count, &demo->newest_cap, sizeof *demo->newest);
    struct newest *newest = &demo->newest[demo->newest_count++];
    *newest = (struct newest){0};
    return newest;
}

/* Every version passes here on its way to the topic. */
static void observe(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct demo *demo = context;
    struct newest *newest = newest_of(demo, id);
    (void)detection;
    (void)time_ms;
    arena_reset(&newest->arena);
    newest->id = arena_str(&newest->arena, id);
    newest->record = value_copy(&newest->arena, record);
    if (demo->telling)
        demo_show_line(stdout, newest->record);
}

static int open_engine(struct demo *demo, struct error *err)
{
    const struct config *config = demo->config;
    struct store *store;
    struct str names[SOURCES];
    TRY(instance_open(&demo->instance, config->state_dir.p, err));
    TRY(store_rocksdb_open(&store, instance_store_dir(demo->instance),
                           memory_share(config->state_memory_bytes, MEMORY_STORE), err));
    demo->state = state_new(store);
    for (size_t i = 0; i < SOURCES; i++)
        names[i] = config->sources[i].topic;
    const struct source_kafka_options source = {.properties = config->kafka,
                                                .property_count = config->kafka_count,
                                                .topics = names,
                                                .topic_count = SOURCES,
                                                .group_id = config->application_id.p,
                                                .instance_id = instance_id(demo->instance),
                                                .mock = true};
    TRY(source_kafka_open(&demo->source, &source, err));
    const struct commit_kafka_options commit = {
        .config = config, .source = demo->source, .instance_id = instance_id(demo->instance), .mock = true};
    TRY(commit_kafka_open(&demo->commit, &commit, err));
    const struct engine_options engine = {.rules = demo->rules,
                                          .config = config,
                                          .source = demo->source,
                                          .state = demo->state,
                                          .commit = demo->commit,
                                          .scratch_dir = config->state_dir.p,
                                          .live = true,
                                          .until_ms = INT64_MAX,
                                          .publish_from_ms = INT64_MIN,
                                          .observe = observe,
                                          .observe_context = demo};
    return engine_new(&demo->engine, &engine, err);
}

/* The mock cluster lets a new group wait for more members. */
static int join(struct demo *demo, struct error *err)
{
    bool tell = isatty(STDERR_FILENO) == 1;
    if (tell)
        (void)fputs("joining the consumer group, three seconds at most ", stderr);
    int result = engine_restore(demo->engine, err);
    if (tell)
        (void)fputs("\r\033[K", stderr);
    return result;
}

/* Everything was read, and time has passed the history's end: the partitions fell idle and were marked. */
static bool is_over(const struct demo *demo)
{
    return engine_map_counters(demo->engine)->records >= demo->sent && engine_applied(demo->engine) != INT64_MIN &&
           engine_applied(demo->engine) >= demo->history.end_ms;
}

static int turn(struct demo *demo, struct error *err)
{
    bool worked;
    TRY(engine_step(demo->engine, &worked, err));
    return worked ? 0 : engine_wait(demo->engine, err);
}

static int run_history(struct demo *demo, struct error *err)
{
    struct progress progress;
    int64_t deadline_us = clock_mono_us() + WAIT_US_MAX;
    progress_start(&progress, "reading it");
    int result = 0;
    while (result == 0 && !is_over(demo)) {
        result = turn(demo, err);
        uint64_t records = engine_map_counters(demo->engine)->records;
        progress_show(&progress, (int64_t)records, (int64_t)demo->sent, records);
        if (result == 0 && stop_wanted())
            result = interrupted(err);
        if (result == 0 && clock_mono_us() > deadline_us)
            result = error_set(err, ERROR_FATAL, "only %llu of %llu events were read in three minutes",
                               (unsigned long long)records, (unsigned long long)demo->sent);
    }
    (void)progress_end(&progress);
    return result == 0 ? engine_commit(demo->engine, err) : result;
}

static void show(const struct demo *demo, int64_t took_us)
{
    struct value *records = mem_alloc((demo->newest_count + 1) * sizeof *records);
    for (size_t i = 0; i < demo->newest_count; i++)
        records[i] = demo->newest[i].record;
    const struct map_counters *map = engine_map_counters(demo->engine);
    struct buf text = {0};
    buf_printf(&text,
               "%llu events of %d days read in %.1f s by %zu rules; %llu versions of %zu recommendations published.",
               (unsigned long long)map->events, demo->history.days, (double)took_us / 1e6, demo->rules->count,
               (unsigned long long)engine_counters(demo->engine)->published, demo->newest_count);
    table_paragraph(stdout, "", buf_str(&text), table_width(stdout));
    (void)printf("\n");
    buf_fini(&text);
    size_t open = demo_outcome_part(records, demo->newest_count);
    demo_show_table(stdout, records, open);
    demo_outcome_show(stdout, records + open, demo->newest_count - open);
    if (open > 0)
        demo_show_whole(stdout, records[0]);
    free(records);
}

static void show_next(const struct demo *demo)
{
    const char *dir = demo->files != NULL ? demo->files : "boutique";
    (void)printf("\n");
    table_colour(stdout, TABLE_BOLD);
    (void)printf("What to try next");
    table_colour(stdout, TABLE_PLAIN);
    (void)printf("\n");
    if (demo->files == NULL)
        (void)printf("  forestall demo --files %s\n      rules, configuration and history as files to play with\n",
                     dir);
    (void)printf("  forestall check %s/rules\n      after editing a rule: is it right?\n"
                 "  forestall test %s/rules\n      run the tests that the rules carry\n"
                 "  forestall replay -c %s/forestall.yaml --file %s/history.jsonl --out before.jsonl\n"
                 "      what the rules say of that history, without a Kafka\n"
                 "  forestall replay -c %s/forestall.yaml --file %s/history.jsonl --against before.jsonl\n"
                 "      after editing a rule: what would be different\n"
                 "  forestall run -c forestall.yaml\n"
                 "      on your own Kafka; deploy/forestall.yaml in the sources is a configuration to begin with\n",
                 dir, dir, dir, dir, dir, dir);
}

static void show_kafka(const struct demo *demo)
{
    const char *at = rd_kafka_mock_cluster_bootstraps(demo->cluster);
    (void)printf("\nKafka stays up at %s until you press Ctrl-C:\n", at);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        (void)printf("  %-26s %d partition%s\n", topics[i].name, topics[i].partitions,
                     topics[i].partitions == 1 ? "" : "s");
    (void)printf("Look at what was published:\n  kcat -b %s -C -e -q -t forestall.recommendations\n", at);
    (void)printf(
        "Add an incident; it counts when event time has passed it, some ten seconds later:\n"
        "  echo '{\"event_id\":\"n1\",\"incident_id\":\"NEW-1\",\"status\":\"open\",\"occurred_at\":\"'"
        "$(date -u +%%FT%%TZ)'\",\"service\":\"cartservice\",\"environment\":\"production\",\"severity\":\"sev1\","
        "\"title\":\"Carts are empty\",\"root_cause\":\"redis_oom\"}' | kcat -b %s -P -t incidents\n",
        at);
}

/* Stays up for other clients, as `run` does. */
static int keep(struct demo *demo, struct error *err)
{
    show_kafka(demo);
    (void)fflush(stdout);
    demo->telling = true;
    while (!stop_wanted()) {
        TRY(turn(demo, err));
        (void)fflush(stdout);
    }
    return 0;
}

static int run(struct demo *demo, struct error *err)
{
    int64_t started_us = clock_mono_us();
    if (demo->files != NULL) {
        TRY(demo_files_write(demo->files, "localhost:9092", false, err));
        TRY(demo_history_write(demo->files, &demo->history, err));
    }
    TRY(demo_folder_make(&demo->folder, err));
    TRY(open_cluster(demo, err));
    TRY(demo_files_write(demo->folder, rd_kafka_mock_cluster_bootstraps(demo->cluster), true, err));
    TRY(load_configuration(demo, err));
    TRY(fill(demo, err));
    TRY(open_engine(demo, err));
    TRY(join(demo, err));
    TRY(run_history(demo, err));
    show(demo, clock_mono_us() - started_us);
    show_next(demo);
    (void)fflush(stdout);
    return demo->keep ? keep(demo, err) : 0;
}

static void close_all(struct demo *demo)
{
    engine_free(demo->engine);
    if (demo->commit != NULL)
        demo->commit->ops->close(demo->commit);
    if (demo->source != NULL)
        demo->source->ops->close(demo->source);
    if (demo->state != NULL)
        state_free(demo->state);
    if (demo->instance != NULL)
        instance_close(demo->instance);
    ruleset_free(demo->rules);
    config_free(demo->config);
    if (demo->cluster != NULL)
        rd_kafka_mock_cluster_destroy(demo->cluster);
    kafka_client_free(demo->client);
    if (demo->folder != NULL)
        demo_folder_remove(demo->folder);
    free(demo->folder);
    for (size_t i = 0; i < demo->newest_count; i++)
        arena_fini(&demo->newest[i].arena);
    free(demo->newest);
}

int cli_demo(int argc, char **argv)
{
    const char *seed = "1";
    char *end;
    struct demo demo = {.history = {.scenario = HISTORY_SHOP, .days = DAYS}};
    struct error err = {0};
    const struct cli_option options[] = {{.name = "keep", .flag = &demo.keep},
                                         {.name = "files", .value = &demo.files},
                                         {.name = "seed", .value = &seed},
                                         {0}};
    struct cli_arguments arguments = {0};
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    errno = 0;
    demo.history.seed = strtoull(seed, &end, 10);
    if (*seed == '\0' || *seed == '-' || *end != '\0' || errno != 0) {
        (void)fprintf(stderr, "error: --seed takes a number, not '%s'\n", seed);
        return 2;
    }
    /* It ended a while ago, so that every partition's time can pass its end. */
    demo.history.end_ms = floor_div(clock_wall_ms(), HOUR_MS) * HOUR_MS - HOUR_MS;
    log_setup(LOG_WARN, LOG_LOGFMT);
    stop_on_signals();
    int result = run(&demo, &err);
    if (result != 0)
        (void)fprintf(stderr, "error: %s\n", err.message);
    close_all(&demo);
    return result == 0 ? 0 : 1;
}
