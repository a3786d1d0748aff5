/* How many groups a rule and task has, and who goes where they are too many. */
#include <stdlib.h>

#include "engine/groups_parts.h"

static size_t count_number(const struct groups *groups, int rule_number, int task)
{
    return (size_t)rule_number * (size_t)groups->options.tasks.count + (size_t)task;
}

static struct group_count *count_of(const struct groups *groups, const struct group *group)
{
    return &groups->counts[count_number(groups, group->rule_number, group->task)];
}

static void set(struct groups *groups, struct group_count *count, size_t n)
{
    count->groups = n;
    count->moved = groups->counts_moved = true;
    if (n == 0) { /* nothing is kept of it then */
        count->look_from = 0;
        count->evicted = false;
    }
}

bool groups_evicted(const struct groups *groups, const struct group *group)
{
    return count_of(groups, group)->evicted;
}

void groups_leave(struct groups *groups, const struct group *group)
{
    struct group_count *count = count_of(groups, group);
    if (count->groups != SIZE_MAX && count->groups > 0)
        set(groups, count, count->groups - 1);
}

static void count_key(struct groups *groups, int task, const struct rule *rule)
{
    state_key(&groups->key, task, STATE_GROUP_COUNT);
    buf_u64(&groups->key, rule->hash);
}

void groups_write_counts(struct groups *groups)
{
    const struct ruleset *rules = groups->options.rules;
    struct buf value = {0};
    for (size_t i = 0; groups->counts_moved && i < rules->all_count; i++)
        for (int task = groups->options.tasks.first; task < groups->options.tasks.end; task++) {
            struct group_count *count = &groups->counts[count_number(groups, (int)i, task)];
            if (!count->moved)
                continue;
            count->moved = false;
            count_key(groups, task, &rules->rules[i]);
            buf_reset(&value);
            buf_u64(&value, count->groups);
            buf_u64(&value, count->look_from);
            buf_byte(&value, count->evicted);
            if (count->groups > 0)
                state_put(groups->options.state, buf_str(&groups->key), buf_str(&value));
            else
                state_del(groups->options.state, buf_str(&groups->key));
        }
    groups->counts_moved = false;
    buf_fini(&value);
}

int groups_read_counts(struct groups *groups, struct error *err)
{
    const struct ruleset *rules = groups->options.rules;
    struct buf value = {0};
    int result = 0;
    groups->counts_moved = false;
    for (size_t i = 0; i < rules->all_count && result == 0; i++)
        for (int task = groups->options.tasks.first; task < groups->options.tasks.end && result == 0; task++) {
            struct group_count *count = &groups->counts[count_number(groups, (int)i, task)];
            bool found;
            count_key(groups, task, &rules->rules[i]);
            buf_reset(&value);
            result = state_get(groups->options.state, buf_str(&groups->key), &value, &found, err);
            struct reader r = reader_of(value.p, value.len);
            *count = (struct group_count){.groups = SIZE_MAX};
            if (found) {
                count->groups = (size_t)read_u64(&r);
                count->look_from = (size_t)read_u64(&r);
                count->evicted = read_byte(&r) != 0;
            }
        }
    buf_fini(&value);
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
    if (!group_record_read((struct str_pair){key, value}, &record))
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
 * share recommendations, or have several, it is the group's own part that matters: whether it ever detected. A
 * history's group has the hash of the recommendation that it is kept for, shared or not, which is of the rule that it
 * is beside. */
static bool has_recommendation(struct groups *groups, const struct group *like, const struct stale *stale)
{
    if (rule_is_shared(like->rule))
        return stale->detected;
    struct buf key = {0};
    struct buf value = {0};
    bool found = false;
    struct error ignored;
    state_key(&key, like->task, STATE_RECOMMENDATION);
    buf_u64(&key, like->rule->type == DETECTOR_HISTORY ? like->rule->spec.history->of->hash : like->rule->hash);
    buf_u64(&key, stale->hash);
    /* A state that cannot be read shows at the next read that matters; here it only keeps a group. */
    if (state_get(groups->options.state, buf_str(&key), &value, &found, &ignored) != 0)
        found = true;
    buf_fini(&key);
    buf_fini(&value);
    return found;
}

/* How many go at once, since all groups are looked at for them. */
static size_t hundredth(const struct groups *groups)
{
    return (size_t)groups->options.groups_max / 100 + 1;
}

static int evict_stalest(struct groups *groups, const struct group *newcomer, struct stale_list *list, size_t *evicted,
                         struct error *err)
{
    qsort(list->items, list->count, sizeof *list->items, by_staleness);
    for (size_t i = 0; i < list->count && *evicted < hundredth(groups); i++) {
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
    struct group_count *count = count_of(groups, newcomer);
    size_t max = (size_t)groups->options.groups_max;
    *evicted = 0;
    if (count->groups != SIZE_MAX) {
        set(groups, count, count->groups + 1);
        if (count->groups <= (count->look_from > max ? count->look_from : max))
            return 0;
    }
    struct stale_list list = {0};
    struct buf prefix = {0};
    state_key(&prefix, newcomer->task, STATE_GROUP);
    buf_u64(&prefix, newcomer->rule->hash);
    err->class = ERROR_NONE;
    int result = state_scan(groups->options.state, buf_str(&prefix), note_stale, &list, err);
    set(groups, count, list.count);
    if (result == 0 && list.count > max)
        result = evict_stalest(groups, newcomer, &list, evicted, err);
    /* Where recommendations keep nearly all of them, a hundredth more comes before the next look. */
    bool enough = list.count <= max || *evicted == hundredth(groups);
    count->evicted = count->evicted || *evicted > 0;
    count->look_from = enough ? 0 : count->groups + hundredth(groups);
    free(list.items);
    buf_fini(&prefix);
    return result;
}
