#define _GNU_SOURCE /* CPU sets, gettid; NOLINT(bugprone-reserved-identifier) */
#include "io/kafka_cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

/* A client of more brokers leaves the rest of them where they are. */
enum { THREADS_MAX = 64 };
enum { TOGETHER_US = 1000000, FREE_US = 20000 };

struct kafka_cpu {
    pthread_mutex_t lock;
    int threads[THREADS_MAX];
    size_t count;
    /* The leader's: */
    cpu_set_t allowed; /* as it started */
    bool usable;
    bool free;
    int64_t next_us; /* when that changes; 0: it has not begun */
};

static rd_kafka_resp_err_t thread_started(rd_kafka_t *client, rd_kafka_thread_type_t type, const char *name,
                                          void *context)
{
    (void)client;
    (void)name;
    struct kafka_cpu *cpu = context;
    (void)pthread_mutex_lock(&cpu->lock);
    if (type == RD_KAFKA_THREAD_BROKER && cpu->count < THREADS_MAX)
        cpu->threads[cpu->count++] = (int)gettid();
    (void)pthread_mutex_unlock(&cpu->lock);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t thread_ends(rd_kafka_t *client, rd_kafka_thread_type_t type, const char *name, void *context)
{
    (void)client;
    (void)type;
    (void)name;
    struct kafka_cpu *cpu = context;
    int thread = (int)gettid();
    (void)pthread_mutex_lock(&cpu->lock);
    for (size_t i = 0; i < cpu->count; i++)
        if (cpu->threads[i] == thread)
            cpu->threads[i--] = cpu->threads[--cpu->count];
    (void)pthread_mutex_unlock(&cpu->lock);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t client_made(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *context, char *text,
                                       size_t size)
{
    (void)conf;
    (void)text;
    (void)size;
    (void)rd_kafka_interceptor_add_on_thread_start(client, "cpu", thread_started, context);
    (void)rd_kafka_interceptor_add_on_thread_exit(client, "cpu", thread_ends, context);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

struct kafka_cpu *kafka_cpu_new(void)
{
    struct kafka_cpu *cpu = mem_zalloc(sizeof *cpu);
    (void)pthread_mutex_init(&cpu->lock, NULL);
    return cpu;
}

void kafka_cpu_free(struct kafka_cpu *cpu)
{
    if (cpu == NULL)
        return;
    ASSERT(cpu->count == 0);
    (void)pthread_mutex_destroy(&cpu->lock);
    free(cpu);
}

void kafka_cpu_watch(struct kafka_cpu *cpu, rd_kafka_conf_t *conf)
{
    (void)rd_kafka_conf_interceptor_add_on_new(conf, "cpu", client_made, cpu);
}

/* All where the leader is now. */
static void together(struct kafka_cpu *cpu)
{
    cpu_set_t set;
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)here, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
    (void)pthread_mutex_lock(&cpu->lock);
    for (size_t i = 0; i < cpu->count; i++)
        (void)sched_setaffinity(cpu->threads[i], sizeof set, &set);
    (void)pthread_mutex_unlock(&cpu->lock);
}

void kafka_cpu_lead(struct kafka_cpu *cpu)
{
    int64_t now_us = clock_mono_us();
    if (now_us < cpu->next_us)
        return;
    if (cpu->next_us == 0)
        cpu->usable = sched_getaffinity(0, sizeof cpu->allowed, &cpu->allowed) == 0 && CPU_COUNT(&cpu->allowed) > 1;
    if (cpu->free)
        together(cpu);
    else if (cpu->usable)
        (void)sched_setaffinity(0, sizeof cpu->allowed, &cpu->allowed);
    cpu->free = !cpu->free && cpu->usable;
    cpu->next_us = now_us + (cpu->free ? FREE_US : TOGETHER_US);
}
