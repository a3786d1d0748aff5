/* Filling and prefixing of `struct error`. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *err, enum error_class class, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->class = class;
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
    char text[sizeof err->message];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        return -1;
    int total = snprintf(text + n, sizeof text - (size_t)n, ": %s", err->message);
    if (total < 0) /* cut is fine: the message is for a person */
        return -1;
    memcpy(err->message, text, sizeof text);
    return -1;
}

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
