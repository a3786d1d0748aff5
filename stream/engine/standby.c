/* The copying thread.
 *
 *     every few seconds    the group's members say who drives what, and so what is to be followed here
 *     every second         the tasks' committed positions say up to where; what is missing is copied
 *
 * Whoever drives a task commits its position with the end of its changelog, so a copy up to there is the state as of a
 * commit.
 */
#include "engine/standby.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/commit_kafka.h"
#include "engine/standby_choice.h"
#include "io/kafka_group.h"

enum {
    ROUND_MS = 1000,
    LOOK_EVERY_US = 3 * 1000 * 1000,
    RENEW_EVERY_US = 10 * 60 * 1000 * 1000, /* a copy of what does not change is not to grow old */
    TELL_EVERY_US = 60 * 1000 * 1000,
    AGAIN_MS = 5000,
    ASK_MS = 3000,
    QUEUE_KIB = 4 << 10,
    RATE_BYTES = 16 << 20, /* a second */
};

/* One task, as the thread knows it. */
struct copy {
    bool followed;
    bool refused;       /* its copy cannot be kept; said once */
    int64_t reached;    /* the copy is there; -1: not known */
    int64_t reached_us; /* since then */
};

struct standby {
    struct standby_options options;
    struct restore_way way;
    char *group;
    char *changelog;
    char *exchange;
    struct copy copies[COMMIT_TASKS_MAX];
    struct arena arena; /* of a round */
    bool looked;        /* the group has answered once */
    int64_t looked_us;
    int64_t told_us; /* of trouble */
    bool behind;     /* since the last line that says that all copies are there */
    int64_t records; /* copied since then */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stop;
};

/* The group's members, as they are looked up. */
struct membership {
    struct arena *arena;
    struct str exchange;
    struct str *instances;
    size_t count;
    size_t cap;
    struct str now; /* the instance whose tasks are visited */
    int tasks;
    struct str drivers[COMMIT_TASKS_MAX]; /* n 0: nobody */
};

/* Waits; true: it is time to stop. */
static bool pause_us(struct standby *standby, int64_t us)
{
    struct timespec until;
    int64_t at_us = clock_mono_us() + us;
    until = (struct timespec){at_us / 1000000, at_us % 1000000 * 1000};
    (void)pthread_mutex_lock(&standby->lock);
    while (!standby->stop && clock_mono_us() < at_us)
        (void)pthread_cond_timedwait(&standby->stopped, &standby->lock, &until);
    bool stop = standby->stop;
    (void)pthread_mutex_unlock(&standby->lock);
    return stop;
}

static bool stop_wanted(struct standby *standby)
{
    return pause_us(standby, 0);
}

static int look_up(void *context, struct error *err)
{
    return stop_wanted(context) ? error_set(err, ERROR_ABORT, "stopped") : 0;
}

static void take_time(void *context, size_t bytes)
{
    failpoint("standby_after_write");
    (void)pause_us(context, (int64_t)bytes * 1000000 / RATE_BYTES);
}

static void drives(void *context, int32_t task)
{
    struct membership *membership = context;
    if (task >= 0 && task < membership->tasks)
        membership->drivers[task] = membership->now;
}

/* Workers of one instance are its id, '-' and a number, but for the first. */
static void member_seen(void *context, const struct kafka_group_member *member)
{
    struct membership *membership = context;
    struct str id = member->instance_id;
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] == '-')
            id.n = i;
    if (id.n == 0)
        return;
    size_t at = 0;
    while (at < membership->count && !str_eq(membership->instances[at], id))
        at++;
    if (at == membership->count) {
        membership->instances =
            mem_grow(membership->instances, membership->count, &membership->cap, sizeof *membership->instances);
        membership->instances[membership->count++] = arena_str(membership->arena, id);
    }
    membership->now = membership->instances[at];
    kafka_group_assigned(member, membership->exchange, drives, membership);
}

/* What is followed from now on, and a line about it where that is something else than before. */
static void choose(struct standby *standby, const struct membership *membership)
{
    bool changed = false;
    struct buf text = {0};
    for (int task = 0; task < membership->tasks; task++) {
        struct copy *copy = &standby->copies[task];
        bool chosen = standby_chosen(&(struct standby_choice){.instances = membership->instances,
                                                              .count = membership->count,
                                                              .self = str_of(standby->options.instance_id),
                                                              .driver = membership->drivers[task],
                                                              .task = task,
                                                              .replicas = standby->options.config->standby_replicas});
        changed = changed || chosen != copy->followed;
        copy->followed = chosen;
        if (chosen)
            buf_printf(&text, "%s%d", text.len > 0 ? "," : "", task);
    }
    if (changed)
        log_info("standby: keeping copies", LOG_T("tasks", buf_str(&text)), LOG_I("instances", membership->count));
    standby->behind = standby->behind || changed;
    buf_fini(&text);
}

/* While the group is at it nothing changes here. Where its coordinator says nothing, what was chosen before is copied
 * on, since that is when a copy is needed; only before the first choice there is nothing to go on with. */
static int look(struct standby *standby, struct error *err)
{
    struct membership membership = {
        .arena = &standby->arena, .exchange = str_of(standby->exchange), .tasks = standby->options.config->tasks};
    rd_kafka_resp_err_t code =
        kafka_group_members(kafka_log_client(standby->way.log), standby->group, ASK_MS, member_seen, &membership);
    bool answered = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    bool all = answered;
    for (int task = 0; task < membership.tasks; task++)
        all = all && membership.drivers[task].n > 0;
    if (all)
        choose(standby, &membership);
    free(membership.instances);
    standby->looked = standby->looked || answered;
    return standby->looked ? 0 : kafka_failed(err, code, "the members of group %s", standby->group);
}

static bool is_wanted(const struct standby *standby, int task)
{
    const struct copy *copy = &standby->copies[task];
    return copy->followed && !copy->refused && !claims_taken(standby->options.claims, task);
}

/* The committed positions of the tasks that are wanted; of others, and of those without one, `next` is -1. */
static int positions_ask(struct standby *standby, struct commit_task *tasks, struct error *err)
{
    struct kafka_committed asked[COMMIT_TASKS_MAX];
    size_t n = 0;
    for (int task = 0; task < standby->options.config->tasks; task++) {
        tasks[task] = (struct commit_task){.next = -1};
        if (is_wanted(standby, task))
            asked[n++] = (struct kafka_committed){.topic = standby->exchange, .partition = task};
    }
    if (n == 0)
        return 0;
    rd_kafka_resp_err_t code =
        kafka_group_committed(kafka_log_client(standby->way.log), asked, n, ASK_MS, &standby->arena);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(err, code, "the committed positions of group %s", standby->group);
    for (size_t i = 0; i < n; i++) {
        struct commit_position ignored;
        if (asked[i].offset >= 0)
            TRY(commit_task_parse(asked[i].metadata, &tasks[asked[i].partition], &ignored, err));
    }
    return 0;
}

/* Brings one copy up to where the task was committed. */
static int copy_task(struct standby *standby, int task, const struct commit_task *to, struct error *err)
{
    struct copy *copy = &standby->copies[task];
    struct restore_outcome outcome;
    int64_t now_us = clock_mono_us();
    if (copy->reached == to->next && now_us - copy->reached_us < RENEW_EVERY_US)
        return 0;
    copy->reached = -1;
    TRY(restore_task(&standby->way, task, to, &outcome, err));
    copy->reached = to->next;
    copy->reached_us = now_us;
    standby->records += outcome.records;
    log_debug("standby: copied", LOG_I("task", task), LOG_I("records", outcome.records), LOG_I("next", to->next));
    return 0;
}

/* What cannot be mended by trying again is left alone until the next start. */
static int copy_failed(struct standby *standby, int task, const struct error *err)
{
    if (err->class == ERROR_ABORT)
        return stop_wanted(standby) ? -1 : 0; /* a worker has the task */
    if (err->class == ERROR_RETRY)
        return -1;
    log_warn("standby: a copy is not kept until the next start", LOG_I("task", task), LOG_S("reason", err->message));
    standby->copies[task].refused = true;
    return 0;
}

static int copy_all(struct standby *standby, struct error *err)
{
    struct commit_task tasks[COMMIT_TASKS_MAX];
    int copies = 0;
    arena_reset(&standby->arena);
    if (clock_mono_us() - standby->looked_us > LOOK_EVERY_US) {
        TRY(look(standby, err));
        standby->looked_us = clock_mono_us();
    }
    TRY(positions_ask(standby, tasks, err));
    for (int task = 0; task < standby->options.config->tasks; task++) {
        if (!is_wanted(standby, task))
            standby->copies[task].reached = -1;
        if (tasks[task].next < 0 || !is_wanted(standby, task))
            continue;
        if (copy_task(standby, task, &tasks[task], err) != 0)
            TRY(copy_failed(standby, task, err));
        copies++;
    }
    if (standby->behind && copies > 0) {
        log_info("standby: copies are up to date", LOG_I("tasks", copies), LOG_I("records", standby->records));
        standby->behind = false;
        standby->records = 0;
    }
    return 0;
}

static void *follow(void *context)
{
    struct standby *standby = context;
    int pause_ms = 0;
    while (!pause_us(standby, pause_ms * INT64_C(1000))) {
        struct error err = {0};
        pause_ms = ROUND_MS;
        if (copy_all(standby, &err) == 0 || stop_wanted(standby))
            continue;
        pause_ms = AGAIN_MS;
        standby->behind = true;
        if (standby->told_us != 0 && clock_mono_us() - standby->told_us < TELL_EVERY_US)
            continue;
        standby->told_us = clock_mono_us();
        log_warn("standby: copying is held up", LOG_S("reason", err.message));
    }
    return NULL;
}

static char *name_make(const struct config *config, const char *end)
{
    struct buf name = {0};
    buf_printf(&name, "%.*s%s", STR_ARG(config->application_id), end);
    char *text = mem_strdup(buf_str(&name));
    buf_fini(&name);
    return text;
}

static void standby_free(struct standby *standby)
{
    kafka_log_close(standby->way.log);
    (void)pthread_cond_destroy(&standby->stopped);
    (void)pthread_mutex_destroy(&standby->lock);
    arena_fini(&standby->arena);
    free(standby->group);
    free(standby->changelog);
    free(standby->exchange);
    free(standby);
}

static void wait_init(struct standby *standby)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&standby->lock, NULL);
    (void)pthread_cond_init(&standby->stopped, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

int standby_open(struct standby **out, const struct standby_options *options, struct error *err)
{
    const struct config *config = options->config;
    struct standby *standby = mem_zalloc(sizeof *standby);
    standby->options = *options;
    standby->group = name_make(config, "");
    standby->changelog = name_make(config, "-changelog");
    standby->exchange = name_make(config, "-exchange");
    wait_init(standby);
    for (int task = 0; task < COMMIT_TASKS_MAX; task++)
        standby->copies[task].reached = -1;
    standby->looked_us = INT64_MIN / 2;
    standby->way = (struct restore_way){.config = config,
                                        .changelog = standby->changelog,
                                        .store = options->store,
                                        .claims = options->claims,
                                        .worker = CLAIMS_NOBODY,
                                        .meanwhile = look_up,
                                        .wrote = take_time,
                                        .context = standby};
    const struct kafka_log_options log = {.properties = config->kafka,
                                          .property_count = config->kafka_count,
                                          .group_id = standby->group,
                                          .queue_kib = QUEUE_KIB};
    int result = kafka_log_open(&standby->way.log, &log, err);
    if (result == 0 && pthread_create(&standby->thread, NULL, follow, standby) != 0)
        result = error_set(err, ERROR_FATAL, "the system gives no threads");
    if (result != 0) {
        standby_free(standby);
        return -1;
    }
    *out = standby;
    return 0;
}

void standby_close(struct standby *standby)
{
    if (standby == NULL)
        return;
    (void)pthread_mutex_lock(&standby->lock);
    standby->stop = true;
    (void)pthread_cond_broadcast(&standby->stopped);
    (void)pthread_mutex_unlock(&standby->lock);
    (void)pthread_join(standby->thread, NULL);
    standby_free(standby);
}
