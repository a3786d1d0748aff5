/* Published records. A first pass keeps the newest bytes of each id, so that memory is that of what is shown, not of
 * all versions; then those are decoded. */
#include "cli/published.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "codec/avro_read.h"
#include "codec/json.h"
#include "codec/schemas_embedded.h"
#include "io/kafka.h"
#include "io/source_kafka.h"

enum { BATCH = 256, WAIT_MS = 100, SILENCE_MAX_US = 30 * 1000 * 1000 };

/* One kind of record, and the newest of each id. */
struct kind {
    const char *id;      /* the field that identifies one */
    const char *version; /* the field that grows; NULL: a later record is newer */
    const char *schema;
    const char *what;
    enum record_format format;
    struct map newest; /* id: struct kept */
};

struct kept {
    int64_t version;
    struct buf bytes;
};

struct str published_text(struct value record, const char *name)
{
    const struct value *v = record.type == VALUE_MAP ? value_map_get(record, str_of(name)) : NULL;
    return v != NULL && v->type == VALUE_STRING ? value_as_str(*v) : (struct str){0};
}

int64_t published_number(struct value record, const char *name)
{
    const struct value *v = record.type == VALUE_MAP ? value_map_get(record, str_of(name)) : NULL;
    if (v == NULL)
        return 0;
    return v->type == VALUE_INT ? v->i : v->type == VALUE_DOUBLE ? (int64_t)v->d : 0;
}

struct value published_value(struct value record, const char *name)
{
    const struct value *v = record.type == VALUE_MAP ? value_map_get(record, str_of(name)) : NULL;
    return v != NULL ? *v : value_null();
}

int64_t published_time(struct value record, const char *name)
{
    struct str text = published_text(record, name);
    int64_t ms;
    return text.p != NULL && time_parse_ms(text, &ms) ? ms : INT64_MIN;
}

static void forget(struct kind *kind, struct str id)
{
    struct kept *kept = map_remove(&kind->newest, id);
    if (kept != NULL)
        buf_fini(&kept->bytes);
    free(kept);
}

static void keep(struct kind *kind, struct str id, struct str bytes, int64_t version)
{
    void **slot = map_slot(&kind->newest, id);
    if (*slot == NULL)
        *slot = mem_zalloc(sizeof(struct kept));
    struct kept *kept = *slot;
    if (version < kept->version)
        return;
    kept->version = version;
    buf_reset(&kept->bytes);
    buf_str_put(&kept->bytes, bytes);
}

static void kind_fini(struct kind *kind)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&kind->newest, &i, &entry);) {
        buf_fini(&((struct kept *)entry->value)->bytes);
        free(entry->value);
    }
    map_fini(&kind->newest);
}

static int keep_line(struct kind *kind, struct str line, struct json_parser *parser, struct arena *arena,
                     struct error *err)
{
    struct value record;
    TRY(json_parse(parser, line, arena, &record, err));
    struct str id = published_text(record, kind->id);
    if (id.p == NULL)
        return error_set(err, ERROR_BAD_INPUT, "no %s, since it has no %s: is this what `forestall replay` wrote?",
                         kind->what, kind->id);
    keep(kind, id, line, kind->version != NULL ? published_number(record, kind->version) : 0);
    return 0;
}

static int read_file(struct kind *kind, const char *path, struct error *err)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return error_set(err, ERROR_FATAL, "%s: %s", path, strerror(errno));
    struct json_parser *parser = json_parser_new();
    struct arena arena = {0};
    char *line = NULL;
    size_t cap = 0;
    int result = 0;
    int64_t number = 0;
    for (ssize_t n; result == 0 && (n = getline(&line, &cap, file)) >= 0; arena_reset(&arena)) {
        number++;
        while (n > 0 && strchr(" \t\r\n", line[n - 1]) != NULL)
            n--;
        if (n > 0 && keep_line(kind, (struct str){line, (size_t)n}, parser, &arena, err) != 0)
            result = error_prefix(err, "%s:%" PRId64, path, number);
    }
    if (result == 0 && ferror(file) != 0)
        result = error_set(err, ERROR_FATAL, "%s: %s", path, strerror(errno));
    free(line);
    arena_fini(&arena);
    json_parser_free(parser);
    (void)fclose(file);
    return result;
}

static int poll_partition(struct kind *kind, struct source *source, size_t partition, bool *any, struct error *err)
{
    struct source_record records[BATCH];
    size_t count;
    TRY(source->ops->poll(source, partition, records, BATCH, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct str key = {records[i].key, records[i].key_n};
        if (records[i].value == NULL)
            forget(kind, key);
        else
            keep(kind, key, (struct str){records[i].value, records[i].value_n}, 0);
    }
    *any = *any || count > 0;
    source->ops->release(source);
    return 0;
}

static int read_source(struct kind *kind, struct source *source, struct error *err)
{
    int64_t heard_us = clock_mono_us();
    for (bool all = false; !all;) {
        bool any = false;
        all = true;
        for (size_t i = 0; i < source->partition_count; i++) {
            TRY(poll_partition(kind, source, i, &any, err));
            all = all && source->ops->finished(source, i);
        }
        if (any)
            heard_us = clock_mono_us();
        else if (clock_mono_us() - heard_us > SILENCE_MAX_US)
            return error_set(err, ERROR_FATAL, "the topic of %ss gives nothing for 30 s: is Kafka well?", kind->what);
        if (!all && !any)
            TRY(source->ops->wait(source, WAIT_MS, err));
    }
    return 0;
}

static int read_topic(struct kind *kind, const struct config *config, const struct config_output *output,
                      struct error *err)
{
    const struct source_kafka_options options = {.properties = config->kafka,
                                                 .property_count = config->kafka_count,
                                                 .topics = &output->topic,
                                                 .topic_count = 1,
                                                 .from_ms = INT64_MIN,
                                                 .to_ms = INT64_MAX};
    struct source *source;
    kind->format = output->format;
    TRY(source_kafka_open(&source, &options, err));
    int result = read_source(kind, source, err);
    source->ops->close(source);
    return result;
}

/* Enums are lower case, but for the priorities. */
static void raise_priority(struct value record)
{
    const struct value *priority = value_map_get(record, STR_LIT("priority"));
    static const char *const names[] = {"P0", "P1", "P2", "P3", "P4"};
    if (priority != NULL && priority->type == VALUE_STRING && priority->n == 2 && priority->s[1] >= '0' &&
        priority->s[1] <= '4')
        ((struct value *)(uintptr_t)priority)->s = names[priority->s[1] - '0'];
}

struct record_reader {
    struct json_parser *parser;
    struct avro_schema schema;
};

static int record_reader_init(struct record_reader *reader, const char *schema, struct error *err)
{
    *reader = (struct record_reader){.parser = json_parser_new()};
    return avro_schema_parse(&reader->schema, str_of(schema_embedded_find(schema)), err);
}

static void record_reader_fini(struct record_reader *reader)
{
    avro_schema_fini(&reader->schema);
    json_parser_free(reader->parser);
}

static int record_read(struct record_reader *reader, enum record_format format, struct str bytes, struct arena *arena,
                       struct value *record, struct error *err)
{
    if (format == FORMAT_AVRO) {
        TRY(avro_decode(&reader->schema, bytes, arena, record, err));
        raise_priority(*record);
    } else {
        TRY(json_parse(reader->parser, bytes, arena, record, err));
    }
    return record->type == VALUE_MAP ? 0 : error_set(err, ERROR_BAD_INPUT, "no object");
}

int published_recommendation(enum record_format format, struct str bytes, struct arena *arena, struct value *record,
                             struct error *err)
{
    struct record_reader reader;
    int result = record_reader_init(&reader, "recommendation", err);
    if (result == 0)
        result = record_read(&reader, format, bytes, arena, record, err);
    record_reader_fini(&reader);
    return result;
}

static int decode_all(struct kind *kind, struct arena *arena, struct value **records, size_t *count, struct error *err)
{
    struct record_reader reader;
    struct map_entry *entry;
    int result = record_reader_init(&reader, kind->schema, err);
    *records = arena_alloc(arena, (kind->newest.count + 1) * sizeof **records);
    *count = 0;
    for (size_t i = 0; result == 0 && map_next(&kind->newest, &i, &entry);) {
        struct str bytes = buf_str(&((struct kept *)entry->value)->bytes);
        result = record_read(&reader, kind->format, bytes, arena, &(*records)[(*count)++], err);
        if (result != 0)
            (void)error_prefix(err, "%s '%.*s' cannot be read", kind->what, STR_ARG(entry->key));
    }
    record_reader_fini(&reader);
    return result;
}

static int by_impact(const void *a, const void *b)
{
    const struct value *x = a;
    const struct value *y = b;
    int64_t score_x = published_number(*x, "impact_score");
    int64_t score_y = published_number(*y, "impact_score");
    if (score_x != score_y)
        return score_x < score_y ? 1 : -1;
    int order = str_cmp(published_text(*x, "priority"), published_text(*y, "priority"));
    if (order != 0)
        return order;
    return str_cmp(published_text(*x, "recommendation_id"), published_text(*y, "recommendation_id"));
}

static int by_scorecard(const void *a, const void *b)
{
    return str_cmp(published_text(*(const struct value *)a, "scorecard_id"),
                   published_text(*(const struct value *)b, "scorecard_id"));
}

static int64_t newest_ms(const struct value *records, size_t count, int64_t newest)
{
    for (size_t i = 0; i < count; i++) {
        int64_t ms = published_time(records[i], "event_time");
        newest = ms > newest ? ms : newest;
    }
    return newest;
}

static int read_both(struct kind *recommendations, struct kind *scorecards, const struct published_options *options,
                     struct error *err)
{
    if (options->file != NULL)
        TRY(read_file(recommendations, options->file, err));
    if (options->scorecards != NULL)
        TRY(read_file(scorecards, options->scorecards, err));
    if (options->file != NULL)
        return 0;
    kafka_wait_briefly();
    TRY(read_topic(recommendations, options->config, &options->config->recommendations, err));
    if (options->scorecards == NULL && !options->only_recommendations)
        TRY(read_topic(scorecards, options->config, &options->config->scorecards, err));
    return 0;
}

int published_read(struct published *out, const struct published_options *options, struct error *err)
{
    struct kind recommendations = {
        .id = "recommendation_id", .version = "version", .schema = "recommendation", .what = "recommendation"};
    struct kind scorecards = {.id = "scorecard_id", .schema = "scorecard", .what = "scorecard"};
    *out = (struct published){0};
    int result = read_both(&recommendations, &scorecards, options, err);
    if (result == 0)
        result = decode_all(&recommendations, &out->arena, &out->recommendations, &out->recommendation_count, err);
    if (result == 0)
        result = decode_all(&scorecards, &out->arena, &out->scorecards, &out->scorecard_count, err);
    kind_fini(&recommendations);
    kind_fini(&scorecards);
    if (result != 0) {
        published_fini(out);
        return -1;
    }
    if (out->recommendation_count > 1)
        qsort(out->recommendations, out->recommendation_count, sizeof(struct value), by_impact);
    if (out->scorecard_count > 1)
        qsort(out->scorecards, out->scorecard_count, sizeof(struct value), by_scorecard);
    out->now_ms = clock_wall_ms();
    if (options->file != NULL) {
        int64_t newest = newest_ms(out->recommendations, out->recommendation_count, INT64_MIN);
        newest = newest_ms(out->scorecards, out->scorecard_count, newest);
        out->now_ms = newest != INT64_MIN ? newest : out->now_ms;
    }
    return 0;
}

void published_fini(struct published *published)
{
    arena_fini(&published->arena);
    *published = (struct published){0};
}
