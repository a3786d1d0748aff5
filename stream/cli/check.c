/* `forestall check PATH…`: validates rule files, folders of them, and configuration files, and prints all that is
 * wrong. */
#include "cli/diagnostics.h"
#include "cli/options.h"
#include "detect/detector.h"
#include "engine/config.h"
#include "rule/ruleset.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "cli/commands.h"

extern char **environ;

static const char usage[] =
    "usage: forestall check [--strict] [--allow CODE]... [--output text|json|sarif] [PATH...]\n"
    "\n"
    "Validates rule files, folders of rule files and configuration files (with the rules they name), and prints every\n"
    "error with its place, and warnings of what is allowed and most likely not meant. The default is "
    "./forestall.yaml.\n"
    "Exit status: 0 good, 1 errors, 2 wrong usage.\n"
    "\n"
    "  --strict           warnings count as errors\n"
    "  --allow CODE       leave out warnings of this code, repeatable; a warning ends with its code in brackets\n"
    "  --output FORMAT    text (default), json, or sarif for code scanning; the last two on standard output\n";

static const char configuration[] = "forestall.yaml";

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_SARIF };

struct options {
    bool strict;
    enum output output;
    struct cli_list allowed;
};

/* What was looked at, for the last line. */
struct tally {
    size_t rules; /* scorecards aside */
    size_t scorecards;
    size_t rule_files;
    size_t configurations;
};

/* Rules say apiVersion; a file that forgot it is still told apart by kind, or by rules that are written out. A path
 * that cannot be told, since it is no YAML, is taken for rules: the message is the same. An empty file says nothing, so
 * its name does. */
static bool is_configuration(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    struct arena scratch = {0};
    struct diagnostics ignored = {.arena = &scratch};
    const struct yaml_node *root = yaml_load(&scratch, path, &ignored);
    const struct yaml_node *rules = yaml_get(root, "rules");
    bool written_out =
        rules != NULL && rules->kind == YAML_SEQUENCE && rules->count > 0 && rules->items[0]->kind == YAML_MAPPING;
    bool result = root != NULL && root->kind == YAML_MAPPING && yaml_get(root, "apiVersion") == NULL &&
                  yaml_get(root, "kind") == NULL && !written_out;
    if (result && root->count == 0)
        result = strcmp(slash != NULL ? slash + 1 : path, configuration) == 0;
    diagnostics_fini(&ignored);
    arena_fini(&scratch);
    return result;
}

static const struct match_term *term_of(const struct rule_input *input, int field)
{
    for (size_t i = 0; i < input->match_count; i++)
        if (input->match[i].field == field)
            return &input->match[i];
    return NULL;
}

/* Metrics and logs are the flood. Alerts are few, a level such as error takes the few out of the logs, and what is to
 * be missed has a name. */
static bool is_narrow(const struct rule *rule, const struct rule_input *input)
{
    const struct match_term *kind = term_of(input, TELEMETRY_KIND);
    bool alerts = kind != NULL && kind->count == 1 && value_eq(kind->values[0], value_text("alert"));
    return alerts || term_of(input, TELEMETRY_LEVEL) != NULL ||
           (rule->type == DETECTOR_ABSENCE && term_of(input, TELEMETRY_NAME) != NULL);
}

/* Telemetry that no detector folds: each event goes through the exchange by itself. */
static void warn_forwarded(const struct rule *rule, struct diagnostics *diagnostics)
{
    const struct yaml_node *detect = yaml_get(rule->node, "detect");
    const struct yaml_node *window = yaml_get(detect, "window");
    const struct yaml_node *size = yaml_get(window, "size");
    const struct yaml_node *kind = rule->type == DETECTOR_WINDOW ? window : yaml_get(detect, "type");
    for (size_t i = 0; i < rule->input_count; i++) {
        const struct rule_input *input = &rule->inputs[i];
        if (!input->detects || input->stream->id != STREAM_TELEMETRY || is_narrow(rule, input) ||
            detector_folds(rule, input))
            continue;
        if (rule->window.kind == WINDOW_SLIDING && rule->window.size_ms > HOUR_MS)
            diagnostic_at(diagnostics, size, "forwarded",
                          "a sliding window over '%.*s' keeps every event of it for %.*s; write a slide",
                          STR_ARG(input->name), STR_ARG(size->text));
        else if (rule->window.kind == WINDOW_SLIDING)
            diagnostic_at(
                diagnostics, size, "forwarded",
                "a sliding window forwards every event of '%.*s' one by one; with a slide they would be folded first",
                STR_ARG(input->name));
        else
            diagnostic_at(diagnostics, kind, "forwarded",
                          "this forwards every event of '%.*s' one by one, for they cannot be folded; narrow the input "
                          "by its match, or detect in windows and read the detections",
                          STR_ARG(input->name));
        return;
    }
}

static void check_rules(const char *const *paths, size_t count, const struct ruleset_options *options,
                        struct diagnostics *diagnostics, struct tally *tally)
{
    struct ruleset *set = ruleset_load_with(paths, count, options, diagnostics);
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        warn_forwarded(&set->rules[i], diagnostics);
        tally->scorecards += set->rules[i].scorecard != NULL;
        tally->rules += set->rules[i].scorecard == NULL;
    }
    tally->rule_files += set->file_count;
    ruleset_free(set);
}

static void check_configuration(const char *path, struct diagnostics *diagnostics, struct tally *tally)
{
    struct config *config = config_load(path, environ, CONFIG_TRY, diagnostics);
    if (config == NULL)
        return;
    tally->configurations++;
    struct ruleset_options options = {.row_retention_ms = config->row_retention_ms, .warn = true};
    if (config->rule_count > 0)
        check_rules(config->rules, config->rule_count, &options, diagnostics, tally);
    config_free(config);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_tally(const struct diagnostics *diagnostics, const struct tally *tally)
{
    size_t errors = diagnostics_count(diagnostics, false);
    size_t warnings = diagnostics_count(diagnostics, true);
    if (errors > 0) {
        (void)printf("%zu error%s", errors, plural(errors));
    } else {
        if (tally->configurations > 0)
            (void)printf("%zu configuration%s, ", tally->configurations, plural(tally->configurations));
        if (tally->rules > 0 || tally->scorecards == 0)
            (void)printf("%zu rule%s%s", tally->rules, plural(tally->rules), tally->scorecards > 0 ? " and " : "");
        if (tally->scorecards > 0)
            (void)printf("%zu scorecard%s", tally->scorecards, plural(tally->scorecards));
        (void)printf(" in %zu file%s, no errors", tally->rule_files, plural(tally->rule_files));
    }
    if (warnings > 0)
        (void)printf(", %zu warning%s", warnings, plural(warnings));
    (void)printf("\n");
}

static void put_json(struct buf *out, const struct diagnostics *diagnostics, const struct tally *tally)
{
    buf_printf(out,
               "{\n  \"errors\": %zu,\n  \"warnings\": %zu,\n  \"configurations\": %zu,\n  \"rules\": %zu,\n"
               "  \"scorecards\": %zu,\n  \"rule_files\": %zu,\n  \"diagnostics\": ",
               diagnostics_count(diagnostics, false), diagnostics_count(diagnostics, true), tally->configurations,
               tally->rules, tally->scorecards, tally->rule_files);
    diagnostics_json(out, diagnostics, "  ");
    buf_puts(out, "\n}\n");
}

static int finish(const struct options *options, const struct diagnostics *diagnostics, const struct tally *tally)
{
    struct buf out = {0};
    if (options->output == OUTPUT_TEXT) {
        diagnostics_print(stderr, diagnostics);
        print_tally(diagnostics, tally);
    } else if (options->output == OUTPUT_JSON) {
        put_json(&out, diagnostics, tally);
    } else {
        diagnostics_sarif(&out, diagnostics);
    }
    if (out.len > 0)
        (void)fwrite(out.p, 1, out.len, stdout);
    buf_fini(&out);
    return diagnostics->errors > 0 || (options->strict && diagnostics->warnings > 0) ? 1 : 0;
}

static int check(const struct options *options, const char *const *paths, size_t count)
{
    static const struct ruleset_options defaults = {.warn = true};
    struct arena arena = {0};
    struct diagnostics diagnostics = {
        .arena = &arena, .allowed = options->allowed.items, .allowed_count = options->allowed.count};
    struct tally tally = {0};
    const char **rules = mem_alloc((count + 1) * sizeof *rules);
    size_t rule_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_configuration(paths[i]))
            check_configuration(paths[i], &diagnostics, &tally);
        else
            rules[rule_count++] = paths[i];
    }
    if (rule_count > 0)
        check_rules(rules, rule_count, &defaults, &diagnostics, &tally);
    diagnostics_sort(&diagnostics);
    int status = finish(options, &diagnostics, &tally);
    free(rules);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return status;
}

/* False, and said so: there is no such format or code. */
static bool read_words(struct options *options, const char *output)
{
    static const char *const formats[] = {"text", "json", "sarif"};
    int format = 0;
    while (format < 3 && strcmp(formats[format], output) != 0)
        format++;
    if (format == 3) {
        (void)fprintf(stderr, "error: no output format '%s'\n\n%s", output, usage);
        return false;
    }
    options->output = (enum output)format;
    for (size_t i = 0; i < options->allowed.count; i++) {
        const struct rule_warning *known = rule_warnings;
        while (known->code != NULL && strcmp(known->code, options->allowed.items[i]) != 0)
            known++;
        if (known->code != NULL)
            continue;
        (void)fprintf(stderr, "error: no warning has the code '%s'; the codes are", options->allowed.items[i]);
        for (known = rule_warnings; known->code != NULL; known++)
            (void)fprintf(stderr, " %s", known->code);
        (void)fprintf(stderr, "\n");
        return false;
    }
    return true;
}

int cli_check(int argc, char **argv)
{
    static const char *const fallback[] = {configuration};
    struct options options = {.allowed.items = mem_alloc((size_t)argc * sizeof(char *))};
    const char *output = "text";
    const struct cli_option table[] = {{.name = "strict", .flag = &options.strict},
                                       {.name = "allow", .list = &options.allowed},
                                       {.name = "output", .value = &output},
                                       {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = (size_t)argc};
    enum cli_parsed parsed = options_parse(argc, argv, table, usage, &arguments);
    int status = parsed == CLI_HELP ? 0 : 2;
    if (parsed == CLI_GO && read_words(&options, output))
        status = arguments.rest_count > 0 ? check(&options, (const char *const *)arguments.rest, arguments.rest_count)
                                          : check(&options, fallback, 1);
    free(options.allowed.items);
    return status;
}
