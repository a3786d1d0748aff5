/* What expressions evaluate to: a table a subject, each row an expression and its value as text. */
#include "rule_cel_table.h"

static void literals(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"42", "42"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"0x7fffffffffffffff", "9223372036854775807"},
        {"-0x80", "-128"},
        {"18446744073709551615u", "18446744073709551615u"},
        {"0xFFU", "255u"},
        {".5", "0.5"},
        {"-2.5e-3", "-0.0025"},
        {"1e3", "1000.0"},
        {"true", "true"},
        {"null", "null"},
        {"'it''s'", "compile: an operator is missing before 's'"},
        {"'\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\\"\\'\\`' == '\\x07\\x08\\x0c\\x0a\\x0d\\x09\\x0b\\x5c\\x3f\\x22\\x27\\x60'",
         "true"},
        {"'\\u00e9\\U0001F600\\303' == '\u00e9\U0001F600\u00c3'", "true"},
        {"r'\\n'", "'\\n'"},
        {"R\"\\\"", "'\\'"},
        {"'''a'b\n'''", "'a'b\n'"},
        {"\"\"\"a\"b\"\"\"", "'a\"b'"},
        {"b'\\xff\\000a'", "bff0061"},
        {"b'\u00ff'", "bc3bf"},
        {"br'\\x'", "b5c78"},
        {"[1, 2,]", "[1, 2]"},
        {"{'a': 1, 2u: [true],}", "{'a': 1, 2u: [true]}"},
        {"[]", "[]"},
        {"1 // one\n + 1", "2"},
        {"\t1\f+\r\n1 ", "2"},
        {"{'a': {'b-c': 3}}.a.`b-c`", "3"},
        {"{'if': 1}.if", "1"},
    };
    CHECK(rows);
}

static void precedence(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 + 2 * 3 - 4 / 2", "5"},
        {"(1 + 2) * 3", "9"},
        {"10 - 4 - 3", "3"},
        {"2 * 3 % 4", "2"},
        {"-2 * -3", "6"},
        {"- - 2", "2"},
        {"---2", "-2"},
        {"!!true", "true"},
        {"1 < 2 == true", "true"},
        {"true || false && false", "true"},
        {"1 in [1] && !(2 in [1])", "true"},
        {"true ? 1 : false ? 2 : 3", "1"},
        {"false ? 1 : false ? 2 : 3", "3"},
        {"[[1, 2], [3]][0][1]", "2"},
        {"[1, 2].size() + size('ab')", "4"},
        {"sum * 2", "16"},
        {"sums", "64"},
        {"[3].map(sum, sum)", "[3]"},
        {"dotted.name", "5"},
        {"[{'name': 1}].map(dotted, dotted.name)", "[1]"},
    };
    CHECK(rows);
}

static void integers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"9223372036854775807 + 1", "!overflow: the result does not fit"},
        {"-9223372036854775808 - 1", "!overflow: the result does not fit"},
        {"-(-9223372036854775808)", "!overflow: the result does not fit"},
        {"5000000000 * 5000000000", "!overflow: the result does not fit"},
        {"-9223372036854775808 / -1", "!overflow: the result does not fit"},
        {"-9223372036854775808 % -1", "0"},
        {"0u - 1u", "!overflow: the result does not fit"},
        {"18446744073709551615u + 1u", "!overflow: the result does not fit"},
        {"1 / 0", "!division by zero"},
        {"1u / 0u", "!division by zero"},
        {"1 % 0", "!modulus by zero"},
        {"1u % 0u", "!modulus by zero"},
        {"-7 / 2", "-3"},
        {"-7 % 2", "-1"},
        {"7u % 4u", "3u"},
        {"1 + 1u", "!no such overload: + of int and uint"},
        {"1u * 1.0", "!no such overload: * of uint and double"},
        {"-(1u)", "!no such overload: - of uint"},
        {"7.5 % 2.0", "!no such overload: % of double and double"},
        {"7 % 2.0", "!no such overload: % of int and double"},
    };
    CHECK(rows);
}

static void doubles(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 + 0.5", "1.5"},
        {"3.0 * 2", "6.0"},
        {"7 / 2.0", "3.5"},
        {"1 - 1.5", "-0.5"},
        {"1.0 / 0.0", "Infinity"},
        {"-1.0 / 0.0", "-Infinity"},
        {"0.0 / 0.0", "NaN"},
        {"-(0.0)", "-0.0"},
        {"0.1 + 0.2", "0.30000000000000004"},
        {"2.0 * 8.988466e+307", "Infinity"},
        {"0.0 / 0.0 == 0.0 / 0.0", "false"},
        {"0.0 / 0.0 != 0.0 / 0.0", "true"},
        {"0.0 / 0.0 < 1.0", "false"},
        {"1 < 0.0 / 0.0", "false"},
    };
    CHECK(rows);
}

static void comparisons(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 == 1.0", "true"},
        {"1u == 1", "true"},
        {"1 < 1.5", "true"},
        {"-1 < 1u", "true"},
        {"18446744073709551615u > -1", "true"},
        {"9223372036854775807 < 9223372036854775808u", "true"},
        {"9223372036854775807 <= 9223372036854775808.0 && 9223372036854775807 >= 9223372036854775808.0", "true"},
        {"'a' < 'B'", "false"},
        {"'' < 'a'", "true"},
        {"'abc' < 'abcd'", "true"},
        {"b'a' < b'b'", "true"},
        {"false < true", "true"},
        {"'a' == 1", "false"},
        {"'a' < 1", "!no such overload: < of string and int"},
        {"[1] < [2]", "!no such overload: < of list and list"},
        {"null < 1", "?no such overload: an operand is null"},
        {"null == null", "true"},
        {"null == 0", "false"},
        {"[1, 2.0] == [1.0, 2u]", "true"},
        {"[1, [2]] != [1, [3]]", "true"},
        {"{'a': 1, 'b': 2} == {'b': 2u, 'a': 1.0}", "true"},
        {"{1: 'a'} == {1u: 'a'}", "true"},
        {"{'a': 1} == {'a': 1, 'b': 2}", "false"},
        {"3.0 in [1, 2, 3]", "true"},
        {"'x' in ['a', 1, null]", "false"},
        {"2u in {1: 'a', 2: 'b'}", "true"},
        {"1 in 1", "!no such overload: in of int and int"},
        {"'a' in names", "true"},
    };
    CHECK(rows);
}

static void logic(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 / 0 > 1 || true", "true"},
        {"true || 1 / 0 > 1", "true"},
        {"1 / 0 > 1 && false", "false"},
        {"false && 1 / 0 > 1", "false"},
        {"1 / 0 > 1 || false", "!division by zero"},
        {"true && 1 / 0 > 1 && true", "!division by zero"},
        {"1 / 0 > 1 || unknown || true", "true"},
        {"'x' && false", "false"},
        {"'x' || true", "true"},
        {"'x' && true", "!no such overload: && of string"},
        {"null || false", "?no such overload: an operand is null"},
        {"!1", "!no such overload: ! of int"},
        {"true ? 1 : 1 / 0", "1"},
        {"1 / 0 > 1 ? 1 : 2", "!division by zero"},
        {"'x' ? 1 : 2", "!no such overload: ?: of string"},
        {"null ? 1 : 2", "?no such overload: an operand is null"},
        {"unknown", "!unknown name unknown"},
        {"f(1) || true", "true"},
    };
    CHECK(rows);
}

static void comprehensions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[1, 2, 3].all(x, x > 0)", "true"},
        {"[].all(x, x > 0)", "true"},
        {"[1, 0, 2].all(x, 2 / x > 5)", "false"},
        {"[2, 0].all(x, 2 / x > 0)", "!division by zero"},
        {"[1, 'a'].exists(x, x % 2 == 0)", "!no such overload: % of string and int"},
        {"['a', 2].exists(x, x % 2 == 0)", "true"},
        {"[].exists(x, true)", "false"},
        {"[1, 2, 2].exists_one(x, x == 2)", "false"},
        {"[1, 2, 3].exists_one(x, x == 2)", "true"},
        {"[1, 0, 2].exists_one(x, 2 / x == 1)", "!division by zero"},
        {"{'a': 1, 'b': 2}.exists(k, k == 'b')", "true"},
        {"[1, 2, 3].map(x, x * x)", "[1, 4, 9]"},
        {"[1, 2, 3].map(x, x > 1, x * 2)", "[4, 6]"},
        {"{'a': 1}.map(k, k + '!')", "['a!']"},
        {"[1, 2, 3].filter(x, x % 2 == 1)", "[1, 3]"},
        {"[1, 2].map(x, [3, 4].map(y, x * y))", "[[3, 4], [6, 8]]"},
        {"[1].map(x, [2].map(x, x))", "[[2]]"},
        {"[1, 0].map(x, 1 / x)", "!division by zero"},
        {"1.map(x, x)", "!no such overload: map of int"},
        {"[1].filter(x, 'a')", "!no such overload: filter() of string"},
        {"null.exists(x, true)", "?no such overload: an operand is null"},
        {"[1, 2].exists(seven, seven == 2) && seven == 7", "true"},
        {"[2].map(seven, .seven)", "[7]"},
    };
    CHECK(rows);
}

static void fields(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"event.value", "91.5"},
        {"event['name']", "'cpu_usage'"},
        {"event.unit", "null"},
        {"event.unit == null", "true"},
        {"event.unit == 'x'", "false"},
        {"event.unit > 'x'", "?no such overload: an operand is null"},
        {"event.unit + 'x'", "?no such overload: an operand is null"},
        {"has(event.value)", "true"},
        {"has(event.unit)", "false"},
        {"event.labels.pod", "'cart-7'"},
        {"event.labels['pod']", "'cart-7'"},
        {"event.labels.zone", "!no such key: zone"},
        {"event.labels['zone']", "!no such key: zone"},
        {"has(event.labels.zone)", "false"},
        {"'zone' in event.labels", "false"},
        {"event.kind == 'metric'", "true"},
        {"event.value > 80 && event.value <= 91.5 && event.value != 90 && event.value == 91.5", "true"},
        {"event.value > '80'", "!no such overload: > of double and string"},
        {"coalesce(event.unit, 'percent')", "'percent'"},
        {"coalesce(event.name, 'x')", "'cpu_usage'"},
        {"coalesce(null, null)", "null"},
        {"coalesce(1 / 0, 1)", "!division by zero"},
        {"seven + 1", "8"},
        {"nothing + 1", "?no such overload: an operand is null"},
        {"nothing.field", "?no such overload: an operand is null"},
        {"nothing[0]", "?no such overload: an operand is null"},
        {"size(nothing)", "?no such overload: an operand is null"},
        {"-nothing", "?no such overload: an operand is null"},
        {"[7, 8][1]", "8"},
        {"[7, 8][2]", "!index out of range: the list has 2 elements"},
        {"[7, 8][-1]", "!index out of range: the list has 2 elements"},
        {"[7, 8][1.0]", "8"},
        {"[7, 8][0.5]", "!index out of range: the list has 2 elements"},
        {"[7]['a']", "!no such overload: [] of list and string"},
        {"{1: 'a'}[1.0]", "'a'"},
        {"{1: 'a'}[2]", "!no such key"},
        {"{'a': 1, 'a': 2}", "!repeated key in a map"},
        {"{0: 1, 0u: 2}", "!repeated key in a map"},
        {"{1.0: 1}", "!unsupported key type: double (a map's keys are string, bool, int or uint)"},
        {"{null: 1}", "!unsupported key type: null (a map's keys are string, bool, int or uint)"},
        {"(1).field", "!no such overload: field access of int"},
        {"has({'a': null}.a)", "true"},
        {"has(1.a)", "!no such overload: has() of int"},
    };
    CHECK(rows);
}

static void budgets(void **state)
{
    (void)state;
    struct buf text = {0};
    /* Seven loops of ten within each other: ten million steps. */
    for (int i = 0; i < 7; i++)
        buf_printf(&text, "[0,1,2,3,4,5,6,7,8,9].all(x%d, ", i);
    buf_puts(&text, "true");
    for (int i = 0; i < 7; i++)
        buf_byte(&text, ')');
    buf_byte(&text, '\0');
    /* A text eight times as long with each of twelve steps. */
    struct buf doubling = {0};
    buf_puts(&doubling, "['0123456789abcdef']");
    for (int i = 0; i < 12; i++)
        buf_puts(&doubling, ".map(x, x + x + x + x + x + x + x + x)");
    buf_puts(&doubling, ".map(x, size(x))");
    buf_byte(&doubling, '\0');
    const struct row rows[] = {{text.p, "!the evaluation takes too much time or memory"},
                               {doubling.p, "!the evaluation takes too much time or memory"}};
    CHECK(rows);
    buf_fini(&text);
    buf_fini(&doubling);
}

static void eval_bool_counts(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        bool value;
        uint64_t errors, null_errors;
    } rows[] = {
        {"event.value > 80.0", true, 0, 0},
        {"event.value > 95.0", false, 0, 0},
        {"1 / seven == 0 && 1 / (seven - 7) == 0", false, 1, 0},
        {"event.unit > 'a'", false, 0, 1},
        {"nothing", false, 0, 1},
        {"seven", false, 1, 0},
        {"event.labels.zone == 'a'", false, 1, 0},
        {"event.unit > 'a' || event.value > 80.0", true, 0, 0},
    };
    struct arena arena = {0};
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.values[TELEMETRY_VALUE] = value_double(91.5);
    event.values[TELEMETRY_LABELS] = value_map(NULL, 0);
    struct value slots[] = {value_int(7), value_null()};
    struct cel_frame frame = {.event = &event, .slots = slots, .slot_count = 2, .arena = &arena};
    struct cel_env env = {.name = test_name};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct cel *cel;
        struct cel_error err = {0};
        uint64_t errors = 0;
        uint64_t null_errors = 0;
        assert_int_equal(cel_compile(&arena, str_of(rows[i].expression), &env, TYPE_ANY, &cel, &err), 0);
        assert_int_equal(cel_eval_bool(cel, &frame, &errors, &null_errors), rows[i].value);
        assert_int_equal(errors, rows[i].errors);
        assert_int_equal(null_errors, rows[i].null_errors);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),         cmocka_unit_test(precedence),     cmocka_unit_test(integers),
        cmocka_unit_test(doubles),          cmocka_unit_test(comparisons),    cmocka_unit_test(logic),
        cmocka_unit_test(fields),           cmocka_unit_test(comprehensions), cmocka_unit_test(budgets),
        cmocka_unit_test(eval_bool_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
