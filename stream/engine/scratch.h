/* A file for what memory has no room for: blocks that are written once and read once. It has no name any more as soon
 * as it is made, so that nothing of it is left however the process ends; and it is never synced, since what is in it
 * can be had again. A block's bytes must be those that were written: their hash stays in memory. One thread owns it.
 */
#ifndef FORESTALL_ENGINE_SCRATCH_H
#define FORESTALL_ENGINE_SCRATCH_H

#include "base/arena.h"

struct scratch;

struct scratch_block {
    uint64_t hash;
    uint32_t number;
    uint32_t bytes;
};

/* In the folder `dir`, where the first block makes the file; blocks of at most `block_bytes`. */
struct scratch *scratch_new(const char *dir, size_t block_bytes);
void scratch_free(struct scratch *scratch);
size_t scratch_block_bytes(const struct scratch *scratch);
/* At most a block. ERROR_FATAL: the disk is full or fails. */
int scratch_write(struct scratch *scratch, struct str bytes, struct scratch_block *block, struct error *err) MUST_CHECK;
/* Reads a whole block; it is given back. ERROR_FATAL: the disk fails, or gives other bytes. */
int scratch_read(struct scratch *scratch, const struct scratch_block *block, char *to, struct error *err) MUST_CHECK;
/* Gives back a block that nobody will read: its place is used again, and with the last one the file is emptied. */
void scratch_give_back(struct scratch *scratch, const struct scratch_block *block);
/* Bytes of the blocks that are in use; bytes ever written. */
uint64_t scratch_bytes(const struct scratch *scratch);
uint64_t scratch_written(const struct scratch *scratch);

#endif
