/* Inside the configuration loader: what config.c, config_sources.c and config_env.c share. */
#ifndef FORESTALL_ENGINE_CONFIG_LOAD_H
#define FORESTALL_ENGINE_CONFIG_LOAD_H

#include "engine/config.h"
#include "rule/check.h"

struct config_load {
    struct config *config;
    struct arena *arena; /* the configuration's */
    struct diagnostics *diagnostics;
    unsigned needs;
    struct str folder;           /* of the file, with its slash; empty: the working one */
    int64_t out_of_orderness_ms; /* of `time`; -1: each stream's own */
};

/* A path as the file means it: relative to the file's folder. */
struct str config_path(struct config_load *load, struct str path);
bool config_topic(struct config_load *load, const struct yaml_node *node, struct str *topic);
/* `idle_lag`: a duration or never. */
void config_idle_lag(struct config_load *load, const struct yaml_node *node, int64_t *ms);
void config_late(struct config_load *load, const struct yaml_node *node, enum late_policy *late);
void config_format(struct config_load *load, const struct yaml_node *mapping, enum record_format *format,
                   enum record_framing *framing);

/* config_sources.c: `sources`, in order of topic name. */
void config_sources_read(struct config_load *load, const struct yaml_node *node);

/* config_env.c: FORESTALL_… variables put into the tree, each as if it had been written in the file. */
struct yaml_node *config_env_apply(struct arena *arena, struct yaml_node *root, char *const *environment,
                                   struct diagnostics *diagnostics);
/* The keys at the top of the file. */
extern const char *const config_keys[];

#endif
