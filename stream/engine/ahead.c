/* See ahead.h. */
#include "engine/ahead.h"

#include <stdlib.h>

void ahead_init(struct ahead *ahead, size_t inputs)
{
    ahead->count = inputs;
    ahead->inputs = mem_zalloc((inputs + 1) * sizeof *ahead->inputs);
}

void ahead_fini(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        free(ahead->inputs[i].sent);
    free(ahead->inputs);
    *ahead = (struct ahead){0};
}

void ahead_clear(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        ahead->inputs[i].read_bytes = ahead->inputs[i].bytes = ahead->inputs[i].count = 0;
}

void ahead_read(struct ahead *ahead, size_t input, const struct source_record *records, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ahead->inputs[input].read_bytes += records[i].value_n;
}

void ahead_sent(struct ahead *ahead, const struct watermark *watermark, size_t bytes)
{
    size_t read = 0;
    for (size_t i = 0; i < ahead->count; i++)
        read += ahead->inputs[i].read_bytes;
    for (size_t i = 0; i < ahead->count; i++) {
        struct ahead_input *input = &ahead->inputs[i];
        size_t share = (size_t)((double)bytes * (double)input->read_bytes / (double)(read + 1));
        input->read_bytes = 0;
        if (share == 0)
            continue;
        input->sent = mem_grow(input->sent, input->count, &input->cap, sizeof *input->sent);
        input->sent[input->count++] = (struct ahead_sent){watermark_of(&watermark->partitions[i]), share};
        input->bytes += share;
    }
}

void ahead_passed(struct ahead *ahead, int64_t time_ms)
{
    for (size_t i = 0; i < ahead->count; i++) {
        struct ahead_input *input = &ahead->inputs[i];
        size_t gone = 0;
        while (gone < input->count && input->sent[gone].time_ms <= time_ms)
            input->bytes -= input->sent[gone++].bytes;
        input->count -= gone;
        if (gone > 0)
            memmove(input->sent, input->sent + gone, input->count * sizeof *input->sent);
    }
}

size_t ahead_bytes(const struct ahead *ahead, size_t input)
{
    return ahead->inputs[input].bytes;
}
