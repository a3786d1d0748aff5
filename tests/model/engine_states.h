/* Two stores compared, key by key, where both hold the state as of the same time. */
#ifndef FORESTALL_TESTS_ENGINE_STATES_H
#define FORESTALL_TESTS_ENGINE_STATES_H

#include "detect/group_timer.h"
#include "engine_lives.h"

struct states {
    const struct ruleset *rules; /* what others have in the state is passed over */
    int64_t applied_ms;
    int task; /* of this one alone; -1: of all */
};

struct side {
    const struct states *states;
    struct store *store;
    struct store_iterator *iterator;
    struct str key;
    struct str value;
    struct buf normal; /* the value, where two writings of it mean the same */
};

static const struct rule *rule_of_key(const struct ruleset *rules, struct str key)
{
    struct reader r = reader_of(key.p + 3, key.n - 3);
    uint64_t hash = read_u64(&r);
    for (size_t i = 0; i < rules->all_count; i++)
        if (rules->rules[i].hash == hash)
            return &rules->rules[i];
    return NULL;
}

/* What the engine knows of its own times and rules depends on how it is run; all else is compared. */
static bool is_compared(const struct states *states, struct str key)
{
    enum state_kind kind = (enum state_kind)key.p[2];
    return kind != STATE_META && kind != STATE_TIMER &&
           (kind == STATE_ROW || kind == STATE_ROW_EXPIRY || rule_of_key(states->rules, key) != NULL);
}

/* A timer that time alone has moved on is not written. */
static void normalise(struct side *side)
{
    struct reader r = reader_of(side->value.p, side->value.n);
    buf_reset(&side->normal);
    buf_text(&side->normal, read_text(&r));
    int64_t timer_ms = read_zigzag(&r);
    buf_zigzag(&side->normal,
               group_timer_at(rule_of_key(side->states->rules, side->key), timer_ms, side->states->applied_ms));
    buf_zigzag(&side->normal, read_zigzag(&r));
    (void)read_zigzag(&r); /* the last window that was evaluated, likewise */
    buf_put(&side->normal, r.p, reader_left(&r));
    side->value = buf_str(&side->normal);
}

static bool side_next(struct side *side)
{
    struct error err;
    do {
        if (side->store->ops->next(side->iterator, &side->key, &side->value, &err) != 0)
            return false;
    } while (!is_compared(side->states, side->key));
    if (side->key.p[2] == STATE_GROUP)
        normalise(side);
    return true;
}

static void state_fails(const struct side *side, const char *how)
{
    struct buf text = {0};
    for (size_t i = 0; i < side->key.n; i++)
        buf_printf(&text, "%02x", (unsigned char)side->key.p[i]);
    buf_puts(&text, " = ");
    for (size_t i = 0; i < side->value.n; i++)
        buf_printf(&text, "%02x", (unsigned char)side->value.p[i]);
    const struct rule *rule = rule_of_key(side->states->rules, side->key);
    struct str id = rule == NULL ? STR_LIT("-") : rule->id;
    fail_msg("%s: kind '%c', rule %.*s, %.*s", how, side->key.p[2], STR_ARG(id), STR_ARG(buf_str(&text)));
}

/* Each group's timer has an entry where its record says. */
static void check_timers(struct store *store)
{
    struct store_iterator *iterator = store->ops->scan(store, (struct str){0}, (struct str){0});
    struct buf key = {0};
    struct buf value = {0};
    struct group_record record;
    struct str_pair entry;
    struct error err;
    while (store->ops->next(iterator, &entry.key, &entry.value, &err) == 0) {
        struct reader r = reader_of(entry.key.p, entry.key.n);
        int task = read_u16(&r);
        if (read_byte(&r) != STATE_GROUP)
            continue;
        assert_true(group_record_read(entry, &record));
        assert_true(!record.timed || record.armed_ms <= record.timer_ms);
        if (record.timed && group_timer_of(task, &record, &key))
            assert_int_equal(store->ops->get(store, buf_str(&key), &value, &err), 0);
    }
    store->ops->scan_end(iterator);
    buf_fini(&key);
    buf_fini(&value);
}

static void compare_states(const struct states *states, struct store *expected, struct store *actual)
{
    struct side sides[2] = {{.states = states, .store = expected}, {.states = states, .store = actual}};
    struct buf from = {0};
    struct buf to = {0};
    if (states->task >= 0) {
        buf_u16(&from, (uint16_t)states->task);
        buf_u16(&to, (uint16_t)(states->task + 1));
    }
    for (size_t i = 0; i < 2; i++)
        sides[i].iterator = sides[i].store->ops->scan(sides[i].store, buf_str(&from), buf_str(&to));
    for (;;) {
        bool left = side_next(&sides[0]);
        bool right = side_next(&sides[1]);
        int order = !left && !right ? 0 : !left ? 1 : !right ? -1 : str_cmp(sides[0].key, sides[1].key);
        if (order < 0)
            state_fails(&sides[0], "missing");
        if (order > 0)
            state_fails(&sides[1], "not expected");
        if (!left)
            break;
        if (!str_eq(sides[0].value, sides[1].value)) {
            print_message("expected %zu bytes, ", sides[0].value.n);
            for (size_t i = 0; i < sides[0].value.n; i++)
                print_message("%02x", (unsigned char)sides[0].value.p[i]);
            print_message("\n");
            state_fails(&sides[1], "other");
        }
    }
    for (size_t i = 0; i < 2; i++) {
        sides[i].store->ops->scan_end(sides[i].iterator);
        buf_fini(&sides[i].normal);
    }
    buf_fini(&from);
    buf_fini(&to);
}

#endif
