/* What happens in the shop: its services, and the incidents, deployments and feedback of a history, planned ahead. */
#ifndef FORESTALL_CLI_HISTORY_SHOP_H
#define FORESTALL_CLI_HISTORY_SHOP_H

#include "cli/history.h"
#include "cli/history_random.h"

/* Ten services, and the Redis behind the cart. */
enum { SHOP_SERVICES = 11, SHOP_CURRENCY = 3, SHOP_REDIS = 10 };
extern const char *const shop_services[SHOP_SERVICES];

/* One update of an incident or a deployment, or feedback. */
struct shop_update {
    enum stream_id stream;
    int64_t time_ms;
    int service;
    const char *key; /* what a producer would key it by */
    struct value record;
    uint32_t order; /* as planned: breaks ties of time */
};

/* A time during which a service is not well, for its metrics. */
struct shop_trouble {
    int service;
    const char *cause;
    int64_t from_ms;
    int64_t to_ms;
};

struct shop_plan {
    struct arena arena;
    struct shop_update *updates; /* in order of time */
    size_t update_count;
    size_t update_cap;
    struct shop_trouble *troubles; /* in order of their start */
    size_t trouble_count;
    size_t trouble_cap;
    int64_t story_ms; /* when the story of history_story.h begins; INT64_MIN: there is none */
};

/* From when on the cause troubles the service no more; INT64_MAX: it goes on. */
int64_t shop_cured_ms(const struct shop_plan *plan, int service, const char *cause);

/* Incidents and deployments from `from_ms` to `to_ms`, both midnights, and the story where there is room for it. */
void shop_plan_make(struct shop_plan *plan, struct history_random *random, int64_t from_ms, int64_t to_ms);
void shop_plan_fini(struct shop_plan *plan);

#endif
