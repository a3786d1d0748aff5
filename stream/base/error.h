/* Errors of the world: a class that says what the engine does about it, and one line that says what a person does.
 *
 * A function that can fail returns 0 or -1 and fills `struct error` on its caller's stack. Bugs are asserts.
 */
#ifndef FORESTALL_BASE_ERROR_H
#define FORESTALL_BASE_ERROR_H

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

enum error_class {
    ERROR_NONE,
    ERROR_BAD_INPUT, /* one event, rule or option is wrong: dead letter, or a message with its place */
    ERROR_RETRY,     /* the same call may succeed later */
    ERROR_ABORT,     /* the transaction must be aborted; then go on from the committed positions */
    ERROR_FATAL,     /* stop the process with exit status 1 */
};

struct error {
    enum error_class class;
    char message[480];
};

/* Sets class and message (cut to fit); returns -1, so that a function can end with `return error_set(...)`. */
int error_set(struct error *err, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "prefix: " before the message; returns -1. */
int error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Leaves the function with -1 when `expr` is not 0. Only where nothing needs releasing. */
#define TRY(expr)                                                                                                      \
    do {                                                                                                               \
        if ((expr) != 0)                                                                                               \
            return -1;                                                                                                 \
    } while (0)

/* An assertion that release builds keep: prints the place and aborts. */
#define ASSERT(condition)                                                                                              \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0))                                                                         \
            assert_failed(#condition, __FILE__, __LINE__);                                                             \
    } while (0)
_Noreturn void assert_failed(const char *condition, const char *file, int line);

#endif
