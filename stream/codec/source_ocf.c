/* Container files as a source: blocks are split into records by the decode plan, run for their lengths alone. */
#include "codec/source_ocf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "codec/ocf.h"

struct source_ocf {
    struct source base;
    struct source_partition partition;
    struct ocf *ocf;
    struct decoder *lengths;
    struct arena arena;
    struct arena path;
    struct str block; /* what is left of it */
    int64_t left;     /* records in it */
    int64_t next;     /* offset of the next record */
    int64_t now_ms;
    int64_t skipped;
    bool finished;
};

static struct source_ocf *ocf_of(struct source *source)
{
    return (struct source_ocf *)source;
}

/* The length of the first record of the block; all of the block where it cannot be told. */
static size_t record_length(struct source_ocf *in)
{
    struct event ignored;
    struct error reason;
    size_t n = 0;
    if (in->left == 1)
        return in->block.n;
    if (decoder_decode_prefix(in->lengths, in->block, &in->arena, &ignored, &n, &reason) != 0)
        n = in->block.n;
    arena_reset(&in->arena);
    return n;
}

static int ocf_poll(struct source *source, size_t partition, struct source_record *records, size_t max, size_t *count,
                    struct error *err)
{
    struct source_ocf *in = ocf_of(source);
    ASSERT(partition == 0);
    *count = 0;
    if (in->left == 0 && !in->finished) {
        int64_t skipped = in->skipped;
        TRY(ocf_next_block(in->ocf, &in->block, &in->left, &in->skipped, err));
        if (in->skipped > skipped)
            log_warn("broken blocks of a container were skipped: their records are lost",
                     LOG_T("file", in->partition.topic_name), LOG_I("blocks", in->skipped - skipped));
        in->finished = in->left == 0;
    }
    for (; *count < max && in->left > 0; (*count)++) {
        size_t n = record_length(in);
        records[*count] = (struct source_record){
            .value = in->block.p, .value_n = n, .offset = in->next++, .timestamp_ms = in->now_ms};
        in->block.p += n;
        in->block.n -= n;
        in->left = in->block.n == 0 ? 0 : in->left - 1;
    }
    return 0;
}

static void ocf_release(struct source *source)
{
    (void)source; /* a block holds until the next poll that needs one */
}

static int ocf_wait(struct source *source, int timeout_ms, struct error *err)
{
    (void)source;
    (void)timeout_ms;
    (void)err;
    return 0;
}

static int ocf_seek(struct source *source, size_t partition, int64_t offset, struct error *err)
{
    (void)source;
    (void)partition;
    return offset <= 1 ? 0 : error_set(err, ERROR_FATAL, "a container file is read from its beginning");
}

static bool ocf_finished(struct source *source, size_t partition)
{
    (void)partition;
    return ocf_of(source)->finished;
}

static void ocf_source_progress(struct source *source, int64_t *done, int64_t *total)
{
    ocf_progress(ocf_of(source)->ocf, done, total);
}

static void ocf_source_close(struct source *source)
{
    struct source_ocf *in = ocf_of(source);
    if (in->ocf != NULL)
        ocf_close(in->ocf);
    decoder_free(in->lengths);
    arena_fini(&in->arena);
    arena_fini(&in->path);
    free(in);
}

const struct stream *source_ocf_stream(const char *path, struct arena *arena, struct str *schema, struct error *err)
{
    struct ocf *ocf;
    if (ocf_open(&ocf, path, err) != 0)
        return NULL;
    *schema = arena_str(arena, ocf_schema(ocf));
    ocf_close(ocf);
    for (int i = 0; i < STREAM_COUNT; i++) {
        const struct stream *stream = stream_get((enum stream_id)i);
        /* The name, alone or after a namespace, ends a string of the schema's text; a schema that only mentions it
         * fails to resolve and says so. */
        char plain[64];
        char qualified[64];
        (void)snprintf(plain, sizeof plain, "\"%s\"", stream->record != NULL ? stream->record : "");
        (void)snprintf(qualified, sizeof qualified, ".%s\"", stream->record != NULL ? stream->record : "");
        if (stream->record != NULL && (strstr(schema->p, plain) != NULL || strstr(schema->p, qualified) != NULL))
            return stream;
    }
    (void)error_set(err, ERROR_BAD_INPUT, "%s: its schema names none of Incident, Deployment, Telemetry: say STREAM=%s",
                    path, path);
    return NULL;
}

int source_ocf_open(struct source **out, const char *path, const struct stream *stream, int64_t now_ms,
                    struct error *err)
{
    static const struct source_ops ops = {ocf_poll, ocf_release, ocf_wait,        ocf_seek,
                                          NULL,     NULL,        ocf_finished,    ocf_source_progress,
                                          NULL,     NULL,        ocf_source_close};
    struct source_ocf *in = mem_zalloc(sizeof *in);
    in->base = (struct source){.ops = &ops, .partitions = &in->partition, .partition_count = 1};
    in->partition.topic_name = arena_str(&in->path, str_of(path));
    in->now_ms = now_ms;
    in->next = 1;
    int result = ocf_open(&in->ocf, path, err);
    if (result == 0) {
        struct decoder_options options = {.stream = stream, .format = FORMAT_AVRO, .schema = ocf_schema(in->ocf)};
        result = decoder_new(&in->lengths, &options, err);
    }
    if (result != 0) {
        ocf_source_close(&in->base);
        return error_prefix(err, "%s", path);
    }
    *out = &in->base;
    return 0;
}
