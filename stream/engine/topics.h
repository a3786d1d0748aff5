/* The topics that the program uses, with the settings that its promises rest on: making what is missing, checking what
 * is there. */
#ifndef FORESTALL_ENGINE_TOPICS_H
#define FORESTALL_ENGINE_TOPICS_H

#include "engine/config.h"

enum topic_role { TOPIC_SOURCE, TOPIC_OUTPUT, TOPIC_CHANGELOG, TOPIC_MARKS, TOPIC_EXCHANGE };

struct topic_status {
    const char *name;
    enum topic_role role;
    int partitions;     /* 0: missing */
    bool made;          /* by this call */
    bool refused;       /* `wrong` breaks a promise: `run` does not start */
    const char *wrong;  /* what differs from the settings it should have; NULL: nothing */
    const char *advice; /* where it is refused: what can be done */
};

struct topics_report {
    struct topic_status *topics; /* in order of name */
    size_t count;
};

struct topics_options {
    bool make_internal;    /* changelog, marks, and the exchange where it is one */
    bool make_all;         /* those, the outputs and the sources */
    bool insist;           /* a missing topic is no good: it is not believed at once */
    int source_partitions; /* of sources that are made; 0: 4 */
};

/* Checks every topic of the configuration, and makes what the options say. The report lies in the arena. ERROR_FATAL:
 * the cluster does not answer or does not allow it. */
int topics_settle(const struct config *config, const struct topics_options *options, struct arena *arena,
                  struct topics_report *report, struct error *err) MUST_CHECK;
/* For `run`: makes the internal topics, logs what is wrong, and refuses (ERROR_FATAL) what breaks a promise or is
 * missing. */
int topics_for_run(const struct config *config, struct error *err) MUST_CHECK;

#endif
