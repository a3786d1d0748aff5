/* The groups over the state. */
#include "engine/groups.h"

#include <stdlib.h>

#include "detect/detector.h"
#include "engine/groups_parts.h"

static const char damage[] =
    "the state is damaged: stop, delete the state directory and start: it is restored from the changelog";

/* The first walk is at the first window's end that may not have been walked yet. */
static struct walk first_walk(const struct rule *rule, int64_t applied_ms)
{
    struct walk walk = {.next_ms = INT64_MAX, .later_ms = INT64_MAX, .past_ms = applied_ms};
    if (applied_ms != INT64_MIN && group_is_walked(rule))
        walk.next_ms = group_timer_at(rule, INT64_MIN, applied_ms);
    return walk;
}

struct groups *groups_new(const struct groups_options *options)
{
    struct groups *groups = mem_zalloc(sizeof *groups);
    size_t rules = options->rules->all_count;
    groups->options = *options;
    groups->counts = mem_zalloc((rules * (size_t)options->tasks.count + 1) * sizeof *groups->counts);
    groups->walks = mem_zalloc((rules + 1) * sizeof *groups->walks);
    for (size_t i = 0; i < rules; i++)
        groups->walks[i] = first_walk(&options->rules->rules[i], INT64_MIN);
    return groups;
}

/* Keeps the list of groups with unwritten notes as the group is now. */
static void list(struct groups *groups, struct group *group)
{
    if (group->unwritten > 0 && group->listed_bytes == 0) {
        groups->unwritten =
            mem_grow(groups->unwritten, groups->unwritten_count, &groups->unwritten_cap, sizeof(struct group *));
        group->listed = groups->unwritten_count;
        groups->unwritten[groups->unwritten_count++] = group;
    } else if (group->unwritten == 0 && group->listed_bytes > 0) {
        struct group *last = groups->unwritten[--groups->unwritten_count];
        groups->unwritten[group->listed] = last;
        last->listed = group->listed;
    }
    groups->unwritten_bytes += group->unwritten - group->listed_bytes;
    group->listed_bytes = group->unwritten;
}

size_t groups_unwritten(const struct groups *groups)
{
    return groups->unwritten_bytes;
}

static void drop_cache(struct groups *groups)
{
    groups->unwritten_count = groups->unwritten_bytes = 0;
    group_cache_fini(&groups->cache);
}

void groups_free(struct groups *groups)
{
    drop_cache(groups);
    free((void *)groups->unwritten);
    free(groups->counts);
    free(groups->walks);
    buf_fini(&groups->key);
    free(groups);
}

int groups_restore(struct groups *groups, const int64_t *applied_ms, struct error *err)
{
    const struct ruleset *rules = groups->options.rules;
    drop_cache(groups);
    for (size_t i = 0; i < rules->all_count; i++)
        groups->walks[i] = first_walk(&rules->rules[i], applied_ms[rules->rules[i].stage]);
    return groups_read_counts(groups, err);
}

/* What was due of the group below this was evaluated. */
static int64_t past_of(const struct groups *groups, int rule_number, uint64_t hash)
{
    const struct walk *walk = &groups->walks[rule_number];
    return hash < walk->from ? walk->next_ms + 1 : walk->past_ms;
}

static int load(struct groups *groups, int rule_number, uint64_t hash, struct str key, bool blind, struct group **out,
                struct error *err)
{
    struct group_options options = {
        .rule = &groups->options.rules->rules[rule_number],
        .rule_number = rule_number,
        .task = group_task(hash, groups->options.tasks.count),
        .hash = hash,
        .key = key,
        .past_ms = past_of(groups, rule_number, hash),
        .parts_later = blind,
    };
    TRY(group_load(out, groups->options.state, &options, err));
    if (*out != NULL)
        group_cache_add(&groups->cache, *out);
    return 0;
}

int groups_get(struct groups *groups, int rule_number, uint64_t hash, struct str key, struct group **out,
               struct error *err)
{
    *out = group_cache_find(&groups->cache, rule_number, hash);
    if (*out == NULL)
        return load(groups, rule_number, hash, key, false, out, err);
    group_cache_used(&groups->cache, *out);
    return (*out)->unread ? group_read(*out, groups->options.state, err) : 0;
}

int groups_get_blind(struct groups *groups, int rule_number, uint64_t hash, struct str key, struct group **out,
                     struct error *err)
{
    if (!detector_of(&groups->options.rules->rules[rule_number])->blind)
        return groups_get(groups, rule_number, hash, key, out, err);
    *out = group_cache_find(&groups->cache, rule_number, hash);
    if (*out == NULL)
        return load(groups, rule_number, hash, key, true, out, err);
    group_cache_used(&groups->cache, *out);
    return 0;
}

static void forget(struct groups *groups, struct group *group)
{
    ASSERT(group->listed_bytes == 0);
    group_cache_remove(&groups->cache, group);
    group_free(group);
}

void groups_settle(struct groups *groups, struct group *group, bool newcomer)
{
    list(groups, group);
    if (!group_is_empty(group)) {
        group_cache_weigh(&groups->cache, group);
        return;
    }
    if (!newcomer)
        groups_leave(groups, group);
    forget(groups, group);
}

static void write_notes(struct groups *groups, struct group *group)
{
    group_write(group, groups->options.state);
    list(groups, group);
}

void groups_shrink(struct groups *groups)
{
    int64_t budget = groups->options.memory_bytes;
    while ((int64_t)groups->cache.bytes > budget && groups->cache.oldest != NULL) {
        struct group *group = groups->cache.oldest;
        if (group->unwritten > 0)
            write_notes(groups, group);
        forget(groups, group);
    }
}

void groups_commit(struct groups *groups)
{
    while (groups->unwritten_count > 0)
        write_notes(groups, groups->unwritten[groups->unwritten_count - 1]);
    groups_write_counts(groups);
    groups_shrink(groups);
}

struct walk *groups_walk(struct groups *groups, int rule_number)
{
    return &groups->walks[rule_number];
}

void groups_walk_over(struct groups *groups, int rule_number)
{
    struct walk *walk = &groups->walks[rule_number];
    *walk = (struct walk){.next_ms = walk->later_ms, .later_ms = INT64_MAX, .past_ms = walk->next_ms + 1};
}

/* The least hash of the task's groups. */
static uint64_t first_of(int task, int tasks)
{
    uint64_t routes = (UINT64_C(1) << (64 - GROUP_ROUTE_SHIFT));
    return (((uint64_t)task * routes + (uint64_t)tasks - 1) / (uint64_t)tasks) << GROUP_ROUTE_SHIFT;
}

/* The rule's next record from walk->from on, which comes to it; `entry` key p NULL: there is none. */
static int next_record(struct groups *groups, int rule_number, struct str_pair *entry, struct group_record *record,
                       struct error *err)
{
    const struct task_range *tasks = &groups->options.tasks;
    struct walk *walk = &groups->walks[rule_number];
    uint64_t rule_hash = groups->options.rules->rules[rule_number].hash;
    uint64_t first = first_of(tasks->first, tasks->count);
    if (walk->from < first)
        walk->from = first;
    for (int task = group_task(walk->from, tasks->count); task < tasks->end; task++) {
        struct str prefix;
        buf_reset(&groups->key);
        group_record_key(&groups->key, task, rule_hash, walk->from);
        prefix = (struct str){groups->key.p, groups->key.len - sizeof walk->from};
        int result =
            state_cursor_seek(state_cursor(groups->options.state, STATE_GROUP), buf_str(&groups->key), entry, err);
        if (result < 0)
            return -1;
        if (result == 0 && str_starts(entry->key, prefix)) {
            if (!group_record_read(*entry, record))
                return error_set(err, ERROR_FATAL, damage);
            walk->from = record->hash;
            return 0;
        }
        if (task + 1 < tasks->end)
            walk->from = first_of(task + 1, tasks->count);
    }
    entry->key.p = NULL;
    return 0;
}

int groups_walk_next(struct groups *groups, int rule_number, size_t *left, struct group **out, struct error *err)
{
    const struct rule *rule = &groups->options.rules->rules[rule_number];
    struct walk *walk = &groups->walks[rule_number];
    *out = NULL;
    for (; *left > 0; walk->from++) {
        struct str_pair entry;
        struct group_record record;
        TRY(next_record(groups, rule_number, &entry, &record, err));
        if (entry.key.p == NULL)
            return 0;
        (*left)--;
        struct group *group = group_cache_find(&groups->cache, rule_number, record.hash);
        int64_t due_ms = group != NULL ? group->timer_ms : group_timer_at(rule, record.timer_ms, walk->past_ms);
        ASSERT(due_ms >= walk->next_ms);
        if (due_ms > walk->next_ms) {
            walk->later_ms = due_ms < walk->later_ms ? due_ms : walk->later_ms;
            continue;
        }
        TRY(groups_get(groups, rule_number, record.hash, (struct str){NULL, 0}, out, err));
        walk->from++;
        return 0;
    }
    return 0;
}
