/* See spool.h. A record is two lengths and their bytes; a length counts one more than there are, and 0 is none at all.
 */
#include "cli/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

struct spool {
    const char *dir;
    FILE *file;
    uint64_t count;
};

static int failed(const struct spool *spool, struct error *err)
{
    return error_set(err, ERROR_FATAL,
                     "what is to be published cannot be kept in %s until the end: %s (another folder is named by "
                     "TMPDIR)",
                     spool->dir, strerror(errno != 0 ? errno : EIO));
}

int spool_open(struct spool **out, struct error *err)
{
    const char *dir = getenv("TMPDIR");
    struct spool *spool = mem_zalloc(sizeof *spool);
    spool->dir = dir != NULL && dir[0] != '\0' ? dir : "/var/tmp";
    struct buf path = {0};
    buf_printf(&path, "%s/forestall-replay-XXXXXX", spool->dir);
    buf_byte(&path, '\0');
    int fd = mkstemp(path.p);
    if (fd >= 0 && unlink(path.p) == 0)
        spool->file = fdopen(fd, "w+");
    int result = spool->file == NULL ? failed(spool, err) : 0;
    buf_fini(&path);
    if (result != 0) {
        if (fd >= 0)
            (void)close(fd);
        free(spool);
        return -1;
    }
    *out = spool;
    return 0;
}

static bool put(FILE *file, struct str text)
{
    return text.n == 0 || fwrite(text.p, 1, text.n, file) == text.n;
}

static uint64_t length_of(struct str text)
{
    return text.p == NULL ? 0 : text.n + 1;
}

int spool_put(struct spool *spool, struct str key, struct str value, struct error *err)
{
    const uint64_t lengths[2] = {length_of(key), length_of(value)};
    errno = 0;
    if (fwrite(lengths, sizeof lengths, 1, spool->file) != 1 || !put(spool->file, key) || !put(spool->file, value))
        return failed(spool, err);
    spool->count++;
    return 0;
}

static struct str str_at(const char *p, uint64_t length)
{
    return length == 0 ? (struct str){0} : (struct str){p, length - 1};
}

struct each {
    int (*take)(void *context, struct str key, struct str value, struct error *err);
    void *context;
    struct buf bytes;
};

static int take_next(struct spool *spool, struct each *each, struct error *err)
{
    uint64_t lengths[2];
    errno = 0;
    if (fread(lengths, sizeof lengths, 1, spool->file) != 1)
        return failed(spool, err);
    size_t key_n = str_at("", lengths[0]).n;
    size_t n = key_n + str_at("", lengths[1]).n;
    buf_reset(&each->bytes);
    char *p = buf_reserve(&each->bytes, n + 1);
    if (fread(p, 1, n, spool->file) != n)
        return failed(spool, err);
    return each->take(each->context, str_at(p, lengths[0]), str_at(p + key_n, lengths[1]), err);
}

int spool_each(struct spool *spool, int (*take)(void *context, struct str key, struct str value, struct error *err),
               void *context, struct error *err)
{
    struct each each = {.take = take, .context = context};
    errno = 0;
    int result = fseek(spool->file, 0, SEEK_SET) != 0 ? failed(spool, err) : 0; /* writes what is buffered */
    for (uint64_t i = 0; i < spool->count && result == 0; i++)
        result = take_next(spool, &each, err);
    buf_fini(&each.bytes);
    return result;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL)
        return;
    (void)fclose(spool->file);
    free(spool);
}
