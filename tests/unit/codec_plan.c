/* Decoding of Avro records by a plan: resolution, framing, and records that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "codec/decoder.h"
#include "codec/schemas_embedded.h"

static struct arena arena;
static struct error err;

/* Telemetry's required fields with others before them, in the order name, service, occurred_at. */
#define RECORD(fields)                                                                                                 \
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[" fields "{\"name\":\"name\",\"type\":\"string\"},"               \
    "{\"name\":\"service\",\"type\":\"string\"},{\"name\":\"occurred_at\",\"type\":\"long\"}]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "},"
#define TAIL              "\x02n\x02s\x02" /* name "n", service "s", 1 ms */

static struct decoder *decoder_of(const char *schema, field_mask wanted)
{
    struct decoder *decoder = NULL;
    struct decoder_options options = {
        .stream = stream_get(STREAM_TELEMETRY), .format = FORMAT_AVRO, .schema = str_of(schema), .wanted = wanted};
    err = (struct error){0};
    return decoder_new(&decoder, &options, &err) == 0 ? decoder : NULL;
}

static int decode(const char *schema, const void *bytes, size_t n, struct event *event)
{
    struct decoder *decoder = decoder_of(schema, ~(field_mask)0);
    if (decoder == NULL)
        fail_msg("%s", err.message);
    int result = decoder_decode(decoder, bytes, n, &arena, event, &err);
    decoder_free(decoder);
    return result;
}

#define ACCEPTS(schema, bytes, event)                                                                                  \
    do {                                                                                                               \
        if (decode(schema, bytes, sizeof(bytes) - 1, event) != 0)                                                      \
            fail_msg("%s", err.message);                                                                               \
    } while (0)
#define REFUSES(schema, bytes, reason)                                                                                 \
    do {                                                                                                               \
        struct event unused;                                                                                           \
        assert_int_equal(decode(schema, bytes, sizeof(bytes) - 1, &unused), -1);                                       \
        assert_int_equal(err.class, ERROR_BAD_INPUT);                                                                  \
        assert_string_equal(err.message, reason);                                                                      \
    } while (0)
#define TEXT(value, text) assert_true((value).type == VALUE_STRING && str_is(value_as_str(value), text))

static void test_minimal(void **state)
{
    (void)state;
    struct event event;
    ACCEPTS(RECORD(""), TAIL, &event);
    TEXT(event.values[TELEMETRY_NAME], "n");
    TEXT(event.values[TELEMETRY_SERVICE], "s");
    assert_int_equal(event.time_ms, 1);
    assert_int_equal(value_ms(event.values[TELEMETRY_OCCURRED_AT]), 1);
    TEXT(event.values[TELEMETRY_KIND], "metric");
    assert_int_equal(event.values[TELEMETRY_LABELS].type, VALUE_MAP);
    assert_int_equal(event.values[TELEMETRY_LABELS].n, 0);
    assert_true(value_is_null(event.values[TELEMETRY_VALUE]));
}

static void test_promotions(void **state)
{
    (void)state;
    struct event event;
    ACCEPTS(RECORD(FIELD("value", "\"int\"")), "\x05" TAIL, &event);
    assert_true(event.values[TELEMETRY_VALUE].type == VALUE_DOUBLE && event.values[TELEMETRY_VALUE].d == -3);
    ACCEPTS(RECORD(FIELD("value", "\"long\"")), "\x80\x80\x80\x80\x80\x80\x80\x80\x02" TAIL, &event);
    assert_true(event.values[TELEMETRY_VALUE].d == (double)(INT64_C(1) << 56));
    ACCEPTS(RECORD(FIELD("value", "\"float\"")), "\x00\x00\xc0\x3f" TAIL, &event);
    assert_true(event.values[TELEMETRY_VALUE].d == 1.5);
    ACCEPTS(RECORD(FIELD("value", "[\"double\",\"null\"]")), "\x00\x00\x00\x00\x00\x00\x00\xf8\x3f" TAIL, &event);
    assert_true(event.values[TELEMETRY_VALUE].d == 1.5);
    ACCEPTS(RECORD(FIELD("unit", "\"bytes\"")), "\x04ms" TAIL, &event);
    TEXT(event.values[TELEMETRY_UNIT], "ms");
    REFUSES(RECORD(FIELD("value", "\"int\"")), "\x80\x80\x80\x80\x10" TAIL,
            "field 'value': an int is longer than 32 bits");
}

static void test_unions(void **state)
{
    (void)state;
    struct event event;
    const char *mixed = RECORD(FIELD("value", "[\"string\",\"int\",\"null\",\"boolean\",\"double\"]"));
    ACCEPTS(mixed, "\x02\x04" TAIL, &event);
    assert_true(event.values[TELEMETRY_VALUE].d == 2);
    ACCEPTS(mixed, "\x04" TAIL, &event);
    assert_true(value_is_null(event.values[TELEMETRY_VALUE]));
    REFUSES(mixed, "\x06\x01" TAIL, "field 'value': a number is expected, not an Avro boolean");
    REFUSES(mixed, "\x0a" TAIL, "field 'value': a union's branch is out of range");
    REFUSES(mixed, "\x01" TAIL, "field 'value': a union's branch is out of range");
    const char *required =
        "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"},"
        "{\"name\":\"service\",\"type\":[\"null\",\"string\"]},{\"name\":\"occurred_at\",\"type\":\"long\"}]}";
    ACCEPTS(required, "\x02n\x02\x02s\x02", &event);
    TEXT(event.values[TELEMETRY_SERVICE], "s");
    REFUSES(required, "\x02n\x00\x02", "field 'service': null, but it needs a value");
}

static void test_enums(void **state)
{
    (void)state;
    struct event event;
    const char *schema =
        RECORD(FIELD("kind", "{\"type\":\"enum\",\"name\":\"K\",\"symbols\":[\"TRACE\",\"Alert\",\"LOG\"]}"));
    ACCEPTS(schema, "\x02" TAIL, &event);
    TEXT(event.values[TELEMETRY_KIND], "alert");
    REFUSES(schema, "\x00" TAIL, "field 'kind': 'TRACE' is none of metric, log, alert");
    REFUSES(schema, "\x06" TAIL, "field 'kind': an enum's index is out of range");
    struct decoder *unwanted = decoder_of(schema, FIELD_BIT(TELEMETRY_NAME));
    assert_int_equal(decoder_decode(unwanted, "\x00" TAIL, sizeof("\x00" TAIL) - 1, &arena, &event, &err), -1);
    decoder_free(unwanted);
}

static void test_times(void **state)
{
    (void)state;
    struct event event;
    const char *micros = "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"},"
                         "{\"name\":\"service\",\"type\":\"string\"},{\"name\":\"occurred_at\",\"type\":"
                         "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}]}";
    ACCEPTS(micros, "\x02n\x02s\xd0\x0f", &event);
    assert_int_equal(event.time_ms, 1);
    ACCEPTS(micros, "\x02n\x02s\x01", &event); /* -1 us is the millisecond before */
    assert_int_equal(event.time_ms, -1);
    REFUSES(RECORD(""), "\x02n\x02s\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            "field 'occurred_at': a time outside the years 1 to 9999");
    assert_null(decoder_of("{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"},"
                           "{\"name\":\"service\",\"type\":\"string\"},{\"name\":\"occurred_at\",\"type\":"
                           "{\"type\":\"int\",\"logicalType\":\"date\"}}]}",
                           0));
    assert_string_equal(err.message, "schema: field 'occurred_at': a time is expected, not an Avro int");
}

static void test_labels(void **state)
{
    (void)state;
    struct event event;
    const char *schema = RECORD(FIELD("labels", "{\"type\":\"map\",\"values\":[\"null\",\"string\"]}"));
    /* Two blocks, the second with its size; a repeated key. */
    ACCEPTS(schema, "\x02\x02k\x02\x02v\x03\x14\x02k\x02\x02w\x02l\x02\x02x\x00" TAIL, &event);
    struct buf text = {0};
    value_json(&text, event.values[TELEMETRY_LABELS]);
    assert_true(str_is(buf_str(&text), "{\"k\":\"w\",\"l\":\"x\"}"));
    buf_fini(&text);
    REFUSES(schema, "\x02\x02k\x00\x00" TAIL, "field 'labels': null, but it needs a value");
}

/* Enough labels that repeated ones are found by sorting. */
static void test_many_labels(void **state)
{
    (void)state;
    struct event event;
    struct buf record = {0};
    buf_zigzag(&record, 60);
    for (int i = 0; i < 60; i++) {
        buf_printf(&record, "\x06k%02d", i * 7 % 40); /* 20 to 39 once, 0 to 19 more than once */
        buf_printf(&record, "\x04%02d", i);
    }
    buf_byte(&record, 0);
    buf_put(&record, TAIL, sizeof TAIL - 1);
    const char *schema = RECORD(FIELD("labels", "{\"type\":\"map\",\"values\":\"string\"}"));
    assert_int_equal(decode(schema, record.p, record.len, &event), 0);
    assert_int_equal(event.values[TELEMETRY_LABELS].n, 40);
    for (int i = 0; i < 60; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%02d", i * 7 % 40);
        const struct value *value = value_map_get(event.values[TELEMETRY_LABELS], str_of(key));
        assert_non_null(value);
        if (i >= 20)
            assert_int_equal(strtol(value->s, NULL, 10) % 100, i);
    }
    for (uint32_t i = 0; i < 40; i++) {
        char key[8]; /* the place is that of the first */
        (void)snprintf(key, sizeof key, "k%02u", i * 7 % 40);
        TEXT(event.values[TELEMETRY_LABELS].items[2 * i], key);
    }
    buf_fini(&record);
}

/* A record that ends in something that is stepped over. */
static void test_truncated_extra(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"},"
        "{\"name\":\"service\",\"type\":\"string\"},{\"name\":\"occurred_at\",\"type\":\"long\"},"
        "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}}]}";
    struct event event;
    ACCEPTS(schema, TAIL "abcd", &event);
    REFUSES(schema, TAIL "abc", "field 'x': the record ends inside it");
    REFUSES(schema, TAIL, "field 'x': the record ends inside it");
}

static void test_missing_and_extra(void **state)
{
    (void)state;
    assert_null(decoder_of("{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"},"
                           "{\"name\":\"occurred_at\",\"type\":\"long\"}]}",
                           0));
    assert_string_equal(err.message, "schema: it has no field 'service', which is required");
    assert_null(decoder_of("\"string\"", 0));
    struct event event;
    ACCEPTS(RECORD(FIELD("a", "\"int\"") FIELD("b", "\"long\"") FIELD("c", "\"boolean\"") FIELD("d", "\"double\"")
                       FIELD("e", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}") FIELD("f", "\"bytes\"") FIELD(
                           "g", "[\"null\",\"string\"]") FIELD("h", "[\"string\",\"null\"]") FIELD("i", "\"null\"")),
            "\x01\x01\x01"
            "12345678"
            "xy"
            "\x02z"
            "\x02\x02q\x02" TAIL,
            &event);
    TEXT(event.values[TELEMETRY_NAME], "n");
    REFUSES(RECORD(""), TAIL "x", "1 bytes follow the record");
}

static void test_framing(void **state)
{
    (void)state;
    struct decoder *decoder;
    struct event event;
    struct decoder_options options = {.stream = stream_get(STREAM_TELEMETRY),
                                      .format = FORMAT_AVRO,
                                      .wanted = ~(field_mask)0,
                                      .framing = FRAMING_CONFLUENT,
                                      .schema = str_of(RECORD(""))};
    assert_int_equal(decoder_new(&decoder, &options, &err), 0);
    static const char good[] = "\0\0\0\0\7" TAIL;
    assert_int_equal(decoder_decode(decoder, good, sizeof good - 1, &arena, &event, &err), 0);
    assert_int_equal(decoder_decode(decoder, good, 4, &arena, &event, &err), -1);
    assert_int_equal(decoder_decode(decoder, TAIL, sizeof TAIL - 1, &arena, &event, &err), -1);
    decoder_free(decoder);
}

static void test_prefix(void **state)
{
    (void)state;
    struct decoder *decoder = decoder_of(RECORD(""), ~(field_mask)0);
    struct event event;
    size_t consumed = 0;
    assert_int_equal(decoder_decode_prefix(decoder, str_of(TAIL TAIL), &arena, &event, &consumed, &err), 0);
    assert_int_equal(consumed, sizeof TAIL - 1);
    decoder_free(decoder);
}

static void test_aliases(void **state)
{
    (void)state;
    struct decoder *decoder;
    struct event event;
    static const char reader[] =
        "{\"type\":\"record\",\"name\":\"T\",\"fields\":["
        "{\"name\":\"service\",\"type\":\"string\",\"aliases\":[\"svc\",\"app\"]},"
        "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"K\",\"symbols\":[\"LOG\"],\"default\":\"LOG\"}}]}";
    struct decoder_options options = {
        .stream = stream_get(STREAM_TELEMETRY),
        .format = FORMAT_AVRO,
        .wanted = ~(field_mask)0,
        .reader = str_of(reader),
        .schema = str_of("{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"app\",\"type\":\"string\"},"
                         "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"K\",\"symbols\":[\"NEW\"]}},"
                         "{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"occurred_at\",\"type\":\"long\"}]}")};
    assert_int_equal(decoder_new(&decoder, &options, &err), 0);
    assert_int_equal(decoder_decode(decoder, "\x02s\x00\x02n\x02", 6, &arena, &event, &err), 0);
    TEXT(event.values[TELEMETRY_SERVICE], "s");
    TEXT(event.values[TELEMETRY_KIND], "log");
    decoder_free(decoder);
}

static void test_hostile_counts(void **state)
{
    (void)state;
    const char *nulls = RECORD(FIELD("x", "{\"type\":\"array\",\"items\":\"null\"}"));
    REFUSES(nulls, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" TAIL, "field 'x': more items than the record has bytes");
    REFUSES(nulls, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" TAIL, "field 'x': a block's count is out of range");
    const char *labels = RECORD(FIELD("labels", "{\"type\":\"map\",\"values\":\"string\"}"));
    REFUSES(labels, "\x80\x80\x80\x80\x10" TAIL, "field 'labels': more items than the record has bytes");
    REFUSES(labels, "\x01\x7f" TAIL, "field 'labels': a length is negative");
    REFUSES(labels, "\x01\x7e" TAIL, "field 'labels': the record ends inside it");
    const char *strings = RECORD(FIELD("x", "\"string\""));
    REFUSES(strings, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" TAIL, "field 'x': a length is negative");
    REFUSES(strings, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02" TAIL, "field 'x': a number is longer than 64 bits");
    REFUSES(strings, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" TAIL, "field 'x': a number is longer than 64 bits");
    REFUSES(RECORD(""), "\x02\xff\x02s\x02", "field 'name': not UTF-8");
    struct event event;
    ACCEPTS(nulls, "\x80\x80\x08\x00" TAIL, &event); /* 65,536 nulls are let through */
    REFUSES(nulls, "\x80\x80\x08\x80\x80\x08\x00" TAIL, "field 'x': more items than the record has bytes");
}

/* A record type that contains itself: depth is bounded, and so is what shared types without bytes can cost. */
static void test_recursion(void **state)
{
    (void)state;
    struct event event;
    const char *list = RECORD(
        FIELD("x", "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"L\"]}]}"));
    char bytes[512];
    for (int deep = 100; deep <= 200; deep += 100) {
        memset(bytes, 2, (size_t)deep);
        memcpy(bytes + deep, "\0" TAIL, sizeof TAIL);
        assert_int_equal(decode(list, bytes, (size_t)deep + sizeof TAIL, &event), deep < 128 ? 0 : -1);
    }
    assert_string_equal(err.message, "field 'L': nested deeper than 128");
    struct buf schema = {0};
    buf_puts(&schema, "{\"type\":\"record\",\"name\":\"T\",\"fields\":[");
    buf_puts(&schema, "{\"name\":\"r0\",\"type\":{\"type\":\"record\",\"name\":\"R0\",\"fields\":[]}},");
    for (int i = 1; i < 60; i++)
        buf_printf(
            &schema,
            "{\"name\":\"r%d\",\"type\":{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\",\"type\":"
            "\"R%d\"},{\"name\":\"b\",\"type\":\"R%d\"}]}},",
            i, i, i - 1, i - 1);
    buf_puts(&schema, "{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"service\",\"type\":\"string\"},"
                      "{\"name\":\"occurred_at\",\"type\":\"long\"}]}");
    buf_byte(&schema, 0);
    assert_int_equal(decode(schema.p, TAIL, sizeof TAIL - 1, &event), -1);
    assert_non_null(strstr(err.message, "more items than the record has bytes"));
    buf_fini(&schema);
}

/* Every prefix of a good record must fail, and none may read beyond: the copy is exactly as long. */
static void test_truncation(void **state)
{
    (void)state;
    static const char record[] = "\x02\x02"
                                 "e\x02\x08"
                                 "cart\x02\x08prod\x12"
                                 "cpu_usage\x02\x00\x00\x00\x00\x00\x00\xf8\x3f"
                                 "\x02\x02%\x00\x02\x02m\xc0\xc7\xf8\xbb\xcf\x62\x04\x02"
                                 "a\x02"
                                 "b\x02"
                                 "c\xc8\x01";
    struct decoder *decoder = decoder_of(schema_embedded_find("telemetry"), ~(field_mask)0);
    struct decoder *narrow = decoder_of(schema_embedded_find("telemetry"), 0);
    char full[256];
    size_t n = sizeof record - 1;
    memcpy(full, record, n);
    memset(full + n, 'x', 100);
    full[n + 100] = 0;
    n += 101;
    struct event event;
    if (decoder_decode(decoder, full, n, &arena, &event, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(event.values[TELEMETRY_LABELS].n, 2);
    for (size_t cut = 0; cut < n; cut++) {
        char *copy = mem_alloc(cut);
        memcpy(copy, full, cut);
        assert_int_equal(decoder_decode(decoder, copy, cut, &arena, &event, &err), -1);
        assert_int_equal(decoder_decode(narrow, copy, cut, &arena, &event, &err), -1);
        assert_int_equal(err.class, ERROR_BAD_INPUT);
        free(copy);
    }
    decoder_free(decoder);
    decoder_free(narrow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimal),         cmocka_unit_test(test_promotions),
        cmocka_unit_test(test_unions),          cmocka_unit_test(test_enums),
        cmocka_unit_test(test_times),           cmocka_unit_test(test_labels),
        cmocka_unit_test(test_framing),         cmocka_unit_test(test_missing_and_extra),
        cmocka_unit_test(test_prefix),          cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_hostile_counts),  cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_truncation),      cmocka_unit_test(test_many_labels),
        cmocka_unit_test(test_truncated_extra),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
