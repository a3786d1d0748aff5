/* What a life consists of, and its encoding. */
#include "recommend/life.h"

#include <stdlib.h>

#include "recommend/remembered.h"

static struct str copy(struct str text)
{
    return text.p == NULL ? text : (struct str){mem_strdup(text), text.n};
}

static void let_go(struct str *text)
{
    free((void *)(uintptr_t)text->p);
    *text = (struct str){0};
}

void life_init(struct life *life)
{
    *life = (struct life){.since_ms = INT64_MIN, .until_ms = INT64_MAX, .implemented_ms = INT64_MIN};
}

void life_fini(struct life *life)
{
    for (size_t i = 0; i < life->change_count; i++) {
        let_go(&life->changes[i].actor);
        let_go(&life->changes[i].comment);
    }
    for (size_t i = 0; i < life->supersedes_count; i++)
        let_go(&life->supersedes[i]);
    free(life->changes);
    free(life->supersedes);
    let_go(&life->superseded_by);
    buf_fini(&life->frozen);
}

size_t life_bytes(const struct life *life)
{
    size_t bytes = life->frozen.cap + life->superseded_by.n + life->change_cap * sizeof *life->changes +
                   life->supersedes_cap * sizeof *life->supersedes;
    for (size_t i = 0; i < life->change_count; i++)
        bytes += life->changes[i].actor.n + life->changes[i].comment.n;
    for (size_t i = 0; i < life->supersedes_count; i++)
        bytes += life->supersedes[i].n;
    return bytes;
}

const char *life_status_name(enum life_status status)
{
    static const char *const names[LIFE_STATUSES] = {"proposed",   "accepted",  "in_progress", "implemented",
                                                     "validating", "validated", "ineffective", "dismissed",
                                                     "superseded", "reopened"};
    return names[status];
}

bool life_is_quiet(enum life_status status)
{
    return status == LIFE_DISMISSED || status == LIFE_SUPERSEDED;
}

bool life_is_closed(enum life_status status)
{
    return life_is_quiet(status) || status == LIFE_VALIDATED || status == LIFE_INEFFECTIVE;
}

bool life_note(struct life *life, const struct life_change *change)
{
    bool room = life->change_count < LIFE_CHANGES_MAX;
    if (!room) {
        let_go(&life->changes[0].actor);
        let_go(&life->changes[0].comment);
        memmove(&life->changes[0], &life->changes[1], --life->change_count * sizeof *life->changes);
    }
    life->changes = mem_grow(life->changes, life->change_count, &life->change_cap, sizeof *life->changes);
    struct life_change *kept = &life->changes[life->change_count++];
    *kept = *change;
    kept->actor = copy(text_cut(change->actor, LIFE_TEXT_BYTES_MAX));
    kept->comment = change->comment.p == NULL ? change->comment : copy(text_cut(change->comment, LIFE_TEXT_BYTES_MAX));
    return room;
}

static uint64_t seen_hash(struct str event_id)
{
    return hash_bytes(event_id.p, event_id.n, 0);
}

void life_see(struct life *life, struct str event_id)
{
    if (life->seen_count == LIFE_SEEN_MAX)
        memmove(&life->seen[0], &life->seen[1], --life->seen_count * sizeof *life->seen);
    life->seen[life->seen_count++] = seen_hash(event_id);
}

bool life_has_seen(const struct life *life, struct str event_id)
{
    uint64_t hash = seen_hash(event_id);
    for (size_t i = 0; i < life->seen_count; i++)
        if (life->seen[i] == hash)
            return true;
    return false;
}

bool life_add_superseded(struct life *life, struct str id)
{
    size_t at = 0;
    while (at < life->supersedes_count && str_cmp(life->supersedes[at], id) < 0)
        at++;
    if (at < life->supersedes_count && str_eq(life->supersedes[at], id))
        return false;
    life->supersedes = mem_grow(life->supersedes, life->supersedes_count, &life->supersedes_cap, sizeof(struct str));
    memmove(&life->supersedes[at + 1], &life->supersedes[at], (life->supersedes_count - at) * sizeof(struct str));
    life->supersedes[at] = copy(id);
    if (++life->supersedes_count > LIFE_SUPERSEDES_MAX) {
        let_go(&life->supersedes[0]);
        memmove(&life->supersedes[0], &life->supersedes[1], --life->supersedes_count * sizeof(struct str));
    }
    return true;
}

void life_set_superseded_by(struct life *life, struct str id)
{
    let_go(&life->superseded_by);
    if (id.n > 0)
        life->superseded_by = copy(id);
}

void life_encode_head(struct buf *out, const struct life *life)
{
    buf_byte(out, (uint8_t)life->status);
    buf_zigzag(out, life->since_ms);
    buf_zigzag(out, life->until_ms);
}

static enum life_status read_status(struct reader *r)
{
    uint8_t status = read_byte(r);
    if (status >= LIFE_STATUSES)
        r->failed = true;
    return r->failed ? LIFE_PROPOSED : (enum life_status)status;
}

void life_decode_head(struct reader *r, struct life *life)
{
    life->status = read_status(r);
    life->since_ms = read_zigzag(r);
    life->until_ms = read_zigzag(r);
}

static void encode_change(struct buf *out, const struct life_change *change)
{
    buf_zigzag(out, change->at_ms);
    buf_byte(out, (uint8_t)change->from);
    buf_byte(out, (uint8_t)change->to);
    buf_text(out, change->actor);
    buf_byte(out, change->comment.p != NULL);
    if (change->comment.p != NULL)
        buf_text(out, change->comment);
}

void life_encode(struct buf *out, const struct life *life)
{
    buf_varint(out, life->version);
    buf_u64(out, life->published);
    buf_zigzag(out, life->implemented_ms);
    buf_text(out, buf_str(&life->frozen));
    buf_text(out, life->superseded_by);
    buf_varint(out, life->change_count);
    for (size_t i = 0; i < life->change_count; i++)
        encode_change(out, &life->changes[i]);
    buf_varint(out, life->supersedes_count);
    for (size_t i = 0; i < life->supersedes_count; i++)
        buf_text(out, life->supersedes[i]);
    buf_varint(out, life->seen_count);
    for (size_t i = 0; i < life->seen_count; i++)
        buf_u64(out, life->seen[i]);
}

static size_t read_count(struct reader *r, size_t max)
{
    uint64_t count = read_varint(r);
    if (count > max)
        r->failed = true;
    return r->failed ? 0 : (size_t)count;
}

static void decode_change(struct reader *r, struct life *life)
{
    struct life_change change = {.at_ms = read_zigzag(r)};
    change.from = read_status(r);
    change.to = read_status(r);
    change.actor = read_text(r);
    if (read_byte(r) != 0)
        change.comment = read_text(r);
    if (!r->failed)
        (void)life_note(life, &change);
}

/* What is frozen can be decoded: from here on it is trusted. */
static bool frozen_is_right(const struct life *life)
{
    struct arena arena = {0};
    struct reader r = reader_of(life->frozen.p, life->frozen.len);
    struct value parts;
    bool right = life->frozen.len == 0 ||
                 (value_decode(&r, &arena, &parts) && parts.type == VALUE_LIST && parts.n == 2 &&
                  parts.items[0].type == VALUE_STRING && parts.items[1].type == VALUE_MAP && reader_left(&r) == 0);
    arena_fini(&arena);
    return right;
}

void life_decode(struct reader *r, struct life *life)
{
    life->version = read_varint(r);
    life->published = read_u64(r);
    life->implemented_ms = read_zigzag(r);
    buf_str_put(&life->frozen, read_text(r));
    life_set_superseded_by(life, read_text(r));
    for (size_t left = read_count(r, LIFE_CHANGES_MAX); left > 0 && !r->failed; left--)
        decode_change(r, life);
    for (size_t left = read_count(r, LIFE_SUPERSEDES_MAX); left > 0 && !r->failed; left--)
        (void)life_add_superseded(life, read_text(r));
    life->seen_count = read_count(r, LIFE_SEEN_MAX);
    for (size_t i = 0; i < life->seen_count; i++)
        life->seen[i] = read_u64(r);
    if (!frozen_is_right(life))
        r->failed = true;
}
