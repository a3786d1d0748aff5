/* Reverts: a value that the group has seen within `memory` comes back after another one. See memory.h for what it
 * holds. */
#include "detect/match.h"
#include "detect/memory.h"

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    struct value value;
    struct str encoded;
    if (!match_sees(selection, group->rule->spec.memory->of) || !memory_value(context, group, event, &value, &encoded))
        return;
    struct str before = arena_str(context->arena, memory_newest(group));
    bool seen = memory_see(context, group, encoded, time_ms);
    if (!seen || str_eq(before, encoded))
        return;
    struct match match = match_begin_one(context, group, time_ms, event);
    struct reader r = reader_of(before.p, before.n);
    match.outputs[0] = value;
    bool good = value_decode(&r, context->arena, &match.outputs[1]);
    ASSERT(good); /* memory_value encoded it */
    match_decide(context, group, &match);
}

const struct detector_ops detector_revert = {.on_event = on_event, .on_timer = memory_on_timer, .load = memory_load};
