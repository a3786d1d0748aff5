/* Several bounded sources as one: their partitions in the order given. */
#ifndef FORESTALL_IO_SOURCE_UNION_H
#define FORESTALL_IO_SOURCE_UNION_H

#include "io/source.h"

struct source_part {
    struct source *source;
    size_t partition;
};

/* Partition i is `parts[i]`, described by `partitions[i]`. Takes the `sources` (each once), closing them at the end. */
struct source *source_union_new(const struct source_partition *partitions, const struct source_part *parts,
                                size_t count, struct source *const *sources, size_t source_count);

#endif
