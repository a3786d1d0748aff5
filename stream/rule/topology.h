/* Which service calls which: the one graph of all files' topologies, with what a cascade asks of it worked out.
 *
 * Immutable once built. Services are numbered in order of their names. The distances take two bytes a pair of services
 * of one component: at most 8 MB.
 */
#ifndef FORESTALL_RULE_TOPOLOGY_H
#define FORESTALL_RULE_TOPOLOGY_H

#include "base/buf.h"

enum { TOPOLOGY_SERVICES_MAX = 2000 };

/* One line of a topology; callee p NULL: a service that calls none. */
struct topology_call {
    struct str caller;
    struct str callee;
};

struct topology {
    const struct str *names; /* sorted */
    size_t count;
    const size_t *first_call;  /* service -> its first callee; count + 1 of them */
    const uint16_t *calls;     /* callees, in order of (caller, callee) */
    const uint16_t *component; /* service -> number of its component: joined by calls in whatever direction */
    const uint16_t *member;    /* service -> its number within its component */
    const size_t *component_size;
    const uint16_t *const *distances; /* by component: [from member * size + to member], as topology_distance */
};

/* The graph of the calls, which may repeat; names must be at most TOPOLOGY_SERVICES_MAX different ones. Names borrow
 * from the calls. O(services x calls). */
struct topology *topology_new(struct arena *arena, const struct topology_call *calls, size_t n);
/* -1: in no topology. */
int topology_find(const struct topology *topology, struct str name);

enum { TOPOLOGY_APART = UINT16_MAX };
/* The least number of calls from one service to another; TOPOLOGY_APART: there is no way. */
int topology_distance(const struct topology *topology, int from, int to);

/* What explains that all of `affected` fail, services of one component in the order in which they failed: the first of
 * them that all others reach along their calls, else the service that all reach with the least largest distance, then
 * the least sum of distances, then by name. -1: there is none. O(affected x services of the component). */
int topology_root(const struct topology *topology, const int *affected, size_t n);

/* The graph's canonical bytes: equal for equal graphs. */
void topology_encode(struct buf *out, const struct topology *topology);

#endif
