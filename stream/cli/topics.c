/* `forestall topics create|list`: the topics with the right settings. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/diagnostics.h"
#include "cli/options.h"
#include "engine/topics.h"
#include "io/kafka.h"
#include "rule/yaml.h"

#include "cli/commands.h"

extern char **environ;

static const char usage[] =
    "usage: forestall topics create|list [-c FILE] [--partitions N] [--output table|json]\n"
    "\n"
    "create makes the topics of a configuration that are missing: sources, outputs and the program's own. It changes "
    "no\n"
    "topic that exists. list shows what is there. Both say which settings are not as they should be, and exit with\n"
    "status 1 where one of them, or a missing topic, would keep `forestall run` from starting.\n"
    "\n"
    "  -c, --config FILE    the configuration (default: ./forestall.yaml)\n"
    "  --partitions N       of source topics that are made (default: 4)\n"
    "  --output FORMAT      table (default) or json\n";

struct options {
    const char *config;
    bool create;
    bool json;
    int partitions;
};

static bool partitions_parse(const char *text, int *partitions)
{
    char *end;
    long n = strtol(text, &end, 10);
    *partitions = (int)n;
    return *text != '\0' && *end == '\0' && n >= 1 && n <= 10000;
}

static enum cli_parsed arguments_read(int argc, char **argv, struct options *options)
{
    const char *partitions = NULL;
    const char *output = "table";
    const struct cli_option table[] = {{.name = "config", .short_name = 'c', .value = &options->config},
                                       {.name = "partitions", .value = &partitions},
                                       {.name = "output", .value = &output},
                                       {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = 1};
    enum cli_parsed parsed = options_parse(argc, argv, table, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed;
    const char *verb = arguments.rest_count > 0 ? arguments.rest[0] : "";
    options->create = strcmp(verb, "create") == 0;
    options->json = strcmp(output, "json") == 0;
    if (!options->create && strcmp(verb, "list") != 0)
        return options_wrong(usage, "say create or list%s%s", *verb != '\0' ? ", not " : "", verb);
    if (partitions != NULL && !partitions_parse(partitions, &options->partitions))
        return options_wrong(usage, "--partitions is a number from 1 to 10000, not '%s'", partitions);
    if (!options->json && strcmp(output, "table") != 0)
        return options_wrong(usage, "--output is table or json, not '%s'", output);
    return CLI_GO;
}

static const char *role_text(enum topic_role role)
{
    static const char *const texts[] = {"source", "output", "changelog", "marks", "exchange"};
    return texts[role];
}

static const char *state_text(const struct topic_status *topic)
{
    if (topic->partitions == 0)
        return "missing";
    if (topic->made)
        return "made";
    return topic->wrong == NULL ? "ok" : "differs";
}

static void table_print(const struct topics_report *report)
{
    int width = 5;
    for (size_t i = 0; i < report->count; i++)
        if ((int)strlen(report->topics[i].name) > width)
            width = (int)strlen(report->topics[i].name);
    printf("%-*s  %-9s  %10s  %-7s  %s\n", width, "TOPIC", "ROLE", "PARTITIONS", "STATE", "DIFFERS");
    for (size_t i = 0; i < report->count; i++) {
        const struct topic_status *topic = &report->topics[i];
        printf("%-*s  %-9s  %10d  %-7s  %s\n", width, topic->name, role_text(topic->role), topic->partitions,
               state_text(topic), topic->wrong != NULL ? topic->wrong : "-");
    }
}

static void json_text(struct buf *out, const char *text)
{
    buf_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_byte(out, '\\');
        if ((unsigned char)*text < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)*text);
        else
            buf_byte(out, (uint8_t)*text);
    }
    buf_byte(out, '"');
}

static void json_print(const struct topics_report *report)
{
    struct buf out = {0};
    for (size_t i = 0; i < report->count; i++) {
        const struct topic_status *topic = &report->topics[i];
        buf_puts(&out, i == 0 ? "[\n  {\"topic\": " : ",\n  {\"topic\": ");
        json_text(&out, topic->name);
        buf_printf(&out,
                   ", \"role\": \"%s\", \"partitions\": %d, \"state\": \"%s\", \"differs\": ", role_text(topic->role),
                   topic->partitions, state_text(topic));
        if (topic->wrong != NULL)
            json_text(&out, topic->wrong);
        else
            buf_puts(&out, "null");
        buf_byte(&out, '}');
    }
    buf_puts(&out, report->count == 0 ? "[]\n" : "\n]\n");
    (void)fwrite(out.p, 1, out.len, stdout);
    buf_fini(&out);
}

/* Whether `run` would start over these topics; it makes its own itself. */
static bool report_good(const struct topics_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct topic_status *topic = &report->topics[i];
        bool needed = topic->role == TOPIC_SOURCE || topic->role == TOPIC_OUTPUT;
        if (topic->refused || (needed && topic->partitions == 0))
            return false;
    }
    return true;
}

static int topics_run(const struct config *config, const struct options *options, struct arena *arena)
{
    struct error err = {0};
    struct topics_report report;
    const struct topics_options wanted = {.make_all = options->create, .source_partitions = options->partitions};
    kafka_wait_briefly();
    if (topics_settle(config, &wanted, arena, &report, &err) != 0) {
        (void)fprintf(stderr, "error: %s\n", err.message);
        return 1;
    }
    if (options->json)
        json_print(&report);
    else
        table_print(&report);
    return report_good(&report) ? 0 : 1;
}

int cli_topics(int argc, char **argv)
{
    struct options options = {.config = "forestall.yaml"};
    enum cli_parsed parsed = arguments_read(argc, argv, &options);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct config *config = config_load(options.config, environ, CONFIG_NEED_KAFKA | CONFIG_NEED_SOURCES, &diagnostics);
    diagnostics_sort(&diagnostics);
    diagnostics_print(stderr, &diagnostics);
    int status = config == NULL ? 1 : topics_run(config, &options, &arena);
    if (config != NULL)
        config_free(config);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return status;
}
