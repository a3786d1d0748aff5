/* `forestall report`: the weekly review, the roadmap, an issue of a recommendation, and the three proactive questions.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/find.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/report_earlier.h"
#include "cli/report_pages.h"

static const char usage[] =
    "usage: forestall report [--since 7d] [--by service|category] [--roadmap] [--format md|html|json]\n"
    "       forestall report issue ID [--format md|html]\n"
    "       forestall report capacity|deployments|errors [--since T] [--format md|html|json]\n"
    "\n"
    "The weekly review: what is new, what rose, what to do first, and whether what was done helped. `issue` prints "
    "one\n"
    "recommendation as an issue for GitHub; the beginning of its id is enough where it is unique. The others answer "
    "the\n"
    "questions of the weekly capacity review (7d), of deployments (30d) and of errors (14d), from the rules in\n"
    "rules/proactive.\n"
    "\n"
    "  --since T            where the period begins: a span back from now (7d), or ISO 8601\n"
    "  --by WHAT            recommendations by service or category instead of by priority\n"
    "  --roadmap            by the themes of four quarters instead\n"
    "  --format F           md (default), html (one file, with charts), json\n"
    "  -c, --config FILE    the configuration (default: ./forestall.yaml), whose topics are read; of its rules an "
    "issue\n"
    "                       names what will be measured\n"
    "  --file F             the output of `forestall replay` instead; now is its newest event time, and what rose is "
    "told\n"
    "                       from its versions\n"
    "  --scorecards F       what `forestall replay --scorecards` wrote, likewise\n";

enum format { FORMAT_MARKDOWN, FORMAT_HTML, FORMAT_FOR_PROGRAMS };

struct ask {
    const char *config_path, *file, *scorecards, *since, *by, *format_name;
    bool roadmap;
    enum format format;
    enum report_by sorted_by;
    const struct question *question; /* NULL: none of the three */
    const char *issue;               /* the id's beginning; NULL: no issue */
};

static enum cli_parsed refuse(const char *message, const char *argument)
{
    return options_wrong(usage, "%s '%s'", message, argument);
}

/* What the arguments without dashes ask for. */
static enum cli_parsed read_subject(struct ask *ask, const struct cli_arguments *arguments)
{
    if (arguments->rest_count == 0)
        return CLI_GO;
    const char *subject = arguments->rest[0];
    if (strcmp(subject, "issue") == 0) {
        if (arguments->rest_count < 2 || arguments->rest[1][0] == '\0')
            return refuse("the id of a recommendation is missing after", subject);
        ask->issue = arguments->rest[1];
        return ask->format == FORMAT_FOR_PROGRAMS ? refuse("an issue is md or html, not", ask->format_name) : CLI_GO;
    }
    ask->question = question_find(subject);
    if (ask->question == NULL)
        return refuse(
            "the reports are issue, capacity, deployments and errors, or none of them for the weekly review; not",
            subject);
    return arguments->rest_count > 1 ? refuse("unexpected argument", arguments->rest[1]) : CLI_GO;
}

static enum cli_parsed parse(struct ask *ask, int argc, char **argv)
{
    static const char *const formats[] = {"md", "html", "json"};
    const struct cli_option options[] = {{.name = "config", .short_name = 'c', .value = &ask->config_path},
                                         {.name = "file", .value = &ask->file},
                                         {.name = "scorecards", .value = &ask->scorecards},
                                         {.name = "since", .value = &ask->since},
                                         {.name = "by", .value = &ask->by},
                                         {.name = "format", .value = &ask->format_name},
                                         {.name = "roadmap", .flag = &ask->roadmap},
                                         {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = 2};
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed;
    size_t format = 0;
    while (format < sizeof formats / sizeof *formats && strcmp(formats[format], ask->format_name) != 0)
        format++;
    if (format == sizeof formats / sizeof *formats)
        return refuse("--format is md, html or json, not", ask->format_name);
    ask->format = (enum format)format;
    if (ask->by != NULL && strcmp(ask->by, "service") != 0 && strcmp(ask->by, "category") != 0)
        return refuse("--by is service or category, not", ask->by);
    if (ask->by != NULL)
        ask->sorted_by = strcmp(ask->by, "service") == 0 ? REPORT_BY_SERVICE : REPORT_BY_CATEGORY;
    if (arguments.rest_count > 0 && (ask->roadmap || ask->by != NULL))
        return refuse("--roadmap and --by do not go with", arguments.rest[0]);
    if (ask->roadmap && ask->by != NULL)
        return refuse("--roadmap has an order of its own; it does not go with --by", ask->by);
    int64_t ms;
    if (ask->since != NULL && !options_time(ask->since, 0, &ms))
        return refuse("--since takes a time such as 2024-05-06T07:08:09Z or a span such as 7d, not", ask->since);
    return read_subject(ask, &arguments);
}

/* What an id names; NULL: none or several, as was said. */
static const struct report_item *find(const struct report *report, const char *id)
{
    const struct value *record = find_recommendation(report->published, id);
    for (size_t i = 0; record != NULL && i < report->count; i++)
        if (str_eq(published_text(*record, "recommendation_id"),
                   published_text(report->items[i].record, "recommendation_id")))
            return &report->items[i];
    return NULL;
}

static int write_json(struct report *report, const struct ask *ask, struct buf *out)
{
    if (ask->question != NULL)
        report_question_json(report, ask->question, out);
    else if (ask->roadmap)
        report_roadmap_json(report, out);
    else
        report_review_json(report, out);
    return 0;
}

static int write_report(struct report *report, const struct ask *ask, struct buf *out)
{
    struct document document = {0};
    const struct report_item *item = NULL;
    if (ask->issue != NULL && (item = find(report, ask->issue)) == NULL)
        return -1;
    if (ask->format == FORMAT_FOR_PROGRAMS)
        return write_json(report, ask, out);
    if (item != NULL)
        report_issue(report, item, &document);
    else if (ask->question != NULL)
        report_question(report, ask->question, &document);
    else if (ask->roadmap)
        report_roadmap(report, &document);
    else
        report_review(report, &document);
    if (ask->format == FORMAT_HTML)
        document_html(&document, out);
    else
        document_markdown(&document, out);
    document_fini(&document);
    return 0;
}

/* The report over what was read, on standard output. Without a message in `err` what failed was said already. */
static int make(const struct ask *ask, const struct published *published, const struct ruleset *rules,
                struct error *err)
{
    struct report report = {0};
    struct arena arena = {0};
    struct map earlier = {0};
    struct buf out = {0};
    const char *since = ask->since != NULL ? ask->since : ask->question != NULL ? ask->question->since : "7d";
    int64_t since_ms;
    int result = 0;
    if (!options_time(since, published->now_ms, &since_ms) || since_ms > published->now_ms)
        return error_set(err, ERROR_BAD_INPUT, "--since '%s': the period would begin after its end, %s", since,
                         ask->file != NULL ? "the newest event time of the file" : "which is now");
    if (ask->file != NULL)
        result = report_earlier_read(&earlier, &arena, ask->file, since_ms, err);
    if (result == 0) {
        report_init(&report, published, ask->file != NULL ? &earlier : NULL, since_ms);
        report.by = ask->sorted_by;
        report.rules = rules;
        result = write_report(&report, ask, &out);
        if (result == 0 && (fwrite(out.p, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
            result = error_set(err, ERROR_FATAL, "standard output cannot be written");
        report_fini(&report);
    }
    map_fini(&earlier);
    arena_fini(&arena);
    buf_fini(&out);
    return result;
}

int cli_report(int argc, char **argv)
{
    struct ask ask = {.format_name = "md"};
    struct loaded loaded = {0};
    struct published published = {0};
    struct error err = {0};
    enum cli_parsed parsed = parse(&ask, argc, argv);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    const char *path = ask.config_path != NULL ? ask.config_path : "forestall.yaml";
    if ((ask.file == NULL || ask.config_path != NULL) && !load(&loaded, path, ask.file == NULL ? CONFIG_NEED_KAFKA : 0))
        return 1;
    load_if_right(&loaded, path);
    const struct published_options options = {.config = loaded.config, .file = ask.file, .scorecards = ask.scorecards};
    int result = published_read(&published, &options, &err);
    if (result == 0) {
        result = make(&ask, &published, loaded.rules, &err);
        published_fini(&published);
    }
    loaded_free(&loaded);
    if (result != 0 && err.message[0] != '\0')
        (void)fprintf(stderr, "error: %s\n", err.message);
    return result == 0 ? 0 : 1;
}
