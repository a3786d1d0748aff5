/* The story. Recommendations are named by their ids, which follow from rule and group and are the same for ever. */
#include "cli/history_story.h"

#include <string.h>

#include "base/time_text.h"

const struct story_deed story_deeds[] = {
    {28, "accept", "cart-redis-oom-recurs:a34c596ecad6847b", "ana", NULL},
    {30, "accept", "ecb-timeouts:ea720e0679cc720e", "ben", "for the next sprint"},
    {37, "start", "ecb-timeouts:ea720e0679cc720e", "ben", NULL},
    {42, "implement", "recommendation-model-leaks:5a8551872162654c", "eve", "the model is loaded once"},
    {45, "implement", "ecb-timeouts:ea720e0679cc720e", "ben", "breaker and cache are in production"},
    {50, "implement", "frontend-templates-slow:851a76fdead6da47", "ana", NULL},
    {52, "implement", "cart-redis-oom-recurs:a34c596ecad6847b", "ana", "Sentinels, a volume, a higher limit"},
    {58, "dismiss", "currency-health-blind:ea720e0679cc720e", "ben", "the circuit breaker made it needless"},
    {75, "implement", "releases-break-payments:75b5a9ad9bf6d370", "eve", "payments are tested before each release"},
    {78, "accept", "checkout-half-done:97f870afd96cc66f", "ana", NULL},
    {84, "start", "checkout-half-done:97f870afd96cc66f", "ana", NULL},
    {0},
};

/* The breaker, the Sentinels and the tests help. The model was not what leaks. Templates trouble nobody for weeks
 * before somebody touches them, so nobody can tell. */
static const struct {
    int day;
    const char *service;
    const char *cause;
} cures[] = {
    {30, "frontend", "template_rendering"},
    {45, "currencyservice", "ecb_api_timeout"},
    {52, "cartservice", "redis_oom"},
    {75, "paymentservice", "deploy_regression"},
};

int64_t story_time_ms(int64_t from_ms, int day)
{
    return from_ms + day * (int64_t)DAY_MS + 10 * (int64_t)HOUR_MS;
}

int64_t story_cured_ms(int64_t from_ms, const char *service, const char *cause)
{
    for (size_t i = 0; i < sizeof cures / sizeof *cures; i++)
        if (strcmp(cures[i].service, service) == 0 && strcmp(cures[i].cause, cause) == 0)
            return story_time_ms(from_ms, cures[i].day);
    return INT64_MAX;
}
