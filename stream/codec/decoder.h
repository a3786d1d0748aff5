/* From a record's bytes to an event: one decoder a source, compiled once, used by one thread.
 *
 * Every byte is hostile until decoded: a decoder never reads outside the record, allocates only from the caller's arena
 * (bounded by the record's size times a constant), bounds its depth, and answers anything malformed with
 * ERROR_BAD_INPUT and a reason fit for a dead letter ("field 'severity': 'SEV9' is none of sev1 … sev5").
 */
#ifndef FORESTALL_CODEC_DECODER_H
#define FORESTALL_CODEC_DECODER_H

#include "base/error.h"
#include "event/event.h"

enum record_format { FORMAT_JSON, FORMAT_AVRO };
enum record_framing { FRAMING_NONE, FRAMING_CONFLUENT };

struct decoder;

struct decoder_options {
    const struct stream *stream;
    enum record_format format;
    /* Of Avro: bare, or magic 0 and a 4-byte schema id (ignored: the writer schema is `schema`). */
    enum record_framing framing;
    struct str schema; /* Avro: the writer schema's JSON text; not kept */
    /* Avro: a schema whose aliases and enum defaults hold for the reader; empty: our own of the stream. */
    struct str reader;
    field_mask wanted; /* the fields to fill; required ones are checked whether wanted or not */
};

/* The plan for one writer schema. ERROR_BAD_INPUT: the schema is not Avro, or cannot be read as the stream's record. */
int decoder_new(struct decoder **decoder, const struct decoder_options *options, struct error *err) MUST_CHECK;
void decoder_free(struct decoder *decoder);

/* Fills `event` (stream, time_ms, values of wanted fields; `at` is left alone). Values borrow from `bytes` and `arena`.
 * All of the record must be consumed. Nothing is allocated but from the arena. */
int decoder_decode(struct decoder *decoder, const void *bytes, size_t n, struct arena *arena, struct event *event,
                   struct error *err) MUST_CHECK;

/* Decodes one record from the start of `bytes`, where more may follow, as in a container file's block (ocf.h);
 * *consumed is what it took. In JSON the record is all of `bytes`. */
int decoder_decode_prefix(struct decoder *decoder, struct str bytes, struct arena *arena, struct event *event,
                          size_t *consumed, struct error *err) MUST_CHECK;

#endif
