/* How many distinct incidents name a thing: code references, root causes, components.
 *
 * Counts of remembered rows are taken anew each time; what is forgotten is settled into a list of the recommendation's.
 */
#ifndef FORESTALL_RECOMMEND_TALLY_H
#define FORESTALL_RECOMMEND_TALLY_H

#include "base/buf.h"

enum tally_kind { TALLY_CODE_REFS, TALLY_ROOT_CAUSES, TALLY_COMPONENTS, TALLY_KINDS };

struct tally {
    struct str text;
    uint64_t count;
};

/* Heap, the texts too; the most frequent first. */
struct tallies {
    struct tally *items;
    size_t count;
    size_t cap;
};

struct remembered;

/* The most entries of a kind, settled or published. */
size_t tally_max(enum tally_kind kind);
void tallies_fini(struct tallies *tallies);
void tallies_encode(struct buf *out, const struct tallies *tallies);
/* Latches its failure in the reader. */
void tallies_decode(struct reader *r, enum tally_kind kind, struct tallies *tallies);

/* Adds what the rows (of one incident, or of many: in order of key) name, each incident once a text, and keeps the most
 * frequent. True where entries were left out. */
bool tallies_settle(struct tallies *tallies, enum tally_kind kind, struct remembered *const *rows, size_t row_count);
/* Settled and remembered together, the most frequent first, in the arena. */
struct counted {
    const struct tally *items;
    size_t count;
    bool capped; /* entries were left out */
};
struct counted tally_count(const struct tallies *settled, enum tally_kind kind, struct remembered *const *rows,
                           size_t row_count, struct arena *arena);

#endif
