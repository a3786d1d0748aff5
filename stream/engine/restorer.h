/* Restores the states of tasks beside the worker, which goes on with those whose state is there. One thread, which
 * writes to the store alone, and only keys of tasks that the worker does not touch until they are ready. */
#ifndef FORESTALL_ENGINE_RESTORER_H
#define FORESTALL_ENGINE_RESTORER_H

#include "engine/commit_kafka.h"

struct restorer;

/* Starts with those of the COMMIT_TASKS_MAX tasks that are owned and not ready, in order. The way is copied, but for
 * its log and `meanwhile`, which are its own; what it points to must last until restorer_stop. */
int restorer_start(struct restorer **restorer, const struct restore_way *way, const struct commit_task *tasks,
                   struct error *err) MUST_CHECK;
/* *ready: the task's state is in the store. What failed is told here, by whatever task. */
int restorer_ready(struct restorer *restorer, int task, bool *ready, struct error *err) MUST_CHECK;
/* Ends it wherever it is; what it wrote is whole, and is gone on from next time. NULL: nothing. */
void restorer_stop(struct restorer *restorer);

#endif
