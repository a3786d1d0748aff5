/* The state as the engine sees it: the store below, and above it what changed since the last commit (the dirty
 * entries), read as one. Keys are (task, kind, …), see state_key. One thread owns it.
 *
 * Life of a change: put/del -> dirty -> (commit: changelog, then store) -> state_settle. On an abort state_drop forgets
 * the dirty entries.
 */
#ifndef FORESTALL_STATE_STATE_H
#define FORESTALL_STATE_STATE_H

#include "state/store.h"

struct state;

/* The tasks of the state that somebody drives: [first, end) of `count`. All of them where one reduce drives all. */
struct task_range {
    int count;
    int first;
    int end;
};

static inline struct task_range task_range_all(int count)
{
    return (struct task_range){count, 0, count};
}

static inline bool task_range_has(struct task_range tasks, int task)
{
    return task >= tasks.first && task < tasks.end;
}

enum state_kind {
    STATE_META = 0,
    STATE_ROW = 'r',
    STATE_ROW_EXPIRY = 'x',
    STATE_GROUP = 'g',
    STATE_GROUP_COUNT = 'k',
    STATE_TIMER = 'T', /* follows from the groups' records: see group_timer.h */
    STATE_PART = 'p',  /* what a group holds, one after the other: see group.h */
    STATE_RECOMMENDATION = 'R',
    STATE_CONTRIBUTION = 'c',
    STATE_TRACE = 't'
};

/* What follows from other entries of the state: it is in the store beside them, but in no changelog. */
static inline bool state_is_derived(struct str key)
{
    return key.n > 2 && key.p[2] == STATE_TIMER;
}

/* Takes the store. */
struct state *state_new(struct store *store);
/* Over a store that several states share, each with its own tasks; it must outlive them. */
struct state *state_share(struct store *store);
void state_free(struct state *state);

/* Starts a key: task and kind; the caller appends the rest (big endian, so that keys sort). */
void state_key(struct buf *key, int task, enum state_kind kind);

int state_get(struct state *state, struct str key, struct buf *value, bool *found, struct error *err) MUST_CHECK;
void state_put(struct state *state, struct str key, struct str value);
void state_del(struct state *state, struct str key);
/* Calls `visit` for each entry whose key starts with `prefix`, in order; the entry holds during the call, which must
 * not change the state. A visit that returns non-zero ends the scan with that result. */
int state_scan(struct state *state, struct str prefix, int (*visit)(void *context, struct str key, struct str value),
               void *context, struct error *err) MUST_CHECK;

/* Reads in order of key, from anywhere on. Going forward is cheap, nothing is opened or searched for a short way; going
 * back is a search. It sees the state as it is at each call. There is one for each kind of entry, which the state owns:
 * whoever uses it says where he goes on, and others may have moved it meanwhile. */
struct state_cursor;
struct state_cursor *state_cursor(struct state *state, enum state_kind kind);
/* The first entry at or after `key`: 0; 1: there is none; -1. It holds until the next call of the cursor and the next
 * change of the state. */
int state_cursor_seek(struct state_cursor *cursor, struct str key, struct str_pair *entry,
                      struct error *err) MUST_CHECK;
/* The entry after the one that was given last, likewise. */
int state_cursor_next(struct state_cursor *cursor, struct str_pair *entry, struct error *err) MUST_CHECK;

/* The dirty entries, in key order, for the commit: a value with p NULL is a deletion. Valid until the next change. */
size_t state_dirty(struct state *state, const struct str_pair **entries);
size_t state_dirty_bytes(const struct state *state);
/* The dirty entries are in the store now (the commit wrote them): forget them. */
void state_settle(struct state *state);
void state_drop(struct state *state);
/* Others have written to the store: cursors look again. */
void state_refresh(struct state *state);
struct store *state_store(struct state *state);

#endif
