/* Reads the environment once, at the first point passed; the commit's thread is the only one that passes any. */
#include "base/failpoint.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool known;
static const char *wanted; /* NULL: none */
static size_t wanted_n;
static long passes_left;

static void failpoint_read(void)
{
    known = true;
    const char *text = getenv("FORESTALL_FAILPOINT");
    if (text == NULL || *text == '\0')
        return;
    const char *colon = strchr(text, ':');
    wanted = text;
    wanted_n = colon != NULL ? (size_t)(colon - text) : strlen(text);
    passes_left = colon != NULL ? strtol(colon + 1, NULL, 10) : 1;
}

void failpoint(const char *name)
{
    if (!known)
        failpoint_read();
    if (wanted == NULL || strlen(name) != wanted_n || memcmp(name, wanted, wanted_n) != 0)
        return;
    if (--passes_left == 0)
        (void)raise(SIGKILL);
}
