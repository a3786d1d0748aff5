/* The decode plan against Avro-C's reader: random writer schemas around a stream's fields, random records written and
 * read back by Avro-C, and the event that the plan makes of the same bytes.
 *
 * Not covered here, since Avro-C drops them: aliases, defaults, logical types (ours are added and undone by hand).
 * argv[1] is the seed, argv[2] the number of schemas. Avro-C never sees hostile bytes.
 */
#include <avro.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/decoder.h"
#include "codec/field.h"

/* Avro-C 1.11.1 leaks items of arrays of recursive records; LeakSanitizer asks here. */
const char *__lsan_default_suppressions(void); /* NOLINT(bugprone-reserved-identifier) */
const char *__lsan_default_suppressions(void)  /* NOLINT(bugprone-reserved-identifier) */
{
    return "leak:libavro";
}

enum { SCHEMAS = 1500, RECORDS = 6, DEPTH_MAX = 4 };

static uint64_t random_state;
static int name_count;
static uint64_t accepted;
static uint64_t refused;

static uint32_t below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

static void put_type(struct buf *out, int depth);

static void put_record_type(struct buf *out, int depth)
{
    int name = name_count++;
    buf_printf(out, "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[", name);
    uint32_t fields = below(4);
    for (uint32_t i = 0; i < fields; i++) {
        buf_printf(out, "{\"name\":\"f%u\",\"type\":", i);
        put_type(out, depth + 1);
        buf_puts(out, "},");
    }
    switch (below(3)) {
    case 0:
        buf_printf(out, "{\"name\":\"next\",\"type\":[\"null\",\"R%d\"]}]}", name);
        break;
    case 1:
        buf_printf(out, "{\"name\":\"kids\",\"type\":{\"type\":\"array\",\"items\":\"R%d\"}}]}", name);
        break;
    default:
        buf_puts(out, "{\"name\":\"last\",\"type\":\"int\"}]}");
    }
}

static void put_type(struct buf *out, int depth)
{
    static const char *const primitives[] = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};
    switch (below(depth < DEPTH_MAX ? 14 : 8)) {
    case 8:
        buf_printf(out, "{\"type\":\"enum\",\"name\":\"E%d\",\"symbols\":[\"A\",\"B\",\"C\"]}", name_count++);
        break;
    case 9:
        buf_printf(out, "{\"type\":\"fixed\",\"name\":\"F%d\",\"size\":%u}", name_count++, 1 + below(9));
        break;
    case 10:
        buf_puts(out, "{\"type\":\"array\",\"items\":");
        put_type(out, depth + 1);
        buf_puts(out, "}");
        break;
    case 11:
        buf_puts(out, "{\"type\":\"map\",\"values\":");
        put_type(out, depth + 1);
        buf_puts(out, "}");
        break;
    case 12:
        buf_printf(out, "[%s\"string\",\"long\",%s", below(2) != 0 ? "\"null\"," : "",
                   below(2) != 0 ? "\"double\"," : "");
        put_record_type(out, depth + 1);
        buf_puts(out, "]");
        break;
    case 13:
        put_record_type(out, depth);
        break;
    default:
        buf_printf(out, "\"%s\"", primitives[below(8)]);
    }
}

static void put_enum_type(struct buf *out, const struct stream_field *field)
{
    int first = 1;
    buf_printf(out, "{\"type\":\"enum\",\"name\":\"E%d\",\"symbols\":[", name_count++);
    if (below(24) == 0)
        buf_printf(out, "%s\"BOGUS\"", first-- != 0 ? "" : ",");
    size_t count = 0;
    while (field->symbols[count] != NULL)
        count++;
    size_t shift = below((uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, first != 0 ? "\"" : ",\"");
        first = 0;
        for (const char *c = field->symbols[(i + shift) % count]; *c != '\0'; c++)
            buf_byte(out, (uint8_t)(*c >= 'a' && *c <= 'z' && below(2) != 0 ? *c - 'a' + 'A' : *c));
        buf_byte(out, '"');
    }
    buf_puts(out, "]}");
}

/* A type that resolves to the field's, the null of a nullable one aside. */
static void put_plain_type(struct buf *out, const struct stream_field *field)
{
    static const char *const times[] = {"\"long\"", "\"int\"",
                                        "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}",
                                        "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"};
    static const char *const numbers[] = {"\"double\"", "\"float\"", "\"long\"", "\"int\""};
    static const char *const texts[] = {"\"string\"", "\"bytes\"", "[\"string\",\"int\"]", "[\"null\",\"bytes\"]"};
    switch (field->kind) {
    case FIELD_ENUM:
        put_enum_type(out, field);
        break;
    case FIELD_TIME:
        buf_puts(out, times[below(4)]);
        break;
    case FIELD_DOUBLE:
        buf_puts(out, numbers[below(4)]);
        break;
    case FIELD_INT:
        buf_puts(out, numbers[2 + below(2)]);
        break;
    case FIELD_STRINGS:
    case FIELD_LABELS:
        buf_printf(out, "{\"type\":\"%s\":%s}", field->kind == FIELD_STRINGS ? "array\",\"items" : "map\",\"values",
                   texts[below(24) == 0 ? 2 + below(2) : below(2)]);
        break;
    default:
        buf_puts(out, texts[below(2)]);
    }
}

static void put_field(struct buf *out, const struct stream_field *field)
{
    buf_printf(out, "{\"name\":\"%s\",\"type\":", field->name);
    uint32_t shape = below(field->nullable ? 8 : 100);
    buf_puts(out, shape == 0 ? "[\"null\"," : shape == 1 ? "[" : shape == 2 ? "[\"boolean\",\"null\"," : "");
    put_plain_type(out, field);
    buf_puts(out, shape == 0 || shape == 2 ? "]}," : shape == 1 ? ",\"null\"]}," : "},");
}

static void put_schema(struct buf *out, const struct stream *stream)
{
    int order[STREAM_FIELDS_MAX];
    int n = stream->record_field_count;
    for (int i = 0; i < n; i++) {
        int k = (int)below((uint32_t)i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    name_count = 0;
    buf_puts(out, "{\"type\":\"record\",\"name\":\"Writer\",\"fields\":[");
    for (int i = 0; i < n; i++) {
        const struct stream_field *field = &stream->fields[order[i]];
        while (below(4) == 0) {
            buf_printf(out, "{\"name\":\"extra%d\",\"type\":", name_count++);
            put_type(out, 0);
            buf_puts(out, "},");
        }
        if ((!field->nullable && !field->has_default) || below(4) != 0)
            put_field(out, field);
    }
    buf_puts(out, "{\"name\":\"extra_last\",\"type\":\"null\"}]}");
}

static int64_t random_long(void)
{
    int64_t ms = INT64_C(1714979289000) + (int64_t)below(1000000) - 500000;
    switch (below(6)) {
    case 0:
        return -(int64_t)below(100000);
    case 1:
        return below(100);
    case 2:
        return ((int64_t)below(UINT32_MAX) << 32 | below(UINT32_MAX)) >> (below(100) == 0 ? 0 : 18 + below(40));
    case 3:
        return ms * 1000 + below(1000);
    default:
        return ms;
    }
}

static void check(int status)
{
    if (status != 0) {
        (void)fprintf(stderr, "Avro-C: %s\n", avro_strerror());
        exit(1);
    }
}

static size_t random_text(char *text)
{
    static const char *const pieces[] = {"a", "service",   "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                         " ", "0123456789"};
    size_t n = 0;
    for (uint32_t i = below(6); i > 0; i--) {
        const char *piece = pieces[below(7)];
        memcpy(text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    text[n] = '\0';
    return n;
}

static void fill(avro_value_t *value, int depth);

static void fill_many(avro_value_t *value, int depth)
{
    size_t n = 0;
    avro_value_t child;
    char key[128];
    switch (avro_value_get_type(value)) {
    case AVRO_RECORD:
        check(avro_value_get_size(value, &n));
        for (size_t i = 0; i < n; i++) {
            check(avro_value_get_by_index(value, i, &child, NULL));
            fill(&child, depth + 1);
        }
        break;
    case AVRO_ARRAY:
        for (uint32_t i = depth > 6 ? 0 : below(4); i > 0; i--) {
            check(avro_value_append(value, &child, NULL));
            fill(&child, depth + 1);
        }
        break;
    case AVRO_MAP:
        for (uint32_t i = depth > 6 ? 0 : below(4); i > 0; i--) {
            (void)snprintf(key, sizeof key, "k%u", i);
            check(avro_value_add(value, key, &child, NULL, NULL));
            fill(&child, depth + 1);
        }
        break;
    default: {
        avro_schema_t schema = avro_value_get_schema(value);
        check(
            avro_value_set_branch(value, depth > 6 ? 0 : (int)below((uint32_t)avro_schema_union_size(schema)), &child));
        fill(&child, depth + 1);
    }
    }
}

static void fill(avro_value_t *value, int depth)
{
    char text[128] = "";
    size_t n;
    switch (avro_value_get_type(value)) {
    case AVRO_NULL:
        check(avro_value_set_null(value));
        break;
    case AVRO_BOOLEAN:
        check(avro_value_set_boolean(value, (int)below(2)));
        break;
    case AVRO_INT32:
        check(avro_value_set_int(value, (int32_t)random_long()));
        break;
    case AVRO_INT64:
        check(avro_value_set_long(value, random_long()));
        break;
    case AVRO_FLOAT:
        check(avro_value_set_float(value, (float)below(100000) / 7));
        break;
    case AVRO_DOUBLE:
        check(avro_value_set_double(value, (double)below(100000) / 7));
        break;
    case AVRO_STRING:
        n = random_text(text);
        check(avro_value_set_string_len(value, text, n + 1));
        break;
    case AVRO_BYTES:
        n = random_text(text);
        check(avro_value_set_bytes(value, text, n));
        break;
    case AVRO_FIXED:
        check(avro_value_set_fixed(value, text, (size_t)avro_schema_fixed_size(avro_value_get_schema(value))));
        break;
    case AVRO_ENUM:
        check(avro_value_set_enum(
            value, (int)below((uint32_t)avro_schema_enum_number_of_symbols(avro_value_get_schema(value)))));
        break;
    default:
        fill_many(value, depth);
    }
}

/* The text of a string or bytes; false where it is something else. */
static bool text_of(avro_value_t value, struct str *text)
{
    const char *p = NULL;
    const void *bytes = NULL;
    size_t n = 0;
    if (avro_value_get_type(&value) == AVRO_UNION)
        check(avro_value_get_current_branch(&value, &value));
    if (avro_value_get_type(&value) == AVRO_STRING) {
        check(avro_value_get_string(&value, &p, &n));
        *text = (struct str){p, n - 1};
        return true;
    }
    if (avro_value_get_type(&value) != AVRO_BYTES)
        return false;
    check(avro_value_get_bytes(&value, &bytes, &n));
    *text = (struct str){bytes, n};
    return true;
}

static struct value expect_items(avro_value_t value, enum field_kind kind, struct arena *arena, bool *refuse)
{
    size_t n = 0;
    check(avro_value_get_size(&value, &n));
    size_t per = kind == FIELD_LABELS ? 2 : 1;
    struct value *items = arena_alloc(arena, n * per * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        avro_value_t child;
        const char *key = NULL;
        struct str text = {"", 0};
        check(avro_value_get_by_index(&value, i, &child, &key));
        if (!text_of(child, &text))
            *refuse = true;
        if (kind == FIELD_LABELS)
            items[2 * i] = value_text(key);
        items[per * i + per - 1] = value_str(text);
    }
    return kind == FIELD_LABELS ? value_map(items, n) : value_list(items, n);
}

static struct value expect_number(avro_value_t value, enum field_kind kind, bool *refuse)
{
    int64_t whole = 0;
    int32_t small = 0;
    double real = 0;
    float narrow = 0;
    switch (avro_value_get_type(&value)) {
    case AVRO_INT32:
        check(avro_value_get_int(&value, &small));
        whole = small;
        break;
    case AVRO_INT64:
        check(avro_value_get_long(&value, &whole));
        break;
    case AVRO_FLOAT:
        check(avro_value_get_float(&value, &narrow));
        return value_double((double)narrow);
    case AVRO_DOUBLE:
        check(avro_value_get_double(&value, &real));
        return value_double(real);
    default:
        *refuse = true;
    }
    return kind == FIELD_DOUBLE ? value_double((double)whole) : value_int(whole);
}

/* What the plan must make of Avro-C's value of a field. `micros`: the schema says timestamp-micros there. */
static struct value expect_value(avro_value_t value, const struct stream_field *field, bool micros, struct arena *arena,
                                 bool *refuse)
{
    struct str text = {"", 0};
    if (avro_value_get_type(&value) == AVRO_UNION)
        check(avro_value_get_current_branch(&value, &value));
    avro_type_t type = avro_value_get_type(&value);
    if (type == AVRO_NULL) {
        *refuse |= !field->nullable;
        return value_null();
    }
    if (type == AVRO_BOOLEAN) {
        *refuse = true;
        return value_null();
    }
    switch (field->kind) {
    case FIELD_ENUM: {
        int index = 0;
        check(avro_value_get_enum(&value, &index));
        const char *symbol = stream_symbol(field, str_of(avro_schema_enum_get(avro_value_get_schema(&value), index)));
        *refuse |= symbol == NULL;
        return symbol != NULL ? value_text(symbol) : value_null();
    }
    case FIELD_TIME: {
        int64_t n = expect_number(value, FIELD_INT, refuse).i;
        int64_t ms = micros ? (n - (n < 0 ? 999 : 0)) / 1000 : n;
        *refuse |= !field_time_fits(ms);
        return value_time_ms(ms);
    }
    case FIELD_INT:
    case FIELD_DOUBLE:
        return expect_number(value, field->kind, refuse);
    case FIELD_STRINGS:
    case FIELD_LABELS:
        return expect_items(value, field->kind, arena, refuse);
    default:
        *refuse |= !text_of(value, &text);
        return value_str(text);
    }
}

static struct value expect_default(const struct stream_field *field)
{
    if (!field->has_default)
        return value_null();
    if (field->kind == FIELD_ENUM)
        return value_text(field->fallback);
    return field->kind == FIELD_STRINGS ? value_list(NULL, 0) : value_map(NULL, 0);
}

/* Whether the schema's text gives the field microseconds. */
static bool is_micros(const char *schema, const char *name)
{
    char start[64];
    (void)snprintf(start, sizeof start, "{\"name\":\"%s\",", name);
    const char *field = strstr(schema, start);
    const char *end = field != NULL ? strstr(field + 1, "{\"name\"") : NULL;
    const char *micros = field != NULL ? strstr(field, "timestamp-micros") : NULL;
    return micros != NULL && (end == NULL || micros < end);
}

struct trial {
    const struct stream *stream;
    struct buf schema;
    field_mask wanted;
    struct decoder *decoder;
    struct arena arena;
};

static void fail_trial(const struct trial *trial, const char *why)
{
    (void)fprintf(stderr, "%s\nschema: %s\n", why, trial->schema.p);
    exit(1);
}

static void compare(struct trial *trial, avro_value_t *read, const struct buf *bytes)
{
    struct error err = {0};
    struct event event;
    struct value expected[STREAM_FIELDS_MAX];
    bool refuse = false;
    for (int i = 0; i < trial->stream->record_field_count; i++) {
        const struct stream_field *field = &trial->stream->fields[i];
        avro_value_t value;
        expected[i] = expect_default(field);
        if (avro_value_get_by_name(read, field->name, &value, NULL) == 0)
            expected[i] = expect_value(value, field, is_micros(trial->schema.p, field->name), &trial->arena, &refuse);
    }
    int result = decoder_decode(trial->decoder, bytes->p, bytes->len, &trial->arena, &event, &err);
    if ((result != 0) != refuse)
        fail_trial(trial, refuse ? "accepted what should be refused" : err.message);
    if (refuse) {
        refused++;
        return;
    }
    accepted++;
    if (event.time_ms != value_ms(expected[trial->stream->time_field]))
        fail_trial(trial, "the event's time differs");
    for (int i = 0; i < trial->stream->record_field_count; i++) {
        struct value want = (trial->wanted & FIELD_BIT(i)) != 0 ? expected[i] : value_null();
        if (want.type != event.values[i].type || value_order(want, event.values[i]) != 0)
            fail_trial(trial, trial->stream->fields[i].name);
    }
}

static void run_records(struct trial *trial)
{
    avro_schema_t schema;
    avro_value_t written;
    avro_value_t read;
    static char bytes[1 << 20];
    check(avro_schema_from_json_length(trial->schema.p, trial->schema.len - 1, &schema));
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    check(avro_generic_value_new(iface, &written));
    check(avro_generic_value_new(iface, &read));
    for (int i = 0; i < RECORDS; i++) {
        check(avro_value_reset(&written));
        fill(&written, 0);
        avro_writer_t writer = avro_writer_memory(bytes, sizeof bytes);
        check(avro_value_write(writer, &written));
        struct buf record = {0};
        buf_put(&record, bytes, (size_t)avro_writer_tell(writer));
        avro_writer_free(writer);
        avro_reader_t reader = avro_reader_memory(record.p, (int64_t)record.len);
        check(avro_value_reset(&read));
        check(avro_value_read(reader, &read));
        avro_reader_free(reader);
        compare(trial, &read, &record);
        buf_fini(&record);
    }
    avro_value_decref(&written);
    avro_value_decref(&read);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
}

static void run_trial(void)
{
    struct error err = {0};
    struct trial trial = {.stream = stream_get(below(STREAM_FEEDBACK + 1))};
    trial.wanted = below(2) != 0 ? ~(field_mask)0 : below(1 << 20);
    put_schema(&trial.schema, trial.stream);
    buf_byte(&trial.schema, 0);
    struct decoder_options options = {.stream = trial.stream,
                                      .format = FORMAT_AVRO,
                                      .wanted = trial.wanted,
                                      .schema = {trial.schema.p, trial.schema.len - 1}};
    if (decoder_new(&trial.decoder, &options, &err) != 0)
        fail_trial(&trial, err.message);
    run_records(&trial);
    decoder_free(trial.decoder);
    arena_fini(&trial.arena);
    buf_fini(&trial.schema);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    int schemas = argc > 2 ? (int)strtol(argv[2], NULL, 10) : SCHEMAS;
    (void)printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    for (int i = 0; i < schemas; i++) {
        random_state = seed + (uint64_t)i * 1000003;
        run_trial();
    }
    (void)printf("%d schemas, %" PRIu64 " records agreed on, %" PRIu64 " refused by both\n", schemas, accepted,
                 refused);
    return accepted > refused ? 0 : 1;
}
