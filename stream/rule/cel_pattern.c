/* The size of a regular expression with its repetitions written out, before Vectorscan sees it: compiling takes time
 * and memory by that, and a short pattern can be enormous. RE2's own bounds hold: a repetition is at most {1000}, and
 * so are repetitions within each other together. What is wrong otherwise is left for Vectorscan to say.
 */
#include "rule/cel_code.h"

enum { REPEAT_MAX = 1000, PATTERN_SIZE_MAX = 8000, GROUPS_MAX = 100 };
/* What stands for one character of many is several byte ranges in UTF-8; a property is hundreds. */
enum { SIZE_ONE = 1, SIZE_MANY = 8, SIZE_PROPERTY = 400 };

/* An atom, or all of a group so far. */
struct piece {
    uint64_t size;
    uint64_t repeats; /* the most often that something in it is repeated */
};

struct measure {
    struct str text;
    size_t at;
    struct piece groups[GROUPS_MAX + 1];
    size_t depth;
    struct piece last; /* the atom that a repetition would apply to, in no group yet */
    struct cel_error *err;
};

static int next(const struct measure *m, size_t ahead)
{
    return m->at + ahead < m->text.n ? (unsigned char)m->text.p[m->at + ahead] : -1;
}

/* The atom before belongs to its group for good. */
static void settle(struct measure *m)
{
    struct piece *group = &m->groups[m->depth];
    group->size += m->last.size;
    if (m->last.repeats > group->repeats)
        group->repeats = m->last.repeats;
    m->last = (struct piece){0, 1};
}

static void atom(struct measure *m, uint64_t size)
{
    settle(m);
    m->last = (struct piece){size, 1};
}

/* What follows a backslash, which has been read: its size. \Q...\E is text. */
static uint64_t escape(struct measure *m)
{
    int c = next(m, 0);
    m->at += c >= 0;
    if (c == 'p' || c == 'P') {
        if (next(m, 0) == '{')
            while (next(m, 0) >= 0 && next(m, 0) != '}')
                m->at++;
        m->at += next(m, 0) >= 0;
        return SIZE_PROPERTY;
    }
    if (c == 'Q') {
        uint64_t n = 0;
        for (; next(m, 0) >= 0 && !(next(m, 0) == '\\' && next(m, 1) == 'E'); m->at++)
            n++;
        m->at += next(m, 0) >= 0 ? 2 : 0;
        return n;
    }
    if (c == 'x' && next(m, 0) == '{') {
        while (next(m, 0) >= 0 && next(m, 0) != '}')
            m->at++;
        m->at += next(m, 0) >= 0;
        return 4;
    }
    return c == 'D' || c == 'W' || c == 'S' || c == 'N' || c == 'X' || c == 'R' ? SIZE_MANY : SIZE_ONE;
}

/* A class, whose opening bracket has been read. */
static uint64_t class(struct measure *m)
{
    uint64_t size = SIZE_ONE;
    if (next(m, 0) == '^') {
        size = SIZE_MANY;
        m->at++;
    }
    bool first = true;
    for (int c; (c = next(m, 0)) >= 0 && (c != ']' || first); first = false) {
        m->at++;
        uint64_t part = c >= 0x80 ? SIZE_MANY : SIZE_ONE;
        if (c == '\\')
            part = escape(m);
        if (c == '[' && next(m, 0) == ':') {
            if (next(m, 1) == '^')
                part = SIZE_MANY;
            while (next(m, 0) >= 0 && next(m, 0) != ']')
                m->at++;
            m->at += next(m, 0) >= 0;
        }
        size = part > size ? part : size;
    }
    m->at += next(m, 0) >= 0;
    return size;
}

static bool number(struct measure *m, size_t *ahead, uint64_t *n)
{
    size_t start = *ahead;
    *n = 0;
    for (int c; (c = next(m, *ahead)) >= '0' && c <= '9'; ++*ahead)
        *n = *n > REPEAT_MAX ? *n : *n * 10 + (uint64_t)(c - '0');
    return *ahead > start;
}

/* `{n}`, `{n,}` or `{n,m}` at the place: skipped, and its greater number told; false where it is plain text. */
static bool braces(struct measure *m, uint64_t *most)
{
    size_t ahead = 1;
    uint64_t max = 0;
    if (!number(m, &ahead, most))
        return false;
    if (next(m, ahead) == ',') {
        ahead++;
        if (number(m, &ahead, &max) && max > *most)
            *most = max;
    }
    if (next(m, ahead) != '}')
        return false;
    m->at += ahead + 1;
    return true;
}

static int repeat(struct measure *m, uint64_t most)
{
    m->last.size *= most;
    m->last.repeats *= most;
    if (m->last.repeats > REPEAT_MAX)
        return cel_fail(m->err, m->err->offset,
                        most > REPEAT_MAX ? "the pattern repeats something more than %d times"
                                          : "repetitions within each other repeat something more than %d times",
                        REPEAT_MAX);
    return 0;
}

static int open_group(struct measure *m)
{
    settle(m);
    if (m->depth == GROUPS_MAX)
        return cel_fail(m->err, m->err->offset, "the pattern's groups nest deeper than %d", GROUPS_MAX);
    m->groups[++m->depth] = (struct piece){0, 1};
    if (next(m, 0) != '?')
        return 0;
    /* Flags or a name: up to what ends them. */
    while (next(m, 0) >= 0 && strchr(":>)", next(m, 0)) == NULL)
        m->at++;
    m->at += next(m, 0) >= 0 && next(m, 0) != ')';
    return 0;
}

static void close_group(struct measure *m)
{
    settle(m);
    if (m->depth > 0)
        m->last = m->groups[m->depth--];
}

static int step(struct measure *m)
{
    uint64_t most = 1;
    int c = next(m, 0);
    if (c == '{' && braces(m, &most))
        return repeat(m, most);
    m->at++;
    switch (c) {
    case '(':
        return open_group(m);
    case ')':
        close_group(m);
        break;
    case '[':
        atom(m, class(m));
        break;
    case '\\':
        atom(m, escape(m));
        break;
    case '.':
        atom(m, SIZE_MANY);
        break;
    case '*':
    case '+':
    case '?':
    case '|':
        break;
    default:
        if ((c & 0xC0) == 0x80) /* a character is repeated whole */
            m->last.size++;
        else
            atom(m, SIZE_ONE);
    }
    return 0;
}

int cel_pattern_measure(struct str pattern, uint64_t *size, struct cel_error *err)
{
    struct measure m = {.text = pattern, .groups = {{0, 1}}, .last = {0, 1}, .err = err};
    while (m.at < pattern.n)
        TRY(step(&m));
    while (m.depth > 0) {
        close_group(&m);
        settle(&m);
    }
    settle(&m);
    *size = m.groups[0].size;
    if (*size > PATTERN_SIZE_MAX)
        return cel_fail(err, err->offset,
                        "the pattern is too large: with its repetitions written out it is %llu characters, of which "
                        "each that stands for many counts for more; at most are %d",
                        (unsigned long long)*size, PATTERN_SIZE_MAX);
    return 0;
}
