/* The functions on strings, bytes and sizes. Positions and sizes of strings are in code points. */
#define _GNU_SOURCE /* memmem; NOLINT(bugprone-reserved-identifier) */
#include "rule/cel_code.h"
#include "rule/fingerprint.h"

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static int64_t code_points(struct str s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += !is_continuation(s.p[i]);
    return n;
}

/* The byte at which code point `index` begins; -1 where the text has fewer. The end counts. */
static int64_t byte_of(struct str s, int64_t index)
{
    size_t i = 0;
    for (; index > 0 && i < s.n; index--)
        for (i++; i < s.n && is_continuation(s.p[i]);)
            i++;
    return index == 0 ? (int64_t)i : -1;
}

static struct str arg_str(const struct cel_call *call, size_t i)
{
    return value_as_str(call->args[i]);
}

/* The first place of `part` in `text` from byte `from` on; -1: nowhere. memmem, which takes linear time. */
static int64_t find(struct str text, struct str part, size_t from)
{
    if (part.n == 0)
        return (int64_t)from;
    if (from >= text.n)
        return -1;
    const char *found = memmem(text.p + from, text.n - from, part.p, part.n);
    return found != NULL ? found - text.p : -1;
}

static struct value run_size(struct cel_call *call)
{
    struct value v = call->args[0];
    return value_int(v.type == VALUE_STRING ? code_points(value_as_str(v)) : (int64_t)v.n);
}

static struct value run_starts_with(struct cel_call *call)
{
    return value_bool(str_starts(arg_str(call, 0), arg_str(call, 1)));
}

static struct value run_ends_with(struct cel_call *call)
{
    struct str s = arg_str(call, 0);
    struct str end = arg_str(call, 1);
    return value_bool(s.n >= end.n && str_eq((struct str){s.p + (s.n - end.n), end.n}, end));
}

static struct value run_contains(struct cel_call *call)
{
    return value_bool(find(arg_str(call, 0), arg_str(call, 1), 0) >= 0);
}

static int prepare_matches(struct arena *arena, struct cel_budget *budget, struct cel_code *code, struct cel_error *err)
{
    const struct cel_code *pattern = code->kids[1];
    if (pattern->op != CEL_CONSTANT || pattern->constant.type != VALUE_STRING)
        return cel_fail(err, pattern->offset, "matches() takes a constant pattern");
    err->offset = pattern->offset;
    return cel_pattern_compile(arena, value_as_str(pattern->constant), budget, &code->prepared, err);
}

static struct value run_matches(struct cel_call *call)
{
    return cel_pattern_match(call->code->prepared, arg_str(call, 0));
}

/* A string of the text with `change` applied to ASCII letters from `first` to `first` + 25. */
static struct value change_case(struct cel_call *call, char first)
{
    struct str s = arg_str(call, 0);
    char *out = cel_alloc(call->run, s.n);
    if (out == NULL)
        return cel_too_large();
    if (s.n > 0)
        memcpy(out, s.p, s.n);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= first && s.p[i] - first < 26)
            out[i] = (char)(s.p[i] ^ 0x20);
    return value_str((struct str){out, s.n});
}

static struct value run_lower(struct cel_call *call)
{
    return change_case(call, 'A');
}

static struct value run_upper(struct cel_call *call)
{
    return change_case(call, 'a');
}

/* Bytes of the white space character (Unicode's White_Space) that `s` begins with; 0: none. */
static size_t white_space(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (s.n == 0)
        return 0;
    if (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r'))
        return 1;
    if (s.n >= 2 && p[0] == 0xC2) /* U+0085, U+00A0 */
        return p[1] == 0x85 || p[1] == 0xA0 ? 2 : 0;
    if (s.n < 3 || p[0] < 0xE1 || p[0] > 0xE3)
        return 0;
    unsigned c = (p[0] & 0x0FU) << 12 | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);
    bool space = c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
                 c == 0x205F || c == 0x3000;
    return space ? 3 : 0;
}

static struct value run_trim(struct cel_call *call)
{
    struct str s = arg_str(call, 0);
    for (size_t n; (n = white_space(s)) > 0;)
        s = (struct str){s.p + n, s.n - n};
    for (;;) {
        size_t last = s.n;
        while (last > 0 && is_continuation(s.p[--last]))
            continue;
        struct str end = {s.p + last, s.n - last};
        if (s.n == 0 || white_space(end) != end.n)
            return value_str(s);
        s.n = last;
    }
}

/* The parts of `s` between separators, at most `limit`; an empty separator parts the code points. */
static size_t split(struct str s, struct str separator, size_t limit, struct value *parts)
{
    size_t n = 0;
    size_t from = 0;
    while (n + 1 < limit) {
        int64_t at;
        if (separator.n == 0) {
            int64_t next = byte_of((struct str){s.p + from, s.n - from}, 1);
            at = next > 0 ? (int64_t)from + next : -1;
            if (at == (int64_t)s.n)
                at = -1;
        } else {
            at = find(s, separator, from);
        }
        if (at < 0)
            break;
        if (parts != NULL)
            parts[n] = value_str((struct str){s.p + from, (size_t)at - from});
        n++;
        from = (size_t)at + separator.n;
    }
    if (separator.n == 0 && s.n == 0)
        return n;
    if (parts != NULL)
        parts[n] = value_str((struct str){s.p + from, s.n - from});
    return n + 1;
}

static struct value run_split(struct cel_call *call)
{
    int64_t limit = call->n > 2 ? call->args[2].i : -1;
    size_t n_max = limit < 0 ? SIZE_MAX : (size_t)limit;
    if (n_max == 0)
        return value_list(NULL, 0);
    size_t n = split(arg_str(call, 0), arg_str(call, 1), n_max, NULL);
    struct value *parts = cel_alloc(call->run, n * sizeof *parts);
    if (parts == NULL)
        return cel_too_large();
    split(arg_str(call, 0), arg_str(call, 1), n_max, parts);
    return value_list(parts, n);
}

static struct value run_join(struct cel_call *call)
{
    struct value list = call->args[0];
    struct str separator = call->n > 1 ? arg_str(call, 1) : (struct str){NULL, 0};
    size_t total = 0;
    for (uint32_t i = 0; i < list.n; i++) {
        if (list.items[i].type != VALUE_STRING)
            return cel_no_overload(call->run, "join() of an element", &list.items[i], 1);
        total += list.items[i].n + (i > 0 ? separator.n : 0);
    }
    char *out = total > UINT32_MAX ? NULL : cel_alloc(call->run, total);
    if (out == NULL)
        return cel_too_large();
    size_t n = 0;
    for (uint32_t i = 0; i < list.n; i++) {
        if (i > 0 && separator.n > 0) {
            memcpy(out + n, separator.p, separator.n);
            n += separator.n;
        }
        if (list.items[i].n > 0)
            memcpy(out + n, list.items[i].s, list.items[i].n);
        n += list.items[i].n;
    }
    return value_str((struct str){out, n});
}

static struct value out_of_range(struct cel_call *call, int64_t index)
{
    return cel_error_printf(call->run, "index out of range: %lld", (long long)index);
}

static struct value run_char_at(struct cel_call *call)
{
    struct str s = arg_str(call, 0);
    int64_t from = call->args[1].i < 0 ? -1 : byte_of(s, call->args[1].i);
    if (from < 0)
        return out_of_range(call, call->args[1].i);
    struct str rest = {s.p + from, s.n - (size_t)from};
    int64_t n = byte_of(rest, 1);
    return value_str((struct str){rest.p, n < 0 ? 0 : (size_t)n});
}

static struct value run_index_of(struct cel_call *call)
{
    struct str s = arg_str(call, 0);
    int64_t from = call->n > 2 ? call->args[2].i : 0;
    int64_t byte = from < 0 ? -1 : byte_of(s, from);
    if (byte < 0)
        return out_of_range(call, from);
    int64_t found = find(s, arg_str(call, 1), (size_t)byte);
    return value_int(found < 0 ? -1 : code_points((struct str){s.p, (size_t)found}));
}

static struct value run_last_index_of(struct cel_call *call)
{
    struct str s = arg_str(call, 0);
    struct str part = arg_str(call, 1);
    int64_t last = (int64_t)s.n;
    if (call->n > 2)
        last = call->args[2].i < 0 ? -1 : byte_of(s, call->args[2].i);
    if (last < 0)
        return out_of_range(call, call->args[2].i);
    if (part.n > s.n)
        return value_int(-1);
    if ((size_t)last > s.n - part.n)
        last = (int64_t)(s.n - part.n);
    for (; last >= 0; last--) {
        /* The work is the product of both lengths at worst: it is paid for in steps. */
        call->run->steps -= 1 + (int64_t)(part.n / 64);
        if (call->run->steps < 0)
            return cel_too_large();
        if (part.n == 0 || memcmp(s.p + last, part.p, part.n) == 0)
            return value_int(code_points((struct str){s.p, (size_t)last}));
    }
    return value_int(-1);
}

/* Writes `s` with the first `limit` places of `old` replaced; out NULL: only the length. */
static size_t replace(struct str s, struct str old, struct str new, uint64_t limit, char *out)
{
    size_t n = 0;
    size_t from = 0;
    while (limit > 0 && from <= s.n) {
        /* An empty `old` stands before each code point and at the end. */
        int64_t at = find(s, old, from);
        if (at < 0)
            break;
        size_t step = old.n;
        if (old.n == 0) {
            int64_t next = byte_of((struct str){s.p + at, s.n - (size_t)at}, 1);
            step = next > 0 ? (size_t)next : 0;
        }
        size_t kept = (size_t)at - from;
        size_t own = old.n == 0 ? step : 0; /* the code point after an empty `old` stays */
        if (out != NULL) {
            if (kept > 0)
                memcpy(out + n, s.p + from, kept);
            if (new.n > 0)
                memcpy(out + n + kept, new.p, new.n);
            if (own > 0)
                memcpy(out + n + kept + new.n, s.p + at, own);
        }
        n += kept + new.n + own;
        from = (size_t)at + (step == 0 ? 1 : step);
        limit--;
    }
    if (from < s.n) {
        if (out != NULL)
            memcpy(out + n, s.p + from, s.n - from);
        n += s.n - from;
    }
    return n;
}

static struct value run_replace(struct cel_call *call)
{
    int64_t given = call->n > 3 ? call->args[3].i : -1;
    uint64_t limit = given < 0 ? UINT64_MAX : (uint64_t)given;
    size_t n = replace(arg_str(call, 0), arg_str(call, 1), arg_str(call, 2), limit, NULL);
    char *out = n > UINT32_MAX ? NULL : cel_alloc(call->run, n);
    if (out == NULL)
        return cel_too_large();
    replace(arg_str(call, 0), arg_str(call, 1), arg_str(call, 2), limit, out);
    return value_str((struct str){out, n});
}

static struct value run_substring(struct cel_call *call)
{
    struct str s = arg_str(call, 0);
    int64_t start = call->args[1].i < 0 ? -1 : byte_of(s, call->args[1].i);
    int64_t end = (int64_t)s.n;
    if (start < 0)
        return out_of_range(call, call->args[1].i);
    if (call->n > 2) {
        end = call->args[2].i < 0 ? -1 : byte_of(s, call->args[2].i);
        if (end < 0)
            return out_of_range(call, call->args[2].i);
    }
    if (end < start)
        return cel_error_printf(call->run, "invalid substring range. start: %lld, end: %lld",
                                (long long)call->args[1].i, (long long)call->args[2].i);
    return value_str((struct str){s.p + start, (size_t)(end - start)});
}

static struct value run_fingerprint(struct cel_call *call)
{
    struct str s = arg_str(call, 0);
    char *out = cel_alloc(call->run, s.n * FINGERPRINT_GROWTH);
    if (out == NULL)
        return cel_too_large();
    return value_str((struct str){out, fingerprint(s, out)});
}

#define STR   TAKES(VALUE_STRING)
#define INT   TAKES(VALUE_INT)
#define SIZED (STR | TAKES(VALUE_BYTES) | TAKES(VALUE_LIST) | TAKES(VALUE_MAP))
const struct cel_function cel_string_functions[] = {
    {"size", FUNCTION_CALL | FUNCTION_METHOD, 1, 1, VALUE_INT, {SIZED}, run_size, NULL},
    {"startsWith", FUNCTION_METHOD, 2, 2, VALUE_BOOL, {STR, STR}, run_starts_with, NULL},
    {"endsWith", FUNCTION_METHOD, 2, 2, VALUE_BOOL, {STR, STR}, run_ends_with, NULL},
    {"contains", FUNCTION_METHOD, 2, 2, VALUE_BOOL, {STR, STR}, run_contains, NULL},
    {"matches", FUNCTION_CALL | FUNCTION_METHOD, 2, 2, VALUE_BOOL, {STR, STR}, run_matches, prepare_matches},
    {"lowerAscii", FUNCTION_METHOD, 1, 1, VALUE_STRING, {STR}, run_lower, NULL},
    {"upperAscii", FUNCTION_METHOD, 1, 1, VALUE_STRING, {STR}, run_upper, NULL},
    {"trim", FUNCTION_METHOD, 1, 1, VALUE_STRING, {STR}, run_trim, NULL},
    {"split", FUNCTION_METHOD, 2, 3, VALUE_LIST, {STR, STR, INT}, run_split, NULL},
    {"join", FUNCTION_METHOD, 1, 2, VALUE_STRING, {TAKES(VALUE_LIST), STR}, run_join, NULL},
    {"charAt", FUNCTION_METHOD, 2, 2, VALUE_STRING, {STR, INT}, run_char_at, NULL},
    {"indexOf", FUNCTION_METHOD, 2, 3, VALUE_INT, {STR, STR, INT}, run_index_of, NULL},
    {"lastIndexOf", FUNCTION_METHOD, 2, 3, VALUE_INT, {STR, STR, INT}, run_last_index_of, NULL},
    {"replace", FUNCTION_METHOD, 3, 4, VALUE_STRING, {STR, STR, STR, INT}, run_replace, NULL},
    {"substring", FUNCTION_METHOD, 2, 3, VALUE_STRING, {STR, INT, INT}, run_substring, NULL},
    {"fingerprint", FUNCTION_CALL, 1, 1, VALUE_STRING, {STR}, run_fingerprint, NULL},
    {0},
};
