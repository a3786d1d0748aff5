/* The commit protocol (stream/README.md, "Commit"): outputs, changelog and positions in one transaction, then the same
 * changes into the store. One batch is one burst; the caller keeps working on memory that the batch does not touch.
 *
 * Two implementations: Kafka, and a plain one for replay (outputs to a sink, no positions, no changelog).
 */
#ifndef FORESTALL_ENGINE_COMMIT_H
#define FORESTALL_ENGINE_COMMIT_H

#include "engine/config.h"
#include "io/source.h"
#include "state/state.h"

enum output {
    OUTPUT_RECOMMENDATIONS,
    OUTPUT_SCORECARDS,
    OUTPUT_DEAD_LETTER,
    OUTPUT_MARKS,
    OUTPUT_EXCHANGE,
    OUTPUT_COUNT
};

struct commit_header {
    const char *name;
    struct str value;
};

enum { COMMIT_HEADERS_MAX = 6 };

struct commit_record {
    enum output output;
    int32_t partition; /* OUTPUT_EXCHANGE: the task; of other outputs the key decides */
    struct str key;
    struct str value; /* p NULL: a tombstone */
    struct commit_header headers[COMMIT_HEADERS_MAX];
    size_t header_count;
};

/* What is committed of one partition of the source. */
struct commit_position {
    bool owned;          /* it is this worker's */
    int64_t offset;      /* the oldest record that is not applied: reading starts here again */
    int64_t read_offset; /* the next record to read: dead letters below it have been sent */
    int64_t max_time_ms; /* the partition's time as of the record at `offset`; of a task, everything below it is
                            applied; INT64_MIN: none yet */
    int64_t first_ms;    /* the time of its first event; INT64_MIN: none yet */
    /* Of an input whose events go through the log of the exchange, where a record is done once it was sent: */
    int64_t switch_ms;     /* it was mapped with the rules of `rules_digest` from this time on; INT64_MIN: all of it */
    uint64_t rules_digest; /* restored: of the set that mapped it last */
    int64_t since_ms;      /* restored: of the application's very first start; INT64_MIN: not known */
    bool anew;             /* of a task: its log was made anew, and what its state knows of offsets is void, as it is
                              until the task is driven and writes what it knows */
};

struct commit_batch {
    const struct commit_record *records;
    size_t record_count;
    const struct commit_position *positions; /* by the source's partition number; all of them */
    size_t position_count;
    int64_t applied_ms; /* everything below this time is applied; INT64_MIN: nothing */
    uint64_t rules_digest;
};

/* What the last commit left, read on the way back. */
struct commit_restored {
    bool first_start;                  /* nothing was ever committed: positions are by `start:` */
    struct commit_position *positions; /* by partition number; owned by the caller's arena. A partition that is new
                                          since the last commit has max_time_ms INT64_MIN */
    int64_t applied_ms;                /* with a log of the exchange: the greatest of the tasks' */
    uint64_t rules_digest;
    struct commit_mark *marks; /* of each partition: those at or after its committed position, and the newest
                                  before it (its time has been the partition's ever since); in order of
                                  partition and offset; in the arena */
    size_t mark_count;
    struct commit_mark *old_marks; /* on the topic, of partitions that are owned; nobody needs them any more */
    size_t old_mark_count;
};

struct commit_mark {
    size_t partition;
    int64_t offset;  /* applies before the record at this offset */
    int64_t time_ms; /* the partition's watermark is at least this */
};

/* A mark as a record for OUTPUT_MARKS: appends its key (topic, partition, offset) and its value (the time). */
void commit_mark_key(struct buf *key, const struct source_partition *partition, int64_t offset);
void commit_mark_value(struct buf *value, int64_t time_ms);
/* Every mark of the partitions of `source` on the application's marks topic, in order of partition and offset; a
 * missing topic has none. For `replay`, which has no positions. */
int commit_marks_read(const struct config *config, struct source *source, struct arena *arena,
                      struct commit_mark **marks, size_t *count, struct error *err) MUST_CHECK;

struct commit;

struct commit_ops {
    /* Everything in the batch and the state's dirty entries, atomically; on return 0 the state is settled. ERROR_ABORT:
     * nothing of it happened, or it is not known: drop memory and call restore. */
    int (*commit)(struct commit *commit, const struct commit_batch *batch, struct state *state, struct error *err);
    /* The same in two halves, so that the caller can read on meanwhile; both NULL: only the whole. *under_way: finish
     * is to be called until it says *over, and nothing that the batch or the state's dirty entries are made of may
     * change before; else it is over. */
    int (*start)(struct commit *commit, const struct commit_batch *batch, struct state *state, bool *under_way,
                 struct error *err);
    int (*finish)(struct commit *commit, bool wait, bool *over, struct error *err);
    /* The one way back, for start, abort, ambiguity and takeover: fence what went before, read the committed positions,
     * bring the store up to them from the changelog, seek the source. ERROR_RETRY: the cluster does not answer; the
     * same again, as often as it takes. */
    int (*restore)(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                   struct error *err);
    /* Whether the state of an owned task is in the store, as of its committed position; NULL: it always is after a
     * restore. */
    int (*ready)(struct commit *commit, int task, bool *ready, struct error *err);
    /* The greatest time that the committed positions of others' inputs have, marks included; INT64_MIN: none. It asks
     * the cluster. NULL: there are no others. */
    int (*others)(struct commit *commit, int64_t *greatest_ms, struct error *err);
    void (*close)(struct commit *commit);
};

struct commit {
    const struct commit_ops *ops;
};

struct claims;

struct commit_kafka_options {
    const struct config *config;
    struct source *source; /* a source_kafka; borrowed */
    const char *instance_id;
    bool accept_gap;       /* go on where the log's start is beyond the committed position */
    int worker;            /* of the instance, from 0 on */
    struct claims *claims; /* of the instance, whose store several write to; NULL: it is this worker's alone */
    bool shared;           /* the exchange has a log: its partitions are the source's last, one a task */
    bool mock;             /* librdkafka's mock cluster: no settings to check, positions are not kept */
};
int commit_kafka_open(struct commit **commit, const struct commit_kafka_options *options, struct error *err) MUST_CHECK;

/* Hands each record to `write` in order; the state is written to its store. */
struct commit *commit_plain_new(int (*write)(void *context, const struct commit_record *record, struct error *err),
                                void *context);

#endif
