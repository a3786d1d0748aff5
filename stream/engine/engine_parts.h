/* What the engine's files share: engine.c turns it, engine_commit.c commits and goes back, engine_log.c tells of it.
 * Nobody else includes this. */
#ifndef FORESTALL_ENGINE_ENGINE_PARTS_H
#define FORESTALL_ENGINE_ENGINE_PARTS_H

#include "codec/avro_write.h"
#include "engine/ahead.h"
#include "engine/engine.h"
#include "engine/idle.h"
#include "engine/outbox.h"
#include "engine/tasks.h"

enum {
    BATCH_MAX = 1024, /* records of one poll */
    ASK_EMPTY_EVERY_US = 100 * 1000,
    OTHERS_EVERY_US = 1000 * 1000,
    TURN_MAX_US = 200000,   /* of applying, before the worker looks up */
    OUTBOX_MAX = 50000,     /* records: makes a commit due at once */
    COMMITTING_WAIT_MS = 2, /* for records, while a commit is under way */
    HURRY = 5,              /* what others wait for is committed in this part of the interval */
};

struct engine {
    int64_t turn_us; /* since when what its time allows is being applied */
    struct engine_options options;
    struct outbox outbox;
    struct outbox under_way; /* of the commit that is, with its batch; meanwhile nothing is applied */
    struct commit_batch batch;
    bool committing;
    int64_t commit_from_us;  /* when the last one started, or the restore since then */
    uint64_t commit_records; /* counters, as of its start */
    uint64_t commit_published;
    struct watermark watermark;
    size_t input_count; /* of the source's partitions: the sources'; those of the exchange follow */
    struct event_map *map;
    struct reduce *reduce;     /* of all tasks; NULL: the exchange has a log */
    struct tasks *tasks;       /* then; NULL: it is in memory */
    struct ahead ahead;        /* what was sent beyond the tasks' time */
    struct idle *idle;         /* NULL: bounded */
    struct avro_encoder *avro; /* of recommendations; NULL: they are JSON */
    struct avro_encoder *scorecard_avro;
    struct buf scratch;
    struct arena arena; /* of a restore or commit */
    struct source_record records[BATCH_MAX];
    size_t *order;        /* partitions, slowest first */
    int64_t committed_us; /* when the last commit ended */
    int64_t others_ms;    /* the greatest time of others' inputs, as far as was asked; TIME_NONE: none */
    int64_t others_us;    /* when that was */
    int64_t asked_us;     /* when the logs of empty partitions were last asked for their ends */
    struct engine_counters counters;
};

/* This worker's share of state.memory, bytes. */
int64_t engine_memory(const struct engine *engine);
/* What is to be published is enough for a commit. */
bool engine_outbox_full(const struct engine *engine);
/* So is what goes to the tasks: half of its memory, for the commit under way has as much. */
bool engine_sent_full(const struct engine *engine);
/* When the next commit is due, by the clock; and whether it is due now, by the clock or for what has gathered. */
int64_t engine_commit_due_us(const struct engine *engine);
bool engine_commit_is_due(const struct engine *engine);
/* Begins a commit; it may be over at once. */
int engine_commit_start(struct engine *engine, struct error *err) MUST_CHECK;
/* Ends the commit under way if it is over, or when it is, with `wait`. Nothing is under way then: *over is true. */
int engine_commit_finish(struct engine *engine, bool wait, bool *over, struct error *err) MUST_CHECK;
/* A time for every stage, where one reduce drives all tasks. */
void engine_all_stages(int64_t *times_ms, int64_t time_ms);

#endif
