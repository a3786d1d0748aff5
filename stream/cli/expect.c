/* Field-wise comparison of expected text with a record. */
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

static bool equal(struct value expected, struct value actual);

static bool equal_list(struct value expected, struct value actual)
{
    if (actual.type != VALUE_LIST || actual.n != expected.n)
        return false;
    for (uint32_t i = 0; i < expected.n; i++)
        if (!equal(expected.items[i], actual.items[i]))
            return false;
    return true;
}

static bool contains(struct value expected, struct value actual)
{
    if (actual.type != VALUE_MAP)
        return false;
    for (uint32_t i = 0; i < expected.n; i++) {
        const struct value *member = value_map_get(actual, value_as_str(expected.items[2 * i]));
        if (member == NULL || !equal(expected.items[2 * i + 1], *member))
            return false;
    }
    return true;
}

/* Depth is that of the rule file's YAML, which its loader bounds. */
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

static void put_expected(struct buf *out, struct value v)
{
    if (v.type == VALUE_STRING)
        buf_str_put(out, value_as_str(v));
    else
        value_json(out, v);
}

bool expect_fields(struct value expected, struct value record, struct buf *differences)
{
    bool good = true;
    for (uint32_t i = 0; i < expected.n; i++) {
        struct str name = value_as_str(expected.items[2 * i]);
        const struct value *actual = value_map_get(record, name);
        if (actual != NULL && equal(expected.items[2 * i + 1], *actual))
            continue;
        good = false;
        buf_printf(differences, "      %.*s: expected ", STR_ARG(name));
        put_expected(differences, expected.items[2 * i + 1]);
        buf_puts(differences, ", got ");
        if (actual == NULL)
            buf_puts(differences, "no such field");
        else
            value_json(differences, *actual);
        buf_byte(differences, '\n');
    }
    return good;
}

bool expect_group(struct value group, struct value record)
{
    const struct value *actual = value_map_get(record, STR_LIT("group"));
    return group.type != VALUE_MAP || (actual != NULL && contains(group, *actual));
}
