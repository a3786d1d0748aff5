/* From an evaluation to a scorecard's record. */
#include "recommend/scorecard.h"

#include <math.h>

#include "detect/span.h"
#include "recommend/render.h"

static const double flat_below = 0.05; /* of change, either way */

/* As records have it: a double, of durations the milliseconds; null where there is none. */
static struct value number_of(struct value v)
{
    double d = NAN;
    if (v.type == VALUE_DOUBLE)
        d = v.d;
    else if (v.type == VALUE_INT)
        d = (double)v.i;
    else if (v.type == VALUE_UINT)
        d = (double)v.u;
    else if (v.type == VALUE_DURATION)
        d = (double)v.i * 1e3 + (double)v.n / 1e6;
    return isfinite(d) ? value_double(d) : value_null();
}

/* value / previous - 1, in the form that rounds once less: ten that become eight are exactly -0.2. */
static struct value change_of(struct value value, struct value previous)
{
    if (value_is_null(value) || value_is_null(previous) || previous.d == 0)
        return value_null();
    return number_of(value_double((value.d - previous.d) / previous.d));
}

static struct value trend_of(struct value value, struct value previous, struct value change)
{
    if (value_is_null(change))
        return value_null();
    if (fabs(change.d) < flat_below)
        return value_text("flat");
    return value_text(value.d > previous.d ? "up" : "down");
}

/* Null where it cannot be told. */
static struct value target_met(const struct cel *target, const struct value *slots, struct scorecard_counters *counters,
                               struct arena *arena)
{
    if (target == NULL)
        return value_null();
    struct cel_frame frame = {.slots = slots, .slot_count = SCORECARD_SLOT_COUNT, .arena = arena};
    uint64_t errors = 0;
    uint64_t null_errors = 0;
    bool met = cel_eval_bool(target, &frame, &errors, &null_errors);
    counters->target_errors += errors;
    counters->target_null_errors += null_errors;
    return errors + null_errors > 0 ? value_null() : value_bool(met);
}

/* What a target sees: what is no number in the record is null. */
static struct value slot_of(struct value v)
{
    return value_is_null(number_of(v)) ? value_null() : v;
}

struct scorecard_record scorecard_record(const struct group *group, const struct evaluation *evaluation,
                                         struct scorecard_counters *counters, struct arena *arena)
{
    const struct rule *rule = group->rule;
    const struct scorecard *scorecard = rule->scorecard;
    struct cel_frame frame = {.slots = evaluation->slots, .slot_count = evaluation->slot_count, .arena = arena};
    struct value shown = slot_of(cel_eval(scorecard->value, &frame));
    struct value before = slot_of(evaluation->slots[rule_aggregate_slot(rule, (size_t)scorecard->previous)]);
    struct value value = number_of(shown);
    struct value previous = number_of(before);
    struct value change = change_of(value, previous);
    const struct value slots[] = {shown, before, change};
    counters->capped += evaluation->capped;
    int64_t to_ms = evaluation->time_ms - rule->window.wait_ms;
    struct value keys = render_group(group_key_values(group->key, arena), arena);
    const struct value *service = value_map_get(keys, STR_LIT("service"));
    struct str id = str_of(arena_printf(arena, "%.*s:%016llx", STR_ARG(rule->id), (unsigned long long)group->hash));
    const struct value pairs[] = {
        value_text("scorecard_id"), value_str(id),
        value_text("id"),           value_str(rule->id),
        value_text("group"),        keys,
        value_text("service"),      service != NULL ? *service : value_null(),
        value_text("value"),        value,
        value_text("previous"),     previous,
        value_text("change"),       change,
        value_text("trend"),        trend_of(value, previous, change),
        value_text("target_met"),   target_met(scorecard->target, slots, counters, arena),
        value_text("window_from"),  value_time_ms(span_start(&rule->window, to_ms)),
        value_text("window_to"),    value_time_ms(to_ms),
        value_text("event_time"),   value_time_ms(evaluation->time_ms),
    };
    struct value *kept = arena_alloc(arena, sizeof pairs);
    memcpy(kept, pairs, sizeof pairs);
    return (struct scorecard_record){id, value_map(kept, sizeof pairs / sizeof *pairs / 2)};
}
