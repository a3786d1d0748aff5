/* Rule files: what is wrong is told with its place, all of it; what is right means what it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rule/ruleset.h"
#include "rule_bad_ago.h"
#include "rule_bad_burn_rate.h"
#include "rule_bad_detect.h"
#include "rule_bad_recommend.h"
#include "rule_bad_scorecard.h"
#include "rule_bad_sequence.h"
#include "rule_bad_trend.h"

static struct arena arena;
static struct diagnostics diagnostics;

static int setup(void **state)
{
    (void)state;
    diagnostics = (struct diagnostics){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return 0;
}

static const char *said(void)
{
    const char *all = "";
    for (size_t i = 0; i < diagnostics.count; i++) {
        const struct diagnostic *item = &diagnostics.items[i];
        all = arena_printf(&arena, "%s%d:%d: %s: %s\n", all, item->line, item->column,
                           item->warning ? "warning" : "error", item->message);
    }
    return all;
}

static void check_bad(const struct bad_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        diagnostics_fini(&diagnostics);
        struct ruleset *set = ruleset_load_text("rules.yaml", str_of(cases[i].text), &diagnostics);
        if (strcmp(said(), cases[i].expected) != 0)
            print_message("%s", cases[i].text);
        assert_string_equal(said(), cases[i].expected);
        assert_true((set == NULL) == (diagnostics.errors > 0));
        ruleset_free(set);
    }
}

static void test_bad_detect(void **state)
{
    (void)state;
    check_bad(bad_detect, sizeof bad_detect / sizeof *bad_detect);
}

static void test_bad_sequence(void **state)
{
    (void)state;
    check_bad(bad_sequence, sizeof bad_sequence / sizeof *bad_sequence);
}

static void test_bad_burn_rate(void **state)
{
    (void)state;
    check_bad(bad_burn_rate, sizeof bad_burn_rate / sizeof *bad_burn_rate);
}

static void test_bad_trend(void **state)
{
    (void)state;
    check_bad(bad_trend, sizeof bad_trend / sizeof *bad_trend);
}

static void test_bad_ago(void **state)
{
    (void)state;
    check_bad(bad_ago, sizeof bad_ago / sizeof *bad_ago);
}

static void test_bad_scorecard(void **state)
{
    (void)state;
    check_bad(bad_scorecard, sizeof bad_scorecard / sizeof *bad_scorecard);
}

static void test_bad_recommend(void **state)
{
    (void)state;
    check_bad(bad_recommend, sizeof bad_recommend / sizeof *bad_recommend);
}

static void test_functions_listed(void **state)
{
    (void)state;
    assert_null(ruleset_load_text("rules.yaml", STR_LIT(RULE(IN, WHEN("rate(x) > 1"), "")), &diagnostics));
    assert_int_equal(diagnostics.count, 1);
    const char *start = "unknown function rate(); functions over inputs are count, distinct, sum, avg, ";
    assert_memory_equal(diagnostics.items[0].message, start, strlen(start));
}

/* Loads what must be good. */
static struct ruleset *good(const char *text)
{
    struct ruleset *set = ruleset_load_text("rules.yaml", str_of(text), &diagnostics);
    assert_string_equal(said(), "");
    assert_non_null(set);
    return set;
}

static void test_good_base(void **state)
{
    (void)state;
    ruleset_free(good(RULE(IN, DETECT, REC(""))));
    ruleset_free(good(RULE(TELEMETRY, HOP, "")));
    ruleset_free(good(HEAD));
}

#define FULL                                                                                                           \
    HEAD "lists: {path: [a, b]}\nmacros: {high: \"event.severity in ['sev1', 'sev2']\"}\nrules:\n"                     \
         "- id: z\n  from: {m: {stream: telemetry}}\n  detect: {window: {size: 1h, slide: 25m}, when: avg(m) > 1}\n"   \
         "- id: a\n  from:\n    y: {stream: incident, match: {severity: [SEV2, sev1], service: s}, where: high}\n"     \
         "    m: {stream: telemetry, match: {name: n}}\n"                                                              \
         "    d: {stream: deployment, group_by: {svc: event.version}}\n"                                               \
         "  detect: {group_by: {svc: event.service}, window: {size: 30d}, when: \"count(y) > 1 && 'a' in path && "     \
         "distinct(d,event.version) > 1 && count( y ) < 9\"}\n"                                                        \
         "  recommend: {category: observability_gap, title: \"{{ max(y, event.reopened) }}\", severity: sev2,\n"       \
         "    services: [\"{{ group.svc }}\", b], spec: {code: [{path: p, text: x}]}}\n"                               \
         "  validate: {measures: {l: {value: \"avg(m, event.value)\", met: after < before}}}\n"

static void test_meaning(void **state)
{
    (void)state;
    struct ruleset *set = good(FULL);
    assert_int_equal(set->count, 2);
    const struct rule *a = &set->rules[0];
    assert_true(str_is(a->id, "a"));
    assert_int_equal(a->line, 9);
    assert_ptr_equal(ruleset_find(set, STR_LIT("z")), &set->rules[1]);
    assert_null(ruleset_find(set, STR_LIT("b")));
    assert_int_equal(a->input_count, 3);
    const struct rule_input *d = &a->inputs[0];
    const struct rule_input *m = &a->inputs[1];
    const struct rule_input *y = &a->inputs[2];
    assert_true(str_is(d->name, "d") && str_is(m->name, "m") && str_is(y->name, "y"));
    assert_true(d->detects && y->detects && !m->detects && a->reads_incidents);
    assert_int_equal(y->match_count, 2);
    assert_true(str_is(value_as_str(y->match[0].values[0]), "sev2"));
    assert_int_equal(y->reads,
                     FIELD_BIT(INCIDENT_SERVICE) | FIELD_BIT(INCIDENT_SEVERITY) | FIELD_BIT(INCIDENT_REOPENED));
    assert_int_equal(m->reads, FIELD_BIT(TELEMETRY_NAME) | FIELD_BIT(TELEMETRY_VALUE) | FIELD_BIT(TELEMETRY_SERVICE));
    assert_int_equal(a->group_count, 1);
    assert_true(str_is(a->group[0].name, "svc"));
    assert_int_equal(y->group[0].field, INCIDENT_SERVICE);
    assert_int_equal(d->group[0].field, DEPLOYMENT_VERSION);
    static const char *const texts[] = {"count(y)", "distinct(d, event.version)", "max(y, event.reopened)", "avg(m)"};
    assert_int_equal(a->aggregate_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(str_is(a->aggregates[i].text, texts[i]));
        assert_int_equal(a->aggregates[i].detects, i < 3);
    }
    assert_int_equal(a->aggregates[3].field, TELEMETRY_VALUE);
    assert_int_equal(a->recommend->roadmap, 0);
    assert_true(a->recommend->complexity_high);
    assert_int_equal(a->recommend->severity_weight, 8);
    assert_int_equal(a->recommend->cooldown_ms, DAY_MS);
    assert_int_equal(a->recommend->service_items.count, 2);
    assert_true(str_is(a->recommend->code[0].text, "x"));
    const struct window *window = &set->rules[1].window;
    assert_int_equal(window->kind, WINDOW_HOPPING);
    assert_int_equal(window->pane_ms, 5 * MINUTE_MS);
    ruleset_free(set);
}

static uint64_t hash_of(const char *text)
{
    struct ruleset *set = good(text);
    uint64_t hash = set->rules[0].hash;
    ruleset_free(set);
    return hash;
}

#define HASHED(macros, where, from_tail, detect, title)                                                                \
    HEAD macros "rules:\n- id: r\n  from: {" from_tail "x: {stream: incident, " where "}}\n  detect: " detect          \
                "\n  recommend: {category: architecture, title: \"" title "\"}\n"
#define WHERE_A "match: {service: [a, b]}, where: \"event.severity == 'sev1'\""

static void test_hash(void **state)
{
    (void)state;
    const uint64_t hash = hash_of(HASHED("", WHERE_A, "", DETECT, "t"));
    assert_int_equal(hash, hash_of(HASHED("", WHERE_A, "", DETECT, "{{ count(x) }} {{ mttr }}")));
    assert_int_equal(hash,
                     hash_of(HASHED("", "match: {service: [b, a]}, where: event.severity=='sev1'", "", DETECT, "t")));
    assert_int_equal(hash, hash_of(HASHED("macros: {m: event.severity == 'sev1'}\n",
                                          "match: {service: [a, b]}, where: m", "", DETECT, "t")));
    assert_int_equal(hash, hash_of(HASHED("macros: {q: event.severity == 'sev1'}\n",
                                          "where: q, match: {service: [a, b]}", "", WHEN("count( x )>1"), "t")));
    const uint64_t others[] = {
        hash_of(HASHED("", "match: {service: [a, c]}, where: \"event.severity == 'sev1'\"", "", DETECT, "t")),
        hash_of(HASHED("", "match: {service: [a, b]}, where: \"event.severity == 'sev2'\"", "", DETECT, "t")),
        hash_of(HASHED("", WHERE_A ", updates: true", "", DETECT, "t")),
        hash_of(HASHED("", WHERE_A, "", WHEN("count(x) > 2"), "t")),
        hash_of(HASHED("", WHERE_A, "", "{window: {size: 2d}, when: count(x) > 1}", "t")),
        hash_of(HASHED("", WHERE_A, "", "{window: {size: 1d, slide: 1d}, when: count(x) > 1}", "t")),
        hash_of(HASHED("", WHERE_A, "", "{window: {size: 1d, slide: 1d, wait: 1h}, when: count(x) > 1}", "t")),
        hash_of(HASHED("", WHERE_A, "", "{group_by: [service], window: {size: 1d}, when: count(x) > 1}", "t")),
        hash_of(HASHED("", WHERE_A, "y: {stream: incident}, ", WHEN("count(x) > 1 && count(y) > 0"), "t")),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_not_equal(others[i], hash);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(others[i], others[j]);
    }
}

/* All that a detector's keys say is of its meaning; a default that is written out is not. */
static void test_hash_of_detectors(void **state)
{
#define DETECTED(detect)                                                                                               \
    HEAD "topology: {a: [b]}\nrules:\n- id: r\n  from: {x: {stream: incident}, y: {stream: incident}}\n  detect: "     \
         "{group_by: [service], " detect "}\n  recommend: {category: architecture, title: t}\n  validate: {measures: " \
         "{m: {value: count(x) + count(y), met: after < "                                                              \
         "before}}}\n"
#define VALUES(more) ", of: x, value: event.title, memory: 1d" more
    static const char *const texts[] = {
        DETECTED("type: absence, of: x, every: 1d"),
        DETECTED("type: absence, of: y, every: 1d"),
        DETECTED("type: absence, of: x, every: 2d"),
        DETECTED("type: absence, of: x, every: 1d, when: events > 0"),
        DETECTED("type: cascade, of: x, within: 1d"),
        DETECTED("type: cascade, of: y, within: 1d"),
        DETECTED("type: cascade, of: x, within: 2d"),
        DETECTED("type: cascade, of: x, within: 1d, when: root_failing"),
        DETECTED("type: new_value" VALUES("")),
        DETECTED("type: new_value, of: y, value: event.title, memory: 1d"),
        DETECTED("type: new_value, of: x, value: event.root_cause, memory: 1d"),
        DETECTED("type: new_value, of: x, value: event.title, memory: 2d"),
        DETECTED("type: new_value" VALUES(", warmup: 2d")),
        DETECTED("type: revert" VALUES("")),
    };
    (void)state;
    uint64_t hashes[sizeof texts / sizeof *texts];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hashes[i] = hash_of(texts[i]);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(hashes[i], hashes[j]);
    }
    assert_int_equal(hash_of(DETECTED("type: cascade, of: x, within: 24h, when: size(affected)>=2")), hashes[4]);
    assert_int_equal(hash_of(DETECTED("type: new_value" VALUES(", warmup: 24h"))), hashes[8]);
}

/* What ago() looks at, how far back, and what it waits for. */
static void test_hash_of_ago(void **state)
{
#define AGO(more, when)                                                                                                \
    RULE("{x: {stream: telemetry}}", "{window: {size: 1h, slide: 1h}, " more "when: count(x) > 1}",                    \
         REC(", spec: {problem: \"" when "\", solution: s}"))
    static const char *const texts[] = {
        AGO("", "{{ count(x) }}"),
        AGO("", "{{ ago(count(x)) }}"),
        AGO("", "{{ ago(count(x), '2h') }}"),
        AGO("", "{{ ago(count(x) + 1, '2h') }}"),
        AGO("warmup: 0s, ", "{{ ago(count(x), '2h') }}"),
    };
    (void)state;
    uint64_t hashes[sizeof texts / sizeof *texts];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hashes[i] = hash_of(texts[i]);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(hashes[i], hashes[j]);
    }
    assert_int_equal(hash_of(AGO("", "{{ ago( count(x),'120m' ) }} {{ count(x) }}")), hashes[2]);
    struct ruleset *set = good(AGO("", "{{ ago(avg(x), '3h') }} {{ ago(count(x), '2h') }}"));
    assert_int_equal(set->rules[0].look_back_ms, 3 * HOUR_MS);
    assert_int_equal(set->rules[0].warmup_ms, -1);
    assert_true(str_is(set->rules[0].aggregates[2].text, "ago(avg(x), '3h')"));
    assert_int_equal(set->rules[0].aggregates[2].ago_inputs, 1);
    ruleset_free(set);
}

/* The fields that a detector reads are asked of the decoders. */
static void test_reads_of_detectors(void **state)
{
    (void)state;
    struct ruleset *set =
        good(HEAD "topology: {a: [b]}\nrules:\n- id: c\n  from: {x: {stream: telemetry}}\n  detect: "
                  "{type: cascade, of: x, within: 1m}\n- id: n\n  from: {x: {stream: telemetry}}\n"
                  "  detect: {type: new_value, of: x, value: event.level + event.unit, memory: 1d}\n");
    assert_int_equal(set->rules[0].inputs[0].reads, FIELD_BIT(TELEMETRY_SERVICE));
    assert_int_equal(set->rules[1].inputs[0].reads, FIELD_BIT(TELEMETRY_LEVEL) | FIELD_BIT(TELEMETRY_UNIT));
    ruleset_free(set);
}

#define KEYS "{group_by: [service, environment], window: {size: 1d}, when: count(x) > 1}"

/* What is counted together is part of the meaning; how many detections it takes is not. */
static void test_per(void **state)
{
    (void)state;
    const uint64_t hash = hash_of(RULE(IN, KEYS, REC("")));
    assert_int_equal(hash, hash_of(RULE(IN, KEYS, REC(", per: [service, environment]"))));
    assert_int_equal(hash, hash_of(RULE(IN, KEYS, REC(", needs: {detections: 3, within: 30d}"))));
    const uint64_t others[] = {hash_of(RULE(IN, KEYS, REC(", per: [service]"))),
                               hash_of(RULE(IN, KEYS, REC(", per: []"))),
                               hash_of(RULE(IN, KEYS, REC(", per: [environment, service]"))),
                               hash_of(RULE(IN, KEYS, REC(", per: [service, environment, incidents]")))};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        for (size_t j = 0; j <= i; j++)
            assert_int_not_equal(others[i], j < i ? others[j] : hash);
    struct ruleset *set = good(RULE(IN, "{group_by: {events: event.service}, window: {size: 1d}, when: count(x) > 1}",
                                    REC(", per: [mttr, events], needs: {detections: 3, within: 1d12h}")));
    const struct recommend *recommend = set->rules[0].recommend;
    assert_int_equal(recommend->per_kind, PER_OUTPUTS);
    assert_int_equal(recommend->per_count, 2);
    assert_int_equal(recommend->per[0].key, -1);
    assert_int_equal(recommend->per[0].slot, OUT_MTTR);
    assert_int_equal(recommend->per[1].key, 0); /* a key comes before an output of its name */
    assert_int_equal(recommend->needs_detections, 3);
    assert_int_equal(recommend->needs_within_ms, 36 * HOUR_MS);
    ruleset_free(set);
    set = good(RULE(IN, KEYS, REC(", per: [environment]")));
    assert_int_equal(set->rules[0].recommend->per_kind, PER_KEYS);
    assert_int_equal(set->rules[0].recommend->per[0].key, 1);
    assert_int_equal(set->rules[0].recommend->needs_detections, 0);
    ruleset_free(set);
    set = good(RULE(IN, KEYS, REC(", per: [service, environment]")));
    assert_false(rule_is_shared(&set->rules[0]));
    ruleset_free(set);
}

#define SHARE(when, rest)                                                                                              \
    RULE("{d: {stream: deployment}, x: {stream: incident}, y: {stream: incident}}",                                    \
         "{window: {size: 1d}, when: \"" when "\"}", rest)

/* A share brings the distincts that it compares, which count as asked for only where something else asks. */
static void test_share(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool part, detects;
    } wanted[] = {{"distinct(d, event.deployment_id)", true, true},
                  {"distinct(x, event.deployment_id)", false, true},
                  {"share(d, x, event.deployment_id)", false, true},
                  {"distinct(y, event.deployment_id)", true, false},
                  {"share(y, x, event.deployment_id)", false, false}};
    struct ruleset *set =
        good(SHARE("share(d,x,event.deployment_id) > 0.1 && distinct(x, event.deployment_id) > 1.0",
                   REC("") "  validate: {measures: {a: {value: \"share(y, x, event.deployment_id)\", met: after < "
                           "before}, b: {value: \"distinct(d, event.deployment_id)\", met: after < before}}}\n"));
    const struct rule *rule = &set->rules[0];
    assert_int_equal(rule->aggregate_count, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        assert_true(str_is(rule->aggregates[i].text, wanted[i].text));
        assert_int_equal(rule->aggregates[i].part, wanted[i].part);
        assert_int_equal(rule->aggregates[i].detects, wanted[i].detects);
    }
    assert_true(rule->aggregates[2].over == 0 && rule->aggregates[2].of == 1);
    assert_true(rule->aggregates[4].over == 3 && rule->aggregates[4].of == 1);
    assert_true(rule->inputs[0].detects && rule->inputs[1].detects && !rule->inputs[2].detects);
    assert_int_equal(rule->inputs[1].reads, FIELD_BIT(INCIDENT_DEPLOYMENT_ID));
    ruleset_free(set);
    const uint64_t hash = hash_of(SHARE("share(d, x, event.service) > 0.1 && count(y) > 0.0", ""));
    assert_int_equal(hash, hash_of(SHARE("share(d,x,event.service)  >  0.1 && count(y) > 0.0", "")));
    assert_int_not_equal(hash, hash_of(SHARE("share(x, d, event.service) > 0.1 && count(y) > 0.0", "")));
    assert_int_not_equal(hash, hash_of(SHARE("share(d, y, event.service) > 0.1 && count(x) > 0.0", "")));
}

/* So the keys of a share are of one type. */
static void test_fields_of_a_name_are_of_one_kind(void **state)
{
    (void)state;
    for (int a = 0; a < STREAM_COUNT; a++)
        for (int b = 0; b < a; b++)
            for (int i = 0; i < stream_get(a)->field_count; i++) {
                const struct stream_field *field = &stream_get(a)->fields[i];
                int other = stream_field_find(stream_get(b), str_of(field->name));
                if (other >= 0)
                    assert_int_equal(field->kind, stream_get(b)->fields[other].kind);
            }
}

static void test_overrides(void **state)
{
    (void)state;
    const char *shipped =
        HEAD "lists: {l: [a]}\n"
             "rules:\n- id: r\n  from: {x: {stream: incident, match: {service: a, severity: [sev1, sev2]}, "
             "where: event.service in l}}\n  detect: {group_by: [service], window: {size: 1d}, when: count(x) > 1}\n";
    uint64_t meant = hash_of(
        HEAD "lists: {l: [b, c]}\n"
             "rules:\n- id: r\n  from: {x: {stream: incident, match: {service: a, severity: [sev3]}, "
             "where: event.service in l}}\n  detect: {group_by: [service], window: {size: 2d}, when: count(x) > 1}\n");
    assert_int_not_equal(hash_of(shipped), meant);
    const char *overrides =
        "overrides: {lists: {l: [b, c]}, r: {from: {x: {match: {severity: [sev3]}}}, detect: {window: "
        "{size: 2d}}}}\n";
    assert_int_equal(hash_of(arena_printf(&arena, "%s%s", shipped, overrides)), meant);
    struct ruleset *set = ruleset_load_text(
        "rules.yaml", str_of(arena_printf(&arena, "%soverrides: {r: {detect: {window: {size: long}}}}\n", shipped)),
        &diagnostics);
    assert_null(set);
    assert_string_equal(said(), "8:41: error: size: 'long' is no duration; write one such as 30s, 10m or 1d12h\n");
}

static void put_file(const char *folder, const char *name, const char *text)
{
    FILE *file = fopen(arena_printf(&arena, "%s/%s", folder, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/forestall-rules-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *inside = arena_printf(&arena, "%s/more", folder);
    const char *b = arena_printf(&arena, "%s/b.yml", folder);
    assert_int_equal(mkdir(inside, 0700), 0);
    put_file(folder, "b.yml", RULE(IN, DETECT, REC(", spec: {code: [{path: p, file: more/code.txt}]}")));
    put_file(folder, "ignored.txt", "not: [a rule file");
    put_file(inside, "code.txt", "int x;\n");
    put_file(
        inside, "a.yaml",
        HEAD
        "rules:\n- id: a\n  from: {y: {stream: deployment}}\n  detect: {window: {size: 150d}, when: count(y) > 1}\n");
    const char *paths[] = {folder, b};
    struct ruleset *set = ruleset_load(paths, 2, &diagnostics);
    assert_string_equal(said(), "");
    assert_non_null(set);
    assert_int_equal(set->count, 2);
    assert_int_equal(set->file_count, 2);
    assert_true(str_is(set->rules[1].recommend->code[0].text, "int x;\n"));
    ruleset_free(set);
    struct ruleset_options options = {.row_retention_ms = 100 * (int64_t)DAY_MS};
    assert_null(ruleset_load_with(paths, 2, &options, &diagnostics));
    assert_string_equal(said(), "6:27: error: a window over deployments is at most 100d, for which their rows are kept "
                                "(state.row_retention)\n");
    diagnostics_fini(&diagnostics);
    const char *missing[] = {"/no/such/rules"};
    assert_null(ruleset_load(missing, 1, &diagnostics));
    assert_string_equal(said(), "1:1: error: No such file or directory\n");
    assert_int_equal(unlink(b), 0);
    assert_int_equal(unlink(arena_printf(&arena, "%s/ignored.txt", folder)), 0);
    assert_int_equal(unlink(arena_printf(&arena, "%s/code.txt", inside)), 0);
    assert_int_equal(unlink(arena_printf(&arena, "%s/a.yaml", inside)), 0);
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Ten thousand rules load in a time that grows with their number. */
static void test_many(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_puts(&text, HEAD "rules:\n");
    for (int i = 0; i < 10000; i++)
        buf_printf(
            &text,
            "- id: r%d\n  from: {x: {stream: incident, match: {service: s%d}}}\n  detect: {group_by: [service], "
            "window: "
            "{size: 1d}, when: count(x) > 1}\n  recommend: {category: architecture, title: t, supersedes: [r0%s]}\n",
            i, i, i == 0 ? "0" : "");
    int64_t start = clock_mono_us();
    struct ruleset *set = ruleset_load_text("rules.yaml", buf_str(&text), &diagnostics);
    assert_string_equal(said(), "7:62: error: there is no rule 'r00' to supersede\n");
    assert_null(set);
    assert_true(clock_mono_us() - start < 20 * 1000 * 1000);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_detect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_trend, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_ago, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_scorecard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_burn_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_recommend, setup, teardown),
        cmocka_unit_test_setup_teardown(test_functions_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_good_base, setup, teardown),
        cmocka_unit_test_setup_teardown(test_meaning, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hash_of_detectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hash_of_ago, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_of_detectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_per, setup, teardown),
        cmocka_unit_test_setup_teardown(test_share, setup, teardown),
        cmocka_unit_test(test_fields_of_a_name_are_of_one_kind),
        cmocka_unit_test_setup_teardown(test_overrides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
