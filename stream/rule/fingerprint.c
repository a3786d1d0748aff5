/* One pass over the text, word by word. A word ends at space, a bracket, a quote, a comma, a semicolon or an equals
 * sign; what kind it is is decided by a constant number of scans over it, so the whole is linear.
 */
#include "rule/fingerprint.h"

struct writer {
    char *out;
    size_t n;
};

static void put(struct writer *w, struct str text)
{
    if (text.n > 0)
        memcpy(w->out + w->n, text.p, text.n);
    w->n += text.n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

static bool ends_word(char c)
{
    return (unsigned char)c <= ' ' || (c != 0 && strchr("()[]{}<>\"'`,;=|", c) != NULL);
}

static bool all(struct str s, bool (*test)(char))
{
    for (size_t i = 0; i < s.n; i++)
        if (!test(s.p[i]))
            return false;
    return s.n > 0;
}

static size_t count(struct str s, char wanted)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == wanted;
    return n;
}

static bool has_digit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_digit(s.p[i]))
            return true;
    return false;
}

/* 8-4-4-4-12 hexadecimal digits. */
static bool is_uuid(struct str s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] != '-' : !is_hex(s.p[i]))
            return false;
    return true;
}

/* 0x..., or eight digits and letters a to f or more, of both kinds: an id or a hash, not a word such as `deadbeef`. */
static bool is_hex_number(struct str s)
{
    if (s.n > 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X'))
        return all((struct str){s.p + 2, s.n - 2}, is_hex);
    return s.n >= 8 && all(s, is_hex) && has_digit(s) && !all(s, is_digit);
}

/* The text before a final `:digits`, or all of it. */
static struct str without_port(struct str s)
{
    size_t i = s.n;
    while (i > 0 && is_digit(s.p[i - 1]))
        i--;
    return i > 1 && i < s.n && s.p[i - 1] == ':' ? (struct str){s.p, i - 1} : s;
}

static bool is_address(struct str s)
{
    struct str host = without_port(s);
    size_t groups = 1;
    size_t digits = 0;
    bool dotted = host.n > 0;
    for (size_t i = 0; i < host.n && dotted; i++) {
        if (host.p[i] == '.') {
            groups++;
            dotted = digits > 0;
            digits = 0;
        } else {
            digits++;
            dotted = is_digit(host.p[i]) && digits <= 3;
        }
    }
    if (dotted && groups == 4 && digits > 0)
        return true;
    /* IPv6 and MAC: hexadecimal groups between colons, at least two of them. */
    size_t colons = count(s, ':');
    if (colons >= 2) {
        for (size_t i = 0; i < s.n; i++)
            if (!is_hex(s.p[i]) && s.p[i] != ':' && s.p[i] != '.')
                return false;
        /* 12:34:56 is a time, whose parts are numbers. */
        return colons >= 5 || strchr("abcdefABCDEF:", s.p[0]) != NULL || count(s, ':') != 2 || !has_digit(s);
    }
    /* host:port, a name before the colon. */
    return host.n < s.n && is_letter(host.p[0]);
}

/* /a/b, ./a, ../a, ~/a, C:\a: two separators, or one in front. */
static bool is_path(struct str s)
{
    size_t start = 0;
    while (start < s.n && start < 2 && (s.p[start] == '.' || s.p[start] == '~'))
        start++;
    if (start + 1 < s.n && s.p[start] == '/')
        return true;
    if (s.n >= 3 && is_letter(s.p[0]) && s.p[1] == ':' && s.p[2] == '\\')
        return true;
    return count(s, '/') >= 2 || count(s, '\\') >= 2;
}

static bool is_letter_or_digit(char c)
{
    return is_digit(c) || is_letter(c);
}

/* The place lies between what belongs together: at an end of the word, or beside a mark such as `_` or `:`. */
static bool is_edge(struct str s, size_t at)
{
    return at == 0 || at == s.n || !is_letter_or_digit(s.p[at - 1]) || !is_letter_or_digit(s.p[at]);
}

/* The length of an id that begins at `at` within a word: a UUID, or what follows the @ of a Java object; 0: none.
 * `*what` is its placeholder. */
static size_t id_within(struct str s, size_t at, struct str *what)
{
    enum { UUID_LENGTH = 36, OBJECT_MIN = 5 };
    size_t left = s.n - at;
    *what = STR_LIT("<uuid>");
    if (left >= UUID_LENGTH && is_edge(s, at) && is_edge(s, at + UUID_LENGTH) &&
        is_uuid((struct str){s.p + at, UUID_LENGTH}))
        return UUID_LENGTH;
    size_t n = 0;
    *what = STR_LIT("<hex>");
    while (at > 0 && s.p[at - 1] == '@' && n < left && is_hex(s.p[at + n]))
        n++;
    return n >= OBJECT_MIN && is_edge(s, at + n) && has_digit((struct str){s.p + at, n}) ? n : 0;
}

/* A minus that makes a number negative; not a hyphen, as of `pod-7`. */
static bool is_sign(struct str s, size_t at)
{
    return s.p[at] == '-' && at + 1 < s.n && is_digit(s.p[at + 1]) &&
           (at == 0 || (!is_letter_or_digit(s.p[at - 1]) && s.p[at - 1] != '-'));
}

/* The length of the digits at `at`, with the fraction of a number such as 3.5; the parts of 1.2.3 are three numbers. */
static size_t number_length(struct str s, size_t at)
{
    size_t i = at;
    while (i < s.n && is_digit(s.p[i]))
        i++;
    bool fraction = i + 1 < s.n && s.p[i] == '.' && is_digit(s.p[i + 1]);
    size_t end = i + 1;
    while (fraction && end < s.n && is_digit(s.p[end]))
        end++;
    bool version = at > 0 && s.p[at - 1] == '.';
    return (fraction && !version && (end == s.n || s.p[end] != '.') ? end : i) - at;
}

/* Numbers and ids within a word that is none as a whole: `pod-7` is `pod-<n>`, `v1.2.3` is `v<n>.<n>.<n>`, `3.5ms`
 * `<n>ms`, `blk_-7` `blk_<n>`. */
static void put_numbers(struct writer *w, struct str s)
{
    size_t i = 0;
    while (i < s.n) {
        struct str what;
        size_t id = is_hex(s.p[i]) ? id_within(s, i, &what) : 0;
        size_t sign = is_sign(s, i);
        if (id > 0) {
            put(w, what);
            i += id;
        } else if (is_digit(s.p[i + sign])) {
            i += sign + number_length(s, i + sign);
            put(w, STR_LIT("<n>"));
        } else {
            put(w, (struct str){s.p + i++, 1});
        }
    }
}

static void put_word(struct writer *w, struct str s)
{
    struct str tail = {s.p + s.n, 0};
    while (s.n > 1 && strchr(".:!?", s.p[s.n - 1]) != NULL && s.p[s.n - 1] != '\0') {
        s.n--;
        tail.p--;
        tail.n++;
    }
    const char *scheme = s.n > 3 ? memchr(s.p, ':', s.n - 2) : NULL;
    if (is_uuid(s))
        put(w, STR_LIT("<uuid>"));
    else if (is_hex_number(s))
        put(w, STR_LIT("<hex>"));
    else if (scheme != NULL && scheme > s.p && scheme[1] == '/' && scheme[2] == '/') {
        put(w, (struct str){s.p, (size_t)(scheme - s.p) + 3});
        if (s.n > (size_t)(scheme - s.p) + 3)
            put(w, STR_LIT("<path>"));
    } else if (is_path(s))
        put(w, STR_LIT("<path>"));
    else if (is_address(s))
        put(w, STR_LIT("<addr>"));
    else
        put_numbers(w, s);
    put(w, tail);
}

/* The length of a quoted text at the start of `s`, quotes included; 0 where its quote is an apostrophe or stays open.
 * `*closed_until` remembers up to where a quote of this kind is known to be missing, which keeps the whole linear. */
static size_t quoted(struct str s, size_t at, bool *open)
{
    const char *start = s.p + at;
    if (*open)
        return 0;
    if (*start == '\'' && at > 0 && (is_letter(start[-1]) || is_digit(start[-1])))
        return 0;
    for (size_t i = at + 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == *start)
            return i + 1 - at;
    }
    *open = true;
    return 0;
}

size_t fingerprint(struct str text, char *out)
{
    static const char quotes[] = "\"'`";
    bool open[sizeof quotes] = {false};
    struct writer w = {out, 0};
    size_t i = 0;
    while (i < text.n) {
        const char *quote = text.p[i] != '\0' ? strchr(quotes, text.p[i]) : NULL;
        size_t n = quote != NULL ? quoted(text, i, &open[quote - quotes]) : 0;
        if (n > 0) {
            put(&w, STR_LIT("<str>"));
            i += n;
            continue;
        }
        size_t start = i;
        while (i < text.n && !ends_word(text.p[i]))
            i++;
        if (i > start)
            put_word(&w, (struct str){text.p + start, i - start});
        else
            put(&w, (struct str){text.p + i++, 1});
    }
    return w.n;
}
