/* YAML text to a tree with places, by libyaml's event interface.
 *
 * Scalars stay text; whoever reads one knows its type. Refused with a place: anchors and aliases, tags, duplicate keys,
 * keys that are not scalars, more than one document, nesting over 64, files over 10 MiB, over a million nodes, text
 * that is not UTF-8. The tree belongs to the arena.
 */
#ifndef FORESTALL_RULE_YAML_H
#define FORESTALL_RULE_YAML_H

#include "base/arena.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    bool quoted;      /* a scalar in quotes or a block: never null */
    bool block;       /* a literal or folded scalar: an offset in its text is no column */
    int line;         /* from 1 */
    int column;       /* from 1 */
    struct str text;  /* of a scalar; NUL-terminated */
    const char *file; /* the name it was loaded by */
    /* Children: of a sequence the items, of a mapping the values with their keys beside. */
    size_t count;
    struct yaml_node **items;
    struct yaml_node **keys;
};

/* One message about one place. */
struct diagnostic {
    const char *file;
    int line;
    int column;
    bool warning;
    const char *message;
};

struct diagnostics {
    struct arena *arena;
    struct diagnostic *items;
    size_t count;
    size_t cap;
    size_t errors; /* of them, not warnings */
};

void diagnostics_fini(struct diagnostics *diagnostics);
void diagnostic_at(struct diagnostics *diagnostics, const struct yaml_node *node, bool warning, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Sorts by file (in load order), line and column. */
void diagnostics_sort(struct diagnostics *diagnostics);

/* NULL when the text is not acceptable YAML: then exactly one error was added. An empty file is an empty mapping. */
struct yaml_node *yaml_parse(struct arena *arena, const char *file, struct str text, struct diagnostics *diagnostics);
struct yaml_node *yaml_load(struct arena *arena, const char *path, struct diagnostics *diagnostics);

/* The value of a key in a mapping; NULL where absent. */
struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
bool yaml_is_null(const struct yaml_node *node); /* an unquoted empty scalar, ~ or null */

#endif
