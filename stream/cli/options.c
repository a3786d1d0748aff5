/* The option table's reader. */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

#include "base/time_text.h"

static const struct cli_option *find(const struct cli_option *options, char *argument, char **inline_value)
{
    *inline_value = NULL;
    for (const struct cli_option *option = options; option->name != NULL; option++) {
        size_t n = strlen(option->name);
        if (argument[1] != '-' && argument[1] == option->short_name && argument[2] == '\0')
            return option;
        if (argument[1] != '-' || strncmp(argument + 2, option->name, n) != 0)
            continue;
        if (argument[2 + n] == '\0')
            return option;
        if (argument[2 + n] == '=' && option->flag == NULL) {
            *inline_value = argument + 3 + n;
            return option;
        }
    }
    return NULL;
}

static enum cli_parsed wrong(const char *usage, const char *what, const char *argument)
{
    (void)fprintf(stderr, "error: %s '%s'\n\n%s", what, argument, usage);
    return CLI_USAGE;
}

enum cli_parsed options_parse(int argc, char **argv, const struct cli_option *options, const char *usage,
                              struct cli_arguments *arguments)
{
    bool only_rest = false;
    arguments->rest = argv + 1;
    arguments->rest_count = 0;
    for (int i = 1; i < argc; i++) {
        char *argument = argv[i];
        char *value;
        if (only_rest || argument[0] != '-' || argument[1] == '\0') {
            if (arguments->rest_count == arguments->rest_max)
                return wrong(usage, "unexpected argument", argument);
            arguments->rest[arguments->rest_count++] = argv[i];
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            only_rest = true;
            continue;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            (void)fputs(usage, stdout);
            return CLI_HELP;
        }
        const struct cli_option *option = find(options, argument, &value);
        if (option == NULL)
            return wrong(usage, "no such option", argument);
        if (option->flag != NULL) {
            *option->flag = true;
            continue;
        }
        if (value == NULL && i + 1 == argc)
            return wrong(usage, "a value is missing after", argument);
        if (value == NULL)
            value = argv[++i];
        if (option->list != NULL)
            option->list->items[option->list->count++] = value;
        else
            *option->value = value;
    }
    return CLI_GO;
}

bool options_time(const char *text, int64_t now_ms, int64_t *ms)
{
    int64_t span_ms;
    if (time_parse_ms(str_of(text), ms))
        return true;
    if (!duration_parse(str_of(text), &span_ms))
        return false;
    *ms = now_ms - span_ms;
    return true;
}
