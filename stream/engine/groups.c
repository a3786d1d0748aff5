/* The cache of groups over the state. */
#include "engine/groups.h"

#include <stdlib.h>

struct groups {
    struct groups_options options;
    struct map cache;     /* (rule number, hash) -> struct group */
    int64_t *restored_ms; /* by stage */
    uint64_t tick;
    struct group **unwritten; /* groups that hold notes which the state does not have yet, in no order */
    size_t unwritten_count;
    size_t unwritten_cap;
    size_t unwritten_bytes;
    size_t *counts; /* groups known of each (rule, task); SIZE_MAX: not counted yet */
};

struct cache_key {
    uint64_t rule_number;
    uint64_t hash;
};

static struct str key_of(const struct cache_key *key)
{
    return (struct str){(const char *)key, sizeof *key};
}

static void forget_counts(struct groups *groups)
{
    size_t n = groups->options.rules->all_count * (size_t)groups->options.tasks.count;
    for (size_t i = 0; i < n; i++)
        groups->counts[i] = SIZE_MAX;
}

struct groups *groups_new(const struct groups_options *options)
{
    struct groups *groups = mem_zalloc(sizeof *groups);
    groups->options = *options;
    groups->counts = mem_alloc((options->rules->all_count * (size_t)options->tasks.count + 1) * sizeof *groups->counts);
    groups->restored_ms = mem_alloc(((size_t)options->rules->level_max + 1) * sizeof *groups->restored_ms);
    for (int i = 0; i <= options->rules->level_max; i++)
        groups->restored_ms[i] = INT64_MIN;
    forget_counts(groups);
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
    struct map_entry *entry;
    for (size_t i = 0; map_next(&groups->cache, &i, &entry);)
        group_free(entry->value);
    map_fini(&groups->cache);
}

void groups_free(struct groups *groups)
{
    drop_cache(groups);
    free((void *)groups->unwritten);
    free(groups->counts);
    free(groups->restored_ms);
    free(groups);
}

void groups_restore(struct groups *groups, const int64_t *applied_ms)
{
    drop_cache(groups);
    for (int i = 0; i <= groups->options.rules->level_max; i++)
        groups->restored_ms[i] = applied_ms[i];
    forget_counts(groups);
}

int groups_get(struct groups *groups, int rule_number, uint64_t hash, struct str key, struct group **out,
               struct error *err)
{
    struct cache_key cache_key = {(uint64_t)rule_number, hash};
    struct group *group = map_get(&groups->cache, key_of(&cache_key));
    if (group == NULL) {
        struct group_options options = {
            .rule = &groups->options.rules->rules[rule_number],
            .rule_number = rule_number,
            .task = group_task(hash, groups->options.tasks.count),
            .hash = hash,
            .key = key,
            .restored_ms = groups->restored_ms[groups->options.rules->rules[rule_number].stage],
        };
        TRY(group_load(&group, groups->options.state, &options, err));
        if (group != NULL)
            *map_slot(&groups->cache, key_of(&cache_key)) = group;
    }
    if (group != NULL)
        group->used = ++groups->tick;
    *out = group;
    return 0;
}

static void forget(struct groups *groups, struct group *group)
{
    struct cache_key cache_key = {(uint64_t)group->rule_number, group->hash};
    ASSERT(group->listed_bytes == 0);
    (void)map_remove(&groups->cache, key_of(&cache_key));
    group_free(group);
}

static size_t *count_of(struct groups *groups, const struct group *group)
{
    return &groups->counts[(size_t)group->rule_number * (size_t)groups->options.tasks.count + (size_t)group->task];
}

void groups_settle(struct groups *groups, struct group *group, bool newcomer)
{
    list(groups, group);
    if (!group_is_empty(group))
        return;
    size_t *count = count_of(groups, group);
    if (!newcomer && *count != SIZE_MAX && *count > 0)
        (*count)--;
    forget(groups, group);
}

static int by_use(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a;
    const struct group *y = *(struct group *const *)b;
    return (x->used > y->used) - (x->used < y->used);
}

static void write_all(struct groups *groups)
{
    while (groups->unwritten_count > 0) {
        struct group *group = groups->unwritten[groups->unwritten_count - 1];
        group_write(group, groups->options.state);
        list(groups, group);
    }
}

void groups_commit(struct groups *groups)
{
    size_t bytes = 0;
    struct map_entry *entry;
    write_all(groups);
    for (size_t i = 0; map_next(&groups->cache, &i, &entry);)
        bytes += group_bytes(entry->value);
    if ((int64_t)bytes <= groups->options.memory_bytes)
        return;
    struct group **all = mem_alloc(groups->cache.count * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; map_next(&groups->cache, &i, &entry);)
        all[n++] = entry->value;
    qsort(all, n, sizeof *all, by_use);
    for (size_t i = 0; i < n && (int64_t)bytes > groups->options.memory_bytes / 2; i++) {
        bytes -= group_bytes(all[i]);
        if (all[i]->unsaved)
            group_save(all[i], groups->options.state);
        forget(groups, all[i]);
    }
    free(all);
}

struct timers {
    struct groups *groups;
    void (*arm)(void *context, int64_t time_ms, int rule_number, uint64_t hash);
    void *context;
};

static int arm_timer(void *context, struct str key, struct str value)
{
    struct timers *timers = context;
    struct group_record record;
    const struct ruleset *rules = timers->groups->options.rules;
    if (!group_record_read(key, value, &record))
        return -1;
    for (size_t i = 0; i < rules->all_count; i++)
        if (rules->rules[i].hash == record.rule_hash && record.timer_ms != INT64_MAX)
            timers->arm(
                timers->context,
                group_timer_at(&rules->rules[i], record.timer_ms, timers->groups->restored_ms[rules->rules[i].stage]),
                (int)i, record.hash);
    return 0;
}

int groups_timers(struct groups *groups, void (*arm)(void *context, int64_t time_ms, int rule_number, uint64_t hash),
                  void *context, struct error *err)
{
    struct timers timers = {groups, arm, context};
    struct buf prefix = {0};
    int result = 0;
    for (int task = groups->options.tasks.first; task < groups->options.tasks.end && result == 0; task++) {
        buf_reset(&prefix);
        state_key(&prefix, task, STATE_GROUP);
        err->class = ERROR_NONE;
        result = state_scan(groups->options.state, buf_str(&prefix), arm_timer, &timers, err);
    }
    buf_fini(&prefix);
    if (result != 0 && err->class == ERROR_NONE)
        return error_set(
            err, ERROR_FATAL,
            "the state is damaged: stop, delete the state directory and start: it is restored from the changelog");
    return result;
}

struct stale {
    int64_t last_ms;
    uint64_t hash;
    bool detected;
};

struct stale_list {
    struct stale *items;
    size_t count;
    size_t cap;
};

static int note_stale(void *context, struct str key, struct str value)
{
    struct stale_list *list = context;
    struct group_record record;
    if (!group_record_read(key, value, &record))
        return -1;
    list->items = mem_grow(list->items, list->count, &list->cap, sizeof *list->items);
    list->items[list->count++] = (struct stale){record.last_ms, record.hash, record.detected};
    return 0;
}

static int by_staleness(const void *a, const void *b)
{
    const struct stale *x = a;
    const struct stale *y = b;
    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* A group that a live recommendation was made of must not go: its next detection would count as another. Where groups
 * share recommendations, or have several, it is the group's own part that matters: whether it ever detected. */
static bool has_recommendation(struct groups *groups, const struct group *like, const struct stale *stale)
{
    if (rule_is_shared(like->rule))
        return stale->detected;
    struct buf key = {0};
    struct buf value = {0};
    bool found = false;
    struct error ignored;
    state_key(&key, like->task, STATE_RECOMMENDATION);
    buf_u64(&key, like->rule->hash);
    buf_u64(&key, stale->hash);
    /* A state that cannot be read shows at the next read that matters; here it only keeps a group. */
    if (state_get(groups->options.state, buf_str(&key), &value, &found, &ignored) != 0)
        found = true;
    buf_fini(&key);
    buf_fini(&value);
    return found;
}

static int evict_stalest(struct groups *groups, const struct group *newcomer, struct stale_list *list, size_t *evicted,
                         struct error *err)
{
    qsort(list->items, list->count, sizeof *list->items, by_staleness);
    size_t wanted = (size_t)groups->options.groups_max / 100 + 1;
    for (size_t i = 0; i < list->count && *evicted < wanted; i++) {
        struct group *group = NULL;
        if (list->items[i].hash == newcomer->hash || has_recommendation(groups, newcomer, &list->items[i]))
            continue;
        TRY(groups_get(groups, newcomer->rule_number, list->items[i].hash, (struct str){NULL, 0}, &group, err));
        if (group == NULL)
            continue;
        group_remove(group, groups->options.state);
        groups_settle(groups, group, false);
        (*evicted)++;
    }
    return 0;
}

int groups_bound(struct groups *groups, const struct group *newcomer, size_t *evicted, struct error *err)
{
    size_t *count = count_of(groups, newcomer);
    *evicted = 0;
    if (*count != SIZE_MAX && ++*count <= (size_t)groups->options.groups_max)
        return 0;
    struct stale_list list = {0};
    struct buf prefix = {0};
    state_key(&prefix, newcomer->task, STATE_GROUP);
    buf_u64(&prefix, newcomer->rule->hash);
    err->class = ERROR_NONE;
    int result = state_scan(groups->options.state, buf_str(&prefix), note_stale, &list, err);
    *count = list.count;
    if (result == 0 && list.count > (size_t)groups->options.groups_max)
        result = evict_stalest(groups, newcomer, &list, evicted, err);
    free(list.items);
    buf_fini(&prefix);
    return result;
}
