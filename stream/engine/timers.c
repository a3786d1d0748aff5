/* The heads of the timers. See timers.h. */
#include "engine/timers.h"

#include <stdlib.h>

#include "detect/detector.h"
#include "detect/group_timer.h"
#include "engine/old_timers.h"

enum { READ_MAX = 4096 };

static const char damage[] =
    "the state is damaged: stop, delete the state directory and start: it is restored from the changelog";

/* The timers of one rule and task before its bound are in the inbox. */
struct head {
    int64_t time_ms; /* the bound; INT64_MAX: all are */
    uint64_t hash;
    bool cut; /* in cut(): the bound has come nearer */
};

struct timers {
    struct timers_options options;
    struct head *heads;                  /* by rule, and task of its own */
    size_t read_max;                     /* entries of one reading */
    size_t waiting[RULE_LEVELS_MAX + 2]; /* in the inbox, by stage */
    size_t waiting_all;
    size_t cut_at; /* when so many wait some of them leave */
    struct buf key;
};

static size_t own_tasks(const struct timers *timers)
{
    return (size_t)(timers->options.tasks.end - timers->options.tasks.first);
}

struct timers *timers_new(const struct timers_options *options)
{
    struct timers *timers = mem_zalloc(sizeof *timers);
    timers->options = *options;
    size_t timed = 0;
    for (size_t i = 0; i < options->rules->all_count; i++)
        timed += !group_is_walked(&options->rules->rules[i]);
    timers->read_max = options->waiting_max / 2 / (timed * own_tasks(timers) + 1) + 1;
    if (timers->read_max > READ_MAX)
        timers->read_max = READ_MAX;
    timers->heads = mem_zalloc((options->rules->all_count * own_tasks(timers) + 1) * sizeof *timers->heads);
    return timers;
}

void timers_free(struct timers *timers)
{
    free(timers->heads);
    buf_fini(&timers->key);
    free(timers);
}

static struct head *head_of(const struct timers *timers, int rule, int task)
{
    return &timers->heads[(size_t)rule * own_tasks(timers) + (size_t)(task - timers->options.tasks.first)];
}

static int task_of(const struct timers *timers, uint64_t hash)
{
    return group_task(hash, timers->options.tasks.count);
}

static bool is_within(const struct head *head, int64_t time_ms, uint64_t hash)
{
    return time_ms != head->time_ms ? time_ms < head->time_ms : hash < head->hash;
}

static void wait_for(struct timers *timers, int64_t time_ms, int rule, uint64_t hash)
{
    const struct rule *of = &timers->options.rules->rules[rule];
    enum pending_kind kind = detector_of(of)->deadline ? PENDING_DEADLINE : PENDING_WINDOW_CLOSE;
    inbox_timer(timers->options.inbox, time_ms, kind, rule, hash);
    timers->waiting[of->stage]++;
    timers->waiting_all++;
}

static bool is_group_timer(const struct timers *timers, const struct pending_item *item)
{
    return item->kind == PENDING_DEADLINE ||
           (item->kind == PENDING_WINDOW_CLOSE && !group_is_walked(&timers->options.rules->rules[item->rule]));
}

/* One stage's items, in order: the first `stay` remain. */
struct cutting {
    struct timers *timers;
    size_t stay;
    size_t stayed;
    size_t left;
};

static bool stays(void *context, const struct pending_item *item)
{
    struct cutting *cutting = context;
    if (!is_group_timer(cutting->timers, item))
        return true;
    if (cutting->stayed < cutting->stay) {
        cutting->stayed++;
        return true;
    }
    struct head *head = head_of(cutting->timers, item->rule, task_of(cutting->timers, item->group));
    head->cut = true;
    if (is_within(head, item->time_ms, item->group)) {
        head->time_ms = item->time_ms;
        head->hash = item->group;
    }
    cutting->left++;
    return false;
}

/* The later half leaves the inbox: entries of the state say the same. O(n log n), but not before as many have come. */
static void cut(struct timers *timers)
{
    for (size_t stage = 0; stage < inbox_stages(timers->options.rules); stage++) {
        struct cutting cutting = {.timers = timers, .stay = timers->waiting[stage] / 2};
        if (timers->waiting[stage] == 0)
            continue;
        inbox_sift_timers(timers->options.inbox, stage, stays, &cutting);
        timers->waiting[stage] -= cutting.left;
        timers->waiting_all -= cutting.left;
    }
    for (size_t rule = 0; rule < timers->options.rules->all_count; rule++)
        for (int task = timers->options.tasks.first; task < timers->options.tasks.end; task++) {
            struct head *head = head_of(timers, (int)rule, task);
            if (head->cut)
                wait_for(timers, head->time_ms, (int)rule, head->hash);
            head->cut = false;
        }
}

static void bound(struct timers *timers)
{
    if (timers->waiting_all <= timers->cut_at)
        return;
    cut(timers);
    timers->cut_at = timers->waiting_all * 2;
    if (timers->cut_at < timers->options.waiting_max)
        timers->cut_at = timers->options.waiting_max;
}

/* Goes on from the head's bound. */
static int read_on(struct timers *timers, int rule, int task, struct error *err)
{
    struct head *head = head_of(timers, rule, task);
    struct state_cursor *cursor = state_cursor(timers->options.state, STATE_TIMER);
    struct group_timer timer = {task, timers->options.rules->rules[rule].hash, head->time_ms, head->hash};
    struct str_pair entry;
    group_timer_key(&timers->key, &timer);
    size_t prefix = timers->key.len - sizeof timer.time_ms - sizeof timer.hash;
    int result = state_cursor_seek(cursor, buf_str(&timers->key), &entry, err);
    *head = (struct head){.time_ms = INT64_MAX};
    for (size_t n = 0; result == 0 && str_starts(entry.key, (struct str){timers->key.p, prefix}); n++) {
        if (!group_timer_read(entry.key, &timer))
            return error_set(err, ERROR_FATAL, damage);
        wait_for(timers, timer.time_ms, rule, timer.hash);
        if (n == timers->read_max) {
            *head = (struct head){.time_ms = timer.time_ms, .hash = timer.hash};
            break;
        }
        result = state_cursor_next(cursor, &entry, err);
    }
    return result < 0 ? -1 : 0;
}

int timers_restore(struct timers *timers, struct error *err)
{
    const struct ruleset *rules = timers->options.rules;
    memset(timers->waiting, 0, sizeof timers->waiting);
    timers->waiting_all = 0;
    timers->cut_at = timers->options.waiting_max;
    TRY(old_timers_make(timers->options.state, rules, timers->options.tasks, err));
    for (size_t rule = 0; rule < rules->all_count; rule++)
        for (int task = timers->options.tasks.first; task < timers->options.tasks.end; task++) {
            *head_of(timers, (int)rule, task) = (struct head){.time_ms = INT64_MIN};
            if (!group_is_walked(&rules->rules[rule]))
                TRY(read_on(timers, (int)rule, task, err));
        }
    bound(timers);
    return 0;
}

void timers_arm(struct timers *timers, struct group *group)
{
    bool anew = group->armed_anew;
    group->armed_anew = false;
    if (!anew || !is_within(head_of(timers, group->rule_number, group->task), group->armed_ms, group->hash))
        return;
    wait_for(timers, group->armed_ms, group->rule_number, group->hash);
    bound(timers);
}

int timers_take(struct timers *timers, const struct pending_item *item, bool *due, struct error *err)
{
    int task = task_of(timers, item->group);
    timers->waiting[item->stage]--;
    timers->waiting_all--;
    *due = is_within(head_of(timers, item->rule, task), item->time_ms, item->group);
    if (*due)
        return 0;
    TRY(read_on(timers, item->rule, task, err));
    bound(timers);
    return 0;
}

void timers_drop(struct timers *timers, const struct pending_item *item)
{
    const struct group_timer timer = {task_of(timers, item->group), timers->options.rules->rules[item->rule].hash,
                                      item->time_ms, item->group};
    group_timer_key(&timers->key, &timer);
    state_del(timers->options.state, buf_str(&timers->key));
}

size_t timers_waiting(const struct timers *timers)
{
    return timers->waiting_all;
}
