/* Loading what a command needs of the configuration and its rules, with messages where it fails. */
#ifndef FORESTALL_CLI_LOAD_H
#define FORESTALL_CLI_LOAD_H

#include "engine/config.h"
#include "rule/ruleset.h"

struct loaded {
    struct config *config;
    struct ruleset *rules;
};

/* Loads the file (and rules, with CONFIG_NEED_RULES), prints every message, sets the log up. Sources that this version
 * does not read are named in the log and taken out. False: it failed, and said why. */
bool load(struct loaded *loaded, const char *path, unsigned needs);
/* The same of the file and its rules, without a word: for what may be told where they are right, and is not needed. Of
 * what was loaded already only the rules are. */
void load_if_right(struct loaded *loaded, const char *path);
void loaded_free(struct loaded *loaded);
/* Loads the configuration's rules again; NULL: they have errors, which the log says with their places. */
struct ruleset *load_rules_again(const struct config *config);

#endif
