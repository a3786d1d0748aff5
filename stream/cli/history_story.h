/* What people did about the recommendations of the shop, and what came of it: the feedback of a history, and from when
 * on a cause troubles a service no more. */
#ifndef FORESTALL_CLI_HISTORY_STORY_H
#define FORESTALL_CLI_HISTORY_STORY_H

#include <stdint.h>

/* A history of so many days has room for it: thirty before something is done, and thirty after. */
enum { STORY_DAYS = 90 };

struct story_deed {
    int day; /* since the history's first midnight; at ten o'clock */
    const char *action;
    const char *recommendation;
    const char *actor;
    const char *comment; /* NULL: none */
};

/* In order of days, ended by one without action. */
extern const struct story_deed story_deeds[];

/* When a deed of that day is done. */
int64_t story_time_ms(int64_t from_ms, int day);
/* From when on the cause troubles the service no more in a history that begins at `from_ms`; INT64_MAX: it goes on. */
int64_t story_cured_ms(int64_t from_ms, const char *service, const char *cause);

#endif
