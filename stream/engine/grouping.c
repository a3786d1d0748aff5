/* See grouping.h. */
#include "engine/grouping.h"

#include <stdlib.h>

/* Equal for inputs whose events' groups are equal: the fields and their names in order, where the key alone decides the
 * route. An input that groups by expressions, or whose rule has a route of its own, is told from all others. */
static void put_signature(struct buf *out, const struct rule *rule, int input)
{
    const struct rule_input *of = &rule->inputs[input];
    bool plain = rule->route == NULL;
    for (size_t i = 0; i < rule->group_count; i++)
        plain = plain && of->group[i].field >= 0;
    buf_reset(out);
    buf_byte(out, plain);
    if (!plain) {
        buf_text(out, rule->id);
        buf_u64(out, rule->hash);
        buf_u32(out, (uint32_t)input);
        return;
    }
    buf_byte(out, (uint8_t)of->stream->id);
    for (size_t i = 0; i < rule->group_count; i++) {
        buf_text(out, rule->group[i].name);
        buf_u32(out, (uint32_t)of->group[i].field);
    }
}

void groupings_init(struct groupings *groupings, const struct ruleset *rules)
{
    struct map numbers = {0}; /* signature -> number + 1 */
    struct buf signature = {0};
    size_t inputs = 0;
    *groupings = (struct groupings){0};
    groupings->firsts = mem_alloc((rules->all_count + 1) * sizeof *groupings->firsts);
    for (size_t i = 0; i < rules->all_count; i++)
        inputs += rules->rules[i].input_count;
    groupings->numbers = mem_alloc((inputs + 1) * sizeof *groupings->numbers);
    inputs = 0;
    for (size_t i = 0; i < rules->all_count; i++) {
        groupings->firsts[i] = inputs;
        for (size_t k = 0; k < rules->rules[i].input_count; k++) {
            put_signature(&signature, &rules->rules[i], (int)k);
            void **slot = map_slot(&numbers, buf_str(&signature));
            if (*slot == NULL)
                *slot = (void *)(uintptr_t)++groupings->count;
            groupings->numbers[inputs++] = (int)((uintptr_t)*slot - 1);
        }
    }
    groupings->all = mem_zalloc((groupings->count + 1) * sizeof *groupings->all);
    map_fini(&numbers);
    buf_fini(&signature);
}

void groupings_fini(struct groupings *groupings)
{
    free(groupings->all);
    free(groupings->numbers);
    free(groupings->firsts);
}
