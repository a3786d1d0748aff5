/* The commands: each takes its own argv (argv[0] the command's name) and answers the exit status: 0 good, 1 failure, 2
 * usage. */
#ifndef FORESTALL_CLI_COMMANDS_H
#define FORESTALL_CLI_COMMANDS_H

int cli_run(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_recommendations(int argc, char **argv);
int cli_eval(int argc, char **argv);
int cli_topics(int argc, char **argv);
int cli_demo(int argc, char **argv);
int cli_report(int argc, char **argv);
int cli_gen(int argc, char **argv);

#endif
