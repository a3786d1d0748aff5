/* How much librdkafka may log. While brokers are away each client says the same again every few seconds, for as long as
 * that lasts: of one facility (librdkafka's word for what a line is about) some lines a minute are let through, and how
 * many were not is told with the next that is. Nothing here is locked. */
#ifndef FORESTALL_IO_KAFKA_LINES_H
#define FORESTALL_IO_KAFKA_LINES_H

#include <stdbool.h>
#include <stdint.h>

enum { KAFKA_LINES_A_MINUTE = 5, KAFKA_LINES_FACILITIES = 32, KAFKA_LINES_NAME = 16 };

/* Zeroed at first. */
struct kafka_lines {
    struct {
        char facility[KAFKA_LINES_NAME]; /* cut, when it is longer */
        int64_t since_us;                /* its present minute */
        int64_t let;                     /* in it */
        int64_t left_out;                /* since the last line that was let through */
    } items[KAFKA_LINES_FACILITIES];     /* the last is of all that have no room */
};

/* Whether a line is to be logged at `now_us`; then *left_out is how many were not. */
bool kafka_lines_let(struct kafka_lines *lines, const char *facility, int64_t now_us, int64_t *left_out);

#endif
