/* Time zones by their IANA name, as the system's zoneinfo has them, and fixed offsets such as "+02:00". A zone belongs
 * to the arena that it was loaded into, and is immutable. Instants are seconds since the epoch, dates days since it. */
#ifndef FORESTALL_RULE_CEL_ZONE_H
#define FORESTALL_RULE_CEL_ZONE_H

#include "base/arena.h"

struct cel_zone;

/* 0, or -1 with a message in `why`. */
int cel_zone_load(struct arena *arena, struct str name, const struct cel_zone **zone, char *why, size_t why_size);
/* A fixed offset such as "+02:00", "-9:30", "UTC". False where the name is none. */
bool cel_zone_fixed(struct str name, int32_t *east);
/* Seconds east of UTC that hold at the instant. */
int32_t cel_zone_east(const struct cel_zone *zone, int64_t seconds);
/* The first instant at which the local date is `days` or a later one: its midnight, the first of two where clocks go
 * back over it, and what follows the gap where it does not exist. O(log transitions). */
int64_t cel_zone_date_start(const struct cel_zone *zone, int64_t days);

/* The zone of that name for as long as the caller does not ask again: a thread keeps the last ones. NULL where there is
 * none. No allocation where it is kept. */
const struct cel_zone *cel_zone_named(struct str name);

/* "; did you mean 'Europe/Berlin'?" where a name of the system's zones is near, or ends in `name`; else "". */
const char *cel_zone_suggest(struct arena *arena, struct str name);

#endif
