/* `forestall explain`: how a rule was understood, or (explain_why.c) why a recommendation was made. */
#include "cli/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/diagnostics.h"
#include "cli/options.h"
#include "cli/table.h"
#include "rule/check.h"

extern char **environ;

static const char usage[] =
    "usage: forestall explain RULE [-c FILE | PATH...] [--output text|json]\n"
    "       forestall explain RECOMMENDATION_ID [--file F] [-c FILE] [--output text|json]\n"
    "\n"
    "Tells how a rule was understood: its inputs and how events find it, its windows and when "
    "they are evaluated, what\n"
    "'when' means in words, what it recommends, what it keeps, and the way of its events from "
    "topic to topic. Rules come\n"
    "from a configuration, else from files and folders. The default is ./forestall.yaml, or "
    "./rules where there is none.\n"
    "\n"
    "Of a recommendation (an id with its colon, or --file) it tells why it was made: the rule's "
    "condition and the\n"
    "values that it had, the events, why it has its priority and its status, and whether it "
    "helped.\n"
    "Exit status: 0 good, 1 no such rule or errors, 2 wrong usage.\n"
    "\n"
    "  -c, --config FILE    the configuration, whose rules, topics and limits are taken\n"
    "  --file F             the recommendation is among what `forestall replay` wrote there; "
    "needs no Kafka\n"
    "  --output FORMAT      text (default) or json\n";

enum { NAMES_LISTED_MAX = 30 };

struct request {
    const char *config_path; /* NULL: `paths` */
    const char *const *paths;
    size_t path_count;
    bool json;
};

void explain_add(struct explanation *e, const char *section, const char *key, struct value value, const char *text)
{
    e->facts = mem_grow(e->facts, e->count, &e->cap, sizeof *e->facts);
    e->facts[e->count++] = (struct fact){.section = section, .key = key, .value = value, .text = text};
}

void explain_labelled(struct explanation *e, const char *section, const char *key, struct value value, const char *text)
{
    explain_add(e, section, key, value, text);
    e->facts[e->count - 1].label = key;
}

static void print_title(const char *section)
{
    table_colour(stdout, TABLE_BOLD);
    (void)printf("\n%c%s", section[0] - 'a' + 'A', section + 1);
    table_colour(stdout, TABLE_PLAIN);
    (void)printf("\n");
}

/* Labels of one section are set as wide as its widest. */
static int label_width(const struct explanation *e, const char *section)
{
    int width = 0;
    for (size_t i = 0; i < e->count; i++)
        if (e->facts[i].label != NULL && strcmp(e->facts[i].section, section) == 0 &&
            (int)strlen(e->facts[i].label) > width)
            width = (int)strlen(e->facts[i].label);
    return width;
}

static void print_text(const struct explanation *e)
{
    const char *section = NULL;
    int width = 0;
    int columns = table_width(stdout);
    columns = columns > 120 ? 120 : columns;
    table_colour(stdout, TABLE_BOLD);
    (void)printf("%.*s", STR_ARG(e->rule->id));
    table_colour(stdout, TABLE_PLAIN);
    (void)printf("  %s:%d\n", e->rule->file, e->rule->line);
    for (size_t i = 0; i < e->count; i++) {
        const struct fact *fact = &e->facts[i];
        if (fact->text == NULL)
            continue;
        if (section == NULL || strcmp(section, fact->section) != 0) {
            section = fact->section;
            width = label_width(e, section);
            print_title(section);
        }
        const char *first = "  ";
        if (fact->label != NULL)
            first = arena_printf(e->arena, "  %-*s  ", width, fact->label);
        table_paragraph(stdout, first, str_of(fact->text), columns);
    }
}

/* Sections as objects, in their order. */
static void print_json(const struct explanation *e)
{
    struct buf out = {0};
    const char *section = NULL;
    buf_puts(&out, "{\n  \"rule_id\": ");
    value_json_string(&out, e->rule->id);
    buf_puts(&out, ",\n  \"file\": ");
    value_json_string(&out, str_of(e->rule->file));
    buf_printf(&out, ",\n  \"line\": %d", e->rule->line);
    for (size_t i = 0; i < e->count; i++) {
        const struct fact *fact = &e->facts[i];
        if (fact->key == NULL)
            continue;
        if (section == NULL || strcmp(section, fact->section) != 0) {
            buf_printf(&out, "%s,\n  \"%s\": {", section == NULL ? "" : "\n  }", fact->section);
            section = fact->section;
        } else {
            buf_byte(&out, ',');
        }
        buf_puts(&out, "\n    ");
        value_json_string(&out, str_of(fact->key));
        buf_puts(&out, ": ");
        value_json(&out, fact->value);
    }
    buf_puts(&out, section == NULL ? "\n}\n" : "\n  }\n}\n");
    (void)fwrite(out.p, 1, out.len, stdout);
    buf_fini(&out);
}

static int unknown_rule(const struct ruleset *rules, const char *id, struct arena *arena)
{
    const char **names = arena_alloc(arena, (rules->count + 1) * sizeof *names);
    for (size_t i = 0; i < rules->count; i++)
        names[i] = arena_str(arena, rules->rules[i].id).p;
    names[rules->count] = NULL;
    (void)fprintf(stderr, "error: there is no rule '%s'%s\n", id,
                  check_suggest(arena, str_of(id), names, rules->count <= NAMES_LISTED_MAX ? "the rules are " : NULL));
    return 1;
}

static int show(const struct request *request, const char *id, const struct config *config, const struct ruleset *rules)
{
    struct arena arena = {0};
    const struct rule *rule = ruleset_find(rules, str_of(id));
    int status = 0;
    if (rule == NULL) {
        status = unknown_rule(rules, id, &arena);
    } else {
        struct explanation e = {.arena = &arena,
                                .rule = rule,
                                .rules = rules,
                                .config = config,
                                .configured = request->config_path != NULL};
        explain_rule(&e);
        if (request->json)
            print_json(&e);
        else
            print_text(&e);
        free(e.facts);
    }
    arena_fini(&arena);
    return status;
}

static int explain(const struct request *request, const char *id)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = NULL;
    struct config *config = request->config_path != NULL
                                ? config_load(request->config_path, environ, CONFIG_NEED_RULES, &diagnostics)
                                : config_load_text("defaults", STR_LIT("{}"), NULL, 0, &diagnostics);
    if (config != NULL) {
        struct ruleset_options options = {.row_retention_ms = config->row_retention_ms};
        bool own = request->config_path != NULL;
        rules = ruleset_load_with(own ? config->rules : request->paths, own ? config->rule_count : request->path_count,
                                  &options, &diagnostics);
    }
    diagnostics_sort(&diagnostics);
    diagnostics_print(stderr, &diagnostics);
    int status = rules == NULL ? 1 : show(request, id, config, rules);
    ruleset_free(rules);
    config_free(config);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return status;
}

int cli_explain(int argc, char **argv)
{
    static const char *const fallback[] = {"rules"};
    struct request request = {0};
    const char *output = "text";
    const char *file = NULL;
    const struct cli_option options[] = {{.name = "config", .short_name = 'c', .value = &request.config_path},
                                         {.name = "output", .value = &output},
                                         {.name = "file", .value = &file},
                                         {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = (size_t)argc};
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    request.json = strcmp(output, "json") == 0;
    bool known = request.json || strcmp(output, "text") == 0;
    if (!known || arguments.rest_count == 0 || (request.config_path != NULL && arguments.rest_count > 1)) {
        (void)fprintf(stderr, "error: %s\n\n%s",
                      !known                      ? "the output formats are text and json"
                      : arguments.rest_count == 0 ? "which rule or recommendation?"
                                                  : "a configuration names its rules: give either it or paths",
                      usage);
        return 2;
    }
    if (file != NULL || (arguments.rest_count == 1 && strchr(arguments.rest[0], ':') != NULL))
        return explain_why(&(struct why_request){
            .id = arguments.rest[0], .file = file, .config_path = request.config_path, .json = request.json});
    struct stat info;
    if (request.config_path == NULL && arguments.rest_count == 1 && stat("forestall.yaml", &info) == 0)
        request.config_path = "forestall.yaml";
    request.paths = arguments.rest_count > 1 ? (const char *const *)arguments.rest + 1 : fallback;
    request.path_count = arguments.rest_count > 1 ? arguments.rest_count - 1 : 1;
    return explain(&request, arguments.rest[0]);
}
