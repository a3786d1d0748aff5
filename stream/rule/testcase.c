/* `tests:` of a rule: the form of each test, what it expects, and how long it runs. */
#include "rule/testcase.h"

#include "rule/rule_load.h"
#include "rule/testcase_load.h"

#include <stdlib.h>

static const char *const recommendation_fields[] = {"recommendation_id",
                                                    "rule_id",
                                                    "rule_hash",
                                                    "version",
                                                    "life_version",
                                                    "status",
                                                    "category",
                                                    "title",
                                                    "group",
                                                    "services",
                                                    "priority",
                                                    "impact_score",
                                                    "impact",
                                                    "complexity",
                                                    "roadmap",
                                                    "severity",
                                                    "frequency",
                                                    "detections",
                                                    "firings",
                                                    "occurrences",
                                                    "incidents",
                                                    "first_seen",
                                                    "last_seen",
                                                    "mttd",
                                                    "mttd_median",
                                                    "mttr",
                                                    "mttr_median",
                                                    "minutes_lost",
                                                    "estimated_benefit",
                                                    "evidence",
                                                    "code_refs",
                                                    "root_causes",
                                                    "components",
                                                    "values",
                                                    "spec",
                                                    "validation",
                                                    "history",
                                                    "supersedes",
                                                    "superseded_by",
                                                    "notes",
                                                    "event_time",
                                                    NULL};

static const char *const scorecard_fields[] = {"scorecard_id", "id",         "group", "service",    "value",
                                               "previous",     "change",     "trend", "target_met", "window_from",
                                               "window_to",    "event_time", NULL};

const char *const *testcase_fields(const struct rule *rule)
{
    return rule->scorecard != NULL ? scorecard_fields : recommendation_fields;
}

bool test_time_read(struct test_load *load, const struct yaml_node *node, const char *what, int64_t *ms)
{
    int64_t span = 0;
    if (!check_duration(load->diagnostics, node, what, &span))
        return false;
    if (span > INT64_C(3660) * DAY_MS) {
        diagnostic_at(load->diagnostics, node, false, "a test is at most 3660d long");
        return false;
    }
    *ms = TESTCASE_ZERO_MS + span;
    return true;
}

static struct cel_name that_name(void *context, struct str name)
{
    const char *const *fields = testcase_fields(context);
    struct cel_name result = {.kind = CEL_NAME_NONE, .type = {.type = TYPE_ANY, .element = TYPE_ANY, .stream = -1}};
    for (int i = 0; fields[i] != NULL; i++)
        if (str_is(name, fields[i])) {
            result.kind = CEL_NAME_SLOT;
            result.slot = i;
        }
    return result;
}

/* Text, lists and maps as they were written; null for null. Recursive: the YAML reader bounds the depth at 64. */
static struct value node_value(struct arena *arena, const struct yaml_node *node) // NOLINT(misc-no-recursion)
{
    if (node->kind == YAML_SCALAR)
        return yaml_is_null(node) ? value_null() : value_str(arena_str(arena, node->text));
    size_t width = node->kind == YAML_SEQUENCE ? 1 : 2;
    struct value *items = arena_alloc(arena, (node->count * width + 1) * sizeof *items);
    for (size_t i = 0; i < node->count; i++) {
        if (width == 2)
            items[2 * i] = value_str(arena_str(arena, node->keys[i]->text));
        items[width * i + width - 1] = node_value(arena, node->items[i]);
    }
    return width == 1 ? value_list(items, node->count) : value_map(items, node->count);
}

/* What the expectation says of the record, which is of the rule's kind. */
static void read_expected(struct test_load *load, const struct yaml_node *expectation, struct testcase_expect *expect)
{
    struct diagnostics *diagnostics = load->diagnostics;
    const struct yaml_node *recommendation = yaml_get(expectation, "recommendation");
    const struct yaml_node *scorecard = yaml_get(expectation, "scorecard");
    bool scores = load->rule->scorecard != NULL;
    const struct yaml_node *other = scores ? recommendation : scorecard;
    const struct yaml_node *node = scores ? scorecard : recommendation;
    if (other != NULL)
        diagnostic_at(diagnostics, other, false,
                      scores ? "a scorecard makes no recommendation; expect a 'scorecard'"
                             : "a rule makes no scorecard; expect a 'recommendation'");
    else if (node == NULL && yaml_get(expectation, "that") == NULL)
        diagnostic_at(diagnostics, expectation, false, "an expectation has a '%s' or a 'that'",
                      scores ? "scorecard" : "recommendation");
    bool good = node != NULL && (scores ? check_mapping(diagnostics, node, "scorecard", scorecard_fields)
                                        : check_mapping(diagnostics, node, "recommendation", recommendation_fields));
    for (size_t i = 0; good && i < node->count; i++)
        test_field_check(load, node->keys[i], node->items[i]);
    if (good)
        expect->recommendation = node_value(load->arena, node);
}

static bool is_group_key(const struct rule *rule, struct str name)
{
    bool shared = rule_is_shared(rule);
    size_t count = shared ? rule->recommend->per_count : rule->group_count;
    for (size_t i = 0; i < count; i++)
        if (str_eq(shared ? rule->recommend->per[i].name : rule->group[i].name, name))
            return true;
    return false;
}

struct value test_group_read(struct test_load *load, const struct yaml_node *node)
{
    if (!check_map(load->diagnostics, node, "group"))
        return value_null();
    for (size_t i = 0; i < node->count; i++) {
        if (load->sound && !is_group_key(load->rule, node->keys[i]->text))
            diagnostic_at(load->diagnostics, node->keys[i], false, "'%.*s' is no key of %s",
                          STR_ARG(node->keys[i]->text), rule_is_shared(load->rule) ? "per" : "group_by");
        if (node->items[i]->kind != YAML_SCALAR)
            diagnostic_at(load->diagnostics, node->items[i], false, "a group's value is text or null");
    }
    return node_value(load->arena, node);
}

static void read_that(struct test_load *load, const struct yaml_node *node, struct testcase_expect *expect)
{
    const struct cel_env env = {.context = (void *)(uintptr_t)load->rule,
                                .name = that_name,
                                .known_names = testcase_fields(load->rule),
                                .budget = load->budget};
    struct str text;
    struct cel_error err = {0};
    if (!check_text(load->diagnostics, node, "that", &text))
        return;
    if (cel_compile(load->arena, text, &env, VALUE_BOOL, &expect->that, &err) != 0 && err.error.message[0] != '\0')
        diagnostic_within(load->diagnostics, node, err.offset, false, "%s", err.error.message);
}

static void read_expect(struct test_load *load, const struct yaml_node *node, struct testcase_expect *expect)
{
    static const char *const keys[] = {"at", "recommendation", "scorecard", "group", "that", NULL};
    *expect = (struct testcase_expect){.line = node->line, .column = node->column};
    if (!check_mapping(load->diagnostics, node, "an expectation", keys))
        return;
    (void)test_time_read(load, check_need(load->diagnostics, node, "an expectation", "at"), "at", &expect->at_ms);
    read_expected(load, node, expect);
    expect->group = test_group_read(load, yaml_get(node, "group"));
    read_that(load, yaml_get(node, "that"), expect);
}

static int by_time(const void *left, const void *right)
{
    const struct testcase_expect *a = left;
    const struct testcase_expect *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

static void read_expects(struct test_load *load, const struct yaml_node *node, struct testcase *test)
{
    if (!check_sequence(load->diagnostics, node, "expect"))
        return;
    test->expects_none = node->count == 0;
    test->expects = arena_alloc(load->arena, (node->count + 1) * sizeof *test->expects);
    test->expect_count = node->count;
    for (size_t i = 0; i < node->count; i++)
        read_expect(load, node->items[i], &test->expects[i]);
    if (node->count > 1)
        qsort(test->expects, node->count, sizeof *test->expects, by_time);
}

/* The last of event, wait and expectation. */
static int64_t default_end(const struct test_load *load, const struct testcase *test)
{
    int64_t end = TESTCASE_ZERO_MS;
    for (size_t i = 0; i < load->event_count; i++) {
        const struct testcase_event *event = &load->events[i].made;
        int64_t time = event->at_ms > event->event.time_ms ? event->at_ms : event->event.time_ms;
        if (time + load->rule->window.wait_ms > end)
            end = time + load->rule->window.wait_ms;
    }
    if (test->expect_count > 0 && test->expects[test->expect_count - 1].at_ms > end)
        end = test->expects[test->expect_count - 1].at_ms;
    return end;
}

static void read_test(struct test_load *load, const struct yaml_node *node, struct testcase *test)
{
    static const char *const keys[] = {"name", "given", "events", "expect", "advance_to", NULL};
    struct diagnostics *diagnostics = load->diagnostics;
    *test = (struct testcase){.rule = load->rule, .file = node->file, .line = node->line};
    if (!check_mapping(diagnostics, node, "a test", keys))
        return;
    (void)check_text(diagnostics, check_need(diagnostics, node, "a test", "name"), "name", &test->name);
    load->given = yaml_get(node, "given");
    test_given_check(load);
    const struct yaml_node *events = check_need(diagnostics, node, "a test", "events");
    load->event_count = 0;
    if (check_sequence(diagnostics, events, "events"))
        for (size_t i = 0; i < events->count; i++)
            test_event_read(load, events->items[i]);
    test_events_fill(load);
    read_expects(load, check_need(diagnostics, node, "a test", "expect"), test);
    test->advance_to_ms = default_end(load, test);
    (void)test_time_read(load, yaml_get(node, "advance_to"), "advance_to", &test->advance_to_ms);
    if (load->check_only)
        return;
    test->events = arena_alloc(load->arena, (load->event_count + 1) * sizeof *test->events);
    test->event_count = load->event_count;
    for (size_t i = 0; i < load->event_count; i++)
        test->events[i] = load->events[i].made;
}

/* All tests of the rule; -1 when one of them is wrong. */
static int read_tests(struct test_load *load, struct testcase **cases, size_t *count)
{
    const struct yaml_node *node = load->rule->tests;
    size_t errors_before = load->diagnostics->errors;
    *count = 0;
    if (check_sequence(load->diagnostics, node, "tests")) {
        *cases = arena_alloc(load->arena, (node->count + 1) * sizeof **cases);
        struct map names = {0};
        for (size_t i = 0; i < node->count; i++) {
            read_test(load, node->items[i], &(*cases)[i]);
            void **slot = map_slot(&names, (*cases)[i].name);
            if (*slot != NULL && (*cases)[i].name.n > 0)
                diagnostic_at(load->diagnostics, node->items[i], false, "duplicate test '%.*s'",
                              STR_ARG((*cases)[i].name));
            *slot = node->items[i];
        }
        map_fini(&names);
        *count = node->count;
    }
    free(load->events);
    arena_fini(&load->scratch);
    return load->diagnostics->errors == errors_before ? 0 : -1;
}

int testcases_expand(struct arena *arena, const struct rule *rule, struct testcase **cases, size_t *count,
                     struct diagnostics *diagnostics)
{
    *cases = NULL;
    struct test_load load = {.arena = arena, .rule = rule, .diagnostics = diagnostics, .sound = true};
    return read_tests(&load, cases, count);
}

void rule_tests_check(struct rule_build *build)
{
    struct arena scratch = {0};
    struct test_load load = {.arena = &scratch,
                             .rule = build->rule,
                             .diagnostics = build->loader->diagnostics,
                             .check_only = true,
                             .budget = &build->loader->budget,
                             .sound = build->sound};
    struct testcase *cases = NULL;
    size_t count = 0;
    if (read_tests(&load, &cases, &count) == 0 && count > 0 && build->rule->recommend == NULL &&
        build->rule->scorecard == NULL && build->sound)
        diagnostic_at(build->loader->diagnostics, build->rule->tests, false,
                      "tests expect recommendations, and this rule has no 'recommend'");
    arena_fini(&scratch);
}
