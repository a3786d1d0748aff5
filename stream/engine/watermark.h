/* Event time of the source partitions, and from where each must be read again.
 *
 * A partition's watermark is its greatest time so far minus its source's out_of_orderness, or an idle mark above that.
 * The global time is the least watermark of the partitions that count: one that was read to its end does not, nor does
 * one that never held a record (it starts at the global time when its first record comes).
 *
 * Where to read again: records are noted by buckets of BUCKET_MS of event time, the first offset of each; a bucket goes
 * once everything in it is applied, its folded panes included, so the oldest bucket left names the oldest record that
 * may not be applied. A few buckets too many only cost reading.
 */
#ifndef FORESTALL_ENGINE_WATERMARK_H
#define FORESTALL_ENGINE_WATERMARK_H

#include "engine/commit.h"

enum { BUCKET_MS = 10 * MINUTE_MS };

/* Times that are not known, and the end of a drained input. */
#define TIME_NONE INT64_MIN
#define TIME_END  (INT64_MAX / 2)

struct watermark_bucket {
    int64_t number; /* of BUCKET_MS since the epoch */
    int64_t offset;
    int64_t max_time_ms; /* the partition's time before the record at `offset` */
};

struct watermark_partition {
    int64_t out_of_orderness_ms;
    int64_t max_time_ms; /* TIME_NONE: no event yet */
    int64_t first_ms;    /* the least time of an event that was neither late nor from the future; TIME_NONE: none yet */
    int64_t mark_ms;     /* watermark by idle marks; TIME_NONE: none */
    int64_t next_offset; /* of the next record to read */
    int64_t read_offset; /* restored: below it, dead letters were sent already */
    bool finished;       /* bounded: read to its end */
    bool empty;          /* never held a record, as far as its log showed */
    bool owned;          /* it is read here */
    bool idle;           /* gave nothing for its idle_lag, and was read to its end */
    int64_t switch_ms;   /* mapped with the present rules from this time on; TIME_NONE: all of it */
    struct commit_mark *marks; /* still to come, by offset; heap */
    size_t mark_count;
    struct watermark_bucket *buckets; /* by offset */
    size_t bucket_count;
    size_t bucket_cap;
};

struct watermark {
    struct watermark_partition *partitions;
    size_t count;
};

void watermark_init(struct watermark *watermark, size_t partitions);
void watermark_fini(struct watermark *watermark);

int64_t watermark_of(const struct watermark_partition *partition);
/* The global time; TIME_NONE while a partition that counts has none, TIME_END when all are finished. */
int64_t watermark_least(const struct watermark *watermark);
/* The end of a bounded input: the greatest watermark by marks where there are any, and the greatest event time. */
int64_t watermark_greatest(const struct watermark *watermark);

/* A record at `offset` is about to be read: the marks before it take effect. */
void watermark_reach(struct watermark_partition *partition, int64_t offset);
/* All below `offset` was read: no record lies between the last one and it, but what only brokers know of. */
void watermark_pass(struct watermark_partition *partition, int64_t offset);
/* An event of `time_ms` at `offset` that is neither late nor from the future. */
void watermark_event(struct watermark_partition *partition, int64_t offset, int64_t time_ms);
/* The next record to read, where a record is done once it was read. */
struct commit_position watermark_read(const struct watermark_partition *partition);
/* Where to read again when everything below `applied_ms` is applied. */
struct commit_position watermark_position(struct watermark_partition *partition, int64_t applied_ms);

#endif
