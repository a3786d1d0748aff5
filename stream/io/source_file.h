/* Files of JSON lines as a bounded source: a (file, stream) is one partition, its topic the stream, its partition the
 * file's place on the command line, its offsets line numbers from 1. Each partition reads the file by itself and takes
 * the lines of its stream, so memory is a line a partition. Empty lines are skipped. */
#ifndef FORESTALL_IO_SOURCE_FILE_H
#define FORESTALL_IO_SOURCE_FILE_H

#include "io/source.h"

struct source_file_input {
    const char *path;
    const char *stream; /* NULL: the member `stream` of each line's object says */
};

/* The streams that a file's lines name, found by a first pass: `names` (cap 8) in order of name; lines without one are
 * counted in *unnamed. Borrowed from a static table of `known` names. */
int source_file_streams(const char *path, const char *const *known, const char **names, size_t *count, int64_t *unnamed,
                        struct error *err) MUST_CHECK;
/* `partitions[i]` is read from `inputs[i]`; every input must name its stream here (several may name one path).
 * `filter[i]`: take only the lines whose member `stream` equals the input's. Timestamps are `now_ms`. A line over
 * `line_bytes_max` is given cut to that many bytes + 1, so that it is over any limit that the caller checks. */
int source_file_open(struct source **source, const struct source_file_input *inputs, const bool *filter,
                     const struct source_partition *partitions, size_t count, int64_t now_ms, size_t line_bytes_max,
                     struct error *err) MUST_CHECK;

#endif
