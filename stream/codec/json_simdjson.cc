/* simdjson behind a C face. Nothing throws across it: errors are simdjson's codes, and out of memory ends the process,
 * as in the rest of the program. */
#include "codec/json_tape.h"

#include <simdjson.h>

#include <memory>
#include <new>

struct json_simd {
    simdjson::dom::parser parser;
    std::unique_ptr<char[]> text; /* the last one, with simdjson's padding */
    size_t capacity = 0;
};

static const size_t text_bytes_min = 4096;

json_simd *json_simd_new() noexcept
{
    return new json_simd; // NOLINT(bugprone-unhandled-exception-at-new): out of memory ends the process
}

void json_simd_free(json_simd *simd) noexcept
{
    delete simd;
}

/* Room for a text of `n` bytes, in the copy and in the parser. */
static simdjson::error_code reserve(json_simd *simd, size_t n)
{
    if (simd->text && n <= simd->capacity)
        return simdjson::SUCCESS;
    size_t capacity = n + n / 2 < text_bytes_min ? text_bytes_min : n + n / 2;
    simd->text.reset(new char[capacity + simdjson::SIMDJSON_PADDING]);
    simd->capacity = capacity;
    return simd->parser.allocate(capacity, JSON_DEPTH_MAX);
}

const char *json_simd_parse(json_simd *simd, const char *text, size_t n, json_tape *tape) noexcept
{
    if (n > simd->parser.max_capacity() / 2)
        return "too long";
    simdjson::error_code code = reserve(simd, n);
    if (code == simdjson::SUCCESS) {
        if (n > 0)
            memcpy(simd->text.get(), text, n);
        memset(simd->text.get() + n, 0, simdjson::SIMDJSON_PADDING);
        code = simd->parser.parse(simd->text.get(), n, false).error();
    }
    if (code == simdjson::EMPTY)
        return "the text is empty";
    if (code == simdjson::UTF8_ERROR)
        return "the text is not UTF-8";
    if (code == simdjson::DEPTH_ERROR)
        return "nested deeper than 64";
    if (code != simdjson::SUCCESS)
        return simdjson::error_message(code);
    tape->words = simd->parser.doc.tape.get();
    tape->strings = simd->parser.doc.string_buf.get();
    return nullptr;
}
