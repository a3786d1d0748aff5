/* Sequences: the runs of a pattern in one group, and an evaluation for each match.
 *
 * A group keeps its runs in note 0 and the events that they refer to in notes of number + 1, as the events stood when
 * they came: later changes of a row undo nothing. An event's number is the number of the newest note, so that it grows
 * while anything is remembered. A call costs O(runs + their events); each match is evaluated by itself.
 */
#include "rule/sequence.h"
#include "detect/detector.h"
#include "detect/sequence_nfa.h"
#include "detect/statistics.h"

#include <stdlib.h>

enum { NOTE_RUNS = 0 };

/* One call of the detector. */
struct call {
    struct detector_context *context;
    struct group *group;
    const struct sequence_spec *spec;
    struct sequence_runs *runs;
    const struct event *event; /* the one that came, or NULL */
    uint64_t number;           /* its number */
    struct selection selection;
    struct value *known; /* by note: the event as a value, null until it is asked for */
};

static void free_runs(void *detail)
{
    sequence_runs_fini(detail);
    free(detail);
}

static struct sequence_runs *runs_of(struct group *group)
{
    if (group->detail != NULL)
        return group->detail;
    struct sequence_runs *runs = mem_alloc(sizeof *runs);
    struct str note = group_note(group, NOTE_RUNS);
    sequence_runs_init(runs, &group->rule->spec.sequence->pattern);
    if (note.p != NULL) {
        struct reader r = reader_of(note.p, note.n);
        bool good = sequence_decode(&r, runs) && reader_left(&r) == 0;
        ASSERT(good); /* written by save, under the hash of this very pattern */
    }
    group->detail = runs;
    group->detail_free = free_runs;
    return runs;
}

/* --- Events as values --- */

static struct event *event_of(struct call *call, uint64_t number)
{
    struct event *event = arena_alloc(call->context->arena, sizeof *event);
    if (call->event != NULL && number == call->number) {
        *event = *call->event;
        return event;
    }
    struct str kept = arena_str(call->context->arena, group_note(call->group, number + 1));
    struct reader r = reader_of(kept.p, kept.n);
    bool good = event_decode(&r, call->context->arena, event);
    ASSERT(good); /* written by keep_events */
    return event;
}

/* Its fields by name, those that are null left out. */
static struct value event_value(const struct event *event, struct arena *arena)
{
    struct value *pairs = arena_alloc(arena, 2 * (size_t)STREAM_FIELDS_MAX * sizeof *pairs);
    size_t n = 0;
    for (int i = 0; i < event->stream->field_count; i++)
        if (!value_is_null(event->values[i])) {
            pairs[2 * n] = value_text(event->stream->fields[i].name);
            pairs[2 * n++ + 1] = event->values[i];
        }
    return value_map(pairs, n);
}

static size_t note_place(const struct group *group, uint64_t id)
{
    size_t low = 0;
    for (size_t high = group->note_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (group->notes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Made once a call for each event that is asked for; the one that came lies behind the notes. */
static struct value known_value(struct call *call, uint64_t number)
{
    struct arena *arena = call->context->arena;
    size_t n = call->group->note_count + 1;
    if (call->known == NULL)
        call->known = arena_zalloc(arena, n * sizeof *call->known);
    bool new = call->event != NULL &&number == call->number;
    size_t at = new ? n - 1 : note_place(call->group, number + 1);
    if (value_is_null(call->known[at]))
        call->known[at] = event_value(event_of(call, number), arena);
    return call->known[at];
}

/* What each step has taken: an event, null for none, or a list. */
static struct value *step_values(struct call *call, const struct sequence_item *items, size_t n)
{
    const struct sequence_options *options = &call->spec->pattern.options;
    struct value *values = arena_zalloc(call->context->arena, (options->step_count + 1) * sizeof *values);
    struct value *listed = arena_alloc(call->context->arena, (n + 1) * sizeof *listed);
    for (size_t i = 0; i < options->step_count; i++)
        if (call->spec->outputs[i].list)
            values[i] = value_list(listed, 0);
    for (size_t i = 0; i < n; i++) {
        struct value *value = &values[items[i].step];
        listed[i] = known_value(call, items[i].number);
        if (!call->spec->outputs[items[i].step].list)
            *value = listed[i];
        else /* a step's events stand side by side */
            *value = value_list(value->n == 0 ? &listed[i] : value->items, (size_t)value->n + 1);
    }
    return values;
}

/* --- Conditions --- */

static bool selects(const struct call *call, const struct sequence_alternative *one)
{
    uint16_t now = call->selection.after & (uint16_t)~call->selection.before;
    return one->input >= 0 ? (now >> one->input & 1) != 0 : one->stream == call->event->stream;
}

static bool where_holds(struct call *call, const struct sequence_alternative *one, const struct event *event,
                        const struct value *steps)
{
    struct detector_counters *counters = call->context->counters;
    struct cel_frame frame = {.event = event,
                              .slots = steps,
                              .slot_count = call->spec->pattern.options.step_count,
                              .arena = call->context->arena};
    return one->where == NULL || cel_eval_bool(one->where, &frame, &counters->when_errors, &counters->when_null_errors);
}

/* Bit i: condition i holds as far as it does not read earlier steps. */
static uint64_t plain_conditions(struct call *call)
{
    uint64_t holds = 0;
    for (size_t i = 0; i < call->spec->condition_count; i++) {
        const struct sequence_condition *condition = &call->spec->conditions[i];
        for (size_t k = 0; k < condition->count; k++) {
            const struct sequence_alternative *one = &condition->alternatives[k];
            if (selects(call, one) && (one->reads || where_holds(call, one, call->event, NULL)))
                holds |= UINT64_C(1) << i;
        }
    }
    return holds;
}

/* --- Matches --- */

static int in_order(const void *a, const void *b)
{
    const struct event *x = ((const struct contribution *)a)->event;
    const struct event *y = ((const struct contribution *)b)->event;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return position_order(&x->at, &y->at);
}

static void evaluate(struct call *call, const struct sequence_match *match)
{
    struct detector_context *context = call->context;
    struct value *slots = NULL;
    struct evaluation *out = detector_evaluation(context, call->group, match->time_ms, &slots);
    struct contribution *contributions = arena_zalloc(context->arena, match->item_count * sizeof *contributions);
    for (size_t i = 0; i < match->item_count; i++)
        contributions[i].event = event_of(call, match->items[i].number);
    qsort(contributions, match->item_count, sizeof *contributions, in_order);
    out->contributions = contributions;
    out->contribution_count = match->item_count;
    out->capped = call->group->capped;
    slots[OUT_FIRST_SEEN] = value_time_ms(contributions[0].event->time_ms);
    slots[OUT_LAST_SEEN] = value_time_ms(contributions[match->item_count - 1].event->time_ms);
    slots[OUT_EVENTS] = value_double((double)match->item_count);
    slots[OUT_GROUP] = group_key_values(call->group->key, context->arena);
    statistics_incidents(contributions, match->item_count, context->arena, slots);
    statistics_names(contributions, match->item_count, NULL, 0, context->arena, slots);
    const struct value *steps = step_values(call, match->items, match->item_count);
    size_t output = OUT_FIXED_COUNT;
    for (size_t i = 0; i < call->spec->pattern.options.step_count; i++)
        if (call->spec->outputs[i].name.n > 0)
            slots[output++] = steps[i];
    out->when = detector_when(context, call->group, out);
    out->firing = out->detection = out->when;
}

/* --- State --- */

/* Keeps the events that runs refer to, and no others. */
static void keep_events(struct call *call)
{
    struct group *group = call->group;
    struct state *state = call->context->state;
    size_t n;
    const uint64_t *numbers = sequence_referenced(call->runs, call->context->arena, &n);
    for (size_t i = group->note_count, left = n; i-- > 0;) {
        uint64_t id = group->notes[i].id;
        while (left > 0 && numbers[left - 1] + 1 > id)
            left--;
        if (id != NOTE_RUNS && (left == 0 || numbers[left - 1] + 1 != id))
            group_note_drop(group, state, id);
    }
    if (call->event == NULL || n == 0 || numbers[n - 1] != call->number)
        return;
    struct buf bytes = {0};
    event_encode(&bytes, call->event, FIELD_BIT(call->event->stream->field_count) - 1);
    group_note_set(group, state, call->number + 1, buf_str(&bytes));
    buf_fini(&bytes);
}

static void save(struct call *call, int64_t time_ms)
{
    struct group *group = call->group;
    bool known = !group_is_empty(group);
    if (sequence_idle(call->runs)) {
        if (known)
            group_remove(group, call->context->state);
        return;
    }
    struct buf bytes = {0};
    sequence_encode(&bytes, call->runs);
    int64_t deadline = sequence_deadline(call->runs);
    if (!known || !str_eq(group_note(group, NOTE_RUNS), buf_str(&bytes)))
        group_note_set(group, call->context->state, NOTE_RUNS, buf_str(&bytes));
    if (!known || group->timer_ms != deadline || group->last_ms < time_ms - HOUR_MS) {
        group->timer_ms = deadline;
        group->last_ms = time_ms;
        group_save(group, call->context->state);
    }
    buf_fini(&bytes);
}

/* --- The detector --- */

static bool holds(void *context, int condition, uint64_t number, const struct sequence_item *items, size_t item_count)
{
    struct call *call = context;
    const struct sequence_condition *tested = &call->spec->conditions[condition];
    const struct event *event = event_of(call, number);
    const struct value *steps = step_values(call, items, item_count);
    for (size_t i = 0; i < tested->count; i++)
        if (where_holds(call, &tested->alternatives[i], event, steps))
            return true;
    return false;
}

/* What the clock alone decides holds where the rule was in force all the while: else what would have undone the match
 * may not have been seen. What an event decides was seen. */
static bool is_known(const struct call *call, const struct sequence_match *match)
{
    return call->event != NULL || match->items[0].time_ms >= call->context->since_ms;
}

static void finish(struct call *call, const struct sequence_call *found, int64_t time_ms)
{
    if (found->dropped > 0) {
        call->context->counters->partials_dropped += found->dropped;
        call->group->capped = true;
    }
    for (size_t i = 0; i < found->match_count; i++)
        if (is_known(call, &found->matches[i]))
            evaluate(call, &found->matches[i]);
    keep_events(call);
    save(call, time_ms);
}

static struct sequence_call sequence_call_of(struct call *call)
{
    return (struct sequence_call){.arena = call->context->arena,
                                  .runs_max = (size_t)call->context->partial_matches_max,
                                  .holds = holds,
                                  .context = call};
}

/* Whether what a leading negation must not have seen would have been seen for long enough: in the streams, and by this
 * rule. */
static bool history_known(const struct call *call, int64_t time_ms)
{
    const struct sequence_condition *leading = &call->spec->conditions[0];
    int64_t warmup_ms = call->spec->warmup_ms;
    for (size_t i = 0; call->spec->pattern.first > 0 && i < leading->count; i++) {
        const struct rule_input *input = &call->group->rule->inputs[leading->alternatives[i].input];
        if (detector_history(call->context, input, time_ms) < warmup_ms)
            return false;
    }
    return call->context->since_ms <= time_ms - warmup_ms;
}

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    if ((selection.after & (uint16_t)~selection.before) == 0)
        return; /* a row that changed, or was deselected */
    struct call call = {.context = context,
                        .group = group,
                        .spec = group->rule->spec.sequence,
                        .runs = runs_of(group),
                        .event = event,
                        .number = group->note_count == 0 ? 0 : group->notes[group->note_count - 1].id,
                        .selection = selection};
    struct sequence_call found = sequence_call_of(&call);
    struct sequence_event next = {.number = call.number,
                                  .time_ms = time_ms,
                                  .holds = plain_conditions(&call),
                                  .history_known = history_known(&call, time_ms)};
    sequence_feed(call.runs, &next, &found);
    finish(&call, &found, time_ms);
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    struct call call = {.context = context, .group = group, .spec = group->rule->spec.sequence, .runs = runs_of(group)};
    struct sequence_call found = sequence_call_of(&call);
    sequence_advance(call.runs, time_ms, &found);
    finish(&call, &found, time_ms);
}

const struct detector_ops detector_sequence = {.on_event = on_event, .on_timer = on_timer, .deadline = true};
