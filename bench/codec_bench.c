/* Nanoseconds an event: our decode plan, Avro-C's generic reader and the JSON reader on the same telemetry events.
 *
 * The events are made from a seed (argv[1], by default 1); each run goes over all of them several times. Prints a line
 * a reader, between tabs: name, unit, note, and the runs' values with spaces between. A first reader is what the others
 * are compared with.
 */
#include <avro.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/avro_write.h"
#include "codec/decoder.h"
#include "codec/schemas_embedded.h"

enum { EVENTS = 4096, RUNS = 9, ROUNDS = 50, ROUNDS_SLOW = 5 };

struct input {
    struct buf bytes;
    size_t starts[EVENTS + 1];
};

static struct input avro_input;
static struct input json_input;
static uint64_t seed = 1;

static uint32_t next_random(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "codec_bench: %s: %s\n", what, why);
    exit(1);
}

/* About 100 bytes in Avro: kind, service, environment, name, value, unit, time and two labels. */
static struct value make_event(struct arena *arena)
{
    static const char *const services[] = {"frontend", "cartservice", "checkoutservice", "currencyservice"};
    static const char *const names[] = {"cpu_usage", "request_latency_ms", "error_rate", "connections_active"};
    struct value *labels = arena_alloc(arena, 4 * sizeof *labels);
    labels[0] = value_text("pod");
    labels[1] = value_text(arena_printf(arena, "pod-%08x", next_random()));
    labels[2] = value_text("zone");
    labels[3] = value_text("eu-1a");
    const struct value members[] = {
        value_text("kind"),        value_text("metric"),
        value_text("service"),     value_text(services[next_random() % 4]),
        value_text("environment"), value_text("production"),
        value_text("name"),        value_text(names[next_random() % 4]),
        value_text("value"),       value_double(next_random() / 1000.0),
        value_text("unit"),        value_text("ms"),
        value_text("occurred_at"), value_time_ms(INT64_C(1714979289000) + next_random() % 100000),
        value_text("labels"),      value_map(labels, 2),
    };
    struct value *kept = arena_alloc(arena, sizeof members);
    memcpy(kept, members, sizeof members);
    return value_map(kept, sizeof members / sizeof *members / 2);
}

static void make_input(void)
{
    struct error err = {0};
    struct arena arena = {0};
    struct avro_encoder *encoder;
    if (avro_encoder_new(&encoder, str_of(schema_embedded_find("telemetry")), &err) != 0)
        die("schema", err.message);
    for (int i = 0; i < EVENTS; i++) {
        struct value event = make_event(&arena);
        avro_input.starts[i] = avro_input.bytes.len;
        if (avro_encode(encoder, event, &avro_input.bytes, &err) != 0)
            die("encode", err.message);
        json_input.starts[i] = json_input.bytes.len;
        value_json(&json_input.bytes, event);
    }
    avro_input.starts[EVENTS] = avro_input.bytes.len;
    json_input.starts[EVENTS] = json_input.bytes.len;
    avro_encoder_free(encoder);
    arena_fini(&arena);
}

static void report(const char *what, double bytes, const double *runs)
{
    (void)printf("decode, %s\tns/event\t%.0f bytes\t", what, bytes / EVENTS);
    for (int i = 0; i < RUNS; i++)
        (void)printf("%.4g%c", runs[i], i + 1 < RUNS ? ' ' : '\n');
}

static void run_decoder(const char *what, enum record_format format, field_mask wanted)
{
    struct error err = {0};
    struct arena arena = {0};
    struct decoder *decoder;
    struct event event;
    double runs[RUNS];
    double sum = 0;
    const struct input *input = format == FORMAT_AVRO ? &avro_input : &json_input;
    struct decoder_options options = {.stream = stream_get(STREAM_TELEMETRY),
                                      .format = format,
                                      .wanted = wanted,
                                      .schema = str_of(schema_embedded_find("telemetry"))};
    if (decoder_new(&decoder, &options, &err) != 0)
        die(what, err.message);
    for (int run = 0; run < RUNS; run++) {
        int64_t start = now_ns();
        for (int round = 0; round < ROUNDS; round++) {
            arena_reset(&arena);
            for (int i = 0; i < EVENTS; i++) {
                size_t n = input->starts[i + 1] - input->starts[i];
                if (decoder_decode(decoder, input->bytes.p + input->starts[i], n, &arena, &event, &err) != 0)
                    die(what, err.message);
                sum += event.values[TELEMETRY_VALUE].d;
            }
        }
        runs[run] = (double)(now_ns() - start) / ((double)EVENTS * ROUNDS);
    }
    if (sum == 0)
        die(what, "nothing was decoded");
    decoder_free(decoder);
    arena_fini(&arena);
    report(what, (double)input->bytes.len, runs);
}

static void run_avro_c(void)
{
    avro_schema_t schema;
    avro_value_t value;
    const char *text = schema_embedded_find("telemetry");
    if (avro_schema_from_json_length(text, strlen(text), &schema) != 0)
        die("Avro-C", avro_strerror());
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    (void)avro_generic_value_new(iface, &value);
    avro_reader_t reader = avro_reader_memory(avro_input.bytes.p, (int64_t)avro_input.bytes.len);
    double runs[RUNS];
    for (int run = 0; run < RUNS; run++) {
        int64_t start = now_ns();
        for (int round = 0; round < ROUNDS_SLOW; round++)
            for (int i = 0; i < EVENTS; i++) {
                size_t n = avro_input.starts[i + 1] - avro_input.starts[i];
                avro_reader_memory_set_source(reader, avro_input.bytes.p + avro_input.starts[i], (int64_t)n);
                (void)avro_value_reset(&value);
                if (avro_value_read(reader, &value) != 0)
                    die("Avro-C", avro_strerror());
            }
        runs[run] = (double)(now_ns() - start) / ((double)EVENTS * ROUNDS_SLOW);
    }
    report("Avro-C's generic reader", (double)avro_input.bytes.len, runs);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    make_input();
    field_mask few = FIELD_BIT(TELEMETRY_SERVICE) | FIELD_BIT(TELEMETRY_NAME) | FIELD_BIT(TELEMETRY_VALUE) |
                     FIELD_BIT(TELEMETRY_OCCURRED_AT);
    run_decoder("plan, 4 fields wanted", FORMAT_AVRO, few);
    run_decoder("plan, all fields", FORMAT_AVRO, ~(field_mask)0);
    run_avro_c();
    run_decoder("JSON, 4 fields wanted", FORMAT_JSON, few);
    run_decoder("JSON, all fields", FORMAT_JSON, ~(field_mask)0);
    buf_fini(&avro_input.bytes);
    buf_fini(&json_input.bytes);
    return 0;
}
