/* YAML. Recursion follows a record's value, whose depth its decoder bounded. */
#include "cli/yaml_text.h"

#include <ctype.h>
#include <strings.h>

enum { STEP = 2 };

static void put(struct buf *out, struct value v, int indent, bool in_list);

static void newline(struct buf *out, int indent)
{
    buf_byte(out, '\n');
    for (int i = 0; i < indent; i++)
        buf_byte(out, ' ');
}

/* Words that every reader of YAML takes as text. */
static bool plain(struct str text)
{
    static const char *const others[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    if (text.n == 0 || !isalpha((unsigned char)text.p[0]) || text.p[text.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (!isalnum((unsigned char)text.p[i]) && strchr(" _-./(),;%", text.p[i]) == NULL)
            return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (text.n == strlen(others[i]) && strncasecmp(text.p, others[i], text.n) == 0)
            return false;
    return true;
}

static bool literal(struct str text)
{
    if (memchr(text.p, '\n', text.n) == NULL || text.p[0] == ' ' || text.p[0] == '\n' || text.p[text.n - 1] != '\n' ||
        (text.n > 1 && text.p[text.n - 2] == '\n'))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' && text.p[i] != '\n')
            return false;
    return true;
}

static void put_literal(struct buf *out, struct str text, int indent)
{
    buf_byte(out, '|');
    for (size_t at = 0; at < text.n;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = (size_t)(end - (text.p + at));
        newline(out, n == 0 ? 0 : indent);
        buf_put(out, text.p + at, n);
        at += n + 1;
    }
}

static void put_text(struct buf *out, struct str text, int indent)
{
    if (plain(text))
        buf_str_put(out, text);
    else if (text.n > 0 && literal(text))
        put_literal(out, text, indent);
    else
        value_json_string(out, text);
}

/* What stands behind `key:` or `-`. */
static void put_member(struct buf *out, struct value v, int indent, bool in_list)
{
    bool block = (v.type == VALUE_LIST || v.type == VALUE_MAP) && v.n > 0;
    if (!block)
        buf_byte(out, ' ');
    else if (in_list && v.type == VALUE_MAP)
        buf_byte(out, ' '); /* its first member stands behind the dash */
    put(out, v, indent, in_list);
}

static void put(struct buf *out, struct value v, int indent, bool in_list)
{
    if (v.type == VALUE_STRING) {
        put_text(out, value_as_str(v), indent);
    } else if (v.type == VALUE_MAP && v.n > 0) {
        for (uint32_t i = 0; i < v.n; i++) {
            if (i > 0 || !in_list)
                newline(out, indent);
            put_text(out, value_as_str(v.items[(size_t)2 * i]), indent);
            buf_byte(out, ':');
            put_member(out, v.items[(size_t)2 * i + 1], indent + STEP, false);
        }
    } else if (v.type == VALUE_LIST && v.n > 0) {
        for (uint32_t i = 0; i < v.n; i++) {
            newline(out, indent);
            buf_byte(out, '-');
            put_member(out, v.items[i], indent + STEP, true);
        }
    } else {
        value_json(out, v);
    }
}

void yaml_text(struct buf *out, struct value v)
{
    struct buf text = {0};
    put(&text, v, 0, false);
    size_t from = text.len > 0 && text.p[0] == '\n' ? 1 : 0;
    buf_put(out, text.p + from, text.len - from);
    buf_byte(out, '\n');
    buf_fini(&text);
}
