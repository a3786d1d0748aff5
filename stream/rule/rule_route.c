/* Which groups must be of one task, and which rules must be applied in one order.
 *
 * A recommendation and all groups that it is made of are of one task: with `per` the route is what `per` takes from
 * group_by. Recommendations of rules of which one supersedes another meet, so rules that `supersedes` connects are a
 * unit: their route is made of the keys that all of them have, since recommendations agree where those are the same.
 *
 * In a unit whose rules are of several levels all must have been applied in order of time before any of them goes on.
 * That is possible where nothing from another task comes between, so all that its rules read joins it; it is of one
 * task, and of the first stage. Any other rule's stage is its level.
 */
#include <stdlib.h>

#include "rule/rule_load.h"

struct units {
    struct ruleset *set;
    size_t *parent; /* by rule number; heap */
};

static size_t unit_of(const struct units *units, size_t rule)
{
    while (units->parent[rule] != rule) {
        units->parent[rule] = units->parent[units->parent[rule]];
        rule = units->parent[rule];
    }
    return rule;
}

/* The least rule names the unit. True: they were apart. */
static bool join(struct units *units, size_t a, size_t b)
{
    a = unit_of(units, a);
    b = unit_of(units, b);
    units->parent[a > b ? a : b] = a < b ? a : b;
    return a != b;
}

static void join_superseded(struct units *units)
{
    for (size_t i = 0; i < units->set->count; i++) {
        const struct recommend *recommend = units->set->rules[i].recommend;
        for (size_t k = 0; recommend != NULL && k < recommend->supersedes_count; k++) {
            const struct rule *other = ruleset_find(units->set, recommend->supersedes[k]);
            if (other != NULL)
                (void)join(units, i, (size_t)(other - units->set->rules));
        }
    }
}

struct unit {
    size_t rules;
    uint8_t least_level;
    uint8_t most_level;
    struct str names[RULE_GROUP_KEYS_MAX]; /* of keys that all have, in order */
    size_t name_count;
};

/* By the unit's number; heap. */
static struct unit *measure(const struct units *units)
{
    struct unit *all = mem_zalloc((units->set->count + 1) * sizeof *all);
    for (size_t i = 0; i < units->set->count; i++) {
        struct unit *unit = &all[unit_of(units, i)];
        uint8_t level = units->set->rules[i].level;
        unit->least_level = unit->rules == 0 || level < unit->least_level ? level : unit->least_level;
        unit->most_level = level > unit->most_level ? level : unit->most_level;
        unit->rules++;
    }
    return all;
}

/* What rules of units with several levels read joins them, until nothing does. */
static void join_read(struct units *units)
{
    for (bool joined = true; joined;) {
        joined = false;
        struct unit *all = measure(units);
        for (size_t i = 0; i < units->set->count; i++) {
            const struct rule *rule = &units->set->rules[i];
            const struct unit *unit = &all[unit_of(units, i)];
            for (size_t k = 0; unit->least_level < unit->most_level && k < rule->read_count; k++)
                joined = join(units, i, (size_t)(rule->reads[k] - units->set->rules)) || joined;
        }
        free(all);
    }
}

/* Names that a route may be made of: `per` without outputs, else all of group_by. Their numbers among the rule's group
 * keys go to `keys`, in order of name. */
static size_t own_keys(const struct rule *rule, int *keys)
{
    size_t n = 0;
    bool shared = rule_is_shared(rule);
    size_t count = shared ? rule->recommend->per_count : rule->group_count;
    for (size_t i = 0; i < count; i++) {
        int key = shared ? rule->recommend->per[i].key : (int)i;
        if (key < 0)
            continue;
        size_t at = n++;
        for (; at > 0 && str_cmp(rule->group[keys[at - 1]].name, rule->group[key].name) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
    return n;
}

static bool has_name(const struct unit *unit, struct str name)
{
    for (size_t i = 0; i < unit->name_count; i++)
        if (str_eq(unit->names[i], name))
            return true;
    return false;
}

/* Leaves the names that the rule has too. */
static void intersect(struct unit *unit, const struct rule *rule, bool first)
{
    int keys[RULE_GROUP_KEYS_MAX];
    size_t n = own_keys(rule, keys);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct str name = rule->group[keys[i]].name;
        if (first || has_name(unit, name))
            unit->names[kept++] = name; /* both are in order of name, so none is overwritten before it was looked at */
    }
    unit->name_count = kept;
}

/* The units as they are in the end, with the names that all their rules have. */
static struct unit *name(const struct units *units)
{
    struct unit *all = measure(units);
    for (size_t i = 0; i < units->set->count; i++) {
        size_t unit = unit_of(units, i);
        intersect(&all[unit], &units->set->rules[i], unit == i);
    }
    return all;
}

static const struct rule_route *route_of(struct loader *loader, const int *keys, size_t n, struct str unit)
{
    struct rule_route *route = arena_zalloc(loader->arena, sizeof *route);
    int *kept = arena_alloc(loader->arena, (n + 1) * sizeof *kept);
    memcpy(kept, keys, n * sizeof *kept);
    *route = (struct rule_route){.keys = kept, .count = n, .seed = n == 0 ? str_hash(unit) : 1};
    return route;
}

/* The history's groups are those of the recommendations: it has keys of the same names. */
static void route_history(struct loader *loader, const struct rule *rule)
{
    struct rule *history = &loader->set->rules[rule->history - loader->set->rules];
    int keys[RULE_GROUP_KEYS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < rule->route->count; i++)
        for (size_t k = 0; k < history->group_count; k++)
            if (str_eq(history->group[k].name, rule->group[rule->route->keys[i]].name))
                keys[n++] = (int)k;
    ASSERT(n == rule->route->count);
    history->route = route_of(loader, keys, n, STR_LIT(""));
    ((struct rule_route *)(uintptr_t)history->route)->seed = rule->route->seed;
}

/* A route that other rules decide is part of what the rule's state means. */
static void mix(struct rule *rule)
{
    struct buf route = {0};
    buf_u64(&route, rule->hash);
    buf_u64(&route, rule->route->seed);
    for (size_t i = 0; i < rule->route->count; i++)
        buf_text(&route, rule->group[rule->route->keys[i]].name);
    rule->hash = hash_bytes(route.p, route.len, 0);
    buf_fini(&route);
}

/* The route is the one that the rule would have alone. */
static bool is_own(const struct rule *rule, const int *keys, size_t n)
{
    int own[RULE_GROUP_KEYS_MAX];
    if (rule_is_shared(rule))
        return n > 0 && n == own_keys(rule, own);
    for (size_t i = 0; i < n; i++)
        if (keys[i] != (int)i)
            return false;
    return n > 0 && n == rule->group_count;
}

static void route_rule(struct loader *loader, const struct units *units, const struct unit *all, size_t number)
{
    struct rule *rule = &loader->set->rules[number];
    size_t unit = unit_of(units, number);
    bool many_levels = all[unit].least_level < all[unit].most_level;
    int keys[RULE_GROUP_KEYS_MAX];
    size_t own = own_keys(rule, keys);
    size_t n = 0;
    rule->stage = many_levels ? 1 : rule->level;
    for (size_t i = 0; i < own && !many_levels; i++)
        if (has_name(&all[unit], rule->group[keys[i]].name))
            keys[n++] = keys[i];
    bool alone = all[unit].rules == 1;
    if (alone && !rule_is_shared(rule))
        return;
    bool decided = !alone && !is_own(rule, keys, n); /* by other rules */
    rule->route = route_of(loader, keys, n, loader->set->rules[unit].id);
    if (decided)
        mix(rule);
    if (rule->history != NULL) {
        route_history(loader, rule);
        if (decided)
            mix(&loader->set->rules[rule->history - loader->set->rules]);
    }
}

void rule_routes_resolve(struct loader *loader)
{
    struct ruleset *set = loader->set;
    struct units units = {set, mem_alloc((set->count + 1) * sizeof(size_t))};
    for (size_t i = 0; i < set->count; i++)
        units.parent[i] = i;
    join_superseded(&units);
    join_read(&units);
    struct unit *all = name(&units);
    for (size_t i = 0; i < set->count; i++)
        route_rule(loader, &units, all, i);
    for (size_t i = set->count; i < set->all_count; i++)
        set->rules[i].stage = set->rules[i].spec.history->of->stage;
    free(all);
    free(units.parent);
}
