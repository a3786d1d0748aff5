/* inotify over the folders of rules. */
#include "cli/watch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/stop.h"

enum { ASK_EVERY_US = 50 * 1000, DEPTH_MAX = 16, EVENTS_BYTES = 16 * 1024, PATH_BYTES = 4096 };
static const uint32_t changes =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/* What a ConfigMap mount renames when its contents change. */
static const char mount_link[] = "..data";

struct watched {
    int id;
    const char *name; /* of the file in the folder that counts; NULL: any */
};

struct watch {
    const char *const *paths;
    size_t count;
    int fd; /* -1: the system gives none */
    struct watched *watched;
    size_t watched_count;
    size_t watched_cap;
    int64_t asked_us;   /* when the system was last asked */
    int64_t changed_us; /* the newest change not told yet; 0: none */
};

static void add(struct watch *watch, const char *folder, const char *name)
{
    int id = inotify_add_watch(watch->fd, folder, changes);
    if (id < 0) {
        log_warn("changes of rules in this folder are not seen: send SIGHUP after them", LOG_S("folder", folder),
                 LOG_S("reason", strerror(errno)));
        return;
    }
    watch->watched = mem_grow(watch->watched, watch->watched_count, &watch->watched_cap, sizeof *watch->watched);
    watch->watched[watch->watched_count++] = (struct watched){id, name};
}

static void add_folder(struct watch *watch, const char *path, int depth)
{
    add(watch, path, NULL);
    DIR *folder = depth < DEPTH_MAX ? opendir(path) : NULL;
    if (folder == NULL)
        return;
    struct dirent *entry = NULL;
    while ((entry = readdir(folder)) != NULL) {
        char inside[PATH_BYTES];
        struct stat info;
        if (entry->d_name[0] == '.' ||
            snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) >= (int)sizeof inside)
            continue;
        if (stat(inside, &info) == 0 && S_ISDIR(info.st_mode))
            add_folder(watch, inside, depth + 1);
    }
    (void)closedir(folder);
}

static void add_path(struct watch *watch, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        add_folder(watch, path, 0);
        return;
    }
    const char *slash = strrchr(path, '/');
    char folder[PATH_BYTES] = ".";
    if (slash != NULL)
        (void)snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    add(watch, folder, slash == NULL ? path : slash + 1);
}

void watch_renew(struct watch *watch)
{
    if (watch->fd >= 0)
        (void)close(watch->fd);
    watch->watched_count = 0;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        log_warn("changes of rules are not seen: send SIGHUP after them", LOG_S("reason", strerror(errno)));
        return;
    }
    for (size_t i = 0; i < watch->count; i++)
        add_path(watch, watch->paths[i]);
}

struct watch *watch_new(const char *const *paths, size_t count)
{
    struct watch *watch = mem_zalloc(sizeof *watch);
    *watch = (struct watch){.paths = paths, .count = count, .fd = -1};
    watch_renew(watch);
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->fd >= 0)
        (void)close(watch->fd);
    free(watch->watched);
    free(watch);
}

/* Whether the event is about rules; one that cannot be told is. */
static bool counts(const struct watch *watch, const struct inotify_event *event)
{
    if ((event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF)) != 0)
        return true;
    for (size_t i = 0; i < watch->watched_count; i++) {
        const struct watched *watched = &watch->watched[i];
        if (watched->id != event->wd)
            continue;
        if (watched->name == NULL || event->len == 0 || strcmp(watched->name, event->name) == 0 ||
            strcmp(event->name, mount_link) == 0)
            return true;
    }
    return false;
}

/* Takes all that the system has to tell; true: something changed. */
static bool drain(struct watch *watch)
{
    _Alignas(struct inotify_event) char events[EVENTS_BYTES];
    bool any = false;
    ssize_t n = 0;
    while (watch->fd >= 0 && (n = read(watch->fd, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < n;) {
            struct inotify_event event;
            memcpy(&event, events + at, sizeof event);
            any = any || counts(watch, (const struct inotify_event *)(const void *)(events + at));
            at += (ssize_t)(sizeof event + event.len);
        }
    return any;
}

bool watch_changed(struct watch *watch)
{
    int64_t now_us = clock_mono_us();
    if (stop_hangup()) {
        watch->changed_us = 0;
        (void)drain(watch);
        return true;
    }
    if (now_us - watch->asked_us < ASK_EVERY_US)
        return false;
    watch->asked_us = now_us;
    if (drain(watch)) {
        watch->changed_us = now_us;
        return false;
    }
    if (watch->changed_us == 0 || now_us - watch->changed_us < (int64_t)WATCH_QUIET_MS * 1000)
        return false;
    watch->changed_us = 0;
    return true;
}
