/* What a person would look for, in one line of the log. */
#include "engine/engine_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_parts.h"

void engine_log_worker(const struct config *config, int worker)
{
    log_context(config->workers > 1 && worker >= 0 ? "worker" : NULL, worker);
}

void engine_log_counters(const struct engine *engine, const char *message)
{
    const struct map_counters *map = engine_map_counters(engine);
    const struct reduce_counters *reduce = engine_reduce_counters(engine);
    const struct recommender_counters *recommend = engine_recommend_counters(engine);
    const struct engine_counters *own = engine_counters(engine);
    struct buf applied = {0};
    if (engine_applied(engine) == TIME_NONE)
        buf_puts(&applied, "none");
    else
        time_print_ms(&applied, engine_applied(engine));
    int restoring = engine->tasks != NULL ? tasks_restoring(engine->tasks) : 0;
    log_info(message, LOG_I("records", map->records), LOG_I("events", map->events), LOG_I("matched", map->matched),
             LOG_I("undecodable", map->undecodable), LOG_I("too_large", map->too_large), LOG_I("future", map->future),
             LOG_I("late", map->late), LOG_I("tombstones", map->tombstones), LOG_I("rows", reduce->rows_changed),
             LOG_I("unchanged", reduce->updates_unchanged), LOG_I("forgotten", reduce->updates_forgotten),
             LOG_I("values_left_out", reduce->values_left_out), LOG_I("spans_left_out", reduce->spans_left_out),
             LOG_I("evaluations", reduce->evaluations), LOG_I("firings", reduce->firings),
             LOG_I("detections", reduce->detections), LOG_I("published", own->published),
             LOG_I("scorecards", reduce->scorecards), LOG_I("target_errors", reduce->scorecard.target_errors),
             LOG_I("scorecards_capped", reduce->scorecard.capped), LOG_I("feedback", recommend->feedback),
             LOG_I("feedback_refused", reduce->feedback_refused), LOG_I("feedback_repeated", recommend->repeated),
             LOG_I("expired", recommend->expired), LOG_I("commits", own->commits),
             LOG_I("where_errors", map->where_errors + reduce->where_errors),
             LOG_I("where_null", map->where_null_errors + reduce->where_null_errors),
             LOG_I("when_errors", reduce->detector.when_errors), LOG_I("when_null", reduce->detector.when_null_errors),
             LOG_I("entries_dropped", reduce->detector.entries_dropped), LOG_I("evicted", reduce->groups_evicted),
             LOG_I("unknown_rules", engine_unknown(engine)),
             LOG_I("partials_dropped", reduce->detector.partials_dropped),
             LOG_I("spilled_bytes", reduce->spilled_bytes), LOG_I("restoring", restoring),
             LOG_T("applied", buf_str(&applied)));
    buf_fini(&applied);
}
