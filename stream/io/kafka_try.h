/* Whether the program's Kafka clients could be made: what librdkafka says of properties that are right each by itself
 * and not together, or that name files which are not there. */
#ifndef FORESTALL_IO_KAFKA_TRY_H
#define FORESTALL_IO_KAFKA_TRY_H

#include "io/kafka.h"

/* Makes one of each kind, without the brokers' addresses, and lets it go: nobody is asked. Where properties would have
 * more done (libraries loaded, tickets or tokens fetched) none is made. `record_bytes_max` as of a producer.
 * ERROR_FATAL: the first that is refused, and why. */
int kafka_try(const struct str_pair *properties, size_t count, int64_t record_bytes_max, struct error *err) MUST_CHECK;

#endif
