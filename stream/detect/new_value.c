/* New values: one that the group has not seen for `memory`. Silent until the input's stream has a history of `warmup`,
 * but learning all the while. See memory.h for what it holds. */
#include "detect/match.h"
#include "detect/memory.h"

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    const struct memory_spec *spec = group->rule->spec.memory;
    struct value value;
    struct str encoded;
    if (!match_sees(selection, spec->of) || !memory_value(context, group, event, &value, &encoded))
        return;
    bool seen = memory_see(context, group, encoded, time_ms);
    if (seen || detector_history(context, &group->rule->inputs[spec->of], time_ms) < spec->warmup_ms)
        return;
    struct match match = match_begin_one(context, group, time_ms, event);
    match.outputs[0] = value;
    match_decide(context, group, &match);
}

const struct detector_ops detector_new_value = {.on_event = on_event, .on_timer = memory_on_timer, .load = memory_load};
