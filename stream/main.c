/* argv to a command. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "rule/check.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *does;
} commands[] = {
    {"demo", cli_demo, "a quarter of Online Boutique on an in-process Kafka, no set-up"},
    {"run", cli_run, "the processor: topics in, recommendations out"},
    {"replay", cli_replay, "the same engine over history, from topics or files"},
    {"check", cli_check, "validate rules and configuration"},
    {"test", cli_test, "run the tests beside the rules on the real engine"},
    {"explain", cli_explain, "tell how a rule was understood"},
    {"recommendations", cli_recommendations, "list and show recommendations; accept, dismiss, … them"},
    {"eval", cli_eval, "evaluate an expression"},
    {"report", cli_report, "the weekly review, the roadmap, issues, and what the proactive rules found"},
    {"topics", cli_topics, "make or list the topics with the right settings"},
    {"gen", cli_gen, "generate events for trials and benches"},
};

static void print_usage(FILE *out)
{
    (void)fputs("usage: forestall COMMAND [options]\n\n"
                "Prevention recommendations from incident, deployment and telemetry events on Kafka.\n\n",
                out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        (void)fprintf(out, "  %-15s  %s\n", commands[i].name, commands[i].does);
    (void)fputs("\n`forestall COMMAND --help` tells a command's options; `forestall --version` the version.\n"
                "Exit status: 0 good, 1 failure, 2 usage.\n",
                out);
}

static int unknown_command(const char *name)
{
    struct arena arena = {0};
    const char *names[sizeof commands / sizeof *commands + 1] = {0};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        names[i] = commands[i].name;
    (void)fprintf(stderr, "error: no command '%s'%s\n\n", name, check_suggest(&arena, str_of(name), names, NULL));
    arena_fini(&arena);
    print_usage(stderr);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("forestall %s\n", FORESTALL_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
