/* Configuration and rules for commands. */
#include "cli/load.h"

#include "cli/diagnostics.h"

extern char **environ;

enum { ERRORS_TOLD_MAX = 20 };

static struct ruleset *load_rules(const struct config *config, struct diagnostics *diagnostics)
{
    struct ruleset_options options = {.row_retention_ms = config->row_retention_ms, .tests_unread = true};
    return ruleset_load_with(config->rules, config->rule_count, &options, diagnostics);
}

struct ruleset *load_rules_again(const struct config *config)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    struct ruleset *rules = load_rules(config, &diagnostics);
    size_t told = 0;
    for (size_t i = 0; rules == NULL && i < diagnostics.count && told < ERRORS_TOLD_MAX; i++) {
        const struct diagnostic *diagnostic = &diagnostics.items[i];
        if (diagnostic->warning)
            continue;
        log_error("a rule is wrong", LOG_S("file", diagnostic->file), LOG_I("line", diagnostic->line),
                  LOG_I("column", diagnostic->column), LOG_S("error", diagnostic->message));
        told++;
    }
    if (rules == NULL)
        log_error("the rules were changed, but not loaded: the set that runs is kept",
                  LOG_I("errors", diagnostics.errors));
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return rules;
}

bool load(struct loaded *loaded, const char *path, unsigned needs)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    *loaded = (struct loaded){0};
    loaded->config = config_load(path, environ, needs, &diagnostics);
    bool good = loaded->config != NULL;
    if (good) {
        log_setup(loaded->config->log_level, loaded->config->log_format);
        if ((needs & CONFIG_NEED_RULES) != 0)
            loaded->rules = load_rules(loaded->config, &diagnostics);
        good = (needs & CONFIG_NEED_RULES) == 0 || loaded->rules != NULL;
    }
    diagnostics_sort(&diagnostics);
    diagnostics_print(stderr, &diagnostics);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    if (!good)
        loaded_free(loaded);
    return good;
}

void load_if_right(struct loaded *loaded, const char *path)
{
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    if (loaded->config == NULL)
        loaded->config = config_load(path, environ, 0, &diagnostics);
    if (loaded->config != NULL && loaded->rules == NULL)
        loaded->rules = load_rules(loaded->config, &diagnostics);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
}

void loaded_free(struct loaded *loaded)
{
    ruleset_free(loaded->rules);
    config_free(loaded->config);
    *loaded = (struct loaded){0};
}
