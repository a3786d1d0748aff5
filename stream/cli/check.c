/* `forestall check PATH…`: validates rule files, folders of them, and configuration files, and prints all that is
 * wrong. */
#include "cli/diagnostics.h"
#include "engine/config.h"
#include "rule/ruleset.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "cli/commands.h"

extern char **environ;

static const char usage[] =
    "usage: forestall check [--strict] [PATH...]\n"
    "\n"
    "Validates rule files, folders of rule files and configuration files (with the rules they name), and prints every\n"
    "error with its place. The default is ./forestall.yaml. Exit status: 0 good, 1 errors, 2 wrong usage.\n"
    "\n"
    "  --strict   warnings count as errors\n";

struct options {
    bool strict;
    bool help;
    const char **paths;
    size_t path_count;
};

/* What was looked at, for the last line. */
struct tally {
    size_t rules;
    size_t rule_files;
    size_t configurations;
};

static bool parse_options(int argc, char **argv, struct options *options)
{
    bool only_paths = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_paths && strcmp(arg, "--") == 0)
            only_paths = true;
        else if (!only_paths && strcmp(arg, "--strict") == 0)
            options->strict = true;
        else if (!only_paths && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0))
            options->help = true;
        else if (!only_paths && arg[0] == '-' && arg[1] != '\0')
            return false;
        else
            options->paths[options->path_count++] = arg;
    }
    if (options->path_count == 0)
        options->paths[options->path_count++] = "forestall.yaml";
    return true;
}

/* Rules say apiVersion; a file that forgot it is still told apart by kind, or by rules that are written out. A path
 * that cannot be told, since it is no YAML, is taken for rules: the message is the same. */
static bool is_configuration(const char *path)
{
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
    diagnostics_fini(&ignored);
    arena_fini(&scratch);
    return result;
}

static void check_rules(const char *const *paths, size_t count, const struct ruleset_options *options,
                        struct diagnostics *diagnostics, struct tally *tally)
{
    struct ruleset *set = ruleset_load_with(paths, count, options, diagnostics);
    if (set == NULL)
        return;
    tally->rules += set->count;
    tally->rule_files += set->file_count;
    ruleset_free(set);
}

static void check_configuration(const char *path, struct diagnostics *diagnostics, struct tally *tally)
{
    struct config *config = config_load(path, environ, 0, diagnostics);
    if (config == NULL)
        return;
    tally->configurations++;
    struct ruleset_options options = {.row_retention_ms = config->row_retention_ms};
    if (config->rule_count > 0)
        check_rules(config->rules, config->rule_count, &options, diagnostics, tally);
    config_free(config);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static int finish(const struct options *options, const struct diagnostics *diagnostics, const struct tally *tally)
{
    size_t warnings = 0;
    for (size_t i = 0; i < diagnostics->count; i++)
        warnings += diagnostics->items[i].warning;
    diagnostics_print(stderr, diagnostics);
    if (diagnostics->errors > 0) {
        (void)printf("%zu error%s", diagnostics->errors, plural(diagnostics->errors));
    } else {
        if (tally->configurations > 0)
            (void)printf("%zu configuration%s, ", tally->configurations, plural(tally->configurations));
        (void)printf("%zu rule%s in %zu file%s, no errors", tally->rules, plural(tally->rules), tally->rule_files,
                     plural(tally->rule_files));
    }
    if (warnings > 0)
        (void)printf(", %zu warning%s", warnings, plural(warnings));
    (void)printf("\n");
    return diagnostics->errors > 0 || (options->strict && warnings > 0) ? 1 : 0;
}

static int run(const struct options *options)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct tally tally = {0};
    const char **rules = mem_alloc(options->path_count * sizeof *rules);
    size_t rule_count = 0;
    for (size_t i = 0; i < options->path_count; i++) {
        if (is_configuration(options->paths[i]))
            check_configuration(options->paths[i], &diagnostics, &tally);
        else
            rules[rule_count++] = options->paths[i];
    }
    if (rule_count > 0)
        check_rules(rules, rule_count, NULL, &diagnostics, &tally);
    diagnostics_sort(&diagnostics);
    int status = finish(options, &diagnostics, &tally);
    free(rules);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return status;
}

int cli_check(int argc, char **argv)
{
    struct options options = {.paths = mem_alloc(((size_t)argc + 1) * sizeof *options.paths)};
    int status = 0;
    if (!parse_options(argc, argv, &options)) {
        (void)fputs(usage, stderr);
        status = 2;
    } else if (options.help) {
        (void)fputs(usage, stdout);
    } else {
        status = run(&options);
    }
    free(options.paths);
    return status;
}
