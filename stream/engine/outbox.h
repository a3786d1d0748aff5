/* Records to be published with the next commit, in order. */
#ifndef FORESTALL_ENGINE_OUTBOX_H
#define FORESTALL_ENGINE_OUTBOX_H

#include "engine/commit.h"

struct outbox {
    struct arena arena;
    struct commit_record *records;
    size_t count;
    size_t cap;
    size_t bytes; /* of the copies */
};

void outbox_fini(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);
/* Copies the record. */
void outbox_add(struct outbox *outbox, const struct commit_record *record);
/* The same without a copy: the caller keeps the bytes until the commit is over. */
void outbox_lend(struct outbox *outbox, const struct commit_record *record);

#endif
