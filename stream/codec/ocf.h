/* Avro object container files, read block by block (null and deflate codecs). */
#ifndef FORESTALL_CODEC_OCF_H
#define FORESTALL_CODEC_OCF_H

#include "base/buf.h"
#include "base/error.h"

struct ocf;

/* True where the file starts with the container's magic. */
bool ocf_is(const char *path);
int ocf_open(struct ocf **ocf, const char *path, struct error *err) MUST_CHECK;
void ocf_close(struct ocf *ocf);
/* The writer schema's JSON text; holds until close. */
struct str ocf_schema(const struct ocf *ocf);
/* The next block of records: `*count` records in `*bytes` (not split: a decoder's plan knows where each ends: call
 * decoder_decode_prefix as often). *count 0 at the end of the file. Bytes hold until the next call. ERROR_BAD_INPUT on
 * a broken block, unless a sync marker follows: then the broken block is skipped, counted in `*skipped` and reading
 * goes on. */
int ocf_next_block(struct ocf *ocf, struct str *bytes, int64_t *count, int64_t *skipped, struct error *err) MUST_CHECK;
/* Bytes of the file read so far, and in all: for progress. */
void ocf_progress(const struct ocf *ocf, int64_t *read, int64_t *size);

#endif
