/* An Avro object container file as a bounded source of one partition: its records bare, offsets counted from 1. */
#ifndef FORESTALL_CODEC_SOURCE_OCF_H
#define FORESTALL_CODEC_SOURCE_OCF_H

#include "codec/decoder.h"
#include "io/source.h"

/* The stream whose record the container's writer schema names; NULL: none. `*schema` is its text, in the arena. */
const struct stream *source_ocf_stream(const char *path, struct arena *arena, struct str *schema, struct error *err);
/* Opens the file for `stream`. A record that cannot be told from the next is given with all that is left of its block,
 * so that it fails where records are judged. */
int source_ocf_open(struct source **source, const char *path, const struct stream *stream, int64_t now_ms,
                    struct error *err) MUST_CHECK;

#endif
