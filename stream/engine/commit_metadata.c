/* The JSON beside every committed position, and the store's entries that say how far it has come. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/json.h"
#include "engine/commit_kafka.h"

enum { VERSION = 1 };

static void time_member(struct buf *text, const char *name, int64_t time_ms)
{
    if (time_ms == INT64_MIN)
        buf_printf(text, ",\"%s\":null", name);
    else
        buf_printf(text, ",\"%s\":%" PRId64, name, time_ms);
}

void commit_metadata_print(struct buf *text, const struct commit_metadata *metadata)
{
    buf_printf(text, "{\"v\":%d", VERSION);
    time_member(text, "max_time", metadata->max_time_ms);
    time_member(text, "first", metadata->first_ms);
    buf_printf(text, ",\"read\":%" PRId64, metadata->read_offset);
    time_member(text, "applied", metadata->applied_ms);
    buf_printf(text,
               ",\"rules\":\"%016" PRIx64 "\",\"incarnation\":\"%016" PRIx64 "\",\"seq\":%" PRIu64
               ",\"changelog_next\":[",
               metadata->rules_digest, metadata->incarnation, metadata->sequence);
    for (int i = 0; i < metadata->tasks; i++)
        buf_printf(text, "%s%" PRId64, i == 0 ? "" : ",", metadata->changelog_next[i]);
    buf_puts(text, "]}");
}

static const struct value *member_find(const struct value *object, const char *name)
{
    for (uint32_t i = 0; object->type == VALUE_MAP && i < object->n; i++) {
        const struct value *key = &object->items[2 * i];
        if (key->type == VALUE_STRING && str_is((struct str){key->s, key->n}, name))
            return &object->items[2 * i + 1];
    }
    return NULL;
}

/* null, or no such member, reads as INT64_MIN. */
static int64_t number_get(const struct value *object, const char *name)
{
    const struct value *found = member_find(object, name);
    return found != NULL && found->type == VALUE_INT ? found->i : INT64_MIN;
}

static bool hex_get(const struct value *object, const char *name, uint64_t *number)
{
    const struct value *found = member_find(object, name);
    if (found == NULL || found->type != VALUE_STRING || found->n != 16)
        return false;
    *number = 0;
    for (uint32_t i = 0; i < 16; i++) {
        char c = found->s[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *number = *number << 4 | (uint64_t)digit;
    }
    return true;
}

static bool metadata_read(const struct value *object, struct commit_metadata *metadata)
{
    *metadata = (struct commit_metadata){
        .max_time_ms = number_get(object, "max_time"),
        .first_ms = number_get(object, "first"),
        .read_offset = number_get(object, "read"),
        .applied_ms = number_get(object, "applied"),
    };
    int64_t sequence = number_get(object, "seq");
    const struct value *next = member_find(object, "changelog_next");
    if (number_get(object, "v") != VERSION || metadata->read_offset < 0 || sequence < 0 ||
        !hex_get(object, "rules", &metadata->rules_digest) || !hex_get(object, "incarnation", &metadata->incarnation) ||
        next == NULL || next->type != VALUE_LIST || next->n > COMMIT_TASKS_MAX)
        return false;
    metadata->sequence = (uint64_t)sequence;
    metadata->tasks = (int)next->n;
    for (uint32_t i = 0; i < next->n; i++) {
        if (next->items[i].type != VALUE_INT || next->items[i].i < 0)
            return false;
        metadata->changelog_next[i] = next->items[i].i;
    }
    return true;
}

int commit_metadata_parse(struct str text, struct commit_metadata *metadata, struct error *err)
{
    struct arena arena = {0};
    struct json_parser *parser = json_parser_new();
    struct value object;
    int result = text.n == 0 ? -1 : json_parse(parser, text, &arena, &object, err);
    if (result == 0 && !metadata_read(&object, metadata))
        result = -1;
    if (result != 0)
        error_set(err, ERROR_BAD_INPUT, "'%.*s' is not what this program commits", (int)(text.n < 100 ? text.n : 100),
                  text.p != NULL ? text.p : "");
    json_parser_free(parser);
    arena_fini(&arena);
    return result;
}

void commit_meta_next_key(struct buf *key, int task)
{
    state_key(key, task, STATE_META);
    buf_puts(key, "commit.next");
}

void commit_meta_incarnation_key(struct buf *key)
{
    state_key(key, 0, STATE_META);
    buf_puts(key, "commit.incarnation");
}

void commit_meta_wall_key(struct buf *key)
{
    state_key(key, 0, STATE_META);
    buf_puts(key, "commit.wall_ms");
}

static struct str_pair meta_entry(struct buf *key, uint64_t number, struct arena *arena)
{
    struct buf value = {0};
    buf_u64(&value, number);
    struct str_pair entry = {arena_str(arena, buf_str(key)), arena_str(arena, buf_str(&value))};
    buf_fini(&value);
    return entry;
}

size_t commit_meta_entries(struct str_pair *entries, const struct commit_metadata *metadata, struct arena *arena)
{
    struct buf key = {0};
    size_t n = 0;
    for (int task = 0; task < metadata->tasks; task++) {
        commit_meta_next_key(&key, task);
        entries[n++] = meta_entry(&key, (uint64_t)metadata->changelog_next[task], arena);
    }
    commit_meta_incarnation_key(&key);
    entries[n++] = meta_entry(&key, metadata->incarnation, arena);
    commit_meta_wall_key(&key);
    entries[n++] = meta_entry(&key, (uint64_t)clock_wall_ms(), arena);
    buf_fini(&key);
    return n;
}
