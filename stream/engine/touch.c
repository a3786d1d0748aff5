/* Which rules and groups a change touches. */
#include "engine/touch.h"

#include <stdlib.h>

struct touches {
    const struct ruleset *rules;
    struct rule_index *indexes[STREAM_COUNT]; /* inputs that read rows */
    bool rows_at[RULE_LEVELS_MAX + 1][2]; /* by level: some rule of it, of its own stage or of the first, reads rows */
    uint64_t errors;
    uint64_t null_errors;
};

/* A list under construction. */
struct list {
    struct touches *touches;
    struct arena *arena;
    struct touch *items;
    size_t count;
    size_t cap;
    const struct event *event;
    int level; /* of the rules wanted */
    int stage;
    bool after;
};

static bool reads_rows(const struct rule *rule, const struct rule_input *input)
{
    (void)rule;
    return input->detects && input->stream->rows && !input->updates;
}

struct touches *touches_new(const struct ruleset *rules)
{
    struct touches *touches = mem_zalloc(sizeof *touches);
    touches->rules = rules;
    for (int i = 0; i < STREAM_COUNT; i++)
        touches->indexes[i] = rule_index_new(rules, (enum stream_id)i, reads_rows);
    for (size_t i = 0; i < rules->all_count; i++)
        for (size_t k = 0; k < rules->rules[i].input_count; k++)
            if (reads_rows(&rules->rules[i], &rules->rules[i].inputs[k]))
                touches->rows_at[rules->rules[i].level][rules->rules[i].stage != rules->rules[i].level] = true;
    return touches;
}

bool touches_rows(const struct touches *touches)
{
    for (size_t level = 0; level <= RULE_LEVELS_MAX; level++)
        if (touches->rows_at[level][0] || touches->rows_at[level][1])
            return true;
    return false;
}

bool touches_rows_at(const struct touches *touches, int level, int stage)
{
    return touches->rows_at[level][stage != level];
}

void touches_free(struct touches *touches)
{
    for (int i = 0; i < STREAM_COUNT; i++)
        rule_index_free(touches->indexes[i]);
    free(touches);
}

struct touched_group touch_group(const struct rule *rule, const struct rule_input *input, const struct event *event,
                                 struct arena *arena)
{
    struct value values[RULE_GROUP_KEYS_MAX];
    struct buf key = {0};
    for (size_t i = 0; i < rule->group_count; i++) {
        const struct group_key *part = &input->group[i];
        values[i] = part->field >= 0 ? event->values[part->field]
                                     : cel_eval(part->expr, &(struct cel_frame){.event = event, .arena = arena});
        if (values[i].type == VALUE_ERROR)
            values[i] = value_null();
    }
    uint64_t hash = group_identify(&key, rule, values);
    struct touched_group group = {arena_str(arena, buf_str(&key)), hash};
    buf_fini(&key);
    return group;
}

static struct touch *find_or_add(struct list *list, int rule_number, const struct touched_group *group)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].rule_number == rule_number && str_eq(list->items[i].key, group->key))
            return &list->items[i];
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 8 : list->cap * 2;
        struct touch *items = arena_alloc(list->arena, cap * sizeof *items);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    struct touch *touch = &list->items[list->count++];
    *touch = (struct touch){.rule_number = rule_number, .key = group->key, .hash = group->hash};
    return touch;
}

static void add(struct list *list, const struct index_entry *entry)
{
    const struct rule_input *input = &entry->rule->inputs[entry->input];
    struct touched_group group = touch_group(entry->rule, input, list->event, list->arena);
    struct touch *touch = find_or_add(list, entry->rule_number, &group);
    uint16_t *selection = list->after ? &touch->selection.after : &touch->selection.before;
    *selection |= (uint16_t)(1U << entry->input);
    if (list->after || touch->selection.after == 0)
        touch->event = list->event;
}

static void visit(void *context, const struct index_entry *entry)
{
    const struct list *list = context;
    if (entry->rule->level == list->level && entry->rule->stage == list->stage)
        add(context, entry);
}

static int in_order(const void *a, const void *b)
{
    const struct touch *x = a;
    const struct touch *y = b;
    if (x->rule_number != y->rule_number)
        return x->rule_number < y->rule_number ? -1 : 1;
    int left_x = x->selection.after == 0 ? 0 : 1;
    int left_y = y->selection.after == 0 ? 0 : 1;
    if (left_x != left_y)
        return left_x - left_y;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static size_t finish(struct list *list, const struct touch **out)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, in_order);
    *out = list->items;
    return list->count;
}

size_t touches_of_row(struct touches *touches, const struct exchange_change *change, struct arena *arena,
                      const struct touch **out)
{
    struct list list = {.touches = touches, .arena = arena, .level = change->level, .stage = change->stage};
    uint64_t ignored = 0; /* errors are counted once, at the lowest level */
    uint64_t *errors = change->level == 1 ? &touches->errors : &ignored;
    uint64_t *null_errors = change->level == 1 ? &touches->null_errors : &ignored;
    for (int i = 0; i < 2; i++) {
        list.event = i == 0 ? change->before : change->after;
        list.after = i == 1;
        if (list.event != NULL)
            rule_index_select(touches->indexes[list.event->stream->id], list.event, arena, visit, &list, errors,
                              null_errors);
    }
    return finish(&list, out);
}

size_t touches_of_event(struct touches *touches, const struct event *event, const struct exchange_match *matches,
                        size_t n, struct arena *arena, const struct touch **out)
{
    struct list list = {.touches = touches, .arena = arena, .event = event, .after = true};
    for (size_t i = 0; i < n; i++)
        add(&list, &(struct index_entry){&touches->rules->rules[matches[i].rule], matches[i].rule, matches[i].input});
    return finish(&list, out);
}

void touches_errors(struct touches *touches, uint64_t *errors, uint64_t *null_errors)
{
    *errors += touches->errors;
    *null_errors += touches->null_errors;
    touches->errors = touches->null_errors = 0;
}
