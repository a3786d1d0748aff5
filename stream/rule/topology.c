/* The graph of services, its components, and all distances within each, by a breadth-first search from each service. */
#include "rule/topology.h"

#include <stdlib.h>

struct builder {
    struct arena *arena;
    struct topology *topology;
    uint16_t *queue; /* of services */
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void collect_names(struct builder *builder, const struct topology_call *calls, size_t n)
{
    struct str *names = arena_alloc(builder->arena, (2 * n + 1) * sizeof *names);
    size_t count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        names[count++] = calls[i].caller;
        if (calls[i].callee.p != NULL)
            names[count++] = calls[i].callee;
    }
    if (count > 0)
        qsort(names, count, sizeof *names, by_text);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_eq(names[kept - 1], names[i]))
            names[kept++] = names[i];
    ASSERT(kept <= TOPOLOGY_SERVICES_MAX);
    builder->topology->names = names;
    builder->topology->count = kept;
}

int topology_find(const struct topology *topology, struct str name)
{
    const struct str *found =
        topology->count == 0 ? NULL : bsearch(&name, topology->names, topology->count, sizeof name, by_text);
    return found == NULL ? -1 : (int)(found - topology->names);
}

struct edge {
    int from;
    int to;
};

static int by_ends(const void *a, const void *b)
{
    const struct edge *x = a;
    const struct edge *y = b;
    return x->from != y->from ? (x->from > y->from) - (x->from < y->from) : (x->to > y->to) - (x->to < y->to);
}

static void collect_calls(struct builder *builder, const struct topology_call *calls, size_t n)
{
    struct topology *topology = builder->topology;
    struct edge *edges = mem_alloc((n + 1) * sizeof *edges);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (calls[i].callee.p != NULL)
            edges[count++] =
                (struct edge){topology_find(topology, calls[i].caller), topology_find(topology, calls[i].callee)};
    if (count > 0)
        qsort(edges, count, sizeof *edges, by_ends);
    size_t *first = arena_zalloc(builder->arena, (topology->count + 1) * sizeof *first);
    uint16_t *callees = arena_alloc(builder->arena, (count + 1) * sizeof *callees);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && by_ends(&edges[i - 1], &edges[i]) == 0)
            continue;
        callees[kept++] = (uint16_t)edges[i].to;
        first[edges[i].from + 1] = kept;
    }
    for (size_t i = 1; i <= topology->count; i++)
        first[i] = first[i] < first[i - 1] ? first[i - 1] : first[i];
    topology->first_call = first;
    topology->calls = callees;
    free(edges);
}

/* The name that stands for the service's component (union by path halving). */
static uint16_t stand_in(uint16_t *leader, uint16_t service)
{
    while (leader[service] != service)
        service = leader[service] = leader[leader[service]];
    return service;
}

static void join(struct builder *builder)
{
    struct topology *topology = builder->topology;
    size_t n = topology->count;
    uint16_t *component = arena_alloc(builder->arena, (n + 1) * sizeof *component);
    uint16_t *member = arena_alloc(builder->arena, (n + 1) * sizeof *member);
    size_t *size = arena_zalloc(builder->arena, (n + 1) * sizeof *size);
    uint16_t *leader = builder->queue; /* not in use yet */
    for (size_t i = 0; i < n; i++)
        leader[i] = (uint16_t)i;
    for (size_t i = 0; i < n; i++)
        for (size_t k = topology->first_call[i]; k < topology->first_call[i + 1]; k++) {
            uint16_t a = stand_in(leader, (uint16_t)i);
            uint16_t b = stand_in(leader, topology->calls[k]);
            leader[a > b ? a : b] = a > b ? b : a; /* the first name leads, so that it is numbered first */
        }
    uint16_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t first = stand_in(leader, (uint16_t)i);
        component[i] = first == i ? count++ : component[first];
        member[i] = (uint16_t)size[component[i]]++;
    }
    topology->component = component;
    topology->component_size = size;
    topology->member = member;
}

/* The distances from one service, into its row of its component's table. */
static void search(struct builder *builder, uint16_t from, uint16_t *row)
{
    const struct topology *topology = builder->topology;
    size_t head = 0;
    size_t end = 0;
    row[topology->member[from]] = 0;
    builder->queue[end++] = from;
    while (head < end) {
        uint16_t service = builder->queue[head++];
        for (size_t k = topology->first_call[service]; k < topology->first_call[service + 1]; k++) {
            uint16_t *distance = &row[topology->member[topology->calls[k]]];
            if (*distance != TOPOLOGY_APART)
                continue;
            *distance = (uint16_t)(row[topology->member[service]] + 1);
            builder->queue[end++] = topology->calls[k];
        }
    }
}

static void measure(struct builder *builder)
{
    struct topology *topology = builder->topology;
    uint16_t **tables = arena_zalloc(builder->arena, (topology->count + 1) * sizeof(uint16_t *));
    for (size_t i = 0; i < topology->count; i++) {
        size_t size = topology->component_size[topology->component[i]];
        uint16_t **table = &tables[topology->component[i]];
        if (*table == NULL) {
            *table = arena_alloc(builder->arena, size * size * sizeof **table);
            memset(*table, 0xff, size * size * sizeof **table);
        }
        search(builder, (uint16_t)i, *table + topology->member[i] * size);
    }
    topology->distances = (const uint16_t *const *)tables;
}

struct topology *topology_new(struct arena *arena, const struct topology_call *calls, size_t n)
{
    struct topology *topology = arena_zalloc(arena, sizeof *topology);
    struct builder builder = {.arena = arena, .topology = topology};
    collect_names(&builder, calls, n);
    collect_calls(&builder, calls, n);
    builder.queue = mem_alloc((topology->count + 1) * sizeof *builder.queue);
    join(&builder);
    measure(&builder);
    free(builder.queue);
    return topology;
}

int topology_distance(const struct topology *topology, int from, int to)
{
    size_t component = topology->component[from];
    if (component != topology->component[to])
        return TOPOLOGY_APART;
    return topology
        ->distances[component][topology->member[from] * topology->component_size[component] + topology->member[to]];
}

/* How far the affected are from a service. */
struct reach {
    bool all;
    int largest;
    int64_t sum;
};

static struct reach reach_of(const struct topology *topology, const int *affected, size_t n, int service)
{
    struct reach reach = {.all = true};
    for (size_t i = 0; i < n && reach.all; i++) {
        int distance = topology_distance(topology, affected[i], service);
        reach.all = distance != TOPOLOGY_APART;
        reach.largest = distance > reach.largest ? distance : reach.largest;
        reach.sum += distance;
    }
    return reach;
}

int topology_root(const struct topology *topology, const int *affected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (reach_of(topology, affected, n, affected[i]).all)
            return affected[i];
    int best = -1;
    struct reach least = {.largest = TOPOLOGY_APART};
    for (int i = 0; (size_t)i < topology->count; i++) {
        if (topology->component[i] != topology->component[affected[0]])
            continue;
        struct reach reach = reach_of(topology, affected, n, i);
        if (reach.all && (reach.largest < least.largest || (reach.largest == least.largest && reach.sum < least.sum))) {
            least = reach;
            best = i;
        }
    }
    return best;
}

void topology_encode(struct buf *out, const struct topology *topology)
{
    buf_varint(out, topology->count);
    for (size_t i = 0; i < topology->count; i++) {
        buf_text(out, topology->names[i]);
        buf_varint(out, topology->first_call[i + 1] - topology->first_call[i]);
        for (size_t k = topology->first_call[i]; k < topology->first_call[i + 1]; k++)
            buf_varint(out, topology->calls[k]);
    }
}
