/* See restored_timers.h. */
#include "engine/restored_timers.h"

#include <stdlib.h>

#include "detect/group_timer.h"
#include "engine/old_timers.h"

/* By key; of one key as they came. */
static int by_key(const void *a, const void *b)
{
    const struct str_pair *const *x = a;
    const struct str_pair *const *y = b;
    int order = str_cmp((*x)->key, (*y)->key);
    return order != 0 ? order : (*x > *y) - (*x < *y);
}

struct adding {
    const struct restored_timers *timers;
    struct str_pair *entries;
    size_t count;
    uint64_t noted; /* the rule of the last note */
    bool any_noted;
    struct buf value; /* as the store has it */
    struct buf key;
    struct buf before; /* the key of the entry that goes */
};

static void add(struct adding *adding, const struct buf *key, struct str value)
{
    adding->entries[adding->count++] = (struct str_pair){arena_str(adding->timers->arena, buf_str(key)), value};
}

/* The entry that the record told of which the change replaces; adding->before is empty where there is none. */
static int look_before(struct adding *adding, const struct str_pair *change, struct error *err)
{
    struct store *store = adding->timers->store;
    struct group_record before;
    buf_reset(&adding->before);
    if (adding->timers->all)
        return 0;
    buf_reset(&adding->value);
    int result = store->ops->get(store, change->key, &adding->value, err);
    if (result == 0 && group_record_read((struct str_pair){change->key, buf_str(&adding->value)}, &before) &&
        before.timed && !group_timer_of(adding->timers->task, &before, &adding->before))
        buf_reset(&adding->before);
    return result < 0 ? -1 : 0;
}

static void note_old(struct adding *adding, uint64_t rule_hash)
{
    if (adding->any_noted && adding->noted == rule_hash)
        return;
    adding->any_noted = true;
    adding->noted = rule_hash;
    old_timers_key(&adding->key, adding->timers->task, rule_hash);
    add(adding, &adding->key, (struct str){"", 0});
}

static int follow(struct adding *adding, const struct str_pair *change, struct error *err)
{
    struct group_record record;
    bool known = change->value.p != NULL && group_record_read(*change, &record); /* else loading it will say so */
    if (known && !record.timed) {
        note_old(adding, record.rule_hash);
        return 0;
    }
    TRY(look_before(adding, change, err));
    bool has = known && group_timer_of(adding->timers->task, &record, &adding->key);
    if (adding->before.len > 0 && !(has && str_eq(buf_str(&adding->before), buf_str(&adding->key))))
        add(adding, &adding->before, (struct str){NULL, 0});
    if (has)
        add(adding, &adding->key, (struct str){"", 0});
    return 0;
}

int restored_timers_add(const struct restored_timers *timers, struct str_pair *entries, size_t *count,
                        struct error *err)
{
    const struct str_pair **changes = mem_alloc((*count + 1) * sizeof(struct str_pair *));
    struct adding adding = {.timers = timers, .entries = entries, .count = *count};
    size_t n = 0;
    int result = 0;
    for (size_t i = 0; i < *count; i++)
        if (entries[i].key.n > 2 && entries[i].key.p[2] == STATE_GROUP)
            changes[n++] = &entries[i];
    qsort(changes, n, sizeof *changes, by_key);
    for (size_t i = 0; i < n && result == 0; i++)
        if (i + 1 == n || !str_eq(changes[i]->key, changes[i + 1]->key)) /* else a later one replaces it */
            result = follow(&adding, changes[i], err);
    *count = adding.count;
    free((void *)changes);
    buf_fini(&adding.value);
    buf_fini(&adding.key);
    buf_fini(&adding.before);
    return result;
}
