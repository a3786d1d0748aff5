/* Session windows: rows and events of a group that follow upon each other at most `gap` apart, for at most `max` from
 * the first on. A session is evaluated once, when time passes its deadline, last + gap or first + max, whichever comes
 * first; what lies exactly at the deadline is still in it.
 *
 * An evaluation settles all up to the deadline: a row that opened by then and is selected only afterwards is left out,
 * as is one whose session's deadline has passed when it is selected. So at any time one session at most is open, except
 * that the deselection of a row can cut it in two, of which the first is overdue: it is evaluated at once.
 *
 * Holds at most limits.window_events entries. A change is O(entries), so is an evaluation. When nothing is open the
 * group is forgotten as soon as nothing that is settled can come again: a session with a row up to the last deadline
 * would be over `max` after it. */
#include "detect/view.h"

enum { NOTE_MEMORY = 0 };

/* What is remembered beside the entries, as the group's one note; none where there is nothing to remember. */
struct memory {
    int64_t began_ms; /* where the open session began, though its first entries were dropped for the limit; INT64_MAX:
                         none was */
    int64_t ended_ms; /* the last entry of a true session that `max` cut; INT64_MIN: the last one was not such */
};

struct session {
    size_t count; /* of the first entries of the group */
    int64_t first_ms;
    int64_t last_ms;
    int64_t deadline_ms;
};

static struct memory recall(const struct group *group)
{
    struct str bytes = group_note(group, NOTE_MEMORY);
    struct memory memory = {INT64_MAX, INT64_MIN};
    if (bytes.n == 0)
        return memory;
    struct reader r = reader_of(bytes.p, bytes.n);
    memory.began_ms = read_zigzag(&r);
    memory.ended_ms = read_zigzag(&r);
    return memory;
}

static void remember(struct group *group, struct state *state, struct memory memory)
{
    struct buf bytes = {0};
    if (memory.began_ms == INT64_MAX && memory.ended_ms == INT64_MIN) {
        group_note_drop(group, state, NOTE_MEMORY);
        return;
    }
    buf_zigzag(&bytes, memory.began_ms);
    buf_zigzag(&bytes, memory.ended_ms);
    if (!str_eq(buf_str(&bytes), group_note(group, NOTE_MEMORY)))
        group_note_set(group, state, NOTE_MEMORY, buf_str(&bytes));
    buf_fini(&bytes);
}

static bool goes_on(const struct window *window, const struct session *session, int64_t time_ms)
{
    return time_ms - session->last_ms <= window->gap_ms && time_ms - session->first_ms <= window->max_ms;
}

static int64_t deadline(const struct window *window, const struct session *session)
{
    int64_t quiet_ms = session->last_ms + window->gap_ms;
    int64_t full_ms = session->first_ms + window->max_ms;
    return quiet_ms < full_ms ? quiet_ms : full_ms;
}

/* The session that begins with the first entry. */
static struct session first_session(const struct group *group, struct memory memory)
{
    const struct window *window = &group->rule->window;
    const struct entry *entries = group->entries;
    struct session session = {.count = 1, .first_ms = entries[0].time_ms, .last_ms = entries[0].time_ms};
    if (memory.began_ms < session.first_ms)
        session.first_ms = memory.began_ms;
    for (; session.count < group->entry_count && goes_on(window, &session, entries[session.count].time_ms);
         session.count++)
        session.last_ms = entries[session.count].time_ms;
    session.deadline_ms = deadline(window, &session);
    return session;
}

/* The deadline of the session that holds `time_ms`, were there an entry of that time. */
static int64_t deadline_with(const struct group *group, struct memory memory, int64_t time_ms)
{
    const struct window *window = &group->rule->window;
    struct session session = {.count = 0};
    bool placed = false;
    for (size_t i = 0; i < group->entry_count || !placed;) {
        bool is_it = !placed && (i == group->entry_count || time_ms < group->entries[i].time_ms);
        int64_t next_ms = is_it ? time_ms : group->entries[i++].time_ms;
        if (session.count == 0 || !goes_on(window, &session, next_ms)) {
            if (placed)
                break;
            session.first_ms = session.count == 0 && memory.began_ms < next_ms ? memory.began_ms : next_ms;
        }
        session.last_ms = next_ms;
        session.count++;
        placed |= is_it;
    }
    return deadline(window, &session);
}

static bool reads_rows(const struct rule *rule)
{
    for (size_t i = 0; i < rule->input_count; i++)
        if (rule->inputs[i].detects && rule->inputs[i].stream->rows && !rule->inputs[i].updates)
            return true;
    return false;
}

/* Where no session is open: until when the group has something to remember; INT64_MIN: nothing. */
static int64_t remembers_until(const struct group *group, struct memory memory)
{
    const struct window *window = &group->rule->window;
    /* A session goes on with what lies up to there. */
    int64_t until_ms = memory.ended_ms != INT64_MIN ? memory.ended_ms + window->gap_ms : group->evaluated_ms;
    if (until_ms == INT64_MIN || !reads_rows(group->rule))
        return memory.ended_ms != INT64_MIN ? until_ms : INT64_MIN;
    return until_ms + window->max_ms; /* the deadline of one that begins there */
}

/* Asks for the time at which the open session is due, or, where none is, the group can be forgotten; writes through.
 * Nothing that lies at or before `past_ms` will come any more. */
static void settle(struct group *group, struct state *state, struct memory memory, int64_t time_ms, int64_t past_ms)
{
    bool open = group->entry_count > 0;
    int64_t due_ms = open ? first_session(group, memory).deadline_ms : remembers_until(group, memory);
    if (!open && due_ms <= past_ms) {
        group_remove(group, state);
        return;
    }
    group->timer_ms = due_ms < time_ms ? time_ms : due_ms;
    remember(group, state, memory);
    group_save(group, state);
}

/* Takes what came, changed or left; false: it is none of the open session's. */
static bool take(struct detector_context *context, struct group *group, const struct event *event,
                 struct selection selection, int64_t time_ms, struct memory *memory)
{
    struct entry *entry = group_entry(group, event->time_ms, &event->at, false);
    if (entry == NULL && (selection.before != 0 || event->time_ms <= group->evaluated_ms ||
                          deadline_with(group, *memory, event->time_ms) < time_ms))
        return false;
    if (selection.after == 0) {
        group_entry_drop(group, context->state, (size_t)(entry - group->entries));
        return true;
    }
    entry = group_entry(group, event->time_ms, &event->at, true);
    group_entry_set(group, context->state, entry, event, selection.after);
    if ((int64_t)group->entry_count > context->window_events_max && group->entries[0].time_ms < memory->began_ms)
        memory->began_ms = group->entries[0].time_ms;
    (void)detector_cap_entries(context, group);
    return true;
}

static void on_event(struct detector_context *context, struct group *group, const struct event *event,
                     struct selection selection, int64_t time_ms)
{
    struct memory memory = recall(group);
    if (!take(context, group, event, selection, time_ms, &memory))
        return;
    if (group->entry_count == 0)
        memory.began_ms = INT64_MAX;
    group->last_ms = time_ms;
    settle(group, context->state, memory, time_ms, time_ms - 1);
}

static void evaluate(struct detector_context *context, struct group *group, const struct session *session,
                     int64_t time_ms, struct memory *memory)
{
    const struct window *window = &group->rule->window;
    bool follows = memory->ended_ms != INT64_MIN && session->first_ms - memory->ended_ms <= window->gap_ms;
    bool when = false;
    if (session->first_ms >= context->since_ms) {
        struct view *view = view_new(group, context->arena);
        struct value *slots = NULL;
        for (size_t i = 0; i < session->count; i++)
            view_entry(view, &group->entries[i], false, context->arena);
        struct evaluation *out = detector_evaluation(context, group, time_ms, &slots);
        view_evaluate(view, context, out, slots);
        view_fini(view);
        when = out->when;
        out->firing = when;
        out->detection = when && !follows;
    }
    bool cut = session->deadline_ms < session->last_ms + window->gap_ms;
    *memory = (struct memory){INT64_MAX, when && cut ? session->last_ms : INT64_MIN};
    group->previous = when;
    group->evaluated_ms = session->deadline_ms;
    group->capped = false;
    group_entries_expire(group, context->state, session->last_ms);
}

static void on_timer(struct detector_context *context, struct group *group, int64_t time_ms)
{
    struct memory memory = recall(group);
    while (group->entry_count > 0) {
        struct session session = first_session(group, memory);
        if (session.deadline_ms > time_ms)
            break;
        evaluate(context, group, &session, time_ms, &memory);
    }
    settle(group, context->state, memory, time_ms, time_ms);
}

const struct detector_ops detector_session = {.on_event = on_event, .on_timer = on_timer, .deadline = true};
