/* The configuration: defaults, every key, overrides from the environment, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time_text.h"
#include "codec/schemas_embedded.h"
#include "engine/config.h"

static struct arena arena;
static struct diagnostics diagnostics;
static struct config *config;

static int setup(void **state)
{
    (void)state;
    diagnostics = (struct diagnostics){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_free(config);
    config = NULL;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return 0;
}

static const char *said(void)
{
    const char *all = "";
    for (size_t i = 0; i < diagnostics.count; i++) {
        const struct diagnostic *item = &diagnostics.items[i];
        all = arena_printf(&arena, "%s%s:%d:%d: %s: %s\n", all, item->file, item->line, item->column,
                           item->warning ? "warning" : "error", item->message);
    }
    return all;
}

static void load(const char *text, const char *const *environment, unsigned needs)
{
    config_free(config);
    diagnostics_fini(&diagnostics);
    char *copies[16] = {0};
    for (int i = 0; environment != NULL && environment[i] != NULL; i++)
        copies[i] = arena_printf(&arena, "%s", environment[i]);
    config = config_load_text("etc/f.yaml", str_of(text), copies, needs, &diagnostics);
}

static void test_defaults(void **state)
{
    (void)state;
    load("", NULL, 0);
    assert_string_equal(said(), "");
    assert_true(str_is(config->application_id, "forestall"));
    assert_int_equal(config->kafka_count + config->source_count + config->rule_count, 0);
    assert_true(str_is(config->recommendations.topic, "forestall.recommendations"));
    assert_true(str_is(config->scorecards.topic, "forestall.scorecards"));
    assert_true(str_is(config->dead_letter.topic, "forestall.dead-letter"));
    assert_int_equal(config->recommendations.format, FORMAT_JSON);
    assert_int_equal(config->idle_lag_ms, 30 * SECOND_MS);
    assert_int_equal(config->max_future_skew_ms, 5 * MINUTE_MS);
    assert_int_equal(config->late, LATE_DEAD_LETTER);
    assert_int_equal(config->exchange, EXCHANGE_LOCAL);
    assert_true(str_is(config->state_dir, "etc/./state"));
    assert_int_equal(config->state_memory_bytes, 256 << 20);
    assert_int_equal(config->tasks, 8);
    assert_int_equal(config->replication_factor, 1);
    assert_int_equal(config->row_retention_ms, 200 * (int64_t)DAY_MS);
    assert_true(config->impact_high == 40 && config->impact_medium == 10);
    assert_int_equal(config->groups_max, 100000);
    assert_int_equal(config->window_events_max, 10000);
    assert_int_equal(config->evidence_max, 20);
    assert_int_equal(config->partial_matches_max, 1000);
    assert_int_equal(config->record_bytes_max, 1 << 20);
    assert_false(config->start_latest);
    assert_int_equal(config->workers, 1);
    assert_int_equal(config->commit_interval_ms, 500);
    assert_int_equal(config->http_listen.n + config->http_token_file.n, 0);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->log_format, LOG_LOGFMT);
}

static void test_exchange(void **state)
{
    (void)state;
    load("exchange: kafka\nworkers: 64\nstate: {standby_replicas: 7}", NULL, 0);
    assert_string_equal(said(), "");
    assert_int_equal(config->exchange, EXCHANGE_KAFKA);
    assert_int_equal(config->workers, 64);
    assert_int_equal(config->standby_replicas, 7);
    load("exchange: kafka\nsources: [{topic: forestall-exchanges, stream: incident, format: json}]", NULL, 0);
    assert_string_equal(said(), "");
    assert_int_equal(config->workers, 1);
    assert_int_equal(config->standby_replicas, 0);
}

static const char full[] =
    "application_id: shop\nkafka: {bootstrap.servers: \"a:1,b:2\", linger.ms: 5}\nschema_registry: null\n"
    "sources:\n"
    "  - {topic: telemetry, stream: telemetry, format: avro, framing: confluent, idle_lag: never}\n"
    "  - {topic: incidents, stream: incident, format: json, key: [incident_id], out_of_orderness: 1m, late: drop, "
    "max_future_skew: 1h}\n"
    "outputs:\n  recommendations: {topic: r, format: avro, framing: none}\n  scorecards: {topic: s}\n"
    "  dead_letter: {topic: d}\n"
    "rules: [rules/, /abs/rules]\ntime: {idle_lag: 1m, max_future_skew: 2m, late: drop}\nexchange: local\n"
    "state: {dir: /var/s, memory: 1GiB, tasks: 32, replication_factor: 3, row_retention: 100d, standby_replicas: 0}\n"
    "impact: {high: 50.5, medium: 20}\n"
    "limits: {groups: 5, window_events: 6, evidence: 7, partial_matches: 8, record_bytes: 64KiB}\n"
    "start: latest\nworkers: 1\ncommit_interval: 1s\nhttp: {listen: \"127.0.0.1:8080\", token_file: token}\n"
    "log: {level: warn, format: json}\n";

static void test_full(void **state)
{
    (void)state;
    load(full, NULL, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES | CONFIG_NEED_RULES);
    assert_string_equal(said(), "");
    assert_true(str_is(config->application_id, "shop"));
    assert_int_equal(config->kafka_count, 2);
    assert_true(str_is(config->kafka[0].key, "bootstrap.servers") && str_is(config->kafka[0].value, "a:1,b:2"));
    assert_int_equal(config->source_count, 2);
    const struct config_source *incidents = &config->sources[0];
    const struct config_source *telemetry = &config->sources[1];
    assert_true(str_is(incidents->topic, "incidents") && incidents->stream == stream_get(STREAM_INCIDENT));
    assert_true(incidents->key_count == 1 && str_is(incidents->key[0], "incident_id"));
    assert_int_equal(incidents->out_of_orderness_ms, MINUTE_MS);
    assert_int_equal(incidents->idle_lag_ms, MINUTE_MS);
    assert_int_equal(incidents->max_future_skew_ms, HOUR_MS);
    assert_int_equal(telemetry->out_of_orderness_ms, 10 * SECOND_MS);
    assert_true(telemetry->idle_lag_ms == INT64_MAX && telemetry->max_future_skew_ms == 2 * MINUTE_MS);
    assert_true(telemetry->format == FORMAT_AVRO && telemetry->framing == FRAMING_CONFLUENT);
    assert_string_equal(telemetry->schema.p, schema_embedded_find("telemetry"));
    assert_int_equal(incidents->schema.n, 0);
    assert_int_equal(telemetry->late, LATE_DROP);
    assert_int_equal(config->recommendations.framing, FRAMING_NONE);
    assert_true(config->rule_count == 2 && strcmp(config->rules[0], "etc/rules/") == 0);
    assert_string_equal(config->rules[1], "/abs/rules");
    assert_true(str_is(config->state_dir, "/var/s") && config->state_memory_bytes == 1 << 30 && config->tasks == 32);
    assert_true(config->impact_high == 50.5 && config->impact_medium == 20);
    assert_true(config->groups_max == 5 && config->window_events_max == 6 && config->evidence_max == 7 &&
                config->partial_matches_max == 8 && config->record_bytes_max == 64 << 10);
    assert_true(config->start_latest && config->commit_interval_ms == 1000);
    assert_true(str_is(config->http_listen, "127.0.0.1:8080") && str_is(config->http_token_file, "etc/token"));
    assert_true(config->log_level == LOG_WARN && config->log_format == LOG_JSON);
}

static void test_environment(void **state)
{
    (void)state;
    static const char *const environment[] = {"PATH=/bin",
                                              "FORESTALL_FAILPOINT=commit_before_end", /* of tests, and no key */
                                              "FORESTALL_APPLICATION_ID=other",
                                              "FORESTALL_KAFKA__BOOTSTRAP_SERVERS=c:3",
                                              "FORESTALL_KAFKA__SASL_USERNAME=u",
                                              "FORESTALL_KAFKA__SSL_CA_LOCATION=x",
                                              "FORESTALL_SOURCES__1__LATE=dead_letter",
                                              "FORESTALL_SOURCES__2__TOPIC=deployments",
                                              "FORESTALL_SOURCES__2__STREAM=deployment",
                                              "FORESTALL_SOURCES__2__FORMAT=json",
                                              "FORESTALL_RULES__1=more",
                                              "FORESTALL_STATE__MEMORY=64MiB",
                                              "FORESTALL_HTTP__TOKEN_FILE=null",
                                              "FORESTALL_OUTPUTS__DEAD_LETTER__TOPIC=dd",
                                              NULL};
    load(full, environment, 0);
    assert_string_equal(said(), "");
    assert_true(str_is(config->application_id, "other"));
    assert_int_equal(config->kafka_count, 4);
    assert_true(str_is(config->kafka[0].value, "c:3"));
    assert_true(str_is(config->kafka[2].key, "sasl.username") && str_is(config->kafka[3].key, "ssl.ca.location"));
    assert_int_equal(config->source_count, 3);
    assert_true(str_is(config->sources[0].topic, "deployments"));
    assert_int_equal(config->sources[1].late, LATE_DEAD_LETTER);
    assert_string_equal(config->rules[1], "etc/more");
    assert_int_equal(config->state_memory_bytes, 64 << 20);
    assert_int_equal(config->http_token_file.n, 0);
    assert_true(str_is(config->dead_letter.topic, "dd"));
    static const char *const from_nothing[] = {
        "FORESTALL_KAFKA__BOOTSTRAP_SERVERS=c:3", "FORESTALL_SOURCES__1__TOPIC=b",
        "FORESTALL_SOURCES__0__TOPIC=a",          "FORESTALL_SOURCES__0__STREAM=incident",
        "FORESTALL_SOURCES__0__FORMAT=json",      "FORESTALL_SOURCES__1__STREAM=telemetry",
        "FORESTALL_SOURCES__1__FORMAT=json",      NULL};
    load("", from_nothing, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES);
    assert_string_equal(said(), "");
    assert_int_equal(config->source_count, 2);
}

struct bad_environment {
    const char *variable;
    const char *expected;
};

static void test_bad_environment(void **state)
{
    (void)state;
    static const struct bad_environment cases[] = {
        {"FORESTALL_STATE__TASKS=many",
         "FORESTALL_STATE__TASKS:1:1: error: tasks must be a whole number, not 'many'\n"},
        {"FORESTALL_STATE__TASK=1",
         "FORESTALL_STATE__TASK:1:1: error: unknown key 'task' in state; did you mean 'tasks'?\n"},
        {"FORESTALL_SOURCE=/src",
         "FORESTALL_SOURCE:1:1: warning: 'source' is no key of the configuration; did you mean 'sources'?\n"},
        {"FORESTALL_SOURCE__0__TOPIC=t",
         "FORESTALL_SOURCE__0__TOPIC:1:1: error: 'source' is no key of the configuration; did you mean 'sources'?\n"},
        {"FORESTALL_STATE_DIR=/s",
         "FORESTALL_STATE_DIR:1:1: warning: 'state_dir' is no key of the configuration; with __ "
         "between levels it is FORESTALL_STATE__DIR\n"},
        {"FORESTALL_SOURCES__5__TOPIC=t",
         "FORESTALL_SOURCES__5__TOPIC:1:1: error: '5' is no index of a list of 2 items; the next is 2\n"},
        {"FORESTALL_RULES__FIRST=t",
         "FORESTALL_RULES__FIRST:1:1: error: 'FIRST' is no index of a list of 2 items; the next is 2\n"},
        {"FORESTALL___=1", "FORESTALL___:1:1: error: this is no path of a key\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *environment[] = {cases[i].variable, NULL};
        load(full, environment, 0);
        assert_string_equal(said(), cases[i].expected);
        assert_true((config == NULL) == (diagnostics.errors > 0));
    }
}

/* Text -> what is said of it, without the file's name. */
static const char *const bad[][2] = {
    {"aplication_id: x",
     "1:1: error: unknown key 'aplication_id' in the configuration; did you mean 'application_id'?"},
    {"application_id: a b",
     "1:17: error: application_id must be letters, digits, '.', '_' and '-', at most 100 of them, not 'a b'"},
    {"[]", "1:1: error: the configuration must be a mapping, not a list"},
    {"kafka: {group.id: x}",
     "1:9: error: kafka: 'group.id' is Forestall's to set, since its guarantees depend on it: remove it"},
    {"kafka: {acks: 1}",
     "1:9: error: kafka: 'acks' is Forestall's to set, since its guarantees depend on it: remove it"},
    {"kafka: {linger.sm: 5}", "1:9: error: kafka: linger.sm: No such configuration property: \"linger.sm\""},
    {"kafka: {linger.ms: soon}",
     "1:9: error: kafka: linger.ms: Invalid value for configuration property \"queue.buffering.max.ms\""},
    {"kafka: {a: [b]}", "1:12: error: a property must be text, not a list"},
    {"schema_registry: {url: x}",
     "1:18: error: the schema registry is not built yet; name each source's schema file by 'schema'"},
    {"sources: {}", "1:10: error: sources must be a list, not a mapping"},
    {"sources: [{stream: incident, format: json}]", "1:11: error: a source has no 'topic'"},
    {"sources: [{topic: a, format: json}]", "1:11: error: a source has no 'stream'"},
    {"sources: [{topic: a, stream: incident}]", "1:11: error: a source has no 'format'"},
    {"sources: [{topic: a b, stream: incident, format: json}]",
     "1:19: error: 'a b' is no name for a topic; take letters, digits, '.', '_' and '-', at most 249 of them"},
    {"sources: [{topic: a, stream: incidents, format: json}]",
     "1:30: error: unknown stream 'incidents'; did you mean 'incident'?"},
    {"sources: [{topic: a, stream: incident, format: xml}]",
     "1:48: error: unknown format 'xml'; known are json or avro"},
    {"sources: [{topic: a, stream: incident, format: json, framing: confluent}]",
     "1:63: error: only Avro records have Confluent's frame; write format: avro"},
    {"outputs: {recommendations: {topic: r, format: avro, framing: confluent}}",
     "1:62: error: an output with Confluent's frame needs the schema registry, which is not built yet; write none"},
    {"sources: [{topic: a, stream: incident, format: json, schema: x}]",
     "1:62: error: only a source with format: avro has a schema"},
    {"sources: [{topic: a, stream: telemetry, format: json, key: [name]}]",
     "1:60: error: stream 'telemetry' has no rows, so it takes no key"},
    {"sources: [{topic: a, stream: incident, format: json, key: [occurred_at]}]",
     "1:60: error: 'occurred_at' is no text field of stream 'incident'"},
    {"sources: [{topic: a, stream: incident, format: json, idle_lag: forever}]",
     "1:64: error: idle_lag: 'forever' is no duration; write one such as 30s, 10m or 1d12h"},
    {"sources: [{topic: a, stream: incident, format: json}, {topic: a, stream: feedback, format: json}]",
     "1:55: error: topic 'a' is a source already, in line 1"},
    {"sources: [{topic: s, stream: incident, format: json}]\noutputs: {scorecards: {topic: s}}",
     "2:10: error: topic 's' is a source and an output"},
    {"outputs: {scorecards: {topic: s}, dead_letter: {topic: s}}", "1:10: error: two outputs share the topic 's'"},
    {"outputs: {dead_letter: {topic: s, format: json}}",
     "1:35: error: unknown key 'format' in an output; known are topic"},
    {"time: {late: drip}", "1:14: error: unknown late 'drip'; did you mean 'drop'?"},
    {"sources: [{topic: forestall-exchange, stream: incident, format: json}]",
     "1:10: error: topic 'forestall-exchange' is an internal one of this application; take another name"},
    {"application_id: a\noutputs: {scorecards: {topic: a-marks}}",
     "2:10: error: topic 'a-marks' is an internal one of this application; take another name"},
    {"exchange: topic", "1:11: error: unknown exchange 'topic'; known are local or kafka"},
    {"workers: 2", "1:10: error: more than one worker needs exchange: kafka; with the local exchange write 1"},
    {"workers: 0", "1:10: error: workers must be from 1 to 64, not 0"},
    {"exchange: kafka\nworkers: 65", "2:10: error: workers must be from 1 to 64, not 65"},
    {"state: {standby_replicas: 1}",
     "1:27: error: standby replicas are of other instances, which only exchange: kafka has; write 0"},
    {"exchange: kafka\nstate: {standby_replicas: 8}", "2:27: error: standby_replicas must be from 0 to 7, not 8"},
    {"exchange: kafka\nstate: {tasks: 33}", "2:16: error: tasks must be from 1 to 32, not 33"},
    {"state: {tasks: 33}", "1:16: error: tasks must be from 1 to 32, not 33"},
    {"state: {memory: 1MiB}", "1:17: error: memory must be at least 8MiB, not 1MiB"},
    {"state: {memory: 256}", "1:17: error: memory must be at least 8MiB, not 256 bytes; did you mean MiB?"},
    {"exchange: kafka\nworkers: 64\nstate: {memory: 255MiB}",
     "3:17: error: memory must be at least 4MiB a worker, 256MiB for 64, not 255MiB"},
    {"state: {memory: lots}", "1:17: error: memory: 'lots' is no size; write one such as 512KiB or 256MiB"},
    {"state: {row_retention: 1h}", "1:24: error: row_retention must be at least 1d, not 1h"},
    {"impact: {high: 1, medium: 2}", "1:9: error: medium must be from 0 to high, which is 1, not 2"},
    {"limits: {groups: 0}", "1:18: error: groups must be from 1 to 100000000, not 0"},
    {"limits: {record_bytes: 1B}", "1:24: error: record_bytes must be from 1KiB to 40MiB, not 1B"},
    {"limits: {record_bytes: 41MiB}", "1:24: error: record_bytes must be from 1KiB to 40MiB, not 41MiB"},
    {"start: now", "1:8: error: unknown start 'now'; known are earliest or latest"},
    {"commit_interval: 1ms", "1:18: error: commit_interval must be from 10ms to 1m, not 1ms"},
    {"http: {listen: 8080}", "1:16: error: listen must be HOST:PORT, such as 127.0.0.1:8080, not '8080'"},
    {"log: {level: loud}", "1:14: error: unknown log level 'loud'; known are debug, info, warn or error"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        load(bad[i][0], NULL, 0);
        assert_null(config);
        assert_string_equal(said(), arena_printf(&arena, "etc/f.yaml:%s\n", bad[i][1]));
    }
    load("application_id: x", NULL, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES | CONFIG_NEED_RULES);
    assert_string_equal(said(),
                        "etc/f.yaml:1:1: error: kafka has no 'bootstrap.servers'; write kafka: {bootstrap.servers: "
                        "\"HOST:9092\"}\n"
                        "etc/f.yaml:1:1: error: there are no rules; write rules: [FOLDER]\n"
                        "etc/f.yaml:1:1: error: there are no sources to read\n");
}

static void test_schemas(void **state)
{
    (void)state;
    const char *text = "sources: [{topic: t, stream: telemetry, format: avro, schema: s/t.avsc}]";
    load(text, NULL, 0);
    assert_string_equal(said(), "");
    load(text, NULL, CONFIG_NEED_SOURCES);
    assert_string_equal(said(), "etc/f.yaml:1:63: error: cannot read etc/s/t.avsc: No such file or directory; it must "
                                "be a file with the Avro schema that the topic's producers write with, of records that "
                                "can be read as schemas/telemetry.avsc\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exchange, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schemas, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
