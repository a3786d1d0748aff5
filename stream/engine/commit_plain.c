/* The commit without Kafka: records go to a callback, the state to its store. For replay, demo and tests. */
#include <stdlib.h>

#include "engine/commit.h"

struct commit_plain {
    struct commit base;
    int (*write)(void *context, const struct commit_record *record, struct error *err);
    void *context;
};

static int plain_commit(struct commit *commit, const struct commit_batch *batch, struct state *state, struct error *err)
{
    struct commit_plain *plain = (struct commit_plain *)commit;
    for (size_t i = 0; i < batch->record_count; i++)
        TRY(plain->write(plain->context, &batch->records[i], err));
    const struct str_pair *dirty;
    size_t count = state_dirty(state, &dirty);
    struct store *store = state_store(state);
    TRY(store->ops->write(store, dirty, count, err));
    state_settle(state);
    return 0;
}

/* There is nothing to come back to: it always is a first start, and the source stands where it was opened. */
static int plain_restore(struct commit *commit, struct state *state, struct arena *arena, struct commit_restored *out,
                         struct error *err)
{
    (void)commit;
    (void)arena;
    (void)err;
    state_drop(state);
    *out = (struct commit_restored){.first_start = true, .applied_ms = INT64_MIN};
    return 0;
}

static void plain_close(struct commit *commit)
{
    free(commit);
}

struct commit *commit_plain_new(int (*write)(void *context, const struct commit_record *record, struct error *err),
                                void *context)
{
    static const struct commit_ops ops = {.commit = plain_commit, .restore = plain_restore, .close = plain_close};
    struct commit_plain *plain = mem_zalloc(sizeof *plain);
    *plain = (struct commit_plain){{&ops}, write, context};
    return &plain->base;
}
