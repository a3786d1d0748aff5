/* Time zones whose names are only known at evaluation. Each thread keeps the ones it met last, by a hash of the name,
 * also names that are no zone's, so that a stream of them does not open a file an event. What is kept never shows in a
 * result. Constant names do not come here: their zones are loaded when the expression is compiled.
 */
#include "rule/cel_zone.h"

#include <pthread.h>
#include <stdlib.h>

enum { ZONES_KEPT = 64, NAME_BYTES_MAX = 60 };

struct kept_zone {
    char name[NAME_BYTES_MAX];
    size_t n;                    /* 0: nothing is kept here */
    const struct cel_zone *zone; /* NULL: the name is no zone's */
    struct arena arena;
};

static pthread_key_t zones_key;
static pthread_once_t zones_once = PTHREAD_ONCE_INIT;
static _Thread_local struct kept_zone *zones;

static void free_zones(void *p)
{
    struct kept_zone *kept = p;
    for (size_t i = 0; i < ZONES_KEPT; i++)
        arena_fini(&kept[i].arena);
    free(kept);
}

static void make_key(void)
{
    ASSERT(pthread_key_create(&zones_key, free_zones) == 0);
}

const struct cel_zone *cel_zone_named(struct str name)
{
    char why[1];
    if (name.n == 0 || name.n > NAME_BYTES_MAX)
        return NULL;
    if (zones == NULL) {
        zones = mem_zalloc(ZONES_KEPT * sizeof *zones);
        (void)pthread_once(&zones_once, make_key);
        (void)pthread_setspecific(zones_key, zones);
    }
    struct kept_zone *kept = &zones[hash_bytes(name.p, name.n, 0) % ZONES_KEPT];
    if (str_eq(name, (struct str){kept->name, kept->n}))
        return kept->zone;
    arena_reset(&kept->arena);
    memcpy(kept->name, name.p, name.n);
    kept->n = name.n;
    if (cel_zone_load(&kept->arena, name, &kept->zone, why, sizeof why) != 0)
        kept->zone = NULL;
    return kept->zone;
}
