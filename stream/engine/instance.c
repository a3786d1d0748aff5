/* state_dir/instance holds the id and carries the lock. */
#include "engine/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum { ID_DIGITS = 8 };

struct instance {
    int fd;
    char id[ID_DIGITS + 1];
    char *store_dir;
};

static int directory_make(const char *path, struct error *err)
{
    char *copy = mem_strdup(str_of(path));
    int result = 0;
    for (char *p = copy + 1; result == 0; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0750) != 0 && errno != EEXIST)
            result = error_set(err, ERROR_FATAL, "state.dir %s cannot be made: %s: %s", path, copy, strerror(errno));
        *p = c;
        if (c == '\0')
            break;
    }
    free(copy);
    return result;
}

static bool id_valid(const char *id, ssize_t n)
{
    if (n != ID_DIGITS)
        return false;
    for (ssize_t i = 0; i < n; i++)
        if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f')))
            return false;
    return true;
}

/* Reads the id, or makes one; a torn file of a crash in the middle is made anew. */
static int id_settle(struct instance *instance, const char *path, struct error *err)
{
    ssize_t n = pread(instance->fd, instance->id, ID_DIGITS, 0);
    if (id_valid(instance->id, n))
        return 0;
    uint32_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return error_set(err, ERROR_FATAL, "the system gives no random bytes");
    (void)snprintf(instance->id, sizeof instance->id, "%08x", (unsigned)number);
    if (ftruncate(instance->fd, 0) != 0 || pwrite(instance->fd, instance->id, ID_DIGITS, 0) != ID_DIGITS ||
        fsync(instance->fd) != 0)
        return error_set(err, ERROR_FATAL, "%s cannot be written: %s", path, strerror(errno));
    return 0;
}

static int lock_take(struct instance *instance, const char *state_dir, const char *path, struct error *err)
{
    instance->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (instance->fd < 0)
        return error_set(err, ERROR_FATAL, "%s cannot be opened: %s", path, strerror(errno));
    if (flock(instance->fd, LOCK_EX | LOCK_NB) == 0)
        return id_settle(instance, path, err);
    if (errno != EWOULDBLOCK) /* as of a file system without locks */
        return error_set(err, ERROR_FATAL, "%s cannot be locked: %s", path, strerror(errno));
    return error_set(err, ERROR_FATAL, "state.dir %s is in use by another process: stop it, or give this one its own",
                     state_dir);
}

int instance_open(struct instance **instance, const char *state_dir, struct error *err)
{
    TRY(directory_make(state_dir, err));
    struct buf path = {0};
    buf_printf(&path, "%s/instance", state_dir);
    buf_byte(&path, '\0');
    struct instance *self = mem_zalloc(sizeof *self);
    int result = lock_take(self, state_dir, path.p, err);
    buf_reset(&path);
    buf_printf(&path, "%s/store", state_dir);
    self->store_dir = mem_strdup(buf_str(&path));
    buf_fini(&path);
    if (result != 0) {
        instance_close(self);
        return -1;
    }
    *instance = self;
    return 0;
}

const char *instance_id(const struct instance *instance)
{
    return instance->id;
}

const char *instance_store_dir(const struct instance *instance)
{
    return instance->store_dir;
}

void instance_close(struct instance *instance)
{
    if (instance->fd >= 0)
        (void)close(instance->fd);
    free(instance->store_dir);
    free(instance);
}
