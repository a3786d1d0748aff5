/* One decoder a source: framing, then a decode plan or the JSON reader. */
#include "codec/decoder.h"

#include <stdlib.h>

#include "codec/avro_plan.h"
#include "codec/json_event.h"
#include "codec/schemas_embedded.h"

enum { CONFLUENT_MAGIC = 0, CONFLUENT_BYTES = 5 };

struct decoder {
    enum record_format format;
    enum record_framing framing;
    struct plan *plan;      /* of Avro */
    struct json_simd *simd; /* of JSON */
    struct json_event_options json;
};

static int compile_plan(struct decoder *decoder, const struct decoder_options *options, struct error *err)
{
    struct str own = options->reader;
    if (own.n == 0) {
        const char *text = schema_embedded_find(options->stream->name);
        ASSERT(text != NULL);
        own = str_of(text);
    }
    struct avro_schema reader;
    struct avro_schema writer;
    TRY(avro_schema_parse(&reader, own, err));
    if (avro_schema_parse(&writer, options->schema, err) != 0) {
        avro_schema_fini(&reader);
        return -1;
    }
    int result = plan_compile(&decoder->plan,
                              &(struct plan_options){
                                  .stream = options->stream,
                                  .writer = &writer,
                                  .reader = &reader,
                                  .wanted = options->wanted,
                              },
                              err);
    avro_schema_fini(&writer);
    avro_schema_fini(&reader);
    return result;
}

int decoder_new(struct decoder **out, const struct decoder_options *options, struct error *err)
{
    ASSERT(options->stream->record != NULL);
    struct decoder *decoder = mem_zalloc(sizeof *decoder);
    decoder->format = options->format;
    decoder->framing = options->framing;
    decoder->json = (struct json_event_options){options->stream, options->wanted};
    if (options->format == FORMAT_JSON) {
        decoder->simd = json_simd_new();
    } else if (compile_plan(decoder, options, err) != 0) {
        decoder_free(decoder);
        return -1;
    }
    *out = decoder;
    return 0;
}

void decoder_free(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    plan_free(decoder->plan);
    if (decoder->simd != NULL)
        json_simd_free(decoder->simd);
    free(decoder);
}

int decoder_decode_prefix(struct decoder *decoder, struct str bytes, struct arena *arena, struct event *event,
                          size_t *consumed, struct error *err)
{
    if (bytes.n > UINT32_MAX)
        return error_set(err, ERROR_BAD_INPUT, "a record of %zu bytes", bytes.n);
    if (decoder->format == FORMAT_JSON) {
        *consumed = bytes.n;
        return json_event_decode(decoder->simd, &decoder->json, bytes, arena, event, err);
    }
    if (decoder->framing == FRAMING_NONE)
        return plan_run(decoder->plan, bytes, arena, event, consumed, err);
    if (bytes.n < CONFLUENT_BYTES || bytes.p[0] != CONFLUENT_MAGIC)
        return error_set(err, ERROR_BAD_INPUT, "no Confluent frame: it starts with a byte 0 and 4 bytes of schema id");
    struct str body = {bytes.p + CONFLUENT_BYTES, bytes.n - CONFLUENT_BYTES};
    TRY(plan_run(decoder->plan, body, arena, event, consumed, err));
    *consumed += CONFLUENT_BYTES;
    return 0;
}

int decoder_decode(struct decoder *decoder, const void *bytes, size_t n, struct arena *arena, struct event *event,
                   struct error *err)
{
    size_t consumed = 0;
    TRY(decoder_decode_prefix(decoder, (struct str){bytes, n}, arena, event, &consumed, err));
    if (consumed != n)
        return error_set(err, ERROR_BAD_INPUT, "%zu bytes follow the record", n - consumed);
    return 0;
}
