/* What the demo prints: the recommendations as a table, one of them whole, and what to try next. */
#ifndef FORESTALL_CLI_DEMO_SHOW_H
#define FORESTALL_CLI_DEMO_SHOW_H

#include <stdio.h>

#include "event/value.h"

/* `records` are recommendations as their topic has them; sorted here by what they weigh. */
void demo_show_table(FILE *out, struct value *records, size_t count);
/* A recommendation with its specification. */
void demo_show_whole(FILE *out, struct value record);
/* One line about a new version. */
void demo_show_line(FILE *out, struct value record);

#endif
