/* What became of recommendations that somebody did something about: before and after, in words. */
#ifndef FORESTALL_CLI_DEMO_OUTCOME_H
#define FORESTALL_CLI_DEMO_OUTCOME_H

#include <stdio.h>

#include "event/value.h"

/* Puts those still to be done first. Returns how many. */
size_t demo_outcome_part(struct value *records, size_t count);
/* A table of the others, those that helped first. */
void demo_outcome_show(FILE *out, struct value *records, size_t count);

#endif
