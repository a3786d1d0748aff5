/* Avro back to values: what the writer wrote, and bytes that it did not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/avro_read.h"
#include "codec/avro_write.h"

static const char schema_text[] =
    "{\"type\": \"record\", \"name\": \"R\", \"fields\": ["
    "{\"name\": \"at\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}},"
    "{\"name\": \"level\", \"type\": {\"type\": \"enum\", \"name\": \"L\", \"symbols\": [\"LOW\", \"IN_PROGRESS\"]}},"
    "{\"name\": \"maybe\", \"type\": [\"null\", \"string\"]},"
    "{\"name\": \"none\", \"type\": [\"null\", \"L\"]},"
    "{\"name\": \"met\", \"type\": \"boolean\"},"
    "{\"name\": \"counts\", \"type\": {\"type\": \"map\", \"values\": \"double\"}},"
    "{\"name\": \"items\", \"type\": {\"type\": \"array\", \"items\": {\"type\": \"record\", \"name\": \"I\", "
    "\"fields\": [{\"name\": \"n\", \"type\": \"long\"}]}}}]}";

static struct arena arena;
static struct error err;

static struct value record(void)
{
    struct value *counts = arena_alloc(&arena, 4 * sizeof *counts);
    struct value *items = arena_alloc(&arena, 2 * sizeof *items);
    struct value *pairs = arena_alloc(&arena, 14 * sizeof *pairs);
    counts[0] = value_text("a");
    counts[1] = value_double(0.5);
    counts[2] = value_text("b");
    counts[3] = value_double(-12);
    for (int i = 0; i < 2; i++) {
        struct value *pair = arena_alloc(&arena, 2 * sizeof *pair);
        pair[0] = value_text("n");
        pair[1] = value_int(i - 300);
        items[i] = value_map(pair, 1);
    }
    const struct value all[] = {value_text("at"),     value_time_ms(1714979289000),
                                value_text("level"),  value_text("in_progress"),
                                value_text("maybe"),  value_text("Zürich"),
                                value_text("none"),   value_null(),
                                value_text("met"),    value_bool(true),
                                value_text("counts"), value_map(counts, 2),
                                value_text("items"),  value_list(items, 2)};
    memcpy(pairs, all, sizeof all);
    return value_map(pairs, 7);
}

static void written(struct buf *out)
{
    struct avro_encoder *encoder;
    assert_int_equal(avro_encoder_new(&encoder, str_of(schema_text), &err), 0);
    if (avro_encode(encoder, record(), out, &err) != 0)
        fail_msg("%s", err.message);
    avro_encoder_free(encoder);
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    struct avro_schema schema;
    struct buf bytes = {0};
    struct buf text = {0};
    struct value value;
    written(&bytes);
    assert_int_equal(avro_schema_parse(&schema, str_of(schema_text), &err), 0);
    if (avro_decode(&schema, buf_str(&bytes), &arena, &value, &err) != 0)
        fail_msg("%s", err.message);
    value_json(&text, value);
    buf_byte(&text, '\0');
    assert_string_equal(text.p, "{\"at\":\"2024-05-06T07:08:09.000Z\",\"level\":\"in_progress\",\"maybe\":\"Zürich\","
                                "\"none\":null,\"met\":true,\"counts\":{\"a\":0.5,\"b\":-12},"
                                "\"items\":[{\"n\":-300},{\"n\":-299}]}");
    buf_fini(&text);
    buf_fini(&bytes);
    avro_schema_fini(&schema);
}

static void test_other_bytes_are_refused(void **state)
{
    (void)state;
    struct avro_schema schema;
    struct buf bytes = {0};
    struct value value;
    written(&bytes);
    assert_int_equal(avro_schema_parse(&schema, str_of(schema_text), &err), 0);
    for (size_t n = 0; n < bytes.len; n++) {
        assert_int_equal(avro_decode(&schema, (struct str){bytes.p, n}, &arena, &value, &err), -1);
        assert_string_equal(err.message, "the bytes are no R in Avro");
    }
    buf_byte(&bytes, 0);
    assert_int_equal(avro_decode(&schema, buf_str(&bytes), &arena, &value, &err), -1);
    bytes.len--;
    /* Whatever is broken, it ends, inside the bytes. */
    for (size_t i = 0; i < bytes.len; i++)
        for (int byte = 0; byte < 256; byte++) {
            char kept = bytes.p[i];
            bytes.p[i] = (char)byte;
            (void)!avro_decode(&schema, buf_str(&bytes), &arena, &value, &err);
            bytes.p[i] = kept;
        }
    buf_fini(&bytes);
    avro_schema_fini(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_other_bytes_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
