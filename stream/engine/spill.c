/* See spill.h. */
#include "engine/spill.h"

#include <stdlib.h>

enum { MERGED = 8 }; /* runs of one level */

struct spill {
    struct scratch *scratch;
    const struct ruleset *rules;
    struct sorted_run **runs; /* a heap by their first items; none is empty */
    size_t count;
    size_t cap;
    struct sorted_run *written; /* NULL: none is */
};

struct spill *spill_new(struct scratch *scratch, const struct ruleset *rules)
{
    struct spill *spill = mem_zalloc(sizeof *spill);
    *spill = (struct spill){.scratch = scratch, .rules = rules};
    return spill;
}

void spill_clear(struct spill *spill)
{
    for (size_t i = 0; i < spill->count; i++)
        sorted_run_free(spill->runs[i]);
    spill->count = 0;
    sorted_run_free(spill->written);
    spill->written = NULL;
}

void spill_free(struct spill *spill)
{
    if (spill == NULL)
        return;
    spill_clear(spill);
    free(spill->runs);
    free(spill);
}

static bool before(const struct sorted_run *a, const struct sorted_run *b)
{
    return pending_before(sorted_run_first(a), sorted_run_first(b));
}

static void sift_down(struct spill *spill, size_t i)
{
    struct sorted_run *run = spill->runs[i];
    for (size_t child; (child = 2 * i + 1) < spill->count; i = child) {
        if (child + 1 < spill->count && before(spill->runs[child + 1], spill->runs[child]))
            child++;
        if (!before(spill->runs[child], run))
            break;
        spill->runs[i] = spill->runs[child];
    }
    spill->runs[i] = run;
}

static void heap_up(struct spill *spill)
{
    for (size_t i = spill->count / 2; i-- > 0;)
        sift_down(spill, i);
}

int spill_add(struct spill *spill, const struct pending_item *item, struct error *err)
{
    if (spill->written == NULL)
        spill->written = sorted_run_new(spill->scratch, 0);
    return sorted_run_add(spill->written, item, err);
}

/* The run that was written is one of those that are read. */
static int take_written(struct spill *spill, struct error *err)
{
    TRY(sorted_run_end(spill->written, err));
    spill->runs = mem_grow(spill->runs, spill->count, &spill->cap, sizeof(struct sorted_run *));
    spill->runs[spill->count++] = spill->written;
    spill->written = NULL;
    heap_up(spill);
    return 0;
}

/* Takes the runs of a level out of the heap when there are enough to merge: MERGED of them, or none. */
static size_t set_aside(struct spill *spill, unsigned level, struct sorted_run **runs)
{
    size_t n = 0;
    size_t kept = 0;
    for (size_t i = 0; i < spill->count; i++)
        n += sorted_run_level(spill->runs[i]) == level;
    if (n < MERGED)
        return 0;
    n = 0;
    for (size_t i = 0; i < spill->count; i++) {
        if (sorted_run_level(spill->runs[i]) == level)
            runs[n++] = spill->runs[i];
        else
            spill->runs[kept++] = spill->runs[i];
    }
    spill->count = kept;
    heap_up(spill);
    return n;
}

static struct sorted_run *least_of(struct sorted_run **runs, size_t n)
{
    struct sorted_run *least = runs[0];
    for (size_t i = 1; i < n; i++)
        if (before(runs[i], least))
            least = runs[i];
    return least;
}

/* Writes the least of the runs' first items, with what other runs have of its pane, and takes them. */
static int merge_first(struct spill *spill, struct sorted_run **runs, size_t n, struct error *err)
{
    struct sorted_run *least = least_of(runs, n);
    struct pending_item item = *sorted_run_first(least);
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++) {
        if (runs[i] == least || !pending_same_pane(sorted_run_first(runs[i]), &item))
            continue;
        struct pane *other = sorted_run_pane(spill->rules, sorted_run_first(runs[i]));
        if (item.pane == NULL)
            item.pane = sorted_run_pane(spill->rules, &item);
        pane_merge(item.pane, other);
        pane_free(other);
        result = sorted_run_next(runs[i], err);
    }
    if (result == 0)
        result = sorted_run_add(spill->written, &item, err);
    pane_free(item.pane);
    return result == 0 ? sorted_run_next(least, err) : -1;
}

/* Frees those that were read to their end; how many are left. */
static size_t drop_empty(struct sorted_run **runs, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        if (sorted_run_first(runs[i]) != NULL)
            runs[left++] = runs[i];
        else
            sorted_run_free(runs[i]);
    }
    return left;
}

static int merge(struct spill *spill, struct sorted_run **runs, size_t n, struct error *err)
{
    int result = 0;
    spill->written = sorted_run_new(spill->scratch, sorted_run_level(runs[0]) + 1);
    while (n > 0 && result == 0) {
        result = merge_first(spill, runs, n, err);
        n = drop_empty(runs, n);
    }
    for (size_t i = 0; i < n; i++)
        sorted_run_free(runs[i]);
    return result == 0 ? take_written(spill, err) : -1;
}

int spill_end(struct spill *spill, struct error *err)
{
    struct sorted_run *runs[MERGED];
    ASSERT(spill->written != NULL);
    TRY(take_written(spill, err));
    for (unsigned level = 0;; level++) {
        size_t n = set_aside(spill, level, runs);
        if (n == 0)
            return 0;
        TRY(merge(spill, runs, n, err));
    }
}

const struct pending_item *spill_first(const struct spill *spill)
{
    return spill->count == 0 ? NULL : sorted_run_first(spill->runs[0]);
}

int spill_next(struct spill *spill, struct error *err)
{
    TRY(sorted_run_next(spill->runs[0], err));
    if (sorted_run_first(spill->runs[0]) == NULL) {
        sorted_run_free(spill->runs[0]);
        spill->runs[0] = spill->runs[--spill->count];
    }
    if (spill->count > 0)
        sift_down(spill, 0);
    return 0;
}

size_t spill_runs(const struct spill *spill)
{
    return spill->count;
}
