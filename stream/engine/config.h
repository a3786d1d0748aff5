/* The configuration file: every key of DESIGN section 8, defaults filled, overrides from the environment applied.
 * Relative paths are made relative to the file that names them. Immutable after loading. */
#ifndef FORESTALL_ENGINE_CONFIG_H
#define FORESTALL_ENGINE_CONFIG_H

#include "base/log.h"
#include "codec/decoder.h"
#include "rule/yaml.h"

enum late_policy { LATE_DEAD_LETTER, LATE_DROP };
enum exchange_kind { EXCHANGE_LOCAL, EXCHANGE_KAFKA };

struct config_source {
    struct str topic;
    const struct stream *stream;
    enum record_format format;
    enum record_framing framing;
    struct str schema; /* Avro: what its records are written with, of its file (where sources are needed) or built in */
    int64_t out_of_orderness_ms;
    int64_t idle_lag_ms; /* INT64_MAX: never */
    int64_t max_future_skew_ms;
    enum late_policy late;
    bool untimed;    /* its records have no time of their own: lines of a file */
    struct str *key; /* of rows: the fields that identify one; NULL: the stream's own */
    size_t key_count;
};

struct config_output {
    struct str topic;
    enum record_format format;
    enum record_framing framing;
};

struct config {
    struct arena arena;
    struct str application_id;
    struct str_pair *kafka; /* librdkafka properties, verbatim */
    size_t kafka_count;
    struct config_source *sources; /* in order of topic name */
    size_t source_count;
    struct config_output recommendations;
    struct config_output scorecards;
    struct config_output dead_letter;
    const char **rules; /* paths */
    size_t rule_count;
    int64_t idle_lag_ms; /* INT64_MAX: never */
    int64_t max_future_skew_ms;
    enum late_policy late;
    enum exchange_kind exchange; /* commands that run by themselves use the local one whatever it says */
    struct str state_dir;
    int64_t state_memory_bytes;
    int tasks; /* 1 … 32 */
    int replication_factor;
    int64_t row_retention_ms;
    int standby_replicas; /* 0 … 7; more than 0 only with EXCHANGE_KAFKA */
    double impact_high;
    double impact_medium;
    int64_t groups_max;
    int64_t window_events_max;
    int64_t evidence_max;
    int64_t partial_matches_max;
    int64_t record_bytes_max;
    bool start_latest;
    int workers; /* 1 … 64; more than 1 only with EXCHANGE_KAFKA */
    int64_t commit_interval_ms;
    struct str http_listen; /* empty: not configured */
    struct str http_token_file;
    enum log_level log_level;
    enum log_format log_format;
};

/* What a command needs of the file: `run` needs kafka and sources (with their schemas), `replay --file` neither.
 * CONFIG_TRY: that what the file names can be opened and used, as far as that asks nobody: decoders and Kafka's clients
 * are made. */
enum config_need { CONFIG_NEED_KAFKA = 1, CONFIG_NEED_SOURCES = 2, CONFIG_NEED_RULES = 4, CONFIG_TRY = 8 };

enum { CONFIG_SOURCES_MAX = 256 };

/* The largest record that is produced, with its key and headers: two of what was read (a row before and after, feedback
 * as bytes and decoded), and what the program itself puts together, for which it has bounds of its own (a pane's folds,
 * a recommendation's texts, evidence and history). */
int64_t config_produced_bytes(const struct config *config);

/* Loads `path`; `environment` is environ-like ("NAME=value"), NULL for none. NULL when diagnostics got an error. What
 * is not served yet (schema_registry) is an error that says so. */
struct config *config_load(const char *path, char *const *environment, unsigned needs, struct diagnostics *diagnostics);
/* The same over a text in memory. */
struct config *config_load_text(const char *name, struct str text, char *const *environment, unsigned needs,
                                struct diagnostics *diagnostics);
void config_free(struct config *config);

#endif
