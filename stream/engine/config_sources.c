/* `sources`: the topics that are read, each with its stream, form and ideas of time. */
#include "base/map.h"
#include "codec/schemas_embedded.h"
#include "engine/config_load.h"

#include <stdlib.h>

enum { SCHEMA_FILE_BYTES_MAX = 1024 * 1024 };

static const char *const source_keys[] = {"topic", "stream",           "format",   "framing",         "schema",
                                          "key",   "out_of_orderness", "idle_lag", "max_future_skew", "late",
                                          NULL};
static const char *const stream_names[] = {"incident", "deployment", "telemetry", "feedback", NULL};

static void read_stream(struct config_load *load, const struct yaml_node *node, struct config_source *source)
{
    const struct yaml_node *stream = check_need(load->diagnostics, node, "a source", "stream");
    if (stream != NULL && check_symbol(load->diagnostics, stream, "stream", stream_names) >= 0)
        source->stream = stream_find(stream->text);
}

/* The schema in a file, NULL where none can be read. Once, when the process starts: rules that are loaded again find
 * the same. With CONFIG_TRY also whether the stream's events can be read from what it writes. */
static const char *schema_load(const struct config_load *load, struct str path, const struct config_source *source,
                               struct str *schema, struct error *err)
{
    const char *text = yaml_read_file(load->arena, path.p, SCHEMA_FILE_BYTES_MAX, &schema->n, err);
    schema->p = text;
    if (text == NULL || (load->needs & CONFIG_TRY) == 0)
        return text;
    struct decoder *decoder = NULL;
    struct decoder_options options = {.stream = source->stream,
                                      .format = source->format,
                                      .framing = source->framing,
                                      .schema = *schema,
                                      .wanted = FIELD_BIT(source->stream->record_field_count) - 1};
    if (decoder_new(&decoder, &options, err) != 0) {
        (void)error_prefix(err, "%.*s", STR_ARG(path));
        return NULL;
    }
    decoder_free(decoder);
    return text;
}

static void read_schema(struct config_load *load, const struct yaml_node *node, struct config_source *source)
{
    const struct yaml_node *schema = yaml_get(node, "schema");
    struct error err = {0};
    struct str path;
    if (source->format == FORMAT_AVRO && source->stream != NULL)
        source->schema = str_of(schema_embedded_find(source->stream->name));
    if (schema == NULL || yaml_is_null(schema) || !check_text(load->diagnostics, schema, "schema", &path))
        return;
    if (source->format != FORMAT_AVRO)
        diagnostic_at(load->diagnostics, schema, false, "only a source with format: avro has a schema");
    else if (source->stream != NULL && (load->needs & (CONFIG_NEED_SOURCES | CONFIG_TRY)) != 0 &&
             schema_load(load, config_path(load, path), source, &source->schema, &err) == NULL)
        diagnostic_at(load->diagnostics, schema, NULL,
                      "%s; it must be a file with the Avro schema that the topic's producers write with, of records "
                      "that can be read as schemas/%s.avsc",
                      err.message, source->stream->name);
}

/* The fields that tell rows apart, in place of the stream's own. */
static void read_key(struct config_load *load, const struct yaml_node *node, struct config_source *source)
{
    struct diagnostics *diagnostics = load->diagnostics;
    const struct yaml_node *key = yaml_get(node, "key");
    if (!check_sequence(diagnostics, key, "key") || source->stream == NULL)
        return;
    if (!source->stream->rows) {
        diagnostic_at(diagnostics, key, false, "stream '%s' has no rows, so it takes no key", source->stream->name);
        return;
    }
    if (key->count == 0) {
        diagnostic_at(diagnostics, key, false, "key names at least one field");
        return;
    }
    source->key = arena_alloc(load->arena, key->count * sizeof *source->key);
    for (size_t i = 0; i < key->count; i++) {
        struct str name;
        if (!check_text(diagnostics, key->items[i], "a field", &name))
            continue;
        int field = stream_field_find(source->stream, name);
        const struct stream_field *found = field < 0 ? NULL : &source->stream->fields[field];
        if (found == NULL || found->derived || (found->kind != FIELD_STRING && found->kind != FIELD_ENUM))
            diagnostic_at(diagnostics, key->items[i], false, "'%.*s' is no text field of stream '%s'", STR_ARG(name),
                          source->stream->name);
        source->key[source->key_count++] = name;
    }
}

static void read_source(struct config_load *load, const struct yaml_node *node, struct config_source *source)
{
    struct diagnostics *diagnostics = load->diagnostics;
    if (!check_mapping(diagnostics, node, "a source", source_keys))
        return;
    const struct yaml_node *topic = check_need(diagnostics, node, "a source", "topic");
    if (topic != NULL)
        (void)config_topic(load, topic, &source->topic);
    read_stream(load, node, source);
    if (check_need(diagnostics, node, "a source", "format") != NULL)
        config_format(load, node, &source->format, &source->framing);
    read_schema(load, node, source);
    read_key(load, node, source);
    source->out_of_orderness_ms = load->out_of_orderness_ms >= 0 ? load->out_of_orderness_ms
                                  : source->stream != NULL && source->stream->id == STREAM_TELEMETRY
                                      ? INT64_C(10) * SECOND_MS
                                      : INT64_C(2) * MINUTE_MS;
    source->idle_lag_ms = load->config->idle_lag_ms;
    source->max_future_skew_ms = load->config->max_future_skew_ms;
    source->late = load->config->late;
    (void)check_duration(diagnostics, yaml_get(node, "out_of_orderness"), "out_of_orderness",
                         &source->out_of_orderness_ms);
    config_idle_lag(load, yaml_get(node, "idle_lag"), &source->idle_lag_ms);
    (void)check_duration(diagnostics, yaml_get(node, "max_future_skew"), "max_future_skew",
                         &source->max_future_skew_ms);
    config_late(load, yaml_get(node, "late"), &source->late);
}

static int by_topic(const void *a, const void *b)
{
    return str_cmp(((const struct config_source *)a)->topic, ((const struct config_source *)b)->topic);
}

void config_sources_read(struct config_load *load, const struct yaml_node *node)
{
    struct config *config = load->config;
    if (!check_sequence(load->diagnostics, node, "sources"))
        return;
    config->sources = arena_zalloc(load->arena, (node->count + 1) * sizeof *config->sources);
    config->source_count = node->count;
    struct map seen = {0};
    if (node->count > CONFIG_SOURCES_MAX)
        diagnostic_at(load->diagnostics, node->items[CONFIG_SOURCES_MAX], NULL, "there are %zu sources, and at most %d",
                      node->count, CONFIG_SOURCES_MAX);
    for (size_t i = 0; i < node->count; i++) {
        read_source(load, node->items[i], &config->sources[i]);
        void **slot = map_slot(&seen, config->sources[i].topic);
        const struct yaml_node *first = *slot;
        if (config->sources[i].topic.n > 0 && first != NULL)
            diagnostic_at(load->diagnostics, node->items[i], NULL, "topic '%.*s' is a source already, in line %d",
                          STR_ARG(config->sources[i].topic), first->line);
        else
            *slot = node->items[i];
    }
    map_fini(&seen);
    if (config->source_count > 1)
        qsort(config->sources, config->source_count, sizeof *config->sources, by_topic);
}
