/* See kafka_fetch.h. Two descriptors wake: the thread when a queue is not empty any more or room was made, the worker
 * when a batch is full. Each side says that it is about to sleep, looks once more, and sleeps. */
#include "io/kafka_fetch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/kafka_cpu.h"

enum batch_state { BATCH_EMPTY, BATCH_FULL, BATCH_USED };
enum { SLEEP_MS = 100 };

enum { EVENT_BYTES = 100, BATCH_MIN = 64 };
enum { ANSWER_BYTES_MIN = 64 << 10, ANSWER_BYTES_MAX = 1 << 20, MESSAGES_MIN = 2000 /* of the longest answer */ };

struct fetch_place {
    atomic_int state;
    struct kafka_batch *batch; /* NULL where it is empty */
};

struct fetch_ring {
    rd_kafka_queue_t *queue; /* NULL: not started */
    struct fetch_place places[FETCH_BATCHES];
    unsigned fill; /* the thread's: the next to be filled, and to be freed */
    unsigned drop;
    unsigned take; /* the worker's: the next to be read, and to be given back */
    unsigned give;
    bool hungry;          /* the worker's: since its last wait it took what there was, and would take more */
    size_t message_bytes; /* of the last batch's messages, on average; 0: none yet */
};

struct kafka_fetch {
    struct fetch_ring *rings;
    size_t count;
    pthread_t thread;
    bool running;
    pthread_mutex_t between; /* held while a partition is looked at, started or stopped */
    /* Under `between`: batches that nobody has, how many somebody has, and how many those should be. */
    struct kafka_batch *pool;
    size_t lent;
    size_t lent_max;
    size_t batch_max; /* messages */
    int wake_fd;      /* the thread's */
    int ready_fd;     /* the worker's */
    atomic_bool stop;
    atomic_bool asleep;  /* the thread is, or is about to be */
    atomic_bool waiting; /* the worker is */
    struct kafka_cpu *cpu;
};

static const uint64_t one = 1; /* what an eventfd takes */

static size_t clamp(size_t n, size_t least, size_t most)
{
    return n < least ? least : n > most ? most : n;
}

struct kafka_ahead kafka_ahead_of(size_t bytes, size_t partitions, size_t inputs)
{
    size_t each = bytes / (inputs > 0 ? inputs : 1);
    size_t answer_bytes = clamp(each / (1 + KAFKA_MESSAGE_BYTES / EVENT_BYTES), ANSWER_BYTES_MIN, ANSWER_BYTES_MAX);
    size_t messages_min = MESSAGES_MIN * answer_bytes / ANSWER_BYTES_MAX;
    return (struct kafka_ahead){.messages = clamp(each / KAFKA_MESSAGE_BYTES, messages_min, SIZE_MAX),
                                .bytes = clamp(bytes / (partitions > 0 ? partitions : 1), answer_bytes, SIZE_MAX),
                                .answer_bytes = answer_bytes};
}

static void signal_fd(int fd)
{
    if (write(fd, &one, sizeof one) < 0)
        ASSERT(errno == EAGAIN); /* it is full: whoever sleeps on it will wake */
}

static void sleep_on(int fd, int timeout_ms)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    uint64_t events;
    if (poll(&wanted, 1, timeout_ms) > 0 && read(fd, &events, sizeof events) < 0)
        ASSERT(errno == EAGAIN || errno == EINTR);
}

/* NULL: there is none for this ring now. */
static struct kafka_batch *pool_take(struct kafka_fetch *fetch, const struct fetch_ring *ring)
{
    if (fetch->lent >= fetch->lent_max && ring->fill - ring->drop >= FETCH_BATCHES_MIN)
        return NULL;
    struct kafka_batch *batch = fetch->pool;
    if (batch == NULL)
        batch = mem_alloc(sizeof *batch);
    else
        fetch->pool = batch->next;
    fetch->lent++;
    return batch;
}

static void pool_give(struct kafka_fetch *fetch, struct kafka_batch *batch)
{
    batch->next = fetch->pool;
    fetch->pool = batch;
    fetch->lent--;
}

static void place_empty(struct kafka_fetch *fetch, struct fetch_place *place)
{
    for (size_t i = 0; i < place->batch->count; i++)
        rd_kafka_message_destroy(place->batch->messages[i]);
    pool_give(fetch, place->batch);
    place->batch = NULL;
    atomic_store_explicit(&place->state, BATCH_EMPTY, memory_order_release);
}

static void record_fill(struct source_record *record, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t kind;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &kind);
    *record = (struct source_record){
        .value = message->payload,
        .value_n = message->len,
        .key = message->key,
        .key_n = message->key_len,
        .offset = message->offset,
        .timestamp_ms = kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
    };
}

/* As many messages as make about FETCH_BATCH_BYTES, going by the last ones; a few where nothing is known. */
static size_t wanted_of(const struct kafka_fetch *fetch, const struct fetch_ring *ring)
{
    size_t n = ring->message_bytes == 0 ? 16 : FETCH_BATCH_BYTES / ring->message_bytes;
    return clamp(n, 1, fetch->batch_max);
}

static bool fill(struct kafka_fetch *fetch, struct fetch_ring *ring)
{
    struct fetch_place *place = &ring->places[ring->fill % FETCH_BATCHES];
    size_t bytes = 0;
    if (atomic_load_explicit(&place->state, memory_order_acquire) != BATCH_EMPTY)
        return false;
    struct kafka_batch *batch = pool_take(fetch, ring);
    if (batch == NULL)
        return false;
    ssize_t got = rd_kafka_consume_batch_queue(ring->queue, 0, batch->messages, wanted_of(fetch, ring));
    if (got == 0) {
        pool_give(fetch, batch);
        return false;
    }
    place->batch = batch;
    batch->code = got < 0 ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR_NO_ERROR;
    batch->count = got < 0 ? 0 : (size_t)got;
    batch->at = 0;
    batch->others = 0;
    for (size_t i = 0; i < batch->count; i++) {
        batch->others += batch->messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        record_fill(&batch->records[i], batch->messages[i]);
        bytes += batch->messages[i]->len + batch->messages[i]->key_len + 1;
    }
    if (batch->count > 0)
        ring->message_bytes = bytes / batch->count + 1;
    atomic_store(&place->state, BATCH_FULL); /* before the look at who waits, in the one order of all such steps */
    ring->fill++;
    if (atomic_load(&fetch->waiting))
        signal_fd(fetch->ready_fd);
    return true;
}

static bool look_at(struct kafka_fetch *fetch, struct fetch_ring *ring)
{
    bool worked = false;
    if (ring->queue == NULL)
        return false;
    struct fetch_place *used = &ring->places[ring->drop % FETCH_BATCHES];
    if (atomic_load(&used->state) == BATCH_USED) {
        place_empty(fetch, used);
        ring->drop++;
        worked = true;
    }
    return fill(fetch, ring) || worked;
}

static void *run(void *context)
{
    struct kafka_fetch *fetch = context;
    while (!atomic_load(&fetch->stop)) {
        bool worked = false;
        kafka_cpu_lead(fetch->cpu);
        for (size_t i = 0; i < fetch->count; i++) {
            (void)pthread_mutex_lock(&fetch->between);
            worked = look_at(fetch, &fetch->rings[i]) || worked;
            (void)pthread_mutex_unlock(&fetch->between);
        }
        if (worked) {
            atomic_store(&fetch->asleep, false);
        } else if (!atomic_load(&fetch->asleep)) {
            atomic_store(&fetch->asleep, true); /* and look once more */
        } else {
            sleep_on(fetch->wake_fd, SLEEP_MS);
            atomic_store(&fetch->asleep, false);
        }
    }
    return NULL;
}

int kafka_fetch_new(struct kafka_fetch **out, size_t partitions, size_t bytes, struct error *err)
{
    struct kafka_fetch *fetch = mem_zalloc(sizeof *fetch);
    fetch->lent_max = bytes / (sizeof(struct kafka_batch) + FETCH_BATCH_BYTES);
    fetch->batch_max = clamp(bytes / ((partitions + 1) * FETCH_BATCHES_MIN * (KAFKA_MESSAGE_BYTES + EVENT_BYTES)),
                             BATCH_MIN, FETCH_BATCH_MAX);
    fetch->rings = mem_zalloc((partitions + 1) * sizeof *fetch->rings);
    fetch->count = partitions;
    (void)pthread_mutex_init(&fetch->between, NULL);
    fetch->cpu = kafka_cpu_new();
    fetch->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fetch->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fetch->running =
        fetch->wake_fd >= 0 && fetch->ready_fd >= 0 && pthread_create(&fetch->thread, NULL, run, fetch) == 0;
    if (!fetch->running) {
        kafka_fetch_free(fetch);
        return error_set(err, ERROR_FATAL, "the system gives no descriptors or threads");
    }
    *out = fetch;
    return 0;
}

void kafka_fetch_free(struct kafka_fetch *fetch)
{
    if (fetch == NULL)
        return;
    atomic_store(&fetch->stop, true);
    if (fetch->running) {
        signal_fd(fetch->wake_fd);
        (void)pthread_join(fetch->thread, NULL);
    }
    for (size_t i = 0; i < fetch->count; i++)
        ASSERT(fetch->rings[i].queue == NULL);
    ASSERT(fetch->lent == 0);
    for (struct kafka_batch *batch = fetch->pool, *next; batch != NULL; batch = next) {
        next = batch->next;
        free(batch);
    }
    if (fetch->wake_fd >= 0)
        (void)close(fetch->wake_fd);
    if (fetch->ready_fd >= 0)
        (void)close(fetch->ready_fd);
    (void)pthread_mutex_destroy(&fetch->between);
    kafka_cpu_free(fetch->cpu);
    free(fetch->rings);
    free(fetch);
}

void kafka_fetch_watch(struct kafka_fetch *fetch, rd_kafka_conf_t *conf)
{
    kafka_cpu_watch(fetch->cpu, conf);
}

void kafka_fetch_start(struct kafka_fetch *fetch, size_t partition, rd_kafka_queue_t *queue)
{
    struct fetch_ring *ring = &fetch->rings[partition];
    (void)pthread_mutex_lock(&fetch->between);
    ASSERT(ring->queue == NULL);
    ring->queue = queue;
    (void)pthread_mutex_unlock(&fetch->between);
    rd_kafka_queue_io_event_enable(queue, fetch->wake_fd, &one, sizeof one);
    signal_fd(fetch->wake_fd);
}

void kafka_fetch_stop(struct kafka_fetch *fetch, size_t partition)
{
    struct fetch_ring *ring = &fetch->rings[partition];
    (void)pthread_mutex_lock(&fetch->between);
    for (int i = 0; ring->queue != NULL && i < FETCH_BATCHES; i++)
        if (atomic_load(&ring->places[i].state) != BATCH_EMPTY)
            place_empty(fetch, &ring->places[i]);
    ring->queue = NULL;
    ring->fill = ring->drop = ring->take = ring->give = 0;
    ring->hungry = false;
    (void)pthread_mutex_unlock(&fetch->between);
}

static struct kafka_batch *full_batch(const struct fetch_ring *ring)
{
    /* With every batch read and none given back yet the next place is one of those. */
    if (ring->queue == NULL || ring->take - ring->give == FETCH_BATCHES)
        return NULL;
    const struct fetch_place *place = &ring->places[ring->take % FETCH_BATCHES];
    return atomic_load(&place->state) == BATCH_FULL ? place->batch : NULL;
}

struct kafka_batch *kafka_fetch_peek(struct kafka_fetch *fetch, size_t partition)
{
    struct fetch_ring *ring = &fetch->rings[partition];
    struct kafka_batch *batch = full_batch(ring);
    ring->hungry = batch == NULL;
    return batch;
}

void kafka_fetch_pass(struct kafka_fetch *fetch, size_t partition)
{
    struct fetch_ring *ring = &fetch->rings[partition];
    ring->take++;
    ring->hungry = true;
}

void kafka_fetch_give(struct kafka_fetch *fetch)
{
    bool given = false;
    for (size_t i = 0; i < fetch->count; i++) {
        struct fetch_ring *ring = &fetch->rings[i];
        for (; ring->give != ring->take; ring->give++, given = true)
            atomic_store(&ring->places[ring->give % FETCH_BATCHES].state, BATCH_USED);
    }
    if (given && atomic_load(&fetch->asleep))
        signal_fd(fetch->wake_fd);
}

static bool any_full(const struct kafka_fetch *fetch)
{
    for (size_t i = 0; i < fetch->count; i++)
        if (fetch->rings[i].hungry && full_batch(&fetch->rings[i]) != NULL)
            return true;
    return false;
}

void kafka_fetch_wait(struct kafka_fetch *fetch, int timeout_ms)
{
    atomic_store(&fetch->waiting, true);
    if (!any_full(fetch))
        sleep_on(fetch->ready_fd, timeout_ms);
    atomic_store(&fetch->waiting, false);
    for (size_t i = 0; i < fetch->count; i++) /* one that is not looked at again is full for as long as it likes */
        fetch->rings[i].hungry = false;
}
