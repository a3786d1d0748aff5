/* What a report is about: recommendations with what follows from them, ranked, and what happened in the period.
 *
 * Everything borrows from `published` and from the report's arena, and holds as long as both do.
 */
#ifndef FORESTALL_CLI_REPORT_MODEL_H
#define FORESTALL_CLI_REPORT_MODEL_H

#include "base/map.h"
#include "cli/published.h"
#include "rule/ruleset.h"

enum { PRIORITIES = 5 };

enum stage {
    STAGE_OPEN,        /* proposed, reopened, accepted, in progress: work to be done */
    STAGE_INEFFECTIVE, /* done, and it did not help: work again */
    STAGE_VALIDATING,  /* implemented or validating */
    STAGE_VALIDATED,
    STAGE_ASIDE, /* dismissed or superseded */
};

struct report_item {
    struct value record;
    enum stage stage;
    size_t rank; /* by impact among open and ineffective ones, from 1; 0: it is none of them */
    size_t priority;
    double impact;
    int64_t created_ms;
    int64_t changed_ms; /* of the last change of status */
    bool is_new;        /* proposed for the first time in the period */
    bool is_back;       /* reopened, or proposed again, in the period */
    bool rose;
    double earlier_impact; /* at the period's beginning; where it rose */
    struct str earlier_level;
};

enum report_by { REPORT_BY_PRIORITY, REPORT_BY_SERVICE, REPORT_BY_CATEGORY };

struct report {
    struct arena arena;
    const struct published *published;
    const struct ruleset *rules; /* of the configuration, where they could be read; NULL: not known */
    int64_t since_ms;
    enum report_by by;
    bool knows_earlier;        /* versions of before the period were read */
    struct report_item *items; /* by impact, then priority, then id */
    size_t count;
};

/* `earlier`: recommendation ids to the version of each that was the newest when the period began, as struct value *;
 * NULL: not known, so nothing is said of what rose. */
void report_init(struct report *report, const struct published *published, const struct map *earlier, int64_t since_ms);
void report_fini(struct report *report);

bool report_is_work(const struct report_item *item); /* open or ineffective */
/* The guide's action of a priority: "Implement this week". */
const char *report_action(size_t priority);
/* "P0". */
const char *report_priority(size_t priority);
/* Words for its title, services, status; of the report's arena. */
const char *report_title(struct report *report, const struct report_item *item);
const char *report_services(struct report *report, const struct report_item *item);
const char *report_status(struct report *report, const struct report_item *item);

/* Sums over work by service or category. */
struct report_sum {
    struct str name;
    size_t open;
    size_t priorities[PRIORITIES];
    double impact;
    const struct report_item *first; /* of the highest rank */
};
/* By impact, the highest first, then by name; of the report's arena. A recommendation counts for each of its services,
 * and for "" where it has none. */
size_t report_sums(struct report *report, enum report_by by, struct report_sum **sums);
/* It belongs to the service or category. */
bool report_belongs(const struct report_item *item, enum report_by by, struct str name);

#endif
