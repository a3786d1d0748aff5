/* Counting of what incidents name. */
#include "recommend/tally.h"

#include <stdlib.h>

#include "recommend/remembered.h"

size_t tally_max(enum tally_kind kind)
{
    return kind == TALLY_CODE_REFS ? 50 : 20;
}

static void cut(struct tallies *tallies, size_t count)
{
    while (tallies->count > count)
        free((void *)(uintptr_t)tallies->items[--tallies->count].text.p);
}

void tallies_fini(struct tallies *tallies)
{
    cut(tallies, 0);
    free(tallies->items);
    *tallies = (struct tallies){0};
}

void tallies_encode(struct buf *out, const struct tallies *tallies)
{
    buf_varint(out, tallies->count);
    for (size_t i = 0; i < tallies->count; i++) {
        buf_text(out, tallies->items[i].text);
        buf_varint(out, tallies->items[i].count);
    }
}

static void append(struct tallies *tallies, struct tally item)
{
    tallies->items = mem_grow(tallies->items, tallies->count, &tallies->cap, sizeof *tallies->items);
    tallies->items[tallies->count++] = (struct tally){{mem_strdup(item.text), item.text.n}, item.count};
}

void tallies_decode(struct reader *r, enum tally_kind kind, struct tallies *tallies)
{
    uint64_t count = read_varint(r);
    if (count > tally_max(kind))
        r->failed = true;
    for (uint64_t i = 0; i < count && !r->failed; i++) {
        struct str text = read_text(r);
        append(tallies, (struct tally){text, read_varint(r)});
    }
}

/* A text that an incident names. */
struct naming {
    struct str text;
    size_t incident; /* SIZE_MAX: already counted, `count` times */
    uint64_t count;
};

static int naming_order(const void *left, const void *right)
{
    const struct naming *a = left;
    const struct naming *b = right;
    int order = str_cmp(a->text, b->text);
    return order != 0 ? order : (a->incident > b->incident) - (a->incident < b->incident);
}

/* The most frequent first; among equals by text. */
static int tally_rank(const void *left, const void *right)
{
    const struct tally *a = left;
    const struct tally *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return str_cmp(a->text, b->text);
}

/* What one row names, appended to `out` from `n` on; only counts where `out` is NULL. The new n. */
static size_t gather_row(enum tally_kind kind, const struct remembered *row, size_t incident, struct naming *out,
                         size_t n)
{
    if (kind != TALLY_CODE_REFS) {
        struct str text = kind == TALLY_ROOT_CAUSES ? row->root_cause : row->component;
        if (out != NULL && text.n > 0)
            out[n] = (struct naming){text, incident, 1};
        return n + (text.n > 0);
    }
    struct reader r = reader_of(row->code_refs.p, row->code_refs.n);
    for (; reader_left(&r) > 0; n++) {
        struct str text = read_text(&r);
        if (out != NULL)
            out[n] = (struct naming){text, incident, 1};
    }
    return n;
}

static size_t gather(enum tally_kind kind, struct remembered *const *rows, size_t row_count, struct naming *out)
{
    size_t n = 0;
    for (size_t from = 0, end; from < row_count; from = end) {
        end = remembered_incident_end(rows, row_count, from);
        bool named = false;
        for (size_t i = from; i < end; i++)
            named |= rows[i]->selected && remembered_names_cause(rows[i]);
        for (size_t i = from; i < end; i++)
            if (remembered_is_incident(rows[i]) && rows[i]->selected &&
                (kind != TALLY_ROOT_CAUSES || !named || remembered_names_cause(rows[i])))
                n = gather_row(kind, rows[i], from, out, n);
    }
    return n;
}

struct counted tally_count(const struct tallies *settled, enum tally_kind kind, struct remembered *const *rows,
                           size_t row_count, struct arena *arena)
{
    size_t n = gather(kind, rows, row_count, NULL);
    struct naming *namings = arena_alloc(arena, (n + settled->count + 1) * sizeof *namings);
    (void)gather(kind, rows, row_count, namings);
    for (size_t i = 0; i < settled->count; i++)
        namings[n++] = (struct naming){settled->items[i].text, SIZE_MAX, settled->items[i].count};
    qsort(namings, n, sizeof *namings, naming_order);
    struct tally *tallies = arena_alloc(arena, (n + 1) * sizeof *tallies);
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && naming_order(&namings[i], &namings[i - 1]) == 0)
            continue;
        if (found == 0 || !str_eq(tallies[found - 1].text, namings[i].text))
            tallies[found++] = (struct tally){namings[i].text, 0};
        tallies[found - 1].count += namings[i].count;
    }
    qsort(tallies, found, sizeof *tallies, tally_rank);
    size_t most = tally_max(kind);
    return (struct counted){tallies, found < most ? found : most, found > most};
}

bool tallies_settle(struct tallies *tallies, enum tally_kind kind, struct remembered *const *rows, size_t row_count)
{
    struct arena arena = {0};
    struct tallies result = {0};
    struct counted counted = tally_count(tallies, kind, rows, row_count, &arena);
    for (size_t i = 0; i < counted.count; i++)
        append(&result, counted.items[i]);
    tallies_fini(tallies);
    *tallies = result;
    arena_fini(&arena);
    return counted.capped;
}
