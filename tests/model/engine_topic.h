/* A log of a simulated Kafka, and how a changelog's entries come onto a disk. */
#ifndef FORESTALL_TESTS_ENGINE_TOPIC_H
#define FORESTALL_TESTS_ENGINE_TOPIC_H

#include "detect/group_timer.h"
#include "engine/restored_timers.h"
#include "engine_lives.h"

enum { BATCH_MAX = 8 };

struct logged {
    struct str key;
    struct str value;
    int64_t offset;
    size_t transaction;
    bool gone; /* compacted: a later entry has its key */
};

struct topic {
    struct logged *entries;
    size_t count;
    size_t cap;
    int64_t next;
};

/* The first entry at or after the offset. */
static size_t topic_find(const struct topic *topic, int64_t offset)
{
    size_t low = 0;
    for (size_t high = topic->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (topic->entries[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct logged *topic_add(struct topic *topic)
{
    topic->entries = mem_grow(topic->entries, topic->count, &topic->cap, sizeof *topic->entries);
    topic->entries[topic->count] = (struct logged){.offset = topic->next++};
    return &topic->entries[topic->count++];
}

static void compact(struct topic *changelog)
{
    struct map newest = {0};
    for (size_t i = changelog->count; i-- > 0;) {
        void **slot = map_slot(&newest, changelog->entries[i].key);
        changelog->entries[i].gone = *slot != NULL;
        *slot = changelog;
    }
    map_fini(&newest);
}

/* One task of an instance's disk. */
struct disk {
    struct store *store;
    const struct topic *changelog;
    size_t *next; /* the changelog below it is in the store */
};

/* The task's changelog goes into the store up to an end, in batches. */
static int bring(const struct disk *disk, int task, size_t to, struct error *err)
{
    struct str_pair batch[BATCH_MAX * (1 + RESTORED_TIMERS_MAX)];
    struct arena arena = {0};
    const struct restored_timers timers = {disk->store, task, *disk->next == 0, &arena};
    size_t most = 1 + (size_t)below(BATCH_MAX);
    int result = 0;
    while (*disk->next < to && result == 0) {
        size_t n = 0;
        for (; *disk->next < to && n < most; ++*disk->next) {
            const struct logged *entry = &disk->changelog->entries[*disk->next];
            if (!entry->gone)
                batch[n++] = (struct str_pair){entry->key, entry->value};
        }
        result = restored_timers_add(&timers, batch, &n, err);
        if (result == 0)
            result = disk->store->ops->write(disk->store, batch, n, err);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return result;
}

/* A crash amid the batches of a commit has left a timer that no group has. */
static void leave_timer(const struct disk *disk, int task)
{
    const struct logged *entry = &disk->changelog->entries[below((int64_t)disk->changelog->count)];
    struct group_record record;
    struct buf key = {0};
    struct error err;
    if (entry->value.p == NULL || entry->key.p[2] != STATE_GROUP ||
        !group_record_read((struct str_pair){entry->key, entry->value}, &record) || !record.timed)
        return;
    record.armed_ms = record.timer_ms - below(below(2) == 0 ? 2 : (int64_t)HOUR_MS);
    if (group_timer_of(task, &record, &key)) {
        const struct str_pair left = {buf_str(&key), {"", 0}};
        must(disk->store->ops->write(disk->store, &left, 1, &err), &err);
    }
    buf_fini(&key);
}

#endif
