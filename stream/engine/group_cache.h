/* The groups that are in memory, by rule and hash, in order of use: what was used longest ago is the first to go.
 *
 * A group that comes in goes first too, until it is used again; one in some stays as if it had been. So a walk over
 * more groups than there is room for leaves most of what is here where it is, and finds it there the next time.
 */
#ifndef FORESTALL_ENGINE_GROUP_CACHE_H
#define FORESTALL_ENGINE_GROUP_CACHE_H

#include "detect/group.h"

struct group_cache {
    struct group **slots; /* open addressing; NULL: free */
    size_t slot_count;    /* a power of two, or 0 */
    size_t count;
    size_t bytes;         /* as group_cache_weigh counted them */
    struct group *oldest; /* of use */
    struct group *newest;
    uint64_t added;
};

/* Frees the groups. */
void group_cache_fini(struct group_cache *cache);
/* NULL: it is not here. */
struct group *group_cache_find(struct group_cache *cache, int rule_number, uint64_t hash);
void group_cache_add(struct group_cache *cache, struct group *group);
/* Takes it out; it is the caller's. */
void group_cache_remove(struct group_cache *cache, struct group *group);
/* The group was used: it is the last to go now. */
void group_cache_used(struct group_cache *cache, struct group *group);
/* Counts the group's bytes as they are now. */
void group_cache_weigh(struct group_cache *cache, struct group *group);

#endif
