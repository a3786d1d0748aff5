/* Values and identities of `per`. */
#include "recommend/per.h"

struct value per_values(const struct group *group, const struct value *slots, struct arena *arena)
{
    const struct recommend *recommend = group->rule->recommend;
    struct value keys = group_key_values(group->key, arena);
    struct value *pairs = arena_alloc(arena, (recommend->per_count + 1) * 2 * sizeof *pairs);
    for (size_t i = 0; i < recommend->per_count; i++) {
        const struct per_key *key = &recommend->per[i];
        struct value v = value_null();
        if (key->key < 0)
            v = slots[key->slot];
        else if ((uint32_t)key->key < keys.n)
            v = keys.items[2 * key->key + 1];
        pairs[2 * i] = value_str(key->name);
        pairs[2 * i + 1] = v.type == VALUE_ERROR ? value_null() : group_value(v, arena);
    }
    return value_map(pairs, recommend->per_count);
}

struct recommendation_identity per_identity_of(const struct rule *rule, int rule_number, uint64_t hash, int tasks)
{
    return (struct recommendation_identity){rule, rule_number, tasks, group_task(hash, tasks), hash};
}

struct recommendation_identity per_identity(const struct group *group, struct value values, int tasks)
{
    uint64_t hash = group->hash;
    if (rule_is_shared(group->rule)) {
        struct buf key = {0};
        for (size_t i = 0; i < values.n; i++)
            group_key_put(&key, value_as_str(values.items[2 * i]), values.items[2 * i + 1]);
        hash = (group_hash(buf_str(&key)) & ~GROUP_ROUTE_MASK) | (hash & GROUP_ROUTE_MASK);
        buf_fini(&key);
    }
    return per_identity_of(group->rule, group->rule_number, hash, tasks);
}
