/* JSON from outside, as an event of each stream and as a value that must print to JSON which reads back the same. */
#include "codec/decoder.h"
#include "codec/field.h"
#include "codec/json.h"
#include "codec/json_fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct decoder *decoders[STREAM_FEEDBACK + 1];
static struct json_parser *parser;

static void open_all(void)
{
    struct error err = {0};
    if (parser != NULL)
        return;
    parser = json_parser_new();
    for (int i = 0; i <= STREAM_FEEDBACK; i++) {
        struct decoder_options options = {.stream = stream_get(i), .format = FORMAT_JSON, .wanted = ~(field_mask)0};
        ASSERT(decoder_new(&decoders[i], &options, &err) == 0);
    }
}

static void as_event(int stream, struct str text, struct arena *arena)
{
    struct error err = {0};
    struct event event;
    if (decoder_decode(decoders[stream], text.p, text.n, arena, &event, &err) != 0) {
        ASSERT(err.class == ERROR_BAD_INPUT);
        return;
    }
    ASSERT(field_time_fits(event.time_ms));
    for (int i = 0; i < event.stream->field_count; i++)
        ASSERT(event.values[i].type != VALUE_STRING || utf8_valid(event.values[i].s, event.values[i].n));
}

static void as_value(struct str text, struct arena *arena)
{
    struct error err = {0};
    struct value value;
    struct value again;
    struct buf first = {0};
    struct buf second = {0};
    if (json_parse(parser, text, arena, &value, &err) != 0) {
        ASSERT(json_fault_find(text).offset <= text.n);
        return;
    }
    ASSERT(json_fault_find(text).words == NULL);
    value_json(&first, value);
    ASSERT(json_parse(parser, buf_str(&first), arena, &again, &err) == 0);
    value_json(&second, again);
    ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    buf_fini(&first);
    buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena arena = {0};
    open_all();
    for (int i = 0; i <= STREAM_FEEDBACK; i++)
        as_event(i, text, &arena);
    as_value(text, &arena);
    arena_fini(&arena);
    return 0;
}
