/* A rule's state for one group: the window's entries (rows and single events) and panes, and what the last evaluation
 * said. In memory it is a decoded copy of the state's entries for the group; every change is written through to the
 * state at once, so that a group can be dropped from memory at any commit. Notes may be written later, by the commit.
 */
#ifndef FORESTALL_DETECT_GROUP_H
#define FORESTALL_DETECT_GROUP_H

#include "detect/pane.h"
#include "state/state.h"

/* One row or event in a window. */
struct entry {
    int64_t time_ms;    /* a row's opened_at, an event's time; of cascades when it was seen */
    struct position at; /* a row's first update */
    uint16_t inputs;    /* bit i: selected by input i */
    struct str event;   /* event_encode; heap */
};

/* What a detector keeps beside entries and panes, by a number of its own choice: bytes that it alone understands. */
struct note {
    uint64_t id;
    struct str bytes; /* heap */
    bool unwritten;   /* the state does not have it as it is */
};

struct group {
    const struct rule *rule;
    int rule_number;
    int task;
    uint64_t hash;         /* of the key: its upper 16 bits are the route */
    struct str key;        /* group_key_encode; heap */
    struct entry *entries; /* by (time, position) */
    size_t entry_count;
    size_t entry_cap;
    struct pane **panes; /* by start */
    size_t pane_count;
    size_t pane_cap;
    struct note *notes; /* by id */
    size_t note_count;
    size_t note_cap;
    size_t unwritten; /* bytes of notes that group_write has to write */
    void *detail; /* the detector's own copy of what its notes say, while the group is in memory; NULL: not made yet */
    void (*detail_free)(void *detail);
    size_t detail_bytes;
    int64_t timer_ms;     /* when the detector wants to be called; INT64_MAX: not at all */
    int64_t last_ms;      /* newest activity, for eviction: stalest first */
    int64_t evaluated_ms; /* the last window's end that was evaluated (hopping); INT64_MIN: none */
    bool previous;        /* the last evaluation was true and its window not empty */
    bool dormant;         /* no window waits for it: the timer says when none can look back on it any more (hopping) */
    bool capped;          /* entries were dropped for the limit */
    int64_t dropped_ms;   /* the newest of them, where the detector looks at windows by time */
    bool unrecommended;   /* for the recommender: there is no recommendation that is the group's alone */
    bool unread;          /* its parts are in the state alone: only a pane may be taken (group_read) */
    bool detected;        /* it had a detection while it was known; kept for rules with `per` */
    size_t listed;        /* for its user: its place among groups with unwritten notes, and how many bytes of them */
    size_t listed_bytes;  /* were counted; 0: in none */
    struct group *older;  /* for its user: its neighbours in order of use, */
    struct group *newer;
    size_t counted;   /* and how many of its bytes are counted */
    int64_t armed_ms; /* its entry among the timers, at or before timer_ms (group_timer.h); INT64_MAX: it has none */
    bool fired;       /* the entry's time has come: the next group_save moves it */
    bool armed_anew;  /* there is a new entry, or an earlier one: for its user, who clears it */
    size_t bytes;     /* of the entries' events, the panes and the notes */
};

/* A value of a group that is longer counts as so much of its text: it is in the key of each of the group's entries, and
 * in whatever is published of it. */
enum { GROUP_VALUE_BYTES_MAX = 1024 };
/* The value so bounded, in the arena; null where it is nested too deeply to be kept. */
struct value group_value(struct value v, struct arena *arena);
/* The canonical bytes of a group: for each key its name and value. */
void group_key_put(struct buf *out, struct str name, struct value v);
void group_key_encode(struct buf *out, const struct rule *rule, const struct value *values);
/* The group's values as a map name -> value, in the arena; they borrow from `key`. */
struct value group_key_values(struct str key, struct arena *arena);
uint64_t group_hash(struct str key);
/* Appends the group's key and returns its identity: the hash of the key, the upper 16 bits of which are the route to
 * its task; where the rule says what its route is made of, they are of that. */
uint64_t group_identify(struct buf *key, const struct rule *rule, const struct value *values);
enum { GROUP_ROUTE_SHIFT = 48 };
#define GROUP_ROUTE_MASK (UINT64_C(0xFFFF) << GROUP_ROUTE_SHIFT)
/* The exchange partition of a group: each has a stretch of the routes, so that the groups of a rule in order of their
 * hashes are in order of their tasks, as the state's keys are. */
static inline int group_task(uint64_t hash, int tasks)
{
    return (int)((hash >> GROUP_ROUTE_SHIFT) * (uint64_t)tasks >> (64 - GROUP_ROUTE_SHIFT));
}

/* The rule's groups are evaluated at the ends of windows, all of them that are due at one: what an evaluation that
 * changes nothing moves on follows from the time (group_timer_at), and need not be written. */
static inline bool group_is_walked(const struct rule *rule)
{
    return rule->window.kind == WINDOW_HOPPING || rule->window.kind == WINDOW_CALENDAR;
}

/* Loads the group from the state (group_state.c), or makes an empty one that the state does not know yet. Where groups
 * are walked, those of the rule that were due below `past_ms` have been evaluated (INT64_MIN: none). */
struct group_options {
    const struct rule *rule;
    int rule_number;
    int task;
    uint64_t hash;
    struct str key; /* p NULL: as the state has it */
    int64_t past_ms;
    bool parts_later; /* of a group that the state knows only the record is read */
};
/* *out is NULL where no key was given and the state does not know the group. */
int group_load(struct group **out, struct state *state, const struct group_options *options,
               struct error *err) MUST_CHECK;
/* Reads the parts of a group that is unread. */
int group_read(struct group *group, struct state *state, struct error *err) MUST_CHECK;
void group_free(struct group *group);
/* Nothing in it and nothing to come: as one that was never seen. */
static inline bool group_is_empty(const struct group *group)
{
    return group->entry_count == 0 && group->pane_count == 0 && group->note_count == 0 && group->timer_ms == INT64_MAX;
}
/* Entries were dropped for the limit that a window from `start_ms` on would hold. */
static inline bool group_lacks(const struct group *group, int64_t start_ms)
{
    return group->capped && group->dropped_ms >= start_ms;
}
/* The memory it takes, roughly: for the budget. */
size_t group_bytes(const struct group *group);

/* Writes the group's own record (timer, previous evaluation), and where its rule's groups are not walked its entry
 * among the timers, if that is to be another. */
void group_save(struct group *group, struct state *state);
/* Removes the group and all it holds from the state; the memory is left empty. */
void group_remove(struct group *group, struct state *state);

/* The entry of (time, position), or NULL; with `make` a new one without event. */
struct entry *group_entry(struct group *group, int64_t time_ms, const struct position *at, bool make);
void group_entry_set(struct group *group, struct state *state, struct entry *entry, const struct event *event,
                     uint16_t inputs);
void group_entry_drop(struct group *group, struct state *state, size_t index);
/* The first entry at or after `time_ms`, the first pane that starts there or later; their count: there is none. */
size_t group_first_entry(const struct group *group, int64_t time_ms);
size_t group_first_pane(const struct group *group, int64_t time_ms);
/* Drops entries with a time at or below `time_ms`. */
void group_entries_expire(struct group *group, struct state *state, int64_t time_ms);

/* Takes the pane, merging it into one of the same start; of a group that is unread there must be none. */
void group_pane_take(struct group *group, struct state *state, struct pane *pane);
/* Drops panes that start before `time_ms`. */
void group_panes_expire(struct group *group, struct state *state, int64_t time_ms);

/* group_note.c. The note's bytes, n 0 and p NULL where there is none; they hold until the next change of the notes. */
struct str group_note(const struct group *group, uint64_t id);
void group_note_set(struct group *group, struct state *state, uint64_t id, struct str bytes);
/* The same, but the state learns of it only by group_write: for what changes with every event. */
void group_note_later(struct group *group, uint64_t id, struct str bytes);
void group_note_drop(struct group *group, struct state *state, uint64_t id);
/* Writes what group_note_later left; before a commit, and before the group leaves memory. O(notes) where there is any.
 */
void group_write(struct group *group, struct state *state);
/* For loading: adds a note read from the state, in order of id. */
void group_note_load(struct group *group, uint64_t id, struct str bytes);

/* The parts of a group in the state, in the order of their keys: (task, STATE_PART, rule, group), this, and what tells
 * them apart. */
enum group_part { GROUP_ENTRY = 'e', GROUP_PANE = 'p', GROUP_NOTE = 'n' };
/* The start of the keys of the group's parts. */
void group_prefix(struct buf *out, const struct group *group);

/* What group_save wrote, in order of the groups' hashes within a task and rule. */
void group_record_key(struct buf *out, int task, uint64_t rule_hash, uint64_t hash);
struct group_record {
    uint64_t rule_hash;
    uint64_t hash;
    struct str key;
    int64_t timer_ms;
    int64_t last_ms;
    bool detected;
    bool timed;       /* it says where its entry among the timers is: at armed_ms */
    int64_t armed_ms; /* INT64_MAX: nowhere; timer_ms where it does not say */
};
/* False: not a group's record. */
bool group_record_read(struct str_pair entry, struct group_record *record);
/* The saved timer as it stands when all that was due below `past_ms` was evaluated: where groups are walked one that
 * lies there stands for the next end of a window. */
int64_t group_timer_at(const struct rule *rule, int64_t timer_ms, int64_t past_ms);

#endif
