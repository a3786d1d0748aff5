/* Records that wait on the disk until all of them are there, for one transaction at the end. The file has no name, so
 * that nothing of it is left however the process ends. It lies in $TMPDIR, else in /var/tmp, since /tmp often is
 * memory. */
#ifndef FORESTALL_CLI_SPOOL_H
#define FORESTALL_CLI_SPOOL_H

#include "base/error.h"
#include "base/str.h"

struct spool;

/* ERROR_FATAL, as of the others: the disk is full or fails. */
int spool_open(struct spool **spool, struct error *err) MUST_CHECK;
/* Copies both; p NULL is kept as such. */
int spool_put(struct spool *spool, struct str key, struct str value, struct error *err) MUST_CHECK;
/* Every record, in the order in which they were put; an error of `take` ends it. Nothing is put afterwards. */
int spool_each(struct spool *spool, int (*take)(void *context, struct str key, struct str value, struct error *err),
               void *context, struct error *err) MUST_CHECK;
void spool_close(struct spool *spool);

#endif
