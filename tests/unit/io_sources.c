/* Sources that need no Kafka: memory and files of JSON lines, and the search for one member of a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/kafka.h"
#include "io/line_member.h"
#include "io/source_file.h"

static struct error err;
static char path[64];

static void file_write(const char *text)
{
    (void)snprintf(path, sizeof path, "/tmp/forestall-lines-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static size_t poll_all(struct source *source, size_t partition, struct source_record *records, size_t max)
{
    size_t count = 0;
    assert_int_equal(source->ops->poll(source, partition, records, max, &count, &err), 0);
    return count;
}

static void assert_value(const struct source_record *record, int64_t offset, const char *text)
{
    assert_int_equal(record->offset, offset);
    assert_int_equal(record->value_n, strlen(text));
    assert_memory_equal(record->value, text, record->value_n);
}

static void test_memory(void **unused)
{
    (void)unused;
    const struct source_partition partitions[] = {{0, STR_LIT("a"), 0}, {0, STR_LIT("a"), 1}};
    struct source *source = source_memory_new(partitions, 2);
    struct source_record records[4];
    source_memory_add(source, 1, STR_LIT("one"), 10);
    source_memory_add(source, 1, (struct str){0}, 11);
    source_memory_skip(source, 1, 7);
    source_memory_add(source, 1, STR_LIT("three"), 12);
    assert_int_equal(poll_all(source, 0, records, 4), 0);
    assert_int_equal(poll_all(source, 1, records, 2), 2);
    assert_value(&records[0], 0, "one");
    assert_null(records[1].value);
    assert_false(source->ops->finished(source, 1));
    source_memory_end(source);
    assert_true(source->ops->finished(source, 0));
    assert_false(source->ops->finished(source, 1));
    assert_int_equal(poll_all(source, 1, records, 4), 1);
    assert_value(&records[0], 7, "three");
    assert_true(source->ops->finished(source, 1));
    assert_int_equal(source->ops->seek(source, 1, 2, &err), 0);
    assert_int_equal(poll_all(source, 1, records, 4), 1);
    assert_value(&records[0], 7, "three");
    int64_t ends[2];
    assert_int_equal(source->ops->end_offsets(source, (const size_t[]){1, 0}, 2, ends, &err), 0);
    assert_int_equal(ends[0], 8);
    assert_int_equal(ends[1], 0);
    source->ops->release(source);
    source->ops->close(source);
}

static const char *const known[] = {"deployment", "incident", "telemetry", NULL};

static void test_file_of_several_streams(void **unused)
{
    (void)unused;
    static const char text[] =
        "{\"stream\":\"telemetry\",\"n\":1}\n\n  \n{\"n\": {\"stream\":\"x\"}, \"stream\" : \"incident\"}\r\n"
        "{\"n\":3}\n{\"stream\":\"telemetry\",\"n\":4}";
    file_write(text);
    const char *names[8];
    size_t count;
    int64_t unnamed;
    assert_int_equal(source_file_streams(path, known, names, &count, &unnamed, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "incident");
    assert_string_equal(names[1], "telemetry");
    assert_int_equal(unnamed, 1);

    const struct source_file_input inputs[] = {{path, "incident"}, {path, "telemetry"}, {path, "telemetry"}};
    const bool filter[] = {true, true, false};
    const struct source_partition partitions[] = {
        {0, STR_LIT("incident"), 0}, {1, STR_LIT("telemetry"), 0}, {1, STR_LIT("telemetry"), 1}};
    struct source *source;
    assert_int_equal(source_file_open(&source, inputs, filter, partitions, 3, 99, 1000, &err), 0);
    struct source_record records[8];
    int64_t done, total;
    assert_int_equal(poll_all(source, 0, records, 8), 1);
    /* The file is not done, though one of its partitions has read it whole. */
    source->ops->progress(source, &done, &total);
    assert_int_equal(done, 0);
    assert_value(&records[0], 4, "{\"n\": {\"stream\":\"x\"}, \"stream\" : \"incident\"}");
    assert_int_equal(records[0].timestamp_ms, 99);
    assert_int_equal(poll_all(source, 1, records, 1), 1);
    assert_value(&records[0], 1, "{\"stream\":\"telemetry\",\"n\":1}");
    assert_false(source->ops->finished(source, 1));
    assert_int_equal(poll_all(source, 1, records, 8), 1);
    assert_value(&records[0], 6, "{\"stream\":\"telemetry\",\"n\":4}");
    assert_true(source->ops->finished(source, 1));
    assert_int_equal(poll_all(source, 2, records, 8), 4);
    source->ops->progress(source, &done, &total);
    assert_int_equal(done, total);
    assert_int_equal(total, strlen(text));
    assert_int_equal(source->ops->seek(source, 2, 5, &err), 0);
    assert_int_equal(poll_all(source, 2, records, 8), 2);
    assert_value(&records[0], 5, "{\"n\":3}");
    source->ops->close(source);
    assert_int_equal(unlink(path), 0);
}

static void test_long_lines_are_cut(void **unused)
{
    (void)unused;
    file_write("0123456789\n0123456789abcdef\nshort\n");
    const struct source_file_input input = {path, "telemetry"};
    const bool filter = false;
    const struct source_partition partition = {0, STR_LIT("telemetry"), 0};
    struct source *source;
    assert_int_equal(source_file_open(&source, &input, &filter, &partition, 1, 0, 10, &err), 0);
    struct source_record records[4];
    assert_int_equal(poll_all(source, 0, records, 4), 3);
    assert_value(&records[0], 1, "0123456789");
    assert_value(&records[1], 2, "0123456789a");
    assert_value(&records[2], 3, "short");
    source->ops->close(source);
    assert_int_equal(unlink(path), 0);
}

static void test_lines_across_chunks(void **unused)
{
    (void)unused;
    enum { LINES = 50000 };
    struct buf text = {0};
    for (int i = 0; i < LINES; i++)
        buf_printf(&text, "{\"line\":%d}\n", i);
    buf_byte(&text, '\0');
    file_write(text.p);
    buf_fini(&text);
    const struct source_file_input input = {path, "telemetry"};
    const bool filter = false;
    const struct source_partition partition = {0, STR_LIT("telemetry"), 0};
    struct source *source;
    assert_int_equal(source_file_open(&source, &input, &filter, &partition, 1, 0, 100, &err), 0);
    struct source_record records[100];
    int line = 0;
    while (!source->ops->finished(source, 0)) {
        size_t count = poll_all(source, 0, records, 100);
        for (size_t i = 0; i < count; i++, line++) {
            char expected[32];
            (void)snprintf(expected, sizeof expected, "{\"line\":%d}", line);
            assert_value(&records[i], line + 1, expected);
        }
        source->ops->release(source);
    }
    assert_int_equal(line, LINES);
    source->ops->close(source);
    assert_int_equal(unlink(path), 0);
}

static void test_file_refusals(void **unused)
{
    (void)unused;
    const char *names[8];
    size_t count;
    int64_t unnamed;
    assert_int_equal(source_file_streams("/nowhere/at-all", known, names, &count, &unnamed, &err), -1);
    assert_int_equal(err.class, ERROR_FATAL);
    file_write("{}\n{\"stream\":\"telemetri\"}\n");
    assert_int_equal(source_file_streams(path, known, names, &count, &unnamed, &err), -1);
    assert_int_equal(err.class, ERROR_BAD_INPUT);
    assert_non_null(strstr(err.message, ":2: no stream is called 'telemetri'"));
    assert_int_equal(unlink(path), 0);
}

static void test_line_member(void **unused)
{
    (void)unused;
    static const struct {
        const char *line;
        const char *value; /* NULL: not found */
    } cases[] = {
        {"{\"stream\":\"a\"}", "a"},
        {" { \"x\" : [1,{\"stream\":\"no\"},\"}\"] , \"stream\" : \"b\" , \"y\":1}", "b"},
        {"{\"x\":\"\\\"stream\\\":\\\"no\\\"\",\"stream\":\"c\"}", "c"},
        {"{\"stream\":\"d\"", "d"},
        {"{\"stream\":\"", NULL},
        {"{\"stream\":1}", NULL},
        {"{\"x\":\"\\", NULL},
        {"{\"x\":[", NULL},
        {"{\"x\"", NULL},
        {"{}", NULL},
        {"[\"stream\"]", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* A copy of the exact size, so that a sanitizer sees a read beyond it. */
        size_t n = strlen(cases[i].line);
        char *line = malloc(n + 1);
        assert_non_null(line);
        memmove(line, cases[i].line, n);
        struct str value = {0};
        bool found = line_member((struct str){line, n}, STR_LIT("stream"), &value);
        assert_int_equal(found, cases[i].value != NULL);
        if (found)
            assert_true(str_is(value, cases[i].value));
        free(line);
    }
}

static int client_try(const char *name, const char *value)
{
    const struct str_pair property = {str_of(name), str_of(value)};
    const struct kafka_client options = {.type = RD_KAFKA_PRODUCER, .properties = &property, .property_count = 1};
    rd_kafka_t *client;
    int result = kafka_client_new(&client, &options, &err);
    if (result == 0)
        kafka_client_free(client);
    return result;
}

static void test_kafka_properties(void **unused)
{
    (void)unused;
    assert_int_equal(client_try("bootstrap.servers", "127.0.0.1:1"), 0);
    assert_int_equal(client_try("isolation.level", "read_uncommitted"), -1);
    assert_non_null(strstr(err.message, "'isolation.level' is Forestall's to set"));
    assert_int_equal(client_try("bootstrap.server", "127.0.0.1:1"), -1);
    assert_non_null(strstr(err.message, "bootstrap.server: No such configuration property"));
    assert_int_equal(kafka_property_check(STR_LIT("acks"), STR_LIT("1"), &err), -1);
    assert_int_equal(kafka_property_check(STR_LIT("linger.ms"), STR_LIT("soon"), &err), -1);
    assert_non_null(strstr(err.message, "linger.ms"));
    assert_int_equal(kafka_property_check(STR_LIT("client.id"), STR_LIT("x"), &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_file_of_several_streams),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_lines_across_chunks),
        cmocka_unit_test(test_file_refusals),
        cmocka_unit_test(test_line_member),
        cmocka_unit_test(test_kafka_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
