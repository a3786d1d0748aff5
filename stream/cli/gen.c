/* `forestall gen`: a seeded history as lines of JSON, or into a topic. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/history.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "codec/avro_write.h"
#include "codec/schemas_embedded.h"
#include "io/kafka_writer.h"

static const char usage[] =
    "usage: forestall gen [--scenario online-boutique|telemetry] [--seed N] [options]\n"
    "\n"
    "Writes a made-up history: the same seed and options give the same events. As a file it is one JSON event a line "
    "with\n"
    "its `stream`, as `forestall replay --file` reads them; a topic takes one stream.\n"
    "\n"
    "  --scenario NAME      online-boutique (default): a shop of ten services with its incidents, deployments and "
    "metrics;\n"
    "                       telemetry: metrics of many services at a steady rate\n"
    "  --seed N             (default: 1)\n"
    "  --end TIME           when it ends: ISO 8601, or a span back from now such as 0s (default: "
    "2026-01-31T00:00:00Z)\n"
    "  --days N             of online-boutique: how long it is (default: 30); from 90 on people act on "
    "recommendations\n"
    "  --events N           of telemetry: how many (default: 100000)\n"
    "  --services N         of telemetry: of so many services (default: 10)\n"
    "  --rate N             of telemetry: so many a second of event time (default: 1000)\n"
    "  --stream NAME        only incident, deployment, telemetry or feedback\n"
    "  -o, --out FILE       where the lines go; - is standard output (default)\n"
    "  -t, --topic NAME     into this topic instead, keyed by service; needs --stream (or --scenario telemetry)\n"
    "  --format FORMAT      in a topic: json (default), or avro: bare, by schemas/STREAM.avsc\n"
    "  --bootstrap LIST     Kafka's host:port[,…]\n"
    "  -c, --config FILE    Kafka's properties from a configuration's `kafka:` instead\n";

struct gen {
    /* As written. */
    const char *scenario, *seed, *end, *days, *events, *services, *rate, *stream, *out, *topic, *format, *bootstrap,
        *config;
    /* As understood. */
    struct history_options history;
    enum stream_id only; /* STREAM_COUNT: all */
    bool avro;
    /* At work. */
    FILE *file;
    struct kafka_writer *writer;
    struct avro_encoder *encoder;
    struct buf scratch;
    struct progress progress;
    bool tell;
    uint64_t made;
    uint64_t written;
};

static bool number(const char *text, const char *name, uint64_t least, uint64_t most, uint64_t *n)
{
    char *end = NULL;
    errno = 0;
    *n = text[0] == '-' ? 0 : strtoull(text, &end, 10);
    if (end != NULL && end != text && *end == '\0' && errno == 0 && *n >= least && *n <= most)
        return true;
    (void)fprintf(stderr, "error: --%s takes a number from %llu to %llu, not '%s'\n", name, (unsigned long long)least,
                  (unsigned long long)most, text);
    return false;
}

static bool wrong(const char *what)
{
    (void)fprintf(stderr, "error: %s\n", what);
    return false;
}

static bool numbers_read(struct gen *gen)
{
    uint64_t days, services, rate;
    if (!number(gen->seed, "seed", 0, UINT64_MAX, &gen->history.seed) || !number(gen->days, "days", 1, 3650, &days) ||
        !number(gen->events, "events", 1, UINT64_C(1000000000000), &gen->history.events) ||
        !number(gen->services, "services", 1, 1000000, &services) || !number(gen->rate, "rate", 1, 1000000000, &rate))
        return false;
    gen->history.days = (int)days;
    gen->history.services = (int)services;
    gen->history.rate = (double)rate;
    return options_time(gen->end, clock_wall_ms(), &gen->history.end_ms) ||
           wrong("--end takes a time such as 2026-01-31T00:00:00Z, or a span back from now such as 0s");
}

static bool options_read(struct gen *gen)
{
    if (!numbers_read(gen))
        return false;
    if (strcmp(gen->scenario, "telemetry") == 0)
        gen->history.scenario = HISTORY_TELEMETRY;
    else if (strcmp(gen->scenario, "online-boutique") != 0)
        return wrong("--scenario is online-boutique or telemetry");
    gen->only = gen->history.scenario == HISTORY_TELEMETRY ? STREAM_TELEMETRY : STREAM_COUNT;
    if (gen->stream != NULL) {
        const struct stream *stream = stream_find(str_of(gen->stream));
        if (stream == NULL || (stream->id != STREAM_INCIDENT && stream->id != STREAM_DEPLOYMENT &&
                               stream->id != STREAM_TELEMETRY && stream->id != STREAM_FEEDBACK))
            return wrong("--stream is incident, deployment, telemetry or feedback");
        gen->only = stream->id;
    }
    gen->avro = strcmp(gen->format, "avro") == 0;
    if (!gen->avro && strcmp(gen->format, "json") != 0)
        return wrong("--format is json or avro");
    if (gen->topic == NULL && (gen->avro || gen->bootstrap != NULL || gen->config != NULL))
        return wrong("--format avro, --bootstrap and --config go with --topic");
    if (gen->topic != NULL && gen->only == STREAM_COUNT)
        return wrong("a topic takes one stream: name it by --stream");
    if (gen->topic != NULL && (gen->bootstrap == NULL) == (gen->config == NULL))
        return wrong("--topic needs either --bootstrap or --config");
    return true;
}

static int open_writer(struct gen *gen, const struct str_pair *properties, size_t count, struct error *err)
{
    const struct kafka_writer_options options = {properties, count, &gen->topic, 1};
    if (gen->avro)
        TRY(avro_encoder_new(&gen->encoder, str_of(schema_embedded_find(stream_get(gen->only)->name)), err));
    return kafka_writer_open(&gen->writer, &options, err);
}

static int open_out(struct gen *gen, struct error *err)
{
    if (gen->topic != NULL && gen->config != NULL) {
        struct loaded loaded;
        if (!load(&loaded, gen->config, CONFIG_NEED_KAFKA))
            return error_set(err, ERROR_FATAL, "the configuration is not right");
        int result = open_writer(gen, loaded.config->kafka, loaded.config->kafka_count, err);
        loaded_free(&loaded);
        return result;
    }
    if (gen->topic != NULL) {
        const struct str_pair property = {STR_LIT("bootstrap.servers"), str_of(gen->bootstrap)};
        return open_writer(gen, &property, 1, err);
    }
    gen->file = strcmp(gen->out, "-") == 0 ? stdout : fopen(gen->out, "w");
    return gen->file != NULL ? 0 : error_set(err, ERROR_FATAL, "%s cannot be written: %s", gen->out, strerror(errno));
}

static int write_line(struct gen *gen, const struct history_event *event, struct error *err)
{
    struct buf *line = &gen->scratch;
    history_line(line, event);
    if (fwrite(line->p, 1, line->len, gen->file) != line->len)
        return error_set(err, ERROR_FATAL, "%s cannot be written: %s", gen->out, strerror(errno));
    return 0;
}

static int write_event(struct gen *gen, const struct history_event *event, struct error *err)
{
    buf_reset(&gen->scratch);
    if (gen->writer == NULL)
        return write_line(gen, event, err);
    if (gen->encoder != NULL)
        TRY(avro_encode(gen->encoder, event->record, &gen->scratch, err));
    else
        value_json(&gen->scratch, event->record);
    const struct kafka_writer_record record = {
        .partition = RD_KAFKA_PARTITION_UA, .key = event->key, .value = buf_str(&gen->scratch)};
    return kafka_writer_send(gen->writer, &record, err);
}

static int write_all(struct gen *gen, struct error *err)
{
    struct history *history = history_new(&gen->history);
    struct history_event event;
    int result = 0;
    progress_start(&gen->progress, "writing");
    while (result == 0 && history_next(history, &event)) {
        gen->made++;
        if (gen->only != STREAM_COUNT && event.stream != gen->only)
            continue;
        result = write_event(gen, &event, err);
        gen->written += result == 0;
        if (gen->tell && gen->made % 4096 == 0)
            progress_show(&gen->progress, (int64_t)gen->made, (int64_t)history_count(history), gen->written);
    }
    history_free(history);
    if (result == 0 && gen->writer != NULL)
        result = kafka_writer_flush(gen->writer, err);
    (void)progress_end(&gen->progress);
    return result;
}

static int close_out(struct gen *gen, struct error *err)
{
    kafka_writer_close(gen->writer);
    avro_encoder_free(gen->encoder);
    buf_fini(&gen->scratch);
    if (gen->file == NULL)
        return 0;
    bool good = (gen->file == stdout ? fflush(gen->file) : fclose(gen->file)) == 0;
    return good ? 0 : error_set(err, ERROR_FATAL, "%s cannot be written: %s", gen->out, strerror(errno));
}

int cli_gen(int argc, char **argv)
{
    struct gen gen = {.scenario = "online-boutique",
                      .seed = "1",
                      .end = "2026-01-31T00:00:00Z",
                      .days = "30",
                      .events = "100000",
                      .services = "10",
                      .rate = "1000",
                      .out = "-",
                      .format = "json"};
    const struct cli_option options[] = {
        {.name = "scenario", .value = &gen.scenario},
        {.name = "seed", .value = &gen.seed},
        {.name = "end", .value = &gen.end},
        {.name = "days", .value = &gen.days},
        {.name = "events", .value = &gen.events},
        {.name = "services", .value = &gen.services},
        {.name = "rate", .value = &gen.rate},
        {.name = "stream", .value = &gen.stream},
        {.name = "out", .short_name = 'o', .value = &gen.out},
        {.name = "topic", .short_name = 't', .value = &gen.topic},
        {.name = "format", .value = &gen.format},
        {.name = "bootstrap", .value = &gen.bootstrap},
        {.name = "config", .short_name = 'c', .value = &gen.config},
        {0},
    };
    struct cli_arguments arguments = {0};
    struct error err = {0};
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    if (!options_read(&gen))
        return 2;
    log_setup(LOG_WARN, LOG_LOGFMT);
    gen.tell = isatty(STDERR_FILENO) == 1 && (gen.topic != NULL || strcmp(gen.out, "-") != 0);
    int result = open_out(&gen, &err);
    if (result == 0)
        result = write_all(&gen, &err);
    struct error late = {0};
    if (close_out(&gen, &late) != 0 && result == 0) {
        err = late;
        result = -1;
    }
    if (result != 0)
        (void)fprintf(stderr, "error: %s\n", err.message);
    return result == 0 ? 0 : 1;
}
