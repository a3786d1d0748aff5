/* Absence: nothing from a group for `every` since its last event. One at exactly last + every cancels.
 *
 * Holds one note, the last event and when it was seen. It changes with every event, so it is written by the commit; the
 * timer stays where it is, at or before the deadline, and is moved on when it comes. O(1) an event.
 */
#include "detect/match.h"

enum { NOTE_LAST };

static void keep(struct group *group, const struct event *event, int64_t seen_ms)
{
    struct buf bytes = {0};
    buf_zigzag(&bytes, seen_ms);
    event_encode(&bytes, event, FIELD_BIT(event->stream->field_count) - 1);
    group_note_later(group, NOTE_LAST, buf_str(&bytes));
    buf_fini(&bytes);
}

static int64_t seen_ms(const struct group *group)
{
    struct str bytes = group_note(group, NOTE_LAST);
    struct reader r = reader_of(bytes.p, bytes.n);
    return read_zigzag(&r);
}

/* The last event, whose contents borrow from `bytes`, a note; false where that is none of keep()'s. */
static bool decode(struct str bytes, struct arena *arena, struct event *event)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    (void)read_zigzag(&r);
    return event_decode(&r, arena, event) && reader_left(&r) == 0;
}

static struct event *last_event(const struct group *group, struct arena *arena)
{
    struct event *event = arena_alloc(arena, sizeof *event);
    bool good = decode(arena_str(arena, group_note(group, NOTE_LAST)), arena, event);
    ASSERT(good); /* load() saw it, or keep() wrote it */
    return event;
}

static bool load(struct group *group)
{
    struct arena arena = {0};
    struct event event;
    bool good = group->note_count == 1 && decode(group_note(group, NOTE_LAST), &arena, &event);
    arena_fini(&arena);
    return good;
}

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    const struct absence_spec *spec = group->rule->spec.absence;
    bool known = group->note_count > 0;
    if (!match_sees(selection, spec->of)) {
        /* A row that changes was seen when it became selected; here it only looks different. */
        bool shown = known && (selection.after >> spec->of & 1) != 0 &&
                     position_order(&last_event(group, context->arena)->at, &event->at) == 0;
        if (shown)
            keep(group, event, seen_ms(group));
        return;
    }
    keep(group, event, time_ms);
    if (known && group->last_ms >= time_ms - HOUR_MS)
        return;
    group->last_ms = time_ms;
    if (!known)
        group->timer_ms = time_ms + spec->every_ms;
    group_save(group, context->state);
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    int64_t every_ms = group->rule->spec.absence->every_ms;
    int64_t last_ms = seen_ms(group);
    if (last_ms + every_ms > time_ms) {
        group->last_ms = last_ms;
        group->timer_ms = last_ms + every_ms;
        group_save(group, context->state);
        return;
    }
    if (last_ms >= context->since_ms) { /* else the rule was away, and may not have seen what came meanwhile */
        struct match match = match_begin_one(context, group, time_ms, last_event(group, context->arena));
        match.outputs[0] = value_span_ms(every_ms);
        match_decide(context, group, &match);
    }
    group_remove(group, context->state);
}

const struct detector_ops detector_absence = {
    .on_event = on_event, .on_timer = on_timer, .load = load, .deadline = true};
