/* Checked code, the functions it calls, and the evaluation that runs it. Private to the cel_*.c files.
 *
 * Code has the shape of the syntax tree, with names resolved to fields, slots, variables and constants, so its height
 * is bounded as the tree's is. It is immutable and may be evaluated by several threads at once.
 */
#ifndef FORESTALL_RULE_CEL_CODE_H
#define FORESTALL_RULE_CEL_CODE_H

#include "rule/cel_node.h"
#include "rule/cel_zone.h"

struct cel_function;
struct cel_part;

struct cel_code {
    uint8_t op;      /* enum cel_op */
    uint8_t test;    /* of CEL_FIELD_TEST: the comparison, CEL_LT to CEL_NE */
    bool event_like; /* of CEL_SELECT and CEL_HAS: kid 0 holds an event's fields, an absent one is null */
    uint16_t n;
    int32_t index; /* of a field, a slot, a variable; of a comprehension its variable */
    const struct cel_code **kids;
    struct value constant;
    const struct cel_function *function;
    union {
        const void *prepared;  /* a pattern's database, a time zone */
        struct cel_part *part; /* of CEL_PART */
    };
    uint32_t offset;
    uint32_t work; /* of a comprehension: the steps that one round takes */
    struct cel_type type;
};

struct cel {
    const struct cel_code *root;
    const struct cel_node *tree;
    field_mask fields;
    size_t n_slots;
    int *slots;
};

/* One evaluation. Steps and bytes are budgets: what exceeds them is an error value, so that no expression runs away. */
enum { CEL_VARIABLES_MAX = 16, CEL_STEPS_MAX = 1000 * 1000, CEL_BYTES_MAX = 64 * 1024 * 1024 };

struct cel_run {
    const struct cel_frame *frame;
    int64_t steps;
    size_t bytes;
    bool quiet; /* nobody reads the messages: they are not composed */
    struct value variables[CEL_VARIABLES_MAX];
};

struct value cel_run_code(struct cel_run *run, const struct cel_code *code);

/* A function of the language. Arguments include a method's receiver. */
#define TAKES(type) (1U << (type))
enum { TAKES_ANY = 0x1FFF, FUNCTION_CALL = 1, FUNCTION_METHOD = 2 };

struct cel_call {
    struct cel_run *run;
    const struct cel_code *code;
    struct value args[4];
    size_t n;
};

struct cel_function {
    const char *name;
    uint8_t style; /* FUNCTION_CALL, FUNCTION_METHOD or both */
    uint8_t min, max;
    uint8_t result; /* enum value_type or TYPE_ANY */
    uint16_t takes[4];
    /* Runs the call; arguments are of the types taken and no errors. */
    struct value (*run)(struct cel_call *call);
    /* Looks at the checked call once, before it is run; may fill code->prepared. May be NULL. */
    int (*prepare)(struct arena *arena, struct cel_budget *budget, struct cel_code *code, struct cel_error *err);
};

/* NULL where there is none of that name and style. */
const struct cel_function *cel_function_find(struct str name, int style);
/* Tables of the files that hold functions; each ends with a NULL name. */
extern const struct cel_function cel_string_functions[];
extern const struct cel_function cel_convert_functions[];
extern const struct cel_function cel_time_functions[];

/* Error values. The message is borrowed for good (a literal) or composed in the frame's arena. */
struct value cel_error_text(const char *message);
struct value cel_error_printf(struct cel_run *run, const char *format, ...) PRINTF_LIKE(2, 3);
/* "no such overload" for these operands: an error operand passes on, a null one marks the error. */
struct value cel_no_overload(struct cel_run *run, const char *what, const struct value *args, size_t n);
static inline bool cel_is_error(struct value v)
{
    return v.type == VALUE_ERROR;
}

/* `n` bytes of the frame's arena; NULL when the evaluation's budget is spent. */
void *cel_alloc(struct cel_run *run, size_t n);
struct value cel_too_large(void);
bool cel_is_too_large(struct value v);
/* Pays for work that is not a loop's: `n` bytes looked at, say. False, and the run is over, where it cannot. */
static inline bool cel_pay(struct cel_run *run, uint64_t steps)
{
    run->steps = run->steps >= (int64_t)steps ? run->steps - (int64_t)steps : -1;
    return run->steps >= 0;
}

/* Operators on values that are no errors; `op` from CEL_MULTIPLY to CEL_IN. */
struct value cel_binary(struct cel_run *run, enum cel_op op, struct value a, struct value b);
struct value cel_negate(struct cel_run *run, struct value v);
struct value cel_index(struct cel_run *run, struct value container, struct value key);
/* Deep equality that spends the run's steps; false when they end. */
bool cel_equal(struct cel_run *run, struct value a, struct value b);
/* The value of `key` in `map`, numbers compared across types; NULL: absent. */
const struct value *cel_map_find(struct cel_run *run, struct value map, struct value key);
/* Checks a map literal's keys: types and no two equal. False with *error. */
bool cel_map_keys(struct cel_run *run, const struct value *pairs, size_t n, struct value *error);
/* Spends a step for each value in the containers among `items`, and for each 16 bytes of text, so that what is made can
 * be printed; an error value when they end, else null. */
struct value cel_charge(struct cel_run *run, const struct value *items, size_t n);

/* The result type of an operator on operand types (TYPE_ANY: not known); -1 where no operands of those types fit. */
int cel_binary_type(enum cel_op op, int a, int b);
/* How messages name a type: "timestamp", "list". */
const char *cel_type_name(int type);
const char *cel_a_type(int type); /* with its article: "a timestamp" */

/* Times: nanoseconds of a duration (at most 292 years, so that they are an int64) and a duration of nanoseconds. */
bool cel_nanos(struct value duration, int64_t *nanos); /* false beyond that range */
struct value cel_duration(int64_t nanos);
struct value cel_timestamp(int64_t seconds, int64_t nanos); /* nanos of any size; an error value out of range */

/* Patterns (cel_match.c): compiled into the arena; run with a scratch of the thread. */
int cel_pattern_compile(struct arena *arena, struct str pattern, struct cel_budget *budget, const void **compiled,
                        struct cel_error *err);
/* cel_pattern.c: about how large the pattern is with its repetitions written out; -1 with err where that is beyond what
 * RE2 takes, or what can be compiled in about a second. err->offset is the caller's. */
int cel_pattern_measure(struct str pattern, uint64_t *size, struct cel_error *err) MUST_CHECK;
struct value cel_pattern_match(const void *compiled, struct str text);

static inline struct cel_run cel_run_of(const struct cel_frame *frame)
{
    struct cel_run run;
    run.frame = frame;
    run.steps = frame->allowance != NULL ? frame->allowance->steps : CEL_STEPS_MAX;
    run.bytes = frame->allowance != NULL ? frame->allowance->bytes : CEL_BYTES_MAX;
    run.quiet = false;
    return run;
}

#endif
