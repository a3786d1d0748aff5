/* What is refused at load, with its message and place; and what may be asked of a compiled expression. */
#include "rule_cel_table.h"

/* Of test_name(), and: deploy, a deployment that slot 2 holds; failed, a list of incidents in slot 3; incident, an
 * event; macros that fail. */
static struct cel_name check_name(void *context, struct str text)
{
    struct cel_name meaning = {.kind = CEL_NAME_NONE, .type = cel_type_of(TYPE_ANY)};
    if (str_is(text, "deploy") || str_is(text, "failed")) {
        meaning.kind = CEL_NAME_SLOT;
        meaning.slot = str_is(text, "deploy") ? 2 : 3;
        meaning.type = cel_type_of(str_is(text, "deploy") ? VALUE_MAP : VALUE_LIST);
        meaning.type.element = str_is(text, "deploy") ? TYPE_ANY : VALUE_MAP;
        meaning.type.stream = str_is(text, "deploy") ? STREAM_DEPLOYMENT : STREAM_INCIDENT;
    } else if (str_is(text, "mttr")) {
        meaning.kind = CEL_NAME_SLOT;
        meaning.slot = 4;
        meaning.type = cel_type_of(VALUE_DURATION);
    } else if (str_is(text, "incident")) {
        meaning.kind = CEL_NAME_EVENT;
        meaning.type.stream = STREAM_INCIDENT;
    } else if (str_is(text, "ring")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("pool + 1");
    } else if (str_is(text, "pool")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("1 + ring");
    } else if (str_is(text, "broken")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("1 +");
    } else {
        return test_name(context, text);
    }
    return meaning;
}

/* `count(name)` is slot 10, a double; `sum(...)` is always wrong in its second argument. */
static int check_call(void *context, struct str function, struct cel_node *const *args, size_t n_args,
                      struct cel_name *out, int *bad_arg, struct error *err)
{
    (void)context;
    struct str name;
    if (str_is(function, "total")) {
        *bad_arg = 1;
        return error_set(err, ERROR_BAD_INPUT, "the second is wrong");
    }
    if (!str_is(function, "count") || n_args != 1)
        return 1;
    if (!cel_node_is_name(args[0], &name))
        return error_set(err, ERROR_BAD_INPUT, "count() takes an input's name");
    *out = (struct cel_name){.kind = CEL_NAME_SLOT, .type = cel_type_of(VALUE_DOUBLE), .slot = 10};
    return 0;
}

static const char *const known[] = {"event", "mttr", "deploy", NULL};
static const struct cel_env check_env = {.name = check_name, .call = check_call, .known_names = known};

struct refusal {
    const char *expression;
    size_t offset;
    const char *message;
};

static void check_refusals(const struct refusal *rows, size_t n)
{
    struct arena arena = {0};
    int failures = 0;
    for (size_t i = 0; i < n; i++) {
        const struct cel *cel;
        struct cel_error err = {0};
        int status = cel_compile(&arena, str_of(rows[i].expression), &check_env, TYPE_ANY, &cel, &err);
        if (status == 0 || err.offset != rows[i].offset || strcmp(err.error.message, rows[i].message) != 0) {
            print_error("%s\n    is   %d at %zu: %s\n    want at %zu: %s\n", rows[i].expression, status, err.offset,
                        err.error.message, rows[i].offset, rows[i].message);
            failures++;
        }
    }
    arena_fini(&arena);
    assert_int_equal(failures, 0);
}
#define REFUSED(rows) check_refusals(rows, sizeof(rows) / sizeof *(rows))

static void syntax(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"", 0, "an expression is missing at the end"},
        {"1 +", 3, "an expression is missing at the end"},
        {"1 2", 2, "an operator is missing before 2"},
        {"(1", 2, "')' is missing at the end"},
        {"1)", 1, "')' closes nothing"},
        {"[1 2]", 3, "']' or ',' is missing before 2"},
        {"[1", 2, "']' or ',' is missing at the end"},
        {"{'a' 1}", 5, "':' and the value of the map's key is missing before 1"},
        {"{'a': 1", 7, "'}' or ',' is missing at the end"},
        {"size(1,)", 7, "an argument is missing before )"},
        {"[1][0", 5, "']' is missing at the end"},
        {"true ? 1", 8, "':' and what holds otherwise is missing at the end"},
        {"event.", 6, "a field's name is missing at the end"},
        {"event.in", 6, "a field's name is missing before in"},
        {"in [1]", 0, "the element to look for is missing before in"},
        {".1x", 2, "'x' follows a number; a duration is written duration('5m')"},
        {"5m", 1, "'m' follows a number; a duration is written duration('5m')"},
        {"0x", 0, "hexadecimal digits are missing after 0x"},
        {"9223372036854775808", 0, "the number does not fit: int ends at 9223372036854775807"},
        {"-9223372036854775809", 1, "the number does not fit: int ends at 9223372036854775807"},
        {"18446744073709551616u", 0, "the number does not fit: uint ends at 18446744073709551615"},
        {"1e400", 0, "the number does not fit: double ends at 1.7976931348623157e308"},
        {"'abc", 0, "the text is not closed: ' is missing on its line"},
        {"'a\nb'", 0, "the text is not closed: ' is missing on its line"},
        {"'''a''", 0, "the text is not closed: three ' are missing"},
        {"'\\q'", 1,
         "unknown escape; known are \\a \\b \\f \\n \\r \\t \\v \\\\ \\? \\\" \\' \\` \\xHH \\uHHHH \\UHHHHHHHH and "
         "three octal "
         "digits (a raw string r'...' needs none)"},
        {"'\\x1'", 1, "the escape \\x takes 2 hexadecimal digits"},
        {"'\\ud800'", 1, "the escape stands for no Unicode character"},
        {"'\\U00110000'", 1, "the escape stands for no Unicode character"},
        {"'\\08'", 1, "an octal escape has three digits, \\000 to \\377"},
        {"b'\\u00e9'", 2, "bytes take \\x and octal escapes, not \\u"},
        {"{'a': 1}.`b!`", 11, "a quoted field name holds letters, digits, _ . - / and spaces up to a `"},
        {"{'a': 1}.``", 10, "a field name is missing between the ``"},
        {"a = 1", 2, "'=' is no operator; equality is written =="},
        {"a & b", 2, "'&' is no operator; write &&"},
        {"a | b", 2, "'|' is no operator; write ||"},
        {"a # b", 2, "'#' may stand only inside quotes"},
        {"a \u00e9", 2, "'\u00e9' may stand only inside quotes"},
        {"a == \u2018b\u2019", 5, "'\u2018' may stand only inside quotes; quotes are ' and \""},
        {"a and b", 2, "'and' is no operator; write &&"},
        {"(1 == 1 or 2 == 2)", 8, "'or' is no operator; write ||"},
        {"not a", 0, "'not' is no operator; write !"},
        {"1 is 1", 2, "'is' is no operator; write =="},
        {"None", 0, "unknown name None; did you mean null?"},
        {"'\xff'", 0, "the expression is not UTF-8"},
        {"while", 0, "'while' is a reserved word"},
        {"Foo{a: 1}", 3, "there are no message literals here; a map is written {'key': value}"},
        {"has(1)", 4, "has() takes a field, as in has(event.component)"},
        {"[1].map(1, 2)", 8, "map() takes a variable's name first, as in list.map(x, x > 1)"},
    };
    REFUSED(rows);
}

static void names(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"evnt.value", 0, "unknown name evnt; did you mean event?"},
        {"xyz", 0, "unknown name xyz"},
        {"size", 0, "size is a function: size(...)"},
        {"event", 0, "event is the whole event; name one of its fields, as in event.service"},
        {"event.valeu > 1.0", 6, "the stream telemetry has no field valeu; did you mean value?"},
        {"has(event.vallue)", 10, "the stream telemetry has no field vallue; did you mean value?"},
        {"event.something", 6,
         "the stream telemetry has no field something; it has event_id kind service environment name value unit level "
         "message "
         "occurred_at labels"},
        {"deploy.versoin", 7, "the stream deployment has no field versoin; did you mean version?"},
        {"failed.exists(f, f.severty == 'sev1')", 19,
         "the stream incident has no field severty; did you mean severity?"},
        {"failed[0].severty", 10, "the stream incident has no field severty; did you mean severity?"},
        {"ring", 0, "the macro ring contains itself"},
        {"1 + broken", 4, "in the macro broken, at its byte 4: an expression is missing at the end"},
        {"siez('a')", 0, "unknown function siez(); did you mean size?"},
        {"event.name.startWith('a')", 11, "unknown function startWith(); did you mean startsWith?"},
        {"frobnicate(1)", 0,
         "unknown function frobnicate(); functions are size matches fingerprint int uint double string bool bytes "
         "timestamp "
         "duration dyn type coalesce"},
        {"'a'.frobnicate()", 4,
         "unknown function frobnicate(); methods are size startsWith endsWith contains matches lowerAscii upperAscii "
         "trim "
         "split join charAt indexOf lastIndexOf replace substring getFullYear getMonth getDate getDayOfMonth "
         "getDayOfWeek "
         "getDayOfYear getHours getMinutes getSeconds getMilliseconds"},
        {"startsWith('a', 'b')", 0, "startsWith is a method: write x.startsWith(...)"},
        {"'a'.int()", 4, "int is a function: write int(...)"},
        {"[1].map(x)", 4, "map() is written list.map(x, expression of x)"},
        {"has(event.a, 1)", 0, "has() takes one field, as in has(event.component)"},
        {"size()", 0, "size() takes 1 argument; here are 0"},
        {"'a'.substring()", 4, "substring() takes 1 to 2 arguments; here are 0"},
        {"count(1)", 0, "count() takes an input's name"},
        {"total(1, 2)", 9, "the second is wrong"},
    };
    REFUSED(rows);
}

static void types(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"event.value + 'x'", 12, "double + string: there is no such operation"},
        {"event.name < 1", 11, "string < int: there is no such operation"},
        {"event.value == 'x'", 12, "a double never equals a string"},
        {"event.name in 'abc'", 14, "'in' looks into a list or a map, not a string"},
        {"event.name in [1, 2]", 11, "a string is never in a list of int"},
        {"mttr > 5", 5, "duration > int: there is no such operation"},
        {"mttr + 1", 5, "duration + int: there is no such operation"},
        {"1u + 1", 3, "uint + int: there is no such operation"},
        {"null > 1", 5, "null > int: there is no such operation"},
        {"incident.severity == 'sev9'", 21,
         "'sev9' is never the field's value; it is one of 'sev1', 'sev2', 'sev3', 'sev4', 'sev5'"},
        {"'SEV1' == incident.severity", 0,
         "'SEV1' is never the field's value; it is one of 'sev1', 'sev2', 'sev3', 'sev4', 'sev5'"},
        {"incident.severity in ['sev1', 'bad']", 21,
         "'bad' is never the field's value; it is one of 'sev1', 'sev2', 'sev3', 'sev4', 'sev5'"},
        {"deploy.status != 'done'", 17,
         "'done' is never the field's value; it is one of 'started', 'succeeded', 'failed', 'rolled_back'"},
        {"event.value && true", 6, "&& takes a bool; this is a double"},
        {"true || event.name", 14, "|| takes a bool; this is a string"},
        {"!event.value", 7, "! takes a bool; this is a double"},
        {"event.value ? 1 : 2", 6, "?: takes a bool; this is a double"},
        {"-event.name", 0, "- takes an int, a double or a duration; this is a string"},
        {"event.name.length", 11, "a string has no fields"},
        {"event.value[0]", 11, "a double has no elements"},
        {"[1]['a']", 4, "a list's elements are numbered from 0; this is a string"},
        {"event.value.all(x, true)", 6, "all() runs over a list or a map, not a double"},
        {"incident.code_refs.filter(c, c)", 29, "filter takes a bool; this is a string"},
        {"incident.code_refs.exists(c, c == 1)", 31, "a string never equals an int"},
        {"size(event.value)", 11, "size() takes string, bytes, list or map here; this is a double"},
        {"event.name.startsWith(1)", 22, "startsWith() takes string here; this is an int"},
        {"event.name.matches(event.unit)", 25, "matches() takes a constant pattern"},
        {"event.name.matches('(?=a)')", 19, "the pattern cannot be used: Zero-width assertions are not supported."},
        {"event.name.matches('(')", 19,
         "the pattern cannot be used: Missing close parenthesis for group started at index 0."},
        {"event.occurred_at.getHours('Mars/Base')", 27,
         "'Mars/Base' is no time zone; written Europe/Berlin, UTC or +02:00"},
        {"mttr > duration('15x')", 7,
         "type conversion error: '15x' is no duration (of at most 292 years), which is written 30s, 1h30m, 7d or 1.5s"},
        {"1 / 0 > event.value", 2, "division by zero"},
    };
    REFUSED(rows);
}

static void accepted_types(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        int type;
    } rows[] = {
        {"event.value * 2", VALUE_DOUBLE},
        {"event.occurred_at - timestamp(0)", VALUE_DURATION},
        {"event.occurred_at + mttr", VALUE_TIMESTAMP},
        {"mttr / 2", VALUE_DURATION},
        {"incident.component == null", VALUE_BOOL},
        {"incident.severity == incident.worst_severity", VALUE_BOOL},
        {"incident.severity.startsWith('sev')", VALUE_BOOL},
        {"failed[0].severity", VALUE_STRING},
        {"failed.map(f, f.ttr)", VALUE_LIST},
        {"deploy.labels.team", VALUE_STRING},
        {"seven + 1", TYPE_ANY},
        {"'a' + seven", VALUE_STRING},
        {"seven > 1", VALUE_BOOL},
        {"count(ecb) >= 3 && mttr > duration('15m')", VALUE_BOOL},
        {"has(event.unit) ? event.unit : 'none'", VALUE_STRING},
        {"seven ? 1 : 'a'", TYPE_ANY},
        {"has(event.unit) ? incident.severity : event.name", VALUE_STRING},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct cel *cel;
        struct cel_error err = {0};
        if (cel_compile(&arena, str_of(rows[i].expression), &check_env, TYPE_ANY, &cel, &err) != 0)
            fail_msg("%s: %s", rows[i].expression, err.error.message);
        if (cel_result_type(cel).type != rows[i].type)
            fail_msg("%s is of type %d", rows[i].expression, cel_result_type(cel).type);
    }
    const struct cel *cel;
    struct cel_error err = {0};
    assert_int_equal(cel_compile(&arena, str_of("event.value + 1"), &check_env, VALUE_BOOL, &cel, &err), -1);
    assert_string_equal(err.error.message, "a bool is wanted; this is a double");
    assert_int_equal(cel_compile(&arena, str_of("seven"), &check_env, VALUE_BOOL, &cel, &err), 0);
    arena_fini(&arena);
}

static void canonical_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"(event.value)>80.0&&event . name==\"a'b\"", "event.value > 80.0 && event.name == 'a\\'b'"},
        {"(1+2)*3-(4-(5-6))", "(1 + 2) * 3 - (4 - (5 - 6))"},
        {"(true||false)&&!(true&&false)", "(true || false) && !(true && false)"},
        {"true?(1):(false?2:3)", "true ? 1 : false ? 2 : 3"},
        {"(true?false:true)?1:2", "(true ? false : true) ? 1 : 2"},
        {"-(5)+(-5).f()", "-(5) + (-5).f()"},
        {"!(-(seven)>1)", "!(-seven > 1)"},
        {"- -seven", "--seven"},
        {"{'a':1,2u:b'\\xff'}.a+[1.0,.5,1e300][0]", "{'a': 1, 2u: b'\\xff'}.a + [1.0, 0.5, 1e+300][0]"},
        {"failed.map(f,f.ttr!=null,f.ttr)", "failed.map(f, f.ttr != null, f.ttr)"},
        {"has(event.unit)||seven in[1,2]", "has(event.unit) || seven in [1, 2]"},
        {"{'a-b':1}.`a-b`", "{'a-b': 1}.`a-b`"},
        {"sum*2", "(1 + seven) * 2"},
        {".seven+size('a')+'a'.size()", ".seven + size('a') + 'a'.size()"},
    };
    struct arena arena = {0};
    struct cel_env env = check_env;
    env.unchecked = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct cel *cel;
        struct cel_error err = {0};
        struct buf text = {0};
        assert_int_equal(cel_compile(&arena, str_of(rows[i].expression), &env, TYPE_ANY, &cel, &err), 0);
        cel_print(cel, &text);
        if (!str_is(buf_str(&text), rows[i].value))
            fail_msg("%s is %.*s", rows[i].value, STR_ARG(buf_str(&text)));
        buf_fini(&text);
    }
    arena_fini(&arena);
}

static void collect(void *context, int slot)
{
    *(uint32_t *)context |= 1U << slot;
}

static void questions(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct cel_error err = {0};
    const struct cel *cel;
    struct value constant;
    uint32_t slots = 0;
#define COMPILE(text) assert_int_equal(cel_compile(&arena, str_of(text), &check_env, TYPE_ANY, &cel, &err), 0)
    COMPILE("event.value > 1.0 && has(event.unit) && [1].all(x, event.labels.a == 'b')");
    assert_int_equal(cel_event_fields(cel),
                     FIELD_BIT(TELEMETRY_VALUE) | FIELD_BIT(TELEMETRY_UNIT) | FIELD_BIT(TELEMETRY_LABELS));
    assert_int_equal(cel_is_field(cel), -1);
    COMPILE("count(ecb) > 2.0 && seven > 1 && count(ecb) < 9.0 && deploy.version == 'a' && mttr > duration('1h')");
    cel_slots(cel, collect, &slots);
    assert_int_equal(slots, 1U << 10 | 1U << 0 | 1U << 2 | 1U << 4);
    COMPILE("(event.name)");
    assert_int_equal(cel_is_field(cel), TELEMETRY_NAME);
    COMPILE("duration('1h') * 2 + duration('30m')");
    assert_true(cel_is_constant_value(cel, &constant));
    assert_int_equal(value_ms(constant), 150 * MINUTE_MS);
    COMPILE("seven");
    assert_false(cel_is_constant_value(cel, &constant));
    arena_fini(&arena);
}

/* As text: values, then prefixes with a star, then null; or "any". */
static void put_texts(struct buf *out, const struct cel_texts *texts)
{
    if (texts->all)
        buf_puts(out, "any ");
    for (size_t i = 0; i < texts->value_count; i++)
        buf_printf(out, "%.*s ", STR_ARG(value_as_str(texts->values[i])));
    for (size_t i = 0; i < texts->prefix_count; i++)
        buf_printf(out, "%.*s* ", STR_ARG(value_as_str(texts->prefixes[i])));
    buf_puts(out, texts->null ? "null" : "");
    buf_byte(out, '\0');
}

/* What a condition says of event.level, which may be null. */
static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"event.level == 'a'", "a "},
        {"'a' == event.level", "a "},
        {"event['level'] in ['a', 'b']", "a b "},
        {"event.level in ['a', null]", "a null"},
        {"event.level in []", ""},
        {"event.level == null", "null"},
        {"event.level.startsWith('a')", "a* null"},
        {"event.level.startsWith('')", "any null"},
        {"'a'.startsWith(event.level)", "any null"},
        {"has(event.level)", "any "},
        {"event.level != null", "any "},
        {"event.level != 'a'", "any null"},
        {"!(event.level == 'a')", "any null"},
        {"event.name == 'a'", "any null"},
        {"event.level == event.name", "any null"},
        {"event.level > 'a'", "any null"},
        {"event.level == 'a' || event.level.startsWith('b') || event.level == null", "a b* null"},
        {"event.level == 'a' || event.name == 'b'", "any null"},
        {"event.level == 'a' && (event.name == 'b' || event.value > 1.0)", "a "},
        {"event.level in ['a', 'b'] && event.level in ['c']", "c "},
        {"event.level.startsWith('a') && event.level == 'ab'", "ab "},
        {"event.level.startsWith('a') && event.level.startsWith('b')", "a* null"},
        {"has(event.level) && event.level.startsWith('a')", "a* "},
        {"event.level.startsWith('a') || event.level == 'b' && event.value > 1.0", "b a* null"},
        {"event.name == 'x' ? event.level == 'a' : event.level == 'a'", "any null"},
        {"['a', 'b'].exists(x, event.level == x && event.name != x)", "a b "},
        {"['a', 'b'].exists(x, event.level.startsWith(x))", "a* b* null"},
        {"['a', ''].exists(x, event.level.startsWith(x))", "any null"},
        {"['a', 'b'].exists(x, ['c'].exists(y, event.level == x))", "a b "},
        {"[['a', 'b']].exists(x, event.level in x)", "a b "},
        {"[['a'], ['b']].exists(x, event.level in x)", "any null"},
        {"['a', 'b'].all(x, event.level == x)", "any null"},
        {"[event.name].exists(x, event.level == x)", "any null"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena = {0};
        struct cel_error err = {0};
        const struct cel *cel;
        struct buf out = {0};
        if (cel_compile(&arena, str_of(rows[i].text), &check_env, TYPE_ANY, &cel, &err) != 0)
            fail_msg("%s: %s", rows[i].text, err.error.message);
        struct cel_texts said = cel_texts_of(cel, TELEMETRY_LEVEL, &arena);
        put_texts(&out, &said);
        if (strcmp((const char *)out.p, rows[i].says) != 0)
            fail_msg("%s: says '%s', not '%s'", rows[i].text, (const char *)out.p, rows[i].says);
        buf_fini(&out);
        arena_fini(&arena);
    }
}

static void limits(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct cel_error err = {0};
    const struct cel *cel;
    struct buf text = {0};
#define REFUSE(wanted)                                                                                                 \
    do {                                                                                                               \
        assert_int_equal(cel_compile(&arena, buf_str(&text), &check_env, TYPE_ANY, &cel, &err), -1);                   \
        assert_string_equal(err.error.message, wanted);                                                                \
        buf_reset(&text);                                                                                              \
    } while (0)
    for (int i = 0; i < 300; i++)
        buf_puts(&text, "(");
    REFUSE("the expression nests deeper than 250");
    for (int i = 0; i < 300; i++)
        buf_puts(&text, "seven + ");
    buf_puts(&text, "1");
    REFUSE("the expression nests deeper than 250");
    for (int i = 0; i < 300; i++)
        buf_puts(&text, "!");
    REFUSE("more than 250 signs in a row");
    for (int i = 0; i < CEL_TEXT_MAX + 1; i++)
        buf_byte(&text, ' ');
    REFUSE("the expression is longer than 65536 bytes");
    for (int i = 0; i < 17; i++)
        buf_printf(&text, "[1].map(x%d, ", i);
    buf_puts(&text, "1");
    for (int i = 0; i < 17; i++)
        buf_puts(&text, ")");
    REFUSE("map() within map() nests deeper than 16");
    /* Long chains of && and || are no nesting. */
    for (int i = 0; i < 1000; i++)
        buf_puts(&text, "seven == 1 || ");
    buf_puts(&text, "true");
    assert_int_equal(cel_compile(&arena, buf_str(&text), &check_env, VALUE_BOOL, &cel, &err), 0);
    buf_fini(&text);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntax),         cmocka_unit_test(names),          cmocka_unit_test(types),
        cmocka_unit_test(accepted_types), cmocka_unit_test(canonical_text), cmocka_unit_test(questions),
        cmocka_unit_test(texts),          cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
