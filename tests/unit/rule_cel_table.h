/* Tables of expressions and their values as text, and the names that they may use. Included by the rule_cel tests. */
#ifndef FORESTALL_TESTS_RULE_CEL_TABLE_H
#define FORESTALL_TESTS_RULE_CEL_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "rule/cel.h"

struct row {
    const char *expression;
    const char *value; /* as show() prints it */
};

/* A value as CEL would write it, so that 1, 1u and 1.0 differ; errors as `!message`, those caused by null as
 * `?message`. */
static void show(struct value v, struct buf *out)
{
    size_t start = out->len;
    switch ((enum value_type)v.type) {
    case VALUE_UINT:
        buf_printf(out, "%lluu", (unsigned long long)v.u);
        break;
    case VALUE_DOUBLE:
        value_double_text(out, v.d);
        if (isfinite(v.d) && memchr(out->p + start, '.', out->len - start) == NULL &&
            memchr(out->p + start, 'e', out->len - start) == NULL)
            buf_puts(out, ".0");
        break;
    case VALUE_STRING:
        buf_printf(out, "'%.*s'", STR_ARG(value_as_str(v)));
        break;
    case VALUE_BYTES:
        buf_puts(out, "b");
        for (uint32_t i = 0; i < v.n; i++)
            buf_printf(out, "%02x", (unsigned char)v.s[i]);
        break;
    case VALUE_TIMESTAMP:
        time_print(out, v.i, (int32_t)v.n);
        break;
    case VALUE_DURATION:
        buf_printf(out, "%llds", (long long)v.i);
        if (v.n > 0)
            buf_printf(out, "+%uns", v.n);
        break;
    case VALUE_TYPE:
        buf_printf(out, "type %.*s", STR_ARG(value_as_str(v)));
        break;
    case VALUE_ERROR:
        buf_printf(out, "%c%.*s", (v.flags & VALUE_FROM_NULL) != 0 ? '?' : '!', STR_ARG(value_as_str(v)));
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        buf_byte(out, v.type == VALUE_LIST ? '[' : '{');
        for (uint32_t i = 0; i < v.n * (v.type == VALUE_MAP ? 2 : 1); i++) {
            if (i > 0)
                buf_puts(out, v.type == VALUE_MAP && i % 2 == 1 ? ": " : ", ");
            show(v.items[i], out);
        }
        buf_byte(out, v.type == VALUE_LIST ? ']' : '}');
        break;
    default:
        value_json(out, v);
    }
}

/* Names: event (of any stream), slot 0 `seven`, slot 1 `nothing`, the list `names` and three macros. */
static struct cel_name test_name(void *context, struct str text)
{
    (void)context;
    static const struct value names[] = {{.type = VALUE_STRING, .n = 1, .s = "a"},
                                         {.type = VALUE_STRING, .n = 1, .s = "b"}};
    struct cel_name meaning = {.kind = CEL_NAME_NONE, .type = cel_type_of(TYPE_ANY)};
    if (str_is(text, "event")) {
        meaning.kind = CEL_NAME_EVENT;
        meaning.type.stream = STREAM_TELEMETRY;
    } else if (str_is(text, "seven") || str_is(text, "nothing")) {
        meaning.kind = CEL_NAME_SLOT;
        meaning.slot = str_is(text, "nothing");
    } else if (str_is(text, "names")) {
        meaning.kind = CEL_NAME_CONSTANT;
        meaning.constant = value_list(names, 2);
    } else if (str_is(text, "dotted.name")) {
        meaning.kind = CEL_NAME_CONSTANT;
        meaning.constant = value_int(5);
    } else if (str_is(text, "sum")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("1 + seven");
    } else if (str_is(text, "sums")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("sum * sum");
    }
    return meaning;
}

static inline void check_rows(const struct row *rows, size_t n, bool unchecked)
{
    struct arena arena = {0};
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.values[TELEMETRY_NAME] = value_text("cpu_usage");
    event.values[TELEMETRY_VALUE] = value_double(91.5);
    event.values[TELEMETRY_KIND] = value_text("metric");
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(1704067200000);
    struct value labels[] = {value_text("pod"), value_text("cart-7")};
    event.values[TELEMETRY_LABELS] = value_map(labels, 1);
    struct value slots[] = {value_int(7), value_null()};
    struct cel_frame frame = {.event = &event, .slots = slots, .slot_count = 2, .arena = &arena};
    struct cel_env env = {.name = test_name, .unchecked = unchecked};
    int failures = 0;
    for (size_t i = 0; i < n; i++) {
        const struct cel *cel;
        struct cel_error err = {0};
        struct buf got = {0};
        if (cel_compile(&arena, str_of(rows[i].expression), &env, TYPE_ANY, &cel, &err) != 0)
            buf_printf(&got, "compile: %s", err.error.message);
        else
            show(cel_eval(cel, &frame), &got);
        if (!str_is(buf_str(&got), rows[i].value)) {
            print_error("%s\n    is   %.*s\n    want %s\n", rows[i].expression, STR_ARG(buf_str(&got)), rows[i].value);
            failures++;
        }
        buf_fini(&got);
    }
    arena_fini(&arena);
    assert_int_equal(failures, 0);
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows), true)

#endif
