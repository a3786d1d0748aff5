/* See scratch.h. */
#include "engine/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

struct scratch {
    char *dir;
    size_t block_bytes;
    int fd;         /* -1: not made yet */
    uint32_t count; /* of the blocks that the file has room for */
    uint32_t *unused;
    size_t unused_count;
    size_t unused_cap;
    uint64_t bytes;
    uint64_t written;
};

struct scratch *scratch_new(const char *dir, size_t block_bytes)
{
    struct scratch *scratch = mem_zalloc(sizeof *scratch);
    *scratch = (struct scratch){.dir = mem_strdup(str_of(dir)), .block_bytes = block_bytes, .fd = -1};
    return scratch;
}

void scratch_free(struct scratch *scratch)
{
    if (scratch == NULL)
        return;
    if (scratch->fd >= 0)
        (void)close(scratch->fd);
    free(scratch->unused);
    free(scratch->dir);
    free(scratch);
}

size_t scratch_block_bytes(const struct scratch *scratch)
{
    return scratch->block_bytes;
}

/* Whatever fails, what was in the file is read from the log again after the next start. */
static int failed(const struct scratch *scratch, const char *what, int reason, struct error *err)
{
    bool full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
    return error_set(err, ERROR_FATAL,
                     "what waits for its time cannot be %s in %s: %s (%s and start again: nothing is lost)", what,
                     scratch->dir, strerror(reason), full ? "free some space" : "see to the disk");
}

static int make(struct scratch *scratch, struct error *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/pending-XXXXXX", scratch->dir);
    buf_byte(&path, '\0');
    scratch->fd = mkstemp(path.p);
    int result = 0;
    if (scratch->fd < 0 || unlink(path.p) != 0 || fcntl(scratch->fd, F_SETFD, FD_CLOEXEC) != 0)
        result = failed(scratch, "written", errno, err);
    buf_fini(&path);
    return result;
}

static off_t place_of(const struct scratch *scratch, uint32_t number)
{
    return (off_t)number * (off_t)scratch->block_bytes;
}

static int write_all(const struct scratch *scratch, struct str bytes, off_t at, struct error *err)
{
    while (bytes.n > 0) {
        ssize_t n = pwrite(scratch->fd, bytes.p, bytes.n, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(scratch, "written", n < 0 ? errno : ENOSPC, err);
        bytes = (struct str){bytes.p + n, bytes.n - (size_t)n};
        at += n;
    }
    return 0;
}

int scratch_write(struct scratch *scratch, struct str bytes, struct scratch_block *block, struct error *err)
{
    ASSERT(bytes.n <= scratch->block_bytes);
    if (scratch->fd < 0)
        TRY(make(scratch, err));
    uint32_t number = scratch->unused_count > 0 ? scratch->unused[scratch->unused_count - 1] : scratch->count;
    TRY(write_all(scratch, bytes, place_of(scratch, number), err));
    if (scratch->unused_count > 0)
        scratch->unused_count--;
    else
        scratch->count++;
    *block = (struct scratch_block){str_hash(bytes), number, (uint32_t)bytes.n};
    scratch->bytes += bytes.n;
    scratch->written += bytes.n;
    return 0;
}

int scratch_read(struct scratch *scratch, const struct scratch_block *block, char *to, struct error *err)
{
    for (size_t got = 0; got < block->bytes;) {
        ssize_t n = pread(scratch->fd, to + got, block->bytes - got, place_of(scratch, block->number) + (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(scratch, "read", n < 0 ? errno : EIO, err);
        got += (size_t)n;
    }
    if (str_hash((struct str){to, block->bytes}) != block->hash)
        return failed(scratch, "read", EIO, err);
    scratch_give_back(scratch, block);
    return 0;
}

void scratch_give_back(struct scratch *scratch, const struct scratch_block *block)
{
    scratch->unused = mem_grow(scratch->unused, scratch->unused_count, &scratch->unused_cap, sizeof *scratch->unused);
    scratch->unused[scratch->unused_count++] = block->number;
    scratch->bytes -= block->bytes;
    if (scratch->unused_count < scratch->count)
        return;
    scratch->unused_count = scratch->count = 0;
    (void)!ftruncate(scratch->fd, 0); /* where it fails the blocks are written over */
}

uint64_t scratch_bytes(const struct scratch *scratch)
{
    return scratch->bytes;
}

uint64_t scratch_written(const struct scratch *scratch)
{
    return scratch->written;
}
