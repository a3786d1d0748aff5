/* One lock, held for moments; who writes is counted, and who claims waits for it. */
#include "engine/claims.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

struct claim {
    int holder;
    int writers; /* between begin and end */
};

struct claims {
    pthread_mutex_t lock;
    pthread_cond_t ended; /* somebody has written */
    int count;
    struct claim *tasks;
};

struct claims *claims_new(int tasks)
{
    struct claims *claims = mem_zalloc(sizeof *claims);
    (void)pthread_mutex_init(&claims->lock, NULL);
    (void)pthread_cond_init(&claims->ended, NULL);
    claims->count = tasks;
    claims->tasks = mem_zalloc((size_t)tasks * sizeof *claims->tasks);
    for (int task = 0; task < tasks; task++)
        claims->tasks[task].holder = CLAIMS_NOBODY;
    return claims;
}

void claims_free(struct claims *claims)
{
    if (claims == NULL)
        return;
    (void)pthread_cond_destroy(&claims->ended);
    (void)pthread_mutex_destroy(&claims->lock);
    free(claims->tasks);
    free(claims);
}

void claims_set(struct claims *claims, int worker, const bool *owned)
{
    (void)pthread_mutex_lock(&claims->lock);
    for (int task = 0; task < claims->count; task++) {
        struct claim *claim = &claims->tasks[task];
        if (owned[task])
            claim->holder = worker;
        else if (claim->holder == worker)
            claim->holder = CLAIMS_NOBODY;
    }
    for (int task = 0; task < claims->count; task++)
        while (owned[task] && claims->tasks[task].writers > 0)
            (void)pthread_cond_wait(&claims->ended, &claims->lock);
    (void)pthread_mutex_unlock(&claims->lock);
}

bool claims_taken(struct claims *claims, int task)
{
    (void)pthread_mutex_lock(&claims->lock);
    bool taken = claims->tasks[task].holder != CLAIMS_NOBODY;
    (void)pthread_mutex_unlock(&claims->lock);
    return taken;
}

bool claims_begin(struct claims *claims, int task, int worker)
{
    (void)pthread_mutex_lock(&claims->lock);
    bool may = claims->tasks[task].holder == worker;
    claims->tasks[task].writers += may;
    (void)pthread_mutex_unlock(&claims->lock);
    return may;
}

void claims_end(struct claims *claims, int task)
{
    (void)pthread_mutex_lock(&claims->lock);
    ASSERT(claims->tasks[task].writers > 0);
    claims->tasks[task].writers--;
    (void)pthread_cond_broadcast(&claims->ended);
    (void)pthread_mutex_unlock(&claims->lock);
}
