/* The syntax tree of an expression, and the lexer and parser that make it.
 *
 * A tree is immutable once parsed and belongs to the arena. Its height is at most CEL_DEPTH_MAX, which is what allows
 * every walk over it (and over the code made from it) to be recursive.
 */
#ifndef FORESTALL_RULE_CEL_NODE_H
#define FORESTALL_RULE_CEL_NODE_H

#include "rule/cel.h"

/* Operations of the syntax tree and, with the last group, of checked code. The order of the binary operators is used.
 */
enum cel_op {
    CEL_CONSTANT,
    CEL_NAME,   /* text; `root` for a leading point */
    CEL_SELECT, /* kid 0, text */
    CEL_HAS,    /* has(kid 0 . text) */
    CEL_INDEX,
    CEL_CALL,   /* text(kids) */
    CEL_METHOD, /* kid 0 . text(other kids) */
    CEL_LIST,
    CEL_MAP, /* kids: key, value, key, value */
    CEL_NOT,
    CEL_NEGATE,
    CEL_MULTIPLY,
    CEL_DIVIDE,
    CEL_MODULO,
    CEL_ADD,
    CEL_SUBTRACT,
    CEL_LT,
    CEL_LE,
    CEL_GT,
    CEL_GE,
    CEL_EQ,
    CEL_NE,
    CEL_IN,
    CEL_AND, /* two kids or more, as CEL_OR */
    CEL_OR,
    CEL_IF,
    CEL_ALL, /* kid 0: range; text: variable; kid 1: predicate or, for map, the last kid: transform */
    CEL_EXISTS,
    CEL_EXISTS_ONE,
    CEL_MAPPED,
    CEL_FILTER,
    /* Only in checked code: */
    CEL_FIELD,       /* the event's field number `index` */
    CEL_FIELD_NAMED, /* the event's field of name `constant`, the stream not being known */
    CEL_SLOT,
    CEL_VARIABLE,
    CEL_FIELD_TEST, /* the event's field `index` compared by `test` with `constant`; the kids say the same */
    CEL_PART,       /* kid 0, and `part` counts what comes of it */
};

struct cel_node {
    uint8_t op;
    bool root;
    uint16_t height; /* 1 for a leaf */
    uint32_t offset; /* into the expression's text, of what the user would point at */
    uint32_t n;
    struct cel_node **kids;
    struct str text;
    struct value constant;
};

enum cel_token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_QUOTED_NAME, /* `a-b`, only after a point */
    TOKEN_INT,         /* value.u: the magnitude, the sign is the parser's */
    TOKEN_VALUE,       /* any other literal */
    TOKEN_SIGN,        /* an operator or a bracket: `sign`, one of the below or a character */
};
enum { SIGN_LE = 128, SIGN_GE, SIGN_EQ, SIGN_NE, SIGN_AND, SIGN_OR };

struct cel_token {
    enum cel_token_kind kind;
    int sign;
    size_t offset;
    struct str text; /* as written; of names the name */
    struct value value;
};

struct cel_lexer {
    struct arena *arena;
    struct str text;
    size_t at;
    struct cel_error *err;
};

/* Reads the next token; -1 with err where the text holds none. */
int cel_lex(struct cel_lexer *lexer, struct cel_token *token) MUST_CHECK;

/* How to parse: for a macro's text, all of it stands at the place of its use. */
struct cel_parse {
    struct arena *arena;
    struct str text;
    bool fixed; /* every node gets `offset` */
    uint32_t offset;
    uint32_t *nodes; /* counts the nodes made, at most CEL_NODES_MAX */
};
enum { CEL_NODES_MAX = 64 * 1024 };

int cel_parse(const struct cel_parse *options, struct cel_node **root, struct cel_error *err) MUST_CHECK;

/* Fills in the height from the kids; -1 with err when it exceeds CEL_DEPTH_MAX. */
int cel_node_measure(struct cel_node *node, struct cel_error *err) MUST_CHECK;

/* The tree with the environment's macros put in (the same tree where there are none). */
int cel_expand(const struct cel_parse *options, const struct cel_env *env, struct cel_node *root, struct cel_node **out,
               struct cel_error *err) MUST_CHECK;

/* Sets the place and a BAD_INPUT message; returns -1. */
int cel_fail(struct cel_error *err, size_t offset, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same of what exceeds a bound. */
int cel_fail_large(struct cel_error *err, size_t offset, const char *format, ...) PRINTF_LIKE(3, 4);

/* How an operator is written, and a macro's name: "+", "exists". */
const char *cel_op_text(enum cel_op op);

#endif
