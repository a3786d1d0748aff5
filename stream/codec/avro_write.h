/* Values to bare Avro binary by a schema of our own: records by field name from maps, enums from strings in any case,
 * unions by the first branch that fits, timestamps by logical type. */
#ifndef FORESTALL_CODEC_AVRO_WRITE_H
#define FORESTALL_CODEC_AVRO_WRITE_H

#include "base/error.h"
#include "event/value.h"

struct avro_writer;

/* `schema` is JSON text, not kept. */
int avro_writer_new(struct avro_writer **writer, struct str schema, struct error *err) MUST_CHECK;
void avro_writer_free(struct avro_writer *writer);
/* Appends the encoding of `value` (a map for a record: a field that it lacks takes its default, or null). */
int avro_write(struct avro_writer *writer, struct value value, struct buf *out, struct error *err) MUST_CHECK;

#endif
