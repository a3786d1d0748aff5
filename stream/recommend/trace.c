/* Traces as entries of the state: all there is to one is its key. */
#include "recommend/trace.h"

static void put_prefix(struct buf *out, int task, uint64_t rule_hash, uint64_t group, struct str row)
{
    state_key(out, task, STATE_TRACE);
    buf_u64(out, rule_hash);
    buf_u64(out, group);
    buf_str_put(out, row);
}

static void put_key(struct buf *out, const struct trace *trace)
{
    put_prefix(out, group_task(trace->group, trace->to->tasks), trace->to->rule->hash, trace->group, trace->row);
    buf_u64(out, trace->to->hash);
}

void trace_put(const struct trace *trace, struct state *state)
{
    struct buf key = {0};
    put_key(&key, trace);
    state_put(state, buf_str(&key), STR_LIT("\1")); /* an empty value would be a deletion to the changelog */
    buf_fini(&key);
}

void trace_del(const struct trace *trace, struct state *state)
{
    struct buf key = {0};
    put_key(&key, trace);
    state_del(state, buf_str(&key));
    buf_fini(&key);
}

struct found {
    struct arena *arena;
    uint64_t *hashes;
    size_t count;
    size_t cap;
};

static int take(void *context, struct str key, struct str value)
{
    struct found *found = context;
    (void)value;
    if (found->count == found->cap) {
        size_t cap = found->cap == 0 ? 4 : found->cap * 2;
        uint64_t *hashes = arena_alloc(found->arena, cap * sizeof *hashes);
        if (found->count > 0)
            memcpy(hashes, found->hashes, found->count * sizeof *hashes);
        found->hashes = hashes;
        found->cap = cap;
    }
    struct reader r = reader_of(key.p + key.n - 8, 8);
    found->hashes[found->count++] = read_u64(&r);
    return 0;
}

int trace_find(const struct group *group, struct str row, struct state *state, struct arena *arena, struct traced *out,
               struct error *err)
{
    struct found found = {.arena = arena};
    struct buf prefix = {0};
    put_prefix(&prefix, group->task, group->rule->hash, group->hash, row);
    int result = state_scan(state, buf_str(&prefix), take, &found, err);
    buf_fini(&prefix);
    *out = (struct traced){found.hashes, found.count};
    return result;
}
