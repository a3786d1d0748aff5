/* `forestall replay`: the same engine over history, with a state of its own and no positions in the group. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "cli/commands.h"
#include "cli/diff.h"
#include "cli/files.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/spool.h"
#include "engine/engine.h"
#include "io/kafka_admin.h"
#include "io/kafka_producer.h"
#include "io/source_kafka.h"

static const char usage[] =
    "usage: forestall replay [-c FILE] [--from T] [--to T] [--file [STREAM=]F]… [--out topic:NAME|PATH|-] [--drain]\n"
    "                        [--diff | --against F] [--output table|json]\n"
    "\n"
    "Shows what the rules say about history: the configuration's topics, or files. Prints every version of every\n"
    "recommendation as one JSON object a line; progress and a summary go to standard error.\n"
    "\n"
    "  -c, --config FILE    the configuration (default: ./forestall.yaml); with --file it needs neither kafka nor "
    "sources\n"
    "  --from T             publish from this event time on (ISO 8601, or a span back from now: 30d); what its "
    "windows\n"
    "                       need is read before it\n"
    "  --to T               stop at this event time, included\n"
    "  --file [STREAM=]F    a file of JSON lines (with `stream` in each, or STREAM given) or an Avro container; repeat "
    "it,\n"
    "                       or name more files after it\n"
    "  --out WHERE          - (default: standard output), a path, or topic:NAME, where all of it appears at the end, "
    "in "
    "one\n"
    "                       transaction\n"
    "  --dead-letter PATH   what could not be used, one JSON object a line\n"
    "  --scorecards PATH    scorecards, likewise\n"
    "  --drain              also apply what still waits at the end (open windows, cooldowns)\n"
    "  --now T              the clock against which files' events count as from the future\n"
    "  --diff               print instead how what is recommended differs from the live recommendations, the "
    "configuration's\n"
    "                       topic: new, gone, and what changed, old → new; what people did about it, versions and "
    "event\n"
    "                       times aside. Exits with 0 where nothing differs, 1 where something does, 2 on any failure\n"
    "  --against F          the same with F, the output of an earlier replay, in place of the topic\n"
    "  --output FORMAT      of --diff: table (default) or json\n";

/* The most that brokers allow by default: what is sent in it is there already. */
enum { TRANSACTION_MS = 15 * 60 * 1000 };

struct replay {
    struct loaded loaded;
    struct arena arena;
    struct source *source;
    struct state *state;
    struct commit *commit;
    struct engine *engine;
    FILE *files[OUTPUT_COUNT];
    const char *topic; /* of the recommendations; NULL: a file */
    struct kafka_producer *producer;
    struct spool *spool;   /* what goes to the topic */
    uint64_t dead_letters; /* whether they are written or not */
    struct map seen;       /* recommendation ids */
    struct published live;
    struct diff *diff; /* NULL: not wanted */
    const char *config_path, *from, *to, *out, *dead_letter, *scorecards, *now, *against, *output;
    struct cli_list files_named;
    bool drain;
    bool wants_diff;
    bool differs;
    int64_t from_ms;
    int64_t to_ms;
    int64_t now_ms;
};

static bool to_topic(const char *out)
{
    return out != NULL && strncmp(out, "topic:", 6) == 0;
}

static int failed_write(struct error *err)
{
    return error_set(err, ERROR_FATAL, "the output cannot be written: %s", strerror(errno));
}

static void dead_letter_json(const struct commit_record *record, struct buf *line)
{
    buf_byte(line, '{');
    for (size_t i = 0; i < record->header_count; i++) {
        value_json_string(line, str_of(record->headers[i].name));
        buf_byte(line, ':');
        value_json_string(line, record->headers[i].value);
        buf_byte(line, ',');
    }
    buf_puts(line, "\"value\":");
    struct value value = value_str(record->value);
    if (!utf8_valid(record->value.p, record->value.n))
        value.type = VALUE_BYTES;
    value_json(line, value);
    buf_puts(line, "}\n");
}

static int write_record(void *context, const struct commit_record *record, struct error *err)
{
    struct replay *replay = context;
    replay->dead_letters += record->output == OUTPUT_DEAD_LETTER;
    if (record->output == OUTPUT_RECOMMENDATIONS && replay->spool != NULL)
        return spool_put(replay->spool, record->key, record->value, err);
    FILE *file = replay->files[record->output];
    if (file == NULL || record->value.p == NULL) /* a file holds versions; only a topic forgets */
        return 0;
    struct buf line = {0};
    if (record->output == OUTPUT_DEAD_LETTER) {
        dead_letter_json(record, &line);
    } else {
        buf_str_put(&line, record->value);
        buf_byte(&line, '\n');
    }
    bool good = fwrite(line.p, 1, line.len, file) == line.len;
    buf_fini(&line);
    return good ? 0 : failed_write(err);
}

static void observe(void *context, struct str id, struct value record, bool detection, int64_t time_ms)
{
    struct replay *replay = context;
    (void)detection;
    if (replay->diff != NULL)
        diff_see(replay->diff, id, record);
    if (time_ms >= replay->from_ms)
        *map_slot(&replay->seen, id) = replay;
}

static void observe_expiry(void *context, struct str id, int64_t time_ms)
{
    struct replay *replay = context;
    (void)time_ms;
    if (replay->diff != NULL)
        diff_forget(replay->diff, id);
}

/* What is live is read first: the replay may take long, and writes JSON whatever the topic's format. */
static int open_diff(struct replay *replay, struct error *err)
{
    const struct published_options options = {.config = replay->against == NULL ? replay->loaded.config : NULL,
                                              .file = replay->against,
                                              .only_recommendations = true};
    if (!replay->wants_diff)
        return 0;
    TRY(published_read(&replay->live, &options, err));
    replay->diff = diff_new(&replay->live);
    return 0;
}

static int open_output(struct replay *replay, enum output output, const char *path, struct error *err)
{
    if (path == NULL)
        return 0;
    replay->files[output] = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (replay->files[output] == NULL)
        return error_set(err, ERROR_FATAL, "%s: %s", path, strerror(errno));
    return 0;
}

/* Told before the replay, not after it. */
static int topic_need(const struct replay *replay, struct error *err)
{
    const struct config *config = replay->loaded.config;
    rd_kafka_t *client;
    TRY(kafka_asker_new(&client, config->kafka, config->kafka_count, err));
    int result = kafka_topic_need(client, replay->topic, err);
    kafka_client_free(client);
    return result;
}

/* A transaction's time runs from its first record, and no replay is to be as short as that: so it is begun when all
 * records are there. Opened before, the producer tells at once whether this user may write. */
static int open_topic(struct replay *replay, struct error *err)
{
    const struct config *config = replay->loaded.config;
    struct kafka_producer_options options = {
        .properties = config->kafka,
        .property_count = config->kafka_count,
        .transactional_id =
            arena_printf(&replay->arena, "%.*s-replay-%s", STR_ARG(config->application_id), replay->topic),
        .record_bytes_max = config_produced_bytes(config),
        .transaction_ms = TRANSACTION_MS};
    TRY(topic_need(replay, err));
    TRY(spool_open(&replay->spool, err));
    return kafka_producer_open(&replay->producer, &options, err);
}

static int publish_record(void *context, struct str key, struct str value, struct error *err)
{
    const struct replay *replay = context;
    return kafka_producer_send(
        replay->producer, &(struct kafka_record){.topic = replay->topic, .partition = -1, .key = key, .value = value},
        err);
}

static int publish(struct replay *replay, struct error *err)
{
    if (replay->producer == NULL)
        return 0;
    TRY(kafka_producer_begin(replay->producer, err));
    TRY(spool_each(replay->spool, publish_record, replay, err));
    TRY(kafka_producer_flush(replay->producer, err));
    return kafka_producer_commit(replay->producer, err);
}

static int open_outputs(struct replay *replay, struct error *err)
{
    TRY(open_output(replay, OUTPUT_DEAD_LETTER, replay->dead_letter, err));
    TRY(open_output(replay, OUTPUT_SCORECARDS, replay->scorecards, err));
    replay->loaded.config->scorecards.format = FORMAT_JSON;
    if (to_topic(replay->out)) {
        replay->topic = replay->out + 6;
        return open_topic(replay, err);
    }
    replay->loaded.config->recommendations.format = FORMAT_JSON;
    return open_output(replay, OUTPUT_RECOMMENDATIONS, replay->out, err);
}

/* How long before --from the log must be read: what rules, and those that they read, look back on, or the rows' memory.
 */
static int64_t history_ms(const struct loaded *loaded)
{
    int64_t sum_ms = 0;
    for (int level = 1; level <= loaded->rules->level_max; level++) {
        int64_t longest_ms = 0;
        for (size_t i = 0; i < loaded->rules->count; i++) {
            const struct rule *rule = &loaded->rules->rules[i];
            if (rule->level == level && rule->reach_ms + rule->look_back_ms > longest_ms)
                longest_ms = rule->reach_ms + rule->look_back_ms;
        }
        sum_ms += longest_ms;
    }
    return sum_ms > loaded->config->row_retention_ms ? sum_ms : loaded->config->row_retention_ms;
}

static int open_topics(struct replay *replay, struct error *err)
{
    const struct config *config = replay->loaded.config;
    struct str *topics = arena_alloc(&replay->arena, (config->source_count + 1) * sizeof *topics);
    for (size_t i = 0; i < config->source_count; i++)
        topics[i] = config->sources[i].topic;
    /* A record is never older than its event, so its time finds every event that is not. */
    int64_t from_ms = replay->from == NULL ? INT64_MIN : replay->from_ms - history_ms(&replay->loaded);
    struct source_kafka_options options = {.properties = config->kafka,
                                           .property_count = config->kafka_count,
                                           .topics = topics,
                                           .topic_count = config->source_count,
                                           .from_ms = from_ms,
                                           .to_ms = INT64_MAX};
    return source_kafka_open(&replay->source, &options, err);
}

static int open_source(struct replay *replay, struct engine_options *options, struct error *err)
{
    if (replay->files_named.count > 0) {
        int64_t unnamed = 0;
        TRY(files_open(&replay->source, replay->loaded.config, replay->files_named.items, replay->files_named.count,
                       replay->now_ms, &unnamed, err));
        if (unnamed > 0)
            log_warn("lines that name no known stream are left out: write STREAM=FILE to have them judged",
                     LOG_I("lines", unnamed));
        return 0;
    }
    struct commit_mark *marks = NULL;
    TRY(open_topics(replay, err));
    TRY(commit_marks_read(replay->loaded.config, replay->source, &replay->arena, &marks, &options->mark_count, err));
    options->marks = marks;
    return 0;
}

static int open_all(struct replay *replay, struct error *err)
{
    struct engine_options options = {.rules = replay->loaded.rules,
                                     .config = replay->loaded.config,
                                     .until_ms = replay->to_ms,
                                     .publish_from_ms = replay->from_ms,
                                     .observe = observe,
                                     .observe_expiry = observe_expiry,
                                     .observe_context = replay};
    TRY(open_diff(replay, err));
    TRY(open_outputs(replay, err));
    TRY(open_source(replay, &options, err));
    replay->state = state_new(store_memory_new());
    replay->commit = commit_plain_new(write_record, replay);
    options.source = replay->source;
    options.state = replay->state;
    options.commit = replay->commit;
    return engine_new(&replay->engine, &options, err);
}

static int run(struct replay *replay, struct error *err)
{
    struct progress progress;
    struct engine *engine = replay->engine;
    bool worked;
    progress_start(&progress, "replay");
    TRY(engine_restore(engine, err));
    while (!engine_finished(engine) && !engine_passed(engine)) {
        int64_t done;
        int64_t total;
        TRY(engine_step(engine, &worked, err));
        if (!worked)
            TRY(engine_wait(engine, err));
        replay->source->ops->progress(replay->source, &done, &total);
        progress.reached_ms = engine_applied(engine);
        progress_show(&progress, done, total, engine_map_counters(engine)->records);
    }
    TRY(engine_end(engine, replay->drain, err));
    TRY(publish(replay, err));
    const struct map_counters *map = engine_map_counters(engine);
    double seconds = (double)progress_end(&progress) / 1e6;
    (void)fprintf(stderr,
                  "%llu records in %.1f s: %llu recommendations, %llu versions, %llu detections, %llu firings; %llu "
                  "late, %llu dead "
                  "letters\n",
                  (unsigned long long)map->records, seconds, (unsigned long long)replay->seen.count,
                  (unsigned long long)engine_counters(engine)->published,
                  (unsigned long long)engine_reduce_counters(engine)->detections,
                  (unsigned long long)engine_reduce_counters(engine)->firings, (unsigned long long)map->late,
                  (unsigned long long)replay->dead_letters);
    if (replay->diff != NULL)
        replay->differs =
            diff_print(replay->diff, stdout, replay->output != NULL && str_is(str_of(replay->output), "json"));
    return replay->diff == NULL || fflush(stdout) == 0 ? 0 : failed_write(err);
}

static int close_all(struct replay *replay, struct error *err)
{
    int result = 0;
    engine_free(replay->engine);
    if (replay->commit != NULL)
        replay->commit->ops->close(replay->commit);
    if (replay->source != NULL)
        replay->source->ops->close(replay->source);
    if (replay->state != NULL)
        state_free(replay->state);
    if (replay->producer != NULL)
        kafka_producer_close(replay->producer);
    spool_close(replay->spool);
    for (int i = 0; i < OUTPUT_COUNT; i++)
        if (replay->files[i] != NULL && (replay->files[i] == stdout ? fflush(stdout) : fclose(replay->files[i])) != 0)
            result = failed_write(err);
    diff_free(replay->diff);
    published_fini(&replay->live);
    map_fini(&replay->seen);
    loaded_free(&replay->loaded);
    arena_fini(&replay->arena);
    return result;
}

static bool read_time(const char *option, const char *text, int64_t now_ms, int64_t *ms)
{
    if (text == NULL || options_time(text, now_ms, ms))
        return true;
    (void)fprintf(stderr, "error: %s '%s': neither a time such as 2024-05-06T07:08:09Z nor a span such as 30d\n",
                  option, text);
    return false;
}

/* `--file` once says that the arguments left over are files too. False: there are some without it. */
static bool gather_files(struct replay *replay, const struct cli_arguments *arguments)
{
    if (replay->files_named.count == 0 && arguments->rest_count > 0) {
        (void)fprintf(stderr, "error: unexpected argument '%s' (files come after --file)\n\n%s", arguments->rest[0],
                      usage);
        return false;
    }
    for (size_t i = 0; i < arguments->rest_count; i++)
        replay->files_named.items[replay->files_named.count++] = arguments->rest[i];
    return true;
}

/* Standard output is either the versions or the differences. */
static bool diff_options(struct replay *replay)
{
    replay->wants_diff |= replay->against != NULL;
    const char *wrong = NULL;
    if (replay->output != NULL && !replay->wants_diff)
        wrong = "--output goes with --diff or --against";
    else if (replay->output != NULL && strcmp(replay->output, "table") != 0 && strcmp(replay->output, "json") != 0)
        wrong = "--output is table or json";
    else if (replay->wants_diff && replay->out != NULL && strcmp(replay->out, "-") == 0)
        wrong = "--diff prints the differences: --out takes a path or topic:NAME beside it";
    if (wrong != NULL)
        (void)fprintf(stderr, "error: %s\n", wrong);
    if (replay->out == NULL && !replay->wants_diff)
        replay->out = "-";
    return wrong == NULL;
}

static enum cli_parsed parse(struct replay *replay, int argc, char **argv)
{
    const struct cli_option options[] = {{.name = "config", .short_name = 'c', .value = &replay->config_path},
                                         {.name = "from", .value = &replay->from},
                                         {.name = "to", .value = &replay->to},
                                         {.name = "file", .list = &replay->files_named},
                                         {.name = "out", .value = &replay->out},
                                         {.name = "dead-letter", .value = &replay->dead_letter},
                                         {.name = "scorecards", .value = &replay->scorecards},
                                         {.name = "now", .value = &replay->now},
                                         {.name = "drain", .flag = &replay->drain},
                                         {.name = "diff", .flag = &replay->wants_diff},
                                         {.name = "against", .value = &replay->against},
                                         {.name = "output", .value = &replay->output},
                                         {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = (size_t)argc};
    replay->files_named.items = arena_alloc(&replay->arena, (size_t)argc * sizeof(char *));
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed;
    if (!diff_options(replay))
        return CLI_USAGE;
    int64_t clock_ms = clock_wall_ms();
    replay->now_ms = clock_ms;
    bool good = read_time("--from", replay->from, clock_ms, &replay->from_ms) &&
                read_time("--to", replay->to, clock_ms, &replay->to_ms) &&
                read_time("--now", replay->now, clock_ms, &replay->now_ms) && gather_files(replay, &arguments);
    return good ? CLI_GO : CLI_USAGE;
}

int cli_replay(int argc, char **argv)
{
    struct replay replay = {.config_path = "forestall.yaml", .from_ms = INT64_MIN, .to_ms = INT64_MAX};
    struct error err = {0};
    struct error close_err = {0};
    enum cli_parsed parsed = parse(&replay, argc, argv);
    unsigned needs = CONFIG_NEED_RULES;
    if (replay.files_named.count == 0)
        needs |= CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES | CONFIG_TRY;
    if ((replay.wants_diff && replay.against == NULL) || to_topic(replay.out))
        needs |= CONFIG_NEED_KAFKA;
    kafka_wait_briefly();
    if (parsed != CLI_GO || !load(&replay.loaded, replay.config_path, needs)) {
        arena_fini(&replay.arena);
        return parsed == CLI_HELP ? 0 : parsed == CLI_USAGE || replay.wants_diff ? 2 : 1;
    }
    int result = open_all(&replay, &err);
    if (result == 0)
        result = run(&replay, &err);
    if (close_all(&replay, &close_err) != 0 && result == 0) {
        err = close_err;
        result = -1;
    }
    if (result != 0)
        (void)fprintf(stderr, "error: %s\n", err.message);
    if (replay.wants_diff)
        return result != 0 ? 2 : replay.differs ? 1 : 0;
    return result == 0 ? 0 : 1;
}
