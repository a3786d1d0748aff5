/* Writes telemetry for the benches: each of so many groups in turn, so that how often each occurs is known.
 *
 *     load_bench BOOTSTRAP TOPIC PARTITIONS GROUPS EVENTS RATE START_MS [paced]
 *
 * Event i is of group i * stride mod GROUPS, where the stride scatters them; a group is a service and one of eight
 * names. Its value is i mod 1000, so sums are exact; its time START_MS + i * 1000 / RATE. `paced`: in real time, its
 * time is the clock's, START_MS is left out, and each PROBE_EVERY-th event is of a service `probe-N` of its own.
 * Records are keyed by service, and of partition service mod PARTITIONS. About 100 bytes each, in bare Avro. Prints one
 * line: events, bytes, seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"
#include "io/kafka_writer.h"

enum { NAMES = 8, VALUES = 1000, PROBE_EVERY = 5000, SLICE_US = 1000, RECORD_MEMBERS = 8, LABELS = 2 };

struct load {
    int64_t partitions;
    int64_t groups;
    int64_t events;
    int64_t rate;
    int64_t start_ms;
    bool paced;
    int64_t stride;
    int64_t group; /* of the next event */
    struct avro_encoder *encoder;
    struct kafka_writer *writer;
    struct buf bytes;
    uint64_t written;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "load_bench: %s: %s\n", what, why);
    exit(1);
}

static int64_t number(const char *text)
{
    char *end;
    int64_t n = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 0)
        die(text, "not a number");
    return n;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Near the golden ratio, and without a divisor in common, so that it comes by every group. */
static int64_t stride_of(int64_t groups)
{
    int64_t stride = (int64_t)((double)groups * 0.6180339887) + 1;
    while (common_divisor(stride, groups) != 1)
        stride++;
    return stride;
}

static void encode(struct load *load, const char *service, const char *name, double value, int64_t time_ms)
{
    static const struct value zone[] = {{.type = VALUE_STRING, .n = 4, .s = "zone"},
                                        {.type = VALUE_STRING, .n = 5, .s = "eu-1a"}};
    struct value labels[2 * LABELS] = {value_text("pod"), value_text(service), zone[0], zone[1]};
    const struct value members[2 * RECORD_MEMBERS] = {
        value_text("kind"),        value_text("metric"),     value_text("service"), value_text(service),
        value_text("environment"), value_text("production"), value_text("name"),    value_text(name),
        value_text("value"),       value_double(value),      value_text("unit"),    value_text("ms"),
        value_text("occurred_at"), value_time_ms(time_ms),   value_text("labels"),  value_map(labels, LABELS),
    };
    struct error err = {0};
    buf_reset(&load->bytes);
    if (avro_encode(load->encoder, value_map(members, RECORD_MEMBERS), &load->bytes, &err) != 0)
        die("encode", err.message);
}

static void send_event(struct load *load, int64_t i)
{
    static const char *const names[NAMES] = {
        "request_latency_ms",       "cpu_usage",          "memory_usage", "error_rate",
        "http_requests_per_second", "connections_active", "disk_usage",   "redis_connection_errors"};
    int64_t group = load->group;
    load->group = (group + load->stride) % load->groups;
    bool probe = load->paced && i % PROBE_EVERY == 0;
    char service[32];
    (void)snprintf(service, sizeof service, probe ? "probe-%lld" : "service-%07lld",
                   (long long)(probe ? i / PROBE_EVERY : group / NAMES));
    int64_t time_ms = load->paced ? clock_wall_ms() : load->start_ms + (int64_t)((double)i * 1000 / (double)load->rate);
    encode(load, service, probe ? "probe" : names[group % NAMES], (double)(i % VALUES), time_ms);
    const struct kafka_writer_record record = {.partition = (int32_t)(group / NAMES % load->partitions),
                                               .key = str_of(service),
                                               .value = buf_str(&load->bytes)};
    struct error err = {0};
    if (kafka_writer_send(load->writer, &record, &err) != 0)
        die("send", err.message);
    load->written += load->bytes.len;
}

static void write_all(struct load *load)
{
    const struct timespec slice = {0, SLICE_US * 1000L};
    int64_t from_us = clock_mono_us();
    for (int64_t i = 0; i < load->events; i++) {
        while (load->paced && (double)i > (double)(clock_mono_us() - from_us) / 1e6 * (double)load->rate)
            (void)nanosleep(&slice, NULL);
        send_event(load, i);
    }
}

int main(int argc, char **argv)
{
    if (argc < 8)
        die("usage", "load_bench BOOTSTRAP TOPIC PARTITIONS GROUPS EVENTS RATE START_MS [paced]");
    struct load load = {.partitions = number(argv[3]),
                        .groups = number(argv[4]),
                        .events = number(argv[5]),
                        .rate = number(argv[6]),
                        .start_ms = number(argv[7]),
                        .paced = argc > 8};
    if (load.partitions < 1 || load.groups < 1 || load.rate < 1)
        die("usage", "PARTITIONS, GROUPS and RATE are at least 1");
    load.stride = stride_of(load.groups);
    struct error err = {0};
    const struct str_pair properties[] = {{STR_LIT("bootstrap.servers"), str_of(argv[1])},
                                          {STR_LIT("linger.ms"), STR_LIT("5")}};
    const char *topic = argv[2];
    const struct kafka_writer_options options = {properties, sizeof properties / sizeof *properties, &topic, 1};
    if (avro_encoder_new(&load.encoder, str_of(schema_embedded_find("telemetry")), &err) != 0 ||
        kafka_writer_open(&load.writer, &options, &err) != 0)
        die("start", err.message);
    int64_t from_us = clock_mono_us();
    write_all(&load);
    if (kafka_writer_flush(load.writer, &err) != 0)
        die("flush", err.message);
    (void)printf("%lld %llu %.3f\n", (long long)load.events, (unsigned long long)load.written,
                 (double)(clock_mono_us() - from_us) / 1e6);
    kafka_writer_close(load.writer);
    avro_encoder_free(load.encoder);
    buf_fini(&load.bytes);
    return 0;
}
