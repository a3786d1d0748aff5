/* An Avro schema as a graph of nodes, read from its JSON text (Avro 1.11 specification, "Schema Declaration").
 *
 * Unlike Avro-C's parser this one keeps defaults, aliases and logical types, and refuses what could not be decoded in
 * bounded time and memory: text over 256 KiB, nesting over 64, over 20,000 nodes, and records that contain themselves
 * with no union, array or map between. Recursion through those is a node met again: a graph, not a tree. A schema never
 * changes after parsing.
 */
#ifndef FORESTALL_CODEC_AVRO_SCHEMA_H
#define FORESTALL_CODEC_AVRO_SCHEMA_H

#include "base/arena.h"

enum node_kind {
    NODE_NULL,
    NODE_BOOLEAN,
    NODE_INT,
    NODE_LONG,
    NODE_FLOAT,
    NODE_DOUBLE,
    NODE_BYTES,
    NODE_STRING,
    NODE_RECORD, /* also errors */
    NODE_ENUM,
    NODE_ARRAY,
    NODE_MAP,
    NODE_UNION,
    NODE_FIXED
};

/* Only what changes how a number is read as a time; every other logical type is LOGICAL_OTHER. The "local-" timestamps
 * count as their plain ones: no zone means UTC here as elsewhere. */
enum node_logical {
    LOGICAL_NONE,
    LOGICAL_TIMESTAMP_MILLIS,
    LOGICAL_TIMESTAMP_MICROS,
    LOGICAL_TIMESTAMP_NANOS,
    LOGICAL_OTHER
};

struct json_t; /* jansson's */

struct node {
    enum node_kind kind;
    enum node_logical logical;
    struct str name;           /* of record, enum, fixed: the full name */
    struct node_field *fields; /* of a record */
    struct str *symbols;       /* of an enum */
    struct node **branches;    /* of a union; an array's or map's single item */
    size_t count;              /* of whichever of the three there is */
    struct str fallback;       /* an enum's `default` symbol; p NULL: none */
    int64_t size;              /* of a fixed, in bytes */
    int64_t bytes_min;         /* the least that a value takes on the wire; saturates at INT32_MAX */
    int references;            /* places that name it: over 1 where it is shared or recursive */
    int mark;                  /* free for whoever walks the graph; 0 after parsing */
};

struct node_field {
    struct str name;
    struct str *aliases;
    size_t alias_count;
    struct node *type;
    struct json_t *fallback; /* the `default`; NULL: none */
};

struct avro_schema {
    struct arena arena;
    struct json_t *json; /* owns the defaults */
    struct node *root;
    size_t node_count;
};

enum { SCHEMA_BYTES_MAX = 256 * 1024, SCHEMA_DEPTH_MAX = 64, SCHEMA_NODES_MAX = 20000 };

/* Fills `schema`; nothing borrows from `text`. ERROR_BAD_INPUT: what is wrong, and the name it is in. */
int avro_schema_parse(struct avro_schema *schema, struct str text, struct error *err) MUST_CHECK;
void avro_schema_fini(struct avro_schema *schema);

/* "string", "record", …, as schemas write it. */
const char *node_kind_name(enum node_kind kind);

#endif
