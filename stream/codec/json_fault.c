/* See json_fault.h. One pass with a stack of the brackets that are open, whose depth is json_parse's. */
#include "codec/json_fault.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { DEPTH_MAX = 64, NUMBER_MAX = 400 };

/* What may come next. */
enum expected { A_VALUE, A_VALUE_OR_END, A_NAME, A_NAME_OR_END, A_COLON, A_COMMA_OR_END };

struct walk {
    struct str text;
    size_t at;
    char open[DEPTH_MAX];
    size_t depth;
    enum expected expected;
    const char *words;
};

/* The byte at the walk's place; NUL at the end. */
static char peek(const struct walk *walk)
{
    return walk->at < walk->text.n ? walk->text.p[walk->at] : '\0';
}

static void fail(struct walk *walk, const char *words)
{
    walk->words = words;
}

static unsigned hex4(const struct walk *walk, size_t at)
{
    unsigned code = 0;
    for (size_t i = at; i < at + 4; i++) {
        if (i >= walk->text.n || !isxdigit((unsigned char)walk->text.p[i]))
            return UINT32_MAX;
        char c = (char)tolower((unsigned char)walk->text.p[i]);
        code = code * 16 + (unsigned)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
    }
    return code;
}

/* After the backslash of an escape. */
static void read_escape(struct walk *walk)
{
    char c = peek(walk);
    if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL) {
        walk->at--;
        fail(walk, "no such escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uHHHH");
        return;
    }
    walk->at++;
    if (c != 'u')
        return;
    unsigned code = hex4(walk, walk->at);
    bool high = code >= 0xd800 && code < 0xdc00;
    bool pair = high && walk->at + 6 <= walk->text.n && memcmp(walk->text.p + walk->at + 4, "\\u", 2) == 0;
    unsigned low = pair ? hex4(walk, walk->at + 6) : 0;
    if (code == UINT32_MAX) {
        fail(walk, "four hexadecimal digits are missing after \\u");
    } else if ((high && (low < 0xdc00 || low > 0xdfff)) || (code >= 0xdc00 && code < 0xe000)) {
        walk->at -= 2;
        fail(walk, "the escape stands for no Unicode character");
    } else {
        walk->at += high ? 10 : 4;
    }
}

static void read_text(struct walk *walk)
{
    size_t start = walk->at++;
    while (walk->words == NULL) {
        if (walk->at >= walk->text.n) {
            walk->at = start;
            fail(walk, "the text that begins here is not closed: \" is missing");
            return;
        }
        unsigned char c = (unsigned char)walk->text.p[walk->at];
        if (c < 0x20) {
            fail(walk, "control characters are written \\n, \\t or \\uHHHH in text");
            return;
        }
        walk->at++;
        if (c == '"')
            return;
        if (c == '\\')
            read_escape(walk);
    }
}

static void skip_digits(struct walk *walk)
{
    if (!isdigit((unsigned char)peek(walk)))
        fail(walk, "a digit is missing here");
    while (isdigit((unsigned char)peek(walk)))
        walk->at++;
}

static void read_number(struct walk *walk)
{
    size_t start = walk->at;
    walk->at += peek(walk) == '-';
    bool zero = peek(walk) == '0';
    skip_digits(walk);
    if (zero && walk->words == NULL && walk->at > start + (walk->text.p[start] == '-') + 1) {
        walk->at = start;
        fail(walk, "a number does not begin with 0");
        return;
    }
    bool whole = true;
    if (walk->words == NULL && peek(walk) == '.') {
        whole = false;
        walk->at++;
        skip_digits(walk);
    }
    if (walk->words == NULL && (peek(walk) == 'e' || peek(walk) == 'E')) {
        whole = false;
        walk->at++;
        walk->at += peek(walk) == '+' || peek(walk) == '-';
        skip_digits(walk);
    }
    char digits[NUMBER_MAX];
    size_t n = walk->at - start;
    if (walk->words != NULL || n >= sizeof digits)
        return;
    memcpy(digits, walk->text.p + start, n);
    digits[n] = '\0';
    errno = 0;
    if (whole && *digits == '-')
        (void)strtoll(digits, NULL, 10);
    else if (whole)
        (void)strtoull(digits, NULL, 10);
    if (whole ? errno != 0 : !isfinite(strtod(digits, NULL))) {
        walk->at = start;
        fail(walk, whole ? "the number does not fit; write it with a point, as a double" : "the number does not fit");
    }
}

static void read_word(struct walk *walk)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t end = walk->at;
    while (end < walk->text.n && isalpha((unsigned char)walk->text.p[end]))
        end++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is((struct str){walk->text.p + walk->at, end - walk->at}, words[i])) {
            walk->at = end;
            return;
        }
    fail(walk, "this is no value: true, false, null, a number, \"text\", [ or {");
}

static void read_value(struct walk *walk)
{
    char c = peek(walk);
    bool may_end = walk->expected == A_VALUE_OR_END;
    walk->expected = A_COMMA_OR_END;
    if (c == '"') {
        read_text(walk);
    } else if (c == '-' || isdigit((unsigned char)c)) {
        read_number(walk);
    } else if (c == '{' || c == '[') {
        if (walk->depth == DEPTH_MAX) {
            fail(walk, "nested deeper than 64");
            return;
        }
        walk->open[walk->depth++] = c;
        walk->expected = c == '{' ? A_NAME_OR_END : A_VALUE_OR_END;
        walk->at++;
    } else if (may_end && c == ']') {
        walk->depth--;
        walk->at++;
    } else if (walk->at >= walk->text.n || strchr(",:]}", c) != NULL) {
        fail(walk, "a value is missing here");
    } else if (c == '\'') {
        fail(walk, "text is written within double quotes");
    } else {
        read_word(walk);
    }
}

static void read_name(struct walk *walk)
{
    if (peek(walk) == '}' && walk->expected == A_NAME_OR_END) {
        walk->depth--;
        walk->at++;
        walk->expected = A_COMMA_OR_END;
    } else if (peek(walk) == '"') {
        walk->expected = A_COLON;
        read_text(walk);
    } else {
        fail(walk, peek(walk) == '}' ? "the ',' before this is one too many"
                                     : "a name is missing here, within double quotes");
    }
}

static void read_sign(struct walk *walk)
{
    char c = peek(walk);
    if (walk->expected == A_COLON) {
        if (c != ':')
            fail(walk, "a ':' is missing here");
        walk->expected = A_VALUE;
    } else if (c == ',') {
        walk->expected = walk->open[walk->depth - 1] == '{' ? A_NAME : A_VALUE;
    } else if (c == (walk->open[walk->depth - 1] == '{' ? '}' : ']')) {
        walk->depth--;
    } else {
        fail(walk,
             walk->open[walk->depth - 1] == '{' ? "a ',' or '}' is missing here" : "a ',' or ']' is missing here");
    }
    walk->at += walk->words == NULL;
}

struct json_fault json_fault_find(struct str text)
{
    struct walk walk = {.text = text, .expected = A_VALUE};
    while (walk.words == NULL) {
        while (walk.at < text.n && strchr(" \t\r\n", text.p[walk.at]) != NULL && text.p[walk.at] != '\0')
            walk.at++;
        if (walk.expected == A_VALUE || walk.expected == A_VALUE_OR_END) {
            read_value(&walk);
        } else if (walk.expected == A_NAME || walk.expected == A_NAME_OR_END) {
            read_name(&walk);
        } else if (walk.expected == A_COLON || walk.depth > 0) {
            read_sign(&walk);
        } else {
            if (walk.at < text.n)
                fail(&walk, "more follows what was whole already");
            break;
        }
    }
    return (struct json_fault){walk.at, walk.words};
}
