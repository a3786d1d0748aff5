/* Warnings: what is certain to be a slip or to cost much is told with its code and place, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule/ruleset.h"

#define HEAD  "apiVersion: forestall.io/v1\nkind: RuleSet\n"
#define RULES HEAD "rules:\n"
#define SHARE(key, rest)                                                                                               \
    RULES "- id: a\n  from: {x: {stream: incident, match: {severity: sev1}}, y: {stream: incident}}\n"                 \
          "  detect:\n    window: {size: 1d}\n    when: share(y, x, " key ") " rest "\n"
#define WHERE(rest)                                                                                                    \
    RULES "- id: a\n  from: {x: {stream: incident, " rest "}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n"
#define WHEN(when)                                                                                                     \
    RULES "- id: a\n  from: {x: {stream: incident}}\n  detect:\n    window: {size: 1d}\n    when: " when "\n"
#define TARGET(value, target)                                                                                          \
    "apiVersion: forestall.io/v1\nkind: Scorecard\nscorecards:\n- id: a\n  from: {x: {stream: incident}}\n"            \
    "  window: {size: 1d, slide: 1d}\n  value: " value "\n  target: " target "\n"                                      \
    "  tests: [{name: n, events: [], expect: []}]\n"
#define GROUP(from, group)                                                                                             \
    RULES "- id: a\n  from: {x: {stream: " from "}}\n  detect: {group_by: " group                                      \
          ", window: {size: 1d, slide: 1h}, when: count(x) > 1}\n"
#define PAIR(one, two)                                                                                                 \
    RULES                                                                                                              \
    "- id: a\n  from: {x: {stream: incident, match: {service: s}}}\n  detect: {group_by: [service], window: " one      \
    "}\n- id: b\n  from: {x: {match: {service: s}, stream: incident}}\n  detect: {group_by: [service], "               \
    "window: " two "}\n"

#define MEMORY(type, value)                                                                                            \
    RULES "- id: a\n  from: {x: {stream: telemetry}}\n  detect: {type: " type ", of: x, value: " value ", memory: "    \
          "7d}\n"
#define TWO(one, two)                                                                                                  \
    RULES                                                                                                              \
    "- id: a\n  from: {x: {stream: deployment}}\n  detect: {type: new_value, of: x, value: event.version, memory: "    \
    "7d, "                                                                                                             \
    "when: " one "}\n- id: b\n  from: {x: {stream: deployment}}\n  detect: {type: new_value, of: x, value: "           \
    "event.version, memory: 7d, when: " two "}\n"
#define BURN_OF(id, objective, more)                                                                                   \
    "- id: " id "\n  from: {b: {stream: telemetry, match: {name: b}}, x: {stream: telemetry, match: {name: x}}}\n"     \
    "  detect: {type: burn_rate, bad: b, all: x, objective: " objective more "}\n"
#define BURN(objective, more) RULES BURN_OF("a", objective, more)

struct warn_case {
    const char *text;
    const char *expected;
};

static const struct warn_case cases[] = {
    /* no-tests */
    {RULES "- id: a\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n"
           "  recommend: {category: architecture, title: t}\n",
     "4:7 no-tests rule 'a' has no tests; write some under 'tests' and run them by forestall test\n"},
    {RULES "- id: a\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n", ""},
    {"apiVersion: forestall.io/v1\nkind: Scorecard\nscorecards:\n- id: a\n  from: {x: {stream: incident}}\n"
     "  window: {size: 1d, slide: 1d}\n  value: count(x)\n- id: b\n  from: {x: {stream: incident}}\n"
     "  window: {size: 1d, slide: 1d}\n  value: count(x)\n  tests: [{name: n, events: [], expect: []}]\n",
     "4:7 no-tests scorecard 'a' has no tests; write some under 'tests' and run them by forestall test\n"},
    {"apiVersion: forestall.io/v1\nkind: Scorecard\nscorecards:\n- id: a\n  from: {x: {stream: telemetry}}\n"
     "  window: {size: 1d, slide: 1d}\n  value: distinct(x, event.message)\n"
     "  tests: [{name: n, events: [], expect: []}]\n",
     "7:10 cardinality 'message' seldom has a value twice, so what is kept grows without bound; take "
     "fingerprint(event.message), which is the same for texts of one pattern\n"},
    /* cannot-fire: match against where */
    {WHERE("match: {service: a}, where: event.service == 'b'"),
     "5:74 cannot-fire event.service == 'b' is never true of what 'match' selects, so the input selects nothing\n"},
    {WHERE("match: {severity: [sev1, sev2]}, where: \"event.severity in ['sev3', 'sev4']\""),
     "5:88 cannot-fire event.severity in ['sev3', 'sev4'] is never true of what 'match' selects, so the input selects "
     "nothing\n"},
    {WHERE("match: {severity: [sev1, sev2]}, where: \"event.severity in ['sev2', 'sev4']\""), ""},
    {WHERE("match: {component: null}, where: event.component != null"),
     "5:81 cannot-fire event.component != null is never true of what 'match' selects, so the input selects nothing\n"},
    {WHERE("match: {component: [null, a]}, where: has(event.component)"), ""},
    {WHERE("where: event.service == 'a' && event.service == 'b'"),
     "5:39 cannot-fire the conditions of this contradict each other, so the input selects nothing\n"},
    {WHERE("where: event.service == 'a' || event.service == 'b'"), ""},
    {WHERE("where: event.service != 'a' && event.service == 'a'"),
     "5:39 cannot-fire the conditions of this contradict each other, so the input selects nothing\n"},
    {WHERE("where: \"!(event.service != 'a') && event.service == 'b'\""),
     "5:39 cannot-fire the conditions of this contradict each other, so the input selects nothing\n"},
    {WHERE("where: event.reopened > 3 && event.reopened < 3"),
     "5:39 cannot-fire the conditions of this contradict each other, so the input selects nothing\n"},
    {WHERE("where: event.reopened >= 3 && event.reopened <= 3"), ""},
    {WHERE("where: \"event.reopened > 3 ? event.reopened < 2 : event.reopened > 5\""),
     "5:39 cannot-fire the conditions of this contradict each other, so the input selects nothing\n"},
    {WHERE("where: \"event.severity != 'sev1' && event.severity != 'sev2' && event.severity != 'sev3' && "
           "event.severity != 'sev4' && event.severity == 'sev1'\""),
     "5:39 cannot-fire the conditions of this contradict each other, so the input selects nothing\n"},
    {WHERE("where: event.service.startsWith('a') && event.service.startsWith('b')"), ""},
    /* cannot-fire and constant: when */
    {WHEN("count(x) < 0"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {WHEN("0 > count(x)"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {WHEN("count(x) > 2 && count(x) < 3"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {WHEN("count(x) > 2 && count(x) < 4"), ""},
    {WHEN("stddev(x, event.reopened) < 0"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {WHEN("stddev(x, event.reopened) >= 0"), ""}, /* null and NaN are neither */
    {WHEN("p50(x, event.reopened) < 0"), ""},
    {SHARE("event.service", "> 1"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {SHARE("event.service", "< 0"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {SHARE("event.service", "<= 1"), ""}, /* null is neither */
    {SHARE("event.service", "== 0.5"), ""},
    {WHEN("count(x) == 2.5"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {RULES
     "- id: a\n  from: {x: {stream: deployment}}\n  detect: {type: new_value, of: x, value: event.version, memory: "
     "7d, when: value == 'a'}\n  recommend: {category: architecture, title: t}\n  validate: {measures: {n: {value: "
     "count(x), met: after < before}}}\n  tests: [{name: n, events: [], expect: []}]\n",
     ""}, /* the first slot is the value, not the count */
    {WHEN("count(x) >= 0"), "8:11 constant this is always true: every event that an input selects is a firing\n"},
    {WHEN("'true'"), "8:11 constant this is always true: every event that an input selects is a firing\n"},
    {WHEN("mttr >= duration('0s')"), ""}, /* null is neither */
    {WHEN("mttr < duration('0s')"), "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {WHEN("count(x) >= 0 && mttr > duration('5m')"), "8:20 constant count(x) >= 0 is always true\n"},
    {WHEN("count(x) < 0 || mttr > duration('5m')"), "8:20 constant count(x) < 0 is never true\n"},
    {RULES "- id: a\n  from: {x: {stream: telemetry}}\n  detect:\n    window: {size: 1h, slide: 1h}\n"
           "    when: count(x) > 3 && mttr > duration('5m')\n",
     "8:11 cannot-fire this is never true, so the rule cannot fire\n"},
    {RULES "- id: a\n  from: {x: {stream: telemetry}}\n  detect:\n    window: {size: 1h, slide: 1h}\n"
           "    when: avg(x) > 3 || !(avg(x) > 3)\n", /* null and NaN are neither */
     ""},
    /* constant: targets. Unknown where a value is null, a target that is never false is never missed. */
    {TARGET("count(x)", "value < 0"), "8:11 constant this is never true, so the target is never met\n"},
    {TARGET("count(x)", "value >= 0"), "8:11 constant this is never false, so the target is never missed\n"},
    {TARGET("mttr", "value >= duration('0s')"), "8:11 constant this is never false, so the target is never missed\n"},
    {TARGET("mttr", "value < duration('0s')"), "8:11 constant this is never true, so the target is never met\n"},
    {TARGET("incidents", "change < -1"), "8:11 constant this is never true, so the target is never met\n"},
    {TARGET("incidents", "change <= -1"), ""},
    {TARGET("incidents", "change <= -0.2 || previous < 0"), "8:38 constant previous < 0 is never true\n"},
    {TARGET("incidents", "value == null || value < 3"), "8:17 constant value == null is never true\n"},
    {TARGET("mttr", "value == null || value < duration('15m')"), ""},
    {TARGET("1 - count(x)", "value < 0"), ""}, /* of what is computed nothing is known */
    {TARGET("avg(x, event.reopened)", "change < -1"), ""},
    /* cardinality */
    {GROUP("telemetry", "[event_id]"), "6:23 cardinality 'event_id' seldom has a value twice, so groups grow without "
                                       "bound; take what recurs, such as the service\n"},
    {GROUP("telemetry", "{m: event.message}"),
     "6:26 cardinality 'message' seldom has a value twice, so groups grow without bound; take "
     "fingerprint(event.message), which is the same for texts of one pattern\n"},
    {GROUP("telemetry", "{m: fingerprint(event.message)}"), ""},
    {GROUP("telemetry", "{m: \"event.message == null ? 'a' : 'b'\"}"), ""},
    {GROUP("telemetry", "{m: \"event.labels['trace_id']\"}"),
     "6:27 cardinality 'trace_id' seldom has a value twice, so groups grow without bound; take what recurs, such as "
     "the service\n"},
    {GROUP("telemetry", "{m: \"event.labels['pod']\", h: event.occurred_at.getHours()}"), ""},
    {GROUP("telemetry", "[service, value]"),
     "6:32 cardinality 'value' seldom has a value twice, so groups grow without "
     "bound; take what recurs, such as the service\n"},
    {GROUP("incident", "[opened_at]"),
     "6:23 cardinality 'opened_at' seldom has a value twice, so groups grow without bound; windows tell times apart; "
     "take what recurs, such as the service\n"},
    {GROUP("deployment", "[service, version]"), ""},
    {MEMORY("new_value", "event.message"),
     "6:43 cardinality 'message' seldom has a value twice, so what is remembered grows without bound; take "
     "fingerprint(event.message), which is the same for texts of one pattern\n"},
    {MEMORY("new_value", "fingerprint(event.message)"), ""},
    {MEMORY("revert", "event.event_id"), "6:40 cardinality 'event_id' seldom has a value twice, so what is remembered "
                                         "grows without bound; take what recurs, such as the service\n"},
    {MEMORY("revert", "event.name"), ""},
    {RULES "- id: a\n  from: {x: {stream: telemetry}}\n  detect:\n    window: {size: 1h, slide: 1h}\n"
           "    when: distinct(x, event.event_id) > 3 || distinct(x, event.message) > 3\n",
     "8:11 cardinality 'message' seldom has a value twice, so what is kept grows without bound; take "
     "fingerprint(event.message), which is the same for texts of one pattern\n"
     "8:11 cardinality distinct(x, event.event_id) counts events; write count(x), which is cheaper\n"},
    {WHEN("distinct(x, event.deployment_id) > 3"), ""},
    {SHARE("event.event_id", "> 0.1"), ""}, /* counting would not tell */
    {SHARE("event.title", "> 0.1"),
     "8:11 cardinality 'title' seldom has a value twice, so what is kept grows without bound; take "
     "fingerprint(event.title), which is the same for texts of one pattern\n"},
    {RULES "- id: a\n  from: {x: {stream: telemetry}}\n  detect: {type: trend, of: x, window: {size: 7d, slide: 1d}, "
           "limit: 9, horizon: 9d, when: \"fit > 0.9 && (slope_per_hour < 0 || eta < duration('1h'))\"}\n",
     "6:82 unused where 'when' is written 'horizon' is without effect; write eta <= duration('9d') into it, or leave "
     "'horizon' out\n"},
    {BURN("0.999", ""), ""},
    {BURN("0.9", ""),
     "6:56 cannot-fire the pair with factor 14.4 fires where more than 144 % of all is bad; with a budget "
     "of 10 % take a factor below 10\n"},
    {BURN("0.99", ", pairs: [{long: 1h, short: 5m, factor: 6}, {long: 1h, short: 1m, factor: 100}]"),
     "6:104 cannot-fire the pair with factor 100 fires where more than 100 % of all is bad; with a budget of 1 % take "
     "a factor below 100\n"},
    {BURN("0.999", ", when: burn_factor > 15"), "6:69 cannot-fire this is never true, so the rule cannot fire\n"},
    {BURN("0.999", ", when: burn_long < 0 && burn_factor >= 1"),
     "6:69 cannot-fire this is never true, so the rule cannot fire\n"},
    {BURN("0.999", ", when: burn_factor > 14 && burn_short > 20"), ""},
    /* overlap */
    {RULES BURN_OF("a", "0.999", "") BURN_OF("b", "0.999", ", when: burn_factor >= 6")
         BURN_OF("c", "0.999", ", pairs: [{long: 1h, short: 5m, factor: 6}]") BURN_OF("d", "0.99", ""),
     "7:7 overlap 'b' fires only together with 'a' (r.yaml:4); make one rule of the two, or let one supersede the "
     "other\n"},
    {TWO("value == 'a'", "value != 'b'"),
     "4:7 overlap 'a' fires only together with 'b' (r.yaml:7); make one rule of the two, or let one supersede the "
     "other\n"},
    {TWO("value == 'a'", "value == 'b'"), ""},
    {PAIR("{size: 7d}, when: count(x) >= 3", "{size: 1w}, when: count(x)  >=  3"),
     "7:7 overlap 'b' detects the same as 'a' (r.yaml:4); make one rule of the two, or let one supersede the other\n"},
    {PAIR("{size: 7d}, when: count(x) >= 3", "{size: 7d}, when: count(x) >= 5"),
     "7:7 overlap 'b' fires only together with 'a' (r.yaml:4); make one rule of the two, or let one supersede the "
     "other\n"},
    {PAIR("{size: 7d}, when: count(x) > 2 && mttr > duration('5m')", "{size: 7d}, when: count(x) > 2"),
     "4:7 overlap 'a' fires only together with 'b' (r.yaml:7); make one rule of the two, or let one supersede the "
     "other\n"},
    {PAIR("{size: 7d}, when: count(x) >= 3", "{size: 8d}, when: count(x) >= 3"), ""},
    {PAIR("{size: 7d}, when: count(x) >= 3", "{size: 7d}, when: mttr > duration('5m')"), ""},
    {PAIR("{size: 7d}, when: count(x) >= 3", "{size: 7d}, when: count(x) <= 5"), ""},
    {PAIR("{size: 7d}, when: mttr > duration('5m')", "{size: 7d}, when: \"!(mttr <= duration('5m'))\""),
     "7:7 overlap 'b' detects the same as 'a' (r.yaml:4); make one rule of the two, or let one supersede the other\n"},
    {PAIR("{size: 7d, slide: 1d}, when: ago(count(x)) > 2", "{size: 7d, slide: 1d}, when: ago( count(x) ) > 5"),
     "7:7 overlap 'b' fires only together with 'a' (r.yaml:4); make one rule of the two, or let one supersede the "
     "other\n"},
    {PAIR("{size: 7d, slide: 1d}, when: ago(count(x)) > 2", /* one begins later */
          "{size: 7d, slide: 1d}, warmup: 30d, when: ago(count(x)) > 5"),
     ""},
    {PAIR("{size: 7d}, when: \"'a' in services\"", "{size: 7d}, when: \"'b' in services\""), ""},
    {RULES "- id: a\n  from: {x: {stream: telemetry}}\n  detect: {type: trend, of: x, window: {size: 7d, slide: 1d}, "
           "limit: 9, horizon: 9d}\n"
           "- id: b\n  from: {x: {stream: telemetry}}\n  detect: {type: trend, of: x, window: {size: 7d, slide: 1d}, "
           "limit: 9, horizon: 3d}\n"
           "- id: c\n  from: {x: {stream: telemetry}}\n  detect: {type: trend, of: x, window: {size: 7d, slide: 1d}, "
           "limit: 8, horizon: 3d}\n"
           "- id: d\n  from: {x: {stream: telemetry}}\n  detect: {type: trend, of: x, window: {size: 7d, slide: 1d}, "
           "limit: 9, horizon: 3d, value: event.value * 2.0}\n",
     "7:7 overlap 'b' fires only together with 'a' (r.yaml:4); make one rule of the two, or let one supersede the "
     "other\n"},
    {RULES "- id: a\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 1}\n"
           "- id: b\n  from: {x: {stream: incident}}\n  detect: {window: {size: 1d}, when: count(x) > 5}"
           "\n  recommend: {category: architecture, title: t, supersedes: [a]}\n"
           "  tests: [{name: n, events: [], expect: []}]\n",
     ""},
    /* unused */
    {HEAD "lists: {used: [a], idle: [b]}\nmacros: {busy: 'count(x) > 2', quiet: 'count(y) > 2'}\n"
          "rules:\n- id: a\n  from: {x: {stream: incident, where: event.service in used}}\n"
          "  detect: {window: {size: 1d}, when: busy}\n",
     "3:20 unused no rule of this file uses the list 'idle'\n"
     "4:32 unused no rule of this file uses the macro 'quiet'\n"},
    {HEAD "macros: {broken: 'count(x >', misspelt: event.servce == 'a', outputs: count(x) > 3 && eta < duration('1d'), "
          "nested: outputs, of_one: event.value > 3, wrong: cont(x) > 1}\nrules: []\n",
     "3:28 error an expression is missing at the end\n"
     "3:47 error the stream incident has no field servce; did you mean service?\n"
     "3:158 error unknown function cont(); did you mean int?\n"},
};

static struct arena arena;

static bool is_listed(const char *code)
{
    for (const struct rule_warning *known = rule_warnings; known->code != NULL; known++)
        if (strcmp(known->code, code) == 0)
            return true;
    return false;
}

static const char *warned(const char *text)
{
    struct diagnostics diagnostics = {.arena = &arena};
    const struct ruleset_options options = {.warn = true};
    ruleset_free(ruleset_load_text_with("r.yaml", str_of(text), &options, &diagnostics));
    const char *all = "";
    for (size_t i = 0; i < diagnostics.count; i++) {
        const struct diagnostic *item = &diagnostics.items[i];
        assert_int_equal(item->warning, strcmp(item->code, "error") != 0);
        assert_true(!item->warning || is_listed(item->code));
        all = arena_printf(&arena, "%s%d:%d %s %s\n", all, item->line, item->column, item->code, item->message);
    }
    diagnostics_fini(&diagnostics);
    return all;
}

static void test_warnings(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = warned(cases[i].text);
        if (strcmp(got, cases[i].expected) == 0)
            continue;
        print_message("%sgot:\n%swanted:\n%s\n", cases[i].text, got, cases[i].expected);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* A run asks for no warnings, and gets none. */
static void test_unasked(void **state)
{
    (void)state;
    struct diagnostics diagnostics = {.arena = &arena};
    ruleset_free(ruleset_load_text("r.yaml", str_of(WHEN("count(x) < 0")), &diagnostics));
    assert_int_equal(diagnostics.count, 0);
    diagnostics_fini(&diagnostics);
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_warnings, teardown),
        cmocka_unit_test_teardown(test_unasked, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
