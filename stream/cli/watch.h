/* Watches the files of a configuration's rules for changes (inotify), and SIGHUP.
 *
 * Folders are watched with all in them; a file by its name in its folder, so that editors and ConfigMap mounts, which
 * put another in its place, are seen (what it names elsewhere is not). A change is told once nothing has changed for
 * WATCH_QUIET_MS, since saving is seldom one write.
 */
#ifndef FORESTALL_CLI_WATCH_H
#define FORESTALL_CLI_WATCH_H

#include "base/str.h"

enum { WATCH_QUIET_MS = 200 };

struct watch;

/* Paths of files and folders, which must outlive it. Where the system gives no watches a warning is logged, and only
 * SIGHUP tells. */
struct watch *watch_new(const char *const *paths, size_t count);
void watch_free(struct watch *watch);
/* True once a change is complete, or SIGHUP came. Asks the system at most every 50 ms, and never waits. */
bool watch_changed(struct watch *watch);
/* Watches what the paths hold now: after a reload, folders may be new. */
void watch_renew(struct watch *watch);

#endif
