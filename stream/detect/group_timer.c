/* See group_timer.h. */
#include "detect/group_timer.h"

void group_timer_prefix(struct buf *out, int task, uint64_t rule_hash)
{
    state_key(out, task, STATE_TIMER);
    buf_u64(out, rule_hash);
}

void group_timer_key(struct buf *out, const struct group_timer *timer)
{
    group_timer_prefix(out, timer->task, timer->rule_hash);
    buf_i64_sorted(out, timer->time_ms);
    buf_u64(out, timer->hash);
}

bool group_timer_read(struct str key, struct group_timer *timer)
{
    struct reader k = reader_of(key.p, key.n);
    timer->task = read_u16(&k);
    bool is_timer = read_byte(&k) == STATE_TIMER;
    timer->rule_hash = read_u64(&k);
    timer->time_ms = read_i64_sorted(&k);
    timer->hash = read_u64(&k);
    return is_timer && !k.failed && reader_left(&k) == 0;
}

bool group_timer_of(int task, const struct group_record *record, struct buf *key)
{
    if (record->armed_ms == INT64_MAX)
        return false;
    group_timer_key(key, &(struct group_timer){task, record->rule_hash, record->armed_ms, record->hash});
    return true;
}

static void entry_key(const struct group *group, struct buf *key)
{
    group_timer_key(key, &(struct group_timer){group->task, group->rule->hash, group->armed_ms, group->hash});
}

void group_timer_drop(struct group *group, struct state *state)
{
    struct buf key = {0};
    if (group->armed_ms != INT64_MAX && !group_is_walked(group->rule)) {
        entry_key(group, &key);
        state_del(state, buf_str(&key));
    }
    group->armed_ms = INT64_MAX;
    group->fired = group->armed_anew = false;
    buf_fini(&key);
}

void group_timer_move(struct group *group, struct state *state)
{
    struct buf key = {0};
    if (!group->fired && group->timer_ms >= group->armed_ms)
        return;
    group_timer_drop(group, state);
    group->armed_ms = group->timer_ms;
    group->armed_anew = group->armed_ms != INT64_MAX;
    if (group->armed_anew) {
        entry_key(group, &key);
        state_put(state, buf_str(&key), (struct str){"", 0});
    }
    buf_fini(&key);
}
