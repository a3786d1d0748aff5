/* See config.h. Every key is known here or in config_sources.c; what is not, is refused with its place. */
#include "engine/config.h"

#include "base/time_text.h"
#include "engine/config_load.h"
#include "io/kafka_try.h"

#include <stdlib.h>

const char *const config_keys[] = {
    "application_id", "kafka",  "schema_registry", "sources", "outputs",         "rules", "time", "exchange", "state",
    "impact",         "limits", "start",           "workers", "commit_interval", "http",  "log",  NULL};

enum { TASKS_MAX = 32, WORKERS_MAX = 64, STANDBY_MAX = 7 };

/* What is made of a record, config_produced_bytes, is below what librdkafka takes in one answer
 * (receive.message.max.bytes, 100 MB) and a broker in one request (socket.request.max.bytes, 100 MiB). */
enum { RECORD_BYTES_MAX = 40 << 20 };

enum { MEMORY_MIN = 8 << 20, WORKER_MEMORY_MIN = 4 << 20 };

/* Of 32 distincts a pane (2.5 MB), or of all texts of a recommendation where most bytes are escaped. */
enum { PRODUCED_ROOM_BYTES = 4 << 20 };

struct str config_path(struct config_load *load, struct str path)
{
    if (path.n == 0 || path.p[0] == '/' || load->folder.n == 0)
        return path;
    return str_of(arena_printf(load->arena, "%.*s%.*s", STR_ARG(load->folder), STR_ARG(path)));
}

static bool kafka_name(struct str name, size_t max)
{
    if (name.n == 0 || name.n > max || str_is(name, ".") || str_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
        if (!good)
            return false;
    }
    return true;
}

bool config_topic(struct config_load *load, const struct yaml_node *node, struct str *topic)
{
    if (!check_text(load->diagnostics, node, "topic", topic))
        return false;
    if (kafka_name(*topic, 249))
        return true;
    diagnostic_at(load->diagnostics, node, false,
                  "'%.*s' is no name for a topic; take letters, digits, '.', '_' and '-', at most 249 of them",
                  STR_ARG(*topic));
    return false;
}

void config_idle_lag(struct config_load *load, const struct yaml_node *node, int64_t *ms)
{
    if (node != NULL && node->kind == YAML_SCALAR && str_is(node->text, "never"))
        *ms = INT64_MAX;
    else
        (void)check_duration(load->diagnostics, node, "idle_lag", ms);
}

void config_late(struct config_load *load, const struct yaml_node *node, enum late_policy *late)
{
    static const char *const names[] = {"dead_letter", "drop", NULL};
    int symbol = node == NULL ? -1 : check_symbol(load->diagnostics, node, "late", names);
    if (symbol >= 0)
        *late = symbol == 0 ? LATE_DEAD_LETTER : LATE_DROP;
}

void config_format(struct config_load *load, const struct yaml_node *mapping, enum record_format *format,
                   enum record_framing *framing)
{
    static const char *const formats[] = {"json", "avro", NULL};
    static const char *const framings[] = {"none", "confluent", NULL};
    const struct yaml_node *node = yaml_get(mapping, "format");
    int symbol = node == NULL ? -1 : check_symbol(load->diagnostics, node, "format", formats);
    if (symbol >= 0)
        *format = symbol == 0 ? FORMAT_JSON : FORMAT_AVRO;
    node = yaml_get(mapping, "framing");
    symbol = node == NULL ? -1 : check_symbol(load->diagnostics, node, "framing", framings);
    if (symbol < 0)
        return;
    *framing = symbol == 0 ? FRAMING_NONE : FRAMING_CONFLUENT;
    if (*framing == FRAMING_CONFLUENT && *format == FORMAT_JSON)
        diagnostic_at(load->diagnostics, node, false, "only Avro records have Confluent's frame; write format: avro");
}

static void read_kafka(struct config_load *load, const struct yaml_node *node)
{
    struct config *config = load->config;
    if (!check_map(load->diagnostics, node, "kafka"))
        return;
    config->kafka = arena_alloc(load->arena, (node->count + 1) * sizeof *config->kafka);
    for (size_t i = 0; i < node->count; i++) {
        struct str_pair pair = {.key = node->keys[i]->text};
        struct error err = {0};
        if (!check_text(load->diagnostics, node->items[i], "a property", &pair.value))
            continue;
        if (kafka_property_check(pair.key, pair.value, &err) != 0)
            diagnostic_at(load->diagnostics, node->keys[i], false, "%s", err.message);
        config->kafka[config->kafka_count++] = pair;
    }
}

/* Of a configuration that is right otherwise. The place is that of the first property that the reason names. */
static void try_kafka(struct config_load *load, const struct yaml_node *node)
{
    const struct config *config = load->config;
    struct error err = {0};
    if (config->kafka_count == 0 ||
        kafka_try(config->kafka, config->kafka_count, config_produced_bytes(config), &err) == 0)
        return;
    size_t i = 0;
    while (i < node->count && strstr(err.message, node->keys[i]->text.p) == NULL)
        i++;
    diagnostic_at(load->diagnostics, i < node->count ? node->keys[i] : node, NULL, "%s", err.message);
}

static void read_output(struct config_load *load, const struct yaml_node *node, bool formatted,
                        struct config_output *output)
{
    static const char *const keys[] = {"topic", "format", "framing", NULL};
    static const char *const topic_only[] = {"topic", NULL};
    if (node == NULL || !check_mapping(load->diagnostics, node, "an output", formatted ? keys : topic_only))
        return;
    const struct yaml_node *topic = yaml_get(node, "topic");
    if (topic != NULL)
        (void)config_topic(load, topic, &output->topic);
    config_format(load, node, &output->format, &output->framing);
    /* Its schema id would come from the registry. */
    if (output->format == FORMAT_AVRO && output->framing == FRAMING_CONFLUENT)
        diagnostic_at(load->diagnostics, yaml_get(node, "framing"), false,
                      "an output with Confluent's frame needs the schema registry, which is not built yet; write none");
}

static void read_outputs(struct config_load *load, const struct yaml_node *node)
{
    static const char *const keys[] = {"recommendations", "scorecards", "dead_letter", NULL};
    struct config *config = load->config;
    config->recommendations = (struct config_output){.topic = STR_LIT("forestall.recommendations")};
    config->scorecards = (struct config_output){.topic = STR_LIT("forestall.scorecards")};
    config->dead_letter = (struct config_output){.topic = STR_LIT("forestall.dead-letter")};
    if (node == NULL || !check_mapping(load->diagnostics, node, "outputs", keys))
        return;
    read_output(load, yaml_get(node, "recommendations"), true, &config->recommendations);
    read_output(load, yaml_get(node, "scorecards"), true, &config->scorecards);
    read_output(load, yaml_get(node, "dead_letter"), false, &config->dead_letter);
}

/* The program's own topics are nobody else's. */
static bool topic_internal(const struct config *config, struct str topic)
{
    static const char *const ends[] = {"-changelog", "-marks", "-exchange"};
    struct str app = config->application_id;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (topic.n > app.n && str_eq((struct str){topic.p, app.n}, app) &&
            str_is((struct str){topic.p + app.n, topic.n - app.n}, ends[i]))
            return true;
    return false;
}

static void check_internal(struct config_load *load, const struct yaml_node *at, struct str topic)
{
    if (topic_internal(load->config, topic))
        diagnostic_at(load->diagnostics, at, false,
                      "topic '%.*s' is an internal one of this application; take another name", STR_ARG(topic));
}

/* A topic that is read and written at once would feed on itself. */
static void check_topics(struct config_load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct config_output *outputs[] = {&config->recommendations, &config->scorecards, &config->dead_letter};
    const struct yaml_node *at = yaml_get(root, "outputs");
    const struct yaml_node *sources = yaml_get(root, "sources");
    for (size_t j = 0; j < config->source_count; j++)
        check_internal(load, sources, config->sources[j].topic);
    for (int i = 0; i < 3; i++) {
        check_internal(load, at != NULL ? at : root, outputs[i]->topic);
        for (int j = 0; j < i; j++)
            if (str_eq(outputs[i]->topic, outputs[j]->topic))
                diagnostic_at(load->diagnostics, at != NULL ? at : root, false, "two outputs share the topic '%.*s'",
                              STR_ARG(outputs[i]->topic));
        for (size_t j = 0; j < config->source_count; j++)
            if (str_eq(outputs[i]->topic, config->sources[j].topic))
                diagnostic_at(load->diagnostics, at != NULL ? at : root, false,
                              "topic '%.*s' is a source and an output", STR_ARG(outputs[i]->topic));
    }
}

static void read_rules(struct config_load *load, const struct yaml_node *node)
{
    struct config *config = load->config;
    if (node == NULL || (node->kind != YAML_SCALAR && !check_sequence(load->diagnostics, node, "rules")))
        return;
    size_t count = node->kind == YAML_SCALAR ? 1 : node->count;
    config->rules = arena_alloc(load->arena, (count + 1) * sizeof *config->rules);
    for (size_t i = 0; i < count; i++) {
        struct str path;
        if (check_text(load->diagnostics, node->kind == YAML_SCALAR ? node : node->items[i], "a path of rules", &path))
            config->rules[config->rule_count++] = arena_str(load->arena, config_path(load, path)).p;
    }
}

static void read_time(struct config_load *load, const struct yaml_node *node)
{
    static const char *const keys[] = {"idle_lag", "max_future_skew", "late", "out_of_orderness", NULL};
    struct config *config = load->config;
    config->idle_lag_ms = INT64_C(30) * SECOND_MS;
    config->max_future_skew_ms = INT64_C(5) * MINUTE_MS;
    load->out_of_orderness_ms = -1;
    if (node == NULL || !check_mapping(load->diagnostics, node, "time", keys))
        return;
    config_idle_lag(load, yaml_get(node, "idle_lag"), &config->idle_lag_ms);
    (void)check_duration(load->diagnostics, yaml_get(node, "max_future_skew"), "max_future_skew",
                         &config->max_future_skew_ms);
    (void)check_duration(load->diagnostics, yaml_get(node, "out_of_orderness"), "out_of_orderness",
                         &load->out_of_orderness_ms);
    config_late(load, yaml_get(node, "late"), &config->late);
}

/* A size of digits alone counts bytes, which is rarely meant. */
static const char *bytes_hint(struct str size)
{
    int64_t bytes;
    return integer_parse(size, &bytes) ? " bytes; did you mean MiB?" : "";
}

/* The workers are known by now. A share of less would be committed, or spilled, after a few records. */
static void read_memory(struct config_load *load, const struct yaml_node *node)
{
    struct config *config = load->config;
    if (!check_size(load->diagnostics, node, "memory", &config->state_memory_bytes))
        return;
    if (config->state_memory_bytes < MEMORY_MIN)
        diagnostic_at(load->diagnostics, node, false, "memory must be at least 8MiB, not %.*s%s", STR_ARG(node->text),
                      bytes_hint(node->text));
    else if (config->state_memory_bytes < (int64_t)config->workers * WORKER_MEMORY_MIN)
        diagnostic_at(load->diagnostics, node, false, "memory must be at least 4MiB a worker, %dMiB for %d, not %.*s",
                      config->workers * (WORKER_MEMORY_MIN >> 20), config->workers, STR_ARG(node->text));
}

static void read_state(struct config_load *load, const struct yaml_node *node)
{
    static const char *const keys[] = {"dir",           "memory",           "tasks", "replication_factor",
                                       "row_retention", "standby_replicas", NULL};
    struct config *config = load->config;
    struct diagnostics *diagnostics = load->diagnostics;
    struct str dir = STR_LIT("./state");
    int64_t tasks = 8;
    int64_t replication = 1;
    int64_t standby = 0;
    config->state_memory_bytes = INT64_C(256) << 20;
    config->row_retention_ms = INT64_C(200) * DAY_MS;
    if (node != NULL && check_mapping(diagnostics, node, "state", keys)) {
        (void)check_text(diagnostics, yaml_get(node, "dir"), "dir", &dir);
        read_memory(load, yaml_get(node, "memory"));
        (void)check_int(diagnostics, yaml_get(node, "tasks"), "tasks", 1, TASKS_MAX, &tasks);
        (void)check_int(diagnostics, yaml_get(node, "replication_factor"), "replication_factor", 1, 100, &replication);
        const struct yaml_node *retention = yaml_get(node, "row_retention");
        if (check_duration(diagnostics, retention, "row_retention", &config->row_retention_ms) &&
            config->row_retention_ms < DAY_MS)
            diagnostic_at(diagnostics, retention, false, "row_retention must be at least 1d, not %.*s",
                          STR_ARG(retention->text));
        const struct yaml_node *replicas = yaml_get(node, "standby_replicas");
        if (check_int(diagnostics, replicas, "standby_replicas", 0, STANDBY_MAX, &standby) && standby > 0 &&
            config->exchange == EXCHANGE_LOCAL)
            diagnostic_at(diagnostics, replicas, false,
                          "standby replicas are of other instances, which only exchange: kafka has; write 0");
    }
    config->state_dir = config_path(load, dir);
    config->tasks = (int)tasks;
    config->replication_factor = (int)replication;
    config->standby_replicas = (int)standby;
}

static void read_impact(struct config_load *load, const struct yaml_node *node)
{
    static const char *const keys[] = {"high", "medium", NULL};
    struct config *config = load->config;
    config->impact_high = 40;
    config->impact_medium = 10;
    if (node == NULL || !check_mapping(load->diagnostics, node, "impact", keys))
        return;
    (void)check_double(load->diagnostics, yaml_get(node, "high"), "high", &config->impact_high);
    (void)check_double(load->diagnostics, yaml_get(node, "medium"), "medium", &config->impact_medium);
    if (config->impact_medium < 0 || config->impact_medium > config->impact_high)
        diagnostic_at(load->diagnostics, node, false, "medium must be from 0 to high, which is %g, not %g",
                      config->impact_high, config->impact_medium);
}

static void read_limits(struct config_load *load, const struct yaml_node *node)
{
    static const char *const keys[] = {"groups", "window_events", "evidence", "partial_matches", "record_bytes", NULL};
    struct config *config = load->config;
    config->groups_max = 100000;
    config->window_events_max = 10000;
    config->evidence_max = 20;
    config->partial_matches_max = 1000;
    config->record_bytes_max = INT64_C(1) << 20;
    if (node == NULL || !check_mapping(load->diagnostics, node, "limits", keys))
        return;
    struct diagnostics *diagnostics = load->diagnostics;
    (void)check_int(diagnostics, yaml_get(node, "groups"), "groups", 1, 100000000, &config->groups_max);
    (void)check_int(diagnostics, yaml_get(node, "window_events"), "window_events", 1, 10000000,
                    &config->window_events_max);
    (void)check_int(diagnostics, yaml_get(node, "evidence"), "evidence", 0, 1000, &config->evidence_max);
    (void)check_int(diagnostics, yaml_get(node, "partial_matches"), "partial_matches", 1, 1000000,
                    &config->partial_matches_max);
    const struct yaml_node *bytes = yaml_get(node, "record_bytes");
    if (check_size(diagnostics, bytes, "record_bytes", &config->record_bytes_max) &&
        (config->record_bytes_max < 1024 || config->record_bytes_max > RECORD_BYTES_MAX))
        diagnostic_at(diagnostics, bytes, false, "record_bytes must be from 1KiB to 40MiB, not %.*s%s",
                      STR_ARG(bytes->text), config->record_bytes_max < 1024 ? bytes_hint(bytes->text) : "");
}

static bool listen_good(struct str text)
{
    size_t colon = text.n;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    int64_t port = 0;
    return colon > 1 && integer_parse((struct str){text.p + colon, text.n - colon}, &port) && port >= 0 &&
           port <= 65535;
}

static void read_http(struct config_load *load, const struct yaml_node *node)
{
    static const char *const keys[] = {"listen", "token_file", NULL};
    struct config *config = load->config;
    if (node == NULL || yaml_is_null(node) || !check_mapping(load->diagnostics, node, "http", keys))
        return;
    const struct yaml_node *listen = yaml_get(node, "listen");
    if (listen != NULL && !yaml_is_null(listen) &&
        check_text(load->diagnostics, listen, "listen", &config->http_listen) && !listen_good(config->http_listen))
        diagnostic_at(load->diagnostics, listen, false, "listen must be HOST:PORT, such as 127.0.0.1:8080, not '%.*s'",
                      STR_ARG(config->http_listen));
    const struct yaml_node *token = yaml_get(node, "token_file");
    struct str path;
    if (token != NULL && !yaml_is_null(token) && check_text(load->diagnostics, token, "token_file", &path))
        config->http_token_file = config_path(load, path);
}

static void read_log(struct config_load *load, const struct yaml_node *node)
{
    static const char *const keys[] = {"level", "format", NULL};
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    static const char *const formats[] = {"logfmt", "json", NULL};
    struct config *config = load->config;
    config->log_level = LOG_INFO;
    config->log_format = LOG_LOGFMT;
    if (node == NULL || !check_mapping(load->diagnostics, node, "log", keys))
        return;
    const struct yaml_node *level = yaml_get(node, "level");
    int symbol = level == NULL ? -1 : check_symbol(load->diagnostics, level, "log level", levels);
    if (symbol >= 0)
        config->log_level = (enum log_level)(LOG_DEBUG + symbol);
    const struct yaml_node *format = yaml_get(node, "format");
    symbol = format == NULL ? -1 : check_symbol(load->diagnostics, format, "log format", formats);
    if (symbol >= 0)
        config->log_format = symbol == 0 ? LOG_LOGFMT : LOG_JSON;
}

static void read_scalars(struct config_load *load, const struct yaml_node *root)
{
    static const char *const exchanges[] = {"local", "kafka", NULL};
    static const char *const starts[] = {"earliest", "latest", NULL};
    struct config *config = load->config;
    struct diagnostics *diagnostics = load->diagnostics;
    config->application_id = STR_LIT("forestall");
    const struct yaml_node *node = yaml_get(root, "application_id");
    if (check_text(diagnostics, node, "application_id", &config->application_id) &&
        !kafka_name(config->application_id, 100))
        diagnostic_at(diagnostics, node, false,
                      "application_id must be letters, digits, '.', '_' and '-', at most 100 of them, not '%.*s'",
                      STR_ARG(config->application_id));
    node = yaml_get(root, "exchange");
    if (node != NULL && check_symbol(diagnostics, node, "exchange", exchanges) == EXCHANGE_KAFKA)
        config->exchange = EXCHANGE_KAFKA;
    node = yaml_get(root, "start");
    config->start_latest = node != NULL && check_symbol(diagnostics, node, "start", starts) == 1;
    int64_t workers = 1;
    node = yaml_get(root, "workers");
    if (check_int(diagnostics, node, "workers", 1, WORKERS_MAX, &workers) && workers > 1 &&
        config->exchange == EXCHANGE_LOCAL)
        diagnostic_at(diagnostics, node, false,
                      "more than one worker needs exchange: kafka; with the local exchange write 1");
    config->workers = (int)workers;
    config->commit_interval_ms = 500;
    node = yaml_get(root, "commit_interval");
    if (check_duration(diagnostics, node, "commit_interval", &config->commit_interval_ms) &&
        (config->commit_interval_ms < 10 || config->commit_interval_ms > MINUTE_MS))
        diagnostic_at(diagnostics, node, false, "commit_interval must be from 10ms to 1m, not %.*s",
                      STR_ARG(node->text));
    node = yaml_get(root, "schema_registry");
    if (node != NULL && !yaml_is_null(node))
        diagnostic_at(diagnostics, node, false,
                      "the schema registry is not built yet; name each source's schema file by 'schema'");
}

static bool has_bootstrap(const struct config *config)
{
    for (size_t i = 0; i < config->kafka_count; i++)
        if (str_is(config->kafka[i].key, "bootstrap.servers") || str_is(config->kafka[i].key, "metadata.broker.list"))
            return true;
    return false;
}

static void check_needs(struct config_load *load, const struct yaml_node *root)
{
    unsigned needs = load->needs;
    const struct config *config = load->config;
    const struct yaml_node *kafka = yaml_get(root, "kafka");
    if ((needs & CONFIG_NEED_KAFKA) != 0 && !has_bootstrap(config))
        diagnostic_at(load->diagnostics, kafka != NULL ? kafka : root, false,
                      "kafka has no 'bootstrap.servers'; write kafka: {bootstrap.servers: \"HOST:9092\"}");
    const struct yaml_node *sources = yaml_get(root, "sources");
    if ((needs & CONFIG_NEED_SOURCES) != 0 && config->source_count == 0)
        diagnostic_at(load->diagnostics, sources != NULL ? sources : root, false, "there are no sources to read");
    const struct yaml_node *rules = yaml_get(root, "rules");
    if ((needs & CONFIG_NEED_RULES) != 0 && config->rule_count == 0)
        diagnostic_at(load->diagnostics, rules != NULL ? rules : root, false,
                      "there are no rules; write rules: [FOLDER]");
}

static struct config *read_root(struct config *config, struct yaml_node *root, const char *name,
                                char *const *environment, unsigned needs, struct diagnostics *diagnostics)
{
    size_t errors_before = diagnostics->errors;
    struct config_load load = {.config = config, .arena = &config->arena, .diagnostics = diagnostics, .needs = needs};
    const char *slash = strrchr(name, '/');
    if (slash != NULL)
        load.folder = (struct str){name, (size_t)(slash - name) + 1};
    if (check_map(diagnostics, root, "the configuration")) {
        root = config_env_apply(&config->arena, root, environment, diagnostics);
        (void)check_mapping(diagnostics, root, "the configuration", config_keys);
        read_scalars(&load, root);
        read_kafka(&load, yaml_get(root, "kafka"));
        read_time(&load, yaml_get(root, "time"));
        config_sources_read(&load, yaml_get(root, "sources"));
        read_outputs(&load, yaml_get(root, "outputs"));
        check_topics(&load, root);
        read_rules(&load, yaml_get(root, "rules"));
        read_state(&load, yaml_get(root, "state"));
        read_impact(&load, yaml_get(root, "impact"));
        read_limits(&load, yaml_get(root, "limits"));
        read_http(&load, yaml_get(root, "http"));
        read_log(&load, yaml_get(root, "log"));
        check_needs(&load, root);
        if ((needs & CONFIG_TRY) != 0 && diagnostics->errors == errors_before)
            try_kafka(&load, yaml_get(root, "kafka"));
    }
    diagnostics_sort(diagnostics);
    if (diagnostics->errors == errors_before)
        return config;
    config_free(config);
    return NULL;
}

int64_t config_produced_bytes(const struct config *config)
{
    return 2 * config->record_bytes_max + PRODUCED_ROOM_BYTES;
}

struct config *config_load(const char *path, char *const *environment, unsigned needs, struct diagnostics *diagnostics)
{
    struct config *config = mem_zalloc(sizeof *config);
    struct yaml_node *root = yaml_load(&config->arena, path, diagnostics);
    if (root == NULL) {
        config_free(config);
        return NULL;
    }
    return read_root(config, root, path, environment, needs, diagnostics);
}

struct config *config_load_text(const char *name, struct str text, char *const *environment, unsigned needs,
                                struct diagnostics *diagnostics)
{
    struct config *config = mem_zalloc(sizeof *config);
    struct yaml_node *root = yaml_parse(&config->arena, name, text, diagnostics);
    if (root == NULL) {
        config_free(config);
        return NULL;
    }
    return read_root(config, root, name, environment, needs, diagnostics);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    arena_fini(&config->arena);
    free(config);
}
