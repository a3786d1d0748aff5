/* Notes: a detector's own bytes in a group, in order of their numbers. A change moves what lies behind it: O(notes). */
#include "detect/group.h"

#include <stdlib.h>

enum { NOTE_KEY_BYTES = 28 }; /* task, kind, rule, group, part, number */

static size_t place(const struct group *group, uint64_t id)
{
    size_t low = 0;
    size_t high = group->note_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->notes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct group *group, size_t at, uint64_t id)
{
    return at < group->note_count && group->notes[at].id == id;
}

static void put_key(struct buf *out, const struct group *group, uint64_t id)
{
    group_prefix(out, group);
    buf_byte(out, GROUP_NOTE);
    buf_u64(out, id);
}

struct str group_note(const struct group *group, uint64_t id)
{
    size_t at = place(group, id);
    return is_at(group, at, id) ? group->notes[at].bytes : (struct str){NULL, 0};
}

/* The state has the note as it is, or is to have it. */
static void written(struct group *group, struct note *note)
{
    if (note->unwritten)
        group->unwritten -= note->bytes.n + NOTE_KEY_BYTES;
    note->unwritten = false;
}

/* The note, with these bytes: those of a note that changes with every event mostly fit where the last ones were. */
static struct note *set(struct group *group, uint64_t id, struct str bytes)
{
    size_t at = place(group, id);
    if (!is_at(group, at, id)) {
        group->notes = mem_grow(group->notes, group->note_count, &group->note_cap, sizeof *group->notes);
        memmove(&group->notes[at + 1], &group->notes[at], (group->note_count - at) * sizeof *group->notes);
        group->notes[at] = (struct note){.id = id};
        group->note_count++;
    }
    struct note *note = &group->notes[at];
    char *p = (char *)(uintptr_t)note->bytes.p;
    written(group, note);
    group->bytes += bytes.n - note->bytes.n;
    if (p == NULL || note->bytes.n != bytes.n)
        p = mem_realloc(p, bytes.n + 1);
    if (bytes.n > 0)
        memcpy(p, bytes.p, bytes.n);
    note->bytes = (struct str){p, bytes.n};
    return note;
}

void group_note_load(struct group *group, uint64_t id, struct str bytes)
{
    (void)set(group, id, bytes);
}

static void put(const struct group *group, struct state *state, const struct note *note)
{
    struct buf key = {0};
    put_key(&key, group, note->id);
    state_put(state, buf_str(&key), note->bytes);
    buf_fini(&key);
}

void group_note_set(struct group *group, struct state *state, uint64_t id, struct str bytes)
{
    put(group, state, set(group, id, bytes));
}

void group_note_later(struct group *group, uint64_t id, struct str bytes)
{
    set(group, id, bytes)->unwritten = true;
    group->unwritten += bytes.n + NOTE_KEY_BYTES;
}

void group_write(struct group *group, struct state *state)
{
    for (size_t i = 0; group->unwritten > 0 && i < group->note_count; i++) {
        if (!group->notes[i].unwritten)
            continue;
        put(group, state, &group->notes[i]);
        written(group, &group->notes[i]);
    }
}

void group_note_drop(struct group *group, struct state *state, uint64_t id)
{
    size_t at = place(group, id);
    if (!is_at(group, at, id))
        return;
    struct buf key = {0};
    put_key(&key, group, id);
    state_del(state, buf_str(&key));
    buf_fini(&key);
    written(group, &group->notes[at]);
    group->bytes -= group->notes[at].bytes.n;
    free((void *)(uintptr_t)group->notes[at].bytes.p);
    group->note_count--;
    memmove(&group->notes[at], &group->notes[at + 1], (group->note_count - at) * sizeof *group->notes);
}
