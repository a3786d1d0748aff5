/* Command-line options by a table: `--name value`, `--name=value`, `-n value`, flags, and what is left. */
#ifndef FORESTALL_CLI_OPTIONS_H
#define FORESTALL_CLI_OPTIONS_H

#include "base/error.h"
#include "base/str.h"

/* The values of an option that may be given several times; `items` has room for argc of them. */
struct cli_list {
    char **items;
    size_t count;
};

struct cli_option {
    const char *name;      /* without dashes; NULL ends the table */
    char short_name;       /* 0: none */
    const char **value;    /* takes a value */
    bool *flag;            /* takes none */
    struct cli_list *list; /* takes a value, and may be repeated */
};

struct cli_arguments {
    char **rest; /* arguments that are no options; borrowed from argv */
    size_t rest_count;
    size_t rest_max; /* how many there may be */
};

enum cli_parsed { CLI_GO, CLI_HELP, CLI_USAGE };

/* Reads argv[1…]; `--help` and `-h` print `usage` on standard output (CLI_HELP: exit 0); what is wrong is told by
 * options_wrong (CLI_USAGE: exit 2). `rest` is argv's own memory, reordered. */
enum cli_parsed options_parse(int argc, char **argv, const struct cli_option *options, const char *usage,
                              struct cli_arguments *arguments);

/* The error in a line, then how the command is written, which is `usage` up to its first empty line. CLI_USAGE. */
enum cli_parsed options_wrong(const char *usage, const char *format, ...) PRINTF_LIKE(2, 3);

/* A time on the command line: ISO 8601, or a span back from now ("7d"). False: neither. */
bool options_time(const char *text, int64_t now_ms, int64_t *ms);

#endif
