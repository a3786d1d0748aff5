/* What the halves of the Kafka commit share: the way forth (commit_kafka.c) and the way back (restore.c), with the
 * metadata that goes beside every committed position (commit_metadata.c); and who goes that way for tasks that others
 * drive (standby.c). Nobody else includes this. */
#ifndef FORESTALL_ENGINE_COMMIT_KAFKA_H
#define FORESTALL_ENGINE_COMMIT_KAFKA_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/claims.h"
#include "engine/commit.h"
#include "io/kafka_log.h"
#include "io/kafka_producer.h"

enum { COMMIT_TASKS_MAX = 32, COMMIT_METADATA_BYTES_MAX = 4096 };

/* The JSON beside a committed offset. All but `max_time_ms`, `first_ms` and `read_offset` is the same for every
 * partition of one commit; `sequence` counts commits, so that a position left over from an earlier one is told apart.
 */
struct commit_metadata {
    int64_t max_time_ms; /* INT64_MIN: none, as for first_ms and applied_ms */
    int64_t first_ms;
    int64_t read_offset;
    int64_t applied_ms;
    int64_t since_ms; /* of the application's very first start; INT64_MIN: not known */
    uint64_t rules_digest;
    uint64_t incarnation;
    uint64_t sequence;
    int tasks;
    int64_t changelog_next[COMMIT_TASKS_MAX];
};

void commit_metadata_print(struct buf *text, const struct commit_metadata *metadata);
/* ERROR_BAD_INPUT: it is not ours. */
int commit_metadata_parse(struct str text, struct commit_metadata *metadata, struct error *err) MUST_CHECK;

/* One task's state, as of a commit. */
struct commit_task {
    bool owned;
    bool ready;           /* its state is in the store as of `next` */
    uint64_t incarnation; /* names this life of the task's state */
    int64_t next;         /* the changelog's end */
    int tasks;            /* state.tasks; 0: an older version did not say */
};

/* Where the exchange has a log each position has what it alone is about: that of an input its time and rules, that of a
 * task its time and state. With either goes `since_ms`. */
void commit_input_print(struct buf *text, const struct commit_position *position, int64_t since_ms);
int commit_input_parse(struct str text, struct commit_position *position, struct error *err) MUST_CHECK;
void commit_task_print(struct buf *text, const struct commit_task *task, const struct commit_position *position,
                       int64_t since_ms);
int commit_task_parse(struct str text, struct commit_task *task, struct commit_position *position,
                      struct error *err) MUST_CHECK;

/* A commit under way, on a thread of its own: the caller reads on. */
struct commit_flight {
    bool under_way;
    pthread_t thread;
    atomic_bool over; /* then the rest is the caller's again */
    int result;
    struct error err;
    struct commit_batch batch;
    struct state *state;
    const struct str_pair *dirty;
    size_t dirty_count;
    rd_kafka_consumer_group_metadata_t *group; /* as of the start */
};

struct commit_kafka {
    struct commit base;
    struct commit_kafka_options options;
    char *transactional_id;
    char *changelog;
    char *marks;
    char *exchange;
    struct kafka_producer *producer; /* NULL or dead: the next restore makes one */
    /* As of the last commit, or the restore: */
    struct commit_position *positions;
    size_t position_count;
    bool committed;              /* they are in Kafka */
    int64_t since_ms;            /* of the application's very first start, as far as is known; or INT64_MIN */
    struct commit_metadata last; /* with the exchange in memory; its tasks' ends are in `tasks` */
    struct commit_task tasks[COMMIT_TASKS_MAX];
    size_t input_count; /* of the source's partitions; the exchange's follow */
    struct commit_flight flight;
    struct restorer *restorer; /* of tasks that are not ready; NULL: it is done, or there were none */
    struct kafka_trim *trim;   /* of the exchange's log */
    int64_t trimmed_us;
    int64_t trimmed[COMMIT_TASKS_MAX]; /* below that it was asked for */
    int64_t memory_us;                 /* when memory was last looked at; the flight's */
    /* Restores without a commit between, so that no failure is tried for ever. */
    int restores;
    int64_t restores_since_us;
    /* Buffers reused by every commit. */
    struct arena scratch;
    struct arena asked; /* what the group said last */
};

/* The store's own entries of the commit protocol, a few a task, written in one batch with what they speak of. They are
 * never dirty and never in the changelog. COMMIT_META_TIMERS says as of which `next` groups' timers are there too: what
 * wrote the others without it did not keep them. */
enum commit_meta {
    COMMIT_META_NEXT,
    COMMIT_META_INCARNATION,
    COMMIT_META_WALL_MS,
    COMMIT_META_TIMERS,
    COMMIT_META_COUNT
};
void commit_meta_key(struct buf *key, int task, enum commit_meta meta);
/* Fills in the task's COMMIT_META_COUNT entries; in the arena. `wall_ms`: all that the store has was read or written by
 * then, and nothing below `next` is missing. */
void commit_meta_entries(struct str_pair *entries, int number, const struct commit_task *task, int64_t wall_ms,
                         struct arena *arena);

/* For what is read on the way back, which all workers may go at once: they share what is fetched ahead. */
struct kafka_log_options commit_log_options(const struct config *config);

/* Which of `marks` nobody needs any more: `old_marks`. `starts`: where each partition's log begins. */
void commit_marks_old(struct commit_restored *restored, const int64_t *starts, struct arena *arena);
/* Leaves out the marks that the positions have passed, but for each partition's newest. */
void commit_marks_since(struct commit_restored *restored);

/* A broker that leads no more and does not know it yet has a log that ends too soon: on the way back it is asked again
 * for so long. */
enum { STALE_US = 10 * 1000000 };

/* restore_state.c: brings the store up to a committed end of a task's changelog. */
struct restore_way {
    const struct config *config;
    const char *changelog; /* the topic */
    struct store *store;
    struct kafka_log *log;
    struct claims *claims; /* NULL: nobody else writes to the store */
    int worker;            /* who claims the tasks; CLAIMS_NOBODY: they are copied for others */
    /* Called about every 100 ms; -1 ends the restoring. */
    int (*meanwhile)(void *context, struct error *err);
    /* So many bytes were read and written; may be NULL. It may take its time. */
    void (*wrote)(void *context, size_t bytes);
    void *context;
};
struct restore_outcome {
    int64_t from;    /* the store was there already; 0: nowhere */
    int64_t records; /* read from there on */
};
/* ERROR_ABORT: the task was taken by another worker. */
int restore_task(const struct restore_way *way, int task, const struct commit_task *to, struct restore_outcome *outcome,
                 struct error *err) MUST_CHECK;
/* The same, with a line in the log. */
int restore_task_told(const struct restore_way *way, int task, const struct commit_task *to,
                      struct error *err) MUST_CHECK;
/* The task has no committed position: neither may it have state, here or in the changelog. */
int restore_first_check(const struct restore_way *way, int task, struct error *err) MUST_CHECK;

/* What the group has committed of each partition of the source, in the arena; NULL: `err` says why. */
struct kafka_committed *commit_positions_ask(struct commit_kafka *kafka, struct arena *arena, struct error *err);

int restore_run(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                struct error *err) MUST_CHECK;

#endif
