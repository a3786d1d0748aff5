/* Writer schemas and records from outside. Input: a byte that picks the stream (low two bits) and whether all fields
 * are wanted (0x80) or every other, the schema's length in two bytes, low first, the schema, the record. */
#include "codec/decoder.h"
#include "codec/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct value value)
{
    ASSERT(value.type != VALUE_STRING || utf8_valid(value.s, value.n));
}

/* What every decoded event must hold, whatever it was decoded from. */
static void check_event(const struct event *event)
{
    ASSERT(field_time_fits(event->time_ms));
    for (int i = 0; i < event->stream->field_count; i++) {
        struct value value = event->values[i];
        size_t n = value.type == VALUE_LIST ? value.n : value.type == VALUE_MAP ? 2 * (size_t)value.n : 0;
        check_text(value);
        for (size_t k = 0; k < n; k++) {
            ASSERT(value.items[k].type == VALUE_STRING);
            check_text(value.items[k]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct decoder *decoder;
    struct event event;
    if (size < 3)
        return 0;
    size_t schema_n = (size_t)data[1] | (size_t)data[2] << 8;
    if (schema_n > size - 3)
        schema_n = size - 3;
    struct decoder_options options = {
        .stream = stream_get(data[0] & 3),
        .format = FORMAT_AVRO,
        .framing = (data[0] & 4) != 0 ? FRAMING_CONFLUENT : FRAMING_NONE,
        .schema = {(const char *)data + 3, schema_n},
        .wanted = (data[0] & 0x80) != 0 ? ~(field_mask)0 : 0x55555555,
    };
    if (decoder_new(&decoder, &options, &err) != 0) {
        ASSERT(err.class == ERROR_BAD_INPUT);
        return 0;
    }
    struct arena arena = {0};
    size_t n = size - 3 - schema_n;
    if (decoder_decode(decoder, data + 3 + schema_n, n, &arena, &event, &err) == 0)
        check_event(&event);
    else
        ASSERT(err.class == ERROR_BAD_INPUT);
    /* 16 bytes a value, doubled for growth, and for many labels their sorting. */
    ASSERT(arena.used <= 96 * n + 1024);
    arena_fini(&arena);
    decoder_free(decoder);
    return 0;
}
