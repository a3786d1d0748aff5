/* Whose lines of the log are whose. */
#ifndef FORESTALL_ENGINE_ENGINE_LOG_H
#define FORESTALL_ENGINE_ENGINE_LOG_H

#include "engine/config.h"

/* From now on the calling thread's lines name the worker, where there are several; a negative number: nobody's. */
void engine_log_worker(const struct config *config, int worker);

#endif
