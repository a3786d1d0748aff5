/* Values from simdjson's tape (json_tape.h), without recursion. */
#ifndef FORESTALL_CODEC_JSON_BUILD_H
#define FORESTALL_CODEC_JSON_BUILD_H

#include "codec/json_tape.h"
#include "event/value.h"

static inline char tape_type(uint64_t word)
{
    return (char)(word >> 56);
}
static inline uint64_t tape_payload(uint64_t word)
{
    return word & ((UINT64_C(1) << 56) - 1);
}

/* The index after the element at `at`. */
static inline size_t tape_after(const struct json_tape *tape, size_t at)
{
    switch (tape_type(tape->words[at])) {
    case '{':
    case '[':
        return (uint32_t)tape_payload(tape->words[at]);
    case 'l':
    case 'u':
    case 'd':
        return at + 2;
    default:
        return at + 1;
    }
}

/* The string at `at`: a view into the tape's strings. */
static inline struct str tape_string(const struct json_tape *tape, size_t at)
{
    const uint8_t *p = tape->strings + tape_payload(tape->words[at]);
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return (struct str){(const char *)p + sizeof n, n};
}

/* A number, string, boolean or null; of a string a view into the tape's. Lists and maps give an empty one. */
struct value tape_scalar(const struct json_tape *tape, size_t at);

/* The element at `at` as a value that the arena owns. */
struct value tape_build(const struct json_tape *tape, size_t at, struct arena *arena);

#endif
