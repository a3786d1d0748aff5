/* What Kafka's errors mean to this program: one table for every code of librdkafka, asked by everything that has to
 * decide whether to try again, to go back to the committed positions, or to end.
 *
 * A code means one thing to whoever reads or asks (consumers, group members, questions to the cluster) and another to
 * the transactional producer, whose errors carry flags beside it. Read only, from any thread.
 */
#ifndef FORESTALL_IO_KAFKA_ERRORS_H
#define FORESTALL_IO_KAFKA_ERRORS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum kafka_role { KAFKA_READS, KAFKA_WRITES };

/* What an error is about, where something follows from that. */
enum kafka_about {
    KAFKA_ABOUT_NOTHING,
    KAFKA_ABOUT_GROUP,    /* the group does not know this member or generation any more */
    KAFKA_ABOUT_PRODUCER, /* this producer will not do: a new one, with a higher epoch, is needed */
    KAFKA_ABOUT_TOPIC,    /* it is not there: for a moment, or because it was deleted */
    KAFKA_ABOUT_ANOTHER,  /* a consequence of another error, which tells more */
};

struct kafka_code {
    int code;               /* rd_kafka_resp_err_t, of newer versions too */
    enum error_class reads; /* ERROR_NONE, ERROR_RETRY (until the caller's deadline), ERROR_ABORT or ERROR_FATAL */
    enum error_class writes;
    enum kafka_about about;
    const char *advice; /* what a person can do; NULL: the text of the code says it */
};

/* Never NULL. A code that the table does not have, of a library newer than 2.8.0, is ERROR_FATAL where it is read, for
 * what it means is not known, and ERROR_ABORT where it is written: going back is always right, and not done for ever.
 */
const struct kafka_code *kafka_code(rd_kafka_resp_err_t code);
/* Whether the table has it. */
bool kafka_code_known(rd_kafka_resp_err_t code);
size_t kafka_code_count(void); /* rows of the table */
enum error_class kafka_error_class(enum kafka_role role, rd_kafka_resp_err_t code);
/* To who reads or asks: it may go away by itself, for the cluster is moving, or not reachable. */
bool kafka_passing(rd_kafka_resp_err_t code);
/* The offset that was asked for is not in the log (any more). */
bool kafka_offset_gone(rd_kafka_resp_err_t code);

/* The flags of an rd_kafka_error_t. */
enum { KAFKA_FLAG_FATAL = 1, KAFKA_FLAG_ABORT = 2, KAFKA_FLAG_RETRIABLE = 4 };

/* What the error of a transactional call leads to. */
struct kafka_verdict {
    enum error_class class; /* ERROR_RETRY: the same call again, until the deadline; then it is ERROR_ABORT */
    bool dead;              /* not retried, the producer is of no use any more: nobody knows what it stands at */
    bool group_lost;        /* KAFKA_ABOUT_GROUP */
};
struct kafka_verdict kafka_verdict(rd_kafka_resp_err_t code, unsigned flags);
struct kafka_verdict kafka_error_judge(const rd_kafka_error_t *error);

#endif
