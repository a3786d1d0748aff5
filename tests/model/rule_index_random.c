/* The index against a walk over every input: random rules over small alphabets, so that values, prefixes and pairs of
 * fields are shared by many or by few, and random events. What is selected, in which order, and what is counted must be
 * the same; and most inputs must not have been looked at.
 *
 * usage: test_rule_index_random [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rule/index.h"

enum { SETS = 120, EVENTS = 60, RULES_MAX = 120, SEEN_MAX = 4 * RULES_MAX, DEPTH_MAX = 3, BIG_LIST = 2500 };

static uint64_t seed = 1;
static uint64_t draw(uint64_t below)
{
    seed += UINT64_C(0x9e3779b97f4a7c15);
    return hash_bytes(&seed, sizeof seed, 5) % below;
}

static const char *const events_fields[] = {"service", "name", "environment", "message"};
static const char *const incident_fields[] = {"service", "title", "environment", "root_cause"};
enum { FIELDS = 4 };
static const bool nullable[FIELDS] = {false, false, true, true};

/* A set's alphabet: the more letters, the fewer inputs share a value. */
static uint64_t letters;

static const char *random_text(struct arena *arena)
{
    char text[6];
    size_t n = draw(5);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + draw(letters));
    text[n] = '\0';
    return arena_printf(arena, "%s", text);
}

static const char *random_list(struct arena *arena)
{
    const char *list = arena_printf(arena, "\"%s\"", random_text(arena));
    for (uint64_t i = draw(4); i > 0; i--)
        list = arena_printf(arena, "%s, \"%s\"", list, random_text(arena));
    return arena_printf(arena, draw(6) == 0 ? "[%s, null]" : "[%s]", list);
}

/* Conditions of one field; %1 is the field. */
static const char *random_test(struct arena *arena, const char *field)
{
    const char *text = random_text(arena);
    const char *list = random_list(arena);
    static const char *const lists[] = {"few", "none", "big"};
    const char *name = lists[draw(8) == 0 ? 2 : draw(2)];
    switch (draw(16)) {
    case 0:
        return arena_printf(arena, "event.%s != \"%s\"", field, text);
    case 1:
        return arena_printf(arena, "\"%s\" == event.%s", text, field);
    case 2:
        return arena_printf(arena, "event.%s in %s", field, list);
    case 3:
        return arena_printf(arena, "event.%s in %s", field, name);
    case 4:
        return arena_printf(arena, "%s.exists(x, event.%s == x)", list, field);
    case 5:
        return arena_printf(arena, "%s.exists(x, event.%s.startsWith(x))", name, field);
    case 6:
        return arena_printf(arena, "event.%s == null", field);
    case 7:
        return arena_printf(arena, "has(event.%s)", field);
    case 8:
        return arena_printf(arena, "event.%s != null", field);
    case 9:
        return arena_printf(arena, "event.%s.contains(\"%s\")", field, text);
    case 10:
        return draw(2) == 0 ? arena_printf(arena, "int(event.%s) > 1", field) /* errors, of null and of other kinds */
                            : arena_printf(arena, "event.%s == null && 1 / size([event.%s].filter(x, x != null)) > 0",
                                           field, field);
    case 11:
    case 12:
    case 13:
        return arena_printf(arena, "event.%s.startsWith(\"%s\")", field, text);
    default:
        return arena_printf(arena, "event.%s == \"%s\"", field, text);
    }
}

/* Nothing here fails to load: that every test reads a field keeps it from being constant. */
static const char *random_where(struct arena *arena, const char *const *fields, int depth)
{
    if (depth == 0 || draw(4) == 0)
        return random_test(arena, fields[draw(FIELDS)]);
    const char *a = random_where(arena, fields, depth - 1);
    const char *b = random_where(arena, fields, depth - 1);
    switch (draw(8)) {
    case 0:
        return arena_printf(arena, "!(%s)", a);
    case 1:
        return arena_printf(arena, "(%s ? %s : %s)", random_test(arena, fields[0]), a, b);
    case 2:
    case 3:
        return arena_printf(arena, "(%s || %s)", a, b);
    case 4: /* of one field, so that it is a way in */
        return arena_printf(arena, "(%s || event.%s == \"%s\")", random_test(arena, fields[1]), fields[1],
                            random_text(arena));
    default:
        return arena_printf(arena, "%s && %s", a, b);
    }
}

static void put_match(struct buf *out, struct arena *arena, const char *const *fields)
{
    bool any = false;
    for (int i = 0; i < FIELDS; i++) {
        if (draw(3) != 0)
            continue;
        buf_printf(out, "%s%s: ", any ? ", " : ", match: {", fields[i]);
        any = true;
        if (nullable[i] && draw(5) == 0)
            buf_printf(out, draw(2) == 0 ? "null" : "['%s', null]", random_text(arena));
        else if (draw(3) == 0)
            buf_printf(out, "['%s', '%s', '%s']", random_text(arena), random_text(arena), random_text(arena));
        else
            buf_printf(out, "'%s'", random_text(arena));
    }
    buf_puts(out, any ? "}" : "");
}

static void put_input(struct buf *out, struct arena *arena, const char *name, bool incident)
{
    const char *const *fields = incident ? incident_fields : events_fields;
    buf_printf(out, "    %s: {stream: %s", name, incident ? "incident" : "telemetry");
    if (draw(3) != 0)
        put_match(out, arena, fields);
    if (draw(3) != 0)
        buf_printf(out, ", where: '%s'", random_where(arena, fields, (int)draw(DEPTH_MAX + 1)));
    buf_puts(out, "}\n");
}

static struct ruleset *random_set(struct arena *arena)
{
    struct buf text = {0};
    struct diagnostics diagnostics = {.arena = arena};
    letters = 2 + draw(8);
    buf_puts(&text, "apiVersion: forestall.io/v1\nkind: RuleSet\nlists:\n  few: [a, ab, b]\n  none: []\n  big: [bbb");
    for (int i = 0; i < BIG_LIST; i++)
        buf_printf(&text, ", n%d", i);
    buf_puts(&text, "]\nrules:\n");
    for (uint64_t i = 0, n = 1 + draw(RULES_MAX); i < n; i++) {
        buf_printf(&text, "- id: r%d\n  from:\n", (int)i);
        put_input(&text, arena, "x", false);
        put_input(&text, arena, "y", false);
        put_input(&text, arena, "z", true);
        buf_puts(&text, "  detect: {window: {size: 5m, slide: 1m}, when: count(x) + count(y) + count(z) > 1}\n");
    }
    struct ruleset *set = ruleset_load_text("rules.yaml", buf_str(&text), &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        print_message("%d: %s\n", diagnostics.items[i].line, diagnostics.items[i].message);
    assert_non_null(set);
    buf_fini(&text);
    diagnostics_fini(&diagnostics);
    return set;
}

/* Any field of text is now and then null here, also those that a decoder would not leave so. */
static void random_event(struct arena *arena, enum stream_id stream, struct event *event)
{
    const char *const *fields = stream == STREAM_INCIDENT ? incident_fields : events_fields;
    event_clear(event, stream_get(stream));
    for (int i = 0; i < FIELDS; i++)
        if (draw(nullable[i] ? 4 : 12) != 0)
            event->values[stream_field_find(event->stream, str_of(fields[i]))] = value_text(random_text(arena));
}

struct seen {
    int inputs[SEEN_MAX]; /* rule number * RULE_INPUTS_MAX + input */
    size_t count;
    uint64_t errors;
    uint64_t null_errors;
};

static void see(void *context, const struct index_entry *entry)
{
    struct seen *seen = context;
    assert_true(seen->count < SEEN_MAX);
    seen->inputs[seen->count++] = entry->rule_number * RULE_INPUTS_MAX + entry->input;
}

/* How many inputs there are of the stream; what the event selects among them goes to `seen`. */
static size_t walk(const struct ruleset *set, const struct event *event, struct arena *arena, struct seen *seen)
{
    struct cel_frame frame = {.event = event, .arena = arena};
    size_t all = 0;
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < set->rules[i].input_count; j++) {
            const struct rule_input *input = &set->rules[i].inputs[j];
            all += input->stream == event->stream;
            if (input->stream == event->stream && rule_input_matches(input, event) &&
                (input->where == NULL || cel_eval_bool(input->where, &frame, &seen->errors, &seen->null_errors)))
                see(seen, &(struct index_entry){&set->rules[i], (int)i, (int)j});
        }
    return all;
}

struct totals {
    size_t inputs, met, selected;
};

static void compare(const struct ruleset *set, const struct rule_index *index, enum stream_id stream,
                    struct totals *totals)
{
    struct arena arena = {0};
    struct event event;
    struct seen found = {.count = 0};
    struct seen walked = {.count = 0};
    random_event(&arena, stream, &event);
    size_t met = rule_index_select(index, &event, &arena, see, &found, &found.errors, &found.null_errors);
    totals->inputs += walk(set, &event, &arena, &walked);
    totals->met += met;
    totals->selected += found.count;
    assert_int_equal(found.count, walked.count);
    for (size_t i = 0; i < found.count; i++)
        assert_int_equal(found.inputs[i], walked.inputs[i]);
    assert_int_equal(found.errors, walked.errors);
    assert_int_equal(found.null_errors, walked.null_errors);
    assert_true(met >= found.count);
    arena_fini(&arena);
}

static void test_same_as_walk(void **state)
{
    (void)state;
    struct totals totals = {0};
    for (int i = 0; i < SETS; i++) {
        struct arena arena = {0};
        struct ruleset *set = random_set(&arena);
        static const enum stream_id streams[] = {STREAM_TELEMETRY, STREAM_INCIDENT};
        for (int k = 0; k < 2; k++) {
            struct rule_index *index = rule_index_new(set, streams[k], NULL);
            for (int n = 0; n < EVENTS; n++)
                compare(set, index, streams[k], &totals);
            rule_index_free(index);
        }
        ruleset_free(set);
        arena_fini(&arena);
    }
    print_message("%zu of %zu inputs met, %zu selected\n", totals.met, totals.inputs, totals.selected);
    assert_true(totals.selected > totals.inputs / 100);
    assert_true(totals.met < totals.inputs * 3 / 4);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    print_message("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_walk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
