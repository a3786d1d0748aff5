/* JSON texts as values and as events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "codec/decoder.h"
#include "codec/json.h"
#include "codec/json_fault.h"

static struct arena arena;
static struct error err;
static struct decoder *decoders[STREAM_FEEDBACK + 1];

static int decode(enum stream_id stream, const char *text, struct event *event)
{
    err = (struct error){0};
    return decoder_decode(decoders[stream], text, strlen(text), &arena, event, &err);
}

static void event_is(enum stream_id stream, const char *text, const char *expected)
{
    struct event event;
    struct buf out = {0};
    if (decode(stream, text, &event) != 0)
        fail_msg("%s", err.message);
    for (int i = 0; i < event.stream->record_field_count; i++)
        if (!value_is_null(event.values[i])) {
            buf_printf(&out, "%s%s=", out.len > 0 ? " " : "", event.stream->fields[i].name);
            value_json(&out, event.values[i]);
        }
    buf_byte(&out, 0);
    assert_string_equal(out.p, expected);
    assert_int_equal(event.time_ms, value_ms(event.values[event.stream->time_field]));
    buf_fini(&out);
}

static void event_refused(enum stream_id stream, const char *text, const char *reason)
{
    struct event event;
    assert_int_equal(decode(stream, text, &event), -1);
    assert_int_equal(err.class, ERROR_BAD_INPUT);
    assert_string_equal(err.message, reason);
}

#define TELEMETRY(more) "{\"service\":\"s\",\"name\":\"n\",\"occurred_at\":5" more "}"

static void test_events(void **state)
{
    (void)state;
    event_is(STREAM_TELEMETRY, TELEMETRY(""),
             "kind=\"metric\" service=\"s\" name=\"n\" occurred_at=\"1970-01-01T00:00:00.005Z\" labels={}");
    event_is(STREAM_TELEMETRY,
             TELEMETRY(",\"kind\":\"Log\",\"value\":2,\"unit\":null,\"labels\":{\"a\":\"1\",\"b\":\"\\u00e9\",\"a\":"
                       "\"2\"},\"other\":{\"x\":[1]}"),
             "kind=\"log\" service=\"s\" name=\"n\" value=2 occurred_at=\"1970-01-01T00:00:00.005Z\" "
             "labels={\"a\":\"2\",\"b\":\"\xc3\xa9\"}");
    event_is(STREAM_INCIDENT,
             "{\"event_id\":\"e\",\"incident_id\":\"i\",\"status\":\"OPEN\",\"occurred_at\":\"2024-05-06T07:08:09.5+02:"
             "00\",\"service\":"
             "\"s\",\"severity\":\"sev2\",\"title\":\"t\",\"started_at\":1714979289000.0,\"code_refs\":[\"a\",\"b\"],"
             "\"labels\":null}",
             "event_id=\"e\" incident_id=\"i\" status=\"open\" occurred_at=\"2024-05-06T05:08:09.500Z\" service=\"s\" "
             "severity=\"sev2\" title=\"t\" started_at=\"2024-05-06T07:08:09.000Z\" detected_by=\"unknown\" "
             "code_refs=[\"a\",\"b\"] labels={}");
    event_is(STREAM_FEEDBACK,
             "{\"event_id\":\"e\",\"recommendation_id\":\"r\",\"action\":\"accept\",\"expected_version\":3,\"actor\":"
             "\"a\",\"occurred_at\":-1}",
             "event_id=\"e\" recommendation_id=\"r\" action=\"accept\" expected_version=3 actor=\"a\" "
             "occurred_at=\"1969-12-31T23:59:59.999Z\"");
    event_is(STREAM_TELEMETRY, TELEMETRY(",\"labels\":{\"a\":\"1\"},\"labels\":null"),
             "kind=\"metric\" service=\"s\" name=\"n\" occurred_at=\"1970-01-01T00:00:00.005Z\" labels={}");
    /* The last of a repeated field counts, null after a value included. */
    event_is(STREAM_TELEMETRY, TELEMETRY(",\"unit\":\"ms\",\"service\":\"t\",\"unit\":null"),
             "kind=\"metric\" service=\"t\" name=\"n\" occurred_at=\"1970-01-01T00:00:00.005Z\" labels={}");
}

static void test_wanted(void **state)
{
    (void)state;
    struct decoder *decoder;
    struct event event;
    struct decoder_options options = {
        .stream = stream_get(STREAM_TELEMETRY), .format = FORMAT_JSON, .wanted = FIELD_BIT(TELEMETRY_NAME)};
    assert_int_equal(decoder_new(&decoder, &options, &err), 0);
    const char *text = TELEMETRY(",\"unit\":\"ms\"");
    assert_int_equal(decoder_decode(decoder, text, strlen(text), &arena, &event, &err), 0);
    assert_int_equal(event.time_ms, 5);
    for (int i = 0; i < event.stream->field_count; i++)
        assert_int_equal(value_is_null(event.values[i]), i != TELEMETRY_NAME);
    text = "{\"name\":\"n\",\"occurred_at\":5}";
    assert_int_equal(decoder_decode(decoder, text, strlen(text), &arena, &event, &err), -1);
    assert_string_equal(err.message, "field 'service' is missing");
    decoder_free(decoder);
}

static void test_refusals(void **state)
{
    (void)state;
    event_refused(STREAM_TELEMETRY, "", "not JSON: the text is empty");
    event_refused(STREAM_TELEMETRY, "[]", "a JSON object is expected");
    event_refused(STREAM_TELEMETRY, "{\"name\":\"n\",\"occurred_at\":5}", "field 'service' is missing");
    event_refused(STREAM_TELEMETRY, "{\"service\":null,\"name\":\"n\",\"occurred_at\":5}",
                  "field 'service': null, but it needs a value");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"kind\":\"trace\""),
                  "field 'kind': 'trace' is none of metric, log, alert");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"kind\":1"), "field 'kind': an enum's symbol is expected, not 1");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"value\":\"1\""), "field 'value': a number is expected, not '1'");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"unit\":[]"), "field 'unit': a string is expected, not a list");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"labels\":[]"), "field 'labels': a map is expected, not a list");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"labels\":{\"a\":1}"),
                  "field 'labels': it holds something other than strings");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"labels\":{\"a\":null}"),
                  "field 'labels': it holds something other than strings");
    event_refused(STREAM_TELEMETRY, "{\"service\":\"s\",\"name\":\"n\",\"occurred_at\":\"yesterday\"}",
                  "field 'occurred_at': ISO 8601 or epoch milliseconds is expected, not 'yesterday'");
    event_refused(STREAM_TELEMETRY, "{\"service\":\"s\",\"name\":\"n\",\"occurred_at\":1.5}",
                  "field 'occurred_at': ISO 8601 or epoch milliseconds is expected, not 1.5");
    event_refused(STREAM_TELEMETRY, "{\"service\":\"s\",\"name\":\"n\",\"occurred_at\":9000000000000000000}",
                  "field 'occurred_at': a time outside the years 1 to 9999");
    event_refused(STREAM_TELEMETRY, TELEMETRY(",\"unit\":\"\xff\""), "not JSON: the text is not UTF-8");
    struct event event;
    assert_int_equal(decode(STREAM_TELEMETRY, TELEMETRY("") "x", &event), -1);
    assert_int_equal(decode(STREAM_TELEMETRY, TELEMETRY("") TELEMETRY(""), &event), -1);
}

static void test_truncation(void **state)
{
    (void)state;
    const char *text = TELEMETRY(",\"labels\":{\"a\":\"b\"},\"value\":1.5,\"message\":\"\\u00e9\"");
    struct event event;
    assert_int_equal(decode(STREAM_TELEMETRY, text, &event), 0);
    for (size_t cut = 0; cut < strlen(text); cut++) {
        char *copy = mem_alloc(cut);
        memcpy(copy, text, cut);
        assert_int_equal(decoder_decode(decoders[STREAM_TELEMETRY], copy, cut, &arena, &event, &err), -1);
        free(copy);
    }
}

static void test_values(void **state)
{
    (void)state;
    static const char *const same[] = {"null",
                                       "true",
                                       "[]",
                                       "{}",
                                       "[1,-2,1.5,\"x\",[[]],{\"b\":1,\"a\":[null,false]}]",
                                       "[9223372036854775807,-9223372036854775808,18446744073709551615]",
                                       "{\"a\":{\"a\":{\"a\":[[[{}]]]}}}"};
    struct json_parser *parser = json_parser_new();
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct value value;
        struct buf out = {0};
        assert_int_equal(json_parse(parser, str_of(same[i]), &arena, &value, &err), 0);
        value_json(&out, value);
        buf_byte(&out, 0);
        assert_string_equal(out.p, same[i]);
        buf_fini(&out);
    }
    json_parser_free(parser);
}

static void test_value_types(void **state)
{
    (void)state;
    struct json_parser *parser = json_parser_new();
    struct value value;
    assert_int_equal(json_parse(parser, str_of("[1,18446744073709551615,1.0,\"a\\u0000b\"]"), &arena, &value, &err), 0);
    assert_int_equal(value.items[0].type, VALUE_INT);
    assert_int_equal(value.items[1].type, VALUE_UINT);
    assert_int_equal(value.items[2].type, VALUE_DOUBLE);
    assert_int_equal(value.items[3].n, 3);
    json_parser_free(parser);
}

static void test_depth(void **state)
{
    (void)state;
    struct json_parser *parser = json_parser_new();
    char text[4000];
    struct value value;
    for (size_t depth = 1; depth <= sizeof text / 2; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int result = json_parse(parser, (struct str){text, 2 * depth}, &arena, &value, &err);
        assert_int_equal(result, depth <= 64 ? 0 : -1);
    }
    assert_string_equal(err.message, "not JSON: nested deeper than 64");
    json_parser_free(parser);
}

/* Where hand-written text is no JSON; what is right has no fault. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
        const char *words; /* NULL: it is JSON */
    } rows[] = {
        {"{\"a\": [1, -2.5e+3, \"\\u00e9\\ud83d\\ude00\\n\", true, false, null, {}, []]}", 0, NULL},
        {" 18446744073709551615 ", 0, NULL},
        {"-9223372036854775808", 0, NULL},
        {"", 0, "a value is missing here"},
        {"{\"a\": }", 6, "a value is missing here"},
        {"[1,]", 3, "a value is missing here"},
        {"{\"a\": 1", 7, "a ',' or '}' is missing here"},
        {"{\"a\": 1 \"b\": 2}", 8, "a ',' or '}' is missing here"},
        {"[1}", 2, "a ',' or ']' is missing here"},
        {"{\"a\": 1,}", 8, "the ',' before this is one too many"},
        {"{a: 1}", 1, "a name is missing here, within double quotes"},
        {"{\"a\" 1}", 5, "a ':' is missing here"},
        {"{} x", 3, "more follows what was whole already"},
        {"[tru]", 1, "this is no value: true, false, null, a number, \"text\", [ or {"},
        {"['a']", 1, "text is written within double quotes"},
        {"[\"a]", 1, "the text that begins here is not closed: \" is missing"},
        {"[\"a\tb\"]", 3, "control characters are written \\n, \\t or \\uHHHH in text"},
        {"[\"a\\qb\"]", 3, "no such escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uHHHH"},
        {"[\"\\u12\"]", 4, "four hexadecimal digits are missing after \\u"},
        {"[\"\\ud800\"]", 2, "the escape stands for no Unicode character"},
        {"[\"\\udc00\"]", 2, "the escape stands for no Unicode character"},
        {"[01]", 1, "a number does not begin with 0"},
        {"[1.]", 3, "a digit is missing here"},
        {"[1e+]", 4, "a digit is missing here"},
        {"[-]", 2, "a digit is missing here"},
        {"[1e999]", 1, "the number does not fit"},
        {"[18446744073709551616]", 1, "the number does not fit; write it with a point, as a double"},
        {"[-9223372036854775809]", 1, "the number does not fit; write it with a point, as a double"},
    };
    struct json_parser *parser = json_parser_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct value value;
        struct json_fault fault = json_fault_find(str_of(rows[i].text));
        assert_int_equal(json_parse(parser, str_of(rows[i].text), &arena, &value, &err) == 0, rows[i].words == NULL);
        if (rows[i].words == NULL
                ? fault.words != NULL
                : fault.words == NULL || strcmp(fault.words, rows[i].words) != 0 || fault.offset != rows[i].offset)
            fail_msg("%s: %zu: %s", rows[i].text, fault.offset, fault.words != NULL ? fault.words : "nothing");
    }
    json_parser_free(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),     cmocka_unit_test(test_wanted), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_truncation), cmocka_unit_test(test_values), cmocka_unit_test(test_value_types),
        cmocka_unit_test(test_depth),      cmocka_unit_test(test_faults),
    };
    for (int i = 0; i <= STREAM_FEEDBACK; i++) {
        struct decoder_options options = {.stream = stream_get(i), .format = FORMAT_JSON, .wanted = ~(field_mask)0};
        if (decoder_new(&decoders[i], &options, &err) != 0)
            return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i <= STREAM_FEEDBACK; i++)
        decoder_free(decoders[i]);
    arena_fini(&arena);
    return failed;
}
