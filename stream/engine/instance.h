/* Which instance this is: an id made once, kept in the state directory, and held locked while the process runs, so that
 * no two processes are the same member of a group or share a store. */
#ifndef FORESTALL_ENGINE_INSTANCE_H
#define FORESTALL_ENGINE_INSTANCE_H

#include "base/error.h"

struct instance;

/* Makes the directory (and its parents) if there is none. ERROR_FATAL: it cannot be written, or another process holds
 * it. */
int instance_open(struct instance **instance, const char *state_dir, struct error *err) MUST_CHECK;
/* Eight hexadecimal digits; lives as long as the instance. */
const char *instance_id(const struct instance *instance);
/* state_dir/store, where the database goes. */
const char *instance_store_dir(const struct instance *instance);
void instance_close(struct instance *instance);

#endif
