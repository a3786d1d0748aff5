/* See sorted_run.h. */
#include "engine/sorted_run.h"

#include <stdlib.h>

/* An item as it is written: this, its key, its bytes. */
struct record {
    int64_t time_ms;
    uint64_t group;
    struct position at;
    int32_t rule;
    uint32_t key_n;
    uint32_t bytes_n;
    uint8_t level;
    uint8_t stage;
    uint8_t kind;
};

struct sorted_run {
    struct scratch *scratch;
    unsigned level;
    struct scratch_block *blocks;
    size_t count;
    size_t cap;
    size_t next;      /* block to be read */
    struct buf bytes; /* written: what fills no block yet; read: from `at` on what comes after the first item */
    size_t at;
    struct pending_item first;
    bool any; /* there is a first item */
};

struct sorted_run *sorted_run_new(struct scratch *scratch, unsigned level)
{
    struct sorted_run *run = mem_zalloc(sizeof *run);
    run->scratch = scratch;
    run->level = level;
    return run;
}

void sorted_run_free(struct sorted_run *run)
{
    if (run == NULL)
        return;
    for (size_t i = run->next; i < run->count; i++)
        scratch_give_back(run->scratch, &run->blocks[i]);
    free(run->blocks);
    buf_fini(&run->bytes);
    free(run);
}

unsigned sorted_run_level(const struct sorted_run *run)
{
    return run->level;
}

/* Writes whole blocks, and with `all` what is left. */
static int write_blocks(struct sorted_run *run, bool all, struct error *err)
{
    size_t block_bytes = scratch_block_bytes(run->scratch);
    size_t from = 0;
    while (run->bytes.len - from >= block_bytes || (all && run->bytes.len > from)) {
        size_t left = run->bytes.len - from;
        struct str bytes = {run->bytes.p + from, left < block_bytes ? left : block_bytes};
        run->blocks = mem_grow(run->blocks, run->count, &run->cap, sizeof *run->blocks);
        TRY(scratch_write(run->scratch, bytes, &run->blocks[run->count], err));
        run->count++;
        from += bytes.n;
    }
    if (from > 0)
        memmove(run->bytes.p, run->bytes.p + from, run->bytes.len - from);
    run->bytes.len -= from;
    return 0;
}

int sorted_run_add(struct sorted_run *run, const struct pending_item *item, struct error *err)
{
    struct record record = {.time_ms = item->time_ms,
                            .group = item->group,
                            .at = item->at,
                            .rule = item->rule,
                            .key_n = (uint32_t)item->key.n,
                            .level = item->level,
                            .stage = item->stage,
                            .kind = item->kind};
    size_t from = run->bytes.len;
    buf_put(&run->bytes, &record, sizeof record);
    buf_str_put(&run->bytes, item->key);
    size_t bytes_from = run->bytes.len;
    if (item->pane != NULL) {
        buf_zigzag(&run->bytes, item->pane->start_ms);
        pane_encode(&run->bytes, item->pane);
    } else {
        buf_str_put(&run->bytes, item->bytes);
    }
    record.bytes_n = (uint32_t)(run->bytes.len - bytes_from);
    memcpy(run->bytes.p + from, &record, sizeof record);
    return write_blocks(run, false, err);
}

/* Sees to it that `n` bytes follow `at`. */
static int fill(struct sorted_run *run, size_t n, struct error *err)
{
    if (run->bytes.len - run->at >= n)
        return 0;
    if (run->at > 0)
        memmove(run->bytes.p, run->bytes.p + run->at, run->bytes.len - run->at);
    run->bytes.len -= run->at;
    run->at = 0;
    while (run->bytes.len < n) {
        ASSERT(run->next < run->count); /* blocks are as they were written, so items end where runs do */
        const struct scratch_block *block = &run->blocks[run->next];
        TRY(scratch_read(run->scratch, block, buf_reserve(&run->bytes, block->bytes), err));
        run->bytes.len += block->bytes;
        run->next++;
    }
    return 0;
}

int sorted_run_next(struct sorted_run *run, struct error *err)
{
    struct record record;
    run->any = false;
    if (run->at == run->bytes.len && run->next == run->count)
        return 0;
    TRY(fill(run, sizeof record, err));
    memcpy(&record, run->bytes.p + run->at, sizeof record);
    size_t bytes_n = record.key_n + (size_t)record.bytes_n;
    TRY(fill(run, sizeof record + bytes_n, err));
    const char *p = run->bytes.p + run->at + sizeof record;
    run->first = (struct pending_item){.time_ms = record.time_ms,
                                       .group = record.group,
                                       .at = record.at,
                                       .rule = record.rule,
                                       .level = record.level,
                                       .stage = record.stage,
                                       .kind = record.kind,
                                       .key = {p, record.key_n},
                                       .bytes = {p + record.key_n, record.bytes_n}};
    run->at += sizeof record + bytes_n;
    run->any = true;
    return 0;
}

int sorted_run_end(struct sorted_run *run, struct error *err)
{
    TRY(write_blocks(run, true, err));
    buf_fini(&run->bytes); /* it may have grown with a large item */
    return sorted_run_next(run, err);
}

const struct pending_item *sorted_run_first(const struct sorted_run *run)
{
    return run->any ? &run->first : NULL;
}

struct pane *sorted_run_pane(const struct ruleset *rules, const struct pending_item *item)
{
    struct reader r = reader_of(item->bytes.p, item->bytes.n);
    int64_t start_ms = read_zigzag(&r);
    struct pane *pane =
        pane_decode(&rules->rules[item->rule], start_ms, (struct str){(const char *)r.p, reader_left(&r)});
    ASSERT(pane != NULL);
    return pane;
}
