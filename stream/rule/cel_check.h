/* The checker's state, shared by its files: cel_check.c (names, fields, operators), cel_check_call.c and
 * cel_check_loop.c. */
#ifndef FORESTALL_RULE_CEL_CHECK_H
#define FORESTALL_RULE_CEL_CHECK_H

#include "rule/cel_code.h"

/* A comprehension's variable, innermost first. */
struct cel_scope {
    const struct cel_scope *outer;
    struct str name;
    int index;
    struct cel_type type;
};

struct cel_checker {
    struct arena *arena;
    const struct cel_env *env;
    struct cel_error *err;
    const struct cel_scope *scope;
    int variables;
    struct cel *cel;              /* gathers fields and slots */
    struct cel_allowance folding; /* of what computing constants may take */
};

/* Checks a node: its code, or -1 with err. Under an unchecked environment the error becomes the code's value. */
int cel_check(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out) MUST_CHECK;

/* CEL_CALL and CEL_METHOD. */
int cel_check_call(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out) MUST_CHECK;

/* all, exists, exists_one, map and filter. */
int cel_check_loop(struct cel_checker *ck, const struct cel_node *node, struct cel_code **out) MUST_CHECK;
/* -1 with err where the code, an operand of `op`, cannot be a bool. */
int cel_check_bool(struct cel_checker *ck, const struct cel_code *kid, enum cel_op op) MUST_CHECK;

/* Code of a node with room for its kids. */
struct cel_code *cel_code_new(struct cel_checker *ck, enum cel_op op, const struct cel_node *node, size_t n);
/* The code of what the environment (or a call to it) answered. */
int cel_check_meaning(struct cel_checker *ck, const struct cel_node *node, const struct cel_name *meaning,
                      struct cel_code **out) MUST_CHECK;
/* Evaluates code of constants now; -1 when that is an error. What takes too much is left for later. */
int cel_fold(struct cel_checker *ck, struct cel_code *code) MUST_CHECK;
/* The same of code that reads nothing but constants and its own variables. */
int cel_compute(struct cel_checker *ck, struct cel_code *code) MUST_CHECK;
bool cel_is_constant(const struct cel_code *code);

#endif
