/* Printing the messages of a load: for people `file:line:column: error: …` with the line quoted and a caret below the
 * place, for programs JSON or SARIF. */
#ifndef FORESTALL_CLI_DIAGNOSTICS_H
#define FORESTALL_CLI_DIAGNOSTICS_H

#include "base/buf.h"
#include "rule/yaml.h"

#include <stdio.h>

/* Prints each message of a sorted list once, and how many more there were. Colours where `out` is a terminal and
 * NO_COLOR is not set. Lines are read from the files anew; a place that is no line of a file (a variable of the
 * environment) is not quoted. */
void diagnostics_print(FILE *out, const struct diagnostics *diagnostics);

/* `[{"file", "line", "column", "level", "code", "message"}, …]`, `indent` before each. */
void diagnostics_json(struct buf *out, const struct diagnostics *diagnostics, const char *indent);
/* A log as SARIF 2.1.0 wants it, and as code scanning reads it; ends with a newline. */
void diagnostics_sarif(struct buf *out, const struct diagnostics *diagnostics);

#endif
