/* The expression language: Google's Common Expression Language, its syntax and results, on our values.
 *
 *     parse (cel_lex.c, cel_parse.c) -> expand macros (cel_expand.c) -> check against the environment (cel_check.c)
 *     -> evaluate (cel_eval.c)
 *
 * A compiled expression is immutable and belongs to the arena that it was compiled into. Evaluation allocates only from
 * the frame's arena (for new strings, lists and maps), never fails (a CEL error is a value of type VALUE_ERROR) and is
 * bounded: depth by the parser's limit, work by the expression and the sizes of its inputs.
 */
#ifndef FORESTALL_RULE_CEL_H
#define FORESTALL_RULE_CEL_H

#include "base/map.h"
#include "event/event.h"

/* What an expression may name. Static types are value types; TYPE_ANY is not known until evaluation. */
enum { TYPE_ANY = VALUE_TYPE_COUNT };

struct cel; /* a compiled expression */
struct cel_node;

/* The type of a sub-expression, as far as it is known at load. */
struct cel_type {
    uint8_t type;    /* enum value_type or TYPE_ANY */
    uint8_t element; /* of a list: its items; of a map: its values; TYPE_ANY if not known */
    int8_t stream;   /* >= 0: an event of that stream: fields are checked by name */
    const char *const
        *symbols; /* of an enum field: a constant compared with it must be one of these, or it is an error */
};

/* A type of which nothing more is known: no elements, no stream, no symbols. */
static inline struct cel_type cel_type_of(int type)
{
    return (struct cel_type){.type = (uint8_t)type, .element = TYPE_ANY, .stream = -1};
}

/* A name's meaning, as the environment answers. Also asked for dotted names (`a.b` before `a`): unknown is the answer.
 */
enum cel_name_kind {
    CEL_NAME_NONE,     /* unknown: the checker reports it, with a suggestion */
    CEL_NAME_CONSTANT, /* `constant` */
    CEL_NAME_EVENT,    /* the frame's event; `type.stream` says of which stream (STREAM_COUNT: any) */
    CEL_NAME_SLOT,     /* frame->slots[slot] */
    CEL_NAME_MACRO,    /* `macro`: source text, expanded as if in parentheses; its own names are resolved likewise */
};

struct cel_name {
    enum cel_name_kind kind;
    struct cel_type type;
    struct value constant;
    int slot;
    struct str macro;
};

/* Where an error is: offset in bytes of the expression's text. The rule loader turns it into file:line:column. */
struct cel_error {
    size_t offset;
    bool too_large; /* it may be right, and is more than is taken */
    struct error error;
};

/* What the expressions of one load may take together, and what they share. Once it is spent every compilation fails;
 * the first says so, the others leave their message empty. */
struct cel_budget {
    int64_t parts;       /* left: of syntax trees, macros put in, and of computing constants by its like */
    int64_t patterns;    /* left: for compiling regular expressions */
    bool said;           /* that it is spent */
    struct map prepared; /* pattern -> its compiled form */
    struct arena *arena; /* of what is shared; outlives all expressions */
};
/* A few hundred megabytes, and seconds, at most. */
void cel_budget_init(struct cel_budget *budget, struct arena *arena);
void cel_budget_fini(struct cel_budget *budget);
/* Takes from it what an evaluation took. */
void cel_budget_pay(struct cel_budget *budget, int64_t steps, size_t bytes);
/* -1 where nothing is left; who finds that first says it. A budget may be NULL. */
int cel_budget_check(struct cel_budget *budget, struct cel_error *err) MUST_CHECK;

struct cel_env {
    void *context;
    /* Answers what `name` means. */
    struct cel_name (*name)(void *context, struct str name);
    /* Calls f(args…) that are not CEL's own (aggregates such as `avg(latency)`): the environment compiles the call into
     * a slot. Returns 0 and fills `out` (CEL_NAME_SLOT) when it takes the call; 1 when it does not know the function;
     * -1 with err when the call is wrong (*bad_arg: the argument at fault, -1 for the call as a whole). Arguments are
     * given as nodes: cel_node_* below read them. May be NULL. */
    int (*call)(void *context, struct str function, struct cel_node *const *args, size_t n_args, struct cel_name *out,
                int *bad_arg, struct error *err);
    /* All names that could be meant, for suggestions: NULL-terminated; may be NULL. */
    const char *const *known_names;
    /* What the checker would refuse (unknown names and functions, wrong types) is an evaluation error instead, which
     * `&& || ?:` absorb: how CEL runs an expression that was only parsed. */
    bool unchecked;
    struct cel_budget *budget; /* NULL: each expression has only its own bounds */
};

/* Compiles `text` into `arena`. On failure -1 with the place. `expected` TYPE_ANY or the type the whole must have. */
int cel_compile(struct arena *arena, struct str text, const struct cel_env *env, int expected, const struct cel **cel,
                struct cel_error *err) MUST_CHECK;

/* For cel_env.call: what an argument is. */
bool cel_node_is_name(const struct cel_node *node, struct str *name); /* a bare identifier */
bool cel_node_is_constant(const struct cel_node *node, struct value *value);
size_t cel_node_offset(const struct cel_node *node); /* its place in the expression's text */
/* Compiles an argument under another environment (an aggregate's expression sees one input's events). */
int cel_node_compile(struct arena *arena, const struct cel_node *node, const struct cel_env *env,
                     const struct cel **cel, struct cel_error *err) MUST_CHECK;
/* The canonical text of a node or an expression: one spelling for one meaning (spaces, quotes, parentheses). */
void cel_node_print(const struct cel_node *node, struct buf *out);
void cel_print(const struct cel *cel, struct buf *out);

struct cel_type cel_result_type(const struct cel *cel);
/* Fields of the frame's event that the expression reads. */
field_mask cel_event_fields(const struct cel *cel);
/* Calls `visit` for each slot number that the expression reads. */
void cel_slots(const struct cel *cel, void (*visit)(void *context, int slot), void *context);
/* The expression is `event.FIELD` alone: the field's number, else -1 (a fast path for group keys and aggregates). */
int cel_is_field(const struct cel *cel);
/* The expression is one slot alone: the slot's number, else -1. */
int cel_is_slot(const struct cel *cel);
/* The expression is a constant (folded ones too): its value, which lives as long as the expression. */
bool cel_is_constant_value(const struct cel *cel, struct value *constant);
/* Visits the event's fields whose value gets into the expression's own: not those that are only compared or tested, nor
 * what fingerprint() and functions that give an int, such as size(), replace. `key` names a member of a map, as in
 * event.labels['pod']; else it is empty. */
void cel_passes(const struct cel *cel, void (*visit)(void *context, int field, struct str key), void *context);

/* What an expression says of one field of text. */
struct cel_texts {
    bool all;                     /* nothing of text: then there are no values and prefixes */
    bool null;                    /* it may be other than false where the field is null */
    const struct value *values;   /* texts; one may stand there twice */
    const struct value *prefixes; /* texts that are not empty */
    size_t value_count;
    size_t prefix_count;
};
/* For a text that is none of the values and starts with none of the prefixes (and for null where not `null`) the
 * expression is false, and no error. From == and `in` with constants, startsWith(), has() and != null, under && and ||
 * and in exists() over a constant list. Linear in the expression's size; what is returned lives as long as the
 * expression and the arena. */
struct cel_texts cel_texts_of(const struct cel *cel, int field, struct arena *arena);

/* What an evaluation may take: steps of loops, some ten nanoseconds each, and bytes of new strings, lists and maps.
 * Beyond it the evaluation ends in an error. */
struct cel_allowance {
    int64_t steps;
    size_t bytes;
};

struct cel_frame {
    const struct event *event; /* may be NULL where no CEL_NAME_EVENT was used */
    const struct value *slots;
    size_t slot_count;
    struct arena *arena;
    struct cel_allowance *allowance; /* what is left of it afterwards; NULL: what one evaluation has by default */
};

struct value cel_eval(const struct cel *cel, const struct cel_frame *frame);

/* Evaluates to a boolean: anything but true is false; an error is false and counted in *errors, or in *null_errors when
 * a null operand caused it. */
bool cel_eval_bool(const struct cel *cel, const struct cel_frame *frame, uint64_t *errors, uint64_t *null_errors);

/* The limits: an expression's text in bytes, and its nesting. */
enum { CEL_TEXT_MAX = 64 * 1024, CEL_DEPTH_MAX = 250 };

#endif
