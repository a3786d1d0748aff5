/* SIGTERM and SIGINT ask a long-running command to end; a second one ends it at once. */
#ifndef FORESTALL_CLI_STOP_H
#define FORESTALL_CLI_STOP_H

#include "base/str.h"

/* From now on the signals only ask; a broken pipe is an error of writing. */
void stop_on_signals(void);
/* Asks for it from within. */
void stop_ask(void);
bool stop_wanted(void);
/* SIGHUP came since the last call. */
bool stop_hangup(void);

#endif
