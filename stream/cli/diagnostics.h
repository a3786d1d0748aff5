/* Printing the messages of a load: for people `file:line:column: error: …` with the line quoted and a caret below the
 * place, for programs JSON or SARIF. */
#ifndef FORESTALL_CLI_DIAGNOSTICS_H
#define FORESTALL_CLI_DIAGNOSTICS_H

#include "base/buf.h"
#include "rule/yaml.h"

#include <stdio.h>

/* Prints each message once, in the order they are in. Colours where `out` is a terminal and NO_COLOR is not set. Lines
 * are read from the files anew; a place that is no line of a file (a variable of the environment) is not quoted. */
void diagnostics_print(FILE *out, const struct diagnostics *diagnostics);

/* A message that is in the list already: the same words at the same place. */
bool diagnostics_repeated(const struct diagnostics *diagnostics, size_t at);
/* Takes the warnings of these codes out of the list. */
void diagnostics_allow(struct diagnostics *diagnostics, char *const *codes, size_t count);
/* Errors or warnings, each counted once. */
size_t diagnostics_count(const struct diagnostics *diagnostics, bool warnings);

/* `[{"file", "line", "column", "level", "code", "message"}, …]`, `indent` before each. */
void diagnostics_json(struct buf *out, const struct diagnostics *diagnostics, const char *indent);
/* A log as SARIF 2.1.0 wants it, and as code scanning reads it; ends with a newline. */
void diagnostics_sarif(struct buf *out, const struct diagnostics *diagnostics);

#endif
