/* A reader over the dirty entries and the store below them, as one order (state.h says what it promises). The state's
 * own: it embeds some, and its scans make one each. */
#ifndef FORESTALL_STATE_CURSOR_H
#define FORESTALL_STATE_CURSOR_H

#include "state/memtable.h"
#include "state/state.h"

struct state_cursor {
    struct store *store;
    const struct memtable *dirty;
    const uint64_t *epoch;        /* of the state: it has another one once dirty entries went, or the store changed */
    struct str to;                /* no entry of the store at or beyond it is needed; n 0: no end */
    struct store_iterator *below; /* NULL: none is open */
    uint64_t opened;              /* the epoch of it */
    bool any;                     /* `next` is its next entry; false: it is at its end */
    struct str_pair next;
    const struct memtable_node *before; /* of the dirty entries: it stands before the next one */
    struct buf at;                      /* the key that was given last */
    struct buf from;                    /* there is nothing between it and `at` */
    bool with_from;                     /* nor at it, unless that is `at` */
    bool given;
};

void cursor_init(struct state_cursor *cursor, struct store *store, const struct memtable *dirty, const uint64_t *epoch);
/* Lets go of the store; the next seek opens it again. */
void cursor_close(struct state_cursor *cursor);
void cursor_fini(struct state_cursor *cursor);

#endif
