/* Printing the messages of a load: `file:line:column: error: …`, the line quoted and a caret below the place. */
#ifndef FORESTALL_CLI_DIAGNOSTICS_H
#define FORESTALL_CLI_DIAGNOSTICS_H

#include "rule/yaml.h"

#include <stdio.h>

/* Prints each message once, in the order they are in. Colours where `out` is a terminal and NO_COLOR is not set. Lines
 * are read from the files anew; a place that is no line of a file (a variable of the environment) is not quoted. */
void diagnostics_print(FILE *out, const struct diagnostics *diagnostics);

#endif
