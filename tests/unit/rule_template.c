/* Templates: their parts, the types of single expressions, how values print, and places of errors. */
#include "rule/template.h"

#include "rule_cel_table.h"

static const struct cel_env template_env = {.name = test_name};

static struct cel_frame frame_of(struct arena *arena, struct event *event, struct value *slots)
{
    event_clear(event, stream_get(STREAM_TELEMETRY));
    event->values[TELEMETRY_NAME] = value_text("cpu_usage");
    event->values[TELEMETRY_VALUE] = value_double(91.456);
    event->values[TELEMETRY_OCCURRED_AT] = value_time_ms(1704067200000);
    slots[0] = value_int(7);
    slots[1] = value_null();
    return (struct cel_frame){.event = event, .slots = slots, .slot_count = 2, .arena = arena};
}

static void renders(void **state)
{
    (void)state;
    static const struct {
        const char *template, *text;
        uint64_t errors;
    } rows[] = {
        {"", "", 0},
        {"plain { text } }}", "plain { text } }}", 0},
        {"{{ event.name }}", "cpu_usage", 0},
        {"{{event.value}} % of {{ event.name }}.", "91.46 % of cpu_usage.", 0},
        {"{{ 3.0 }} {{ 2.5 }} {{ -0.001 }}", "3 2.5 0", 0},
        {"{{ event.unit }}", "unknown", 0},
        {"{{ nothing }} and {{ 1 / (seven - 7) }}", "unknown and unknown", 1},
        {"{{ event.unit + 'x' }}", "unknown", 1},
        {"{{ duration('25m') }}, {{ duration('65m') }}", "25m, 1h 5m", 0},
        {"{{ event.occurred_at }}", "2024-01-01T00:00:00Z", 0},
        {"{{ ['a', 'b'] }}{{ [] }}", "a, b", 0},
        {"{{ {'a': {'b': 1}}['a']['b'] }}", "1", 0},
        {"{{ '}}' }}|{{ \"{{ }}\" }}|{{ '''a'}}''' }}", "}}|{{ }}|a'}}", 0},
        {"{{ true }} {{ 5u }}", "true 5", 0},
        {"v{{ seven + 1 }}{{ seven }}", "v87", 0},
    };
    struct arena arena = {0};
    struct event event;
    struct value slots[2];
    struct cel_frame frame = frame_of(&arena, &event, slots);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct template *template;
        struct cel_error err = {0};
        struct buf out = {0};
        uint64_t errors = 0;
        if (template_compile(&arena, str_of(rows[i].template), &template_env, &template, &err) != 0)
            fail_msg("%s: %s", rows[i].template, err.error.message);
        template_render(template, &frame, &out, &errors);
        if (!str_is(buf_str(&out), rows[i].text) || errors != rows[i].errors)
            fail_msg("%s is %.*s, %d errors", rows[i].template, STR_ARG(buf_str(&out)), (int)errors);
        buf_fini(&out);
    }
    arena_fini(&arena);
}

static void keeps_type(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{ ['a', 'b'] }}", "['a', 'b']"},
        {"{{ seven }}", "7"},
        {"{{ event.value * 2.0 }}", "182.912"},
        {"{{ event.unit }}", "null"},
        {"{{ 1 / (seven - 7) }}", "null"},
        {" {{ seven }}", "' 7'"},
        {"{{ seven }}{{ seven }}", "'77'"},
        {"text", "'text'"},
        {"", "''"},
    };
    struct arena arena = {0};
    struct event event;
    struct value slots[2];
    struct cel_frame frame = frame_of(&arena, &event, slots);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct template *template;
        struct cel_error err = {0};
        struct buf got = {0};
        uint64_t errors = 0;
        assert_int_equal(template_compile(&arena, str_of(rows[i].expression), &template_env, &template, &err), 0);
        show(template_value(template, &frame, &errors), &got);
        if (!str_is(buf_str(&got), rows[i].value))
            fail_msg("%s is %.*s", rows[i].expression, STR_ARG(buf_str(&got)));
        buf_fini(&got);
    }
    arena_fini(&arena);
}

static void places_of_errors(void **state)
{
    (void)state;
    static const struct {
        const char *template;
        size_t offset;
        const char *message;
    } rows[] = {
        {"a {{ seven", 2, "{{ is not closed: }} is missing"},
        {"{{ seven }} {{ seven }", 12, "{{ is not closed: }} is missing"},
        {"{{ '}} }}", 3, "the text is not closed: ' is missing on its line"},
        {"{{ {'a': 1 }}", 11, "'}' or ',' is missing at the end"},
        {"ab {{ bogus }}", 6, "unknown name bogus"},
        {"{{ seven }}{{ event.valeu }}", 20, "the stream telemetry has no field valeu; did you mean value?"},
        {"{{ }}", 3, "an expression is missing at the end"},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct template *template;
        struct cel_error err = {0};
        assert_int_equal(template_compile(&arena, str_of(rows[i].template), &template_env, &template, &err), -1);
        assert_string_equal(err.error.message, rows[i].message);
        assert_int_equal(err.offset, rows[i].offset);
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
    const struct template *template;
    struct str text;
    uint32_t slots = 0;
    assert_int_equal(template_compile(&arena, str_of("plain"), &template_env, &template, &err), 0);
    assert_true(template_is_constant(template, &text));
    assert_true(str_is(text, "plain"));
    assert_int_equal(
        template_compile(&arena, str_of("{{ nothing }} {{ event.value }}"), &template_env, &template, &err), 0);
    assert_false(template_is_constant(template, &text));
    template_slots(template, collect, &slots);
    assert_int_equal(slots, 1U << 1);
    assert_int_equal(template_event_fields(template), FIELD_BIT(TELEMETRY_VALUE));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders),
        cmocka_unit_test(keeps_type),
        cmocka_unit_test(places_of_errors),
        cmocka_unit_test(questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
