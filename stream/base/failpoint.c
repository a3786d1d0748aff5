/* Reads the environment once, at the first point passed. */
#include "base/failpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t known = PTHREAD_ONCE_INIT;
static const char *wanted; /* NULL: none */
static size_t wanted_n;
static int what = SIGKILL;
static atomic_long passes_left;

static void failpoint_read(void)
{
    const char *text = getenv(FAILPOINT_VARIABLE);
    if (text == NULL || *text == '\0')
        return;
    const char *colon = strchr(text, ':');
    wanted = text;
    wanted_n = colon != NULL ? (size_t)(colon - text) : strlen(text);
    atomic_store(&passes_left, colon != NULL ? strtol(colon + 1, NULL, 10) : 1);
    if (colon != NULL && strstr(colon + 1, ":stop") != NULL)
        what = SIGSTOP;
}

void failpoint(const char *name)
{
    (void)pthread_once(&known, failpoint_read);
    if (wanted == NULL || strlen(name) != wanted_n || memcmp(name, wanted, wanted_n) != 0)
        return;
    if (atomic_fetch_sub(&passes_left, 1) == 1)
        (void)raise(what);
}
