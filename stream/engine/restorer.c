/* The restoring thread. */
#include "engine/restorer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_log.h"

struct restorer {
    struct restore_way way; /* with a log of its own */
    pthread_t thread;
    bool wanted[COMMIT_TASKS_MAX];
    struct commit_task to[COMMIT_TASKS_MAX];
    atomic_bool ready[COMMIT_TASKS_MAX];
    atomic_bool stop;
    atomic_bool failed; /* then `err` says why, and is not written any more */
    struct error err;
};

static int look_up(void *context, struct error *err)
{
    struct restorer *restorer = context;
    return atomic_load(&restorer->stop) ? error_set(err, ERROR_ABORT, "stopped") : 0;
}

static void *restore_all(void *context)
{
    struct restorer *restorer = context;
    int64_t begun_us = clock_mono_us();
    int count = 0;
    engine_log_worker(restorer->way.config, restorer->way.worker);
    for (int task = 0; task < COMMIT_TASKS_MAX; task++) {
        if (!restorer->wanted[task])
            continue;
        if (restore_task_told(&restorer->way, task, &restorer->to[task], &restorer->err) != 0) {
            atomic_store(&restorer->failed, !atomic_load(&restorer->stop));
            return NULL;
        }
        atomic_store(&restorer->ready[task], true);
        count++;
    }
    log_info("all tasks are restored", LOG_I("tasks", count), LOG_I("ms", (clock_mono_us() - begun_us) / 1000));
    return NULL;
}

int restorer_start(struct restorer **out, const struct restore_way *way, const struct commit_task *tasks,
                   struct error *err)
{
    struct restorer *restorer = mem_zalloc(sizeof *restorer);
    const struct kafka_log_options options = commit_log_options(way->config);
    restorer->way = *way;
    restorer->way.meanwhile = look_up;
    restorer->way.context = restorer;
    restorer->way.log = NULL;
    for (int task = 0; task < COMMIT_TASKS_MAX; task++) {
        restorer->wanted[task] = tasks[task].owned && !tasks[task].ready;
        restorer->to[task] = tasks[task];
    }
    int result = kafka_log_open(&restorer->way.log, &options, err);
    if (result == 0 && pthread_create(&restorer->thread, NULL, restore_all, restorer) != 0)
        result = error_set(err, ERROR_FATAL, "the system gives no threads");
    if (result != 0) {
        kafka_log_close(restorer->way.log);
        free(restorer);
        return -1;
    }
    *out = restorer;
    return 0;
}

int restorer_ready(struct restorer *restorer, int task, bool *ready, struct error *err)
{
    if (atomic_load(&restorer->failed)) {
        *err = restorer->err;
        return -1;
    }
    *ready = atomic_load(&restorer->ready[task]);
    return 0;
}

void restorer_stop(struct restorer *restorer)
{
    if (restorer == NULL)
        return;
    atomic_store(&restorer->stop, true);
    (void)pthread_join(restorer->thread, NULL);
    kafka_log_close(restorer->way.log);
    free(restorer);
}
