/* Forgets the beginning of logs that nobody needs any more: asks the brokers to delete records, and waits for nothing.
 *
 * What a request comes to is looked at later and only logged: a partition that was not shortened now will be by the
 * next request, which asks for more. One thread; any client can carry it, and must outlive it.
 */
#ifndef FORESTALL_IO_KAFKA_TRIM_H
#define FORESTALL_IO_KAFKA_TRIM_H

#include "io/kafka.h"

/* Requests under way at most; one more is left out. */
enum { KAFKA_TRIM_UNDER_WAY_MAX = 64 };

struct kafka_trim;

struct kafka_trim *kafka_trim_new(rd_kafka_t *client);
/* Asks for the deletion of every record of the partition below `offset`, and looks at the answers to earlier ones.
 * False: it was left out, for others are under way. */
bool kafka_trim_delete(struct kafka_trim *trim, const char *topic, int32_t partition, int64_t offset);
/* Looks at the answers that have come. How many requests are still under way. */
size_t kafka_trim_serve(struct kafka_trim *trim);
/* Forgets what is under way. NULL: nothing. */
void kafka_trim_free(struct kafka_trim *trim);

#endif
