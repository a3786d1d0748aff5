/* The C face of simdjson: a parsed text as the tape that simdjson documents (doc/tape.md of its sources).
 *
 * A word's top byte is its type: '{' '[' with the index after the matching end in the low 32 bits and the number of
 * members in the 24 above (at most 0xFFFFFF), '}' ']', '"' with an offset into `strings` (a 32-bit length, the bytes),
 * 'l' 'u' 'd' with the number in the next word, 't' 'f' 'n', and 'r' first and last. The text is known to be valid JSON
 * and UTF-8, nested at most JSON_DEPTH_MAX deep.
 *
 * No header of ours is included here, since those are C only.
 */
#ifndef FORESTALL_CODEC_JSON_TAPE_H
#define FORESTALL_CODEC_JSON_TAPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define JSON_NOTHROW noexcept
#else
#define JSON_NOTHROW
#endif

enum { JSON_DEPTH_MAX = 64 };

struct json_tape {
    const uint64_t *words;
    const uint8_t *strings;
};

struct json_simd; /* simdjson's parser and a padded copy of the text; one thread */

struct json_simd *json_simd_new(void) JSON_NOTHROW;
void json_simd_free(struct json_simd *simd) JSON_NOTHROW;
/* NULL, or why the text is not JSON (a constant). The tape holds until the next call. */
const char *json_simd_parse(struct json_simd *simd, const char *text, size_t n, struct json_tape *tape) JSON_NOTHROW;

#ifdef __cplusplus
}
#endif

#endif
