/* JSON text to values (simdjson behind a C face). Objects become maps in the order written, whole numbers VALUE_INT
 * (VALUE_UINT beyond int64), others VALUE_DOUBLE. Depth is limited to 64. */
#ifndef FORESTALL_CODEC_JSON_H
#define FORESTALL_CODEC_JSON_H

#include "base/error.h"
#include "event/value.h"

struct json_parser; /* reusable buffers; one thread */

struct json_parser *json_parser_new(void);
void json_parser_free(struct json_parser *parser);

/* Parses one whole JSON text. Everything in `value` is owned by the arena. */
int json_parse(struct json_parser *parser, struct str text, struct arena *arena, struct value *value,
               struct error *err) MUST_CHECK;

#endif
