/* Values to bare Avro binary by a schema of our own: records by field name from maps, enums from strings in any case,
 * unions by the first branch that fits, timestamps by logical type.
 *
 * The names are not avro_writer_… and avro_write: Avro-C exports those, and ours would stand in for them.
 */
#ifndef FORESTALL_CODEC_AVRO_WRITE_H
#define FORESTALL_CODEC_AVRO_WRITE_H

#include "base/error.h"
#include "event/value.h"

struct avro_encoder; /* one thread */

/* `schema` is JSON text, not kept. ERROR_BAD_INPUT: it is not an Avro schema, or one that could not be written safely.
 */
int avro_encoder_new(struct avro_encoder **encoder, struct str schema, struct error *err) MUST_CHECK;
void avro_encoder_free(struct avro_encoder *encoder);
/* Appends the encoding of `value` (a map for a record: a field that it lacks takes its default, or null). Spans are
 * written as milliseconds; a whole double fits an int or long; a member that the record does not have is an error.
 * ERROR_BAD_INPUT names the field; nothing is appended then. */
int avro_encode(struct avro_encoder *encoder, struct value value, struct buf *out, struct error *err) MUST_CHECK;

#endif
