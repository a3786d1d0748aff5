/* The files of rules/online-boutique in the program, for the demo: {path below the folder, bytes, length}, ended by
 * {0, 0, 0}. */
#ifndef FORESTALL_CLI_RULES_EMBEDDED_H
#define FORESTALL_CLI_RULES_EMBEDDED_H

#include <stddef.h>

struct rule_file_embedded {
    const char *path;
    const unsigned char *bytes;
    size_t length;
};

extern const struct rule_file_embedded rules_embedded[];

#endif
