/* Named points where a test lets the process die, as a power cut would, or stand still.
 *
 * FORESTALL_FAILPOINT=NAME or NAME:N in the environment: the process kills itself (SIGKILL) when it passes the point
 * the first, or the Nth, time. NAME:N:stop: it stops itself (SIGSTOP), until somebody lets it go on. Compiled always;
 * one branch while unset.
 */
#ifndef FORESTALL_BASE_FAILPOINT_H
#define FORESTALL_BASE_FAILPOINT_H

#define FAILPOINT_VARIABLE "FORESTALL_FAILPOINT"

void failpoint(const char *name);

#endif
