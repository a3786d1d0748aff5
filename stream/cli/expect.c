/* Field-wise comparison of expected text with a record, and the lines that show what differs:
 *
 *     occurrences  expected 3
 *                  got      2
 */
#include "cli/expect.h"

#include <math.h>
#include <stdlib.h>

#include "rule/testcase.h"

static bool number_of(struct str text, double *d)
{
    char copy[64];
    char *end;
    if (text.n == 0 || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *d = strtod(copy, &end);
    return *end == '\0';
}

static bool equal_number(struct str text, double actual)
{
    double wanted;
    int64_t span_ms;
    if (number_of(text, &wanted))
        return wanted == actual || fabs(wanted - actual) <= 1e-9 * fabs(wanted);
    return duration_parse(text, &span_ms) && (double)span_ms == actual;
}

static bool equal_time(struct str text, int64_t actual_ms)
{
    int64_t ms;
    if (time_parse_ms(text, &ms))
        return ms == actual_ms;
    return duration_parse(text, &ms) && TESTCASE_ZERO_MS + ms == actual_ms;
}

static bool equal_text(struct str text, struct value actual)
{
    switch ((enum value_type)actual.type) {
    case VALUE_NULL:
        return str_is(text, "null") || str_is(text, "~") || text.n == 0;
    case VALUE_BOOL:
        return str_is(text, actual.b ? "true" : "false");
    case VALUE_INT:
        return equal_number(text, (double)actual.i);
    case VALUE_UINT:
        return equal_number(text, (double)actual.u);
    case VALUE_DOUBLE:
        return equal_number(text, actual.d);
    case VALUE_TIMESTAMP:
        return equal_time(text, value_ms(actual));
    case VALUE_STRING:
        return str_eq(text, value_as_str(actual));
    default:
        return false;
    }
}

/* NOLINTBEGIN(misc-no-recursion): depth is that of the rule file's YAML, which its loader bounds. */
static bool equal(struct value expected, struct value actual);

static bool equal_list(struct value expected, struct value actual)
{
    if (actual.type != VALUE_LIST || actual.n != expected.n)
        return false;
    for (size_t i = 0; i < expected.n; i++)
        if (!equal(expected.items[i], actual.items[i]))
            return false;
    return true;
}

static bool contains(struct value expected, struct value actual)
{
    if (actual.type != VALUE_MAP)
        return false;
    for (size_t i = 0; i < expected.n; i++) {
        const struct value *member = value_map_get(actual, value_as_str(expected.items[2 * i]));
        if (member == NULL || !equal(expected.items[2 * i + 1], *member))
            return false;
    }
    return true;
}

static bool equal(struct value expected, struct value actual)
{
    switch ((enum value_type)expected.type) {
    case VALUE_STRING:
        return equal_text(value_as_str(expected), actual);
    case VALUE_LIST:
        return equal_list(expected, actual);
    case VALUE_MAP:
        return contains(expected, actual);
    case VALUE_NULL:
        return value_is_null(actual);
    default:
        return value_eq(expected, actual);
    }
}

/* What is told of one expectation; further differences are counted. */
enum { DIFFERENCES_MAX = 40, PATH_MAX_BYTES = 200, CARET_FROM = 16 };

struct difference {
    struct str path;
    struct value expected;
    const struct value *actual; /* NULL: no such field */
};

struct differences {
    struct arena arena;
    struct difference items[DIFFERENCES_MAX];
    size_t count;
    size_t left_out;
};

static void add(struct differences *differences, struct str path, struct value expected, const struct value *actual)
{
    if (differences->count == DIFFERENCES_MAX)
        differences->left_out++;
    else
        differences->items[differences->count++] = (struct difference){path, expected, actual};
}

/* Members of maps are compared one by one, so that only those that differ are told of. */
static void compare(struct differences *differences, struct str path, struct value expected, const struct value *actual)
{
    if (actual != NULL && equal(expected, *actual))
        return;
    if (expected.type != VALUE_MAP || actual == NULL || actual->type != VALUE_MAP || path.n > PATH_MAX_BYTES) {
        add(differences, path, expected, actual);
        return;
    }
    for (size_t i = 0; i < expected.n; i++) {
        struct str key = value_as_str(expected.items[2 * i]);
        const char *below =
            arena_printf(&differences->arena, "%.*s%s%.*s", STR_ARG(path), path.n > 0 ? "." : "", STR_ARG(key));
        compare(differences, str_of(below), expected.items[2 * i + 1], value_map_get(*actual, key));
    }
}
/* NOLINTEND(misc-no-recursion) */

static bool is_plain(struct str text)
{
    if (text.n == 0 || text.p[0] == ' ' || text.p[text.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    return true;
}

static bool is_span(struct str path)
{
    struct str last = path;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '.')
            last = (struct str){path.p + i + 1, path.n - i - 1};
    return str_starts(last, STR_LIT("mttr")) || str_starts(last, STR_LIT("mttd"));
}

void expect_put(struct buf *out, struct str path, struct value v)
{
    if (v.type == VALUE_STRING && is_plain(value_as_str(v)))
        buf_str_put(out, value_as_str(v));
    else if (is_span(path) && v.type == VALUE_INT && v.i >= 0)
        duration_write(out, v.i);
    else if (v.type == VALUE_TIMESTAMP && value_ms(v) >= TESTCASE_ZERO_MS) {
        duration_write(out, value_ms(v) - TESTCASE_ZERO_MS);
        buf_puts(out, ", which is ");
        time_print_ms(out, value_ms(v));
    } else
        value_json(out, v);
}

/* Of long texts, where they part. */
static void put_caret(struct buf *out, int indent, struct str a, struct str b)
{
    size_t same = 0;
    int width = 0;
    while (same < a.n && same < b.n && a.p[same] == b.p[same])
        width += ((unsigned char)a.p[same++] & 0xC0) != 0x80;
    if (same >= CARET_FROM)
        buf_printf(out, "%*s^\n", indent + width, "");
}

static void put_difference(struct buf *out, const struct difference *difference, int width)
{
    static const struct str expected_word = {"expected ", 9};
    struct buf expected = {0};
    struct buf actual = {0};
    expect_put(&expected, difference->path, difference->expected);
    if (difference->actual == NULL)
        buf_puts(&actual, "no such field");
    else
        expect_put(&actual, difference->path, *difference->actual);
    int indent = EXPECT_INDENT + width + 2;
    buf_printf(out, "%*s%.*s%*s%.*s%.*s\n", EXPECT_INDENT, "", STR_ARG(difference->path),
               width - (int)difference->path.n + 2, "", STR_ARG(expected_word), STR_ARG(buf_str(&expected)));
    buf_printf(out, "%*sgot      %.*s\n", indent, "", STR_ARG(buf_str(&actual)));
    put_caret(out, indent + (int)expected_word.n, buf_str(&expected), buf_str(&actual));
    buf_fini(&expected);
    buf_fini(&actual);
}

/* The record with the measures of its validation under their names too, as expectations have them. */
static struct value with_measures(struct value record, struct arena *arena)
{
    const struct value *validation = value_map_get(record, STR_LIT("validation"));
    const struct value *measures = validation == NULL ? NULL : value_map_get(*validation, STR_LIT("measures"));
    if (measures == NULL)
        return record;
    struct value *named = arena_alloc(arena, 2 * (validation->n + measures->n) * sizeof *named);
    memcpy(named, validation->items, 2 * (size_t)validation->n * sizeof *named);
    size_t count = validation->n;
    for (size_t i = 0; i < measures->n; i++, count++) {
        named[2 * count] = *value_map_get(measures->items[i], STR_LIT("name"));
        named[2 * count + 1] = measures->items[i];
    }
    struct value *pairs = arena_alloc(arena, 2 * (size_t)record.n * sizeof *pairs);
    memcpy(pairs, record.items, 2 * (size_t)record.n * sizeof *pairs);
    for (size_t i = 0; i < record.n; i++)
        if (str_is(value_as_str(pairs[2 * i]), "validation"))
            pairs[2 * i + 1] = value_map(named, count);
    return value_map(pairs, record.n);
}

bool expect_fields(struct value expected, struct value record, struct buf *out)
{
    struct differences *differences = mem_zalloc(sizeof *differences);
    record = with_measures(record, &differences->arena);
    compare(differences, (struct str){"", 0}, expected, &record);
    int width = 0;
    for (size_t i = 0; i < differences->count; i++)
        if ((int)differences->items[i].path.n > width)
            width = (int)differences->items[i].path.n;
    for (size_t i = 0; i < differences->count; i++)
        put_difference(out, &differences->items[i], width);
    if (differences->left_out > 0)
        buf_printf(out, "%*sand %zu more\n", EXPECT_INDENT, "", differences->left_out);
    bool good = differences->count == 0;
    arena_fini(&differences->arena);
    free(differences);
    return good;
}

bool expect_group(struct value group, struct value record)
{
    const struct value *actual = value_map_get(record, STR_LIT("group"));
    return group.type != VALUE_MAP || (actual != NULL && contains(group, *actual));
}
