/* Incidents and deployments of the shop.
 *
 * A kind of incident happens so often in thirty days, spread evenly with some chance, and takes so long. What is learnt
 * only at the end (the cause, the place in the code) comes with the resolving update, as in real life.
 */
#include "cli/history_shop.h"

#include <stdlib.h>

#include "cli/history_story.h"

const char *const shop_services[SHOP_SERVICES] = {
    "frontend",     "cartservice",     "productcatalogservice", "currencyservice", "paymentservice", "shippingservice",
    "emailservice", "checkoutservice", "recommendationservice", "adservice",       "redis-cart",
};

enum { FRONTEND, CART, CATALOG, CURRENCY, PAYMENT, SHIPPING, EMAIL, CHECKOUT, RECOMMENDATION, AD };

struct incident_kind {
    int service;
    const char *cause;
    const char *component; /* NULL: none named */
    const char *title;
    const char *code; /* the place in the code that a post-mortem named; NULL: none */
    const char *severity;
    const char *severity_other; /* of every third one */
    const char *detected_by;
    int per_month;
    int detect_s[2];    /* from start to detection: least and most */
    int resolve_min[2]; /* from start to the end */
    bool deployed;      /* a deployment brought it, and is rolled back */
};

static const struct incident_kind kinds[] = {
    {CURRENCY,
     "ecb_api_timeout",
     "ecb-api",
     "Exchange rates time out, checkout is slow",
     "src/currencyservice/server.js",
     "sev3",
     "sev3",
     "alert",
     12,
     {60, 240},
     {19, 30},
     false},
    {CART,
     "redis_oom",
     "redis-cart",
     "Redis was OOM-killed, carts are empty",
     "src/cartservice/src/cartstore/RedisCartStore.cs",
     "sev1",
     "sev2",
     "alert",
     5,
     {30, 120},
     {28, 55},
     false},
    {CART,
     "redis_unavailable",
     "redis-cart",
     "Adding to the cart fails now and then",
     "src/cartservice/src/cartstore/RedisCartStore.cs",
     "sev3",
     "sev3",
     "customer",
     4,
     {720, 1800},
     {35, 70},
     false},
    {RECOMMENDATION,
     "oom_killed",
     NULL,
     "recommendationservice is OOM-killed again",
     "src/recommendationservice/recommendation_server.py",
     "sev3",
     "sev4",
     "alert",
     6,
     {60, 300},
     {8, 20},
     false},
    {CHECKOUT,
     "partial_failure",
     NULL,
     "Cards were charged, orders did not go through",
     "src/checkoutservice/main.go",
     "sev2",
     "sev2",
     "person",
     6,
     {300, 900},
     {45, 120},
     false},
    {PAYMENT,
     "deploy_regression",
     NULL,
     "Payments are refused since the release",
     "src/paymentservice/charge.js",
     "sev2",
     "sev3",
     "alert",
     3,
     {120, 600},
     {15, 40},
     true},
    {FRONTEND,
     "cpu_saturation",
     NULL,
     "The shop is slow under load",
     "src/frontend/handlers.go",
     "sev3",
     "sev3",
     "alert",
     5,
     {60, 300},
     {40, 90},
     false},
    {FRONTEND,
     "template_rendering",
     NULL,
     "Product pages take seconds",
     "src/frontend/handlers.go",
     "sev4",
     "sev4",
     "alert",
     2,
     {120, 600},
     {20, 60},
     false},
    {CATALOG,
     "upstream_latency",
     NULL,
     "The catalogue answers slowly",
     NULL,
     "sev4",
     "sev4",
     "alert",
     2,
     {60, 300},
     {10, 30},
     false},
    {SHIPPING,
     "missing_timeout",
     NULL,
     "Quotes for shipping hang",
     "src/shippingservice/main.go",
     "sev4",
     "sev3",
     "alert",
     2,
     {120, 600},
     {15, 40},
     false},
    {EMAIL,
     "certificate_expired",
     NULL,
     "Confirmations are not sent",
     NULL,
     "sev3",
     "sev3",
     "customer",
     1,
     {1800, 3600},
     {90, 150},
     false},
    {AD, "config_error", NULL, "No ads are shown", NULL, "sev5", "sev5", "person", 1, {600, 1800}, {30, 60}, false},
};

#define KINDS (sizeof kinds / sizeof *kinds)

struct planner {
    struct shop_plan *plan;
    struct history_random *random;
    int64_t from_ms;
    int64_t to_ms;
    int incidents;
    int deployments;
    int events;
    int minor[SHOP_SERVICES]; /* the version deployed last */
};

/* A record being written, field by field. */
struct record {
    struct arena *arena;
    struct value *pairs;
    size_t count;
};

static struct record record_new(struct planner *planner)
{
    struct arena *arena = &planner->plan->arena;
    return (struct record){arena, arena_alloc(arena, (size_t)2 * STREAM_FIELDS_MAX * sizeof(struct value)), 0};
}

static void put(struct record *record, const char *name, struct value v)
{
    record->pairs[2 * record->count] = value_text(name);
    record->pairs[2 * record->count + 1] = v;
    record->count++;
}

static void put_text(struct record *record, const char *name, const char *text)
{
    if (text != NULL)
        put(record, name, value_text(text));
}

static struct value list_of_one(struct arena *arena, const char *text)
{
    struct value *item = arena_alloc(arena, sizeof *item);
    *item = value_text(text);
    return value_list(item, 1);
}

static void add_update(struct planner *planner, enum stream_id stream, int64_t time_ms, int service,
                       const struct record *record)
{
    struct shop_plan *plan = planner->plan;
    if (time_ms >= planner->to_ms)
        return;
    plan->updates = mem_grow(plan->updates, plan->update_count, &plan->update_cap, sizeof *plan->updates);
    plan->updates[plan->update_count] = (struct shop_update){stream,
                                                             time_ms,
                                                             service,
                                                             shop_services[service],
                                                             value_map(record->pairs, record->count),
                                                             (uint32_t)plan->update_count};
    plan->update_count++;
}

static void add_trouble(struct planner *planner, const struct shop_trouble *trouble)
{
    struct shop_plan *plan = planner->plan;
    plan->troubles = mem_grow(plan->troubles, plan->trouble_count, &plan->trouble_cap, sizeof *plan->troubles);
    plan->troubles[plan->trouble_count++] = *trouble;
}

/* One deployment to one environment: started, then how it ended. */
struct deployment {
    int service;
    const char *id;
    const char *environment;
    const char *version;
    const char *commit;
    int64_t at_ms;
    int64_t takes_ms;
    const char *ends; /* status */
};

static void add_deployment(struct planner *planner, const struct deployment *deployment)
{
    const char *const statuses[] = {"started", deployment->ends};
    for (int i = 0; i < 2; i++) {
        struct record record = record_new(planner);
        int64_t time_ms = deployment->at_ms + i * deployment->takes_ms;
        put_text(&record, "event_id", arena_printf(record.arena, "e%06d", ++planner->events));
        put_text(&record, "deployment_id", deployment->id);
        put_text(&record, "service", shop_services[deployment->service]);
        put_text(&record, "environment", deployment->environment);
        put_text(&record, "version", deployment->version);
        put_text(&record, "status", statuses[i]);
        put(&record, "occurred_at", value_time_ms(time_ms));
        put_text(&record, "strategy", "rolling");
        put_text(&record, "commit_sha", deployment->commit);
        add_update(planner, STREAM_DEPLOYMENT, time_ms, deployment->service, &record);
    }
}

/* A version of the service goes to staging and, an hour or so later, to production. Returns its deployment there. */
static struct deployment deploy(struct planner *planner, int service, int64_t production_ms, const char *ends)
{
    struct arena *arena = &planner->plan->arena;
    struct deployment deployment = {
        .service = service,
        .id = arena_printf(arena, "d-%04d", ++planner->deployments),
        .environment = "staging",
        .version = arena_printf(arena, "v1.%d.0", ++planner->minor[service]),
        .commit = arena_printf(arena, "%010llx", (unsigned long long)(history_draw(planner->random) >> 24)),
        .at_ms = production_ms - history_between(planner->random, 40, 180) * MINUTE_MS,
        .takes_ms = history_between(planner->random, 90, 400) * SECOND_MS,
        .ends = "succeeded",
    };
    if (deployment.at_ms >= planner->from_ms)
        add_deployment(planner, &deployment);
    deployment.environment = "production";
    deployment.at_ms = production_ms;
    deployment.ends = ends;
    add_deployment(planner, &deployment);
    return deployment;
}

/* What one incident is, from its start to its end. */
struct incident {
    const struct incident_kind *kind;
    const char *id;
    const char *severity;
    const char *deployment_id;
    int64_t started_ms;
    int64_t detected_ms;
    int64_t acknowledged_ms;
    int64_t resolved_ms;
};

static void put_incident(struct planner *planner, const struct incident *incident, const char *status, int64_t time_ms)
{
    const struct incident_kind *kind = incident->kind;
    bool over = strcmp(status, "resolved") == 0;
    struct record record = record_new(planner);
    put_text(&record, "event_id", arena_printf(record.arena, "e%06d", ++planner->events));
    put_text(&record, "incident_id", incident->id);
    put_text(&record, "status", status);
    put(&record, "occurred_at", value_time_ms(time_ms));
    put_text(&record, "service", shop_services[kind->service]);
    put_text(&record, "environment", "production");
    put_text(&record, "severity", incident->severity);
    put_text(&record, "title", kind->title);
    if (over)
        put_text(&record, "root_cause", kind->cause);
    if (over)
        put_text(&record, "component", kind->component);
    put(&record, "started_at", value_time_ms(incident->started_ms));
    put(&record, "detected_at", value_time_ms(incident->detected_ms));
    if (time_ms >= incident->acknowledged_ms)
        put(&record, "acknowledged_at", value_time_ms(incident->acknowledged_ms));
    if (over)
        put(&record, "resolved_at", value_time_ms(incident->resolved_ms));
    put_text(&record, "detected_by", kind->detected_by);
    put_text(&record, "deployment_id", incident->deployment_id);
    if (over && kind->code != NULL)
        put(&record, "code_refs", list_of_one(record.arena, kind->code));
    add_update(planner, STREAM_INCIDENT, time_ms, kind->service, &record);
}

static void add_incident(struct planner *planner, const struct incident_kind *kind, int number, int64_t started_ms)
{
    struct history_random *random = planner->random;
    struct incident incident = {
        .kind = kind,
        .id = arena_printf(&planner->plan->arena, "INC-%04d", ++planner->incidents),
        .severity = number % 3 == 2 ? kind->severity_other : kind->severity,
        .started_ms = started_ms,
    };
    incident.detected_ms = started_ms + history_between(random, kind->detect_s[0], kind->detect_s[1]) * SECOND_MS;
    incident.acknowledged_ms = incident.detected_ms + history_between(random, 60, 240) * SECOND_MS;
    incident.resolved_ms =
        started_ms +
        history_between(random, (int64_t)kind->resolve_min[0] * 60, (int64_t)kind->resolve_min[1] * 60) * SECOND_MS;
    if (incident.resolved_ms <= incident.acknowledged_ms)
        incident.resolved_ms = incident.acknowledged_ms + MINUTE_MS;
    if (kind->deployed) {
        struct deployment deployment =
            deploy(planner, kind->service, started_ms - history_between(random, 3, 9) * MINUTE_MS, "succeeded");
        incident.deployment_id = deployment.id;
        deployment.at_ms = incident.resolved_ms - 4 * (int64_t)MINUTE_MS;
        deployment.takes_ms = 3 * (int64_t)MINUTE_MS;
        deployment.ends = "rolled_back";
        add_deployment(planner, &deployment);
    }
    put_incident(planner, &incident, "open", incident.detected_ms);
    put_incident(planner, &incident, "acknowledged", incident.acknowledged_ms);
    put_incident(planner, &incident, "resolved", incident.resolved_ms);
    add_trouble(planner, &(struct shop_trouble){kind->service, kind->cause, started_ms, incident.resolved_ms});
}

/* When an incident begins, before it is told. */
struct start {
    int64_t at_ms;
    int kind;
    int number; /* of its kind */
};

static int by_at(const void *left, const void *right)
{
    const struct start *a = left;
    const struct start *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return a->kind - b->kind;
}

/* How many of a kind the history has. */
static int64_t kind_count(const struct planner *planner, const struct incident_kind *kind)
{
    int64_t month_ms = 30 * (int64_t)DAY_MS;
    return (kind->per_month * (planner->to_ms - planner->from_ms) + month_ms / 2) / month_ms;
}

int64_t shop_cured_ms(const struct shop_plan *plan, int service, const char *cause)
{
    return plan->story_ms == INT64_MIN ? INT64_MAX : story_cured_ms(plan->story_ms, shop_services[service], cause);
}

/* Those of a kind until it is cured, each in its own stretch of the history. The last six hours stay quiet, so that
 * every incident has ended. */
static size_t start_kind(struct planner *planner, int number, struct start *starts)
{
    int64_t cured_ms = shop_cured_ms(planner->plan, kinds[number].service, kinds[number].cause);
    size_t n = 0;
    int64_t span_ms = planner->to_ms - planner->from_ms - 8 * (int64_t)HOUR_MS;
    int64_t count = kind_count(planner, &kinds[number]);
    for (int64_t i = 0; i < count; i++) {
        int64_t stretch_s = span_ms / count / SECOND_MS;
        int64_t at_ms = planner->from_ms + 2 * (int64_t)HOUR_MS + i * stretch_s * SECOND_MS;
        at_ms += history_between(planner->random, stretch_s / 8, stretch_s * 7 / 8) * SECOND_MS;
        if (at_ms < cured_ms)
            starts[n++] = (struct start){at_ms, number, (int)i};
    }
    return n;
}

/* All kinds, in order of time, so that their numbers are too. */
static void add_incidents(struct planner *planner)
{
    size_t count = 0;
    for (size_t i = 0; i < KINDS; i++)
        count += (size_t)kind_count(planner, &kinds[i]);
    struct start *starts = mem_alloc((count + 1) * sizeof *starts);
    size_t n = 0;
    for (size_t i = 0; i < KINDS; i++)
        n += start_kind(planner, (int)i, starts + n);
    qsort(starts, n, sizeof *starts, by_at);
    for (size_t i = 0; i < n; i++)
        add_incident(planner, &kinds[starts[i].kind], starts[i].number, starts[i].at_ms);
    free(starts);
}

/* A false alarm: cancelled, so that nobody counts it. */
static void add_false_alarm(struct planner *planner)
{
    struct incident incident = {
        .kind = &kinds[1],
        .id = arena_printf(&planner->plan->arena, "INC-%04d", ++planner->incidents),
        .severity = "sev2",
        .started_ms = planner->from_ms + (planner->to_ms - planner->from_ms) / 2,
    };
    incident.detected_ms = incident.started_ms + MINUTE_MS;
    incident.acknowledged_ms = incident.started_ms + 4 * (int64_t)MINUTE_MS;
    put_incident(planner, &incident, "open", incident.detected_ms);
    put_incident(planner, &incident, "cancelled", incident.acknowledged_ms);
}

/* Two or three a week for each service; Redis is left alone. One in twenty fails. */
static void add_deployments(struct planner *planner, int service)
{
    int64_t at_ms = planner->from_ms + history_between(planner->random, 4, 60) * HOUR_MS;
    while (at_ms < planner->to_ms) {
        bool fails = history_below(planner->random, 20) == 0;
        (void)deploy(planner, service, at_ms, fails ? "failed" : "succeeded");
        at_ms += history_between(planner->random, 40, 100) * HOUR_MS + history_below(planner->random, 3600) * SECOND_MS;
    }
}

static void add_feedback(struct planner *planner, const struct story_deed *deed)
{
    struct shop_plan *plan = planner->plan;
    struct record record = record_new(planner);
    int64_t time_ms = story_time_ms(plan->story_ms, deed->day);
    put_text(&record, "event_id", arena_printf(record.arena, "e%06d", ++planner->events));
    put_text(&record, "recommendation_id", deed->recommendation);
    put_text(&record, "action", deed->action);
    put_text(&record, "actor", deed->actor);
    put_text(&record, "comment", deed->comment);
    put(&record, "occurred_at", value_time_ms(time_ms));
    add_update(planner, STREAM_FEEDBACK, time_ms, FRONTEND, &record);
    plan->updates[plan->update_count - 1].key = deed->recommendation;
}

static int by_time(const void *left, const void *right)
{
    const struct shop_update *a = left;
    const struct shop_update *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static int by_start(const void *left, const void *right)
{
    const struct shop_trouble *a = left;
    const struct shop_trouble *b = right;
    if (a->from_ms != b->from_ms)
        return a->from_ms < b->from_ms ? -1 : 1;
    return a->service - b->service;
}

void shop_plan_make(struct shop_plan *plan, struct history_random *random, int64_t from_ms, int64_t to_ms)
{
    struct planner planner = {.plan = plan, .random = random, .from_ms = from_ms, .to_ms = to_ms};
    plan->story_ms = to_ms - from_ms >= STORY_DAYS * (int64_t)DAY_MS ? from_ms : INT64_MIN;
    add_incidents(&planner);
    add_false_alarm(&planner);
    for (int i = 0; i < SHOP_REDIS; i++)
        add_deployments(&planner, i);
    for (const struct story_deed *deed = story_deeds; plan->story_ms != INT64_MIN && deed->action != NULL; deed++)
        add_feedback(&planner, deed);
    qsort(plan->updates, plan->update_count, sizeof *plan->updates, by_time);
    qsort(plan->troubles, plan->trouble_count, sizeof *plan->troubles, by_start);
}

void shop_plan_fini(struct shop_plan *plan)
{
    free(plan->updates);
    free(plan->troubles);
    arena_fini(&plan->arena);
}
