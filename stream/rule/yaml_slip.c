/* See yaml_slip.h. Each kind of slip is told by libyaml's words and by the characters about the place; what none of
 * them explains keeps libyaml's words. */
#include "rule/yaml_slip.h"

/* The line's text without its break; empty behind the last. */
static struct str line_of(struct str text, size_t line)
{
    const char *p = text.p;
    const char *end = text.p + text.n;
    for (; line > 0 && p < end; line--) {
        while (p < end && yaml_break(p, end) == 0)
            p++;
        p += yaml_break(p, end);
    }
    const char *start = p;
    while (p < end && yaml_break(p, end) == 0)
        p++;
    return (struct str){start, (size_t)(p - start)};
}

/* The bytes before a column of a line. */
static size_t bytes_before(struct str line, size_t column)
{
    size_t i = 0;
    for (; column > 0 && i < line.n; column--) {
        i++;
        while (i < line.n && ((unsigned char)line.p[i] & 0xc0) == 0x80)
            i++;
    }
    return i;
}

/* The columns before a byte of a line. */
static size_t columns_before(struct str line, size_t byte)
{
    size_t columns = 0;
    for (size_t i = 0; i < byte; i++)
        columns += ((unsigned char)line.p[i] & 0xc0) != 0x80;
    return columns;
}

/* The character at a spot; a blank at the end of a line. */
static char char_at(struct str text, struct yaml_spot at)
{
    struct str line = line_of(text, at.line);
    size_t byte = bytes_before(line, at.column);
    return byte < line.n ? line.p[byte] : ' ';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t blanks(struct str line)
{
    size_t n = 0;
    while (n < line.n && is_blank(line.p[n]))
        n++;
    return n;
}

/* Where the line's own text begins, behind blanks and the dashes of list items. */
static size_t text_start(struct str line)
{
    size_t i = blanks(line);
    while (i + 1 < line.n && line.p[i] == '-' && is_blank(line.p[i + 1]))
        i += 1 + blanks((struct str){line.p + i + 1, line.n - i - 1});
    return i;
}

/* The first ':' from `from` on that ends a key; line.n: there is none. */
static size_t key_end(struct str line, size_t from)
{
    for (size_t i = from; i < line.n; i++)
        if (line.p[i] == ':' && (i + 1 == line.n || is_blank(line.p[i + 1])))
            return i;
    return line.n;
}

/* The next line above with anything on it; `line` itself where there is none. */
static size_t line_above(struct str text, size_t line)
{
    for (size_t above = line; above-- > 0;) {
        struct str words = line_of(text, above);
        size_t i = blanks(words);
        if (i < words.n && words.p[i] != '#')
            return above;
    }
    return line;
}

static struct yaml_slip slip(struct yaml_spot at, const char *words)
{
    return (struct yaml_slip){at, words};
}

static struct yaml_slip slip_in(struct str line, size_t number, size_t byte, const char *words)
{
    return slip((struct yaml_spot){number, columns_before(line, byte)}, words);
}

static bool problem_is(const struct yaml_fault *fault, const char *words)
{
    return str_starts(str_of(fault->problem), str_of(words));
}

/* A key without the ':' behind it, in line `number`. */
static struct yaml_slip no_colon(struct arena *arena, struct str text, size_t number)
{
    struct str line = line_of(text, number);
    size_t start = text_start(line);
    size_t end = start;
    while (end < line.n && !is_blank(line.p[end]) && line.p[end] != ':')
        end++;
    if (end + 1 < line.n && line.p[end] == ':' && !is_blank(line.p[end + 1]))
        return slip_in(line, number, end + 1, "a plain space is missing after the ':'");
    if (start < line.n && line.p[start] == '-')
        return slip_in(line, number, start + 1, "a space is missing after the '-' of a list item");
    struct str key = {line.p + start, end - start < 100 ? end - start : 100};
    return slip_in(line, number, end, arena_printf(arena, "a ':' is missing after '%.*s'", STR_ARG(key)));
}

/* A ':' where no key can be. */
static struct yaml_slip stray_colon(struct arena *arena, const struct yaml_fault *fault)
{
    struct str line = line_of(fault->text, fault->at.line);
    size_t start = text_start(line);
    size_t colon = bytes_before(line, fault->at.column);
    size_t first = key_end(line, start);
    if (first < colon)
        return slip(fault->at, "a value with ': ' in it needs quotes");
    size_t number = line_above(fault->text, fault->at.line);
    struct str above = line_of(fault->text, number);
    size_t above_start = text_start(above);
    size_t above_key = key_end(above, above_start);
    bool dash = above_start + 1 < above.n && above.p[above_start] == '-';
    if (number == fault->at.line || above_key == above.n || dash)
        return no_colon(arena, fault->text, number);
    return slip_in(line, fault->at.line, start,
                   arena_printf(arena,
                                "this is indented more than '%.*s' in line %zu, which has its value already; keys of "
                                "one mapping begin in the same column",
                                (int)(above_key - above_start < 100 ? above_key - above_start : 100),
                                above.p + above_start, number + 1));
}

/* Something that follows a complete value in the same line, or a line whose indentation fits nothing above. */
static struct yaml_slip no_key(struct arena *arena, const struct yaml_fault *fault)
{
    char c = char_at(fault->text, fault->at);
    struct str line = line_of(fault->text, fault->at.line);
    size_t byte = bytes_before(line, fault->at.column);
    if (c == ']' || c == '}')
        return slip(fault->at, arena_printf(arena, "this '%c' closes nothing", c));
    if (fault->quoted && fault->scalar_end.line == fault->at.line && fault->scalar.line < fault->at.line)
        return slip(fault->scalar, arena_printf(arena, "the quote that opens here is first closed in line %zu",
                                                fault->scalar_end.line + 1));
    size_t before = byte;
    while (before > 0 && is_blank(line.p[before - 1]))
        before--;
    char last = before > 0 ? line.p[before - 1] : ' ';
    if (fault->quoted && fault->scalar_end.line == fault->at.line && (last == '\'' || last == '"'))
        return slip(fault->at, last == '"'
                                   ? "text goes on after its closing quote; quote all of it, with \\\" for a \" within"
                                   : "text goes on after its closing quote; quote all of it, with '' for a ' within");
    if (last == ']' || last == '}')
        return slip(fault->at, arena_printf(arena, "text goes on after '%c'; text that begins with '%c' needs quotes",
                                            last, last == ']' ? '[' : '{'));
    if (c == '-' && byte == blanks(line))
        return slip(fault->at, "a list item ('- ') among the keys of a mapping");
    return slip(fault->at, arena_printf(arena,
                                        "this begins in column %zu, where no mapping above has its keys; keys of one "
                                        "mapping begin in the same column",
                                        fault->at.column + 1));
}

/* Where a comment begins in the line from a spot on; false: nowhere. */
static bool find_comment(struct str text, struct yaml_spot from, struct yaml_spot *comment)
{
    struct str line = line_of(text, from.line);
    for (size_t i = bytes_before(line, from.column) + 1; i < line.n; i++)
        if (line.p[i] == '#' && is_blank(line.p[i - 1])) {
            *comment = (struct yaml_spot){from.line, columns_before(line, i)};
            return true;
        }
    return false;
}

/* A [ or { whose items do not go on as they should. */
static struct yaml_slip broken_flow(struct arena *arena, const struct yaml_fault *fault)
{
    char open = char_at(fault->text, fault->since);
    char close = open == '[' ? ']' : '}';
    char c = char_at(fault->text, fault->at);
    if (c == ']' || c == '}')
        return slip(fault->at, arena_printf(arena, "this '%c' does not close the '%c' of line %zu", c, open,
                                            fault->since.line + 1));
    if (fault->at.line > fault->since.line && c != '"' && c != '\'') {
        struct yaml_spot comment;
        if (find_comment(fault->text, fault->since, &comment))
            return slip(comment, arena_printf(arena,
                                              "' #' begins a comment, which leaves '%c' open; text with ' #' in "
                                              "it needs quotes",
                                              open));
        return slip(fault->since, arena_printf(arena, "this '%c' is not closed: '%c' is missing", open, close));
    }
    if (c == '[' || c == '{')
        return slip(fault->at, arena_printf(arena, "text with '%c' in it needs quotes within %c%c", c, open, close));
    if (c == ':')
        return slip(fault->at, "a ',' is missing before this key, or the value has ': ' in it and needs quotes");
    return slip(fault->at, "a ',' is missing before this");
}

static struct yaml_slip needs_quotes(struct arena *arena, const struct yaml_fault *fault, struct yaml_spot at)
{
    return slip(at, arena_printf(arena, "text that begins with '%c' needs quotes", char_at(fault->text, at)));
}

static bool is_plain_indicator(char c)
{
    return c != '\0' && strchr("!&*|>@`%", c) != NULL;
}

/* Slips within one token, which libyaml's scanner reports; words NULL: it is another. */
static struct yaml_slip in_token(struct arena *arena, const struct yaml_fault *fault)
{
    struct str line = line_of(fault->text, fault->at.line);
    char c = char_at(fault->text, fault->at);
    const char *tab = memchr(line.p, '\t', blanks(line));
    if (tab != NULL && (problem_is(fault, "found a tab") || (c == '\t' && problem_is(fault, "found character"))))
        return slip_in(line, fault->at.line, (size_t)(tab - line.p), "a tab indents this line; YAML indents by spaces");
    if (problem_is(fault, "found character that cannot start") && is_plain_indicator(c))
        return needs_quotes(arena, fault, fault->at);
    if (problem_is(fault, "found unknown escape"))
        return slip(fault->at, "no such escape within double quotes: write \\\\ for a backslash, or quote by '");
    if (problem_is(fault, "found unexpected end") || problem_is(fault, "found unexpected document"))
        return slip(fault->since, "the quote that opens here is never closed");
    if (problem_is(fault, "block sequence entries"))
        return slip(fault->at, "a list whose items begin with '- ' begins in a line of its own, below its key");
    if (*fault->context != '\0' && is_plain_indicator(char_at(fault->text, fault->since)))
        return needs_quotes(arena, fault, fault->since);
    return slip(fault->at, NULL);
}

struct yaml_slip yaml_slip_of(struct arena *arena, const struct yaml_fault *fault)
{
    struct yaml_slip found = in_token(arena, fault);
    if (found.words != NULL)
        return found;
    char since = char_at(fault->text, fault->since);
    char c = char_at(fault->text, fault->at);
    if (problem_is(fault, "could not find expected ':'"))
        return since == '"' || since == '\''
                   ? slip(fault->since, "a ':' is missing after this key, or its quotes close too early or late")
                   : no_colon(arena, fault->text, fault->since.line);
    if (problem_is(fault, "mapping values are not allowed"))
        return stray_colon(arena, fault);
    if (problem_is(fault, "did not find expected key"))
        return no_key(arena, fault);
    if (problem_is(fault, "did not find expected ','"))
        return broken_flow(arena, fault);
    if (problem_is(fault, "did not find expected '-'"))
        return slip(fault->at, arena_printf(arena,
                                            "the list that begins in line %zu goes on by '- ' in column %zu; this is "
                                            "no item of it",
                                            fault->since.line + 1, fault->since.column + 1));
    if (problem_is(fault, "did not find expected node content"))
        return slip(fault->at, c == ']' || c == '}' || c == ','
                                   ? arena_printf(arena, "a value is missing before '%c'", c)
                                   : "a value is missing before this");
    if (problem_is(fault, "did not find expected <document start>"))
        return slip(fault->at, "more follows what was a whole file already");
    return slip(fault->at, arena_printf(arena, "not YAML: %s%s%s", fault->problem, *fault->context != '\0' ? " " : "",
                                        fault->context));
}

/* Opening less closing parentheses outside quotes. */
static int open_parentheses(struct str text)
{
    int open = 0;
    char quote = '\0';
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == '(' || c == ')')
            open += c == '(' ? 1 : -1;
    }
    return open;
}

static bool is_plain(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && !node->quoted;
}

const struct yaml_node *yaml_cut_by_comma(const struct yaml_node *collection)
{
    bool mapping = collection->kind == YAML_MAPPING;
    for (size_t i = 1; i < collection->count; i++) {
        const struct yaml_node *before = collection->items[i - 1];
        const struct yaml_node *rest = mapping ? collection->keys[i] : collection->items[i];
        if (mapping && (!is_plain(collection->items[i]) || collection->items[i]->text.n > 0))
            continue;
        if (is_plain(before) && is_plain(rest) && open_parentheses(before->text) > 0 &&
            (mapping || open_parentheses(rest->text) < 0))
            return rest;
    }
    return NULL;
}
