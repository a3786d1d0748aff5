/* Files to partitions. */
#include "cli/files.h"

#include <stdlib.h>

#include "codec/ocf.h"
#include "codec/source_ocf.h"
#include "io/source_file.h"
#include "io/source_union.h"

enum { PARTS_MAX = 512 };

/* One (file, stream). */
struct part {
    const char *path;
    const struct stream *stream;
    int32_t place;
    bool filter; /* take only lines of the stream */
    bool container;
    struct str schema; /* of a container */
};

struct parts {
    struct part items[PARTS_MAX];
    size_t count;
    int64_t unnamed;
};

static int add(struct parts *parts, struct part part, struct error *err)
{
    if (parts->count == PARTS_MAX)
        return error_set(err, ERROR_FATAL, "more than %d files and streams", PARTS_MAX);
    parts->items[parts->count++] = part;
    return 0;
}

static int add_lines(struct parts *parts, struct part part, struct error *err)
{
    static const char *const known[] = {"incident", "deployment", "telemetry", "feedback", NULL};
    const char *names[8];
    size_t n = 0;
    int64_t unnamed = 0;
    if (part.stream != NULL)
        return add(parts, part, err);
    TRY(source_file_streams(part.path, known, names, &n, &unnamed, err));
    parts->unnamed += unnamed;
    for (size_t i = 0; i < n; i++) {
        part.stream = stream_find(str_of(names[i]));
        part.filter = true;
        TRY(add(parts, part, err));
    }
    return 0;
}

static int add_file(struct parts *parts, struct config *config, const char *name, int32_t place, struct error *err)
{
    struct part part = {.path = name, .place = place};
    const char *equals = strchr(name, '=');
    if (equals != NULL) {
        struct str stream = {name, (size_t)(equals - name)};
        part.stream = stream_find(stream);
        part.path = equals + 1;
        if (part.stream == NULL || part.stream->record == NULL)
            return error_set(err, ERROR_FATAL,
                             "'%.*s' is no stream that files hold: incident, deployment, telemetry or "
                             "feedback",
                             STR_ARG(stream));
    }
    if (!ocf_is(part.path))
        return add_lines(parts, part, err);
    const struct stream *named = source_ocf_stream(part.path, &config->arena, &part.schema, err);
    part.container = true;
    if (part.stream == NULL)
        part.stream = named;
    return part.stream == NULL ? -1 : add(parts, part, err);
}

static int by_stream_and_place(const void *a, const void *b)
{
    const struct part *x = a;
    const struct part *y = b;
    int order = strcmp(x->stream->name, y->stream->name);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

/* The configuration's own source of the stream lends its times and key. */
static struct config_source source_for(const struct config *config, const struct part *part)
{
    struct config_source source = {.out_of_orderness_ms =
                                       part->stream->id == STREAM_TELEMETRY ? 10 * SECOND_MS : 2 * MINUTE_MS,
                                   .max_future_skew_ms = config->max_future_skew_ms,
                                   .late = config->late};
    for (size_t i = 0; i < config->source_count; i++)
        if (config->sources[i].stream == part->stream) {
            source = config->sources[i];
            break;
        }
    source.topic = str_of(part->stream->name);
    source.stream = part->stream;
    source.idle_lag_ms = INT64_MAX;
    source.untimed = true;
    source.format = part->container ? FORMAT_AVRO : FORMAT_JSON;
    source.framing = FRAMING_NONE;
    source.schema = part->schema;
    return source;
}

/* Opens every part: all files of lines as one source, each container as its own. */
static int open_parts(const struct parts *parts, const struct config *config, int64_t now_ms,
                      const struct source_partition *partitions, struct source **out, struct error *err)
{
    struct source *sources[PARTS_MAX + 1];
    struct source_part places[PARTS_MAX];
    struct source_file_input inputs[PARTS_MAX];
    struct source_partition line_partitions[PARTS_MAX];
    bool filters[PARTS_MAX];
    size_t source_count = 0;
    size_t lines = 0;
    int result = 0;
    for (size_t i = 0; i < parts->count && result == 0; i++) {
        const struct part *part = &parts->items[i];
        if (!part->container) {
            inputs[lines] = (struct source_file_input){part->path, part->stream->name};
            filters[lines] = part->filter;
            line_partitions[lines] = partitions[i];
            places[i] = (struct source_part){NULL, lines++};
            continue;
        }
        result = source_ocf_open(&sources[source_count], part->path, part->stream, now_ms, err);
        if (result == 0)
            places[i] = (struct source_part){sources[source_count++], 0};
    }
    if (result == 0 && lines > 0) {
        result = source_file_open(&sources[source_count], inputs, filters, line_partitions, lines, now_ms,
                                  (size_t)config->record_bytes_max, err);
        for (size_t i = 0; i < parts->count && result == 0; i++)
            if (places[i].source == NULL)
                places[i].source = sources[source_count];
        source_count += result == 0;
    }
    if (result == 0)
        *out = source_union_new(partitions, places, parts->count, sources, source_count);
    for (size_t i = 0; i < source_count && result != 0; i++)
        sources[i]->ops->close(sources[i]);
    return result;
}

int files_open(struct source **source, struct config *config, char *const *names, size_t count, int64_t now_ms,
               int64_t *unnamed, struct error *err)
{
    struct parts *parts = mem_zalloc(sizeof *parts);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = add_file(parts, config, names[i], (int32_t)i, err);
    *unnamed = parts->unnamed;
    if (result == 0 && parts->count == 0)
        result = error_set(err, ERROR_FATAL,
                           "the files hold no event: lines must name their `stream`, or write STREAM=FILE");
    if (result == 0) {
        if (parts->count > 1)
            qsort(parts->items, parts->count, sizeof parts->items[0], by_stream_and_place);
        struct config_source *sources = arena_zalloc(&config->arena, parts->count * sizeof *sources);
        struct source_partition *partitions = arena_zalloc(&config->arena, parts->count * sizeof *partitions);
        for (size_t i = 0; i < parts->count; i++) {
            sources[i] = source_for(config, &parts->items[i]);
            partitions[i] = (struct source_partition){(int)i, sources[i].topic, parts->items[i].place};
        }
        config->sources = sources;
        config->source_count = parts->count;
        result = open_parts(parts, config, now_ms, partitions, source, err);
    }
    free(parts);
    return result;
}
