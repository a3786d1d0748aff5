/* The option table's reader. */
#include "cli/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/time_text.h"
#include "rule/check.h"

enum { OPTIONS_MAX = 40 };

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

enum cli_parsed options_wrong(const char *usage, const char *format, ...)
{
    static const char begins[] = "usage: ";
    const char *end = strstr(usage, "\n\n");
    const char *name = usage + strlen(begins);
    size_t name_n = strcspn(name + strcspn(name, " ") + 1, " \n") + strcspn(name, " ") + 1;
    va_list args;
    va_start(args, format);
    (void)fputs("error: ", stderr);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\n\n%.*s\n`%.*s --help` tells the rest.\n",
                  end != NULL ? (int)(end - usage) : (int)strlen(usage), usage, (int)name_n, name);
    return CLI_USAGE;
}

static enum cli_parsed unknown_option(const char *usage, const struct cli_option *options, const char *argument)
{
    struct arena arena = {0};
    const char *names[OPTIONS_MAX + 1] = {0};
    for (size_t i = 0; options[i].name != NULL && i < OPTIONS_MAX; i++)
        names[i] = arena_printf(&arena, "--%s", options[i].name);
    (void)options_wrong(usage, "no such option '%s'%s", argument, check_suggest(&arena, str_of(argument), names, NULL));
    arena_fini(&arena);
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
                return options_wrong(usage, "unexpected argument '%s'", argument);
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
            return unknown_option(usage, options, argument);
        if (option->flag != NULL) {
            *option->flag = true;
            continue;
        }
        if (value == NULL && i + 1 == argc)
            return options_wrong(usage, "a value is missing after '%s'", argument);
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
