/* Conversions between types, and the functions that take any value: type, dyn, coalesce. */
#include "rule/cel_code.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct value bad(struct cel_call *call, const char *wanted)
{
    struct value v = call->args[0];
    if (v.type == VALUE_STRING)
        return cel_error_printf(call->run, "type conversion error: '%.*s' is no %s", v.n > 100 ? 100 : (int)v.n, v.s,
                                wanted);
    return cel_error_printf(call->run, "range error: the %s is no %s", cel_type_name(v.type), wanted);
}

/* Digits with an optional sign, as an unsigned magnitude. */
static bool parse_integer(struct str s, bool *negative, uint64_t *n)
{
    size_t i = 0;
    *negative = s.n > 0 && s.p[0] == '-';
    i += s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    if (i == s.n)
        return false;
    for (*n = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(*n, 10, n) ||
            __builtin_add_overflow(*n, (uint64_t)(s.p[i] - '0'), n))
            return false;
    return true;
}

static struct value int_of_text(struct cel_call *call)
{
    bool negative;
    uint64_t n;
    if (!parse_integer(value_as_str(call->args[0]), &negative, &n) || n > (uint64_t)INT64_MAX + negative)
        return bad(call, "int");
    return value_int((int64_t)(negative ? -n : n));
}

static struct value run_int(struct cel_call *call)
{
    struct value v = call->args[0];
    switch ((enum value_type)v.type) {
    case VALUE_UINT:
        return v.u <= INT64_MAX ? value_int((int64_t)v.u) : bad(call, "int");
    case VALUE_DOUBLE: /* both ends excluded: they may be the rounding of something beyond */
        return v.d > -9223372036854775808.0 && v.d < 9223372036854775808.0 ? value_int((int64_t)v.d) : bad(call, "int");
    case VALUE_STRING:
        return int_of_text(call);
    default: /* int, and a timestamp's seconds */
        return value_int(v.i);
    }
}

static struct value run_uint(struct cel_call *call)
{
    struct value v = call->args[0];
    bool negative;
    uint64_t n;
    switch ((enum value_type)v.type) {
    case VALUE_INT:
        return v.i >= 0 ? value_uint((uint64_t)v.i) : bad(call, "uint");
    case VALUE_DOUBLE:
        return v.d >= 0 && v.d < 18446744073709551616.0 ? value_uint((uint64_t)v.d) : bad(call, "uint");
    case VALUE_STRING:
        return parse_integer(value_as_str(v), &negative, &n) && !negative ? value_uint(n) : bad(call, "uint");
    default:
        return v;
    }
}

/* Decimal digits, point and exponent with a sign, or NaN, Inf, Infinity in any case: nothing else that strtod takes. */
static bool parse_double(struct str s, double *d)
{
    char text[400];
    size_t start = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    if (s.n >= sizeof text || s.n == start)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    bool digits = (text[start] >= '0' && text[start] <= '9') || text[start] == '.';
    bool hex = s.n > start + 1 && (text[start + 1] == 'x' || text[start + 1] == 'X');
    bool word = text[start] == 'i' || text[start] == 'I' || text[start] == 'n' || text[start] == 'N';
    if ((!digits && !word) || hex || strchr(text, '(') != NULL)
        return false;
    char *end;
    *d = strtod(text, &end);
    return end == text + s.n && (word || !isinf(*d));
}

static struct value run_double(struct cel_call *call)
{
    struct value v = call->args[0];
    double d;
    switch ((enum value_type)v.type) {
    case VALUE_INT:
        return value_double((double)v.i);
    case VALUE_UINT:
        return value_double((double)v.u);
    case VALUE_STRING:
        return parse_double(value_as_str(v), &d) ? value_double(d) : bad(call, "double");
    default:
        return v;
    }
}

/* A printed value, composed in a fixed array: no value printed here needs more. */
struct text {
    char bytes[64];
    size_t n;
};

static struct value text_value(struct cel_call *call, const struct text *text)
{
    char *out = cel_alloc(call->run, text->n);
    if (out == NULL)
        return cel_too_large();
    memcpy(out, text->bytes, text->n);
    return value_str((struct str){out, text->n});
}

/* The shortest decimal that reads back the same; an exponent below 1e-4 and from 1e21 on. */
static void print_double(double d, struct text *text)
{
    char digits[40];
    if (isnan(d) || isinf(d)) {
        text->n = (size_t)snprintf(text->bytes, sizeof text->bytes, "%s", isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
        return;
    }
    int precision = 0;
    do
        (void)snprintf(digits, sizeof digits, "%.*e", precision, d);
    while (strtod(digits, NULL) != d && ++precision < 17);
    const char *e = strchr(digits, 'e');
    int exponent = e != NULL ? (int)strtol(e + 1, NULL, 10) : 0;
    if (exponent < -4 || exponent >= 21) {
        text->n = (size_t)snprintf(text->bytes, sizeof text->bytes, "%s", digits);
        return;
    }
    int decimals = precision > exponent ? precision - exponent : 0;
    text->n = (size_t)snprintf(text->bytes, sizeof text->bytes, "%.*f", decimals, d);
}

/* `3.5s`, `-0.000000001s`: seconds with as many digits as are needed. */
static void print_duration(struct value v, struct text *text)
{
    bool negative = v.i < 0;
    uint64_t seconds = negative ? -(uint64_t)v.i : (uint64_t)v.i;
    uint32_t nanos = v.n;
    if (negative && nanos > 0) {
        seconds--;
        nanos = 1000000000 - nanos;
    }
    int n = snprintf(text->bytes, sizeof text->bytes, "%s%llu.%09u", negative ? "-" : "", (unsigned long long)seconds,
                     nanos);
    while (text->bytes[n - 1] == '0')
        n--;
    if (text->bytes[n - 1] == '.')
        n--;
    text->bytes[n++] = 's';
    text->n = (size_t)n;
}

static void print_timestamp(struct value v, struct text *text)
{
    int year;
    int month;
    int day;
    int64_t days = floor_div(v.i, 86400);
    int of_day = (int)(v.i - days * 86400);
    civil_from_days(days, &year, &month, &day);
    int n = snprintf(text->bytes, sizeof text->bytes, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, of_day / 3600,
                     of_day / 60 % 60, of_day % 60);
    if (v.n > 0) {
        n += snprintf(text->bytes + n, sizeof text->bytes - (size_t)n, ".%09u", v.n);
        while (text->bytes[n - 1] == '0')
            n--;
    }
    text->bytes[n++] = 'Z';
    text->n = (size_t)n;
}

static struct value run_string(struct cel_call *call)
{
    struct value v = call->args[0];
    struct text text = {.n = 0};
    switch ((enum value_type)v.type) {
    case VALUE_BOOL:
        return value_text(v.b ? "true" : "false");
    case VALUE_INT:
        text.n = (size_t)snprintf(text.bytes, sizeof text.bytes, "%lld", (long long)v.i);
        break;
    case VALUE_UINT:
        text.n = (size_t)snprintf(text.bytes, sizeof text.bytes, "%llu", (unsigned long long)v.u);
        break;
    case VALUE_DOUBLE:
        print_double(v.d, &text);
        break;
    case VALUE_BYTES:
        if (!utf8_valid(v.s, v.n))
            return cel_error_text("invalid UTF-8: the bytes are no string");
        v.type = VALUE_STRING;
        return v;
    case VALUE_TIMESTAMP:
        print_timestamp(v, &text);
        break;
    case VALUE_DURATION:
        print_duration(v, &text);
        break;
    case VALUE_TYPE:
        v.type = VALUE_STRING;
        return v;
    default:
        return v;
    }
    return text_value(call, &text);
}

static struct value run_bool(struct cel_call *call)
{
    static const char *const yes[] = {"true", "True", "TRUE", "t", "T", "1"};
    static const char *const no[] = {"false", "False", "FALSE", "f", "F", "0"};
    struct value v = call->args[0];
    if (v.type == VALUE_BOOL)
        return v;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (str_is(value_as_str(v), yes[i]))
            return value_bool(true);
        if (str_is(value_as_str(v), no[i]))
            return value_bool(false);
    }
    return bad(call, "bool");
}

static struct value run_bytes(struct cel_call *call)
{
    struct value v = call->args[0];
    v.type = VALUE_BYTES;
    return v;
}

/* Its time zone is written: without one a time is no instant (RFC 3339), though other readers take it for UTC. */
static bool has_zone(struct str text)
{
    for (size_t i = text.n; i > 0 && text.n - i < 6; i--)
        if (text.p[i - 1] == 'Z' || text.p[i - 1] == 'z' || text.p[i - 1] == '+' || text.p[i - 1] == '-')
            return true;
    return false;
}

static struct value run_timestamp(struct cel_call *call)
{
    struct value v = call->args[0];
    int64_t seconds;
    int32_t nanos;
    if (v.type == VALUE_INT)
        return cel_timestamp(v.i, 0);
    if (v.type != VALUE_STRING)
        return v;
    if (!has_zone(value_as_str(v)) || !time_parse(value_as_str(v), &seconds, &nanos))
        return bad(call, "timestamp, which is written 2024-05-06T07:08:09Z, in the years 1 to 9999");
    return cel_timestamp(seconds, nanos);
}

/* One `12.5h` of a duration at *at; adds its nanoseconds. The fraction of a nanosecond is cut. */
static bool duration_part(struct str s, size_t *at, int64_t *total)
{
    static const struct {
        const char *name;
        int64_t nanos;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"\u00b5s", 1000},
                 {"\u03bcs", 1000},
                 {"ms", 1000000},
                 {"s", 1000000000},
                 {"m", INT64_C(60000000000)},
                 {"h", INT64_C(3600000000000)},
                 {"d", INT64_C(86400000000000)},
                 {"w", INT64_C(604800000000000)}};
    int64_t whole = 0;
    size_t start = *at;
    size_t point = s.n;
    size_t i = *at;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, s.p[i] - '0', &whole))
            return false;
    size_t digits = i - start;
    if (i < s.n && s.p[i] == '.') {
        point = ++i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        digits += i - point;
    }
    size_t name = i;
    while (i < s.n && s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
        i++;
    for (size_t u = 0; u < sizeof units / sizeof *units && digits > 0; u++) {
        if (!str_is((struct str){s.p + name, i - name}, units[u].name))
            continue;
        int64_t nanos;
        if (__builtin_mul_overflow(whole, units[u].nanos, &nanos) || __builtin_add_overflow(*total, nanos, total))
            return false;
        /* From the last digit on, each a tenth of the one before: cutting at every step is cutting once. */
        int64_t part = 0;
        for (size_t k = name; k > point; k--)
            part = ((s.p[k - 1] - '0') * units[u].nanos + part) / 10;
        *at = i;
        return !__builtin_add_overflow(*total, part, total);
    }
    return false;
}

static struct value run_duration(struct cel_call *call)
{
    struct value v = call->args[0];
    if (v.type == VALUE_DURATION)
        return v;
    struct str s = value_as_str(v);
    size_t at = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    int64_t total = 0;
    if (s.n - at == 1 && s.p[at] == '0')
        return cel_duration(0);
    if (at == s.n)
        return bad(call, "duration, which is written 30s, 1h30m, 7d or 1.5s");
    while (at < s.n)
        if (!duration_part(s, &at, &total))
            return bad(call, "duration (of at most 292 years), which is written 30s, 1h30m, 7d or 1.5s");
    return cel_duration(s.p[0] == '-' ? -total : total);
}

static struct value run_dyn(struct cel_call *call)
{
    return call->args[0];
}

static struct value run_type(struct cel_call *call)
{
    struct value v = value_text(value_type_name(call->args[0].type));
    v.type = VALUE_TYPE;
    return v;
}

static struct value run_coalesce(struct cel_call *call)
{
    size_t i = 0;
    while (i + 1 < call->n && value_is_null(call->args[i]))
        i++;
    return call->args[i];
}

#define STR     TAKES(VALUE_STRING)
#define NUMBERS (TAKES(VALUE_INT) | TAKES(VALUE_UINT) | TAKES(VALUE_DOUBLE))
#define PRINTED                                                                                                        \
    (STR | NUMBERS | TAKES(VALUE_BOOL) | TAKES(VALUE_BYTES) | TAKES(VALUE_TIMESTAMP) | TAKES(VALUE_DURATION) |         \
     TAKES(VALUE_TYPE))
const struct cel_function cel_convert_functions[] = {
    {"int", FUNCTION_CALL, 1, 1, VALUE_INT, {NUMBERS | STR | TAKES(VALUE_TIMESTAMP)}, run_int, NULL},
    {"uint", FUNCTION_CALL, 1, 1, VALUE_UINT, {NUMBERS | STR}, run_uint, NULL},
    {"double", FUNCTION_CALL, 1, 1, VALUE_DOUBLE, {NUMBERS | STR}, run_double, NULL},
    {"string", FUNCTION_CALL, 1, 1, VALUE_STRING, {PRINTED}, run_string, NULL},
    {"bool", FUNCTION_CALL, 1, 1, VALUE_BOOL, {STR | TAKES(VALUE_BOOL)}, run_bool, NULL},
    {"bytes", FUNCTION_CALL, 1, 1, VALUE_BYTES, {STR | TAKES(VALUE_BYTES)}, run_bytes, NULL},
    {"timestamp",
     FUNCTION_CALL,
     1,
     1,
     VALUE_TIMESTAMP,
     {STR | TAKES(VALUE_INT) | TAKES(VALUE_TIMESTAMP)},
     run_timestamp,
     NULL},
    {"duration", FUNCTION_CALL, 1, 1, VALUE_DURATION, {STR | TAKES(VALUE_DURATION)}, run_duration, NULL},
    {"dyn", FUNCTION_CALL, 1, 1, TYPE_ANY, {TAKES_ANY}, run_dyn, NULL},
    {"type", FUNCTION_CALL, 1, 1, VALUE_TYPE, {TAKES_ANY}, run_type, NULL},
    {"coalesce", FUNCTION_CALL, 2, 4, TYPE_ANY, {TAKES_ANY, TAKES_ANY, TAKES_ANY, TAKES_ANY}, run_coalesce, NULL},
    {0},
};
