/* Who of one process may write a task's part of the store, which its workers and the standby copies share: the worker
 * that drives the task, as of its last join, or, while no worker claims it, who copies it for others (standby.h).
 *
 * The group gives each task to one worker at a time, but who had it before learns of that late: what it still had on
 * its way into the store must not come over what the new owner has written since. Any thread.
 */
#ifndef FORESTALL_ENGINE_CLAIMS_H
#define FORESTALL_ENGINE_CLAIMS_H

#include <stdbool.h>

struct claims;

enum { CLAIMS_NOBODY = -1 };

struct claims *claims_new(int tasks);
void claims_free(struct claims *claims);
/* The worker claims those of the tasks that are `owned`, whoever had them, and gives up the others. Returns when nobody
 * else is writing to them. */
void claims_set(struct claims *claims, int worker, const bool *owned);
/* Whether a worker of this process claims the task. */
bool claims_taken(struct claims *claims, int task);
/* True: the task is the worker's (CLAIMS_NOBODY: no worker's), and stays so until claims_end. */
bool claims_begin(struct claims *claims, int task, int worker);
void claims_end(struct claims *claims, int task);

#endif
