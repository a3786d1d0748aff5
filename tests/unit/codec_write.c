/* Values to Avro: what is written is read back by the decoders and by Avro-C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <avro.h>
#include <stdlib.h>

#include "codec/avro_write.h"
#include "codec/decoder.h"
#include "codec/json.h"
#include "codec/schemas_embedded.h"

static struct arena arena;
static struct error err;
static struct json_parser *parser;

static struct value json(const char *text)
{
    struct value value;
    if (json_parse(parser, str_of(text), &arena, &value, &err) != 0)
        fail_msg("%s", err.message);
    return value;
}

static struct avro_encoder *encoder_of(const char *schema)
{
    struct avro_encoder *encoder;
    if (avro_encoder_new(&encoder, str_of(schema), &err) != 0)
        fail_msg("%s", err.message);
    return encoder;
}

static void writes(const char *schema, struct value value, const char *bytes, size_t n)
{
    struct avro_encoder *encoder = encoder_of(schema);
    struct buf out = {0};
    if (avro_encode(encoder, value, &out, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(out.len, n);
    assert_memory_equal(out.p, bytes, n);
    buf_fini(&out);
    avro_encoder_free(encoder);
}
#define WRITES(schema, value, bytes) writes(schema, value, bytes, sizeof(bytes) - 1)

static void refuses(const char *schema, struct value value, const char *reason)
{
    struct avro_encoder *encoder = encoder_of(schema);
    struct buf out = {0};
    assert_int_equal(avro_encode(encoder, value, &out, &err), -1);
    assert_int_equal(err.class, ERROR_BAD_INPUT);
    assert_string_equal(err.message, reason);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
    avro_encoder_free(encoder);
}

static void test_scalars(void **state)
{
    (void)state;
    WRITES("\"long\"", value_int(-2), "\x03");
    WRITES("\"long\"", value_double(3), "\x06");
    WRITES("\"long\"", value_span_ms(-1), "\x01");
    WRITES("\"double\"", value_int(1), "\0\0\0\0\0\0\xf0\x3f");
    WRITES("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", value_time_ms(-5), "\x09");
    WRITES("{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", value_time_ms(1), "\xd0\x0f");
    WRITES("\"string\"", value_text("h\xc3\xa9"), "\x06h\xc3\xa9");
    WRITES("\"string\"", value_str((struct str){"a\0b", 3}),
           "\x06"
           "a\0b");
    WRITES("\"boolean\"", value_bool(true), "\x01");
    WRITES("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"IN_PROGRESS\"]}", value_text("in_progress"), "\x02");
    WRITES("[\"null\",\"string\",\"double\"]", value_int(1), "\x04\0\0\0\0\0\0\xf0\x3f");
    WRITES("[\"null\",\"string\"]", value_null(), "\0");
    refuses("\"long\"", value_double(1.5), "a double is not an Avro long");
    refuses("\"int\"", value_int(INT64_C(1) << 31), "a int is not an Avro int");
    refuses("\"string\"", value_null(), "a null_type is not an Avro string");
    refuses("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", value_text("b"), "a string is not an Avro enum");
    refuses("[\"null\",\"string\"]", value_int(1), "a int fits no branch of the union");
}

#define RECORD                                                                                                         \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"                               \
    "{\"name\":\"b\",\"type\":\"string\",\"default\":\"x\"},{\"name\":\"c\",\"type\":[\"null\",\"int\"]},"             \
    "{\"name\":\"d\",\"type\":{\"type\":\"array\",\"items\":\"int\"},\"default\":[1,2]},"                              \
    "{\"name\":\"e\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"string\"]},\"default\":{}}]}"

static void test_records(void **state)
{
    (void)state;
    WRITES(RECORD, json("{\"a\":1}"), "\x02\x02x\x00\x04\x02\x04\x00\x00");
    WRITES(RECORD, json("{\"e\":{\"k\":null,\"l\":\"v\"},\"d\":[],\"c\":3,\"b\":\"\",\"a\":1}"),
           "\x02\x00\x02\x06\x00\x04\x02k\x00\x02l\x02\x02v\x00");
    refuses(RECORD, json("{\"b\":\"x\"}"), "field 'a': a null_type is not an Avro int");
    refuses(RECORD, json("{\"a\":1,\"z\":1}"), "record 'R' has no field 'z'");
    refuses(RECORD, json("{\"a\":1,\"d\":[1,\"x\"]}"), "field 'd': item 1: a string is not an Avro int");
    refuses(RECORD, json("[]"), "a list is not an Avro record");
}

static void test_reuse(void **state)
{
    (void)state;
    struct avro_encoder *encoder = encoder_of(RECORD);
    struct buf out = {0};
    assert_int_equal(avro_encode(encoder, json("{\"a\":1,\"d\":[1,2,3],\"e\":{\"q\":\"r\"}}"), &out, &err), 0);
    assert_int_equal(avro_encode(encoder, json("{\"a\":1,\"d\":[1,\"x\"]}"), &out, &err), -1);
    size_t before = out.len;
    assert_int_equal(avro_encode(encoder, json("{\"a\":1}"), &out, &err), 0);
    assert_int_equal(out.len - before, 9);
    assert_memory_equal(out.p + before, "\x02\x02x\x00\x04\x02\x04\x00\x00", 9);
    buf_fini(&out);
    avro_encoder_free(encoder);
}

static void test_bad_schemas(void **state)
{
    (void)state;
    struct avro_encoder *encoder;
    assert_int_equal(avro_encoder_new(&encoder, str_of("{"), &err), -1);
    assert_int_equal(
        avro_encoder_new(&encoder,
                         str_of("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"R\"}]}"),
                         &err),
        -1);
}

static const char recommendation[] =
    "{\"recommendation_id\":\"r:1\",\"rule_id\":\"r\",\"rule_hash\":\"h\",\"version\":1,\"life_version\":1,\"status\":"
    "\"in_progress\","
    "\"category\":\"code_quality\",\"title\":\"t\",\"group\":{\"service\":\"s\",\"environment\":null},\"services\":["
    "\"s\"],\"priority\":\"P0\","
    "\"impact_score\":48,\"impact\":\"high\",\"complexity\":\"low\",\"roadmap\":\"quality\",\"severity\":\"sev2\","
    "\"frequency\":6,"
    "\"detections\":1,\"firings\":2,\"occurrences\":3,\"incidents\":3,\"first_seen\":1,\"last_seen\":2,\"mttd\":null,"
    "\"mttd_median\":null,"
    "\"mttr\":1500,\"mttr_median\":1500,\"minutes_lost\":4.5,\"estimated_benefit\":{\"incidents_per_30d\":3,\"minutes_"
    "per_30d\":4.5},"
    "\"evidence\":[{\"stream\":\"incident\",\"event_id\":\"e\",\"incident_id\":null,\"service\":\"s\",\"occurred_at\":"
    "1,\"summary\":\"x\"}],"
    "\"code_refs\":[{\"path\":\"a.c\",\"count\":2}],\"root_causes\":[],\"components\":[],\"values\":{\"count(ecb)\":3},"
    "\"spec\":{\"problem\":\"p\",\"solution\":\"s\",\"implementation\":[\"1\"],\"testing\":[],\"rollout\":[],"
    "\"effort\":\"3d\",\"dependencies\":[],"
    "\"code\":[{\"path\":null,\"language\":\"yaml\",\"text\":\"x: 1\"}],\"references\":[]},"
    "\"validation\":{\"state\":\"none\",\"implemented_at\":null,\"before_from\":null,\"before_to\":null,\"after_from\":"
    "null,\"after_to\":null,"
    "\"measures\":[{\"name\":\"mttr\",\"before\":1,\"after\":null,\"met\":true}]},"
    "\"history\":[{\"at\":1,\"from\":null,\"to\":\"proposed\",\"actor\":null,\"comment\":null}],\"supersedes\":[],"
    "\"superseded_by\":null,"
    "\"notes\":[],\"event_time\":2}";

/* Avro-C reads back what was written, by the same schema, to the last byte. */
static void test_recommendation(void **state)
{
    (void)state;
    const char *text = schema_embedded_find("recommendation");
    struct avro_encoder *encoder = encoder_of(text);
    struct buf out = {0};
    if (avro_encode(encoder, json(recommendation), &out, &err) != 0)
        fail_msg("%s", err.message);
    avro_schema_t schema;
    avro_value_t value;
    avro_value_t field;
    int64_t score = 0;
    assert_int_equal(avro_schema_from_json_length(text, strlen(text), &schema), 0);
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    assert_int_equal(avro_generic_value_new(iface, &value), 0);
    avro_reader_t reader = avro_reader_memory(out.p, (int64_t)out.len);
    assert_int_equal(avro_value_read(reader, &value), 0);
    assert_int_equal(avro_value_get_by_name(&value, "impact_score", &field, NULL), 0);
    assert_int_equal(avro_value_get_long(&field, &score), 0);
    assert_int_equal(score, 48);
    char rest;
    assert_int_not_equal(avro_read(reader, &rest, 1), 0);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
    buf_fini(&out);
    avro_encoder_free(encoder);
}

static void test_read_back(void **state)
{
    (void)state;
    struct avro_encoder *encoder = encoder_of(schema_embedded_find("telemetry"));
    struct decoder *decoder;
    struct event event;
    struct buf out = {0};
    struct decoder_options options = {.stream = stream_get(STREAM_TELEMETRY),
                                      .format = FORMAT_AVRO,
                                      .wanted = ~(field_mask)0,
                                      .schema = str_of(schema_embedded_find("telemetry"))};
    assert_int_equal(decoder_new(&decoder, &options, &err), 0);
    struct value value = json("{\"kind\":\"alert\",\"service\":\"s\",\"name\":\"n\",\"value\":2.5,\"occurred_at\":7,"
                              "\"labels\":{\"a\":\"b\"}}");
    assert_int_equal(avro_encode(encoder, value, &out, &err), 0);
    assert_int_equal(decoder_decode(decoder, out.p, out.len, &arena, &event, &err), 0);
    assert_true(str_is(value_as_str(event.values[TELEMETRY_KIND]), "alert"));
    assert_true(event.values[TELEMETRY_VALUE].d == 2.5);
    assert_int_equal(event.time_ms, 7);
    assert_true(str_is(value_as_str(*value_map_get(event.values[TELEMETRY_LABELS], STR_LIT("a"))), "b"));
    decoder_free(decoder);
    buf_fini(&out);
    avro_encoder_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),     cmocka_unit_test(test_records),        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_bad_schemas), cmocka_unit_test(test_recommendation), cmocka_unit_test(test_read_back),
    };
    parser = json_parser_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_parser_free(parser);
    arena_fini(&arena);
    return failed;
}
