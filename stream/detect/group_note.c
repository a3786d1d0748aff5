/* Notes: a detector's own bytes in a group, in order of their numbers. A change moves what lies behind it: O(notes). */
#include "detect/group.h"

#include <stdlib.h>

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
    group_prefix(out, group, STATE_NOTE);
    buf_u64(out, id);
}

struct str group_note(const struct group *group, uint64_t id)
{
    size_t at = place(group, id);
    return is_at(group, at, id) ? group->notes[at].bytes : (struct str){NULL, 0};
}

static void set(struct group *group, uint64_t id, struct str bytes)
{
    size_t at = place(group, id);
    if (!is_at(group, at, id)) {
        group->notes = mem_grow(group->notes, group->note_count, &group->note_cap, sizeof *group->notes);
        memmove(&group->notes[at + 1], &group->notes[at], (group->note_count - at) * sizeof *group->notes);
        group->notes[at] = (struct note){.id = id};
        group->note_count++;
    }
    struct note *note = &group->notes[at];
    group->bytes += bytes.n - note->bytes.n;
    free((void *)(uintptr_t)note->bytes.p);
    note->bytes = (struct str){mem_strdup(bytes), bytes.n};
}

void group_note_load(struct group *group, uint64_t id, struct str bytes)
{
    set(group, id, bytes);
}

void group_note_set(struct group *group, struct state *state, uint64_t id, struct str bytes)
{
    struct buf key = {0};
    set(group, id, bytes);
    put_key(&key, group, id);
    state_put(state, buf_str(&key), bytes);
    buf_fini(&key);
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
    group->bytes -= group->notes[at].bytes.n;
    free((void *)(uintptr_t)group->notes[at].bytes.p);
    group->note_count--;
    memmove(&group->notes[at], &group->notes[at + 1], (group->note_count - at) * sizeof *group->notes);
}
