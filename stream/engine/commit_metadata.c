/* The JSON beside every committed position, and the store's entries that say how far it has come. */
#include <inttypes.h>
#include <stdlib.h>

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
    time_member(text, "since", metadata->since_ms);
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

static bool metadata_read(const struct value *object, void *into)
{
    struct commit_metadata *metadata = into;
    *metadata = (struct commit_metadata){
        .max_time_ms = number_get(object, "max_time"),
        .first_ms = number_get(object, "first"),
        .read_offset = number_get(object, "read"),
        .applied_ms = number_get(object, "applied"),
        .since_ms = number_get(object, "since"),
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

void commit_input_print(struct buf *text, const struct commit_position *position, int64_t since_ms)
{
    buf_printf(text, "{\"v\":%d", VERSION);
    time_member(text, "max_time", position->max_time_ms);
    time_member(text, "first", position->first_ms);
    time_member(text, "switch", position->switch_ms);
    time_member(text, "since", since_ms);
    buf_printf(text, ",\"rules\":\"%016" PRIx64 "\"}", position->rules_digest);
}

static bool input_read(const struct value *object, void *into)
{
    struct commit_position *position = into;
    position->since_ms = number_get(object, "since");
    position->max_time_ms = number_get(object, "max_time");
    position->first_ms = number_get(object, "first");
    position->switch_ms = number_get(object, "switch");
    return number_get(object, "v") == VERSION && hex_get(object, "rules", &position->rules_digest);
}

void commit_task_print(struct buf *text, const struct commit_task *task, const struct commit_position *position,
                       int64_t since_ms)
{
    buf_printf(text, "{\"v\":%d", VERSION);
    time_member(text, "applied", position->max_time_ms);
    time_member(text, "since", since_ms);
    buf_printf(text, ",\"incarnation\":\"%016" PRIx64 "\",\"tasks\":%d,\"changelog_next\":%" PRId64 "%s}",
               task->incarnation, task->tasks, task->next, position->anew ? ",\"anew\":true" : "");
}

struct task_and_position {
    struct commit_task *task;
    struct commit_position *position;
};

static bool task_read(const struct value *object, void *into)
{
    const struct task_and_position *of = into;
    struct commit_task *task = of->task;
    of->position->since_ms = number_get(object, "since");
    of->position->max_time_ms = number_get(object, "applied");
    const struct value *anew = member_find(object, "anew");
    of->position->anew = anew != NULL && anew->type == VALUE_BOOL && anew->b;
    task->next = number_get(object, "changelog_next");
    int64_t tasks = number_get(object, "tasks");
    task->tasks = tasks > 0 && tasks <= COMMIT_TASKS_MAX ? (int)tasks : 0;
    return number_get(object, "v") == VERSION && task->next >= 0 && hex_get(object, "incarnation", &task->incarnation);
}

static int parse(struct str text, bool (*read)(const struct value *object, void *into), void *into, struct error *err)
{
    struct arena arena = {0};
    struct json_parser *parser = json_parser_new();
    struct value object;
    int result = text.n == 0 ? -1 : json_parse(parser, text, &arena, &object, err);
    if (result == 0 && !read(&object, into))
        result = -1;
    if (result != 0)
        error_set(err, ERROR_BAD_INPUT, "'%.*s' is not what this program commits", (int)(text.n < 100 ? text.n : 100),
                  text.p != NULL ? text.p : "");
    json_parser_free(parser);
    arena_fini(&arena);
    return result;
}

int commit_metadata_parse(struct str text, struct commit_metadata *metadata, struct error *err)
{
    return parse(text, metadata_read, metadata, err);
}

int commit_input_parse(struct str text, struct commit_position *position, struct error *err)
{
    return parse(text, input_read, position, err);
}

int commit_task_parse(struct str text, struct commit_task *task, struct commit_position *position, struct error *err)
{
    struct task_and_position of = {task, position};
    return parse(text, task_read, &of, err);
}

void commit_meta_key(struct buf *key, int task, enum commit_meta meta)
{
    static const char *const names[] = {"commit.next", "commit.incarnation", "commit.wall_ms", "commit.timers"};
    buf_reset(key);
    state_key(key, task, STATE_META);
    buf_puts(key, names[meta]);
}

void commit_meta_entries(struct str_pair *entries, int number, const struct commit_task *task, int64_t wall_ms,
                         struct arena *arena)
{
    const uint64_t numbers[] = {(uint64_t)task->next, task->incarnation, (uint64_t)wall_ms, (uint64_t)task->next};
    struct buf key = {0};
    struct buf value = {0};
    for (int i = 0; i < COMMIT_META_COUNT; i++) {
        commit_meta_key(&key, number, (enum commit_meta)i);
        buf_reset(&value);
        buf_u64(&value, numbers[i]);
        entries[i] = (struct str_pair){arena_str(arena, buf_str(&key)), arena_str(arena, buf_str(&value))};
    }
    buf_fini(&key);
    buf_fini(&value);
}
