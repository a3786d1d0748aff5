/* A cluster that does not answer: it is waited for, which is said at once, every minute, and when it is over. */
#ifndef FORESTALL_CLI_OUTAGE_H
#define FORESTALL_CLI_OUTAGE_H

#include "base/error.h"

#include <stdint.h>

/* All zeroes: there is none. */
struct outage {
    int64_t since_us;
    int64_t told_us;
};

/* The cluster did not answer what `err` says: tells it now and then, and waits a second, or less when it is time to
 * stop.
 */
void outage_wait(struct outage *outage, const struct error *err);
/* It answers. */
void outage_over(struct outage *outage);

#endif
