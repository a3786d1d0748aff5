/* How much of each input was sent beyond the tasks' time, roughly: so that an input that runs ahead of the others is
 * not read on until they have come nearer, since what it sends waits in the tasks' memory. What one commit sent is
 * shared out by the bytes that were read. */
#ifndef FORESTALL_ENGINE_AHEAD_H
#define FORESTALL_ENGINE_AHEAD_H

#include "engine/watermark.h"
#include "io/source.h"

/* What one commit sent of an input. */
struct ahead_sent {
    int64_t time_ms; /* the input's watermark then */
    size_t bytes;
};

struct ahead_input {
    size_t read_bytes; /* since the last commit */
    size_t bytes;      /* of `sent` */
    struct ahead_sent *sent;
    size_t count;
    size_t cap;
};

struct ahead {
    struct ahead_input *inputs;
    size_t count;
};

void ahead_init(struct ahead *ahead, size_t inputs);
void ahead_fini(struct ahead *ahead);
void ahead_clear(struct ahead *ahead);
void ahead_read(struct ahead *ahead, size_t input, const struct source_record *records, size_t n);
/* A commit sends `bytes`. */
void ahead_sent(struct ahead *ahead, const struct watermark *watermark, size_t bytes);
/* The tasks' time is `time_ms`. */
void ahead_passed(struct ahead *ahead, int64_t time_ms);
size_t ahead_bytes(const struct ahead *ahead, size_t input);

#endif
