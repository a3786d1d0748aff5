/* What every Kafka client of the program shares: properties, log lines, and the translation of errors.
 *
 * Properties come in three layers: defaults that the user may override, the user's own (`kafka:` of the configuration),
 * and those on which results depend, which nobody may set.
 */
#ifndef FORESTALL_IO_KAFKA_H
#define FORESTALL_IO_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "base/str.h"
#include "io/kafka_errors.h"

/* What librdkafka takes for a message itself, which of a small one is some three times its own bytes. */
enum { KAFKA_MESSAGE_BYTES = 330 };

struct kafka_setting {
    const char *name;
    const char *value;
};

struct kafka_client {
    rd_kafka_type_t type;
    const struct str_pair *properties; /* the user's */
    size_t property_count;
    const struct kafka_setting *defaults; /* end with a NULL name */
    const struct kafka_setting *fixed;    /* likewise */
    /* Called before the client is made, for callbacks; may be NULL. */
    void (*prepare)(rd_kafka_conf_t *conf, void *context);
    void *context;
};

/* Makes a client. ERROR_FATAL: a property that librdkafka does not know, or one that is the program's own to set. */
int kafka_client_new(rd_kafka_t **client, const struct kafka_client *options, struct error *err) MUST_CHECK;
/* Ends a client without leaving its group (a static member never leaves): bounded, it waits for no broker. */
void kafka_client_free(rd_kafka_t *client);

/* For a command whose answer a person waits for, before its first client is made: until the cluster has answered, what
 * clients say of it is kept for the error (kafka_silence) instead of being logged, and it has 10 s to do so, not 30. Of
 * the whole process, as the log is; `run`, which outlasts its cluster, does without. */
void kafka_wait_briefly(void);
/* How long a cluster that was never reached may take; `run`, which asks again for ever, says so sooner. */
int64_t kafka_reach_ms(void);
/* The cluster answered: from now on clients' lines are logged. */
void kafka_reached(void);
/* ERROR_RETRY: the cluster did not answer what `format` says; with the reason that a client gave, or the code's. */
int kafka_silence(struct error *err, rd_kafka_resp_err_t code, const char *format, ...) PRINTF_LIKE(3, 4);

/* For `run`, before its first client is made: whatever waits for the cluster looks now and then whether it is wanted to
 * stop, and gives up then (ERROR_RETRY). `wanted` may be called from any thread. */
void kafka_stop_when(bool (*wanted)(void));
bool kafka_stopping(void);

/* Whether the user may set the property to this value: it is not one that only the program sets (isolation.level,
 * group.id, …), and librdkafka knows it and takes the value. No client is made. ERROR_FATAL: what is wrong, naming the
 * property. */
int kafka_property_check(struct str name, struct str value, struct error *err) MUST_CHECK;

/* What was done, librdkafka's text for the code, and what a person can do about it; returns -1. The class is what the
 * table says to who reads: whoever can try again does so before, and ERROR_RETRY is left for who waits for longer. Not
 * for a topic that is missing, which is believed by then: ERROR_FATAL. */
int kafka_failed(struct error *err, rd_kafka_resp_err_t code, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
