/* Any bytes as an expression and as a template: they compile or are refused with a place within the text; what compiles
 * evaluates; canonical text compiles again and is its own canonical text; a fingerprint keeps its bound.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rule/fingerprint.h"
#include "rule/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cel_name name(void *context, struct str text)
{
    (void)context;
    struct cel_name meaning = {.kind = CEL_NAME_NONE, .type = cel_type_of(TYPE_ANY)};
    if (str_is(text, "event")) {
        meaning.kind = CEL_NAME_EVENT;
        meaning.type.stream = STREAM_TELEMETRY;
    } else if (str_is(text, "any")) {
        meaning.kind = CEL_NAME_EVENT;
        meaning.type.stream = STREAM_COUNT;
    } else if (str_is(text, "slot")) {
        meaning.kind = CEL_NAME_SLOT;
    } else if (str_is(text, "deploy")) {
        meaning.kind = CEL_NAME_SLOT;
        meaning.slot = 1;
        meaning.type = (struct cel_type){VALUE_MAP, TYPE_ANY, STREAM_DEPLOYMENT, NULL};
    } else if (str_is(text, "high")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("event.value > 80.0 || ring");
    } else if (str_is(text, "ring")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("high");
    } else if (str_is(text, "twice")) {
        meaning.kind = CEL_NAME_MACRO;
        meaning.macro = STR_LIT("x + x");
    } else if (str_is(text, "names")) {
        static const struct value items[] = {{.type = VALUE_STRING, .n = 1, .s = "a"}, {.type = VALUE_NULL}};
        meaning.kind = CEL_NAME_CONSTANT;
        meaning.constant = value_list(items, 2);
    }
    return meaning;
}

static struct event event_of_everything(void)
{
    struct event event;
    event_clear(&event, stream_get(STREAM_TELEMETRY));
    event.values[TELEMETRY_NAME] = value_text("cpu_usage");
    event.values[TELEMETRY_VALUE] = value_double(91.5);
    event.values[TELEMETRY_SERVICE] = value_text("cart\xC3\xA9");
    event.values[TELEMETRY_KIND] = value_text("metric");
    event.values[TELEMETRY_OCCURRED_AT] = value_time_ms(1704067200000);
    return event;
}

static void check_canonical(struct arena *arena, const struct cel_env *env, const struct cel *cel)
{
    struct buf once = {0};
    struct buf twice = {0};
    struct cel_error err = {0};
    const struct cel *again;
    cel_print(cel, &once);
    if (once.len <= CEL_TEXT_MAX) {
        if (cel_compile(arena, buf_str(&once), env, TYPE_ANY, &again, &err) != 0) {
            (void)fprintf(stderr, "%.*s\n%s\n", STR_ARG(buf_str(&once)), err.error.message);
            abort();
        }
        cel_print(again, &twice);
        ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void ignore_slot(void *context, int slot)
{
    (void)context;
    ASSERT(slot < 2);
}

static void run(struct arena *arena, struct str text, const struct cel_env *env, const struct cel_frame *frame)
{
    struct cel_error err = {0};
    const struct cel *cel;
    const struct template *template;
    uint64_t errors = 0;
    struct buf out = {0};
    if (cel_compile(arena, text, env, TYPE_ANY, &cel, &err) == 0) {
        struct value v = cel_eval(cel, frame);
        if (v.type == VALUE_STRING)
            ASSERT(utf8_valid(v.s, v.n));
        value_json(&out, v);
        (void)cel_eval_bool(cel, frame, &errors, &errors);
        cel_slots(cel, ignore_slot, NULL);
        check_canonical(arena, env, cel);
    } else {
        ASSERT(err.offset <= text.n && err.error.class == ERROR_BAD_INPUT);
    }
    buf_reset(&out);
    if (template_compile(arena, text, env, &template, &err) == 0)
        template_render(template, frame, &out, &errors);
    else
        ASSERT(err.offset <= text.n);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str text = {(const char *)data, size};
    struct event event = event_of_everything();
    struct value slots[2] = {value_int(7), value_map(NULL, 0)};
    struct cel_frame frame = {.event = &event, .slots = slots, .slot_count = 2, .arena = &arena};
    struct cel_env env = {.name = name};
    run(&arena, text, &env, &frame);
    env.unchecked = true;
    run(&arena, text, &env, &frame);
    char *out = mem_alloc(size * FINGERPRINT_GROWTH);
    ASSERT(fingerprint(text, out) <= size * FINGERPRINT_GROWTH);
    free(out);
    arena_fini(&arena);
    return 0;
}
