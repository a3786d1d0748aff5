/* A borrowed piece of text or bytes: pointer and length, no terminator promised. Whoever hands one out says until when
 * it holds. */
#ifndef FORESTALL_BASE_STR_H
#define FORESTALL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

/* A name and its value, as configuration hands properties on. */
struct str_pair {
    struct str key;
    struct str value;
};

/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s)       (int)(s).n, (s).p
#define STR_LIT(literal) ((struct str){(literal), sizeof(literal) - 1})

static inline struct str str_of(const char *text)
{
    return (struct str){text, strlen(text)};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
    return str_eq(a, str_of(text));
}

/* Byte order, shorter first on a common prefix: negative, 0 or positive. */
static inline int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static inline bool str_starts(struct str a, struct str prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

static inline void copy_word(char *to, const char *from, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, from, size);
    memcpy(to, &word, size);
}

/* memcpy for what is mostly a word or two: where the size is not known, the compiler's own starts a string instruction,
 * which takes longer than such a copy. Whole words first, the last one overlapping. */
static inline void copy_short(char *to, const char *from, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8)
            copy_word(to + i, from + i, 8);
        copy_word(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        copy_word(to, from, 4);
        copy_word(to + n - 4, from + n - 4, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = from[i];
    }
}

/* XXH3 of the bytes; `seed` tells hash families apart. */
uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed);

static inline uint64_t str_hash(struct str s)
{
    return hash_bytes(s.p, s.n, 0);
}

/* True where the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool utf8_valid(const char *p, size_t n);

/* At most `max` bytes of the text, never half a character. */
struct str text_cut(struct str text, size_t max);

/* Edit distance up to `max` (else max + 1), for "did you mean": a letter more, less or other, or two swapped, is one.
 * Texts over 64 bytes are never near. */
int str_distance(struct str a, struct str b, int max);

#endif
