/* The decode plan of one writer schema: a flat list of operations that walks a record's bytes once, keeps the wanted
 * fields and steps over everything else.
 *
 * plan_compile resolves the writer's schema against the stream's record as the Avro specification says ("Schema
 * Resolution"); plan_run executes. Nothing that the bytes say decides how deep the C stack grows: loops over blocks and
 * recursive types use PLAN_FRAMES_MAX frames of their own. A plan never changes after it is compiled.
 */
#ifndef FORESTALL_CODEC_AVRO_PLAN_H
#define FORESTALL_CODEC_AVRO_PLAN_H

#include "codec/avro_schema.h"
#include "event/event.h"

enum op_code {
    /* Steps over what nobody wants; neighbours are fused into one. */
    OP_SKIP_BYTES,            /* a: bytes */
    OP_SKIP_VARINTS,          /* a: how many */
    OP_SKIP_STRINGS,          /* a: how many (also bytes) */
    OP_SKIP_OPTIONAL_STRINGS, /* a: how many; flag: the null branch's index */
    OP_SKIP_STRING_BLOCKS,    /* an array or map of strings; a: strings an item; flag: as of OP_BLOCKS */
    /* Keep a value in `field`. */
    OP_STRING,
    OP_INT,
    OP_LONG,
    OP_INT_AS_DOUBLE,
    OP_LONG_AS_DOUBLE,
    OP_FLOAT,
    OP_DOUBLE,
    OP_TIME, /* a: units a millisecond; flag: TIME_OF_EVENT; kept where field is not PLAN_NO_FIELD */
    OP_ENUM, /* a: first entry in symbols; b: how many; kept where field is not PLAN_NO_FIELD */
    /* Control. Targets are indices of operations. */
    OP_OPTIONAL, /* a: where to go on null; flag: the null branch's index, of two */
    OP_UNION,    /* a: first entry in targets; b: how many */
    OP_JUMP,     /* a: target */
    OP_REFUSE,   /* a: index into reasons */
    OP_CALL,     /* a: target */
    OP_RETURN,
    OP_BLOCKS, /* of an array or map: a: where to go at its end; b: least bytes of an item; flag: items are looked at
                  even in a block that says its size; the items' code follows */
    OP_BLOCKS_KEEP, /* the same, into the list being built */
    OP_NEXT,        /* a: its OP_BLOCKS */
    OP_LIST,        /* begins a list; a: values an item, 1 or 2 */
    OP_APPEND,      /* a string to the list */
    OP_LIST_KEEP,   /* ends the list */
    OP_END
};

enum { PLAN_NO_FIELD = 0xFF, TIME_OF_EVENT = 1 };

struct op {
    uint8_t code;
    uint8_t field; /* of the stream, or PLAN_NO_FIELD */
    uint8_t flag;
    uint32_t a;
    uint32_t b;
};

/* One symbol of a writer's enum. */
struct plan_symbol {
    const char *text; /* the stream table's own; NULL: it has none that fits */
    uint32_t n;
    uint8_t field;
    struct str written;
};

struct plan {
    const struct stream *stream;
    struct op *ops;
    const char **paths; /* of each operation: the field that it is about, for errors */
    size_t op_count;
    struct plan_symbol *symbols;
    uint32_t *targets;
    const char **reasons;
    struct value initial[STREAM_FIELDS_MAX]; /* null, or the default of a field that the writer lacks */
    struct arena arena;                      /* of the texts */
};

/* How deep blocks in blocks and recursive types may go in one record. */
enum { PLAN_FRAMES_MAX = 128 };
/* Values that take no byte (array items, recursive records) in one record, beyond one a byte. */
enum { PLAN_EMPTY_MAX = 65536 };

struct plan_options {
    const struct stream *stream;
    struct avro_schema *writer;       /* its marks are used; need not outlive the plan */
    const struct avro_schema *reader; /* for aliases and enum defaults; NULL: none */
    field_mask wanted;
};

/* ERROR_BAD_INPUT: the writer's record cannot be read as the stream's. */
int plan_compile(struct plan **plan, const struct plan_options *options, struct error *err) MUST_CHECK;
void plan_free(struct plan *plan);

/* Decodes one record from the start of `bytes`; *consumed is how many it took. */
int plan_run(const struct plan *plan, struct str bytes, struct arena *arena, struct event *event, size_t *consumed,
             struct error *err) MUST_CHECK;

#endif
