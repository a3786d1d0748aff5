/* `forestall test`: the `tests:` beside the rules, on the real engine, with a clock that only the tests move. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/coverage.h"
#include "cli/diagnostics.h"
#include "cli/junit.h"
#include "cli/options.h"
#include "cli/trial.h"

static const char usage[] =
    "usage: forestall test [PATH...] [--filter TEXT] [--coverage] [--junit FILE]\n"
    "\n"
    "Runs the tests of rule files and folders (default: ./rules) on the engine, each by itself, with only its rule.\n"
    "Exit status: 0 all passed, 1 some failed or could not be read, 2 wrong usage.\n"
    "\n"
    "  --filter TEXT    only tests whose rule, name or file contains TEXT\n"
    "  --coverage       say which rules fire in a test, and which parts of their conditions were never true or false\n"
    "  --junit FILE     write a report as JUnit's XML too\n";

/* Everything one run of the command counts. */
struct session {
    const char *filter;
    struct coverage *coverage; /* NULL: not wanted */
    struct junit *junit;       /* NULL: not wanted */
    size_t passed;
    size_t failed;
    size_t rules;
    size_t rules_untested;
};

static bool is_chosen(const struct session *session, const struct testcase *testcase, const char *name)
{
    return session->filter == NULL || strstr(name, session->filter) != NULL ||
           strstr(testcase->file, session->filter) != NULL;
}

static void run_case(struct session *session, const struct testcase *testcase, size_t rule)
{
    struct arena arena = {0};
    struct junit_case item = {
        .suite = testcase->rule->id, .name = testcase->name, .file = testcase->file, .line = testcase->line};
    const char *name = arena_printf(&arena, "%.*s: %.*s", STR_ARG(testcase->rule->id), STR_ARG(testcase->name));
    if (!is_chosen(session, testcase, name)) {
        arena_fini(&arena);
        return;
    }
    int64_t start_us = clock_mono_us();
    struct trial_result result = trial_run(
        &arena, testcase, session->coverage != NULL ? coverage_rule(session->coverage, rule) : testcase->rule);
    item.took_us = clock_mono_us() - start_us;
    item.failed = !result.passed;
    item.text = result.why;
    session->passed += result.passed;
    session->failed += !result.passed;
    (void)printf("%s %s\n%.*s", result.passed ? "ok  " : "FAIL", name, STR_ARG(result.why));
    if (session->coverage != NULL)
        coverage_test(session->coverage, rule, result.fired);
    if (session->junit != NULL)
        junit_add(session->junit, &item);
    arena_fini(&arena);
}

/* All tests of the set. False: a test cannot be read. */
static bool run_rules(struct session *session, const struct ruleset *rules, struct diagnostics *diagnostics)
{
    bool good = true;
    for (size_t i = 0; i < rules->count; i++) {
        struct arena arena = {0};
        struct testcase *cases = NULL;
        size_t count = 0;
        session->rules++;
        if (testcases_expand(&arena, &rules->rules[i], &cases, &count, diagnostics) != 0)
            good = false;
        for (size_t k = 0; good && k < count; k++)
            run_case(session, &cases[k], i);
        session->rules_untested += count == 0;
        arena_fini(&arena);
    }
    return good;
}

static int report(const struct session *session, bool readable)
{
    if (session->coverage != NULL)
        coverage_print(session->coverage, session->filter == NULL, stdout);
    (void)printf("%zu passed, %zu failed (%zu of %zu rules have tests)\n", session->passed, session->failed,
                 session->rules - session->rules_untested, session->rules);
    if (session->filter != NULL && session->passed + session->failed == 0) {
        (void)fprintf(stderr, "error: no test's rule, name or file contains '%s'\n", session->filter);
        return 1;
    }
    return readable && session->failed == 0 ? 0 : 1;
}

static int test(struct session *session, const struct ruleset *rules, const char *junit_path,
                struct diagnostics *diagnostics)
{
    struct error err = {0};
    bool readable = run_rules(session, rules, diagnostics);
    int status = report(session, readable);
    if (session->junit != NULL && junit_write(session->junit, junit_path, &err) != 0) {
        (void)fprintf(stderr, "error: %s\n", err.message);
        status = 1;
    }
    return status;
}

int cli_test(int argc, char **argv)
{
    static const char *const fallback[] = {"rules"};
    struct session session = {0};
    const char *junit_path = NULL;
    bool with_coverage = false;
    const struct cli_option options[] = {{.name = "filter", .value = &session.filter},
                                         {.name = "coverage", .flag = &with_coverage},
                                         {.name = "junit", .value = &junit_path},
                                         {.name = NULL}};
    struct cli_arguments arguments = {.rest_max = (size_t)argc};
    enum cli_parsed parsed = options_parse(argc, argv, options, usage, &arguments);
    if (parsed != CLI_GO)
        return parsed == CLI_HELP ? 0 : 2;
    struct arena arena = {0};
    struct diagnostics diagnostics = {.arena = &arena};
    bool named = arguments.rest_count > 0;
    struct ruleset *rules = ruleset_load(named ? (const char *const *)arguments.rest : fallback,
                                         named ? arguments.rest_count : 1, &diagnostics);
    int status = 1;
    if (rules != NULL) {
        session.coverage = with_coverage ? coverage_new(rules) : NULL;
        session.junit = junit_path != NULL ? junit_new() : NULL;
        status = test(&session, rules, junit_path, &diagnostics);
    }
    diagnostics_sort(&diagnostics);
    diagnostics_print(stderr, &diagnostics);
    coverage_free(session.coverage);
    junit_free(session.junit);
    ruleset_free(rules);
    diagnostics_fini(&diagnostics);
    arena_fini(&arena);
    return status;
}
