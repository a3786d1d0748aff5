/* Tokens of an expression: names, numbers, strings and bytes with their escapes, operators; comments and space skipped.
 *
 * The text is untrusted and need not end in NUL: every look ahead goes through peek().
 */
#include "rule/cel_node.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

PRINTF_LIKE(3, 0)
static int fail(struct cel_error *err, size_t offset, const char *format, va_list args)
{
    err->offset = offset;
    err->too_large = false;
    err->error.class = ERROR_BAD_INPUT;
    (void)vsnprintf(err->error.message, sizeof err->error.message, format, args);
    return -1;
}

int cel_fail(struct cel_error *err, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status = fail(err, offset, format, args);
    va_end(args);
    return status;
}

int cel_fail_large(struct cel_error *err, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status = fail(err, offset, format, args);
    va_end(args);
    err->too_large = true;
    return status;
}

static int peek(const struct cel_lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->text.n ? (unsigned char)lexer->text.p[at] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_name_start(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_space(struct cel_lexer *lexer)
{
    for (;;) {
        int c = peek(lexer, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            lexer->at++;
        } else if (c == '/' && peek(lexer, 1) == '/') {
            while (peek(lexer, 0) != -1 && peek(lexer, 0) != '\n')
                lexer->at++;
        } else {
            return;
        }
    }
}

static void put_utf8(char **out, uint32_t c)
{
    char *p = *out;
    if (c < 0x80) {
        *p++ = (char)c;
    } else if (c < 0x800) {
        *p++ = (char)(0xC0 | c >> 6);
        *p++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *p++ = (char)(0xE0 | c >> 12);
        *p++ = (char)(0x80 | (c >> 6 & 0x3F));
        *p++ = (char)(0x80 | (c & 0x3F));
    } else {
        *p++ = (char)(0xF0 | c >> 18);
        *p++ = (char)(0x80 | (c >> 12 & 0x3F));
        *p++ = (char)(0x80 | (c >> 6 & 0x3F));
        *p++ = (char)(0x80 | (c & 0x3F));
    }
    *out = p;
}

/* `digits` hexadecimal or octal digits at the lexer's place; -1 where they are not there. */
static int64_t escape_number(struct cel_lexer *lexer, int digits, int base)
{
    int64_t n = 0;
    for (int i = 0; i < digits; i++, lexer->at++) {
        int digit = hex_digit(peek(lexer, 0));
        if (digit < 0 || digit >= base)
            return -1;
        n = n * base + digit;
    }
    return n;
}

/* An escape after its backslash, which is at `start`. */
static int lex_escape(struct cel_lexer *lexer, size_t start, bool bytes, char **out)
{
    static const char simple[] = "abfnrtv\\?\"'`";
    static const char meant[] = "\a\b\f\n\r\t\v\\?\"'`";
    int c = peek(lexer, 0);
    const char *found = c > 0 ? strchr(simple, c) : NULL;
    if (found != NULL) {
        lexer->at++;
        *(*out)++ = meant[found - simple];
        return 0;
    }
    int64_t n;
    if (c >= '0' && c <= '3') {
        n = escape_number(lexer, 3, 8);
        if (n < 0)
            return cel_fail(lexer->err, start, "an octal escape has three digits, \\000 to \\377");
    } else if (c == 'x' || c == 'X' || ((c == 'u' || c == 'U') && !bytes)) {
        int digits = c == 'u' ? 4 : c == 'U' ? 8 : 2;
        lexer->at++;
        n = escape_number(lexer, digits, 16);
        if (n < 0)
            return cel_fail(lexer->err, start, "the escape \\%c takes %d hexadecimal digits", c, digits);
        if (n > 0x10FFFF || (n >= 0xD800 && n <= 0xDFFF))
            return cel_fail(lexer->err, start, "the escape stands for no Unicode character");
    } else if (c == 'u' || c == 'U') {
        return cel_fail(lexer->err, start, "bytes take \\x and octal escapes, not \\%c", c);
    } else {
        return cel_fail(lexer->err, start,
                        "unknown escape; known are \\a \\b \\f \\n \\r \\t \\v \\\\ \\? \\\" \\' \\` \\xHH \\uHHHH "
                        "\\UHHHHHHHH and three octal digits (a raw string r'...' needs none)");
    }
    if (bytes)
        *(*out)++ = (char)n;
    else
        put_utf8(out, (uint32_t)n);
    return 0;
}

/* The place of the quotes that close a literal whose text begins at the lexer's place; -1: there are none. */
static int64_t closing(const struct cel_lexer *lexer, int quote, bool triple, bool raw)
{
    for (size_t i = 0;; i++) {
        int c = peek(lexer, i);
        if (c == -1 || (!triple && (c == '\n' || c == '\r')))
            return -1;
        if (c == quote && (!triple || (peek(lexer, i + 1) == quote && peek(lexer, i + 2) == quote)))
            return (int64_t)(lexer->at + i);
        if (c == '\\' && !raw && peek(lexer, i + 1) != -1)
            i++;
    }
}

/* A string or bytes literal whose prefix has been read; the lexer is at its opening quote. */
static int lex_string(struct cel_lexer *lexer, struct cel_token *token, bool raw, bool bytes)
{
    int quote = peek(lexer, 0);
    bool triple = peek(lexer, 1) == quote && peek(lexer, 2) == quote;
    lexer->at += triple ? 3 : 1;
    int64_t end = closing(lexer, quote, triple, raw);
    if (end < 0)
        return cel_fail(lexer->err, token->offset,
                        triple ? "the text is not closed: three %c are missing"
                               : "the text is not closed: %c is missing on its line",
                        quote);
    /* No escape is shorter than what it stands for. */
    char *start = arena_alloc(lexer->arena, (size_t)end - lexer->at + 1);
    char *out = start;
    while (lexer->at < (size_t)end) {
        int c = peek(lexer, 0);
        lexer->at++;
        if (c == '\\' && !raw)
            TRY(lex_escape(lexer, lexer->at - 1, bytes, &out));
        else
            *out++ = (char)c;
    }
    lexer->at += triple ? 3 : 1;
    token->kind = TOKEN_VALUE;
    token->value = value_str((struct str){start, (size_t)(out - start)});
    if (bytes)
        token->value.type = VALUE_BYTES;
    return 0;
}

static int lex_integer(struct cel_lexer *lexer, struct cel_token *token, uint64_t base)
{
    uint64_t n = 0;
    bool fits = true;
    for (int digit; (digit = hex_digit(peek(lexer, 0))) >= 0 && (uint64_t)digit < base; lexer->at++)
        fits = fits && !__builtin_mul_overflow(n, base, &n) && !__builtin_add_overflow(n, (uint64_t)digit, &n);
    bool is_unsigned = peek(lexer, 0) == 'u' || peek(lexer, 0) == 'U';
    if (is_unsigned)
        lexer->at++;
    if (!fits)
        return cel_fail(lexer->err, token->offset, "the number does not fit: %s",
                        is_unsigned ? "uint ends at 18446744073709551615" : "int ends at 9223372036854775807");
    token->kind = is_unsigned ? TOKEN_VALUE : TOKEN_INT;
    token->value = value_uint(n);
    return 0;
}

static int lex_double(struct cel_lexer *lexer, struct cel_token *token, size_t end)
{
    struct str text = {lexer->text.p + lexer->at, end - lexer->at};
    double d = strtod(arena_str(lexer->arena, text).p, NULL);
    lexer->at = end;
    if (isinf(d))
        return cel_fail(lexer->err, token->offset, "the number does not fit: double ends at 1.7976931348623157e308");
    token->kind = TOKEN_VALUE;
    token->value = value_double(d);
    return 0;
}

static int lex_number(struct cel_lexer *lexer, struct cel_token *token)
{
    if (peek(lexer, 0) == '0' && (peek(lexer, 1) == 'x' || peek(lexer, 1) == 'X')) {
        lexer->at += 2;
        if (hex_digit(peek(lexer, 0)) < 0)
            return cel_fail(lexer->err, token->offset, "hexadecimal digits are missing after 0x");
        TRY(lex_integer(lexer, token, 16));
    } else {
        size_t i = 0;
        while (is_digit(peek(lexer, i)))
            i++;
        bool is_double = false;
        if (peek(lexer, i) == '.' && is_digit(peek(lexer, i + 1))) {
            is_double = true;
            for (i++; is_digit(peek(lexer, i));)
                i++;
        }
        if (peek(lexer, i) == 'e' || peek(lexer, i) == 'E') {
            size_t sign = peek(lexer, i + 1) == '+' || peek(lexer, i + 1) == '-' ? 1 : 0;
            if (is_digit(peek(lexer, i + 1 + sign))) {
                is_double = true;
                for (i += 1 + sign; is_digit(peek(lexer, i));)
                    i++;
            }
        }
        if (is_double)
            TRY(lex_double(lexer, token, lexer->at + i));
        else
            TRY(lex_integer(lexer, token, 10));
    }
    if (is_name_start(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        return cel_fail(lexer->err, lexer->at, "'%c' follows a number; a duration is written duration('5m')",
                        peek(lexer, 0));
    return 0;
}

static void lex_name(struct cel_lexer *lexer, struct cel_token *token)
{
    size_t start = lexer->at;
    while (is_name_start(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->at++;
    token->kind = TOKEN_NAME;
    token->text = (struct str){lexer->text.p + start, lexer->at - start};
}

static int lex_quoted_name(struct cel_lexer *lexer, struct cel_token *token)
{
    size_t start = ++lexer->at;
    for (int c; (c = peek(lexer, 0)) != '`'; lexer->at++)
        if (!is_name_start(c) && !is_digit(c) && (c <= 0 || strchr(".-/ ", c) == NULL))
            return cel_fail(lexer->err, lexer->at,
                            "a quoted field name holds letters, digits, _ . - / and spaces up to a `");
    token->kind = TOKEN_QUOTED_NAME;
    token->text = (struct str){lexer->text.p + start, lexer->at - start};
    lexer->at++;
    return token->text.n > 0 ? 0 : cel_fail(lexer->err, start, "a field name is missing between the ``");
}

/* Control characters, and what lies beyond ASCII: quotes and operators that an editor made nicer, as a rule. */
static int strange_character(const struct cel_lexer *lexer)
{
    const char *p = lexer->text.p + lexer->at;
    size_t n = 1;
    while (lexer->at + n < lexer->text.n && ((unsigned char)p[n] & 0xC0) == 0x80)
        n++;
    if (n == 1)
        return cel_fail(lexer->err, lexer->at, "a character that may stand only inside quotes (byte 0x%02x)",
                        (unsigned)(unsigned char)*p);
    /* U+2018 to U+201F are quotation marks. */
    bool quote = n == 3 && memcmp(p, "\xe2\x80", 2) == 0 && (unsigned char)p[2] >= 0x98 && (unsigned char)p[2] <= 0x9F;
    return cel_fail(lexer->err, lexer->at, "'%.*s' may stand only inside quotes%s", (int)n, p,
                    quote ? "; quotes are ' and \"" : "");
}

static int lex_sign(struct cel_lexer *lexer, struct cel_token *token)
{
    static const struct {
        char text[3];
        int sign;
    } doubles[] = {{"<=", SIGN_LE}, {">=", SIGN_GE},  {"==", SIGN_EQ},
                   {"!=", SIGN_NE}, {"&&", SIGN_AND}, {"||", SIGN_OR}};
    int c = peek(lexer, 0);
    token->kind = TOKEN_SIGN;
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        if (c == doubles[i].text[0] && peek(lexer, 1) == doubles[i].text[1]) {
            token->sign = doubles[i].sign;
            lexer->at += 2;
            return 0;
        }
    if (c == '=')
        return cel_fail(lexer->err, lexer->at, "'=' is no operator; equality is written ==");
    if (c == '&' || c == '|')
        return cel_fail(lexer->err, lexer->at, "'%c' is no operator; write %c%c", c, c, c);
    if (c < 0x20 || c >= 0x7F || strchr("()[]{}<>.,:?!+-*/%", c) == NULL) {
        if (c < 0x20 || c >= 0x7F)
            return strange_character(lexer);
        return cel_fail(lexer->err, lexer->at, "'%c' may stand only inside quotes", c);
    }
    token->sign = c;
    lexer->at++;
    return 0;
}

/* The prefix of a string literal at the lexer's place, skipped; false where none begins here. */
static bool string_prefix(struct cel_lexer *lexer, bool *raw, bool *bytes)
{
    size_t i = 0;
    *bytes = peek(lexer, i) == 'b' || peek(lexer, i) == 'B';
    i += *bytes;
    *raw = peek(lexer, i) == 'r' || peek(lexer, i) == 'R';
    i += *raw;
    if (peek(lexer, i) != '\'' && peek(lexer, i) != '"')
        return false;
    lexer->at += i;
    return true;
}

int cel_lex(struct cel_lexer *lexer, struct cel_token *token)
{
    skip_space(lexer);
    *token = (struct cel_token){.kind = TOKEN_END, .offset = lexer->at};
    int c = peek(lexer, 0);
    bool raw;
    bool bytes;
    int status = 0;
    if (c == -1)
        token->text = STR_LIT("the end");
    else if (string_prefix(lexer, &raw, &bytes))
        status = lex_string(lexer, token, raw, bytes);
    else if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1))))
        status = lex_number(lexer, token);
    else if (is_name_start(c))
        lex_name(lexer, token);
    else if (c == '`')
        status = lex_quoted_name(lexer, token);
    else
        status = lex_sign(lexer, token);
    if (token->text.p == NULL)
        token->text = (struct str){lexer->text.p + token->offset, lexer->at - token->offset};
    return status;
}
