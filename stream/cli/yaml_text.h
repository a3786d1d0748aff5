/* Values as YAML for people: blocks, plain words where they can be none else, texts of several lines as literals. */
#ifndef FORESTALL_CLI_YAML_TEXT_H
#define FORESTALL_CLI_YAML_TEXT_H

#include "event/value.h"

/* Appends a document, which ends with a newline. */
void yaml_text(struct buf *out, struct value v);

#endif
