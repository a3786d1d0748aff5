/* YAML text to a tree with places, by libyaml's event interface.
 *
 * Scalars stay text; whoever reads one knows its type. Refused with a place: anchors and aliases, tags, duplicate keys,
 * keys that are not scalars, more than one document, nesting over 64, files over 10 MiB, over a million nodes, text
 * that is not UTF-8. The tree belongs to the arena.
 */
#ifndef FORESTALL_RULE_YAML_H
#define FORESTALL_RULE_YAML_H

#include "base/arena.h"
#include "base/error.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    bool quoted;      /* a scalar in quotes or a block: never null */
    bool block;       /* a literal or folded scalar */
    int line;         /* from 1 */
    int column;       /* from 1 */
    struct str text;  /* of a scalar; NUL-terminated */
    struct str raw;   /* of a scalar: its source, quotes and all; yaml_place reads it */
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
    int file_order; /* in order of loading */
    bool warning;
    const char *code; /* of a warning, one of the words that rules/README.md lists; "error" of an error */
    bool again;       /* the one before says the same of the same place: its file was loaded twice */
    const char *message;
};

/* At most a thousand errors and a thousand warnings are kept; the counters go on. */
struct diagnostics {
    struct arena *arena;
    struct diagnostic *items;
    size_t count;
    size_t cap;
    size_t errors;        /* found, whether kept or not */
    size_t warnings;      /* the same */
    char *const *allowed; /* codes of warnings that are neither kept nor counted; the caller's */
    size_t allowed_count;
    const char **files; /* in order of loading */
    size_t file_count;
    size_t file_cap;
};

void diagnostics_fini(struct diagnostics *diagnostics);
/* Further errors are only counted, so that nobody need search for good advice. */
bool diagnostics_full(const struct diagnostics *diagnostics);
/* `warning` is NULL for an error, else the warning's code, a literal. */
void diagnostic_at(struct diagnostics *diagnostics, const struct yaml_node *node, const char *warning,
                   const char *format, ...) PRINTF_LIKE(4, 5);
/* The same at the byte `offset` of a scalar's text. */
void diagnostic_within(struct diagnostics *diagnostics, const struct yaml_node *node, size_t offset,
                       const char *warning, const char *format, ...) PRINTF_LIKE(5, 6);
/* A message about a file as a whole (it cannot be read, …), at its first byte. */
void diagnostic_file(struct diagnostics *diagnostics, const char *file, int line, int column, const char *format, ...)
    PRINTF_LIKE(5, 6);
/* Makes `file` the next in order of loading; its messages are sorted by that. */
void diagnostics_add_file(struct diagnostics *diagnostics, const char *file);
/* Sorts by file (in load order), line and column, and marks what is said twice. */
void diagnostics_sort(struct diagnostics *diagnostics);
/* The errors, or the warnings, of a sorted list, those not kept included and what is said twice counted once. */
size_t diagnostics_count(const struct diagnostics *diagnostics, bool warnings);

/* NULL when the text is not acceptable YAML: then exactly one error was added. An empty file is an empty mapping. */
struct yaml_node *yaml_parse(struct arena *arena, const char *file, struct str text, struct diagnostics *diagnostics);
struct yaml_node *yaml_load(struct arena *arena, const char *path, struct diagnostics *diagnostics);

/* The whole of a regular file of at most `max` bytes, in the arena; NULL with err. */
char *yaml_read_file(struct arena *arena, const char *path, size_t max, size_t *n, struct error *err);
/* Where the byte `offset` of a scalar's text stands in its file: quotes, escapes, folded lines and blocks are seen
 * through as far as one byte of the text has one place. */
void yaml_place(const struct yaml_node *node, size_t offset, int *line, int *column);

/* Bytes of the line break at `p`: line feed, carriage return or both, and Unicode's NEL, LS and PS; 0 where none is. */
size_t yaml_break(const char *p, const char *end);

/* The text after its byte order mark, which is no character of the first line. */
struct str yaml_without_mark(struct str text);

/* The value of a key in a mapping; NULL where absent or where `mapping` is none. */
struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
bool yaml_is_null(const struct yaml_node *node); /* an unquoted empty scalar, ~ or null */

#endif
