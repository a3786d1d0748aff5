/* JSON texts as values: a walk along simdjson's tape. */
#include "codec/json.h"

#include <stdlib.h>

#include "codec/json_build.h"

struct json_parser {
    struct json_simd *simd;
};

struct json_parser *json_parser_new(void)
{
    struct json_parser *parser = mem_alloc(sizeof *parser);
    parser->simd = json_simd_new();
    return parser;
}

void json_parser_free(struct json_parser *parser)
{
    if (parser == NULL)
        return;
    json_simd_free(parser->simd);
    free(parser);
}

struct value tape_scalar(const struct json_tape *tape, size_t at)
{
    const uint64_t *word = &tape->words[at];
    double d;
    switch (tape_type(*word)) {
    case '"':
        return value_str(tape_string(tape, at));
    case 'l':
        return value_int((int64_t)word[1]);
    case 'u':
        return word[1] <= INT64_MAX ? value_int((int64_t)word[1]) : value_uint(word[1]);
    case 'd':
        memcpy(&d, &word[1], sizeof d);
        return value_double(d);
    case 't':
    case 'f':
        return value_bool(tape_type(*word) == 't');
    case '[':
        return value_list(NULL, 0);
    case '{':
        return value_map(NULL, 0);
    default:
        return value_null();
    }
}

/* Values in the list or map whose start is at `at`, keys included. The tape's own count is cut off at 2^24 - 1. */
static size_t values_in(const struct json_tape *tape, size_t at)
{
    const uint64_t most = 0xFFFFFF;
    uint64_t count = tape_payload(tape->words[at]) >> 32;
    bool map = tape_type(tape->words[at]) == '{';
    if (count < most)
        return (size_t)count * (map ? 2 : 1);
    size_t n = 0;
    size_t end = tape_after(tape, at) - 1;
    for (size_t i = at + 1; i < end; i = tape_after(tape, i))
        n++;
    return n;
}

/* A list or map whose items are being filled in. */
struct level {
    struct value *next;
    size_t end; /* index of its closing word */
};

static struct value copy_scalar(const struct json_tape *tape, size_t at, struct arena *arena)
{
    struct value value = tape_scalar(tape, at);
    return value.type == VALUE_STRING ? value_str(arena_str(arena, value_as_str(value))) : value;
}

struct value tape_build(const struct json_tape *tape, size_t at, struct arena *arena)
{
    struct value root;
    struct level levels[JSON_DEPTH_MAX + 1];
    levels[0] = (struct level){&root, SIZE_MAX};
    size_t depth = 0;
    do {
        if (at == levels[depth].end) {
            depth--;
            at++;
            continue;
        }
        struct value *place = levels[depth].next++;
        *place = copy_scalar(tape, at, arena);
        if (place->type != VALUE_LIST && place->type != VALUE_MAP) {
            at = tape_after(tape, at);
            continue;
        }
        size_t n = values_in(tape, at);
        struct value *items = arena_alloc(arena, n * sizeof *items);
        place->n = (uint32_t)(place->type == VALUE_MAP ? n / 2 : n);
        place->items = items;
        ASSERT(depth < JSON_DEPTH_MAX);
        levels[++depth] = (struct level){items, tape_after(tape, at) - 1};
        at++;
    } while (depth > 0);
    return root;
}

int json_parse(struct json_parser *parser, struct str text, struct arena *arena, struct value *value, struct error *err)
{
    struct json_tape tape;
    const char *why = json_simd_parse(parser->simd, text.p, text.n, &tape);
    if (why != NULL)
        return error_set(err, ERROR_BAD_INPUT, "not JSON: %s", why);
    *value = tape_build(&tape, 1, arena); /* word 0 is the root's */
    return 0;
}
