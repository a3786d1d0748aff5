/* A walk over the members of one object, nested values skipped by counting brackets. Every step checks its bounds. */
#include "io/line_member.h"

static void skip_space(struct str *text)
{
    while (text->n > 0 && (*text->p == ' ' || *text->p == '\t' || *text->p == '\r' || *text->p == '\n'))
        text->p++, text->n--;
}

static bool take(struct str *text, char c)
{
    skip_space(text);
    if (text->n == 0 || *text->p != c)
        return false;
    text->p++;
    text->n--;
    return true;
}

static bool take_string(struct str *text, struct str *inside)
{
    if (!take(text, '"'))
        return false;
    for (size_t i = 0; i < text->n; i++) {
        if (text->p[i] == '\\') {
            i++;
        } else if (text->p[i] == '"') {
            *inside = (struct str){text->p, i};
            text->p += i + 1;
            text->n -= i + 1;
            return true;
        }
    }
    return false;
}

/* Skips a value: up to the comma or bracket that ends it. */
static bool skip_value(struct str *text)
{
    int depth = 0;
    while (text->n > 0) {
        char c = *text->p;
        if (c == '"') {
            struct str inside;
            if (!take_string(text, &inside))
                return false;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return true;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        text->p++;
        text->n--;
    }
    return false;
}

bool line_member(struct str line, struct str name, struct str *value)
{
    if (!take(&line, '{'))
        return false;
    do {
        struct str key;
        if (!take_string(&line, &key) || !take(&line, ':'))
            return false;
        if (str_eq(key, name))
            return take_string(&line, value);
        if (!skip_value(&line))
            return false;
    } while (take(&line, ','));
    return false;
}
