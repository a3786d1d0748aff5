/* The schema parser, and that the program's own schemas say what the streams' tables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "codec/avro_schema.h"
#include "codec/schemas_embedded.h"
#include "event/stream.h"

static struct error err;

static void refuses(const char *text, const char *reason)
{
    struct avro_schema schema;
    err = (struct error){0};
    assert_int_equal(avro_schema_parse(&schema, str_of(text), &err), -1);
    assert_int_equal(err.class, ERROR_BAD_INPUT);
    if (strstr(err.message, reason) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, reason);
}

static void accepts(const char *text, struct avro_schema *schema)
{
    if (avro_schema_parse(schema, str_of(text), &err) != 0)
        fail_msg("%s", err.message);
}

static void test_names(void **state)
{
    (void)state;
    struct avro_schema schema;
    accepts("{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"fields\":["
            "{\"name\":\"x\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"B\"}},"
            "{\"name\":\"y\",\"type\":\"E\",\"aliases\":[\"old\"],\"default\":\"A\"},"
            "{\"name\":\"z\",\"type\":\"a.b.E\"},"
            "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"c.F\",\"size\":7}},"
            "{\"name\":\"g\",\"type\":[\"null\",\"c.F\"]}]}",
            &schema);
    const struct node *root = schema.root;
    assert_true(str_is(root->name, "a.b.R"));
    assert_ptr_equal(root->fields[0].type, root->fields[1].type);
    assert_ptr_equal(root->fields[0].type, root->fields[2].type);
    assert_int_equal(root->fields[0].type->references, 3);
    assert_true(str_is(root->fields[0].type->fallback, "B"));
    assert_true(str_is(root->fields[1].aliases[0], "old"));
    assert_string_equal(json_string_value(root->fields[1].fallback), "A");
    assert_ptr_equal(root->fields[3].type, root->fields[4].type->branches[1]);
    assert_int_equal(root->bytes_min, 1 + 1 + 1 + 7 + 1);
    avro_schema_fini(&schema);
}

static void test_logical_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum node_logical logical;
    } cases[] = {
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", LOGICAL_TIMESTAMP_MILLIS},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", LOGICAL_TIMESTAMP_MICROS},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-nanos\"}", LOGICAL_TIMESTAMP_NANOS},
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", LOGICAL_OTHER},
        {"{\"type\":\"int\",\"logicalType\":\"timestamp-millis\"}", LOGICAL_OTHER},
        {"\"long\"", LOGICAL_NONE},
        {"{\"type\":{\"type\":\"long\"}}", LOGICAL_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct avro_schema schema;
        accepts(cases[i].text, &schema);
        assert_int_equal(schema.root->logical, cases[i].logical);
        avro_schema_fini(&schema);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("", "not JSON");
    refuses("7", "a type is a name");
    refuses("\"nothing\"", "unknown type 'nothing'");
    refuses("\"record\"", "unknown type");
    refuses("[]", "no branches");
    refuses("[\"int\",\"int\"]", "two branches of type int");
    refuses("[\"int\",[\"null\"]]", "a union lies directly in a union");
    refuses("{\"type\":\"array\"}", "says nothing of its items");
    refuses("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}", "no symbols");
    refuses("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}", "twice");
    refuses("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}", "none of its symbols");
    refuses("{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "needs a size");
    refuses("{\"type\":\"record\",\"fields\":[]}", "needs a name");
    refuses("{\"type\":\"record\",\"name\":\"1x\",\"fields\":[]}", "needs a name");
    refuses("{\"type\":\"record\",\"name\":\"int\",\"fields\":[]}", "primitive");
    refuses("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"x\","
            "\"type\":\"int\"}]}",
            "two fields 'x'");
    refuses("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"R\"}]}",
            "contains itself without end");
    /* B contains A directly, but A contains B through an array only until C closes the circle. */
    refuses("[{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"array\",\"items\":"
            "{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"a\",\"type\":\"A\"}]}}},"
            "{\"name\":\"y\",\"type\":\"B\"}]}]",
            "contains itself without end");
    struct buf deep = {0};
    for (int i = 0; i < 100; i++)
        buf_puts(&deep, "{\"type\":\"array\",\"items\":");
    buf_puts(&deep, "\"int\"");
    for (int i = 0; i < 100; i++)
        buf_puts(&deep, "}");
    buf_byte(&deep, 0);
    refuses(deep.p, "nested deeper than 64");
    buf_fini(&deep);
}

static void test_indirect_recursion(void **state)
{
    (void)state;
    struct avro_schema schema;
    accepts("{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"array\",\"items\":"
            "{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"a\",\"type\":\"A\"}]}}}]}",
            &schema);
    assert_int_equal(schema.root->bytes_min, 1);
    avro_schema_fini(&schema);
}

static void check_kind(const struct stream_field *field, const struct node *type)
{
    static const enum node_kind kinds[] = {
        [FIELD_STRING] = NODE_STRING, [FIELD_ENUM] = NODE_ENUM,     [FIELD_TIME] = NODE_LONG,
        [FIELD_INT] = NODE_LONG,      [FIELD_SPAN] = NODE_LONG,     [FIELD_MAP] = NODE_MAP,
        [FIELD_DOUBLE] = NODE_DOUBLE, [FIELD_STRINGS] = NODE_ARRAY, [FIELD_LABELS] = NODE_MAP};
    if (type->kind != kinds[field->kind])
        fail_msg("%s: %s", field->name, node_kind_name(type->kind));
    assert_int_equal(type->logical, field->kind == FIELD_TIME ? LOGICAL_TIMESTAMP_MILLIS : LOGICAL_NONE);
    if (field->kind == FIELD_STRINGS || field->kind == FIELD_LABELS)
        assert_int_equal(type->branches[0]->kind, NODE_STRING);
    size_t symbols = 0;
    while (field->kind == FIELD_ENUM && field->symbols[symbols] != NULL)
        symbols++;
    if (field->kind == FIELD_ENUM)
        assert_int_equal(type->count, symbols);
    for (size_t i = 0; i < symbols; i++)
        assert_ptr_equal(stream_symbol(field, type->symbols[i]), field->symbols[i]);
}

static void check_field(const struct stream_field *field, const struct node_field *written)
{
    assert_true(str_is(written->name, field->name));
    const struct node *type = written->type;
    if (field->nullable) {
        assert_int_equal(type->kind, NODE_UNION);
        assert_int_equal(type->count, 2);
        assert_int_equal(type->branches[0]->kind, NODE_NULL);
        assert_true(json_is_null(written->fallback));
        type = type->branches[1];
    }
    check_kind(field, type);
    if (!field->has_default) {
        assert_int_equal(written->fallback != NULL, field->nullable);
        return;
    }
    if (field->kind == FIELD_ENUM)
        assert_string_equal(stream_symbol(field, str_of(json_string_value(written->fallback))), field->fallback);
    else
        assert_int_equal(json_array_size(written->fallback) + json_object_size(written->fallback), 0);
}

static void test_streams_agree(void **state)
{
    (void)state;
    for (int id = 0; id < STREAM_COUNT; id++) {
        const struct stream *stream = stream_get(id);
        if (stream->record == NULL)
            continue;
        struct avro_schema schema;
        struct buf name = {0};
        accepts(schema_embedded_find(stream->name), &schema);
        buf_printf(&name, "io.forestall.v1.%s", stream->record);
        assert_true(str_eq(schema.root->name, buf_str(&name)));
        assert_int_equal(schema.root->count, stream->record_field_count);
        for (int i = 0; i < stream->record_field_count; i++)
            check_field(&stream->fields[i], &schema.root->fields[i]);
        buf_fini(&name);
        avro_schema_fini(&schema);
    }
}

static void test_embedded(void **state)
{
    (void)state;
    assert_null(schema_embedded_find("nothing"));
    int count = 0;
    for (const struct schema_embedded *schema = schemas_embedded; schema->name != NULL; schema++, count++) {
        struct avro_schema parsed;
        accepts(schema->text, &parsed);
        avro_schema_fini(&parsed);
    }
    assert_int_equal(count, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_logical_types),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_streams_agree),
        cmocka_unit_test(test_embedded), cmocka_unit_test(test_indirect_recursion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
