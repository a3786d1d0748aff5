/* Bare Avro binary to values as in JSON, by a schema of our own: what avro_write.h wrote, read back. Records and maps
 * become maps in their own order, enums strings in lower case, timestamps ISO 8601 texts.
 *
 * The name is not avro_read: Avro-C exports that. */
#ifndef FORESTALL_CODEC_AVRO_READ_H
#define FORESTALL_CODEC_AVRO_READ_H

#include "codec/avro_schema.h"
#include "event/value.h"

/* Reads one record, which must be all of `bytes`; the arena owns every part of the value. ERROR_BAD_INPUT: the bytes
 * are not of this schema. */
int avro_decode(const struct avro_schema *schema, struct str bytes, struct arena *arena, struct value *value,
                struct error *err) MUST_CHECK;

#endif
