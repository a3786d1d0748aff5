/* Warm copies (`state.standby_replicas`): tasks that other instances drive are followed by their changelogs into this
 * instance's store, so that what is to be read when one moves here is a tail.
 *
 * A copy is made as a restore is, up to a committed end and with the same three entries of how far it is, so it is
 * never taken for more than it is. One thread an instance, at a bounded rate and with a client of its own; it gives way
 * to a worker that claims a task (claims.h). What goes wrong is logged and tried again: it never ends the process.
 */
#ifndef FORESTALL_ENGINE_STANDBY_H
#define FORESTALL_ENGINE_STANDBY_H

#include "engine/config.h"
#include "state/store.h"

struct claims;
struct standby;

/* All borrowed until standby_close. */
struct standby_options {
    const struct config *config;
    struct store *store;
    struct claims *claims;
    const char *instance_id;
};

int standby_open(struct standby **standby, const struct standby_options *options, struct error *err) MUST_CHECK;
/* Ends the thread within a few seconds. NULL: nothing. */
void standby_close(struct standby *standby);

#endif
