/* `forestall recommendations`: what its verbs share. */
#ifndef FORESTALL_CLI_RECOMMENDATIONS_H
#define FORESTALL_CLI_RECOMMENDATIONS_H

#include "cli/options.h"
#include "cli/published.h"
#include "recommend/lifecycle.h"
#include "rule/ruleset.h"

enum recommendations_format { RECOMMENDATIONS_TABLE, RECOMMENDATIONS_JSON, RECOMMENDATIONS_YAML };

struct recommendations_request {
    const char *config_path;
    const char *file;
    const char *output;
    enum recommendations_format format;
    /* list */
    struct cli_list services, categories, statuses, priorities; /* words, or lists of them with commas */
    const char *sort;
    const char *limit;
    bool all;
    /* the rest */
    const char *id;
    enum life_action action;
    const char *comment, *actor, *until, *expected_version, *wait;
};

/* recommendations_list.c. False: an option names what is not there, as standard error says: exit 2. */
bool recommendations_list_check(const struct recommendations_request *request);
/* `rules`: those of the configuration; NULL: not known. */
int recommendations_list(const struct recommendations_request *request, struct published *published,
                         const struct ruleset *rules);
/* recommendations_show.c */
int recommendations_show(const struct recommendations_request *request, struct published *published,
                         struct value record);
/* recommendations_feedback.c: says it, and waits for what comes of it. */
bool recommendations_feedback_check(const struct recommendations_request *request);
int recommendations_feedback(const struct recommendations_request *request, const struct config *config,
                             struct value record);

#endif
