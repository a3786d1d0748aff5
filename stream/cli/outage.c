/* See outage.h. */
#include "cli/outage.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/stop.h"

enum { TELL_EVERY_US = 60 * 1000 * 1000, AGAIN_MS = 1000, LOOK_MS = 50 };

void outage_wait(struct outage *outage, const struct error *err)
{
    const struct timespec moment = {0, LOOK_MS * 1000000L};
    int64_t now_us = clock_mono_us();
    if (outage->since_us == 0)
        outage->since_us = now_us;
    if (outage->told_us == 0 || now_us - outage->told_us > TELL_EVERY_US) {
        outage->told_us = now_us;
        log_warn("waiting for the cluster", LOG_I("seconds", (now_us - outage->since_us) / 1000000),
                 LOG_S("reason", err->message));
    }
    for (int waited_ms = 0; waited_ms < AGAIN_MS && !stop_wanted(); waited_ms += LOOK_MS)
        (void)nanosleep(&moment, NULL);
}

void outage_over(struct outage *outage)
{
    if (outage->since_us != 0)
        log_info("the cluster answers again", LOG_I("seconds", (clock_mono_us() - outage->since_us) / 1000000));
    *outage = (struct outage){0};
}
