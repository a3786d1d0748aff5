/* Lines by facility and minute. */
#include "io/kafka_lines.h"

#include <string.h>

enum { MINUTE_US = 60 * 1000 * 1000 };

static size_t find(struct kafka_lines *lines, const char *facility)
{
    size_t at = 0;
    while (at + 1 < KAFKA_LINES_FACILITIES && lines->items[at].facility[0] != '\0' &&
           strncmp(lines->items[at].facility, facility, KAFKA_LINES_NAME - 1) != 0)
        at++;
    if (lines->items[at].facility[0] == '\0')
        for (size_t i = 0; i + 1 < KAFKA_LINES_NAME && facility[i] != '\0'; i++)
            lines->items[at].facility[i] = facility[i];
    return at;
}

bool kafka_lines_let(struct kafka_lines *lines, const char *facility, int64_t now_us, int64_t *left_out)
{
    size_t at = find(lines, facility);
    if (lines->items[at].let == 0 || now_us - lines->items[at].since_us >= MINUTE_US) {
        lines->items[at].since_us = now_us;
        lines->items[at].let = 0;
    }
    if (lines->items[at].let == KAFKA_LINES_A_MINUTE) {
        lines->items[at].left_out++;
        return false;
    }
    lines->items[at].let++;
    *left_out = lines->items[at].left_out;
    lines->items[at].left_out = 0;
    return true;
}
