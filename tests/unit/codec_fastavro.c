/* Records that fastavro has read (test_codec_fastavro.py made the file): the plan must read the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "codec/decoder.h"
#include "codec/json.h"

enum { LINE_BYTES_MAX = 16384 };

struct vector {
    char stream[LINE_BYTES_MAX];
    char writer[LINE_BYTES_MAX];
    char reader[LINE_BYTES_MAX];
    char record[LINE_BYTES_MAX];
    char event[LINE_BYTES_MAX];
};

static struct arena arena;
static struct error err;

static bool read_line(FILE *file, char *line)
{
    if (fgets(line, LINE_BYTES_MAX, file) == NULL)
        return false;
    size_t n = strlen(line);
    assert_true(n > 0 && line[n - 1] == '\n');
    line[n - 1] = '\0';
    return true;
}

static bool read_vector(FILE *file, struct vector *v)
{
    return read_line(file, v->stream) && read_line(file, v->writer) && read_line(file, v->reader) &&
           read_line(file, v->record) && read_line(file, v->event);
}

static struct str from_hex(const char *text)
{
    size_t n = strlen(text) / 2;
    char *bytes = arena_alloc(&arena, n);
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        bytes[i] = (char)strtol(pair, NULL, 16);
    }
    return (struct str){bytes, n};
}

/* fastavro's value of a field as the stream's: numbers as times, enums in lower case. */
static struct value as_field(const struct stream_field *field, struct value read)
{
    if (value_is_null(read))
        return read;
    if (field->kind == FIELD_TIME)
        return value_time_ms(read.i);
    if (field->kind == FIELD_ENUM)
        return value_text(stream_symbol(field, value_as_str(read)));
    if (field->kind == FIELD_DOUBLE && read.type == VALUE_INT)
        return value_double((double)read.i);
    return read;
}

static void check(const struct vector *v, struct json_parser *parser)
{
    const struct stream *stream = stream_find(str_of(v->stream));
    struct decoder *decoder;
    struct event event;
    struct value expected;
    struct decoder_options options = {.stream = stream,
                                      .format = FORMAT_AVRO,
                                      .wanted = ~(field_mask)0,
                                      .schema = str_of(v->writer),
                                      .reader = str_of(v->reader)};
    if (decoder_new(&decoder, &options, &err) != 0)
        fail_msg("%s: %s", err.message, v->writer);
    struct str record = from_hex(v->record);
    if (decoder_decode(decoder, record.p, record.n, &arena, &event, &err) != 0)
        fail_msg("%s: %s %s", err.message, v->writer, v->record);
    assert_int_equal(json_parse(parser, str_of(v->event), &arena, &expected, &err), 0);
    for (int i = 0; i < stream->record_field_count; i++) {
        const struct value *read = value_map_get(expected, str_of(stream->fields[i].name));
        assert_non_null(read);
        struct value want = as_field(&stream->fields[i], *read);
        if (want.type != event.values[i].type || value_order(want, event.values[i]) != 0)
            fail_msg("field '%s' of %s", stream->fields[i].name, v->event);
    }
    decoder_free(decoder);
    arena_reset(&arena);
}

static void test_vectors(void **state)
{
    (void)state;
    static struct vector vector;
    struct json_parser *parser = json_parser_new();
    FILE *file = fopen("tests/unit/codec_fastavro.txt", "r");
    assert_non_null(file);
    int count = 0;
    for (; read_vector(file, &vector); count++)
        check(&vector, parser);
    assert_int_equal(count, 150);
    assert_int_equal(fclose(file), 0);
    json_parser_free(parser);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
